"""What the sessions of a server ask their owner to do, and what they tell."""

from __future__ import annotations

import dataclasses
import enum
from typing import TypeAlias

from ..multipackage.commandset import CommandSet, PackagedCommand
from ..multipackage.v1 import PackageInfo
from ..package import Package
from ..types import DevEUI
from ..wire import Command
from .actions import Dropped, Rejected

__all__ = [
    "ClockChecked",
    "Downlink",
    "FirmwareEnded",
    "FirmwareOutcome",
    "PackagesFound",
    "PeriodAnswered",
    "RebootExpected",
    "ServerAction",
    "SetAnswered",
    "SetFailed",
    "SetFailure",
    "Unanswered",
    "VersionAnswered",
    "VersionsRead",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Downlink:
    """Queue a message for the device, in the clear.

    If an earlier one with a command of the same class still waits in the queue for this device,
    take it out: it is out of date.  That does not go for a CommandSet.
    """

    fport: int
    command: Command | CommandSet
    device: DevEUI | None = None
    """Which device, from a session that serves many."""

    @property
    def payload(self) -> bytes:
        """FRMPayload in the clear."""
        return self.command.encode()


@dataclasses.dataclass(frozen=True, slots=True)
class ClockChecked:
    """What a device's clock showed when an uplink of it began (TS003)."""

    device: DevEUI
    error_seconds: int
    """By how much the clock was late (positive) or early (negative), before any correction."""
    in_sync: bool
    """Whether that is within the threshold."""
    corrected: bool | None = None
    """Whether the device has applied the last AppTimeAns; None if that cannot be told: there was
    none, or its token has jumped, as after a reset."""


@dataclasses.dataclass(frozen=True, slots=True)
class PeriodAnswered:
    """A device takes the period of its AppTimeReq from the server, or does not (TS003)."""

    device: DevEUI
    period: int
    supported: bool


@dataclasses.dataclass(frozen=True, slots=True)
class VersionAnswered:
    """A device told its version of a package."""

    device: DevEUI
    version: int


@dataclasses.dataclass(frozen=True, slots=True)
class Unanswered:
    """A device did not answer, however often it was asked; nobody asks any more."""

    device: DevEUI
    command: Command


@dataclasses.dataclass(frozen=True, slots=True)
class VersionsRead:
    """A device told what runs on what (TS006)."""

    fw_version: int
    hw_version: int


@dataclasses.dataclass(frozen=True, slots=True)
class RebootExpected:
    """A device has confirmed that it reboots, at this GPS time (TS006)."""

    at: float


class FirmwareOutcome(enum.Enum):
    """How the installation of one image on one device ended (TS006)."""

    CONFIRMED = "the device runs the wanted version"
    WRONG_HARDWARE = "the hardware is not one of those the image is for"
    WRONG_START = "the image does not start from the version that runs"
    NO_IMAGE = "no image is stored"
    BAD_IMAGE = "the stored image is corrupt or its signature wrong"
    OTHER_IMAGE = "the stored image is of another version"
    REBOOT_REFUSED = "the device cannot reboot as asked"
    NOT_UPDATED = "after the reboot another version runs"
    CANCELLED = "no reboot is programmed and the image is gone"
    NO_ANSWER = "the device does not answer"


@dataclasses.dataclass(frozen=True, slots=True)
class FirmwareEnded:
    """A firmware session is over."""

    outcome: FirmwareOutcome
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class PackagesFound:
    """A device told its packages (TS007, DevPackageAns)."""

    packages: tuple[PackageInfo, ...]
    usable: tuple[Package, ...]
    """Those this library knows in that version."""


@dataclasses.dataclass(frozen=True, slots=True)
class SetAnswered:
    """A command set is over: its ANS buffer has been read to the end (TS007)."""

    commands: tuple[PackagedCommand, ...]
    answers: tuple[PackagedCommand, ...]
    """Everything that was in the buffer, in order."""
    unanswered: tuple[PackagedCommand, ...] = ()
    """Commands the device has left out: it stopped before them, or its buffer had no room."""


class SetFailure(enum.Enum):
    """Why a command set came to nothing (TS007)."""

    NO_ANSWER = "nothing came, however often asked"
    INCOMPLETE = "a part of the ANS buffer never came"
    TOO_LONG = "the command does not fit a downlink at the present data rate"


@dataclasses.dataclass(frozen=True, slots=True)
class SetFailed:
    """A command set is given up.  The device may have executed it all the same."""

    commands: tuple[PackagedCommand, ...]
    failure: SetFailure
    answers: tuple[PackagedCommand, ...] = ()
    """Those that could be read."""


ServerAction: TypeAlias = (
    Downlink
    | ClockChecked
    | PeriodAnswered
    | VersionAnswered
    | Unanswered
    | VersionsRead
    | RebootExpected
    | FirmwareEnded
    | PackagesFound
    | SetAnswered
    | SetFailed
    | Rejected
    | Dropped
)
