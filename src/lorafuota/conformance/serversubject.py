"""A server under test, as the kit sees it: requests in, events out.

The subject is the FUOTA server *above* a network server: it is given application uplinks and gives
application downlinks, both in the clear.  The kit plays the network server, the gateways and all
devices.  A downlink for one device reaches it at once; a server that wants to wait for an uplink of
the device first says so (``wants-uplinks``).

Time is GPS seconds and, as for a device under test, virtual unless the subject says otherwise: each
request says what time it is, and everything that was due until then has happened when the reply
comes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias

from ..catalogue import package
from ..errors import FieldError, require_int
from ..package import Package
from ..types import AppKey, DevAddr, DevEUI, GenAppKey, McKey, require_key
from .subject import Advance, MulticastFrame, check_about, named

__all__ = [
    "REACHED",
    "SERVER_CAPABILITIES",
    "STATUSES",
    "AddDevice",
    "Advance",
    "Begin",
    "Cancel",
    "DeviceEntry",
    "DeviceOutcome",
    "Downlink",
    "Ended",
    "GroupOrder",
    "MulticastDownlink",
    "MulticastFrame",
    "Pause",
    "RemoveDevice",
    "Restart",
    "Resume",
    "ServerAbout",
    "ServerEvent",
    "ServerReply",
    "ServerRequest",
    "ServerSubject",
    "Uplink",
    "WindowAnnounced",
]

SERVER_CAPABILITIES: Final[Mapping[str, str]] = {
    "unicast": "sends fragments to a single device",
    "class-b": "sends fragments to a group in class B windows",
    "class-c": "sends fragments to a group in class C windows",
    "asks-versions": "asks devices for their package versions, and is told none",
    "own-mc-key": "draws the key of a group itself, and is told none",
    "ports": "takes devices whose packages live on other ports",
    "counters": "tells the frame counters of what it sends by multicast",
    "outcomes": "reports the status of each device",
    "reached": "reports how far each device has come: transported, verified, installed",
    "repair": "sends more coded fragments to devices that miss some",
    "wants-uplinks": "sends to a device only after an uplink of it",
    "restart": "can be killed, and comes back with what it stored",
    "pause": "can be paused and resumed",
    "cancel": "can be cancelled",
    "add-device": "takes devices into an update that runs",
    "remove-device": "lets devices go from an update that runs",
}

STATUSES: Final = (
    "Initial",
    "Package_Not_Supported",
    "FragAlgo_unsupported",
    "Not_enough_memory",
    "FragIndex_unsupported",
    "Wrong_descriptor",
    "SessionCnt_replay",
    "MissingFrag",
    "MemoryError",
    "MICError",
    "Successful",
    "Device_exist_in_conflict_fuota_task",
)
"""The public vocabulary for the state of one device in an update (AWS IoT Core for LoRaWAN)."""

REACHED: Final = ("", "transported", "verified", "image valid", "installed")
"""How far a device has proved to have come; each step is more than the one before."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerAbout:
    """What a subject says of itself.

    Attributes:
        name: What stands in the report.
        versions: PackageVersions it speaks, by package name.  ``ts004`` is taken for
            ``fragmentation``, and so on, and becomes it.
        can: Names of :data:`SERVER_CAPABILITIES`.
        real_time: Whether its clock is its own.
        max_devices: Devices it takes into one update.

    Raises:
        FieldError: There is no such package, version or capability, or no such number.
    """

    name: str
    versions: Mapping[str, tuple[int, ...]]
    can: frozenset[str] = frozenset()
    real_time: bool = False
    max_devices: int = 1_000

    def __post_init__(self) -> None:
        check_about("ServerAbout", self.name, self.can, SERVER_CAPABILITIES)
        object.__setattr__(self, "versions", named("ServerAbout", "versions", self.versions))
        for name, versions in self.versions.items():
            if not versions:
                raise FieldError("ServerAbout", f"versions[{name}]", versions, "one at least")
            for version in versions:
                package(name, version)
        require_int("ServerAbout", "max_devices", self.max_devices, 1, 1 << 32)

    def speaks(self, package: Package) -> bool:
        """Whether it speaks that version of that package."""
        return package.version in self.versions.get(package.name, ())


# --- Requests -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEntry:
    """One device of the update, as a server is told of it.

    Attributes:
        dev_eui: Its identity.
        dev_addr: Its unicast address.
        root_key: GenAppKey (LoRaWAN 1.0.x) or AppKey (1.1).
        versions: PackageVersion by package name; empty if the server asks.
        fports: FPort by package name, where it is not the document's.
        multicast: Whether it belongs to a group; otherwise it is served by unicast.
        stack: Name of a stack whose quirks the operator knows it has, or empty.

    Raises:
        FieldError: The key is none, or of another class.
    """

    dev_eui: DevEUI
    dev_addr: DevAddr
    root_key: GenAppKey | AppKey
    versions: Mapping[str, int] = dataclasses.field(default_factory=dict)
    fports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    multicast: bool = True
    stack: str = ""

    def __post_init__(self) -> None:
        require_key("DeviceEntry", "root_key", self.root_key, GenAppKey, AppKey)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupOrder:
    """A multicast group the server shall use.

    Attributes:
        frag_version: TS004 version of its members: two parity matrices cannot share a frame.
        mc_addr: Its address.
        mc_key: Its key, or None if the server draws it.
        max_mc_fcnt: End of its counters.
        device_class: ``B`` or ``C``.
        dl_freq_hz: Frequency of its windows.
        dr: Data rate of its windows.
        frame_seconds: Time on air of one full frame.
        spacing_seconds: Between the starts of two frames, at least.

    Raises:
        FieldError: The key is of another class.
    """

    frag_version: int
    mc_addr: DevAddr
    mc_key: McKey | None
    max_mc_fcnt: int
    device_class: str
    dl_freq_hz: int
    dr: int
    frame_seconds: float
    spacing_seconds: float

    def __post_init__(self) -> None:
        if self.mc_key is not None:
            require_key("GroupOrder", "mc_key", self.mc_key, McKey)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Forget everything, and begin this update.

    Attributes:
        time: GPS seconds.
        image: What to deliver.
        frag_size: FragSize.
        descriptor: Descriptor, 4 octets as they travel.
        redundancy: Coded fragments of the first pass, as a share of the plain ones.
        devices: To whom.
        groups: Multicast groups to use, at most one for each TS004 version.
        fw_version: Version to install and confirm (TS006), or None to leave the image alone.
    """

    time: float
    image: bytes = dataclasses.field(repr=False)
    frag_size: int
    descriptor: bytes
    redundancy: float
    devices: tuple[DeviceEntry, ...]
    groups: tuple[GroupOrder, ...] = ()
    fw_version: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Uplink:
    """A device sent a payload, in the clear here; it began at *time*."""

    time: float
    dev_eui: DevEUI
    fport: int
    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Restart:
    """The process was killed, and comes back with what it had stored.

    What it sent before is sent; what it only had in memory is gone.
    """

    time: float


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """The operator wants nothing more to be sent for now."""

    time: float


@dataclasses.dataclass(frozen=True, slots=True)
class Resume:
    """The operator ends a pause."""

    time: float


@dataclasses.dataclass(frozen=True, slots=True)
class Cancel:
    """The operator wants the update to end."""

    time: float


@dataclasses.dataclass(frozen=True, slots=True)
class AddDevice:
    """The operator adds a device."""

    time: float
    device: DeviceEntry


@dataclasses.dataclass(frozen=True, slots=True)
class RemoveDevice:
    """The operator takes a device out."""

    time: float
    dev_eui: DevEUI


ServerRequest: TypeAlias = (
    Begin | Uplink | Advance | Restart | Pause | Resume | Cancel | AddDevice | RemoveDevice
)


# --- Events ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Downlink:
    """A payload for one device, in the clear."""

    time: float
    dev_eui: DevEUI
    fport: int
    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class MulticastDownlink:
    """A payload for a group, in the clear; *time* is when it goes on air.

    *fcnt* is its frame counter, None if the network server counts.  A server that builds frames
    itself sends :class:`.subject.MulticastFrame` instead.
    """

    time: float
    mc_addr: DevAddr
    fport: int
    payload: bytes
    fcnt: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class WindowAnnounced:
    """A group is going to listen from *start* until *end*; optional."""

    time: float
    mc_addr: DevAddr
    start: float
    end: float


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceOutcome:
    """How the update ended for one device; the last one counts.

    *status* is one of :data:`STATUSES`, *reached* one of :data:`REACHED`.
    """

    time: float
    dev_eui: DevEUI
    status: str
    reached: str = ""
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """The update is over for every device."""

    time: float


ServerEvent: TypeAlias = (
    Downlink | MulticastDownlink | MulticastFrame | WindowAnnounced | DeviceOutcome | Ended
)


@dataclasses.dataclass(frozen=True, slots=True)
class ServerReply:
    """What happened until the time of the request, in order; and when something is due next.

    *next* is None where nothing is due, or the server does not know; it is then called every
    second.
    """

    events: tuple[ServerEvent, ...] = ()
    next: float | None = None


class ServerSubject(Protocol):
    """A server under test."""

    @property
    def about(self) -> ServerAbout:
        """What it says of itself."""

    def exchange(self, request: ServerRequest) -> ServerReply:
        """Carry out one request.  Times never go back.

        Raises:
            SubjectError: It does not work any more.
        """
