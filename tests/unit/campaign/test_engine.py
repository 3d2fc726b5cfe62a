"""Whole campaigns with simulated devices, one thing out of the ordinary at a time."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from lorafuota.campaign import Event, FirmwareStep, FuotaCampaign, RetryPolicy
from lorafuota.campaign.actions import (
    CampaignEnded,
    Commit,
    DeviceEnded,
    Multicast,
    NewKeyWanted,
    Unicast,
    UplinkRejected,
    WindowAnnounced,
)
from lorafuota.campaign.config import ClockCheck, WindowClass
from lorafuota.campaign.quirks import StatusQuirk
from lorafuota.campaign.snapshot import fold
from lorafuota.campaign.state import CampaignPhase, GroupPhase, Outcome, Stage
from lorafuota.clocksync.v2 import AppTimeAns, AppTimeReq, ForceDeviceResyncCmd
from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError, StateError
from lorafuota.fec.variant import ParityVariant
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation import v1 as frag_v1
from lorafuota.fragmentation import v2 as frag_v2
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.link import BEACON_PERIOD_SECONDS, ping_slots_ms
from lorafuota.multicastsetup import v1 as mc_v1
from lorafuota.package import PackageVersionAns, PackageVersionReq
from lorafuota.session.fragmentation import FragLimits
from lorafuota.session.multicast import McLimits
from lorafuota.session.profile import Count, Missing, frag_profile, mc_profile
from lorafuota.types import DevAddr, DevEUI, McKey
from lorafuota.wire import JSON, Command
from tests.unit.campaign.fleet import (
    BLOCK,
    GROUPS,
    IMAGE,
    NEW,
    OLD,
    QUICK,
    START,
    Channel,
    Crash,
    Fleet,
    Unit,
    config,
    fleet,
    group,
    member,
)

FIRMWARE = FirmwareStep(version=NEW, countdown_seconds=10, boot_seconds=10.0)
DELTA = dataclasses.replace(FIRMWARE, base_version=OLD)
SUCCESS = {1: Outcome.TRANSPORTED, 2: Outcome.VERIFIED}


def single(unit: Unit, *, channel: Channel | None = None, **changes: Any) -> Fleet:
    return Fleet(config((unit.member,), **changes), [unit], channel=channel)


def lossy(seed: int = 1, down: float = 0.2, up: float = 0.2) -> Channel:
    return Channel(random.Random(seed), down, up)


def frames_of(of: Fleet, kind: type[Command]) -> list[Multicast]:
    return [one for one in of.log if isinstance(one, Multicast) and one.payload[0] == kind.CID]


def multicasts(of: Fleet) -> list[Multicast]:
    """The frames with fragments."""
    return frames_of(of, DataFragment)


def questions(of: Fleet) -> list[Multicast]:
    return frames_of(of, frag_v1.FragSessionStatusReq)


def numbers(of: Fleet) -> list[int]:
    return [DataFragment.decode(action.payload).n for action in multicasts(of)]


def in_phase(phase: GroupPhase, name: str = "v2") -> Callable[[Fleet], bool]:
    return lambda of: of.campaign._roster.groups[name].record.phase is phase


def in_stage(stage: Stage, number: int = 1) -> Callable[[Fleet], bool]:
    return lambda of: of.campaign.record(DevEUI(number)).stage is stage


# All is well


def test_every_version_of_every_package_and_of_lorawan_gets_the_block() -> None:
    units = [
        Unit.of(member(number), version, mc_version)
        for number, (version, mc_version) in enumerate(
            [(v, m) for v in (1, 2) for m in (1, 2) for _ in range(2)], start=1
        )
    ]
    done = Fleet(config([unit.member for unit in units]), units).start().run()
    assert done.outcomes == {
        int(unit.member.dev_eui): SUCCESS[1 if unit.frag == frag_profile(1) else 2]
        for unit in units
    }
    assert all([block.data for block in unit.blocks] == [IMAGE] for unit in units)
    assert all(unit.device.multicast.groups == {} for unit in units)  # cleaned up
    assert all(unit.device.fragmentation.state(0) is None for unit in units)


def test_without_losses_nothing_is_sent_twice() -> None:
    done = fleet((1, 2)).start().run()
    for number in (1, 2):
        counts = Counter(
            type(one).__name__
            for kind in (
                PackageVersionReq,
                mc_v1.McGroupSetupReq,
                frag_v1.FragSessionSetupReq,
                frag_v2.FragSessionSetupReq,
                mc_v1.McClassCSessionReq,
                frag_v1.FragSessionStatusReq,
                mc_v1.McGroupDeleteReq,
            )
            for one in done.sent(number, kind)
        )
        assert counts.pop("FragSessionStatusReq", 1) == 1  # version 2 has reported by itself
        assert counts == {
            "PackageVersionReq": 2,
            "McGroupSetupReq": 1,
            "FragSessionSetupReq": 1,
            "McClassCSessionReq": 1,
            "McGroupDeleteReq": 1,
        }


def test_configured_versions_are_not_asked_for() -> None:
    units = [
        Unit.of(member(version, frag_version=version, mc_version=version), version)
        for version in (1, 2)
    ]
    done = Fleet(config([unit.member for unit in units]), units).start().run()
    assert done.outcomes == SUCCESS
    assert not done.sent(1, PackageVersionReq) + done.sent(2, PackageVersionReq)


def test_only_what_is_unknown_is_asked_for() -> None:
    unit = Unit.of(member(1, frag_version=2), 2)
    done = single(unit).start().run()
    assert len(done.sent(1, PackageVersionReq)) == 1
    assert done.outcomes == {1: Outcome.VERIFIED}


@pytest.mark.parametrize("version", [1, 2])
def test_a_device_served_by_unicast_needs_no_group(version: int) -> None:
    unit = Unit.of(member(1, multicast=False), version)
    done = single(unit, groups=()).start().run()
    assert done.outcomes == {1: SUCCESS[version]}
    assert not done.setups(1)
    sent = [one.n for one in done.sent(1, DataFragment) if isinstance(one, DataFragment)]
    assert sent == list(range(1, len(sent) + 1))
    assert len(sent) == (24 if version == 1 else len(sent))  # version 2 stops it when complete


@pytest.mark.parametrize("version", [1, 2])
def test_losses_by_unicast_are_made_good_by_unicast(version: int) -> None:
    unit = Unit.of(member(1, multicast=False), version)
    done = single(unit, channel=lossy(), groups=()).start().run()
    assert done.outcomes == {1: SUCCESS[version]}


def test_a_class_b_group_is_served_in_its_ping_slots() -> None:
    slotted = group(window_class=WindowClass.B, periodicity=3)
    unit = Unit.of(member(1), 2)
    done = single(unit, groups=(slotted,), channel=lossy()).start().run()
    assert done.outcomes == {1: Outcome.VERIFIED}
    for window in [action for action in done.log if isinstance(action, WindowAnnounced)]:
        assert window.start % BEACON_PERIOD_SECONDS == 0  # TS005 reference, section 10, row 8
    for frame in multicasts(done):
        beacon = int(frame.time) // BEACON_PERIOD_SECONDS * BEACON_PERIOD_SECONDS
        assert round(frame.time * 1000) in ping_slots_ms(beacon, slotted.mc_addr, 3)


@pytest.mark.parametrize("nb_frag", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("version", [1, 2])
def test_the_smallest_blocks_arrive_despite_losses(
    version: int, multicast: bool, nb_frag: int
) -> None:
    block = DataBlock.of(IMAGE[: 10 * nb_frag], frag_size=10)
    for seed in range(4):
        unit = Unit.of(member(1, multicast=multicast), version)
        patient = RetryPolicy(12, 20.0)
        done = single(
            unit,
            block=block,
            channel=lossy(seed),
            max_rounds=40,
            retry=patient,
            status_retry=patient,
        )
        assert done.start().run().outcomes == {1: SUCCESS[version]}


# Before the window


def test_a_group_number_the_device_does_not_have_is_replaced() -> None:
    unit = Unit.of(member(1, mc_group_id=3), 2, mc_limits=McLimits(max_groups=2))
    done = single(unit).start().run()
    assert done.outcomes == {1: Outcome.VERIFIED}
    assert [one.mc_group_id for one in done.setups(1)] == [3, 0]
    [setup] = done.sent(1, frag_v2.FragSessionSetupReq)
    assert isinstance(setup, frag_v2.FragSessionSetupReq)
    assert setup.mc_group_bit_mask == 0b0001


def test_a_session_index_the_device_does_not_have_is_replaced_where_it_is_its_own() -> None:
    limits = FragLimits(nb_indices=1)
    unit = Unit.of(member(1, multicast=False, frag_index=2), 2, limits=limits)
    assert single(unit).start().run().outcomes == {1: Outcome.VERIFIED}
    unit = Unit.of(member(1), 2, limits=limits)
    grouped = single(unit, groups=(group(frag_index=2),)).start().run()
    assert grouped.outcomes == {1: Outcome.FRAG_INDEX_UNSUPPORTED}


@pytest.mark.parametrize(
    ("limits", "outcome"),
    [
        (FragLimits(max_memory=10), Outcome.NOT_ENOUGH_MEMORY),
        (FragLimits(descriptors=frozenset({b"else"})), Outcome.WRONG_DESCRIPTOR),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_refusal_ends_it_for_the_one_and_not_for_the_others(
    version: int, limits: FragLimits, outcome: Outcome
) -> None:
    units = [Unit.of(member(1), version, limits=limits), Unit.of(member(2), version)]
    done = Fleet(config([unit.member for unit in units]), units).start().run()
    assert done.outcomes == {1: outcome, 2: SUCCESS[version]}


@pytest.mark.parametrize("used", [0, 30, 20_000])
def test_a_counter_the_device_has_used_is_jumped_over(used: int) -> None:
    unit = Unit.of(member(1), 2)
    unit.session_cnt_prev[0] = used
    unit.switch_on()
    done = single(unit).start().run()
    assert done.outcomes == {1: Outcome.VERIFIED}
    assert unit.session_cnt_prev[0] > used


def test_an_index_whose_counters_are_used_up_is_given_up() -> None:
    unit = Unit.of(member(1), 2)
    unit.session_cnt_prev[0] = 0xFFFF
    unit.switch_on()
    assert single(unit).start().run().outcomes == {1: Outcome.SESSION_CNT_REPLAY}


def test_the_last_counter_is_used_once_and_not_again() -> None:
    """A session lost after fragments needs another counter, and there is none."""
    unit = Unit.of(member(1, session_cnt=0xFFFF), 2)
    done = single(unit).start()
    done.run(until=lambda of: len(multicasts(of)) > 3)
    unit.switch_on()
    assert done.run().outcomes == {1: Outcome.SESSION_CNT_REPLAY}
    assert len(done.sent(1, frag_v2.FragSessionSetupReq)) == 1


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("error", [-3000.0, -100.0, 100.0, 590.0])
def test_a_device_whose_clock_is_off_is_synchronised_and_gets_the_block(
    error: float, version: int
) -> None:
    unit = Unit.of(member(1), version, clock_error=error)
    done = single(unit).start().run()
    assert done.outcomes == {1: SUCCESS[version]}
    assert len(done.sent(1, ForceDeviceResyncCmd)) == 2  # corrected, and found right
    assert abs(unit.clock_error) <= 1


def test_without_time_to_synchronise_the_device_is_ready_for_the_next_window() -> None:
    unit = Unit.of(member(1), 2, clock_error=-100.0)
    done = single(unit, lead_seconds=10.0).start().run()
    assert done.outcomes == {1: Outcome.VERIFIED}
    assert done.campaign.report().rounds == {"v1": 0, "v2": 1}


def test_a_frequency_the_device_does_not_have_ends_it() -> None:
    unit = Unit.of(member(1), 2, mc_limits=McLimits(frequencies_hz=range(902_000_000, 928_000_000)))
    done = single(unit).start().run()
    assert done.outcomes == {1: Outcome.REFUSED}
    assert done.campaign.record(DevEUI(1)).detail == "FREQ_ERROR"  # kept through the clean-up


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("phase", [GroupPhase.ANNOUNCE, GroupPhase.SEND, GroupPhase.POLL])
def test_a_device_that_was_reset_is_set_up_again(phase: GroupPhase, version: int) -> None:
    units = [Unit.of(member(number), version) for number in (1, 2)]
    wanted, channel = config([unit.member for unit in units]), Channel(random.Random(3), 0.1)
    done = Fleet(wanted, units, channel=channel).start()
    done.run(until=in_phase(phase, f"v{version}"))
    units[0].switch_on()
    assert done.run().outcomes == {1: SUCCESS[version], 2: SUCCESS[version]}
    done.check_honest()


def test_a_device_of_another_matrix_or_port_needs_a_group_of_its_own() -> None:
    units = [
        Unit.of(member(1, parity=ParityVariant.V2_ANNEX), 2),
        Unit.of(member(2, fports={"fragmentation": 77}), 2),
        Unit.of(member(3), 2),
    ]
    done = Fleet(config([unit.member for unit in units]), units).start().run()
    assert done.outcomes == {1: Outcome.NO_GROUP, 2: Outcome.NO_GROUP, 3: Outcome.VERIFIED}
    assert done.campaign.record(DevEUI(1)).detail == "parity variant v2-annex, FPort 201"
    assert done.campaign.record(DevEUI(2)).detail == "parity variant v2, FPort 77"


def test_other_ports_are_used_where_a_device_has_them() -> None:
    ports = {"fragmentation": 77, "multicastsetup": 78}
    unit = Unit.of(member(1, fports=ports), 2)
    done = single(unit, groups=(group(fport=77),)).start().run()
    assert done.outcomes == {1: Outcome.VERIFIED}
    assert {action.fport for action in done.log if isinstance(action, Unicast)} == {77, 78}


def test_the_matrix_that_was_configured_is_the_one_that_is_sent() -> None:
    """TS004 reference, section 9.1: the seed of version 2 is read in two ways."""
    frag = dataclasses.replace(frag_profile(2), parity=ParityVariant.V2_ANNEX)
    unit = Unit(member(1, parity=ParityVariant.V2_ANNEX), frag, mc_profile(2))
    done = single(unit, channel=lossy(), groups=(group(ParityVariant.V2_ANNEX),)).start().run()
    assert done.outcomes == {1: Outcome.VERIFIED}
    wrong = Unit(member(1), frag, mc_profile(2))
    done = single(wrong, channel=lossy(5)).start().run()
    assert done.outcomes == {1: Outcome.MIC_ERROR}
    assert wrong.blocks == []


# Who is silent, late or leaves


@pytest.mark.parametrize("silent_from", [None, *Stage])
def test_a_device_that_falls_silent_ends_and_the_others_are_done(silent_from: Stage | None) -> None:
    check = ClockCheck.REQUIRED if silent_from is Stage.CLOCK else ClockCheck.OFF
    step = DELTA if silent_from is Stage.BASE else FIRMWARE
    done = fleet((2, 2), firmware=step, clock_check=check).start()
    unit = done.units[DevEUI(1)]
    if silent_from is None:
        unit.deaf = True
    for _ in range(20_000):
        if done.campaign.phase is CampaignPhase.ENDED:
            break
        if silent_from is not None and in_stage(silent_from)(done):
            unit.deaf = True
        done.step()
    assert done.campaign.phase is CampaignPhase.ENDED
    assert done.outcomes[2] is Outcome.CONFIRMED
    known = {
        Stage.IMAGE: Outcome.VERIFIED,
        Stage.REBOOT: Outcome.IMAGE_VALID,
        Stage.CONFIRM: Outcome.IMAGE_VALID,
        Stage.CLEANUP: Outcome.CONFIRMED,
        Stage.DONE: Outcome.CONFIRMED,
    }
    came = {Stage.DELETE, Stage.UNICAST, Stage.STATUS, Stage.FAILED}  # never, on this way
    expected = known.get(silent_from or Stage.NEGOTIATE, Outcome.NO_ANSWER)
    assert done.outcomes[1] is (Outcome.CONFIRMED if silent_from in came else expected)


def test_a_group_does_not_wait_for_ever_for_a_silent_member() -> None:
    done = fleet((2, 2), setup_seconds=50.0, retry=RetryPolicy(100, 20.0))
    done.units[DevEUI(1)].deaf = True
    done.start().run(until=lambda of: bool(multicasts(of)))
    assert done.now - START < 700


def test_a_group_goes_on_early_when_enough_are_ready() -> None:
    done = fleet((2, 2, 2, 2), ready_share=0.75, setup_seconds=1e6)
    done.units[DevEUI(1)].deaf = True
    done.start().run(until=lambda of: bool(multicasts(of)))
    assert done.now == START + 600 + 2


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("phase", [one for one in GroupPhase if one is not GroupPhase.REKEY])
def test_a_device_that_joins_late_gets_everything(phase: GroupPhase, version: int) -> None:
    first = Unit.of(member(1), version)
    first.rewrite = lambda fport, payload: (  # it does not report by itself
        [] if (fport, payload[0]) == (201, 4) else [(fport, payload)]
    )
    done = single(first, firmware=FIRMWARE).start()
    done.run(until=in_phase(phase, f"v{version}"))
    used = done.campaign._roster.groups[f"v{version}"].server.sender.next_fcnt
    done.add(Unit.of(member(2), version))
    done.run()
    assert done.outcomes == {1: Outcome.CONFIRMED, 2: Outcome.CONFIRMED}
    assert done.setups(2)[0].min_mc_fcnt >= used


def test_who_heard_nothing_but_coded_fragments_is_not_left_one_short_for_ever() -> None:
    """M = 20: version 2 lines have ten ones, and an even number never makes one of a plain one."""
    for seed in range(5):
        done = fleet((2, 2, 2), channel=Channel(random.Random(seed), 0.3), max_rounds=20).start()
        done.run(until=lambda of: max(numbers(of), default=0) >= BLOCK.nb_frag)
        late = [Unit.of(member(number), 2) for number in range(4, 9)]
        for unit in late:
            done.add(unit)
        done.run()
        assert set(done.outcomes.values()) == {Outcome.VERIFIED}
        assert any(n <= BLOCK.nb_frag for n in numbers(done)[24:])


def test_the_same_holds_by_unicast() -> None:
    unit = Unit.of(member(1, multicast=False), 2)
    channel = Channel(random.Random(1))
    done = single(unit, channel=channel, redundancy=2.0).start()
    done.run(until=in_stage(Stage.UNICAST))
    channel.down_loss = 1.0
    done.run(until=lambda of: of.campaign.record(DevEUI(1)).unicast_n == BLOCK.nb_frag)
    channel.down_loss = 0.0
    assert done.run().outcomes == {1: Outcome.VERIFIED}


@pytest.mark.parametrize("stage", list(Stage)[:13])
def test_a_removed_device_is_sent_nothing_more_and_holds_nobody_up(stage: Stage) -> None:
    version = 1 if stage in (Stage.DELETE, Stage.STATUS) else 2
    alone = stage is Stage.UNICAST
    units = [Unit.of(member(n, multicast=not alone), version) for n in (1, 2)]
    check = ClockCheck.IF_ABLE if stage is Stage.CLOCK else ClockCheck.OFF
    step = DELTA if stage is Stage.BASE else FIRMWARE
    wanted = config([unit.member for unit in units], firmware=step, clock_check=check)
    done = Fleet(wanted, units).start()
    units[1].deaf = stage is Stage.READY  # so that there is somebody to wait for
    done.run(until=in_stage(stage))
    units[1].deaf = False
    before = len(done.log)
    done.act(done.campaign.remove_device(DevEUI(1), now=done.now))
    sent = [one for one in done.log[before:] if getattr(one, "dev_eui", None) == 1]
    acknowledgement = frag_v2.FragDataBlockReceivedAns(frag_index=0).encode()
    assert sent == [DeviceEnded(DevEUI(1), Outcome.CANCELLED, "removed")]
    done.run()
    assert done.outcomes == {1: Outcome.CANCELLED, 2: Outcome.CONFIRMED}
    later = [one for one in done.log[before + 2 :] if getattr(one, "dev_eui", None) == 1]
    assert all(isinstance(one, Unicast) and one.payload == acknowledgement for one in later)


def test_the_last_device_a_poll_waits_for_can_be_removed() -> None:
    done = fleet((1, 1)).start()
    done.units[DevEUI(1)].deaf = False
    done.run(until=in_phase(GroupPhase.SEND, "v1"))
    done.units[DevEUI(1)].rewrite = lambda fport, payload: ()
    done.run(until=lambda of: of.campaign.record(DevEUI(2)).stage is Stage.DONE)
    assert in_stage(Stage.STATUS)(done)
    done.act(done.campaign.remove_device(DevEUI(1), now=done.now))
    assert done.campaign.phase is CampaignPhase.ENDED


def test_a_device_that_has_ended_stays_ended_when_it_is_removed() -> None:
    done = fleet((2,)).start().run()
    assert done.campaign.remove_device(DevEUI(1), now=done.now) == []
    assert done.outcomes == {1: Outcome.VERIFIED}


# Pause, resume, cancel


@pytest.mark.parametrize("seconds", [1.0, 30.0, 10_000.0])
@pytest.mark.parametrize("phase", list(GroupPhase)[:4])
def test_a_pause_anywhere_however_long_delays_and_loses_nothing(
    phase: GroupPhase, seconds: float
) -> None:
    done = fleet((1, 2, 2), channel=lossy(2, 0.1, 0.0), max_rounds=20).start()
    done.run(until=in_phase(phase))
    done.pause()
    assert done.campaign.next_deadline is None
    before = len(done.log)
    done.run_for(seconds)
    asked = [one for one in done.log[before:] if isinstance(one, Unicast | Multicast)]
    acks = frag_v2.FragDataBlockReceivedAns.CID
    assert {one.payload[0] for one in asked} <= {acks}
    done.resume()
    done.run()
    assert done.outcomes == {1: Outcome.TRANSPORTED, 2: Outcome.VERIFIED, 3: Outcome.VERIFIED}


def test_a_window_that_passed_in_a_pause_is_announced_anew() -> None:
    done = fleet((2,)).start()
    done.run(until=in_phase(GroupPhase.SEND))
    done.pause()
    done.run_for(5000)
    done.resume()
    done.run()
    starts = [action.start for action in done.log if isinstance(action, WindowAnnounced)]
    assert len(starts) == 2
    assert all(frame.time > starts[1] for frame in multicasts(done)[1:])


def cancelled_in(stage: Stage, version: int) -> Fleet:
    alone = stage is Stage.UNICAST
    unit = Unit.of(member(1, multicast=not alone), version)
    done = single(unit, firmware=FIRMWARE).start()
    done.run(until=in_stage(stage))
    done.cancel()
    return done


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize(
    "stage", [s for s in list(Stage)[:14] if s not in (Stage.DELETE, Stage.STATUS)]
)
def test_a_campaign_cancelled_at_any_stage_leaves_nothing_behind(
    stage: Stage, paused: bool
) -> None:
    alone = stage is Stage.UNICAST
    unit, other = Unit.of(member(1, multicast=not alone), 2), Unit.of(member(2), 2)
    check = ClockCheck.IF_ABLE if stage is Stage.CLOCK else ClockCheck.OFF
    step = DELTA if stage is Stage.BASE else FIRMWARE
    wanted = config((unit.member, other.member), firmware=step, clock_check=check)
    done = Fleet(wanted, [unit, other]).start()
    other.deaf = True
    done.run(until=in_stage(stage))
    if paused:
        done.pause()
    before = len(done.log)
    done.cancel()
    done.run()
    assert done.outcomes[1] is Outcome.CANCELLED
    assert not any(isinstance(action, Multicast) for action in done.log[before:])
    assert unit.device.multicast.groups == {}
    assert unit.device.fragmentation.state(0) is None
    assert unit.image is None
    assert unit.reboot_at is None


@pytest.mark.parametrize("version", [1])
@pytest.mark.parametrize("stage", [Stage.DELETE, Stage.STATUS])
def test_version_1_is_cancelled_in_its_own_stages_too(stage: Stage, version: int) -> None:
    done = cancelled_in(stage, version).run()
    assert done.outcomes == {1: Outcome.CANCELLED}


def test_a_programmed_reboot_is_cancelled_and_the_image_deleted() -> None:
    done = cancelled_in(Stage.CONFIRM, 2)
    unit = done.units[DevEUI(1)]
    assert unit.image is not None
    done.run()
    assert {unit.reboot_at, unit.image} == {None}
    assert unit.fw_version == OLD
    assert done.sent(1, firmware.DevRebootCountdownReq)[-1] == firmware.DevRebootCountdownReq(
        countdown=0xFFFFFF
    )
    assert done.sent(1, firmware.DevDeleteImageReq) == [
        firmware.DevDeleteImageReq(firmware_to_delete_version=NEW)
    ]


def test_a_device_that_does_not_answer_the_clean_up_ends_all_the_same() -> None:
    done = fleet((2, 2)).start()
    done.run(until=in_stage(Stage.LISTENING))
    done.units[DevEUI(1)].deaf = True
    done.cancel()
    done.run()
    assert done.outcomes == {1: Outcome.CANCELLED, 2: Outcome.CANCELLED}
    assert done.log[-1] == CampaignEnded()


def test_who_was_done_before_the_cancel_stays_done() -> None:
    units = [Unit.of(member(1), 2), Unit.of(member(2, multicast=False), 2)]
    wanted = config([unit.member for unit in units], unicast_seconds=500.0)
    done = Fleet(wanted, units).start()
    done.run(until=in_stage(Stage.DONE))
    done.cancel()
    done.run()
    assert done.outcomes == {1: Outcome.VERIFIED, 2: Outcome.CANCELLED}


@pytest.mark.parametrize(
    ("bring", "calls"),
    [
        (lambda of: None, ["pause", "resume", "cancel"]),
        (lambda of: of.start(), ["start", "resume"]),
        (lambda of: (of.start(), of.pause()), ["start", "pause"]),
        (lambda of: (of.start(), of.cancel()), ["start", "pause", "resume", "cancel"]),
        (lambda of: of.start().run(), ["start", "pause", "resume", "cancel"]),
    ],
)
def test_a_wish_that_comes_at_the_wrong_time_is_an_error_of_the_owner(
    bring: Callable[[Fleet], object], calls: Sequence[str]
) -> None:
    done = fleet((2,))
    bring(done)
    before = done.campaign.report()
    for name in calls:
        with pytest.raises(StateError, match=f"FuotaCampaign.{name}: the campaign is "):
            getattr(done.campaign, name)(now=done.now)
    assert done.campaign.report() == before


@pytest.mark.parametrize("now", [float("nan"), float("inf"), -(2.0**54)])
def test_what_is_no_time_is_refused_before_anything_changes(now: float) -> None:
    one = single(Unit.of(member(1), 2, 2)).start()
    campaign = one.campaign
    before = campaign.snapshot()
    calls: list[Callable[[], object]] = [
        lambda: FuotaCampaign(config((member(1),))).start(now=now),
        lambda: campaign.receive(DevEUI(1), 201, b"\x00\x03\x02", now=now),
        lambda: campaign.tick(now=now),
        lambda: campaign.pause(now=now),
        lambda: campaign.resume(now=now),
        lambda: campaign.cancel(now=now),
        lambda: campaign.add_device(member(2), now=now),
        lambda: campaign.remove_device(DevEUI(1), now=now),
        lambda: campaign.rekey_group("v2", McKey(bytes(16)), now=now),
    ]
    for call in calls:
        with pytest.raises(FieldError, match=r"FuotaCampaign\.now = .*: expected seconds"):
            call()
    assert campaign.snapshot() == before


def test_no_device_joins_a_campaign_that_is_over_or_joins_twice() -> None:
    done = fleet((2,))
    with pytest.raises(FieldError, match="a device not yet in it"):
        done.campaign.add_device(member(1), now=START)
    done.start().run()
    with pytest.raises(StateError, match="the campaign is ended"):
        done.campaign.add_device(member(2), now=START)
    for call in (done.campaign.record, lambda eui: done.campaign.remove_device(eui, now=START)):
        with pytest.raises(FieldError, match="a member"):
            call(DevEUI(99))


# Repair


def test_a_fleet_is_repaired_by_multicast_with_no_more_than_it_takes() -> None:
    versions = (2,) * 12
    done = fleet(versions, channel=Channel(random.Random(1), 0.25), max_rounds=20).start().run()
    assert set(done.outcomes.values()) == {Outcome.VERIFIED}
    assert numbers(done)[:20] == list(range(1, 21))
    coded = [n for n in numbers(done) if n > BLOCK.nb_frag]
    assert coded == sorted(set(coded))  # they only rise (section 9.1, reordering)
    assert len(numbers(done)) < 60


def test_a_straggler_is_repaired_by_unicast_when_that_is_cheaper() -> None:
    done = fleet((2,) * 5).start()
    straggler = done.units[DevEUI(1)]
    done.run(until=lambda of: len(multicasts(of)) == 10)
    straggler.deaf = True
    done.run(until=lambda of: len(multicasts(of)) == 16)
    straggler.deaf = False
    done.run()
    assert set(done.outcomes.values()) == {Outcome.VERIFIED}
    assert len(multicasts(done)) == 24
    by_unicast = [one.n for one in done.sent(1, DataFragment) if isinstance(one, DataFragment)]
    assert 0 < len(by_unicast) <= 12
    assert min(n for n in by_unicast if n > BLOCK.nb_frag) == 25  # no coded one comes back
    assert not done.sent(2, DataFragment)


def without_fragments(unit: Unit) -> Unit:
    heard = unit.receive
    unit.receive_frame = lambda phy, now: []  # type: ignore[method-assign]
    unit.receive = lambda fport, payload, now: (  # type: ignore[method-assign]
        [] if payload[0] == DataFragment.CID else heard(fport, payload, now)
    )
    return unit


@pytest.mark.parametrize(("multicast", "rounds"), [(True, {"v1": 3, "v2": 0}), (False, None)])
def test_rounds_are_bounded(multicast: bool, rounds: dict[str, int] | None) -> None:
    unit = without_fragments(Unit.of(member(1, multicast=multicast), 1))
    done = single(unit, max_rounds=2).start().run()
    assert done.outcomes == {1: Outcome.MISSING_FRAGMENTS}
    assert rounds is None or done.campaign.report().rounds == rounds


@pytest.mark.parametrize("budget", [0.0, 1.0, 2.05, 3.0])
@pytest.mark.parametrize("multicast", [False, True])
def test_the_budget_of_airtime_is_kept(multicast: bool, budget: float) -> None:
    units = [Unit.of(member(n, multicast=multicast), 1) for n in (1, 2)]
    done = Fleet(
        config([unit.member for unit in units], airtime_budget_seconds=budget),
        units,
        channel=Channel(random.Random(2), 0.2),
    )
    done.start().run()
    report = done.campaign.report()
    assert report.airtime_seconds < budget + 0.1 + 1e-9
    frames = len(multicasts(done)) + sum(len(done.sent(n, DataFragment)) for n in (1, 2))
    frames += len(questions(done))
    assert report.airtime_seconds == pytest.approx(0.1 * frames)
    if budget < 2:
        assert set(done.outcomes.values()) == {Outcome.MISSING_FRAGMENTS}


def test_the_window_stops_early_when_everybody_has_reported() -> None:
    done = fleet((2, 2), redundancy=5.0).start().run()
    assert set(done.outcomes.values()) == {Outcome.VERIFIED}
    assert len(multicasts(done)) < 60


def test_fragment_numbers_end_at_16383() -> None:
    """M = 16380, three coded fragments, and then there are no more."""
    block = DataBlock.of(random.Random(0).randbytes(16_380), frag_size=1)
    one = member(1, frag_version=1, mc_version=1)
    campaign = FuotaCampaign(
        config((one,), block=block, redundancy=3 / 16_380, groups=GROUPS, max_rounds=5)
    )
    eui, now = one.dev_eui, START
    actions = campaign.start(now=now)
    answers: dict[int, bytes] = {
        200: mc_v1.McGroupSetupAns(mc_group_id=0, id_error=False).encode(),
        201: frag_v1.FragSessionSetupAns(errors=frag_v1.SetupError(0), frag_index=0).encode(),
    }
    actions += campaign.receive(eui, 200, answers[200], now=now)
    gone = frag_v1.FragSessionDeleteAns(frag_index=0, session_does_not_exist=True)
    actions += campaign.receive(eui, 201, gone.encode(), now=now)
    actions += campaign.receive(eui, 201, answers[201], now=now)
    [window] = [action for action in actions if isinstance(action, WindowAnnounced)]
    assert window.frames == 16_383 + 1  # and the question behind them
    ready = mc_v1.McClassCSessionAns(
        mc_group_id=0, errors=mc_v1.SessionError(0), time_to_start=int(window.start - now)
    )
    campaign.receive(eui, 200, ready.encode(), now=now)
    sent = 0
    while campaign.record(eui).stage is Stage.LISTENING:
        now = max(now, campaign.next_deadline or now)
        sent += sum(isinstance(one, Multicast) for one in campaign.tick(now=now))
    assert sent == 16_383 + 1
    status = frag_v1.FragSessionStatusAns(
        nb_frag_received=16_382, frag_index=0, missing_frag=1, not_enough_matrix_memory=False
    )
    campaign.receive(eui, 201, status.encode(), now=now)
    assert campaign.record(eui).outcome is Outcome.MISSING_FRAGMENTS
    assert campaign.report().fragments_sent == {"v1": 16_383, "v2": 0}


def test_the_longest_block_of_all_has_no_room_for_a_coded_fragment_and_is_sent() -> None:
    block = DataBlock.of(bytes(16_383), frag_size=1)
    campaign = FuotaCampaign(config((), block=block, redundancy=0.0))
    assert campaign._roster.first_pass == 16_383


def test_a_group_whose_counters_are_used_up_goes_on_by_unicast() -> None:
    """A new key would need a new group; see TS005 reference, section 7."""
    few = group(first_fcnt=1000, max_mc_fcnt=1024)
    channel = Channel(random.Random(3), 0.3)
    done = fleet((2,) * 6, groups=(few,), channel=channel).start().run()
    assert set(done.outcomes.values()) == {Outcome.VERIFIED}
    assert max(frame.fcnt for frame in multicasts(done)) == 1023


def test_a_pass_that_needs_several_windows_gets_them() -> None:
    slow = group(ParityVariant.V1, spacing_seconds=3000.0)
    done = fleet((1, 1), groups=(slow,), max_windows=3, setup_seconds=100.0).start().run()
    assert set(done.outcomes.values()) == {Outcome.TRANSPORTED}
    windows = [action for action in done.log if isinstance(action, WindowAnnounced)]
    assert [window.frames for window in windows] == [11, 11, 2 + 1]
    for frame in multicasts(done) + questions(done):
        assert any(w.start < frame.time <= w.end - 0.1 for w in windows)


def test_a_status_is_waited_for_from_the_end_of_the_window_on() -> None:
    """A device that listens in class C does not transmit (TR002 reference, section 4)."""
    slow = group(ParityVariant.V1, spacing_seconds=30.0)
    unit = Unit.of(member(1), 1)
    done = single(unit, groups=(slow,), status_by_multicast=False).start()
    done.run(until=lambda of: bool(of.sent(1, frag_v1.FragSessionStatusReq)))
    end = done.campaign._roster.groups["v1"].record.end
    assert done.now < end - 100
    assert done.campaign.record(DevEUI(1)).due == end + QUICK.interval_seconds


def test_a_window_nobody_confirmed_is_announced_again_and_not_for_ever() -> None:
    unit = Unit.of(
        member(1),
        2,
        rewrite=lambda fport, payload: [] if payload[:1] == b"\x04" else [(fport, payload)],
    )
    done = single(unit, max_rounds=2).start().run()
    assert done.outcomes == {1: Outcome.NO_ANSWER}
    assert sum(isinstance(action, WindowAnnounced) for action in done.log) == 3
    assert not multicasts(done)


# What devices say by themselves


@pytest.mark.parametrize("wrong", [False, True])
def test_every_report_is_acknowledged_even_after_the_end_and_in_a_pause(wrong: bool) -> None:
    report = frag_v2.FragDataBlockReceivedReq(frag_index=0, mic_error=wrong).encode()
    ack = Unicast(DevEUI(1), 201, frag_v2.FragDataBlockReceivedAns(frag_index=0).encode())
    done = fleet((2,)).start()
    done.pause()
    for _ in range(3):
        assert done.campaign.receive(DevEUI(1), 201, report, now=done.now) == [ack]
    done.resume()
    done.run()
    assert done.campaign.receive(DevEUI(1), 201, report, now=done.now) == [ack]


@pytest.mark.parametrize("error", [-500, 0, 1, 500])
@pytest.mark.parametrize("required", [False, True])
def test_the_time_is_told_whenever_it_is_asked_for(required: bool, error: int) -> None:
    done = fleet((2,))
    req = AppTimeReq(device_time=int(START) + error, token_req=5, ans_required=required).encode()
    assert done.campaign.receive(DevEUI(1), 202, req, now=START) == []  # it has not begun
    done.start()
    answers = done.campaign.receive(DevEUI(1), 202, req, now=START)
    told = Unicast(DevEUI(1), 202, AppTimeAns(time_correction=-error, token_ans=5).encode())
    assert answers == ([told] if required or abs(error) > 1 else [])


def test_several_answers_in_one_uplink_are_taken_and_one_that_cannot_be_read_is_told_of() -> None:
    """TS004 reference, section 9.2, server decoding; TS005 reference, section 10, row 5."""
    done = fleet((2,))
    done.start()
    version = PackageVersionAns(package_identifier=3, package_version=2).encode()
    payload = version + version + b"\x7f\x01"
    [rejected] = [
        action
        for action in done.campaign.receive(DevEUI(1), 201, payload, now=START)
        if isinstance(action, UplinkRejected)
    ]
    assert (rejected.fport, rejected.payload) == (201, payload)
    assert done.campaign.record(DevEUI(1)).frag_version == 2


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x02", b"\xff", b"\x09\x10"])
@pytest.mark.parametrize("fport", [200, 201, 202, 203])
def test_what_cannot_be_read_changes_nothing(fport: int, payload: bytes) -> None:
    done = fleet((2,)).start()
    before = done.campaign.record(DevEUI(1)).to_json()
    actions = done.campaign.receive(DevEUI(1), fport, payload, now=done.now)
    assert all(isinstance(action, UplinkRejected) for action in actions)
    assert done.campaign.record(DevEUI(1)).to_json() == before


def test_other_ports_and_other_devices_are_none_of_its_business() -> None:
    done = fleet((2,)).start()
    version = PackageVersionAns(package_identifier=3, package_version=2).encode()
    for eui, fport in ((99, 201), (1, 0), (1, 7), (1, 225)):
        assert done.campaign.receive(DevEUI(eui), fport, version, now=done.now) == []


def test_answers_that_come_twice_or_late_do_no_harm() -> None:
    for seed in range(8):
        channel = Channel(random.Random(seed), repeat=0.9, delay=0.5, delay_seconds=100.0)
        done = fleet((1, 2, 2), channel=channel, firmware=FIRMWARE, max_rounds=20).start().run()
        done.check_honest()
        assert all(outcome.success for outcome in done.outcomes.values()), done.outcomes


def test_an_answer_cut_short_is_asked_for_again() -> None:
    """Zephyr (TS005 reference, section 10, row 13): no status octet in a refusal."""
    unit = Unit.of(member(1), 2)
    cut = [2]

    def rewrite(fport: int, payload: bytes) -> Sequence[tuple[int, bytes]]:
        if fport == 200 and payload[0] == 4 and cut[0]:
            cut[0] -= 1
            return [(fport, payload[:1])]
        return [(fport, payload)]

    unit.rewrite = rewrite
    done = single(unit).start().run()
    assert done.outcomes == {1: Outcome.VERIFIED}
    assert sum(isinstance(action, UplinkRejected) for action in done.log) == 2


def test_a_device_that_answers_everything_with_everything_stalls_nobody() -> None:
    """S16: bounded requests to it, the others are done."""
    noise = [
        PackageVersionAns(package_identifier=3, package_version=1).encode(),
        frag_v2.FragSessionSetupAns(errors=frag_v2.SetupError(16), frag_index=0).encode(),
        frag_v2.FragSessionSetupAns(errors=frag_v2.SetupError(0), frag_index=0).encode(),
        b"\x01\x04",
    ]
    hostile = Unit.of(member(1), 2)
    hostile.rewrite = lambda fport, payload: [
        (fport, payload),
        *((201, one) for one in noise),
        (200, b"\x02\x04"),
        (200, b"\x04\x04"),
        (202, AppTimeReq(device_time=0, token_req=0, ans_required=True).encode()),
    ]
    units = [hostile, Unit.of(member(2), 2), Unit.of(member(3), 1)]
    done = Fleet(config([unit.member for unit in units], max_in_flight=1), units).start().run()
    assert done.outcomes[2] is Outcome.VERIFIED
    assert done.outcomes[3] is Outcome.TRANSPORTED
    asked = [one for one in done.log if isinstance(one, Unicast) and one.dev_eui == 1]
    assert len([one for one in asked if one.fport != 202]) < 120


# Quirks of known stacks


def test_a_device_that_reports_one_missing_after_no_loss_is_likely_done() -> None:
    quirks = StatusQuirk.MISSING_ONE_WHEN_COMPLETE
    frag = dataclasses.replace(
        frag_profile(1), lossless_missing_one=True, count=Count.LAST_N_MINUS_LOST
    )
    ended = set()
    for seed in range(6):
        unit = Unit(member(1, quirks=quirks), frag, mc_profile(1))
        channel = Channel(random.Random(seed), 0.04 * (seed % 3))
        done = single(unit, channel=channel).start().run()
        assert unit.blocks
        ended |= set(done.outcomes.values())
        done.check_honest()
    assert ended == {Outcome.LIKELY, Outcome.TRANSPORTED}


def test_a_device_whose_count_never_falls_is_likely_done() -> None:
    frag = dataclasses.replace(frag_profile(1), missing=Missing.LOST, count=Count.LAST_N)
    outcomes = Counter[Outcome]()
    for seed in range(6):
        unit = Unit(member(1, quirks=StatusQuirk.MISSING_NEVER_FALLS), frag, mc_profile(1))
        channel = Channel(random.Random(seed), 0.15)
        done = single(unit, channel=channel, max_rounds=20).start().run()
        assert unit.blocks
        outcomes += done.campaign.report().outcomes
    assert outcomes.keys() <= {Outcome.LIKELY, Outcome.TRANSPORTED}
    assert outcomes[Outcome.LIKELY] > 0


def test_with_a_firmware_step_the_same_device_is_known_to_be_done() -> None:
    frag = dataclasses.replace(frag_profile(1), missing=Missing.LOST, count=Count.LAST_N)
    unit = Unit(member(1, quirks=StatusQuirk.MISSING_NEVER_FALLS), frag, mc_profile(1))
    channel = Channel(random.Random(0), 0.15)
    done = single(unit, channel=channel, firmware=FIRMWARE, max_rounds=20).start().run()
    assert done.outcomes == {1: Outcome.CONFIRMED}


def test_a_version_2_status_in_the_order_of_version_1_is_read_and_its_reports_too() -> None:
    frag = dataclasses.replace(frag_profile(2), status_as_v1=True)
    for seed in range(4):
        unit = Unit(member(1, quirks=StatusQuirk.VERSION_1_LAYOUT), frag, mc_profile(2))
        channel = Channel(random.Random(seed), 0.2)
        done = single(unit, channel=channel, max_rounds=20).start().run()
        assert done.outcomes == {1: Outcome.VERIFIED}


def test_a_device_that_gives_up_after_few_losses_is_reported_so() -> None:
    """LoRaMac-node, ST: FRAG_MAX_REDUNDANCY (TS004 reference, section 9.1)."""
    unit = Unit.of(member(1), 1, limits=FragLimits(max_lost=1))
    done = single(unit, channel=Channel(random.Random(1), 0.3)).start().run()
    assert done.outcomes == {1: Outcome.MEMORY_ERROR}


def test_a_coded_fragment_is_sent_even_without_losses() -> None:
    """ST notices the end with a coded fragment only (TS004 reference, section 9.1)."""
    frag = dataclasses.replace(frag_profile(1), needs_coded_fragment=True)
    unit = Unit(member(1), frag, mc_profile(1))
    done = single(unit, redundancy=0.0).start().run()
    assert done.outcomes == {1: Outcome.TRANSPORTED}
    assert numbers(done) == list(range(1, 22))


# Firmware


def test_an_update_is_confirmed_when_the_new_version_runs() -> None:
    done = fleet((1, 2), firmware=FIRMWARE, channel=lossy(3, 0.1, 0.1)).start().run()
    assert set(done.outcomes.values()) == {Outcome.CONFIRMED}
    assert {unit.fw_version for unit in done.units.values()} == {NEW}
    assert all(unit.image is None for unit in done.units.values())


def test_a_device_that_came_back_with_the_old_version_is_not_updated() -> None:
    done = fleet((2, 2), firmware=FIRMWARE)
    done.units[DevEUI(1)].boots = False
    done.start().run()
    assert done.outcomes == {1: Outcome.NOT_UPDATED, 2: Outcome.CONFIRMED}
    assert done.campaign.record(DevEUI(1)).detail == "runs version 0x00000100"


def test_an_image_of_another_version_is_never_started() -> None:
    done = fleet((2,), firmware=FIRMWARE)
    unit = done.units[DevEUI(1)]
    unit.finds = 0x999
    done.start().run()
    assert done.outcomes == {1: Outcome.BAD_IMAGE}
    assert not done.sent(1, firmware.DevRebootCountdownReq)


def test_a_reboot_whose_answer_is_lost_is_found_out_by_asking() -> None:
    done = fleet((2,), firmware=FIRMWARE)
    unit = done.units[DevEUI(1)]
    unit.rewrite = lambda fport, payload: (
        [] if (fport, payload[:1]) == (203, b"\x03") else [(fport, payload)]
    )
    done.start().run()
    assert done.outcomes == {1: Outcome.CONFIRMED}


# Order, limits, memory


def test_whatever_is_sent_stands_behind_the_commit_that_covers_it() -> None:
    """The referee checks each counter; here, that there is one commit and that it is first."""
    lists: list[Sequence[Any]] = []

    class Watched(Fleet):
        def act(self, actions: Sequence[Any]) -> None:
            lists.append(actions)
            super().act(actions)

    units = [Unit.of(member(number), number) for number in (1, 2)]
    wanted = config([unit.member for unit in units])
    Watched(wanted, units, channel=lossy()).start().run()
    for actions in lists:
        at = [index for index, action in enumerate(actions) if isinstance(action, Commit)]
        assert at in ([], [0])
    assert any(isinstance(actions[-1], CampaignEnded) for actions in lists)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_more_devices_owe_an_answer_than_allowed(most: int) -> None:
    done = fleet((1, 2) * 4, max_in_flight=most, channel=lossy(4, 0.1, 0.1), max_rounds=20).start()
    highest = 0
    while done.campaign.phase is not CampaignPhase.ENDED:
        done.step()
        waiting = [
            record
            for record in map(done.campaign.record, done.units)
            if record.attempts and record.stage not in (Stage.DONE, Stage.FAILED)
        ]
        highest = max(highest, len(waiting))
    assert highest == most
    assert all(outcome.success for outcome in done.outcomes.values())


def test_a_device_that_answers_before_its_turn_does_not_cost_others_theirs() -> None:
    done = fleet((2, 2, 2), max_in_flight=1).start()
    version = [PackageVersionAns(package_identifier=n, package_version=2).encode() for n in (3, 2)]
    done.act(done.campaign.receive(DevEUI(2), 201, version[0], now=done.now))
    done.act(done.campaign.receive(DevEUI(2), 200, version[1], now=done.now))
    assert set(done.run().outcomes.values()) == {Outcome.VERIFIED}


def test_calls_that_come_too_early_or_too_often_do_nothing() -> None:
    done = fleet((2,)).start()
    done.run(until=in_stage(Stage.LISTENING))
    for _ in range(3):
        assert done.campaign.tick(now=done.now) == []
    assert done.campaign.tick(now=done.now - 1e6) == []  # R11


def test_calls_that_come_much_too_late_make_no_burst() -> None:
    done = fleet((2, 2), redundancy=1.0).start()
    done.run(until=in_phase(GroupPhase.SEND))
    done.act(done.campaign.tick(now=done.now + 2.0))
    before = len(multicasts(done))
    done.now += 10.5
    done.act(done.campaign.tick(now=done.now))
    assert len(multicasts(done)) - before <= 1
    done.run()
    times = [frame.time for frame in multicasts(done)]
    assert all(b - a >= 1.0 for a, b in itertools.pairwise(times))


def test_the_progress_tells_how_many_stand_where() -> None:
    done = fleet((2, 2, 1))
    done.units[DevEUI(2)].deaf = True
    done.start()
    assert done.campaign.progress[Stage.NEGOTIATE] == 3
    done.run(until=in_stage(Stage.LISTENING))
    assert done.campaign.progress[Stage.FAILED] == 1
    done.run()
    stages = {stage: count for stage, count in done.campaign.progress.items() if count}
    assert stages == {Stage.DONE: 2, Stage.FAILED: 1}
    with pytest.raises(TypeError):
        done.campaign.progress[Stage.DONE] = 7  # type: ignore[index]


def test_a_campaign_without_devices_ends_at_once() -> None:
    campaign = FuotaCampaign(config(()))
    assert campaign.next_deadline is None
    assert campaign.start(now=START)[-1] == CampaignEnded()
    assert campaign.phase is CampaignPhase.ENDED


def test_devices_added_before_the_start_are_there_after_a_restart() -> None:
    done = fleet((2,))
    done.add(Unit.of(member(2), 2))
    done.restart()  # it begins
    assert set(done.run().outcomes.values()) == {Outcome.VERIFIED}


def test_a_saved_campaign_that_has_not_begun_can_be_taken_up_and_has_nothing_due() -> None:
    done = fleet((2,))
    done.add(Unit.of(member(2), 2))
    again = FuotaCampaign(done.config, saved=done.store.load())
    assert (again.phase, again.next_deadline) == (CampaignPhase.NEW, None)
    assert again.tick(now=START) == []


# Going on from the store


def running(phase: GroupPhase = GroupPhase.ANNOUNCE) -> Fleet:
    return fleet((2, 2)).start().run(until=in_phase(phase))


def test_a_campaign_is_not_taken_up_with_another_image() -> None:
    done = running()
    other = dataclasses.replace(done.config, block=DataBlock.of(IMAGE[::-1], frag_size=10))
    cut = dataclasses.replace(done.config, block=DataBlock.of(IMAGE, frag_size=20))
    for wrong in (other, cut):
        with pytest.raises(FieldError, match="one with the block of the config"):
            FuotaCampaign(wrong, saved=done.store.load())


@pytest.mark.parametrize(
    ("part", "name", "value", "match"),
    [
        ("schema", None, 2, r"schema = 2: expected 1"),
        ("schema", None, True, "schema = True"),
        ("campaign", None, {}, "one with the block of the config"),
        ("campaign", None, ["running"], "a JSON object"),
        ("campaign", "phase", "no such phase", "a CampaignPhase"),
        ("devices", "0000000000000001", ["ready"], "a JSON object"),
        ("devices", "0000000000000001", {"group": "v9"}, "a group of the campaign"),
        ("devices", "0000000000000001", {"frag_version": 9}, "a version of that package"),
        ("devices", "0000000000000009", {}, "a member or group configured"),
        ("devices", "0x0000000000000001", {}, "device/0000000000000001"),
        ("groups", "v9", {}, "a member or group configured"),
        ("groups", "v2", [], "a JSON object"),
        ("groups", None, [], "an object"),
        ("more", None, {}, "campaign"),
    ],
)
def test_what_is_not_of_this_campaign_is_refused(
    part: str, name: str | None, value: Any, match: str
) -> None:
    done = running()
    saved: Any = done.store.load()
    if name is None:
        saved[part] = value
    else:
        saved[part][name] = value
    with pytest.raises(FieldError, match=match):
        FuotaCampaign(done.config, saved=saved)


@pytest.mark.parametrize("saved", [{}, [], 3, "x", {"campaign": {}}])
def test_something_that_is_no_snapshot_is_refused(saved: Any) -> None:
    with pytest.raises(FieldError, match="an object with schema 1"):
        FuotaCampaign(fleet((2,)).config, saved=saved)


OTHER_KEY = McKey(bytes(range(16)))


@pytest.mark.parametrize("change", [{"mc_key": OTHER_KEY}, {"mc_addr": DevAddr(0x99)}])
def test_a_group_that_has_another_key_or_address_under_its_name_is_noticed(
    change: dict[str, Any],
) -> None:
    done = running()
    groups = tuple(
        dataclasses.replace(one, **change) if one.name == "v2" else one
        for one in done.config.groups
    )
    with pytest.raises(FieldError, match="group v2 = another key or address: ") as caught:
        FuotaCampaign(dataclasses.replace(done.config, groups=groups), saved=done.store.load())
    shown = f"{caught.value!r} {caught.value.args}"
    for key in (done.config.groups[1].mc_key, OTHER_KEY):
        assert key.reveal().hex() not in shown
        assert repr(key.reveal()) not in shown


def test_a_device_that_was_added_has_to_be_a_member_when_the_campaign_is_taken_up() -> None:
    """Otherwise its counters would be forgotten."""
    done = running()
    before = done.config
    done.add(Unit.of(member(9), 2))
    with pytest.raises(FieldError, match="a member or group configured"):
        FuotaCampaign(before, saved=done.store.load())
    done.restart()
    assert set(done.run().outcomes.values()) == {Outcome.VERIFIED}


def test_a_member_that_is_new_in_the_configuration_is_taken_in_at_a_restart() -> None:
    done = running()
    unit = Unit.of(member(9, frag_version=2, mc_version=2), 2)
    done.units[DevEUI(9)] = unit
    done.config = dataclasses.replace(done.config, members=(*done.config.members, unit.member))
    done.restart()
    assert set(done.run().outcomes.values()) == {Outcome.VERIFIED}


@pytest.mark.parametrize("phase", [GroupPhase.ANNOUNCE, GroupPhase.SEND])
def test_a_window_to_come_is_told_again_after_a_restart(phase: GroupPhase) -> None:
    done = running(phase)
    [window] = [action for action in done.log if isinstance(action, WindowAnnounced)]
    before = len(done.log)
    done.restart()
    [again] = [action for action in done.log[before:] if isinstance(action, WindowAnnounced)]
    assert (again.start, again.end) == (window.start, window.end)
    done.run()
    done.restart()
    assert done.campaign.next_deadline is None


def test_the_whole_state_is_in_the_store_at_any_time() -> None:
    done = fleet((1, 2, 2), channel=lossy(6, 0.1, 0.1), max_rounds=20).start()
    while done.campaign.phase is not CampaignPhase.ENDED:
        done.step()
        stored = done.store.load()
        assert done.campaign.snapshot() == stored == fold(done.store.history())
        saved = FuotaCampaign(done.config, saved=stored)
        assert saved.phase is done.campaign.phase
        assert saved.snapshot() == stored
        assert [saved.record(eui) for eui in done.units] == [
            done.campaign.record(eui) for eui in done.units
        ]
    assert FuotaCampaign(done.config, saved=done.store.load()).report() == done.campaign.report()


@pytest.mark.parametrize("firmware", [None, FirmwareStep(version=NEW, boot_seconds=5)])
def test_a_server_that_keeps_one_document_goes_on_from_it(firmware: FirmwareStep | None) -> None:
    """In place of the events: written at each commit, before the sends."""
    wanted = fleet((1, 2, 2), channel=lossy(6, 0.1, 0.1), max_rounds=20, firmware=firmware)
    kept: list[JSON] = [None]

    class Row:
        def load(self) -> JSON:
            return json.loads(json.dumps(kept[0]))  # type: ignore[no-any-return]

        def append(self, events: Sequence[Event]) -> None:
            kept[0] = wanted.campaign.snapshot()

        def history(self, subject: str | None = None) -> Iterator[Event]:
            return iter(())

    wanted.store = Row()
    wanted.start()
    for step in range(100_000):
        if wanted.campaign.phase is CampaignPhase.ENDED:
            break
        wanted.step()
        if step % 50 == 49:
            wanted.restart()
    assert wanted.campaign.phase is CampaignPhase.ENDED
    wanted.check_honest()
    assert all(outcome.success for outcome in wanted.outcomes.values())


def test_a_set_up_sent_into_an_open_window_may_be_used_up_by_the_next_frame() -> None:
    done = fleet((2, 2), redundancy=1.0).start()
    done.run(until=in_phase(GroupPhase.SEND))
    late = Unit.of(member(3), 2)
    done.add(late)
    done.run(until=in_stage(Stage.FRAGMENTATION, 3))
    assert done.campaign.record(DevEUI(3)).cnt_used
    late.rewrite = lambda fport, payload: [] if fport == 201 else [(fport, payload)]
    done.run(until=lambda of: len(of.sent(3, frag_v2.FragSessionSetupReq)) == 2)
    first, second = done.sent(3, frag_v2.FragSessionSetupReq)
    assert isinstance(first, frag_v2.FragSessionSetupReq)
    assert isinstance(second, frag_v2.FragSessionSetupReq)
    assert second.session_cnt == first.session_cnt + 1
    late.rewrite = None
    assert set(done.run().outcomes.values()) == {Outcome.VERIFIED}


def test_a_group_goes_on_at_once_when_the_last_one_it_waits_for_is_removed() -> None:
    done = fleet((1, 1)).start()
    silent, short = done.units[DevEUI(1)], done.units[DevEUI(2)]
    done.run(until=in_phase(GroupPhase.SEND, "v1"))
    silent.rewrite = lambda fport, payload: ()
    short.receive_frame = lambda phy, now: []  # type: ignore[method-assign]
    done.run(until=in_stage(Stage.READY, 2))
    before = len(done.log)
    done.act(done.campaign.remove_device(DevEUI(1), now=done.now))
    assert in_stage(Stage.UNICAST, 2)(done) or any(
        isinstance(action, WindowAnnounced) for action in done.log[before:]
    )


def test_the_frames_of_a_window_that_was_cut_short_are_in_the_last_commit() -> None:
    done = fleet((2,)).start()
    done.run(until=lambda of: len(multicasts(of)) == 5)
    done.cancel()
    done.run()
    report = done.campaign.report()
    assert report.airtime_seconds == pytest.approx(0.5)
    done.restart()
    assert done.campaign.report() == report


def test_a_session_under_another_counter_begins_with_nothing() -> None:
    done = fleet((2, 2), channel=Channel(random.Random(3), 0.3)).start()
    done.run(until=lambda of: bool(of.campaign.record(DevEUI(1)).missing))
    record = done.campaign.record(DevEUI(1))
    done.units[DevEUI(1)].switch_on()
    assert record.cnt_used
    done.run(until=in_stage(Stage.FRAGMENTATION))
    assert (record.missing, record.received, record.sent, record.session_cnt) == (None, None, 0, 1)
    assert set(done.run().outcomes.values()) == {Outcome.VERIFIED}


def test_a_device_whose_group_is_set_up_again_may_hear_the_window_all_the_same() -> None:
    """It has a session since before; under the same counter it would be refused."""
    done = fleet((2, 2)).start()
    unit = done.units[DevEUI(1)]
    done.run(until=in_phase(GroupPhase.ANNOUNCE))
    undefined = mc_v1.McClassCSessionAns(
        mc_group_id=0, errors=mc_v1.SessionError(4), time_to_start=None
    )
    unit.rewrite = lambda fport, payload: ()
    done.campaign.record(DevEUI(1)).clock_version = 0  # no clock to be set first
    done.uplink(unit, 200, undefined.encode())
    assert in_stage(Stage.GROUP)(done)
    record = done.campaign.record(DevEUI(1))
    record.due = START + 700.0  # asked again in the window, not given up before it
    done.campaign._roster.wake(DevEUI(1), record.due)
    done.run(until=in_phase(GroupPhase.SEND))
    assert in_stage(Stage.GROUP)(done)
    assert record.cnt_used


# The question by multicast


def status_answers(of: Fleet) -> list[Unicast]:
    """The status requests by unicast."""
    cid = frag_v1.FragSessionStatusReq.CID
    unicasts = [one for one in of.log if isinstance(one, Unicast) and one.fport == 201]
    return [one for one in unicasts if one.payload[0] == cid]


@pytest.mark.parametrize(("version", "asked"), [(1, 1), (2, 0)])
def test_one_frame_asks_the_whole_group_and_nobody_is_asked_besides(
    version: int, asked: int
) -> None:
    """Version 2 has reported by itself before the question is due."""
    done = fleet((version,) * 6, redundancy=1.0).start().run()
    assert set(done.outcomes.values()) == {SUCCESS[version]}
    assert (len(questions(done)), len(status_answers(done))) == (asked, 0)


def test_the_question_is_asked_in_the_window_behind_the_last_fragment() -> None:
    done = fleet((1, 1)).start().run()
    [window] = [one for one in done.log if isinstance(one, WindowAnnounced)]
    [question] = questions(done)
    assert question.time == multicasts(done)[-1].time + 1.0
    assert question.time + 0.1 < window.end
    assert window.frames == len(multicasts(done)) + 1


@pytest.mark.parametrize("participants", [None, True, False])
@pytest.mark.parametrize("version", [1, 2])
def test_silence_is_never_taken_for_success(version: int, participants: bool | None) -> None:
    """R10: who says nothing is asked by unicast, with Participants 1, and fails without answer."""
    done = fleet((version,) * 3, status_participants=participants)
    mute = done.units[DevEUI(1)]
    mute.rewrite = lambda fport, payload: (  # neither status nor report
        [] if fport == 201 and payload[0] in (1, 4) else [(fport, payload)]
    )
    done.start().run()
    assert done.outcomes == {
        1: Outcome.MISSING_FRAGMENTS if version == 1 else Outcome.NO_ANSWER,
        2: SUCCESS[version],
        3: SUCCESS[version],
    }
    asked = done.sent(1, frag_v1.FragSessionStatusReq)
    assert len(asked) >= QUICK.attempts
    assert {one.participants for one in asked if isinstance(one, frag_v1.FragSessionStatusReq)} == {
        True
    }


def test_who_is_silent_is_asked_when_window_and_spread_are_over() -> None:
    slow = group(ParityVariant.V1, spacing_seconds=30.0)
    unit = Unit.of(member(1), 1)
    unit.rewrite = lambda fport, payload: (
        [] if fport == 201 and payload[0] == 1 else [(fport, payload)]
    )
    done = single(unit, groups=(slow,), block_ack_delay=2).start()
    done.run(until=lambda of: bool(status_answers(of)))
    end = done.campaign._roster.groups["v1"].record.end
    assert done.now == end + 64 + 10
    assert done.campaign.record(DevEUI(1)).due == done.now + 64  # most stacks spread this one too


def test_answers_come_spread_over_the_time_they_were_given() -> None:
    done = fleet((1,) * 40, answers_per_second=0.5).start()  # 80 s: 128
    done.run(until=lambda of: bool(questions(of)))
    [question] = questions(done)
    times: list[float] = []
    for unit in done.units.values():

        def seen(fport: int, payload: bytes) -> Sequence[tuple[int, bytes]]:
            return [(fport, payload)]

        unit.rewrite = seen
    receive = done.uplink

    def counted(unit: Unit, fport: int, payload: bytes) -> None:
        if fport == 201 and payload[0] == 1:
            times.append(done.now - question.time)
        receive(unit, fport, payload)

    done.uplink = counted  # type: ignore[method-assign]
    done.run()
    assert len(times) == 40
    assert 0 <= min(times) < 32
    assert 96 < max(times) <= 128
    assert max(Counter(int(time) for time in times).values()) <= 4
    assert not status_answers(done)


def test_losses_of_the_question_and_of_its_answers_are_made_good_by_unicast() -> None:
    for version in (1, 2):
        channel = lossy(version, 0.3, 0.3)
        done = fleet((version,) * 10, channel=channel, retry=RetryPolicy(20, 20.0), max_rounds=20)
        done.start().run()
        assert set(done.outcomes.values()) == {SUCCESS[version]}
        assert status_answers(done)
        assert questions(done)


def test_frames_of_a_group_may_come_well_before_their_time() -> None:
    early = tuple(group(one.parity, frame_lead_seconds=30.0) for one in GROUPS)
    done = fleet((1, 2, 2), groups=early, channel=lossy(4, 0.1, 0.1), max_rounds=20)
    handed: list[float] = []
    act = done.act

    def watched(actions: Sequence[Any]) -> None:
        handed.extend(one.time - done.now for one in actions if isinstance(one, Multicast))
        act(actions)

    done.act = watched  # type: ignore[method-assign]
    done.start().run()
    assert all(outcome.success for outcome in done.outcomes.values())
    assert 29 < max(handed) <= 30
    times = [frame.time for frame in multicasts(done) if frame.group == "v2"]
    assert all(b - a >= 1.0 for a, b in itertools.pairwise(times))
    for frame in multicasts(done):
        windows = [one for one in done.log if isinstance(one, WindowAnnounced)]
        assert any(w.start + 2 <= frame.time < w.end for w in windows if w.group == frame.group)


def test_frames_that_were_handed_out_are_gone_when_the_campaign_is_paused_or_cancelled() -> None:
    early = tuple(group(one.parity, frame_lead_seconds=10.0) for one in GROUPS)
    done = fleet((2, 2), groups=early).start()
    done.run(until=lambda of: len(multicasts(of)) == 15)
    done.pause()
    assert done.campaign.next_deadline is None
    ahead = [frame for frame in multicasts(done) if frame.time > done.now]
    assert len(ahead) == 10
    heard = [unit.device.fragmentation.decoder(0).nb_frag_received for unit in done.units.values()]
    done.run_for(60)
    now_heard = [
        unit.device.fragmentation.decoder(0).nb_frag_received for unit in done.units.values()
    ]
    assert [b - a for a, b in zip(heard, now_heard, strict=True)] == [10, 10]
    assert len(multicasts(done)) == 15
    done.cancel()
    assert set(done.run().outcomes.values()) == {Outcome.CANCELLED}
    assert len(multicasts(done)) == 15


# Another key


FRESH = McKey(bytes(range(16)))
PATIENT: dict[str, Any] = {
    "rekey_seconds": 1000.0,
    "max_rounds": 20,
    "retry": RetryPolicy(30, 20.0),
    "status_retry": RetryPolicy(30, 20.0),
}


def test_a_group_whose_counters_are_used_up_goes_on_under_the_key_its_owner_gives_it() -> None:
    few = group(max_mc_fcnt=26)
    channel = Channel(random.Random(3), 0.3)
    done = fleet((2,) * 12, groups=(few,), channel=channel, **PATIENT)
    done.fresh_keys = [McKey(bytes([at] * 16)) for at in range(100, 110)]
    done.start().run()
    assert set(done.outcomes.values()) == {Outcome.VERIFIED}
    assert len(done.fresh_keys) < 10
    assert not done.sent(1, DataFragment)
    assert max(frame.fcnt for frame in multicasts(done)) < 26
    assert len(multicasts(done)) > 26


def test_without_a_new_key_the_group_goes_on_by_unicast_when_it_has_waited() -> None:
    few = group(max_mc_fcnt=26)
    channel = Channel(random.Random(3), 0.3)
    done = fleet((2,) * 12, groups=(few,), channel=channel, **PATIENT)
    done.start().run(until=in_phase(GroupPhase.REKEY))
    began = done.now
    done.run(until=lambda of: not in_phase(GroupPhase.REKEY)(of))
    assert done.now == began + 1000
    assert set(done.run().outcomes.values()) == {Outcome.VERIFIED}
    assert sum(isinstance(one, NewKeyWanted) for one in done.log) == 1


@pytest.mark.parametrize("mc_addr", [None, DevAddr(0x4242)])
@pytest.mark.parametrize("phase", list(GroupPhase)[:4])
@pytest.mark.parametrize("version", [1, 2])
def test_a_key_that_is_suspected_is_replaced_at_any_time(
    version: int, phase: GroupPhase, mc_addr: DevAddr | None
) -> None:
    name = f"v{version}"
    done = fleet((version,) * 4, channel=lossy(2, 0.1, 0.1), max_rounds=20).start()
    done.run(until=in_phase(phase, name))
    at = len(done.log)
    done.rekey(name, FRESH, mc_addr)
    done.run()
    assert set(done.outcomes.values()) == {SUCCESS[version]}
    later = [one for one in done.log[at:] if isinstance(one, Multicast)]
    assert [one.fcnt for one in later] == list(range(len(later)))
    assert all(done.setups(number) for number in (1, 2, 3, 4))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("later", [1, 2, 5, 20, 40])
def test_a_crash_near_a_new_key_uses_no_counter_twice(later: int, when: str) -> None:
    """The referee sees to the counters; a commit that was lost leaves the group to the old key."""
    done = fleet((2,) * 3, channel=lossy(2, 0.1, 0.1), max_rounds=20).start()
    done.run(until=lambda of: len(multicasts(of)) == 10)
    before = done.config
    done.crash_at = done.commits + later - 1, when
    try:
        done.rekey("v2", FRESH)
        done.run()
    except Crash:
        if (later, when) == (1, "before"):
            with pytest.raises(FieldError, match="by rekey_group if that was called"):
                FuotaCampaign(done.config, saved=done.store.load())
            done.config = before
        else:
            with pytest.raises(FieldError, match="the key the group was given last"):
                FuotaCampaign(before, saved=done.store.load())
        done.restart()
        done.run()
    assert set(done.outcomes.values()) == {Outcome.VERIFIED}


def test_a_key_that_was_used_is_refused_and_not_shown() -> None:
    done = fleet((1, 2)).start()
    old, other = (one.mc_key for one in GROUPS)
    for key in (old, other):
        with pytest.raises(FieldError, match="one that was never used") as caught:
            done.campaign.rekey_group("v2", key, now=done.now)
        assert key.reveal().hex() not in str(caught.value)
    done.rekey("v2", FRESH)
    for key in (other, FRESH):
        with pytest.raises(FieldError, match="one that was never used"):
            done.campaign.rekey_group("v2", key, now=done.now)
    with pytest.raises(FieldError, match="no other group's address"):
        done.campaign.rekey_group(
            "v2", McKey(bytes([9] * 16)), now=done.now, mc_addr=GROUPS[0].mc_addr
        )
    with pytest.raises(FieldError, match="a group of the campaign"):
        done.campaign.rekey_group("v3", McKey(bytes([9] * 16)), now=done.now)
    done.run()
    with pytest.raises(StateError, match="the campaign is ended"):
        done.campaign.rekey_group("v2", McKey(bytes([9] * 16)), now=done.now)


def test_an_answer_about_the_old_key_is_not_taken_for_one_about_the_new() -> None:
    done = fleet((2, 2)).start()
    unit = done.units[DevEUI(1)]
    unit.rewrite = lambda fport, payload: (
        [] if (fport, payload[0]) == (200, 2) else [(fport, payload)]
    )
    done.run(until=in_stage(Stage.GROUP))
    done.rekey("v2", FRESH)
    late = mc_v1.McGroupSetupAns(mc_group_id=0, id_error=False).encode()
    done.act(done.campaign.receive(DevEUI(1), 200, late, now=done.now))
    assert in_stage(Stage.GROUP)(done)
    unit.rewrite = None
    assert set(done.run().outcomes.values()) == {Outcome.VERIFIED}
    assert len(done.setups(1)) == 2


def test_a_device_added_late_hears_from_the_groups_next_counter_on() -> None:
    done = fleet((2, 2), redundancy=2.0).start()
    done.run(until=lambda of: len(multicasts(of)) == 9)
    done.add(Unit.of(member(3), 2))
    done.run(until=lambda of: bool(of.setups(3)))
    used = max(frame.fcnt for frame in multicasts(done))
    [setup] = done.setups(3)
    assert setup.min_mc_fcnt == used + 1
    done.run()
    assert done.outcomes[3] is Outcome.VERIFIED
