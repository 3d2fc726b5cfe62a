"""The server's firmware session: each way it can end, and what it asks on the way."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import FieldError, StateError
from lorafuota.firmwaremanagement import v1
from lorafuota.firmwaremanagement.v1 import DeleteError, UpImageStatus
from lorafuota.package import PackageVersionAns
from lorafuota.session.actions import Dropped, DropReason, Rejected
from lorafuota.session.firmwareserver import FirmwareServer
from lorafuota.session.firmwarestage import FirmwareStage
from lorafuota.session.retries import Retries
from lorafuota.session.serveractions import (
    Downlink,
    FirmwareEnded,
    FirmwareOutcome,
    RebootExpected,
    ServerAction,
    VersionsRead,
)
from lorafuota.wire import Command
from tests.support import vectors

SEQUENCES = {one["id"]: one for one in vectors("ts006")["sequences"]}
NOW = 1_400_000_000.0
OLD, NEW, HARDWARE = 0x11223344, 0x17011973, 0x12345678
TIGHT = Retries(seconds=100, tries=2)

VERSION = Downlink(203, v1.DevVersionReq())
IMAGE = Downlink(203, v1.DevUpgradeImageReq())
CANCEL = Downlink(203, v1.DevRebootCountdownReq(countdown=0xFFFFFF))
DELETE = Downlink(203, v1.DevDeleteImageReq(firmware_to_delete_version=NEW))
CANCELLED = v1.DevRebootCountdownAns(countdown=0xFFFFFF)
VALID = v1.DevUpgradeImageAns(up_image_status=UpImageStatus.VALID, next_firmware_version=NEW)
NONE = v1.DevUpgradeImageAns(up_image_status=UpImageStatus.NO_IMAGE, next_firmware_version=None)


def countdown(seconds: int) -> Downlink:
    return Downlink(203, v1.DevRebootCountdownReq(countdown=seconds))


def at(time: float) -> Downlink:
    return Downlink(203, v1.DevRebootTimeReq(reboot_time=int(time)))


def runs(version: int) -> v1.DevVersionAns:
    return v1.DevVersionAns(fw_version=version, hw_version=HARDWARE)


def read(version: int) -> VersionsRead:
    return VersionsRead(version, HARDWARE)


def ended(outcome: FirmwareOutcome, detail: str = "") -> FirmwareEnded:
    return FirmwareEnded(outcome, detail)


def to_reboot(**options: Any) -> FirmwareServer:
    """A server that has just asked for the reboot, at NOW."""
    server = FirmwareServer(NEW, retries=TIGHT, **options)
    assert server.start(now=NOW) == [VERSION]
    assert server.take(runs(OLD), now=NOW) == [read(OLD), IMAGE]
    [asked] = server.take(VALID, now=NOW)
    assert isinstance(asked, Downlink)
    assert (asked.command, server.stage) == (server.asked, FirmwareStage.REBOOT)
    return server


def test_an_image_is_installed_and_confirmed() -> None:
    server = to_reboot(hw_versions={HARDWARE}, from_versions={OLD})
    assert server.asked == countdown(60).command
    assert server.take(v1.DevRebootCountdownAns(countdown=55), now=NOW + 5) == [
        RebootExpected(NOW + 60)
    ]
    assert [server.stage, server.asked] == [FirmwareStage.REBOOTING, None]
    assert server.next_deadline == NOW + 60 + 120
    assert server.tick(now=NOW + 179) == []
    assert server.tick(now=NOW + 180) == [VERSION]
    assert server.take(runs(NEW), now=NOW + 181) == [read(NEW), ended(FirmwareOutcome.CONFIRMED)]
    assert [server.stage, server.next_deadline] == [FirmwareStage.ENDED, None]
    assert server.tick(now=NOW + 10_000) == []


def test_the_update_of_the_vector_goes_through_reboot_now() -> None:
    first, second, _, third, _ = SEQUENCES["update-cycle"]["steps"]
    server = FirmwareServer(NEW, countdown_seconds=0, boot_seconds=30)
    server.start(now=NOW)
    [_, image] = server.take(runs(OLD), now=NOW)
    assert isinstance(image, Downlink)
    assert image.payload.hex() == first["downlink"]
    [reboot] = server.receive(bytes.fromhex(first["uplink"]), now=NOW)
    assert isinstance(reboot, Downlink)
    assert reboot.payload.hex() == second["downlink"]
    assert server.next_deadline == NOW + 30
    [version] = server.tick(now=NOW + 30)
    assert isinstance(version, Downlink)
    assert version.payload.hex() == third["downlink"]
    assert server.receive(bytes.fromhex(third["uplink"]), now=NOW + 31) == [
        read(NEW),
        ended(FirmwareOutcome.CONFIRMED),
    ]


@pytest.mark.parametrize("field", ["uplink_strict", "uplink_common"])
def test_the_answer_may_count_from_itself_or_repeat_the_request(field: str) -> None:
    """A device that repeats the request reboots at the latest as if it counted from the answer."""
    vector = SEQUENCES["answer-latency"]
    server = to_reboot()
    assert server.asked is not None
    assert server.asked.encode().hex() == vector["downlink"]
    arrival = NOW + vector["answer_delay_s"]
    seconds = int.from_bytes(bytes.fromhex(vector[field])[1:], "little")
    assert server.receive(bytes.fromhex(vector[field]), now=arrival) == [
        RebootExpected(arrival + seconds)
    ]
    assert seconds in (53, 60)


def test_a_figure_beyond_what_was_asked_is_not_waited_for() -> None:
    server = to_reboot()
    answer = v1.DevRebootCountdownAns(countdown=0xFFFFFE)
    assert server.take(answer, now=NOW) == [RebootExpected(NOW + 60)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (runs(NEW), [read(NEW), ended(FirmwareOutcome.CONFIRMED, "it ran already")]),
        (
            runs(5),
            [read(5), ended(FirmwareOutcome.WRONG_START, "it runs version 0x00000005")],
        ),
        (
            v1.DevVersionAns(fw_version=OLD, hw_version=1),
            [
                VersionsRead(OLD, 1),
                ended(FirmwareOutcome.WRONG_HARDWARE, "the hardware is 0x00000001"),
            ],
        ),
    ],
)
def test_a_device_the_image_is_not_for_is_left_alone(
    answer: Command, expected: list[ServerAction]
) -> None:
    server = FirmwareServer(NEW, hw_versions={HARDWARE}, from_versions={OLD})
    server.start(now=NOW)
    assert server.take(answer, now=NOW) == expected
    assert server.next_deadline is None


@pytest.mark.parametrize(
    ("octets", "outcome", "detail"),
    [
        ("0401", FirmwareOutcome.BAD_IMAGE, "corrupt, or the signature is wrong"),
        ("0402", FirmwareOutcome.WRONG_HARDWARE, "the device says so of the image"),
        ("040301020400", FirmwareOutcome.OTHER_IMAGE, "the image is version 0x00040201"),
    ],
)
def test_a_wrong_image_is_not_rebooted_into(
    octets: str, outcome: FirmwareOutcome, detail: str
) -> None:
    server = FirmwareServer(NEW)
    server.start(now=NOW)
    server.take(runs(OLD), now=NOW)
    assert server.receive(bytes.fromhex(octets), now=NOW) == [ended(outcome, detail)]


def test_an_image_that_is_not_there_yet_is_asked_for_again() -> None:
    server = FirmwareServer(NEW, retries=TIGHT)
    server.start(now=NOW)
    server.take(runs(OLD), now=NOW)
    assert server.take(NONE, now=NOW + 1) == []
    assert server.tick(now=NOW + 100) == [IMAGE]
    twin = copy.deepcopy(server)
    assert server.take(VALID, now=NOW + 101) == [countdown(60)]
    assert twin.tick(now=NOW + 200) == [ended(FirmwareOutcome.NO_IMAGE, "no image is stored")]


def test_an_answer_is_waited_for_as_long_as_the_retries_say() -> None:
    server = FirmwareServer(NEW, retries=TIGHT)
    assert server.start(now=NOW) == [VERSION]
    assert server.next_deadline == NOW + 100
    assert server.tick(now=NOW + 99) == []
    assert server.tick(now=NOW + 100) == [VERSION]
    assert server.next_deadline == NOW + 200


def test_silence_before_the_reboot_ends_by_name() -> None:
    server = FirmwareServer(NEW, retries=TIGHT)
    server.start(now=NOW)
    assert server.tick(now=NOW + 100) == [VERSION]
    assert server.tick(now=NOW + 200) == [ended(FirmwareOutcome.NO_ANSWER, "in VERSION")]
    server = FirmwareServer(NEW, retries=TIGHT)
    server.start(now=NOW)
    server.take(runs(OLD), now=NOW)
    assert server.tick(now=NOW + 100) == [IMAGE]
    assert server.tick(now=NOW + 200) == [ended(FirmwareOutcome.NO_ANSWER, "in IMAGE")]


# Reboots that are not confirmed, refused, or come to nothing


def test_a_reboot_whose_answer_was_lost_is_looked_for_before_it_is_asked_for_again() -> None:
    server = to_reboot(boot_seconds=40)
    assert server.tick(now=NOW + 100) == [VERSION]  # 60 + 40 seconds: it must be over
    assert server.stage is FirmwareStage.CONFIRM
    twin = copy.deepcopy(server)
    assert server.take(runs(NEW), now=NOW + 101) == [read(NEW), ended(FirmwareOutcome.CONFIRMED)]
    assert twin.take(runs(OLD), now=NOW + 101) == [read(OLD), countdown(60)]
    late = v1.DevRebootCountdownAns(countdown=60)
    assert twin.take(late, now=NOW + 110) == [RebootExpected(NOW + 170)]
    assert twin.next_deadline == NOW + 210


def test_an_answer_that_comes_while_the_version_is_asked_for_still_counts() -> None:
    server = to_reboot(boot_seconds=40)
    server.tick(now=NOW + 100)
    late = v1.DevRebootCountdownAns(countdown=60)
    assert server.take(late, now=NOW + 105) == [RebootExpected(NOW + 165)]
    assert server.stage is FirmwareStage.REBOOTING
    assert server.take(late, now=NOW + 106) == [  # its copy does not
        Dropped(DropReason.UNASKED, "DevRebootCountdownAns")
    ]
    assert server.tick(now=NOW + 205) == [VERSION]


def test_two_answers_to_two_requests_mean_the_later_reboot() -> None:
    server = to_reboot(countdown_seconds=500)
    assert server.tick(now=NOW + 100) == [countdown(500)]
    answer = v1.DevRebootCountdownAns(countdown=500)
    assert server.take(answer, now=NOW + 101) == [RebootExpected(NOW + 601)]
    assert server.take(answer, now=NOW + 103) == [RebootExpected(NOW + 603)]
    assert server.next_deadline == NOW + 603 + 120
    assert server.take(answer, now=NOW + 500) == [
        Dropped(DropReason.UNASKED, "DevRebootCountdownAns")
    ]


def test_a_reboot_nobody_confirms_is_awaited_and_then_given_up() -> None:
    server = to_reboot(countdown_seconds=500)
    assert server.tick(now=NOW + 100) == [countdown(500)]
    assert server.tick(now=NOW + 200) == []
    assert (server.stage, server.next_deadline) == (FirmwareStage.REBOOTING, NOW + 100 + 620)
    assert server.tick(now=NOW + 720) == [VERSION]
    assert server.tick(now=NOW + 820) == [VERSION]
    assert server.tick(now=NOW + 920) == [ended(FirmwareOutcome.NO_ANSWER, "in CONFIRM")]


def test_a_device_that_cannot_reboot_is_asked_again_and_then_named() -> None:
    server = to_reboot(countdown_seconds=500)
    cannot = v1.DevRebootCountdownAns(countdown=0)
    assert server.take(cannot, now=NOW + 1) == []
    assert server.tick(now=NOW + 100) == [countdown(500)]
    assert server.take(cannot, now=NOW + 101) == []
    assert server.tick(now=NOW + 200) == [
        ended(FirmwareOutcome.REBOOT_REFUSED, "the device cannot")
    ]


def test_a_device_that_still_runs_the_old_version_is_asked_what_became_of_the_image() -> None:
    server = to_reboot()
    server.take(v1.DevRebootCountdownAns(countdown=60), now=NOW)
    server.tick(now=NOW + 180)
    assert server.take(runs(OLD), now=NOW + 181) == [read(OLD)]
    assert server.tick(now=NOW + 280) == [VERSION]
    assert server.tick(now=NOW + 380) == [IMAGE]
    assert server.stage is FirmwareStage.DIAGNOSE
    twin, silent = copy.deepcopy(server), copy.deepcopy(server)
    old = "it runs version 0x11223344"
    assert server.take(VALID, now=NOW + 381) == [
        ended(FirmwareOutcome.NOT_UPDATED, f"{old}; the image waits for a reboot")
    ]
    assert twin.take(NONE, now=NOW + 381) == [
        ended(FirmwareOutcome.NOT_UPDATED, f"{old}; no image is stored")
    ]
    assert silent.tick(now=NOW + 480) == [IMAGE]
    assert silent.tick(now=NOW + 580) == [ended(FirmwareOutcome.NOT_UPDATED, old)]


# At a time


def test_a_reboot_at_a_time_is_confirmed_by_a_delay() -> None:
    server = to_reboot(reboot_at=NOW + 9000)
    assert server.asked == at(NOW + 9000).command
    assert server.take(v1.DevRebootTimeAns(reboot_time=8990), now=NOW + 10) == [
        RebootExpected(NOW + 9000)
    ]
    assert server.next_deadline == NOW + 9120


@pytest.mark.parametrize("seconds", [0, 5000, 9100])
def test_a_device_without_the_right_time_is_given_the_seconds_that_are_left(seconds: int) -> None:
    server = to_reboot(reboot_at=NOW + 9000)
    wrong = v1.DevRebootTimeAns(reboot_time=seconds)
    assert server.take(wrong, now=NOW + 10) == [countdown(8990)]
    assert server.take(wrong, now=NOW + 10) == [Dropped(DropReason.UNASKED, "DevRebootTimeAns")]
    assert server.take(v1.DevRebootCountdownAns(countdown=8990), now=NOW + 20) == [
        RebootExpected(NOW + 9010)
    ]


def test_a_time_too_far_for_a_countdown_stays_a_time() -> None:
    far = NOW + (1 << 24)
    server = to_reboot(reboot_at=far)
    assert server.take(v1.DevRebootTimeAns(reboot_time=0), now=NOW) == []
    assert server.tick(now=NOW + 100) == [at(far)]
    assert server.tick(now=NOW + 200) == [
        ended(FirmwareOutcome.REBOOT_REFUSED, "the device cannot")
    ]


def test_a_time_that_is_over_before_the_device_was_asked_is_refused() -> None:
    server = FirmwareServer(NEW, reboot_at=NOW + 10)
    server.start(now=NOW)
    server.take(runs(OLD), now=NOW)
    assert server.take(VALID, now=NOW + 10) == [
        ended(FirmwareOutcome.REBOOT_REFUSED, "the time of the reboot is over")
    ]


def test_a_time_that_is_over_while_nothing_is_confirmed_is_waited_for() -> None:
    server = to_reboot(reboot_at=NOW + 50)
    assert server.tick(now=NOW + 100) == []
    assert (server.stage, server.next_deadline) == (FirmwareStage.REBOOTING, NOW + 170)
    assert server.tick(now=NOW + 170) == [VERSION]
    assert server.take(runs(NEW), now=NOW + 171) == [read(NEW), ended(FirmwareOutcome.CONFIRMED)]


# Calling off


@pytest.mark.parametrize(
    ("errors", "detail"),
    [
        (DeleteError(0), ""),
        (DeleteError.NO_VALID_IMAGE, ""),
        (DeleteError.INVALID_VERSION, "the device holds another image"),
    ],
)
def test_a_cancelled_update_leaves_no_reboot_and_no_image(errors: DeleteError, detail: str) -> None:
    server = to_reboot()
    assert server.cancel(now=NOW) == [CANCEL]
    assert server.take(v1.DevRebootCountdownAns(countdown=60), now=NOW) == [
        Dropped(DropReason.UNASKED, "DevRebootCountdownAns")
    ]
    assert server.take(CANCELLED, now=NOW) == [DELETE]
    assert server.take(v1.DevDeleteImageAns(errors=errors), now=NOW) == [VERSION]
    assert server.take(runs(OLD), now=NOW) == [
        read(OLD),
        ended(FirmwareOutcome.CANCELLED, detail),
    ]


def test_a_cancellation_can_be_answered_as_a_time() -> None:
    server = to_reboot(reboot_at=NOW + 9000)
    server.cancel(now=NOW)
    assert server.take(v1.DevRebootTimeAns(reboot_time=0xFFFFFFFF), now=NOW) == [DELETE]


def test_a_cancellation_that_comes_too_late_says_what_runs() -> None:
    server = to_reboot()
    server.cancel(now=NOW)
    server.take(CANCELLED, now=NOW)
    server.take(v1.DevDeleteImageAns(errors=DeleteError.NO_VALID_IMAGE), now=NOW)
    assert server.take(runs(NEW), now=NOW) == [
        read(NEW),
        ended(FirmwareOutcome.CONFIRMED, "the cancellation came too late"),
    ]


def test_a_cancellation_nobody_confirms_is_not_called_one() -> None:
    server = to_reboot()
    server.cancel(now=NOW)
    asked = [server.tick(now=NOW + 100 * turn) for turn in range(1, 5)]
    assert asked == [[CANCEL], [DELETE], [DELETE], [VERSION]]
    twin = copy.deepcopy(server)
    assert server.take(runs(OLD), now=NOW + 401) == [
        read(OLD),
        ended(FirmwareOutcome.NO_ANSWER, "the reboot may still come"),
    ]
    assert twin.tick(now=NOW + 500) == [VERSION]
    assert twin.tick(now=NOW + 600) == [
        ended(FirmwareOutcome.NO_ANSWER, "the reboot may still come")
    ]


def test_a_deletion_nobody_confirms_is_not_called_one() -> None:
    server = to_reboot()
    server.cancel(now=NOW)
    server.take(CANCELLED, now=NOW)
    server.tick(now=NOW + 100)
    assert server.tick(now=NOW + 200) == [VERSION]
    assert server.take(runs(OLD), now=NOW + 201) == [
        read(OLD),
        ended(FirmwareOutcome.NO_ANSWER, "the image may still be there"),
    ]


# Misuse, noise, restarts


def test_what_makes_no_sense_now_is_a_state_error() -> None:
    server = FirmwareServer(NEW)
    server.start(now=NOW)
    with pytest.raises(StateError, match="start: the stage is VERSION"):
        server.start(now=NOW)
    server.cancel(now=NOW)
    with pytest.raises(StateError, match="cancel: the stage is CANCEL"):
        server.cancel(now=NOW)
    server = FirmwareServer(NEW)
    server.start(now=NOW)
    server.take(runs(NEW), now=NOW)
    with pytest.raises(StateError, match="cancel: the stage is ENDED"):
        server.cancel(now=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": -1},
        {"version": 1 << 32},
        {"countdown_seconds": 0xFFFFFF},
        {"countdown_seconds": -1},
        {"reboot_at": math.nan},
        {"reboot_at": float((1 << 32) - 1)},
        {"reboot_at": 0.5},
        {"boot_seconds": -1.0},
        {"boot_seconds": math.inf},
        {"fport": 0},
        {"hw_versions": 5},
        {"from_versions": "abc"},
    ],
)
def test_a_wrong_number_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        FirmwareServer(**{"version": NEW} | wrong)
    [name] = wrong
    assert (caught.value.message, caught.value.field) == ("FirmwareServer", name)


def test_a_time_that_is_none_is_refused() -> None:
    server = FirmwareServer(NEW)
    calls: list[Callable[[], object]] = [
        lambda: server.start(now=math.nan),
        lambda: server.cancel(now=math.nan),
        lambda: server.tick(now=math.inf),
        lambda: server.receive(b"\x01", now=math.nan),
        lambda: server.take(VALID, now=math.nan),
    ]
    for call in calls:
        with pytest.raises(FieldError):
            call()
    assert server.stage is FirmwareStage.IDLE


def test_answers_nobody_waits_for_change_nothing() -> None:
    server = FirmwareServer(NEW)
    for command in (
        runs(OLD),
        VALID,
        CANCELLED,
        v1.DevRebootTimeAns(reboot_time=0),
        v1.DevDeleteImageAns(errors=DeleteError(0)),
        PackageVersionAns(package_identifier=4, package_version=1),
    ):
        name = type(command).__name__
        assert server.take(command, now=NOW) == [Dropped(DropReason.UNASKED, name)]
    assert (server.stage, server.next_deadline) == (FirmwareStage.IDLE, None)


def test_what_cannot_be_read_is_rejected_after_what_can() -> None:
    server = FirmwareServer(NEW)
    server.start(now=NOW)
    payload = runs(OLD).encode() + b"\x04\x03\x01"
    versions, image, rejected = server.receive(payload, now=NOW)
    assert (versions, image) == (read(OLD), IMAGE)
    assert isinstance(rejected, Rejected)
    assert (rejected.fport, rejected.payload) == (203, payload)


@given(
    st.lists(st.one_of(st.binary(max_size=12), st.integers(0, 400)), max_size=30),
    st.booleans(),
)
def test_whatever_arrives_it_ends_by_name(events: list[bytes | int], by_time: bool) -> None:
    server = FirmwareServer(NEW, retries=TIGHT, reboot_at=NOW + 300 if by_time else None)
    now, found = NOW, server.start(now=NOW)
    for event in events:
        if isinstance(event, int):
            now += event
            found += server.tick(now=now)
        else:
            found += server.receive(event, now=now)
    for _ in range(40):
        if server.next_deadline is None:
            break
        now = max(now, server.next_deadline)
        found += server.tick(now=now)
    assert server.stage is FirmwareStage.ENDED
    assert len([one for one in found if isinstance(one, FirmwareEnded)]) == 1


def test_it_survives_copying_and_pickling() -> None:
    server = to_reboot()
    server.take(v1.DevRebootCountdownAns(countdown=60), now=NOW)
    for twin in (copy.deepcopy(server), pickle.loads(pickle.dumps(server))):
        assert twin.tick(now=NOW + 180) == [VERSION]
        assert twin.take(runs(NEW), now=NOW + 181)[-1] == ended(FirmwareOutcome.CONFIRMED)
