"""What single answers of TS006 mean, for whoever asked: the versions, the image, the reboot.

No session is needed: a campaign cancels with the same functions.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, TypeAlias

from ..errors import FieldError
from ..firmwaremanagement import v1
from ..firmwaremanagement.v1 import UpImageStatus
from .serveractions import FirmwareOutcome

__all__ = [
    "CANCEL_COUNTDOWN",
    "CANCEL_TIME",
    "MAX_COUNTDOWN",
    "RebootAns",
    "cancel_req",
    "image_outcome",
    "is_cancelled",
    "reboot_seconds",
    "runs_outcome",
]

RebootAns: TypeAlias = v1.DevRebootTimeAns | v1.DevRebootCountdownAns

CANCEL_TIME: Final = 0xFFFFFFFF
"""RebootTime that cancels the programmed reboot, and says that it was."""

CANCEL_COUNTDOWN: Final = 0xFFFFFF
"""Countdown that cancels the programmed reboot, and says that it was."""

MAX_COUNTDOWN: Final = 0xFFFFFE
"""The longest countdown: 194 days."""


def cancel_req() -> v1.DevRebootCountdownReq:
    """Return the message that cancels a programmed reboot, whichever command programmed it."""
    return v1.DevRebootCountdownReq(countdown=CANCEL_COUNTDOWN)


def image_outcome(
    answer: v1.DevUpgradeImageAns, *, version: int, accepts_zero: bool = False
) -> tuple[FirmwareOutcome, str] | None:
    """Say what keeps the stored image from being installed, or None if it is the wanted one.

    NO_IMAGE may pass: a device that is still checking what it received says so too.

    Args:
        answer: The device's answer.
        version: The version wanted.
        accepts_zero: Take version 0 for a version not told (ST and Actility tell 0).
    """
    match answer.up_image_status:
        case UpImageStatus.NO_IMAGE:
            return FirmwareOutcome.NO_IMAGE, "no image is stored"
        case UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE:
            return FirmwareOutcome.BAD_IMAGE, "corrupt, or the signature is wrong"
        case UpImageStatus.WRONG_HARDWARE:
            return FirmwareOutcome.WRONG_HARDWARE, "the device says so of the image"
        case UpImageStatus.VALID:  # pragma: no branch  there is no other
            pass
    found = answer.next_firmware_version or 0
    if found == version or (accepts_zero and found == 0):
        return None
    return FirmwareOutcome.OTHER_IMAGE, f"the image is version 0x{found:08X}"


def is_cancelled(answer: RebootAns) -> bool:
    """Say whether the answer is that no reboot is programmed any more."""
    by_time = isinstance(answer, v1.DevRebootTimeAns)
    return _figure(answer) == (CANCEL_TIME if by_time else CANCEL_COUNTDOWN)


def reboot_seconds(answer: RebootAns) -> int | None:
    """Return the seconds from the answer to the reboot, or None if the device cannot.

    Raises:
        FieldError: The answer is about a cancellation.
    """
    if is_cancelled(answer):
        raise FieldError("reboot_seconds", "answer", answer, "an answer to a reboot")
    return _figure(answer) or None


def runs_outcome(
    answer: v1.DevVersionAns,
    *,
    version: int,
    hw_versions: Container[int] | None,
    from_versions: Container[int] | None,
) -> tuple[FirmwareOutcome, str] | None:
    """Say what a device's versions mean for the installation, or None if it may begin.

    Args:
        answer: The device's answer.
        version: The version wanted.
        hw_versions: Hardware the image is for; None for any.
        from_versions: Versions the image starts from, for a delta; None for any.
    """
    if hw_versions is not None and answer.hw_version not in hw_versions:
        return FirmwareOutcome.WRONG_HARDWARE, f"the hardware is 0x{answer.hw_version:08X}"
    if answer.fw_version == version:
        return FirmwareOutcome.CONFIRMED, "it ran already"
    if from_versions is not None and answer.fw_version not in from_versions:
        return FirmwareOutcome.WRONG_START, f"it runs version 0x{answer.fw_version:08X}"
    return None


def _figure(answer: RebootAns) -> int:
    if isinstance(answer, v1.DevRebootTimeAns):
        return answer.reboot_time
    return answer.countdown
