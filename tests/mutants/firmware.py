"""Mutants of firmware management (TS006)."""

from __future__ import annotations

import dataclasses
from typing import Any

from lorafuota.conformance.own import OwnDevice
from lorafuota.firmwaremanagement import v1
from lorafuota.session.actions import Answer, DeleteImage, Reboot, Store
from lorafuota.session.firmware import FirmwareDevice
from lorafuota.session.rebootslot import RebootSlot

from .mutant import Mutant, around, flags, together

_CANCEL_TIME, _CANCEL_COUNTDOWN = 0xFFFF_FFFF, 0xFF_FFFF


def _answers(change: Any) -> Any:
    def execute(real: Any, self: FirmwareDevice, command: Any, now: float) -> Any:
        return [
            Answer(change(self, one.command)) if isinstance(one, Answer) else one
            for one in real(self, command, now)
        ]

    return lambda: around(FirmwareDevice, "_execute", execute)


def _swapped(self: FirmwareDevice, command: Any) -> Any:
    if isinstance(command, v1.DevVersionAns):
        return v1.DevVersionAns(fw_version=command.hw_version, hw_version=command.fw_version)
    return command


def _counting(self: FirmwareDevice, command: Any) -> Any:
    if isinstance(command, v1.DevVersionAns):
        self.hw_version += 1
    return command


def _no_image(self: FirmwareDevice, command: Any) -> Any:
    if isinstance(command, v1.DevUpgradeImageAns):
        return v1.DevUpgradeImageAns(
            up_image_status=v1.UpImageStatus.NO_IMAGE, next_firmware_version=None
        )
    return command


def _corrupt_is_wrong_hardware(self: FirmwareDevice, command: Any) -> Any:
    if getattr(command, "up_image_status", None) == 1:
        return dataclasses.replace(command, up_image_status=v1.UpImageStatus.WRONG_HARDWARE)
    return command


def _swapped_delete_bits(self: FirmwareDevice, command: Any) -> Any:
    if isinstance(command, v1.DevDeleteImageAns) and command.errors:
        return v1.DevDeleteImageAns(errors=v1.DeleteError(int(command.errors) ^ 3))
    return command


def _now_answered(real: Any, self: FirmwareDevice) -> Any:
    return [Answer(v1.DevRebootCountdownAns(countdown=0)), *real(self)]


def _never_now(real: Any, self: FirmwareDevice) -> Any:
    return [one for one in real(self) if not isinstance(one, Reboot)]


def _after(new: Any) -> Any:
    """The countdown is another one; the answer is right."""

    def after(real: Any, self: RebootSlot, seconds: int, **rest: Any) -> Any:
        return real(self, new(seconds), **rest)

    return lambda: around(RebootSlot, "after", after)


def _kinds_apart(real: Any, self: FirmwareDevice, command: Any, now: float) -> Any:
    """Each command cancels only what it has programmed itself."""
    countdown = isinstance(command, v1.DevRebootCountdownReq)
    if countdown and command.countdown == _CANCEL_COUNTDOWN and self._slot._time is not None:
        return [Answer(v1.DevRebootCountdownAns(countdown=_CANCEL_COUNTDOWN))]
    if getattr(command, "reboot_time", 0) == _CANCEL_TIME and self._slot._seconds is not None:
        return [Answer(v1.DevRebootTimeAns(reboot_time=_CANCEL_TIME))]
    return real(self, command, now)


def _never_cancels(real: Any, self: FirmwareDevice, command: Any, now: float) -> Any:
    if getattr(command, "countdown", 0) == _CANCEL_COUNTDOWN:
        return [Answer(v1.DevRebootCountdownAns(countdown=_CANCEL_COUNTDOWN))]
    if getattr(command, "reboot_time", 0) == _CANCEL_TIME:
        return [Answer(v1.DevRebootTimeAns(reboot_time=_CANCEL_TIME))]
    return real(self, command, now)


def _cancel_now(real: Any, self: FirmwareDevice, command: Any, now: float) -> Any:
    """Cancel is a countdown like any other."""
    if getattr(command, "countdown", 0) == _CANCEL_COUNTDOWN and self._slot.due is None:
        return [Answer(v1.DevRebootCountdownAns(countdown=0))]
    return real(self, command, now)


def _first_stays(real: Any, self: FirmwareDevice, command: Any, now: float) -> Any:
    """A reboot that is programmed cannot be replaced, only cancelled."""
    due = self._slot.due
    slot = dataclasses.replace(self._slot)
    actions = real(self, command, now)
    if due is not None and self._slot.due is not None and self._slot.due != due:
        self._slot = slot
        return [one for one in actions if not isinstance(one, Store)]
    return actions


def _time(change: Any) -> Any:
    def at_time(real: Any, self: FirmwareDevice, time: int, now: float) -> Any:
        return change(real, self, time, now)

    return lambda: around(FirmwareDevice, "_at_time", at_time)


def _past_accepted(real: Any, self: FirmwareDevice, time: int, now: float) -> Any:
    if 0 < time <= now and time != _CANCEL_TIME:
        return [
            *self._slot.at_time(time, now + 1, firmware=self.fw_version),
            Answer(v1.DevRebootTimeAns(reboot_time=1)),
        ]
    return real(self, time, now)


def _absolute_answer(self: FirmwareDevice, command: Any) -> Any:
    if isinstance(command, v1.DevRebootTimeAns) and 0 < command.reboot_time < _CANCEL_TIME:
        return dataclasses.replace(command, reboot_time=1_400_000_000)
    return command


def _guessed(real: Any, self: FirmwareDevice, time: int, now: float) -> Any:
    if self._offset is None and 0 < time < _CANCEL_TIME:
        self._offset = 0.0
        actions = real(self, time, now - 500)
        self._offset = None
        return actions
    return real(self, time, now)


def _plain_comparison(real: Any, self: FirmwareDevice, time: int, now: float) -> Any:
    return real(self, time if time < 0xC000_0000 or time == _CANCEL_TIME else int(now) + 5, now)


def _clock_ignored(real: Any, self: FirmwareDevice, offset: Any, *, now: float) -> Any:
    self._offset = offset
    self._unknown_asked = False
    return []


def _cleared_in_ram(real: Any, self: RebootSlot) -> Any:
    real(self)
    return []


def _not_stored(real: Any, self: RebootSlot, *args: Any) -> Any:
    return []


def _comes_back(real: Any, self: RebootSlot, state: Any, **rest: Any) -> Any:
    actions = real(self, state, **rest)
    if "reboot" in state and self._due is None:
        self._due, self._seconds = rest["now"] + 30.0, 30
    return actions


def _delete_any(real: Any, self: FirmwareDevice, version: int) -> Any:
    return real(self, version if self.next_firmware_version is None else self.next_firmware_version)


def _delete_nothing(real: Any, self: FirmwareDevice, version: int) -> Any:
    status, stored = self.image_status, self.next_firmware_version
    actions = [one for one in real(self, version) if not isinstance(one, DeleteImage)]
    self.image_status, self.next_firmware_version = status, stored
    return actions


def _delete_cancels(real: Any, self: FirmwareDevice, version: int) -> Any:
    return [*self._slot.clear(), *real(self, version)]


def _delete_corrupt(real: Any, self: FirmwareDevice, version: int) -> Any:
    if self.image_status in (
        v1.UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE,
        v1.UpImageStatus.WRONG_HARDWARE,
    ):
        return [Answer(v1.DevDeleteImageAns(errors=v1.DeleteError(0)))]
    return real(self, version)


def _kept_image(real: Any, self: OwnDevice, block: bytes) -> None:
    if self._image[1] is None:
        real(self, block)


def _image_stays(real: Any, self: OwnDevice, *args: Any) -> None:
    image = self._image
    real(self, *args)
    self._image = image


def _installs_any(real: Any, self: OwnDevice, *args: Any) -> None:
    if self._image[0] in (
        v1.UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE,
        v1.UpImageStatus.WRONG_HARDWARE,
    ):
        self._fw_version += 1
    real(self, *args)


def _never_installs(real: Any, self: OwnDevice, *args: Any) -> None:
    version = self._fw_version
    real(self, *args)
    self._fw_version = version


def _image_in_ram(real: Any, self: OwnDevice, request: Any, events: Any) -> None:
    self._image = v1.UpImageStatus.NO_IMAGE, None
    real(self, request, events)


def _answer_lost(real: Any, self: OwnDevice, now: float, events: list[Any]) -> None:
    self._sends.clear()
    real(self, now, events)


_V = "ts006-v1/"

MUTANTS = [
    Mutant(
        "versions-change", "The hardware version counts up.", _V + "versions", _answers(_counting)
    ),
    Mutant(
        "versions-swapped",
        "Firmware and hardware version are swapped.",
        _V + "install-now",
        _answers(_swapped),
    ),
    Mutant(
        "nine-octets",
        "The answer buffer has nine octets.",
        _V + "several-answers",
        lambda: flags(firmware={"answer_octets": 9}),
    ),
    Mutant(
        "now-answered",
        "A reboot at once is answered with 0.",
        _V + "countdown-now",
        lambda: around(FirmwareDevice, "_reboot", _now_answered),
    ),
    Mutant(
        "now-never",
        "A reboot at once is ignored.",
        _V + "time-now",
        lambda: around(FirmwareDevice, "_reboot", _never_now),
    ),
    Mutant(
        "countdown-16-bits",
        "The countdown is cut to 16 bits.",
        _V + "countdown-200000",
        _after(lambda seconds: seconds & 0xFFFF),
    ),
    Mutant(
        "countdown-minutes",
        "The countdown counts minutes.",
        _V + "countdown-60",
        _after(lambda seconds: 60 * seconds),
    ),
    Mutant(
        "countdown-overflows",
        "A long countdown overflows.",
        _V + "countdown-longest",
        _after(lambda seconds: seconds % 100_000),
    ),
    Mutant(
        "cancel-ignored",
        "A cancel is confirmed and not done.",
        _V + "countdown-cancel",
        lambda: around(FirmwareDevice, "_execute", _never_cancels),
    ),
    Mutant(
        "cancel-own-kind",
        "A cancel cancels its own kind only.",
        _V + "cancel-other-kind",
        lambda: around(FirmwareDevice, "_execute", _kinds_apart),
    ),
    Mutant(
        "cancel-nothing",
        "A cancel without a reboot is an error.",
        _V + "cancel-nothing",
        lambda: around(FirmwareDevice, "_execute", _cancel_now),
    ),
    Mutant(
        "first-stays",
        "A programmed reboot cannot be replaced.",
        _V + "replace-later",
        lambda: around(FirmwareDevice, "_execute", _first_stays),
    ),
    Mutant(
        "past-accepted", "A time in the past is accepted.", _V + "time-past", _time(_past_accepted)
    ),
    Mutant(
        "now-is-future",
        "A time that is now is accepted, and the answer is 0.",
        _V + "time-is-now",
        lambda: flags(firmware={"now_is_future": True}),
    ),
    Mutant(
        "time-answer-absolute",
        "The answer is a time, not a delay.",
        _V + "time-3600",
        _answers(_absolute_answer),
    ),
    Mutant(
        "time-unknown-guessed",
        "Without the time the delay is guessed.",
        _V + "time-unknown",
        _time(_guessed),
    ),
    Mutant(
        "time-far-wraps",
        "A time far ahead wraps to now.",
        _V + "time-far",
        _time(_plain_comparison),
    ),
    Mutant(
        "time-not-moved",
        "A correction of the clock does not move the reboot.",
        _V + "time-moves-with-clock",
        lambda: around(FirmwareDevice, "set_offset", _clock_ignored),
    ),
    Mutant(
        "reboot-refusal-cancels",
        "A refused request cancels the reboot.",
        _V + "refused-keeps-reboot",
        lambda: flags(firmware={"refusal_cancels": True}),
    ),
    Mutant(
        "reboot-in-ram",
        "A programmed reboot is lost in a reset.",
        _V + "reboot-survives-reset",
        lambda: around(RebootSlot, "_store", _not_stored),
    ),
    Mutant(
        "reboot-again",
        "A reboot that has taken place is not forgotten.",
        _V + "reset-no-second-reboot",
        lambda: together(
            around(RebootSlot, "restore", _comes_back), around(RebootSlot, "clear", _cleared_in_ram)
        ),
    ),
    Mutant(
        "answer-lost",
        "Answers in front of a reboot are lost.",
        _V + "answer-before-reboot",
        lambda: around(OwnDevice, "_reboot", _answer_lost),
    ),
    Mutant(
        "firmware-by-multicast",
        "Commands are taken by multicast.",
        _V + "reboot-by-multicast",
        lambda: flags(firmware={"unicast_only_enforced": False}),
    ),
    Mutant("image-never-told", "There is never an image.", _V + "image-valid", _answers(_no_image)),
    Mutant(
        "image-status-wrong",
        "A corrupt image is for other hardware.",
        _V + "image-corrupt",
        _answers(_corrupt_is_wrong_hardware),
    ),
    Mutant(
        "image-not-replaced",
        "An image stays until it is installed.",
        _V + "image-replaced",
        lambda: around(OwnDevice, "_look_at", _kept_image),
    ),
    Mutant(
        "image-stays",
        "An installed image is reported for ever.",
        _V + "install-now",
        lambda: around(OwnDevice, "_reboot", _image_stays),
    ),
    Mutant(
        "image-not-installed",
        "A reboot installs nothing.",
        _V + "install-countdown",
        lambda: around(OwnDevice, "_reboot", _never_installs),
    ),
    Mutant(
        "image-unchecked",
        "A reboot installs whatever there is.",
        _V + "install-not-corrupt",
        lambda: around(OwnDevice, "_reboot", _installs_any),
    ),
    Mutant(
        "image-in-ram",
        "An image is lost in a reset.",
        _V + "image-survives-reset",
        lambda: around(OwnDevice, "_power_on", _image_in_ram),
    ),
    Mutant(
        "delete-any-version",
        "A delete takes any version.",
        _V + "delete-other-version",
        lambda: around(FirmwareDevice, "_delete", _delete_any),
    ),
    Mutant(
        "image-delete-nothing",
        "A delete is confirmed and not done.",
        _V + "delete-image",
        lambda: around(FirmwareDevice, "_delete", _delete_nothing),
    ),
    Mutant(
        "delete-corrupt",
        "A delete of a corrupt image is confirmed.",
        _V + "image-corrupt",
        lambda: around(FirmwareDevice, "_delete", _delete_corrupt),
    ),
    Mutant(
        "delete-bits-swapped",
        "The bits of the delete answer are swapped.",
        _V + "delete-none",
        _answers(_swapped_delete_bits),
    ),
    Mutant(
        "delete-cancels",
        "A delete cancels the reboot.",
        _V + "delete-keeps-reboot",
        lambda: around(FirmwareDevice, "_delete", _delete_cancels),
    ),
]
