"""A device under test, as the kit sees it: requests in, events out.

The same few values whatever is behind them: an object in this process, a program on a pipe, a board
on a serial line (:mod:`.lines` writes them as JSON).

Time is GPS seconds.  In virtual time the device has no clock of its own: each request says what
time it is, and everything that was due until then has happened when the reply comes.  In real time
a request carries the time as well, and the transport waits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias

from ..catalogue import PackageMap
from ..errors import FieldError, require_int
from ..types import AppKey, DevAddr, DevEUI, GenAppKey, require_key

__all__ = [
    "About",
    "Advance",
    "BlockDelivered",
    "BlockLost",
    "ClassChanged",
    "DeviceEvent",
    "DeviceRequest",
    "DeviceSubject",
    "Downlink",
    "MulticastFrame",
    "PowerOn",
    "Rebooted",
    "Reply",
    "SubjectError",
    "Uplink",
]


class SubjectError(Exception):
    """The subject, or the way to it, does not work: it died, said nonsense, or nothing in time."""


CAPABILITIES: Final[Mapping[str, str]] = {
    "power-cycle": "keeps over PowerOn(factory=False) what a device must not forget",
    "frames": "takes multicast frames as PHYPayload, and does the link layer itself",
    "class-b": "has class B",
    "class-c": "has class C",
    "blocks": "reports blocks that are complete",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a subject says of itself.

    Attributes:
        name: What stands in the report.
        versions: PackageVersion by package name; what is missing it does not speak.
        fports: FPort by package name, where it is not the document's.
        can: Names of :data:`CAPABILITIES`.
        real_time: Whether its clock is its own.
        mc_groups: Multicast groups it holds, 1 to 4.
        frag_indices: Fragmentation sessions it holds, 1 to 4.
        max_nb_frag: Largest NbFrag it takes.
        max_block_octets: Largest block it takes.
        max_payload: Octets an uplink of it carries.

    Raises:
        FieldError: There is no such package, version, port or capability, or no such number.
    """

    name: str
    versions: Mapping[str, int]
    fports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    can: frozenset[str] = frozenset()
    real_time: bool = False
    mc_groups: int = 4
    frag_indices: int = 4
    max_nb_frag: int = 16_383
    max_block_octets: int = 1 << 20
    max_payload: int = 242

    def __post_init__(self) -> None:
        PackageMap(self.versions, self.fports)
        unknown = sorted(self.can - CAPABILITIES.keys())
        if unknown:
            raise FieldError("About", "can", unknown, f"of {', '.join(CAPABILITIES)}")
        for name, lowest, highest in (
            ("mc_groups", 1, 4),
            ("frag_indices", 1, 4),
            ("max_nb_frag", 1, 16_383),
            ("max_block_octets", 1, 16_383 * 255),
            ("max_payload", 11, 242),
        ):
            require_int("About", name, getattr(self, name), lowest, highest)


# --- Requests -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PowerOn:
    """Begin, or begin again.

    With *factory* the device forgets everything; otherwise it keeps what its flash holds.  Its
    clock is right, as after DeviceTimeAns, if *clock_known*.  A device with keys of its own may
    ignore the key if its owner has told it to the kit.

    Raises:
        FieldError: The key is none, or of another class.
    """

    time: float
    factory: bool
    clock_known: bool
    dev_eui: DevEUI
    dev_addr: DevAddr
    root_key: GenAppKey | AppKey

    def __post_init__(self) -> None:
        require_key("PowerOn", "root_key", self.root_key, GenAppKey, AppKey)


@dataclasses.dataclass(frozen=True, slots=True)
class Downlink:
    """A payload in the clear; with *mc_addr* it came by multicast, with *fcnt*.

    Multicast downlinks go this way only to a device without the capability ``frames``.
    """

    time: float
    fport: int
    payload: bytes
    mc_addr: DevAddr | None = None
    fcnt: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class MulticastFrame:
    """A multicast PHYPayload, MHDR to MIC."""

    time: float
    phy: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Advance:
    """Let time pass until *time*."""

    time: float


DeviceRequest: TypeAlias = PowerOn | Downlink | MulticastFrame | Advance


# --- Events ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Uplink:
    """The device sent a payload, in the clear here."""

    time: float
    fport: int
    payload: bytes

    def __post_init__(self) -> None:
        require_int("Uplink", "fport", self.fport, 0, 255)


@dataclasses.dataclass(frozen=True, slots=True)
class ClassChanged:
    """The device listens in class ``B`` or ``C`` for a group from now on, or in ``A`` again."""

    time: float
    device_class: str
    mc_group_id: int | None = None

    def __post_init__(self) -> None:
        if self.device_class not in ("A", "B", "C"):
            raise FieldError("ClassChanged", "device_class", self.device_class, "A, B or C")
        if self.mc_group_id is not None:
            require_int("ClassChanged", "mc_group_id", self.mc_group_id, 0, 3)


@dataclasses.dataclass(frozen=True, slots=True)
class BlockDelivered:
    """A block is complete and was handed over, without padding."""

    time: float
    frag_index: int
    data: bytes = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        require_int("BlockDelivered", "frag_index", self.frag_index, 0, 3)


@dataclasses.dataclass(frozen=True, slots=True)
class BlockLost:
    """A block was given up, or has another MIC."""

    time: float
    frag_index: int

    def __post_init__(self) -> None:
        require_int("BlockLost", "frag_index", self.frag_index, 0, 3)


@dataclasses.dataclass(frozen=True, slots=True)
class Rebooted:
    """The device rebooted, because it was told to."""

    time: float


DeviceEvent: TypeAlias = Uplink | ClassChanged | BlockDelivered | BlockLost | Rebooted


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What happened until the time of the request, in order; and when something is due next.

    *next* is None where nothing is due, or the device does not know.
    """

    events: tuple[DeviceEvent, ...] = ()
    next: float | None = None


class DeviceSubject(Protocol):
    """A device under test."""

    @property
    def about(self) -> About:
        """What it says of itself."""

    def exchange(self, request: DeviceRequest) -> Reply:
        """Carry out one request.  Times never go back.

        Raises:
            SubjectError: It does not work any more.
        """
