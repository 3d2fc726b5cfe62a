"""The reboot into the new firmware (TS006): after a countdown, or at a time for all devices.

A device that refuses the time, or whose answer shows that its clock is off, is given the seconds
that are left instead; the later request replaces the reboot it may have programmed.  One that is
ready only when the time is near, or past, gets the countdown.
"""

from __future__ import annotations

from typing import Final

from ..firmwaremanagement import v1
from ..gpstime import to_wire
from ..session.firmwareanswers import MAX_COUNTDOWN, RebootAns, is_cancelled
from ..wire import Command
from .config import FirmwareStep
from .state import DeviceRecord, Stage
from .step import Step

__all__ = ["over_after", "reboot_answered", "reboot_req"]

_CLOCK_TOLERANCE: Final = 60.0
"""Seconds by which a device may disagree about the moment."""


def _left(step: FirmwareStep, now: float) -> int:
    """Return the seconds until the device is to reboot."""
    left = 0 if step.reboot_at is None else int(step.reboot_at - now)
    return max(left, step.countdown_seconds)


def _by_time(step: FirmwareStep, record: DeviceRecord, now: float) -> bool:
    left = _left(step, now)
    return left > step.countdown_seconds and (not record.no_time or left > MAX_COUNTDOWN)


def reboot_req(step: FirmwareStep, record: DeviceRecord, now: float) -> Command:
    """Return what tells a device to reboot."""
    if step.reboot_at is not None and _by_time(step, record, now):
        return v1.DevRebootTimeReq(reboot_time=to_wire(step.reboot_at))
    return v1.DevRebootCountdownReq(countdown=min(_left(step, now), MAX_COUNTDOWN))


def reboot_answered(
    step: FirmwareStep, record: DeviceRecord, command: RebootAns, now: float
) -> Step | None:
    """Take the answer; None when it has to be asked again."""
    if is_cancelled(command):
        return None
    left = _left(step, now)
    if isinstance(command, v1.DevRebootTimeAns):
        seconds = command.reboot_time
        if seconds == 0 or abs(seconds - left) > _CLOCK_TOLERANCE:
            record.no_time = True
            return None
    else:
        seconds = command.countdown
        if seconds == 0:
            return None  # the device cannot; asked again until patience ends
    record.reboot_eta = now + min(seconds, left + step.boot_seconds)
    record.installing = now
    return Step(Stage.CONFIRM, delay_seconds=over_after(step, now))


def over_after(step: FirmwareStep, now: float) -> float:
    """Return when a device has rebooted: not a device's own figure, which may be anything."""
    return _left(step, now) + step.boot_seconds
