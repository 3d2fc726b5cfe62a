"""Firmware Management (TS006), the device's side: versions, the image store, the one reboot.

The device remembers one programmed reboot; a later valid request replaces it, one that is refused
leaves it alone.  Whatever causes a reboot, an image that is valid then is installed: that is the
boot loader's business, and :meth:`FirmwareDevice.booted` tells the session how it ended.

    none --RebootTime, Countdown--> programmed --the moment comes--> Reboot     cancel: none

A reboot at an absolute time moves with the device's clock, one after a countdown does not.  A
programmed reboot does not survive an unplanned reset; the document asks nobody to rely on it.
"""

from __future__ import annotations

from typing import Final, final

from ..errors import FieldError, require_int
from ..firmwaremanagement import v1
from ..firmwaremanagement.v1 import UpImageStatus
from ..gpstime import from_wire
from ..wire import Command
from .actions import Action, Answer, DeleteImage, Reboot
from .gate import Results, let_in
from .profile import FirmwareProfile

__all__ = ["FirmwareDevice", "UpImageStatus"]

_NOW: Final = 0
_CANCEL_TIME: Final = 0xFFFFFFFF
_CANCEL_COUNTDOWN: Final = 0xFFFFFF
_CANNOT: Final = 0


@final
class FirmwareDevice:
    """The device's side of firmware management.  Knows no boot loader, no flash, no clock."""

    def __init__(
        self, profile: FirmwareProfile | None = None, *, fw_version: int, hw_version: int
    ) -> None:
        """Start with an empty image store and no reboot programmed.

        Args:
            profile: The stack imitated; None follows the document.
            fw_version: The running firmware, 32 bits, in the manufacturer's coding.
            hw_version: The hardware, 32 bits.

        Raises:
            FieldError: A version is not 32 bits.
        """
        self.profile = profile or FirmwareProfile()
        self.hw_version = require_int("FirmwareDevice", "hw_version", hw_version, 0, 0xFFFFFFFF)
        self.fw_version = require_int("FirmwareDevice", "fw_version", fw_version, 0, 0xFFFFFFFF)
        self.image_status = UpImageStatus.NO_IMAGE
        self.next_firmware_version: int | None = None
        self._offset: float | None = 0.0
        self._reboot_at: float | None = None
        self._reboot_time: int | None = None  # as requested, if it was an absolute time
        self._unknown_asked = False

    @property
    def reboot_at(self) -> float | None:
        """When the programmed reboot is due, in the owner's seconds, or None."""
        return self._reboot_at

    @property
    def wants_time(self) -> bool:
        """Whether a reboot was refused because the device does not know the time."""
        return self._unknown_asked

    def booted(self, fw_version: int) -> None:
        """Tell what runs after a reboot.  An image that runs now is no longer reported.

        Raises:
            FieldError: *fw_version* is not 32 bits.
        """
        self.fw_version = require_int("FirmwareDevice", "fw_version", fw_version, 0, 0xFFFFFFFF)
        self._cancel()
        if self.next_firmware_version == fw_version:
            self.store_image(UpImageStatus.NO_IMAGE)

    def store_image(self, status: UpImageStatus, *, version: int | None = None) -> None:
        """Tell what the image store holds now, after the checks in the order of the values.

        Args:
            status: What the checks found.
            version: Version that runs after installation; for a valid image, and only then.

        Raises:
            FieldError: A version is missing, or given although the image is not valid.
        """
        if (version is not None) is not (status is UpImageStatus.VALID):
            raise FieldError("FirmwareDevice", "version", version, "a version if valid, only then")
        if version is not None:
            require_int("FirmwareDevice", "version", version, 0, 0xFFFFFFFF)
        self.image_status, self.next_firmware_version = status, version

    def set_offset(self, offset: float | None, *, now: float) -> None:
        """Tell what the device's clock shows since it was set; a reboot at a time moves with it.

        Args:
            offset: GPS seconds less the owner's seconds; 0 at the start, which is for an owner who
                keeps GPS time.  None while the device does not know the time.
            now: The owner's seconds.
        """
        self._offset = offset
        if offset is None:
            return
        self._unknown_asked = False
        if self._reboot_time is not None:
            self._reboot_at = from_wire(self._reboot_time, near=now + offset) - offset

    def execute(
        self, command: Command, *, now: float, mc_group_id: int | None = None
    ) -> list[Answer | Action]:
        """Execute one command, in the order received.

        Args:
            command: A downlink of this package.
            now: The owner's seconds.
            mc_group_id: The group on whose address it arrived; None for unicast.
        """
        return let_in(
            command,
            self.profile.package,
            lambda: self._execute(command, now),
            unicast_only=mc_group_id is not None and self.profile.unicast_only_enforced,
        )

    def _execute(self, command: Command, now: float) -> Results | None:
        match command:
            case v1.DevVersionReq():
                versions = v1.DevVersionAns(fw_version=self.fw_version, hw_version=self.hw_version)
                return [Answer(versions)]
            case v1.DevRebootTimeReq(reboot_time=time):
                return self._at_time(time, now)
            case v1.DevRebootCountdownReq(countdown=seconds):
                return self._after(seconds, now)
            case v1.DevUpgradeImageReq():
                return [Answer(self._image())]
            case v1.DevDeleteImageReq(firmware_to_delete_version=version):
                return self._delete(version)
            case _:
                return None

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, in the owner's seconds."""
        return self._reboot_at

    def tick(self, *, now: float) -> list[Answer | Action]:
        """Reboot if it is time.  Harmless when called too early or too often."""
        if self._reboot_at is None or self._reboot_at > now:
            return []
        return self._reboot()

    # The commands

    def _cancel(self) -> None:
        self._reboot_at = self._reboot_time = None

    def _reboot(self) -> list[Answer | Action]:
        """Reboot without an answer (TS006-1.0.0: none shall be sent)."""
        self._cancel()
        return [Reboot(self.next_firmware_version)]

    def _at_time(self, time: int, now: float) -> list[Answer | Action]:
        if time == _NOW:
            return self._reboot()
        if time == _CANCEL_TIME:
            self._cancel()
            return [Answer(v1.DevRebootTimeAns(reboot_time=_CANCEL_TIME))]
        if self.profile.refusal_cancels:
            self._cancel()
        if self._offset is None:
            self._unknown_asked = True
            return [Answer(v1.DevRebootTimeAns(reboot_time=_CANNOT))]
        due = from_wire(time, near=now + self._offset) - self._offset
        if due < now or (due == now and not self.profile.now_is_future):
            return [Answer(v1.DevRebootTimeAns(reboot_time=_CANNOT))]  # a delay of 0 is an error
        self._reboot_at, self._reboot_time = due, time
        shortest = 0 if self.profile.now_is_future else 1
        return [Answer(v1.DevRebootTimeAns(reboot_time=max(shortest, int(due - now))))]

    def _after(self, seconds: int, now: float) -> list[Answer | Action]:
        if seconds == _NOW:
            return self._reboot()
        self._cancel()
        if seconds != _CANCEL_COUNTDOWN:
            self._reboot_at = now + seconds
        return [Answer(v1.DevRebootCountdownAns(countdown=seconds))]

    def _image(self) -> v1.DevUpgradeImageAns:
        version = self.next_firmware_version
        if version is not None and self.profile.ignores_versions:
            version = 0
        return v1.DevUpgradeImageAns(
            up_image_status=self.image_status, next_firmware_version=version
        )

    def _delete(self, version: int) -> list[Answer | Action]:
        errors, stored = v1.DeleteError(0), self.next_firmware_version
        if stored is None:
            errors = v1.DeleteError.NO_VALID_IMAGE
        elif stored != version and not self.profile.ignores_versions:
            errors = v1.DeleteError.INVALID_VERSION
        answer = Answer(v1.DevDeleteImageAns(errors=errors))
        if errors or stored is None:
            return [answer]
        self.store_image(UpImageStatus.NO_IMAGE)
        return [answer, DeleteImage(stored)]
