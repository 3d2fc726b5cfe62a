"""Firmware management (TS006), the server's side: one image on one device, to the confirmed reboot.

The image is there; what is left is to look, to reboot and to look again.  Every command can be
repeated without harm, so nothing has to survive a restart of the server: begin again with
:meth:`FirmwareServer.start`, and a device that is further already says so::

    VERSION --right start--> IMAGE --valid--> REBOOT --confirmed--> REBOOTING --> CONFIRM --> end
       |                       `-- none yet: asked again  `-- silence: it may have --'
       `--runs already--> end
    any --cancel--> CANCEL --> DELETE --> CHECK --> end

A reboot that is due at once has no answer, and one whose answer was lost looks the same: the server
waits until it would be over, reads the version, and asks again if it was never confirmed.  A device
that refuses an absolute time, or whose clock is off, is given the seconds that are left instead.

What single answers mean is :mod:`.firmwareanswers`.
"""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Final, final

from ..errors import FieldError, StateError, require_int, require_time
from ..firmwaremanagement import v1
from ..firmwaremanagement.v1 import DeleteError
from ..gpstime import to_wire
from ..types import UPLINK, BytesLike
from ..wire import Command
from .actions import Dropped, DropReason, Rejected
from .firmwareanswers import (
    CANCEL_TIME,
    MAX_COUNTDOWN,
    RebootAns,
    cancel_req,
    image_outcome,
    is_cancelled,
    reboot_seconds,
    runs_outcome,
)
from .firmwarestage import CALLED_OFF, MAY_REBOOT, FirmwareStage
from .retries import Retries
from .serveractions import (
    Downlink,
    FirmwareEnded,
    FirmwareOutcome,
    RebootExpected,
    ServerAction,
    VersionsRead,
)

__all__ = ["FirmwareServer"]

_CLOCK_TOLERANCE: Final = 60.0
"""By how much a device may disagree about the moment of a reboot."""


@final
class FirmwareServer:
    """The server's messages for one image and one device.  Plain data; knows no clock."""

    def __init__(
        self,
        version: int,
        *,
        hw_versions: Container[int] | None = None,
        from_versions: Container[int] | None = None,
        reboot_at: float | None = None,
        countdown_seconds: int = 60,
        boot_seconds: float = 120.0,
        accepts_zero: bool = False,
        retries: Retries = Retries(),  # noqa: B008  frozen
        fport: int = v1.PACKAGE.fport,
    ) -> None:
        """Describe what is wanted.

        Args:
            version: What is to run in the end, 32 bits, in the manufacturer's coding.
            hw_versions: Hardware the image is for; None for any.
            from_versions: Versions the image starts from, for a delta; None for any.
            reboot_at: GPS time of the reboot; None to count from the device's confirmation.
            countdown_seconds: Seconds to the reboot without *reboot_at*, 0 (at once, never
                confirmed) to 16777214.
            boot_seconds: From the reboot until the device can be asked again.
            accepts_zero: Take version 0 of a valid image for a version not told (ST, Actility).
            retries: For every question, and for the number of reboots asked for.
            fport: The port of the package, 1 to 224.

        Raises:
            FieldError: A number is out of range, or a container cannot hold versions.
        """
        self.version = require_int("FirmwareServer", "version", version, 0, 0xFFFFFFFF)
        require_int("FirmwareServer", "countdown_seconds", countdown_seconds, 0, MAX_COUNTDOWN)
        if reboot_at is not None:
            require_time("FirmwareServer", "reboot_at", reboot_at)
            if to_wire(reboot_at) in (0, CANCEL_TIME):
                expected = "a time whose 32 bits do not mean now or never"
                raise FieldError("FirmwareServer", "reboot_at", reboot_at, expected)
        if not 0 <= boot_seconds < math.inf:
            expected = "0 or more, and finite"
            raise FieldError("FirmwareServer", "boot_seconds", boot_seconds, expected)
        for field, versions in (("hw_versions", hw_versions), ("from_versions", from_versions)):
            if not _holds_numbers(versions):
                expected = "a container of versions, or None"
                raise FieldError("FirmwareServer", field, versions, expected)
        self.hw_versions, self.from_versions = hw_versions, from_versions
        self.boot_seconds, self.accepts_zero, self.retries = boot_seconds, accepts_zero, retries
        self.fport = require_int("FirmwareServer", "fport", fport, 1, 224)
        self._reboot_at, self._countdown = reboot_at, countdown_seconds
        self._by_time = reboot_at is not None
        self._stage = FirmwareStage.IDLE
        self._due: float | None = None
        self._tries = 0
        self._reboots = 0  # asked for, over all
        self._answers = 0  # ... and confirmed
        self._eta = 0.0  # when the reboot takes place at the latest, as far as is known
        self._detail = ""  # the latest answer that was not the hoped-for one
        self._unsure = ""  # what a cancellation has not seen confirmed

    @property
    def stage(self) -> FirmwareStage:
        """What the server is about to learn."""
        return self._stage

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, GPS seconds."""
        return self._due

    # The inputs

    def start(self, *, now: float) -> list[ServerAction]:
        """Begin.

        Raises:
            FieldError: *now* is no time.
            StateError: It has begun already.
        """
        require_time("FirmwareServer", "now", now)
        if self._stage is not FirmwareStage.IDLE:
            raise StateError("FirmwareServer.start", f"the stage is {self._stage.name}")
        return self._enter(FirmwareStage.VERSION, now)

    def cancel(self, *, now: float) -> list[ServerAction]:
        """Call the reboot off, delete the image, and see what runs then.

        Raises:
            FieldError: *now* is no time.
            StateError: It is over, or being cancelled already.
        """
        require_time("FirmwareServer", "now", now)
        if self._stage is FirmwareStage.ENDED or self._stage in CALLED_OFF:
            raise StateError("FirmwareServer.cancel", f"the stage is {self._stage.name}")
        self._detail = ""
        return self._enter(FirmwareStage.CANCEL, now)

    def receive(self, payload: BytesLike, *, now: float) -> list[ServerAction]:
        """Take an uplink on the package's port; return what it caused, in order.

        Args:
            payload: FRMPayload in the clear.
            now: GPS time at which it arrived.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("FirmwareServer", "now", now)
        payload = bytes(payload)
        actions: list[ServerAction] = []
        for parsed in v1.PACKAGE.parse(payload, UPLINK):
            if isinstance(parsed, Command):
                actions += self.take(parsed, now=now)
            else:
                actions.append(Rejected(self.fport, payload, parsed.error))
        return actions

    def take(self, command: Command, *, now: float) -> list[ServerAction]:
        """Take one answer, for an owner who parses himself or reads it from a command set.

        An answer that comes late, twice, or to another question changes nothing.

        Args:
            command: An uplink of this package.
            now: GPS time at which it arrived.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("FirmwareServer", "now", now)
        match command:
            case v1.DevVersionAns():
                return self._versions(command, now)
            case v1.DevUpgradeImageAns() if self._stage is FirmwareStage.IMAGE:
                return self._image(command, now)
            case v1.DevUpgradeImageAns() if self._stage is FirmwareStage.DIAGNOSE:
                return self._diagnosis(command)
            case v1.DevRebootTimeAns() | v1.DevRebootCountdownAns():
                return self._reboot(command, now)
            case v1.DevDeleteImageAns() if self._stage is FirmwareStage.DELETE:
                if command.errors & DeleteError.INVALID_VERSION:
                    self._detail = "the device holds another image"
                return self._enter(FirmwareStage.CHECK, now)
            case _:
                return [_unasked(command)]

    def tick(self, *, now: float) -> list[ServerAction]:
        """Let time pass: ask again, go on, or give up.  Harmless when called too early.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("FirmwareServer", "now", now)
        if self._due is None or self._due > now:
            return []
        if self._stage is FirmwareStage.REBOOTING:
            return self._enter(FirmwareStage.CONFIRM, now)
        if self._stage is FirmwareStage.REBOOT and self._reboots and now >= self._over:
            return self._enter(FirmwareStage.CONFIRM, now)
        return self._ask(now)

    # Asking

    @property
    def asked(self) -> Command | None:
        """What the device is asked at present, for an owner who sends it in a command set."""
        match self._stage:
            case FirmwareStage.VERSION | FirmwareStage.CONFIRM | FirmwareStage.CHECK:
                return v1.DevVersionReq()
            case FirmwareStage.IMAGE | FirmwareStage.DIAGNOSE:
                return v1.DevUpgradeImageReq()
            case FirmwareStage.CANCEL:
                return cancel_req()
            case FirmwareStage.DELETE:
                return v1.DevDeleteImageReq(firmware_to_delete_version=self.version)
            case FirmwareStage.REBOOT if self._by_time and self._reboot_at is not None:
                return v1.DevRebootTimeReq(reboot_time=to_wire(self._reboot_at))
            case FirmwareStage.REBOOT:
                return v1.DevRebootCountdownReq(countdown=self._countdown)
            case _:
                return None

    @property
    def _over(self) -> float:
        """When a reboot that was asked for is over, whether or not it was confirmed."""
        return self._eta + self.boot_seconds

    def _enter(self, stage: FirmwareStage, now: float) -> list[ServerAction]:
        self._stage, self._tries = stage, 0
        if stage is FirmwareStage.REBOOTING:
            self._due = max(now, self._over)
            return []
        if stage is FirmwareStage.CONFIRM:
            self._detail = ""
        return self._ask(now)

    def _ask(self, now: float) -> list[ServerAction]:
        tries = self._reboots if self._stage is FirmwareStage.REBOOT else self._tries
        if tries >= self.retries.tries:
            return self._silence(now)
        self._tries += 1
        self._due = now + self.retries.seconds
        if self._stage is FirmwareStage.REBOOT and not self._program(now):
            if self._reboots and not self._detail:  # it may reboot all the same
                return self._enter(FirmwareStage.REBOOTING, now)
            return self._end(FirmwareOutcome.REBOOT_REFUSED, "the time of the reboot is over")
        command = self.asked
        return [] if command is None else [Downlink(self.fport, command)]

    def _program(self, now: float) -> bool:
        """Note when the reboot about to be asked for takes place; False if that time is over."""
        if self._reboot_at is not None:
            left = int(self._reboot_at - now)
            if left < 1:
                return False
            self._by_time = self._by_time or left > MAX_COUNTDOWN
            if not self._by_time:
                self._countdown = left
            self._eta = self._reboot_at
        else:
            self._eta = now + self._countdown
        self._reboots += 1
        if not self._by_time and self._countdown == 0:
            self._due = self._over
        return True

    def _silence(self, now: float) -> list[ServerAction]:
        """Go on after the last try."""
        match self._stage:
            case FirmwareStage.IMAGE if self._detail:
                return self._end(FirmwareOutcome.NO_IMAGE, self._detail)
            case FirmwareStage.REBOOT if self._detail:
                return self._end(FirmwareOutcome.REBOOT_REFUSED, self._detail)
            case FirmwareStage.REBOOT:  # it may reboot all the same
                return self._enter(FirmwareStage.REBOOTING, now)
            case FirmwareStage.CONFIRM if self._detail:
                return self._enter(FirmwareStage.DIAGNOSE, now)
            case FirmwareStage.DIAGNOSE:
                return self._end(FirmwareOutcome.NOT_UPDATED, self._detail)
            case FirmwareStage.CANCEL:
                self._unsure = "the reboot may still come"
                return self._enter(FirmwareStage.DELETE, now)
            case FirmwareStage.DELETE:
                self._unsure = self._unsure or "the image may still be there"
                return self._enter(FirmwareStage.CHECK, now)
            case stage:
                return self._end(FirmwareOutcome.NO_ANSWER, self._unsure or f"in {stage.name}")

    def _end(self, outcome: FirmwareOutcome, detail: str) -> list[ServerAction]:
        self._stage, self._due = FirmwareStage.ENDED, None
        return [FirmwareEnded(outcome, detail)]

    # Answers

    def _versions(self, answer: v1.DevVersionAns, now: float) -> list[ServerAction]:
        read = VersionsRead(answer.fw_version, answer.hw_version)
        updated = answer.fw_version == self.version
        match self._stage:
            case FirmwareStage.VERSION:
                found = runs_outcome(
                    answer,
                    version=self.version,
                    hw_versions=self.hw_versions,
                    from_versions=self.from_versions,
                )
                if found is not None:
                    return [read, *self._end(*found)]
                return [read, *self._enter(FirmwareStage.IMAGE, now)]
            case FirmwareStage.REBOOT | FirmwareStage.REBOOTING | FirmwareStage.CONFIRM if updated:
                return [read, *self._end(FirmwareOutcome.CONFIRMED, "")]
            case FirmwareStage.CONFIRM:
                self._detail = f"it runs version 0x{answer.fw_version:08X}"  # asked again
                confirmed = self._answers or self._reboots >= self.retries.tries
                if confirmed or self._reboot_at is not None:
                    return [read]
                self._detail = ""
                return [read, *self._enter(FirmwareStage.REBOOT, now)]
            case FirmwareStage.CHECK if updated:
                detail = "the cancellation came too late"
                return [read, *self._end(FirmwareOutcome.CONFIRMED, detail)]
            case FirmwareStage.CHECK if self._unsure:
                return [read, *self._end(FirmwareOutcome.NO_ANSWER, self._unsure)]
            case FirmwareStage.CHECK:
                return [read, *self._end(FirmwareOutcome.CANCELLED, self._detail)]
            case _:
                return [_unasked(answer)]

    def _image(self, answer: v1.DevUpgradeImageAns, now: float) -> list[ServerAction]:
        found = image_outcome(answer, version=self.version, accepts_zero=self.accepts_zero)
        if found is None:
            self._detail = ""
            return self._enter(FirmwareStage.REBOOT, now)
        outcome, detail = found
        if outcome is FirmwareOutcome.NO_IMAGE:
            self._detail = detail  # or it is still being checked: asked again
            return []
        return self._end(outcome, detail)

    def _diagnosis(self, answer: v1.DevUpgradeImageAns) -> list[ServerAction]:
        found = image_outcome(answer, version=self.version, accepts_zero=self.accepts_zero)
        what = "the image waits for a reboot" if found is None else found[1]
        return self._end(FirmwareOutcome.NOT_UPDATED, f"{self._detail}; {what}")

    def _reboot(self, answer: RebootAns, now: float) -> list[ServerAction]:
        cancelled = is_cancelled(answer)
        if self._stage is FirmwareStage.CANCEL and cancelled:
            return self._enter(FirmwareStage.DELETE, now)
        by_time = isinstance(answer, v1.DevRebootTimeAns)
        if self._stage not in MAY_REBOOT or cancelled or by_time is not self._by_time:
            return [_unasked(answer)]
        seconds = reboot_seconds(answer)
        if self._stage is not FirmwareStage.REBOOT:
            return self._postponed(answer, seconds, now)
        if seconds is None or (by_time and abs(now + seconds - self._eta) > _CLOCK_TOLERANCE):
            return self._refused(now, "its clock is off" if seconds else "the device cannot")
        self._answers += 1
        self._eta = self._promised(seconds, now)
        self._detail = ""
        return [RebootExpected(self._eta), *self._enter(FirmwareStage.REBOOTING, now)]

    def _promised(self, seconds: int, now: float) -> float:
        """Return when a device reboots: never later than it was asked to by the last request."""
        return min(now + seconds, now + self._countdown) if not self._by_time else now + seconds

    def _postponed(self, answer: RebootAns, seconds: int | None, now: float) -> list[ServerAction]:
        """Take an answer that comes late, or to a request sent twice: the later reboot counts."""
        if seconds is None or self._answers >= self._reboots:
            return [_unasked(answer)]
        self._answers += 1
        self._eta = max(self._eta, self._promised(seconds, now))
        return [RebootExpected(self._eta), *self._enter(FirmwareStage.REBOOTING, now)]

    def _refused(self, now: float, why: str) -> list[ServerAction]:
        """Give a device that cannot keep a time the seconds that are left; it needs no clock."""
        if self._by_time and self._reboot_at is not None:
            left = self._reboot_at - now
            if 1 <= left <= MAX_COUNTDOWN:
                self._by_time = False
                return self._ask(now)
        self._detail = why  # asked again until the tries are used up
        return []


def _holds_numbers(versions: Container[int] | None) -> bool:
    """Say whether versions can be looked up, before the answer of a device does."""
    try:
        return versions is None or isinstance(0 in versions, bool)
    except TypeError:
        return False


def _unasked(command: Command) -> Dropped:
    return Dropped(DropReason.UNASKED, type(command).__name__)
