"""Firmware Management (TS006), the device's side: versions, the image store, the one reboot.

The device remembers one programmed reboot; a later valid request replaces it, one that is refused
leaves it alone.  Whatever causes a reboot, an image that is valid then is installed: that is the
boot loader's business, and :meth:`FirmwareDevice.booted` tells the session how it ended.

    none --RebootTime, Countdown--> programmed --the moment comes--> Reboot     cancel: none

What becomes of it when the clock is set, or in a reset, is the matter of
:mod:`lorafuota.session.rebootslot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

from ..errors import FieldError, require_int
from ..firmwaremanagement import v1
from ..firmwaremanagement.v1 import UpImageStatus
from ..gpstime import from_wire
from ..wire import Command
from .actions import Action, Answer, DeleteImage, Reboot
from .firmwareanswers import CANCEL_COUNTDOWN, CANCEL_TIME
from .gate import Results, let_in
from .profile import FirmwareProfile
from .rebootslot import RebootSlot
from .saved import SavedState

__all__ = ["FirmwareDevice", "UpImageStatus"]

_NOW: Final = 0
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
        self._slot = RebootSlot()
        self._unknown_asked = False

    @property
    def reboot_at(self) -> float | None:
        """When the programmed reboot is due, in the owner's seconds, or None."""
        return self._slot.due

    @property
    def wants_time(self) -> bool:
        """Whether a reboot waits, or was refused, because the device does not know the time."""
        return self._unknown_asked or self._slot.waiting

    def booted(self, fw_version: int) -> list[Action]:
        """Tell what runs after a reboot.  An image that runs now is no longer reported.

        Returns:
            What to store: a reboot that was programmed for another firmware is forgotten.

        Raises:
            FieldError: *fw_version* is not 32 bits.
        """
        require_int("FirmwareDevice", "fw_version", fw_version, 0, 0xFFFFFFFF)
        changed, self.fw_version = self.fw_version != fw_version, fw_version
        if self.next_firmware_version == fw_version:
            self.store_image(UpImageStatus.NO_IMAGE)
        return self._slot.clear() if changed else []

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

    def set_offset(self, offset: float | None, *, now: float) -> list[Action]:
        """Tell what the device's clock shows since it was set; a reboot at a time moves with it.

        Args:
            offset: GPS seconds less the owner's seconds; 0 at the start, which is for an owner who
                keeps GPS time.  None while the device does not know the time.
            now: The owner's seconds.
        """
        self._offset = offset
        if offset is None:
            return []
        self._unknown_asked = False
        return self._slot.set_offset(offset, now=now)

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
        return self._slot.due

    def tick(self, *, now: float) -> list[Answer | Action]:
        """Reboot if it is time.  Harmless when called too early or too often."""
        if self._slot.due is None or self._slot.due > now:
            return []
        return self._reboot()

    def export(self) -> SavedState:
        """Return what has to survive a reset; versions and image are the boot loader's."""
        return self._slot.export()

    def restore(self, state: Mapping[str, object], *, now: float) -> list[Action]:
        """Take over, at the start, what was stored before a reset; return what to store.

        Raises:
            FieldError: An entry cannot be read.
        """
        return self._slot.restore(state, now=now, offset=self._offset, firmware=self.fw_version)

    # The commands

    def _reboot(self) -> list[Answer | Action]:
        """Reboot without an answer (TS006-1.0.0: none shall be sent)."""
        return [*self._slot.clear(), Reboot(self.next_firmware_version)]

    def _at_time(self, time: int, now: float) -> list[Answer | Action]:
        if time == _NOW:
            return self._reboot()
        if time == CANCEL_TIME:
            return [*self._slot.clear(), Answer(v1.DevRebootTimeAns(reboot_time=CANCEL_TIME))]
        cleared = self._slot.clear() if self.profile.refusal_cancels else []
        if self._offset is None:
            self._unknown_asked = True
            return [*cleared, Answer(v1.DevRebootTimeAns(reboot_time=_CANNOT))]
        due = from_wire(time, near=now + self._offset) - self._offset
        if due < now or (due == now and not self.profile.now_is_future):
            # a delay of 0 is an error
            return [*cleared, Answer(v1.DevRebootTimeAns(reboot_time=_CANNOT))]
        stored = self._slot.at_time(time, due, firmware=self.fw_version)
        shortest = 0 if self.profile.now_is_future else 1
        return [
            *cleared,
            *stored,
            Answer(v1.DevRebootTimeAns(reboot_time=max(shortest, int(due - now)))),
        ]

    def _after(self, seconds: int, now: float) -> list[Answer | Action]:
        if seconds == _NOW:
            return self._reboot()
        if seconds == CANCEL_COUNTDOWN:
            stored = self._slot.clear()
        else:
            stored = self._slot.after(
                seconds, now=now, offset=self._offset, firmware=self.fw_version
            )
        return [*stored, Answer(v1.DevRebootCountdownAns(countdown=seconds))]

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
