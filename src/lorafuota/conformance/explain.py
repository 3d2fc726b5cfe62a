"""What went over the link in one check, in words: each request and event with its octets read."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from ..catalogue import PackageMap
from ..types import DOWNLINK, UPLINK, Direction
from .subject import (
    About,
    Advance,
    BlockDelivered,
    BlockLost,
    ClassChanged,
    DeviceEvent,
    DeviceRequest,
    Downlink,
    MulticastFrame,
    PowerOn,
    Rebooted,
    Uplink,
)

__all__ = ["Step", "explain", "explain_device", "octets_read", "shown"]

_OCTETS_SHOWN = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One request or event.

    Attributes:
        seconds: Since the check began.
        what: What happened, on one line.
        details: The octets read, command by command.
    """

    seconds: float
    what: str
    details: tuple[str, ...] = ()


Describe: TypeAlias = Callable[[Any], tuple[str, tuple[str, ...]] | None]
"""Says of a request or event what happened, and what its octets mean; None if time passed."""

Reader: TypeAlias = Callable[[PackageMap, int, Direction, bytes], tuple[str, ...]]
"""Says what the octets of a payload on an FPort mean, line by line."""


def explain(transcript: Sequence[Any], describe: Describe) -> Iterator[Step]:
    """Explain what went over the link, in order; that time passed is shown only at the end.

    Args:
        transcript: Requests and events, each with a ``time``.
        describe: What they are.
    """
    for at, entry in enumerate(transcript):
        described = describe(entry)
        if described is None and at + 1 < len(transcript):
            continue
        what, details = described or ("nothing more", ())
        yield Step(entry.time - transcript[0].time, what, details)


def octets_read(
    packages: PackageMap, fport: int, direction: Direction, payload: bytes
) -> tuple[str, ...]:
    """Return the commands of a payload, and what is left of it that cannot be read."""
    if packages.at(fport) is None:
        return ()
    return tuple(_words(one) for one in packages.parse(fport, direction, payload))


def _words(value: object) -> str:
    """Return a command as its repr, with octets as people read them."""
    match value:
        case bytes():
            return shown(value)
        case tuple():
            return f"({', '.join(map(_words, value))})"
        case enum.IntFlag():
            return (value.name or str(int(value))).replace("|", " | ")
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            parts = (f"{name}={_words(getattr(value, name))}" for name in names)
            return f"{type(value).__name__}({', '.join(parts)})"
        case _:
            return str(value)


def shown(octets: bytes) -> str:
    """Return octets as people read them, not all of a long row."""
    more = f" ... ({len(octets)} octets)" if len(octets) > _OCTETS_SHOWN else ""
    return octets[:_OCTETS_SHOWN].hex(" ") + more if octets else "no octets"


def explain_device(about: About, *, read: Reader = octets_read) -> Describe:
    """Return what describes the requests and events of a device that says this of itself.

    Args:
        about: What it says.
        read: Reads the payloads.
    """
    packages = PackageMap(about.versions, about.fports)

    def describe(entry: DeviceRequest | DeviceEvent) -> tuple[str, tuple[str, ...]] | None:
        match entry:
            case PowerOn():
                how = "as it left the factory" if entry.factory else "keeping its flash"
                clock = "" if entry.clock_known else ", clock not known"
                return f"power on, {how}{clock}; DevAddr {entry.dev_addr}", ()
            case Downlink():
                to = ""
                if entry.mc_addr is not None:
                    to = f" by multicast to {entry.mc_addr}, FCnt {entry.fcnt}"
                means = read(packages, entry.fport, DOWNLINK, entry.payload)
                return f"down{to}, FPort {entry.fport}: {shown(entry.payload)}", means
            case MulticastFrame():
                return f"down, a frame: {shown(entry.phy)}", _frame(entry.phy)
            case Advance():
                return None
            case Uplink():
                means = read(packages, entry.fport, UPLINK, entry.payload)
                return f"up, FPort {entry.fport}: {shown(entry.payload)}", means
            case ClassChanged():
                group = "" if entry.mc_group_id is None else f" for group {entry.mc_group_id}"
                return f"listens in class {entry.device_class}{group}", ()
            case BlockDelivered():
                octets = f"{len(entry.data)} octets on FragIndex {entry.frag_index}"
                return f"block complete, {octets}: {shown(entry.data)}", ()
            case BlockLost():
                return f"block lost on FragIndex {entry.frag_index}", ()
            case Rebooted():
                return "reboots", ()

    return describe


def _frame(phy: bytes) -> tuple[str, ...]:
    """Return the header of a multicast frame; its payload is encrypted."""
    if len(phy) < 13:
        return ("shorter than any frame",)
    address = int.from_bytes(phy[1:5], "little")
    fcnt = int.from_bytes(phy[6:8], "little")
    return (
        f"MHDR 0x{phy[0]:02X}, DevAddr {address:08X}, FCtrl 0x{phy[5]:02X}, FCnt {fcnt}, "
        f"FPort {phy[8]}, {len(phy) - 13} octets encrypted, MIC {phy[-4:].hex()}",
    )
