"""One device: what it is asked in each stage, and what each answer leads to."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from lorafuota.campaign import FirmwareStep, RetryPolicy
from lorafuota.campaign.config import CampaignConfig
from lorafuota.campaign.exchange import answer, requests, silence
from lorafuota.campaign.quirks import StatusQuirk
from lorafuota.campaign.state import DeviceRecord, Outcome, Stage
from lorafuota.campaign.step import Step
from lorafuota.clocksync.v1 import DeviceAppTimePeriodicityAns
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation import v1 as frag_v1
from lorafuota.fragmentation import v2 as frag_v2
from lorafuota.multicastsetup import v1 as mc_v1
from lorafuota.multicastsetup import v2 as mc_v2
from lorafuota.package import PackageVersionAns
from lorafuota.wire import Command
from tests.unit.campaign.fleet import BLOCK, FREQ, NEW, START, config, member

M = BLOCK.nb_frag
FIRMWARE = FirmwareStep(version=NEW, countdown_seconds=60, boot_seconds=30.0)
SESSION = mc_v1.McClassCSessionReq(
    mc_group_id=0, session_time=int(START) + 1000, time_out=6, dl_freq_hz=FREQ, dr=5
)
LISTENING = [Stage.READY, Stage.SESSION, Stage.LISTENING, Stage.UNICAST, Stage.STATUS]


def record(stage: Stage, **changes: Any) -> DeviceRecord:
    fields: dict[str, Any] = {
        "stage": stage,
        "frag_version": 2,
        "mc_version": 2,
        "group": "v2",
        "cnt_used": stage in LISTENING,
        "told": 1,
    }
    return DeviceRecord(**{**fields, **changes})


def told(
    about: DeviceRecord,
    command: Command,
    *,
    quirks: StatusQuirk = StatusQuirk.NONE,
    now: float = START,
    session: mc_v1.McClassCSessionReq | None = SESSION,
    **changes: Any,
) -> Step | None:
    one = member(1, quirks=quirks)
    return answer(config((one,), **changes), one, about, command, now=now, session=session)


# Version negotiation


@pytest.mark.parametrize("identifier", [3, 2])
def test_the_versions_are_asked_for_and_taken_in_any_order(identifier: int) -> None:
    about = DeviceRecord()
    wanted = requests(config(()), member(1), about, None, None, now=START)
    assert [name for name, _ in wanted] == ["fragmentation", "multicastsetup"]
    first = PackageVersionAns(package_identifier=identifier, package_version=1)
    second = PackageVersionAns(package_identifier=5 - identifier, package_version=2)
    assert told(about, first) is None
    assert told(about, first) is None
    [(left, _)] = requests(config(()), member(1), about, None, None, now=START)
    assert left == {3: "multicastsetup", 2: "fragmentation"}[identifier]
    assert told(about, second) == Step(Stage.GROUP)
    versions = {identifier: 1, 5 - identifier: 2}
    assert (about.frag_version, about.mc_version) == (versions[3], versions[2])


def test_a_device_served_by_unicast_is_not_asked_for_multicast() -> None:
    alone = member(1, multicast=False)
    assert len(requests(config(()), alone, DeviceRecord(), None, None, now=START)) == 1
    answered = PackageVersionAns(package_identifier=3, package_version=2)
    about = DeviceRecord()
    step = answer(config(()), alone, about, answered, now=START, session=None)
    assert step == Step(Stage.GROUP)


@pytest.mark.parametrize("identifier", [2, 3])
def test_a_version_nobody_knows_ends_it(identifier: int) -> None:
    step = told(DeviceRecord(), PackageVersionAns(package_identifier=identifier, package_version=9))
    detail = f"package {identifier} version 9"
    assert step == Step(Stage.FAILED, Outcome.NOT_SUPPORTED, detail)


def test_versions_of_other_packages_and_late_ones_change_nothing() -> None:
    about = DeviceRecord()
    assert told(about, PackageVersionAns(package_identifier=0, package_version=1)) is None
    assert told(about, PackageVersionAns(package_identifier=9, package_version=1)) is None
    assert about == DeviceRecord()
    ready = record(Stage.READY)
    assert told(ready, PackageVersionAns(package_identifier=3, package_version=1)) is None
    assert ready == record(Stage.READY)


# Groups


def test_a_group_that_is_accepted_leads_to_the_fragmentation_session() -> None:
    accepted = mc_v1.McGroupSetupAns(mc_group_id=0, id_error=False)
    assert told(record(Stage.GROUP), accepted) == Step(Stage.FRAGMENTATION)
    first = record(Stage.GROUP, frag_version=1)
    assert told(first, accepted) == Step(Stage.DELETE)  # version 1 wants that first


def test_a_refused_group_number_leads_to_the_next_until_all_were_tried() -> None:
    about = record(Stage.GROUP, mc_group_id=2)
    tried = []
    for _ in range(3):
        tried.append(about.mc_group_id)
        refused = mc_v1.McGroupSetupAns(mc_group_id=about.mc_group_id, id_error=True)
        assert told(about, refused) == Step(Stage.GROUP)
    refused = mc_v1.McGroupSetupAns(mc_group_id=about.mc_group_id, id_error=True)
    assert [*tried, about.mc_group_id] == [2, 3, 0, 1]
    expected = Step(Stage.FAILED, Outcome.REFUSED, "no McGroupID is supported")
    assert told(about, refused) == expected


def test_an_answer_about_another_group_is_no_answer() -> None:
    for error in (False, True):
        about = record(Stage.GROUP)
        assert told(about, mc_v1.McGroupSetupAns(mc_group_id=1, id_error=error)) is None
        assert about == record(Stage.GROUP)


def test_a_group_set_up_again_is_followed_by_the_status_if_there_may_be_progress() -> None:
    accepted = mc_v1.McGroupSetupAns(mc_group_id=0, id_error=False)
    about = record(Stage.GROUP, cnt_used=True)
    assert told(about, accepted) == Step(Stage.STATUS)


# Fragmentation sessions


@pytest.mark.parametrize("module", [frag_v1, frag_v2])
def test_an_accepted_session_makes_a_device_ready(module: Any) -> None:
    about = record(Stage.FRAGMENTATION, tries=2, silent=1)
    ans = module.FragSessionSetupAns(errors=module.SetupError(0), frag_index=0)
    assert told(about, ans) == Step(Stage.READY)
    assert (about.tries, about.silent) == (0, 0)


@pytest.mark.parametrize(
    ("bit", "outcome"),
    [
        ("FRAG_ALGO_UNSUPPORTED", Outcome.FRAG_ALGO_UNSUPPORTED),
        ("NOT_ENOUGH_MEMORY", Outcome.NOT_ENOUGH_MEMORY),
        ("WRONG_DESCRIPTOR", Outcome.WRONG_DESCRIPTOR),
        ("FRAG_INDEX_UNSUPPORTED", Outcome.FRAG_INDEX_UNSUPPORTED),
    ],
)
@pytest.mark.parametrize("module", [frag_v1, frag_v2])
def test_each_refusal_of_a_session_in_a_group_ends_it_with_its_name(
    module: Any, bit: str, outcome: Outcome
) -> None:
    ans = module.FragSessionSetupAns(errors=module.SetupError[bit], frag_index=0)
    assert told(record(Stage.FRAGMENTATION), ans) == Step(Stage.CLEANUP, outcome)


@pytest.mark.parametrize(("version", "next_"), [(1, Stage.DELETE), (2, Stage.FRAGMENTATION)])
def test_a_device_served_by_unicast_is_offered_every_index(version: int, next_: Stage) -> None:
    about = record(Stage.FRAGMENTATION, group=None, frag_version=version, frag_index=3)
    errors = frag_v2.SetupError.FRAG_INDEX_UNSUPPORTED
    for expected in (0, 1, 2):
        ans = frag_v2.FragSessionSetupAns(errors=errors, frag_index=about.frag_index)
        assert told(about, ans) == Step(next_)
        assert about.frag_index == expected
    ans = frag_v2.FragSessionSetupAns(errors=errors, frag_index=2)
    assert told(about, ans) == Step(Stage.CLEANUP, Outcome.FRAG_INDEX_UNSUPPORTED)


def test_a_replayed_counter_jumps_further_each_time_and_gives_up_in_the_end() -> None:
    about = record(Stage.FRAGMENTATION, session_cnt=7)
    errors = frag_v2.SetupError.SESSION_CNT_REPLAY
    ans = frag_v2.FragSessionSetupAns(errors=errors, frag_index=0)
    counters = [7]
    while (step := told(about, ans)) == Step(Stage.FRAGMENTATION):
        counters.append(about.session_cnt)
    assert counters == [7, 11, 27, 91, 347, 1371, 5467, 21851]
    assert step == Step(Stage.CLEANUP, Outcome.SESSION_CNT_REPLAY)


def test_a_counter_that_would_not_fit_is_not_asked_for() -> None:
    about = record(Stage.FRAGMENTATION, session_cnt=0xFFFE)
    errors = frag_v2.SetupError.SESSION_CNT_REPLAY
    ans = frag_v2.FragSessionSetupAns(errors=errors, frag_index=0)
    assert told(about, ans) == Step(Stage.CLEANUP, Outcome.SESSION_CNT_REPLAY)


def test_set_up_answers_that_are_late_or_about_another_index_change_nothing() -> None:
    ans = frag_v2.FragSessionSetupAns(errors=frag_v2.SetupError(8), frag_index=1)
    about = record(Stage.FRAGMENTATION)
    assert told(about, ans) is None
    assert about == record(Stage.FRAGMENTATION)
    ans = frag_v2.FragSessionSetupAns(errors=frag_v2.SetupError(8), frag_index=0)
    for stage in set(Stage) - {Stage.FRAGMENTATION}:
        about = record(stage)
        assert told(about, ans) is None
        assert about == record(stage)


# Windows


def session_ans(errors: int = 0, start: int | None = 1000, *, version: int = 2) -> Command:
    module: Any = mc_v2 if version == 2 else mc_v1
    seconds = None if errors else start
    return module.McClassCSessionAns(  # type: ignore[no-any-return]
        mc_group_id=0, errors=module.SessionError(errors), time_to_start=seconds
    )


@pytest.mark.parametrize("seconds", [997, 1000, 1003])
@pytest.mark.parametrize("version", [1, 2])
def test_a_device_that_will_be_there_in_time_is_listening(version: int, seconds: int) -> None:
    about = record(Stage.SESSION)
    assert told(about, session_ans(start=seconds, version=version)) == Step(Stage.LISTENING)


@pytest.mark.parametrize("seconds", [0, 990, 1010, 0xFFFFFF])
def test_a_clock_that_is_off_is_set_and_the_request_repeated(seconds: int) -> None:
    """0xFFFFFF: a device without valid time (TS005 reference, section 10, row 23)."""
    about = record(Stage.SESSION)
    step = told(about, session_ans(start=seconds))
    assert step is not None
    assert step.stage is Stage.CLOCK
    assert (about.restarts, about.told) == (1, 0)


def test_without_clock_synchronisation_a_device_is_told_of_the_next_window_only() -> None:
    about = record(Stage.SESSION, clock_version=0)
    step = told(about, session_ans(start=900))
    assert step is not None
    assert (step.stage, about.restarts, about.told) == (Stage.READY, 1, 1)
    about = record(Stage.SESSION, clock_version=0, joined=True)
    step = told(about, session_ans(4))
    assert step is not None
    assert (step.stage, about.restarts, about.told, about.joined) == (Stage.GROUP, 1, 0, False)


@pytest.mark.parametrize("version", [1, 2])
def test_a_start_that_is_missed_too_early_is_a_wrong_clock(version: int) -> None:
    """Version 1 devices set the bit as well (section 10, row 3)."""
    step = told(record(Stage.SESSION), session_ans(8, version=version))
    assert step is not None
    assert step.stage is Stage.CLOCK


def test_a_start_that_was_missed_leaves_the_device_to_the_next_window() -> None:
    late = told(record(Stage.SESSION), session_ans(8), now=START + 999)
    assert late == Step(Stage.READY, detail="START_MISSED")


@pytest.mark.parametrize("errors", [4, 0x1C, 7])
def test_an_undefined_group_is_set_up_again_whatever_else_is_said(errors: int) -> None:
    """LoRaMac-node sets FreqError and DRError too (section 10, row 12); only the cause counts."""
    about = record(Stage.SESSION, joined=True)
    step = told(about, session_ans(errors))
    assert step is not None
    assert step.stage is Stage.CLOCK  # and from there to the group
    assert (about.restarts, about.told, about.joined) == (1, 0, False)


@pytest.mark.parametrize("errors", [1, 2, 3])
def test_a_frequency_or_data_rate_it_cannot_do_ends_it(errors: int) -> None:
    step = told(record(Stage.SESSION), session_ans(errors))
    assert step is not None
    assert (step.stage, step.outcome) == (Stage.CLEANUP, Outcome.REFUSED)
    assert step.detail == {1: "DR_ERROR", 2: "FREQ_ERROR", 3: "DR_ERROR, FREQ_ERROR"}[errors]


@pytest.mark.parametrize("errors", [16, 32, 48])
def test_errors_of_the_future_are_refusals(errors: int) -> None:
    step = told(record(Stage.SESSION), session_ans(errors))
    assert step == Step(Stage.READY, detail=f"error bits 0x{errors:02X}")


def test_a_device_is_set_up_again_a_bounded_number_of_times() -> None:
    for errors, seconds in ((4, 0), (8, 0), (0, 900)):
        about = record(Stage.SESSION)
        for _ in range(8):
            step = told(about, session_ans(errors, seconds))
            assert step is not None
            assert step.stage is not Stage.READY
        step = told(about, session_ans(errors, seconds))
        assert step is not None
        assert step.stage is Stage.READY


def test_session_answers_that_are_late_of_another_class_or_group_change_nothing() -> None:
    other = mc_v2.McClassBSessionAns(
        mc_group_id=0, errors=mc_v2.SessionError(0), time_to_start=1000
    )
    another = mc_v2.McClassCSessionAns(
        mc_group_id=1, errors=mc_v2.SessionError(4), time_to_start=None
    )
    about = record(Stage.SESSION)
    assert told(about, other) is None
    assert told(about, another) is None
    assert told(about, session_ans(), session=None) is None
    assert about == record(Stage.SESSION)
    assert told(record(Stage.READY), session_ans(4)) is None


# Status


def status(
    received: int,
    missing: int,
    *,
    index: int = 0,
    memory: bool = False,
    mic: bool = False,
    version: int = 2,
) -> Command:
    if version == 1:
        return frag_v1.FragSessionStatusAns(
            nb_frag_received=received,
            frag_index=index,
            missing_frag=missing,
            not_enough_matrix_memory=memory,
        )
    return frag_v2.FragSessionStatusAns(
        memory_error=memory,
        mic_error=mic,
        session_does_not_exist=False,
        nb_frag_received=received,
        frag_index=index,
        missing_frag=missing,
    )


ABSENT = frag_v2.FragSessionStatusAns(
    memory_error=False,
    mic_error=False,
    session_does_not_exist=True,
    nb_frag_received=None,
    frag_index=None,
    missing_frag=None,
)


@pytest.mark.parametrize("stage", LISTENING)
@pytest.mark.parametrize(("version", "outcome"), [(1, Outcome.TRANSPORTED), (2, Outcome.VERIFIED)])
def test_nothing_missing_is_success_in_whatever_stage_it_is_told(
    version: int, outcome: Outcome, stage: Stage
) -> None:
    about = record(stage, frag_version=version)
    assert told(about, status(M, 0, version=version)) == Step(Stage.CLEANUP, outcome)
    assert about.missing == 0


def test_with_firmware_to_install_the_image_is_asked_for_next() -> None:
    step = told(record(Stage.STATUS), status(M, 0), firmware=FIRMWARE)
    assert step == Step(Stage.IMAGE, Outcome.VERIFIED)


@pytest.mark.parametrize(("received", "missing"), [(0, 0), (1, 0), (M - 1, 0), (M - 1, 1), (M, 1)])
def test_anything_less_is_no_success(received: int, missing: int) -> None:
    """Nothing missing counts only with NbFragReceived of M or more (R10)."""
    about = record(Stage.STATUS)
    assert told(about, status(received, missing)) == Step(Stage.READY)
    assert about.missing == max(missing, M - received)


@pytest.mark.parametrize(("told_missing", "received", "taken"), [(255, 10, 990), (44, 700, 300)])
def test_a_count_that_was_cut_is_put_right_by_what_was_received(
    told_missing: int, received: int, taken: int
) -> None:
    """255 for more, or 8 bits of 300 (TS004 reference, section 9.3, saturation)."""
    from lorafuota.datablock import DataBlock

    about = record(Stage.STATUS)
    large = DataBlock.of(bytes(1000), frag_size=1)
    assert told(about, status(received, told_missing), block=large) == Step(Stage.READY)
    assert about.missing == taken


@pytest.mark.parametrize("stage", LISTENING)
def test_no_status_counts_before_a_fragment_was_sent(stage: Stage) -> None:
    """It is about an earlier session, of the same index and length perhaps."""
    for ans in (status(M, 0), status(M, 0, mic=True), status(3, 9, memory=True)):
        about = record(stage, cnt_used=False)
        step = told(about, ans)
        assert step == (Step(Stage.READY) if stage is Stage.STATUS else None)


def test_a_status_that_nobody_asked_for_moves_nothing_unless_it_ends_something() -> None:
    about = record(Stage.LISTENING)
    assert told(about, status(5, 15)) is None
    assert about.missing == 15
    for stage in set(Stage) - set(LISTENING):
        about = record(stage)
        assert told(about, status(M, 0)) is None
        assert about == record(stage)


def test_a_status_of_another_index_is_no_answer_except_all_zeros() -> None:
    """LoRa Basics Modem answers index 0 before the first fragment (section 9.3)."""
    about = record(Stage.STATUS, frag_index=2)
    assert told(about, status(M, 0, index=1)) is None
    assert told(about, status(0, 0, index=0)) == Step(Stage.READY)
    assert about.missing == M


def test_a_session_that_has_nothing_after_much_was_sent_is_set_up_again() -> None:
    about = record(Stage.STATUS, sent=10, frag_version=1)
    step = told(about, status(0, 0, version=1))
    assert step == Step(Stage.FRAGMENTATION, detail="nothing was received")
    about = record(Stage.STATUS, sent=10, restarts=8)
    assert told(about, status(0, 0)) == Step(Stage.READY)


def test_a_session_that_does_not_exist_is_set_up_again_when_that_was_asked() -> None:
    about = record(Stage.STATUS)
    assert told(about, ABSENT) == Step(Stage.FRAGMENTATION, detail="the session is gone")
    assert told(record(Stage.LISTENING), ABSENT) is None
    assert told(record(Stage.STATUS, restarts=8), ABSENT) is None


@pytest.mark.parametrize("version", [1, 2])
def test_a_device_that_lost_more_than_it_can_repair_is_given_up(version: int) -> None:
    about = record(Stage.STATUS, frag_version=version)
    step = told(about, status(M, 3, memory=True, version=version))
    assert step == Step(Stage.CLEANUP, Outcome.MEMORY_ERROR)


def test_a_memory_bit_left_from_another_session_is_not_believed_of_a_stack_that_does_so() -> None:
    """LoRaMac-node, its issue 1629."""
    sticky = StatusQuirk.STICKY_MEMORY_ERROR
    done = status(M, 0, memory=True, version=1)
    about = record(Stage.STATUS, frag_version=1)
    assert told(about, done, quirks=sticky) == Step(Stage.CLEANUP, Outcome.TRANSPORTED)
    more = status(M, 4, memory=True, version=1)
    assert told(record(Stage.STATUS, frag_version=1), more, quirks=sticky) == Step(Stage.READY)


def test_a_wrong_mic_ends_it_but_only_of_a_complete_block() -> None:
    """The bit means something with nothing missing only (TS004 reference, section 4.2)."""
    detail = "the block has another MIC, or another matrix"
    step = told(record(Stage.STATUS, mic_errors=1), status(M, 0, mic=True))
    assert step == Step(Stage.CLEANUP, Outcome.MIC_ERROR, detail)
    assert told(record(Stage.STATUS), status(3, 17, mic=True)) == Step(Stage.READY)


@pytest.mark.parametrize("more", [0, 7, 8, 20])
def test_one_missing_after_no_loss_is_likely_complete_once_coded_fragments_did_not_help(
    more: int,
) -> None:
    """LoRa Basics Modem up to 4.8 (SWL2001 issue 101)."""
    quirk = StatusQuirk.MISSING_ONE_WHEN_COMPLETE
    about = record(Stage.STATUS, sent=M + 20)
    assert told(about, status(M, 1), quirks=quirk) == Step(Stage.READY)
    about.stage, about.sent = Stage.STATUS, about.sent + more
    detail = f"{M} received, MissingFrag 1, {M + 20 + more} sent"
    believed = Step(Stage.CLEANUP, Outcome.LIKELY, detail)
    assert told(dataclasses.replace(about), status(M, 1)) == Step(Stage.READY)
    counts = told(dataclasses.replace(about), status(M + 2, 1), quirks=quirk)
    assert counts == Step(Stage.READY)
    step = told(about, status(M, 1), quirks=quirk)
    assert step == (believed if more >= 8 else Step(Stage.READY))


def test_a_count_that_never_falls_ends_with_a_likely_success_and_never_with_a_sure_one() -> None:
    """LoRaMac-node, ST (section 9.3)."""
    quirk, seen = StatusQuirk.MISSING_NEVER_FALLS, []
    for sent in range(M, M + 40):
        about = record(Stage.STATUS, sent=sent, frag_version=1)
        step = told(about, status(sent, 4, version=1), quirks=quirk)
        assert step is not None
        seen.append(step.outcome)
    assert [outcome for outcome, _ in itertools.groupby(seen)] == [None, Outcome.LIKELY]
    assert 12 < seen.index(Outcome.LIKELY) < 25
    clean = told(
        record(Stage.STATUS, sent=M, frag_version=1), status(M, 0, version=1), quirks=quirk
    )
    assert clean == Step(Stage.CLEANUP, Outcome.TRANSPORTED)


@pytest.mark.parametrize("stage", LISTENING)
def test_a_device_that_reports_by_itself_is_done_or_has_another_mic(stage: Stage) -> None:
    good = frag_v2.FragDataBlockReceivedReq(frag_index=0, mic_error=False)
    bad = frag_v2.FragDataBlockReceivedReq(frag_index=0, mic_error=True)
    assert told(record(stage), good) == Step(Stage.CLEANUP, Outcome.VERIFIED)
    step = told(record(stage, mic_errors=1), bad)
    assert step is not None
    assert (step.stage, step.outcome) == (Stage.CLEANUP, Outcome.MIC_ERROR)
    assert told(record(stage, cnt_used=False), good) is None
    assert told(record(stage, frag_index=1), good) is None


# Firmware


def image_ans(state: int, version: int | None = None) -> Command:
    return firmware.DevUpgradeImageAns(
        up_image_status=firmware.UpImageStatus(state), next_firmware_version=version
    )


def test_an_image_that_is_valid_and_the_right_one_is_started() -> None:
    about = record(Stage.IMAGE, outcome=Outcome.VERIFIED)
    step = told(about, image_ans(3, NEW), firmware=FIRMWARE)
    assert step == Step(Stage.REBOOT, Outcome.IMAGE_VALID)


@pytest.mark.parametrize(
    ("ans", "expected"),
    [
        (image_ans(1), Step(Stage.CLEANUP, Outcome.BAD_IMAGE)),
        (image_ans(2), Step(Stage.CLEANUP, Outcome.WRONG_HARDWARE)),
        (image_ans(3, 7), Step(Stage.CLEANUP, Outcome.BAD_IMAGE, "the image is version 7")),
        (image_ans(3, 0), Step(Stage.CLEANUP, Outcome.BAD_IMAGE, "the image is version 0")),
    ],
)
def test_an_image_that_is_not_is_the_end(ans: Command, expected: Step) -> None:
    assert told(record(Stage.IMAGE), ans, firmware=FIRMWARE) == expected


def test_a_stack_that_tells_version_0_of_every_image_is_believed() -> None:
    """ST, Actility (TS006 reference, section 6)."""
    step = told(
        record(Stage.IMAGE),
        image_ans(3, 0),
        firmware=FIRMWARE,
        quirks=StatusQuirk.NEXT_VERSION_ZERO,
    )
    assert step == Step(Stage.REBOOT, Outcome.IMAGE_VALID)


def test_no_image_yet_is_asked_again_and_is_a_failure_only_when_patience_ends() -> None:
    about = record(Stage.IMAGE, outcome=Outcome.VERIFIED)
    assert told(about, image_ans(0), firmware=FIRMWARE) is None
    wanted = config((), firmware=FIRMWARE)
    assert silence(wanted, member(1), about, now=START) == Step(
        Stage.CLEANUP, Outcome.BAD_IMAGE, "no image is stored"
    )


@pytest.mark.parametrize("seconds", [1, 59, 60, 0xFFFFFE])
def test_a_reboot_is_waited_for_no_longer_than_was_asked_for(seconds: int) -> None:
    """A device that says 194 days does not hold anything up (S16)."""
    about = record(Stage.REBOOT)
    step = told(about, firmware.DevRebootCountdownAns(countdown=seconds), firmware=FIRMWARE)
    assert step == Step(Stage.CONFIRM, delay_seconds=90.0)
    assert about.reboot_eta == START + min(seconds, 90)


def test_a_reboot_that_is_refused_is_asked_for_again() -> None:
    refused = firmware.DevRebootCountdownAns(countdown=0)
    assert told(record(Stage.REBOOT), refused, firmware=FIRMWARE) is None


def test_only_the_new_version_confirms_and_an_old_one_is_asked_again() -> None:
    about = record(Stage.CONFIRM, outcome=Outcome.IMAGE_VALID)
    old = firmware.DevVersionAns(fw_version=0x100, hw_version=1)
    new = firmware.DevVersionAns(fw_version=NEW, hw_version=1)
    assert told(about, old, firmware=FIRMWARE) is None
    expected = Step(Stage.CLEANUP, Outcome.NOT_UPDATED, "runs version 0x00000100")
    assert silence(config((), firmware=FIRMWARE), member(1), about, now=START) == expected
    assert told(about, new, firmware=FIRMWARE) == Step(Stage.CLEANUP, Outcome.CONFIRMED)
    assert told(record(Stage.REBOOT), new, firmware=FIRMWARE) is None


# Silence


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (
            DeviceRecord(),
            Step(Stage.FAILED, Outcome.NO_ANSWER, "in stage negotiate"),
        ),
        (
            DeviceRecord(frag_version=2),
            Step(Stage.FAILED, Outcome.NOT_SUPPORTED, "no answer from TS005, TS006"),
        ),
        (
            record(Stage.NEGOTIATE),
            Step(Stage.FAILED, Outcome.NOT_SUPPORTED, "no answer from TS006"),
        ),
        (record(Stage.CLOCK), Step(Stage.GROUP, detail="the clock could not be checked")),
        (
            record(Stage.CLOCK, joined=True, clock_error=5),
            Step(Stage.READY, detail="the clock could not be checked"),
        ),
        (record(Stage.GROUP), Step(Stage.FAILED, Outcome.NO_ANSWER, "in stage group")),
        (record(Stage.DELETE), Step(Stage.FRAGMENTATION)),
        (
            record(Stage.FRAGMENTATION),
            Step(Stage.FAILED, Outcome.NO_ANSWER, "in stage fragmentation"),
        ),
        (record(Stage.SESSION), Step(Stage.READY, detail="the window was not confirmed")),
        (record(Stage.STATUS), Step(Stage.READY, detail="no status answer")),
        (
            record(Stage.STATUS, frag_version=1),
            Step(Stage.DELETE, detail="no status answer"),
        ),
        (
            record(Stage.STATUS, frag_version=1, restarts=8),
            Step(Stage.READY, detail="no status answer"),
        ),
        (
            record(Stage.STATUS, silent=1),
            Step(Stage.FAILED, Outcome.NO_ANSWER, "no status answer"),
        ),
        (record(Stage.IMAGE), Step(Stage.CLEANUP, detail="no image status")),
        (
            record(Stage.IMAGE, outcome=Outcome.LIKELY, detail="20 received"),
            Step(Stage.CLEANUP, detail="no image status"),
        ),
        (
            record(Stage.IMAGE, outcome=Outcome.TRANSPORTED, detail="no image is stored"),
            Step(Stage.CLEANUP, Outcome.BAD_IMAGE, "no image is stored"),
        ),
        (
            record(Stage.IMAGE, outcome=Outcome.LIKELY, detail="no image is stored"),
            Step(Stage.CLEANUP, Outcome.UNKNOWN, "no image is stored"),
        ),
        (
            record(Stage.IMAGE, outcome=Outcome.UNKNOWN, detail="no image is stored"),
            Step(Stage.CLEANUP, Outcome.UNKNOWN, "no image is stored"),
        ),
        (record(Stage.REBOOT), Step(Stage.CONFIRM, delay_seconds=90.0)),
        (record(Stage.CONFIRM), Step(Stage.CLEANUP, detail="no version after the reboot")),
        (record(Stage.CLEANUP, outcome=Outcome.VERIFIED), Step(Stage.DONE)),
        (record(Stage.CLEANUP, outcome=Outcome.LIKELY, detail="x"), Step(Stage.DONE, detail="x")),
        (record(Stage.CLEANUP, outcome=Outcome.UNKNOWN), Step(Stage.FAILED)),
        (record(Stage.CLEANUP, outcome=Outcome.MIC_ERROR), Step(Stage.FAILED)),
    ],
    ids=lambda value: value.stage.value,
)
def test_silence_leads_on_and_claims_nothing_it_does_not_know(
    about: DeviceRecord, expected: Step
) -> None:
    assert silence(config((), firmware=FIRMWARE), member(1), about, now=START) == expected


# Clean-up


@pytest.mark.parametrize("outcome", [Outcome.VERIFIED, Outcome.CANCELLED])
@pytest.mark.parametrize("group", [None, "v2"])
@pytest.mark.parametrize("step", [None, FIRMWARE])
def test_a_clean_up_asks_for_what_is_there_until_all_of_it_was_answered(
    outcome: Outcome, group: str | None, step: FirmwareStep | None
) -> None:
    wanted: CampaignConfig = config((), firmware=step)
    about = record(Stage.CLEANUP, outcome=outcome, group=group)
    answers: dict[str, Command] = {
        "FragSessionDeleteReq": frag_v1.FragSessionDeleteAns(
            frag_index=0, session_does_not_exist=True
        ),
        "McGroupDeleteReq": mc_v1.McGroupDeleteAns(mc_group_id=0, mc_group_undefined=False),
        "DevRebootCountdownReq": firmware.DevRebootCountdownAns(countdown=0xFFFFFF),
        "DevDeleteImageReq": firmware.DevDeleteImageAns(errors=firmware.DeleteError(1)),
    }
    expected = {"FragSessionDeleteReq"} | ({"McGroupDeleteReq"} if group else set())
    if outcome is Outcome.CANCELLED and step:
        expected |= {"DevRebootCountdownReq", "DevDeleteImageReq"}
    asked = {
        type(command).__name__
        for _, command in requests(wanted, member(1), about, None, None, now=START)
    }
    assert asked == expected
    for left in range(len(asked), 0, -1):
        found = requests(wanted, member(1), about, None, None, now=START)
        assert len(found) == left
        name = type(found[-1][1]).__name__
        done = answer(wanted, member(1), about, answers[name], now=START, session=None)
        ended = Stage.DONE if outcome.success else Stage.FAILED
        assert done == (Step(ended) if left == 1 else None)


def test_answers_about_other_sessions_groups_and_reboots_clean_nothing() -> None:
    about = record(Stage.CLEANUP)
    for ans in (
        frag_v1.FragSessionDeleteAns(frag_index=1, session_does_not_exist=False),
        mc_v1.McGroupDeleteAns(mc_group_id=1, mc_group_undefined=False),
        firmware.DevRebootCountdownAns(countdown=5),
    ):
        assert told(about, ans) is None
    assert about == record(Stage.CLEANUP)


def test_a_deleted_session_of_version_1_is_set_up_and_a_late_answer_changes_nothing() -> None:
    for gone in (False, True):
        ans = frag_v1.FragSessionDeleteAns(frag_index=0, session_does_not_exist=gone)
        assert told(record(Stage.DELETE), ans) == Step(Stage.FRAGMENTATION)
        assert told(record(Stage.LISTENING), ans) is None


def test_answers_to_questions_of_others_change_nothing() -> None:
    ans = DeviceAppTimePeriodicityAns(not_supported=False, device_time=1)
    for stage in Stage:
        about = record(stage)
        assert told(about, ans) is None
        assert about == record(stage)


@pytest.mark.parametrize("stage", [Stage.READY, Stage.LISTENING, Stage.DONE, Stage.FAILED])
def test_a_device_at_rest_is_asked_nothing(stage: Stage) -> None:
    assert requests(config(()), member(1), record(stage), None, None, now=START) == []


def test_a_set_up_of_version_2_reports_by_itself_and_feeds_from_its_own_group_number() -> None:
    about = record(Stage.FRAGMENTATION, mc_group_id=2, session_cnt=9, frag_index=1)
    [(_, setup)] = requests(config((), block_ack_delay=3), member(1), about, None, None, now=START)
    assert isinstance(setup, frag_v2.FragSessionSetupReq)
    assert (setup.mc_group_bit_mask, setup.ack_reception) == (0b0100, True)
    assert (setup.session_cnt, setup.frag_index, setup.block_ack_delay) == (9, 1, 3)
    alone = dataclasses.replace(about, group=None, frag_version=1)
    [(_, first)] = requests(config(()), member(1), alone, None, None, now=START)
    assert isinstance(first, frag_v1.FragSessionSetupReq)
    assert first.mc_group_bit_mask == 0


def test_a_retry_policy_is_a_value() -> None:
    assert RetryPolicy(3, 4.0) == RetryPolicy(attempts=3, interval_seconds=4.0)
