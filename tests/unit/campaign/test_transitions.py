"""Whatever happens, devices and groups only go where the tables of transitions say."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from lorafuota.campaign import (
    FirmwareStep,
    FuotaCampaign,
    Stage,
)
from lorafuota.campaign.config import ClockCheck
from lorafuota.campaign.exchange import answer
from lorafuota.campaign.group import Group
from lorafuota.campaign.roster import Roster
from lorafuota.campaign.rounds import Rounds
from lorafuota.campaign.state import (
    GROUP_TRANSITIONS,
    TRANSITIONS,
    CampaignPhase,
    DeviceRecord,
    GroupPhase,
)
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation.v2 import FragDataBlockReceivedReq
from lorafuota.multicastsetup.v1 import McClassCSessionAns
from lorafuota.session.fragmentation import FragLimits
from lorafuota.session.fragsession import FRAG_TRANSITIONS, FragState
from lorafuota.session.multicast import McLimits
from lorafuota.types import DevEUI, McKey
from tests.unit.campaign.fleet import (
    NEW,
    OLD,
    START,
    Channel,
    Fleet,
    Unit,
    config,
    fleet,
    group,
    member,
)

ENDED = (Stage.DONE, Stage.FAILED)
LISTENING = (Stage.READY, Stage.SESSION, Stage.LISTENING, Stage.UNICAST, Stage.STATUS)
FIRMWARE = FirmwareStep(version=NEW, countdown_seconds=60, boot_seconds=30.0)
DELTA = dataclasses.replace(FIRMWARE, base_version=OLD)


@dataclasses.dataclass
class Seen:
    """The moves that were made."""

    stages: set[tuple[Stage, Stage]] = dataclasses.field(default_factory=set)
    phases: set[tuple[GroupPhase, GroupPhase]] = dataclasses.field(default_factory=set)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()
    enter, go = Roster.enter, Rounds._go

    def seen_enter(roster: Roster, dev_eui: DevEUI, stage: Stage) -> None:
        found.stages.add((roster.devices[dev_eui].stage, stage))
        enter(roster, dev_eui, stage)

    def seen_go(rounds: Rounds, of: Group, phase: GroupPhase, now: float) -> bool:
        found.phases.add((of.record.phase, phase))
        return go(rounds, of, phase, now)

    monkeypatch.setattr(Roster, "enter", seen_enter)
    monkeypatch.setattr(Rounds, "_go", seen_go)
    return found


def check(seen: Seen) -> None:
    assert [move for move in seen.stages if move[1] not in TRANSITIONS[move[0]]] == []
    assert [move for move in seen.phases if move[1] not in GROUP_TRANSITIONS[move[0]]] == []


def all_moves() -> Iterator[tuple[Stage, Stage]]:
    return ((one, other) for one, others in TRANSITIONS.items() for other in others)


def hostile(seed: int, **changes: float) -> Channel:
    shares: dict[str, float] = {
        "down_loss": 0.25,
        "up_loss": 0.25,
        "repeat": 0.2,
        "delay": 0.2,
        **changes,
    }
    return Channel(random.Random(seed), **shares)


def no_session_answer(fport: int, payload: bytes) -> list[tuple[int, bytes]]:
    return [] if (fport, payload[0]) == (200, McClassCSessionAns.CID) else [(fport, payload)]


def fleets() -> Iterator[Fleet]:
    """Campaigns that go well, badly, singly and in groups."""
    yield fleet()
    yield fleet((1, 2), firmware=FIRMWARE)
    for check in ClockCheck:
        yield fleet((1, 2), clock_check=check, channel=hostile(7))
    for seed in range(6):
        yield fleet((1, 2, 2, 1), channel=hostile(seed), firmware=FIRMWARE)
        yield fleet((1, 2, 2), channel=hostile(seed, down_loss=0.6, up_loss=0.6))
        alone = [member(at, multicast=False) for at in (1, 2, 3)]
        units = [Unit.of(one, 1 + int(one.dev_eui) % 2) for one in alone]
        yield Fleet(config(alone, max_rounds=2), units, channel=hostile(seed))
    for limits in (FragLimits(max_memory=100), FragLimits(nb_indices=1)):
        for version in (1, 2):
            one = member(1, multicast=False, frag_index=1)
            yield Fleet(config([one]), [Unit.of(one, version, limits=limits)])
    one = member(1, mc_group_id=3)
    yield Fleet(config([one]), [Unit.of(one, 2, mc_limits=McLimits(max_groups=1))])
    yield Fleet(config([one]), [Unit.of(one, 2, clock_error=-4000.0)])
    yield fleet((2,), groups=(group(max_mc_fcnt=25),), channel=hostile(1, down_loss=0.5))
    yield fleet((2, 2), groups=())
    one = member(1)
    yield Fleet(config([one], max_rounds=1), [Unit.of(one, rewrite=no_session_answer)])
    slow = group(spacing_seconds=2_000.0)  # 16 frames in the longest window
    yield fleet((2, 2, 2), groups=(slow,), max_windows=4, channel=hostile(2), firmware=FIRMWARE)
    for check in ClockCheck:
        yield fleet((1, 2), clock_check=check, firmware=DELTA)
    alone = [member(at, multicast=False) for at in (1, 2)]
    units = [Unit.of(one, int(one.dev_eui)) for one in alone]
    yield Fleet(config(alone, firmware=DELTA), units, channel=hostile(4))
    yield fleet((2, 2), redundancy=3.0, firmware=FIRMWARE)  # they report while it still sends


def test_no_device_and_no_group_goes_where_the_table_does_not_lead(seen: Seen) -> None:
    for one in fleets():
        one.start().run()
        one.check_honest()
    for seed in range(40):
        resets(seed)
    for stage in Stage:
        rekeyed(stage)
    for phase in GroupPhase:
        rekeyed_in(phase)
    for keys in (0, 9):
        used_up(keys)
    check(seen)
    late = {(stage, Stage.IMAGE) for stage in (Stage.READY, Stage.SESSION)}  # the tests below
    late |= {(stage, Stage.FRAGMENTATION) for stage in LISTENING}
    not_seen = set(all_moves()) - seen.stages - late
    assert [move for move in not_seen if move[1] not in (Stage.CLEANUP, Stage.FAILED)] == []
    phases = {(one, other) for one, others in GROUP_TRANSITIONS.items() for other in others}
    assert phases - seen.phases == set()


@pytest.mark.parametrize("stage", [Stage.READY, Stage.SESSION])
def test_a_device_that_reports_late_goes_where_the_table_leads(stage: Stage) -> None:
    report = FragDataBlockReceivedReq(frag_index=0, mic_error=False)
    record = DeviceRecord(stage=stage, frag_version=2, mc_version=2, group="v2", cnt_used=True)
    wanted = config([member(1)], firmware=FIRMWARE)
    step = answer(wanted, member(1), record, report, now=START, session=None)
    assert step is not None
    assert step.stage is Stage.IMAGE
    assert step.stage in TRANSITIONS[stage]


@pytest.mark.parametrize("stage", LISTENING)
def test_a_block_with_another_mic_goes_where_the_table_leads(stage: Stage) -> None:
    report = FragDataBlockReceivedReq(frag_index=0, mic_error=True)
    record = DeviceRecord(stage=stage, frag_version=2, mc_version=2, group="v2", cnt_used=True)
    wanted = config([member(1)])
    step = answer(wanted, member(1), record, report, now=START, session=None)
    assert step is not None
    assert step.stage is Stage.FRAGMENTATION
    assert step.stage in TRANSITIONS[stage]
    step = answer(wanted, member(1), record, report, now=START, session=None)
    assert step is not None
    assert step.stage is Stage.CLEANUP


def resets(seed: int) -> None:
    """A campaign with devices that lose everything now and then, and one that comes late."""
    rng = random.Random(seed)
    changes: dict[str, Any] = {"firmware": FIRMWARE} if seed % 4 > 1 else {}
    changes |= {"max_rounds": 3} if seed % 3 == 0 else {}
    version = 1 + seed % 2  # of all: the referee takes a frame of any group for one of the device's
    members = [member(at + 1, clock_version=0 if seed % 5 == 0 else None) for at in range(3)]
    units = [Unit.of(each, version) for each in members]
    one = Fleet(config(members, **changes), units, channel=hostile(seed))
    one.start()
    while one.campaign.phase is not CampaignPhase.ENDED:
        if rng.random() < 0.02:
            unit = rng.choice(list(one.units.values()))
            unit.switch_on()
        if len(one.units) == 3 and rng.random() < 0.01:
            one.add(Unit.of(member(9), version))
        assert one.step()
    one.check_honest()


def rekeyed(stage: Stage) -> None:
    """A campaign whose group gets another key when a device is in that stage."""
    for version, spare in itertools.product((1, 2), (0, 1000)):
        few = group(ParityVariant(f"v{version}"), max_mc_fcnt=26 + spare)
        one = fleet(
            (version, version), groups=(few,), channel=hostile(version), rekey_seconds=900.0
        )
        one.start()
        while one.campaign.phase is not CampaignPhase.ENDED:
            if one.campaign.record(DevEUI(1)).stage is stage and not one.fresh_keys:
                one.fresh_keys = [McKey(bytes([100 + at] * 16)) for at in range(9)]
                one.rekey(few.name, McKey(bytes(16)))
            assert one.step()
        one.check_honest()


def rekeyed_in(phase: GroupPhase) -> None:
    """A campaign whose group gets another key in that phase."""
    one = fleet((2, 2, 2), channel=hostile(1)).start()
    own = one.campaign._roster.groups["v2"].record
    while one.campaign.phase is not CampaignPhase.ENDED:
        if own.phase is phase and own.keys.count(",") == 0:
            one.rekey("v2", McKey(bytes(16)))
        assert one.step()
    one.check_honest()


def used_up(keys: int) -> None:
    """Groups whose counters do not last; in one the devices come too late, and leave again."""
    few = group(max_mc_fcnt=25)  # the first pass and its question
    both = (few, group(ParityVariant.V1))
    one = fleet((2,) * 8, groups=both, channel=hostile(3), rekey_seconds=900.0).start()
    one.fresh_keys = [McKey(bytes([100 + at] * 16)) for at in range(keys)]
    one.run()
    one.check_honest()
    fewer = (group(max_mc_fcnt=21), both[1])
    one = fleet((2, 1), groups=fewer, rekey_seconds=900.0, redundancy=0.05).start()
    own = one.campaign._roster.groups["v2"].record
    one.units[DevEUI(2)].deaf = True  # so that the campaign goes on
    one.run(until=lambda _: own.phase is GroupPhase.REST)
    for eui in range(11, 19):
        one.add(Unit.of(member(eui), 2))
    one.run(until=lambda _: own.phase is GroupPhase.REKEY)
    one.add(Unit.of(member(30), 1))
    for eui in map(DevEUI, range(11, 19)):
        one.act(one.campaign.remove_device(eui, now=one.now))
    one.run()


def test_every_stage_can_be_cancelled_and_removed_as_the_table_says(seen: Seen) -> None:
    left = {stage for stage in Stage if stage not in ENDED}
    for one in fleets():
        one.start()
        while left and one.campaign.phase is not CampaignPhase.ENDED:
            for eui in one.units:
                stage = one.campaign.record(eui).stage
                if stage in left:
                    left.discard(stage)
                    other = FuotaCampaign(one.config, saved=one.store.load())
                    other.cancel(now=one.now)
                    other = FuotaCampaign(one.config, saved=one.store.load())
                    other.remove_device(eui, now=one.now)
            assert one.step()
    assert left == set()
    check(seen)
    gone = {Stage.CLEANUP, Stage.FAILED}
    assert {move for move in all_moves() if move[1] in gone} - seen.stages == set()


def test_every_state_is_in_its_table() -> None:
    assert set(FRAG_TRANSITIONS) == set(FragState)
    assert set(TRANSITIONS) == set(Stage)
    assert set(GROUP_TRANSITIONS) == set(GroupPhase)
