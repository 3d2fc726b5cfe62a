"""Status answers of stacks that count in their own way, and blocks with another MIC."""

from __future__ import annotations

import dataclasses
import random

import pytest

from lorafuota.campaign import FirmwareStep
from lorafuota.campaign.completion import complete, given_up, no_report, report, status
from lorafuota.campaign.quirks import StatusQuirk
from lorafuota.campaign.state import DeviceRecord, Outcome, Stage
from lorafuota.campaign.step import Step
from lorafuota.crypto import derive_data_block_int_key
from lorafuota.datablock import DataBlock
from lorafuota.fragmentation import v1 as frag_v1
from lorafuota.fragmentation import v2 as frag_v2
from lorafuota.link import McSender
from lorafuota.session.profile import Count, Missing, frag_profile, mc_profile
from tests.unit.campaign.fleet import BLOCK, GROUPS, NEW, Channel, Fleet, Unit, config, member

M = BLOCK.nb_frag


def asked(version: int, sent: int) -> DeviceRecord:
    return DeviceRecord(stage=Stage.STATUS, frag_version=version, cnt_used=True, sent=sent)


def old_order(received: int, missing: int, *, memory: bool = False) -> frag_v1.FragSessionStatusAns:
    return frag_v1.FragSessionStatusAns(
        nb_frag_received=received,
        frag_index=0,
        missing_frag=missing,
        not_enough_matrix_memory=memory,
    )


def test_a_count_that_includes_coded_fragments_proves_nothing_when_it_reaches_nb_frag() -> None:
    """Zephyr (TS004 reference, section 9.3)."""
    one, wanted = member(1, quirks=StatusQuirk.MISSING_IS_NOT_RECEIVED), config(())
    about = asked(1, M + 4)
    assert status(wanted, one, about, old_order(M, 0)) == Step(Stage.READY)
    assert about.missing == 8  # so many more settle it
    plenty = asked(1, M + 10)
    step = status(wanted, one, plenty, old_order(M + 8, 0))
    assert step is not None
    assert (step.stage, step.outcome) == (Stage.CLEANUP, Outcome.LIKELY)
    about.sent += 8
    step = status(wanted, one, about, old_order(M, 0))
    assert step is not None
    assert step.outcome is Outcome.LIKELY  # it stopped counting
    less = asked(1, M + 10)
    assert status(wanted, one, less, old_order(M - 3, 3)) == Step(Stage.READY)
    assert less.missing == 3


@pytest.mark.parametrize(("size", "sure"), [(10 * 255, True), (10 * 256, False)])
def test_a_count_of_lost_fragments_in_8_bits_proves_nothing_of_a_large_block(
    size: int, sure: bool
) -> None:
    """LoRaMac-node: 0 is also what 256 lost ones read."""
    quirks = StatusQuirk.MISSING_NEVER_FALLS | StatusQuirk.MISSING_IN_8_BITS
    block = DataBlock.of(bytes(size), frag_size=10)
    wanted, about = config((), block=block), asked(1, block.nb_frag + 20)
    step = status(wanted, member(1, quirks=quirks), about, old_order(block.nb_frag, 0))
    assert step == (Step(Stage.CLEANUP, Outcome.TRANSPORTED) if sure else Step(Stage.READY))
    assert about.unclear is not sure


def test_a_status_without_mic_waits_for_the_report_and_else_ends_with_a_likely_outcome() -> None:
    """ST in version 2 mode (its issue 5)."""
    one, wanted = member(1, quirks=StatusQuirk.VERSION_1_LAYOUT), config(())
    about = asked(2, M + 2)
    assert status(wanted, one, about, old_order(M, 0)) is None
    assert about.stage is Stage.STATUS
    step = no_report(wanted, about)
    assert step is not None
    assert (step.stage, step.outcome) == (Stage.CLEANUP, Outcome.LIKELY)
    good = frag_v2.FragDataBlockReceivedReq(frag_index=0, mic_error=False)
    assert report(wanted, about, good) == Step(Stage.CLEANUP, Outcome.VERIFIED)
    assert no_report(wanted, asked(2, M)) is None


@pytest.mark.parametrize("quirks", [StatusQuirk.NONE, StatusQuirk.NEEDS_CODED_FRAGMENT])
def test_a_stack_that_ends_with_a_coded_fragment_is_sent_one(quirks: StatusQuirk) -> None:
    about = asked(1, M)
    step = status(config(()), member(1, quirks=quirks), about, old_order(M, 0))
    needs_one = Step(Stage.READY) if quirks else Step(Stage.CLEANUP, Outcome.TRANSPORTED)
    assert (step, about.missing) == (needs_one, 1 if quirks else 0)


def test_what_a_set_memory_bit_says_of_a_repaired_block_is_told() -> None:
    """LoRaMac-node 1629: nobody can tell an old bit from a new one."""
    quirks = StatusQuirk.STICKY_MEMORY_ERROR | StatusQuirk.MISSING_NEVER_FALLS
    about = asked(1, 3 * M)
    step = status(config(()), member(1, quirks=quirks), about, old_order(3 * M, 6, memory=True))
    assert step == Step(
        Stage.CLEANUP,
        Outcome.LIKELY,
        f"{3 * M} received, MissingFrag 6, {3 * M} sent; "
        "the memory bit is set, perhaps by an earlier session",
    )


_NOBODY_KNOWS = "the answers of this stack cannot tell"


@pytest.mark.parametrize(
    ("quirks", "received", "missing", "unclear"),
    [
        (StatusQuirk.NONE, M, 1, False),
        (StatusQuirk.NONE, M + 9, 1, False),
        (StatusQuirk.MISSING_NEVER_FALLS, M - 1, 1, False),
        (StatusQuirk.MISSING_NEVER_FALLS, M, 1, True),
        (StatusQuirk.MISSING_NEVER_FALLS | StatusQuirk.NEEDS_CODED_FRAGMENT, M, 0, False),
        (StatusQuirk.MISSING_NEVER_FALLS | StatusQuirk.NEEDS_CODED_FRAGMENT, M + 1, 1, True),
        (StatusQuirk.MISSING_IS_NOT_RECEIVED, M - 1, 1, False),
        (StatusQuirk.MISSING_IS_NOT_RECEIVED, M, 0, True),
        (StatusQuirk.MISSING_ONE_WHEN_COMPLETE, M, 1, True),
        (StatusQuirk.MISSING_ONE_WHEN_COMPLETE, M, 2, False),
        (StatusQuirk.MISSING_ONE_WHEN_COMPLETE, M + 1, 1, False),
        (StatusQuirk.MISSING_ONE_WHEN_COMPLETE, M - 1, 0, True),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_fragments_are_called_missing_only_where_no_answer_can_mean_anything_else(
    quirks: StatusQuirk, received: int, missing: int, unclear: bool, late: bool
) -> None:
    one, wanted, about = member(1, quirks=quirks), config(()), asked(1, M + 1)
    expected = Outcome.UNKNOWN if unclear else Outcome.MISSING_FRAGMENTS
    if late:
        about.stage, about.outcome = Stage.CLEANUP, Outcome.MISSING_FRAGMENTS
        assert status(wanted, one, about, old_order(received, missing)) is None
        assert about.outcome is expected
        return
    assert status(wanted, one, about, old_order(received, missing)) == Step(Stage.READY)
    assert about.unclear is unclear
    about.stage = Stage.LISTENING
    assert status(wanted, one, about, old_order(1, 1)) is None  # one from before it
    detail = _NOBODY_KNOWS if unclear else ""
    assert given_up(wanted, about) == Step(Stage.CLEANUP, expected, detail)


def test_the_image_is_asked_for_where_the_transport_is_unknown() -> None:
    wanted = config((), firmware=FirmwareStep(version=NEW))
    about = asked(1, M + 1)
    assert given_up(wanted, about) == Step(Stage.CLEANUP, Outcome.MISSING_FRAGMENTS)
    about.unclear = True
    assert given_up(wanted, about) == Step(Stage.IMAGE, Outcome.UNKNOWN, _NOBODY_KNOWS)


def test_a_device_without_a_report_that_misses_nothing_is_given_up_as_likely() -> None:
    about = asked(2, M + 1)
    about.missing, about.unclear = 0, True
    step = given_up(config(()), about)
    assert (step.stage, step.outcome) == (Stage.CLEANUP, Outcome.LIKELY)


@pytest.mark.parametrize(
    "outcome", [Outcome.MISSING_FRAGMENTS, Outcome.UNKNOWN, Outcome.LIKELY, Outcome.MIC_ERROR]
)
def test_a_late_report_replaces_what_was_not_sure(outcome: Outcome) -> None:
    about = asked(2, M + 1)
    about.stage, about.outcome, about.detail = Stage.CLEANUP, outcome, "x"
    good = frag_v2.FragDataBlockReceivedReq(frag_index=0, mic_error=False)
    assert report(config(()), about, good) is None
    unsure = outcome is not Outcome.MIC_ERROR
    expected = (Outcome.VERIFIED, "") if unsure else (Outcome.MIC_ERROR, "x")
    assert (about.outcome, about.detail) == expected


def test_a_group_and_a_unicast_device_end_unknown_when_the_rounds_are_used_up() -> None:
    """LoRaMac-node, two losses that were repaired at once."""
    frag = dataclasses.replace(frag_profile(1), missing=Missing.LOST, count=Count.LAST_N)
    for multicast in (False, True):
        ended = set()
        for seed in range(8):
            one = member(1, quirks=StatusQuirk.MISSING_NEVER_FALLS, multicast=multicast)
            unit = Unit(one, frag, mc_profile(1))
            wanted = config([one], max_rounds=1, redundancy=0.4)
            channel = Channel(random.Random(seed), 0.15)
            done = Fleet(wanted, [unit], channel=channel).start().run()
            ended |= {
                (bool(unit.blocks), done.outcomes[1], done.campaign.record(one.dev_eui).stage)
            }
        assert (True, Outcome.UNKNOWN, Stage.FAILED) in ended
        assert Outcome.MISSING_FRAGMENTS not in {outcome for there, outcome, _ in ended if there}


def test_without_doubt_the_outcome_is_what_the_version_can_know() -> None:
    assert complete(config(()), asked(1, M)) == Step(Stage.CLEANUP, Outcome.TRANSPORTED)
    assert complete(config(()), asked(2, M)) == Step(Stage.CLEANUP, Outcome.VERIFIED)


def forged(phy: bytes) -> bytes:
    """Return what somebody who knows the keys of the group makes of its first fragment."""
    mine = GROUPS[1]
    sender = McSender.from_mc_key(
        mine.mc_key,
        mine.mc_addr,
        next_fcnt=int.from_bytes(phy[6:8], "little"),
        max_mc_fcnt=mine.max_mc_fcnt,
    )
    fake = frag_v1.DataFragment(n=1, frag_index=0, payload=bytes(BLOCK.frag_size))
    return sender.seal(fake.encode(), fport=mine.fport)


def test_one_forged_fragment_does_not_end_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt, other = Unit.of(member(1), 2), Unit.of(member(2), 2)
    hear, first = spoilt.receive_frame, [True]

    def receive(phy: bytes, now: float) -> list[tuple[float, int, bytes]]:
        phy = forged(phy) if first else phy
        first.clear()
        return hear(phy, now)

    monkeypatch.setattr(spoilt, "receive_frame", receive)
    done = Fleet(config([spoilt.member, other.member]), [spoilt, other]).start().run()
    done.check_honest()
    assert done.outcomes == {1: Outcome.VERIFIED, 2: Outcome.VERIFIED}
    assert (len(spoilt.failures), len(other.failures)) == (1, 0)
    counters = [
        one.session_cnt
        for one in done.sent(1, frag_v2.FragSessionSetupReq)
        if isinstance(one, frag_v2.FragSessionSetupReq)
    ]
    assert counters == [0, 1]


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize("multicast", [False, True])
def test_a_block_that_is_wrong_each_time_is_given_up(multicast: bool, retries: int) -> None:
    one = member(1, multicast=multicast)
    unit = Unit.of(one, 2)
    unit.device.fragmentation._int_key = derive_data_block_int_key(member(3).root_key)
    done = Fleet(config([one], mic_retries=retries), [unit]).start().run()
    assert done.outcomes == {1: Outcome.MIC_ERROR}
    assert len(unit.failures) == retries + 1
