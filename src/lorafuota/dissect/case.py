"""A capture, read: what went to and from each device and group, command by command.

Which version a payload is written in is not on air.  A device that told its versions is believed;
a downlink is read in the version in which nothing of it is left over, since the server may have
written what the device cannot read.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

from ..catalogue import PACKAGES, PackageMap
from ..errors import FieldError
from ..fragmentation import v1 as frag1
from ..fragmentation import v2 as frag2
from ..multicastsetup import v1 as mc1
from ..multipackage.v1 import DevPackageAns
from ..package import MalformedCommand, PackageVersionAns, Parsed, UnknownCommand
from ..types import (
    DOWNLINK,
    UPLINK,
    AppKey,
    DevAddr,
    DevEUI,
    Direction,
    GenAppKey,
    Key,
    LorawanVersion,
    McKey,
    require_key,
)
from ..wire import Command
from .capture import Frame

__all__ = [
    "Case",
    "DeviceLog",
    "Fragment",
    "GroupFrame",
    "GroupLog",
    "Known",
    "Seen",
    "SetupAns",
    "SetupReq",
    "Unread",
]

SetupReq: TypeAlias = frag1.FragSessionSetupReq | frag2.FragSessionSetupReq
SetupAns: TypeAlias = frag1.FragSessionSetupAns | frag2.FragSessionSetupAns

_C = TypeVar("_C", bound=Command)
_T = TypeVar("_T", covariant=True)
_FRAGMENT_HEAD: Final = 3
_MULTICAST_MHDR: Final = 0x60
_SHORTEST_PHY: Final = 12
_LONGEST_TIME: Final = float(1 << 53)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What somebody knows beside the capture; all of it may be missing.

    Keys and addresses are those of one device: *dev_eui*, or the only one in the capture.

    Attributes:
        gen_app_key: Root key of a LoRaWAN 1.0.x device for multicast and blocks.
        app_key: Root key of a 1.1 device; of a 1.0.x device, the key it joins with.
        lorawan: The device's link layer; decides which of the two is the root key.
        mc_key: The group's key, if the server's owner tells it.
        dev_eui: The device that keys, block and log belong to.
        join_eui: Its JoinEUI, to find it in the wrong place.
        dev_addr: Its DevAddr, for the same purpose.
        mc_addr: The group's address as it should be.
        image: What was to be delivered, without padding.
        block: What the device delivered, without padding.
        device_times: Pairs of what the device's clock showed and when that was, GPS seconds.
        fports: FPort by package name, where it is not the document's.
    """

    gen_app_key: GenAppKey | None = None
    app_key: AppKey | None = None
    lorawan: LorawanVersion | None = None
    mc_key: McKey | None = None
    dev_eui: DevEUI | None = None
    join_eui: DevEUI | None = None
    dev_addr: DevAddr | None = None
    mc_addr: DevAddr | None = None
    image: bytes | None = dataclasses.field(default=None, repr=False)
    block: bytes | None = dataclasses.field(default=None, repr=False)
    device_times: tuple[tuple[float, float], ...] = ()
    fports: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the keys and the times.

        Raises:
            FieldError: One is of another class, and it does not say which octets; or a time of
                the device is none.
        """
        if not all(math.isfinite(one) for pair in self.device_times for one in pair):
            raise FieldError("Known", "device_times", self.device_times, "finite seconds")
        keys: tuple[tuple[str, type[Key]], ...] = (
            ("gen_app_key", GenAppKey),
            ("app_key", AppKey),
            ("mc_key", McKey),
        )
        for field, kind in keys:
            if getattr(self, field) is not None:
                require_key("Known", field, getattr(self, field), kind)

    @property
    def root(self) -> GenAppKey | AppKey | None:
        """The key the device derives from, if it is known."""
        if self.lorawan is LorawanVersion.V1_1:
            return self.app_key
        if self.lorawan is LorawanVersion.V1_0 or self.gen_app_key is not None:
            return self.gen_app_key
        return self.app_key


@dataclasses.dataclass(frozen=True, slots=True)
class Seen(Generic[_T]):
    """Something in a frame.

    Attributes:
        at: Position of the frame in the capture, from 0.
        time: GPS seconds, if the log says.
        what: The command, or what was made of it.
    """

    at: int
    time: float | None
    what: _T


@dataclasses.dataclass(frozen=True, slots=True)
class Fragment:
    """A DataFragment, also one that the documents exclude.

    Attributes:
        n: Its number, 0 included.
        frag_index: FragIndex.
        payload: The rest.
        mc_addr: The group it went to; None for unicast.
    """

    n: int
    frag_index: int
    payload: bytes
    mc_addr: DevAddr | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Unread:
    """The end of a payload that could not be read, and the payload."""

    direction: Direction
    fport: int
    payload: bytes
    rest: UnknownCommand | MalformedCommand


@dataclasses.dataclass(frozen=True, slots=True)
class GroupFrame:
    """A multicast downlink."""

    fcnt: int | None
    fport: int | None
    payload: bytes | None
    phy: bytes | None


@dataclasses.dataclass(slots=True)
class DeviceLog:
    """What went to and from one device.

    Attributes:
        dev_eui: None if the log names nobody.
        told: PackageVersion by package name, as the device told it, and where.
        down: Commands to it by unicast.
        up: Commands from it.
        payloads: All its payloads, whole: direction, port and octets.
        unread: Ends of payloads that could not be read.
        fragments: Fragments to it by unicast.
    """

    dev_eui: DevEUI | None
    told: dict[str, Seen[int]] = dataclasses.field(default_factory=dict)
    down: list[Seen[Command]] = dataclasses.field(default_factory=list)
    up: list[Seen[Command]] = dataclasses.field(default_factory=list)
    payloads: list[Seen[Frame]] = dataclasses.field(default_factory=list)
    unread: list[Seen[Unread]] = dataclasses.field(default_factory=list)
    fragments: list[Seen[Fragment]] = dataclasses.field(default_factory=list)

    def version(self, name: str) -> int | None:
        """Return the version of a package the device told."""
        told = self.told.get(name)
        return None if told is None else told.what

    def goes_on(self, at: int) -> bool:
        """Whether anything but fragments went to or came from the device after a frame."""
        return bool(self.payloads) and any(
            one.at > at for one in self.payloads if not _is_fragment(one.what)
        )

    def sent(self, *kinds: type[_C]) -> list[Seen[_C]]:
        """Return the commands to the device of these kinds."""
        return [
            Seen(one.at, one.time, one.what) for one in self.down if isinstance(one.what, kinds)
        ]

    def said(self, *kinds: type[_C]) -> list[Seen[_C]]:
        """Return the commands from the device of these kinds."""
        return [Seen(one.at, one.time, one.what) for one in self.up if isinstance(one.what, kinds)]


@dataclasses.dataclass(slots=True)
class GroupLog:
    """What was sent to one multicast address."""

    mc_addr: DevAddr
    frames: list[Seen[GroupFrame]] = dataclasses.field(default_factory=list)
    fragments: list[Seen[Fragment]] = dataclasses.field(default_factory=list)
    requests: list[Seen[frag1.FragSessionStatusReq]] = dataclasses.field(default_factory=list)


class Case:
    """A capture and what is known beside it, read once.

    Attributes:
        frames: The capture, in order.
        known: What somebody knows.
        devices: What went to and from each device; key None is traffic that names nobody.
        groups: What went to each multicast address.
    """

    def __init__(self, frames: Sequence[Frame], known: Known) -> None:
        """Read the capture."""
        self.frames, self.known = tuple(map(_timed, frames)), known
        self.devices: dict[DevEUI | None, DeviceLog] = {}
        self.groups: dict[DevAddr, GroupLog] = {}
        self._fports = PackageMap(fports=known.fports)
        self._only = self._only_device()
        unicast = [(at, one) for at, one in enumerate(self.frames) if not self._take_group(at, one)]
        for at, one in unicast:
            self._learn_versions(at, one)
        for at, one in unicast:
            self._take_unicast(at, one)

    @property
    def subject(self) -> DeviceLog | None:
        """The device that keys and block belong to, if that can be told."""
        if self.known.dev_eui is not None:
            return self.devices.get(self.known.dev_eui)
        return next(iter(self.devices.values())) if len(self.devices) == 1 else None

    @property
    def judged(self) -> int:
        """How many frames are of a FUOTA package, or go to a group and may be."""
        group = [one.what for log in self.groups.values() for one in log.frames]
        mine = [one.what for log in self.devices.values() for one in log.payloads]
        return sum(one.fport is None or self._is_package(one.fport) for one in group) + sum(
            one.payload is not None and one.fport is not None and self._is_package(one.fport)
            for one in mine
        )

    def groups_of(self, device: DeviceLog) -> Iterator[tuple[GroupLog, Seen[mc1.McGroupSetupReq]]]:
        """Return the groups in the capture that a device was told of, with the last set-up."""
        setups = {one.what.mc_addr: one for one in device.sent(mc1.McGroupSetupReq)}
        for mc_addr, setup in setups.items():
            if mc_addr in self.groups:
                yield self.groups[mc_addr], setup

    def fport(self, name: str) -> int:
        """Return the port of a package."""
        return self._fports.fport(name)

    def _is_package(self, fport: int) -> bool:
        return self._fports.at(fport) is not None

    def _only_device(self) -> DevEUI | None:
        named = {one.dev_eui for one in self.frames if one.dev_eui is not None}
        if not named:
            return self.known.dev_eui
        return next(iter(named)) if len(named) == 1 else None

    def _log(self, frame: Frame) -> DeviceLog:
        dev_eui = self._only if frame.dev_eui is None else frame.dev_eui
        return self.devices.setdefault(dev_eui, DeviceLog(dev_eui))

    # Multicast

    def _take_group(self, at: int, frame: Frame) -> bool:
        mc_addr, phy = frame.mc_addr, frame.phy
        if frame.direction is UPLINK or frame.dev_eui is not None:
            return mc_addr is not None
        if phy is not None and len(phy) >= _SHORTEST_PHY and phy[0] == _MULTICAST_MHDR:
            mc_addr = DevAddr(int.from_bytes(phy[1:5], "little")) if mc_addr is None else mc_addr
        if mc_addr is None:
            return False
        fcnt = frame.fcnt
        if fcnt is None and phy is not None and len(phy) >= _SHORTEST_PHY:
            fcnt = int.from_bytes(phy[6:8], "little")
        group = self.groups.setdefault(mc_addr, GroupLog(mc_addr))
        heard = GroupFrame(fcnt, frame.fport, frame.payload, phy)
        group.frames.append(Seen(at, frame.time, heard))
        if frame.payload is None or frame.fport != self.fport("fragmentation"):
            return True
        fragment = _fragment(frame.payload, mc_addr)
        if fragment is not None:
            group.fragments.append(Seen(at, frame.time, fragment))
            return True
        for one in frag1.PACKAGE.parse(frame.payload, DOWNLINK):
            if isinstance(one, frag1.FragSessionStatusReq):
                group.requests.append(Seen(at, frame.time, one))
        return True

    # Unicast

    def _learn_versions(self, at: int, frame: Frame) -> None:
        if frame.payload is None or frame.fport is None or frame.direction is not UPLINK:
            return
        names = {one.identifier: one.name for one in PACKAGES}
        package = self._fports.at(frame.fport)
        if package is None:
            return
        log = self._log(frame)
        for one in self._fports.parse(frame.fport, UPLINK, frame.payload):
            if isinstance(one, PackageVersionAns):
                mine = package.identifier in (one.package_identifier, 0)
                # behind a status answer in version 1's order, two of its octets look like one
                first = package.identifier == 0 or frame.payload[0] == PackageVersionAns.CID
                if mine and first and one.package_identifier in names:
                    told = Seen(at, frame.time, one.package_version)
                    log.told[names[one.package_identifier]] = told
            elif isinstance(one, DevPackageAns):
                for info in one.packages:
                    if info.package_identifier in names:
                        told = Seen(at, frame.time, info.package_version)
                        log.told[names[info.package_identifier]] = told

    def _take_unicast(self, at: int, frame: Frame) -> None:
        log = self._log(frame)
        log.payloads.append(Seen(at, frame.time, frame))
        if frame.payload is None or frame.fport is None or self._fports.at(frame.fport) is None:
            return
        down = frame.direction is DOWNLINK
        if down and frame.fport == self.fport("fragmentation"):
            fragment = _fragment(frame.payload, None)
            if fragment is not None:
                log.fragments.append(Seen(at, frame.time, fragment))
                return
        parsed = self._read(log, frame.fport, frame.payload, frame.direction)
        for one in parsed:
            if isinstance(one, Command):
                (log.down if down else log.up).append(Seen(at, frame.time, one))
            else:
                unread = Unread(frame.direction, frame.fport, frame.payload, one)
                log.unread.append(Seen(at, frame.time, unread))

    def _read(
        self, log: DeviceLog, fport: int, payload: bytes, direction: Direction
    ) -> list[Parsed]:
        """Read a payload in the version of which least is left over: the newest, in doubt."""
        told = {name: one.what for name, one in log.told.items()}
        readings = []
        for version in (1, 2):
            versions = {one.name: one.version for one in PACKAGES if one.version <= version}
            if direction is UPLINK:
                versions |= {name: one for name, one in told.items() if _exists(name, one)}
            mapped = PackageMap(versions=versions, fports=self.known.fports)
            parsed = mapped.parse(fport, direction, payload)
            spare = sum(len(one.payload) + 1 for one in parsed if not isinstance(one, Command))
            readings.append((spare, len(parsed), -version, parsed))
        return min(readings, key=lambda one: one[:3])[3]


def _timed(frame: Frame) -> Frame:
    """Return the frame, without its time if that is none."""
    if frame.time is None or abs(frame.time) <= _LONGEST_TIME:
        return frame
    return dataclasses.replace(frame, time=None)


def _is_fragment(frame: Frame) -> bool:
    down = frame.direction is DOWNLINK and frame.payload is not None
    return down and _fragment(frame.payload or b"", None) is not None


def _exists(name: str, version: int) -> bool:
    return any((one.name, one.version) == (name, version) for one in PACKAGES)


def _fragment(payload: bytes, mc_addr: DevAddr | None) -> Fragment | None:
    """Read a DataFragment, also one with number 0 or of another length."""
    if len(payload) < _FRAGMENT_HEAD or payload[0] != frag1.DataFragment.CID:
        return None
    head = int.from_bytes(payload[1:3], "little")
    return Fragment(head & 0x3FFF, head >> 14, payload[3:], mc_addr)
