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
from typing import Final, Protocol, TypeAlias, TypeVar

from ..catalogue import PackageMap, package
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
    "build_image",
    "check_about",
    "named",
    "read_image",
]

V = TypeVar("V")


class SubjectError(Exception):
    """The subject, or the way to it, does not work: it died, said nonsense, or nothing in time."""


CAPABILITIES: Final[Mapping[str, str]] = {
    "power-cycle": "keeps over PowerOn(factory=False) what a device must not forget",
    "frames": "takes multicast frames as PHYPayload, and does the link layer itself",
    "class-b": "has class B",
    "class-c": "has class C",
    "blocks": "reports blocks that are complete",
    "images": "takes a block of KITIMAGE, an octet UpImageStatus and four of the version, least "
    "significant first, for a firmware image, and installs it in a reboot if it is valid",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a subject says of itself.

    Attributes:
        name: What stands in the report.
        versions: PackageVersion by package name; what is missing it does not speak.  ``ts004``
            is taken for ``fragmentation``, and so on, and becomes it.
        fports: FPort by package name, where it is not the document's.
        can: Names of :data:`CAPABILITIES`.
        real_time: Whether its clock is its own.
        mc_groups: Multicast groups it holds, 1 to 4.
        frag_indices: Fragmentation sessions it holds, 1 to 4.
        max_nb_frag: Largest NbFrag it takes.
        max_block_octets: Largest block it takes.
        max_payload: Octets an uplink of it carries.
        max_lost: Fragments of a block that the parity code can make good, None for any number.
        dl_freq_hz: A frequency it can listen on in a multicast session.
        dr: A data rate it can listen with there.
        descriptor: A Descriptor it takes, with four different octets if it takes any.
        wrong_descriptor: A Descriptor it refuses, if there is one.

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
    max_lost: int | None = None
    dl_freq_hz: int = 869_525_000
    dr: int = 0
    descriptor: bytes = b"\x01\x02\x03\x04"
    wrong_descriptor: bytes | None = None

    def __post_init__(self) -> None:
        check_about("About", self.name, self.can, CAPABILITIES)
        object.__setattr__(self, "versions", named("About", "versions", self.versions))
        object.__setattr__(self, "fports", named("About", "fports", self.fports))
        PackageMap(self.versions, self.fports)
        for name, lowest, highest in (
            ("mc_groups", 1, 4),
            ("frag_indices", 1, 4),
            ("max_nb_frag", 1, 16_383),
            ("max_block_octets", 1, 16_383 * 255),
            ("max_payload", 11, 242),
            ("dl_freq_hz", 0, 0xFF_FFFF * 100),
            ("dr", 0, 255),
        ):
            require_int("About", name, getattr(self, name), lowest, highest)
        if self.max_lost is not None:
            require_int("About", "max_lost", self.max_lost, 0, 16_383)
        for octets in (self.descriptor, self.wrong_descriptor):
            if octets is not None and len(octets) != 4:
                raise FieldError("About", "descriptor", octets, "4 octets")


def check_about(message: str, name: str, can: frozenset[str], known: Mapping[str, str]) -> None:
    """Refuse a name that is no text, and capabilities that there are not.

    Args:
        message: Whose, ``About`` or ``ServerAbout``.
        name: What stands in the report.
        can: What a subject says it can do.
        known: The names there are.

    Raises:
        FieldError: So.
    """
    if not isinstance(name, str):
        raise FieldError(message, "name", name, "text")
    unknown = sorted(can - known.keys())
    if unknown:
        raise FieldError(message, "can", unknown, f"of {', '.join(known)}")


def named(message: str, field: str, given: Mapping[str, V]) -> dict[str, V]:
    """Return a mapping by the names of packages, where documents (``ts004``) may have stood.

    Args:
        message: Whose, ``About`` or ``ServerAbout``.
        field: Which.
        given: The mapping.

    Raises:
        FieldError: There is no such package, or it stands there twice.
    """
    found: dict[str, V] = {}
    for word, value in given.items():
        name = package(word, 1).name
        if name in found:
            raise FieldError(message, field, word, "each package once")
        found[name] = value
    return found


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


# --- Firmware images of the kit -------------------------------------------------------------------

_IMAGE: Final = b"KITIMAGE"


def build_image(status: int, version: int) -> bytes:
    """Return a block that a device with the capability ``images`` takes for a firmware image."""
    return _IMAGE + bytes((status,)) + version.to_bytes(4, "little")


def read_image(block: bytes) -> tuple[int, int] | None:
    """Return UpImageStatus and version of a block from :func:`build_image`, None for any other."""
    if len(block) != len(_IMAGE) + 5 or not block.startswith(_IMAGE) or block[8] > 3:
        return None
    return block[8], int.from_bytes(block[9:13], "little")


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
