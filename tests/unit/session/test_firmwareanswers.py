"""What single answers of TS006 mean."""

from __future__ import annotations

import pytest

from lorafuota.errors import FieldError
from lorafuota.firmwaremanagement import v1
from lorafuota.firmwaremanagement.v1 import UpImageStatus
from lorafuota.session.firmwareanswers import (
    CANCEL_COUNTDOWN,
    CANCEL_TIME,
    MAX_COUNTDOWN,
    RebootAns,
    cancel_req,
    image_outcome,
    is_cancelled,
    reboot_seconds,
    runs_outcome,
)
from lorafuota.session.serveractions import FirmwareOutcome
from tests.support import vectors

CODEC = {one["id"]: one["hex"] for one in vectors("ts006")["codec"]}


def reboot(name: str) -> RebootAns:
    octets = bytes.fromhex(CODEC[name])
    return (
        v1.DevRebootTimeAns.decode(octets)
        if octets[0] == 2
        else (v1.DevRebootCountdownAns.decode(octets))
    )


def test_the_message_that_cancels_is_that_of_the_vector() -> None:
    assert cancel_req().encode().hex() == CODEC["countdown-req-cancel"]
    assert (CANCEL_TIME, CANCEL_COUNTDOWN, MAX_COUNTDOWN) == (2**32 - 1, 2**24 - 1, 2**24 - 2)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("reboottime-ans-9000s", 9000),
        ("reboottime-ans-error", None),
        ("countdown-ans-1h", 3600),
        ("countdown-ans-max", 2**24 - 2),
        ("countdown-ans-error", None),
    ],
)
def test_an_answer_about_a_reboot_gives_seconds_or_a_refusal(
    name: str, seconds: int | None
) -> None:
    assert not is_cancelled(reboot(name))
    assert reboot_seconds(reboot(name)) == seconds


@pytest.mark.parametrize("name", ["reboottime-ans-cancelled", "countdown-ans-cancelled"])
def test_an_answer_about_a_cancellation_gives_no_seconds(name: str) -> None:
    assert is_cancelled(reboot(name))
    with pytest.raises(FieldError):
        reboot_seconds(reboot(name))


def test_the_mark_of_a_cancelled_countdown_is_no_mark_in_a_time() -> None:
    answer = v1.DevRebootTimeAns(reboot_time=CANCEL_COUNTDOWN)
    assert (is_cancelled(answer), reboot_seconds(answer)) == (False, CANCEL_COUNTDOWN)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("upgrade-ans-0", (FirmwareOutcome.NO_IMAGE, "no image is stored")),
        ("upgrade-ans-1", (FirmwareOutcome.BAD_IMAGE, "corrupt, or the signature is wrong")),
        ("upgrade-ans-2", (FirmwareOutcome.WRONG_HARDWARE, "the device says so of the image")),
        ("upgrade-ans-3", None),
        ("upgrade-ans-3b", (FirmwareOutcome.OTHER_IMAGE, "the image is version 0x00040201")),
    ],
)
def test_the_image_of_the_vector_is_the_wanted_one_or_not(
    name: str, expected: tuple[FirmwareOutcome, str] | None
) -> None:
    answer = v1.DevUpgradeImageAns.decode(bytes.fromhex(CODEC[name]))
    for accepts_zero in (False, True):
        found = image_outcome(answer, version=0x17011973, accepts_zero=accepts_zero)
        assert found == expected


def test_a_version_that_was_not_told_counts_only_if_wanted() -> None:
    answer = v1.DevUpgradeImageAns(up_image_status=UpImageStatus.VALID, next_firmware_version=0)
    assert image_outcome(answer, version=7, accepts_zero=True) is None
    assert image_outcome(answer, version=7) == (
        FirmwareOutcome.OTHER_IMAGE,
        "the image is version 0x00000000",
    )
    assert image_outcome(answer, version=0) is None


@pytest.mark.parametrize(
    ("fw", "hw", "expected"),
    [
        (1, 10, None),
        (2, 10, (FirmwareOutcome.CONFIRMED, "it ran already")),
        (3, 10, (FirmwareOutcome.WRONG_START, "it runs version 0x00000003")),
        (1, 11, (FirmwareOutcome.WRONG_HARDWARE, "the hardware is 0x0000000B")),
        (2, 11, (FirmwareOutcome.WRONG_HARDWARE, "the hardware is 0x0000000B")),
    ],
)
def test_versions_say_whether_the_installation_may_begin(
    fw: int, hw: int, expected: tuple[FirmwareOutcome, str] | None
) -> None:
    answer = v1.DevVersionAns(fw_version=fw, hw_version=hw)
    assert runs_outcome(answer, version=2, hw_versions={10}, from_versions=(1,)) == expected
    free = runs_outcome(answer, version=2, hw_versions=None, from_versions=None)
    assert free == ((FirmwareOutcome.CONFIRMED, "it ran already") if fw == 2 else None)
