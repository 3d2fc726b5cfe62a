"""What went over the link to a server in one check, in words, each payload read as its device does.

A server that asks devices for their versions is told none; the versions are then learnt from what
the devices answer, in the order of the transcript.
"""

from __future__ import annotations

import contextlib

from ..catalogue import PackageMap
from ..errors import FieldError
from ..package import PackageVersionAns
from ..types import DOWNLINK, UPLINK, DevEUI, Direction
from .explain import Describe, Reader, octets_read, shown
from .serversubject import (
    AddDevice,
    Advance,
    Begin,
    Cancel,
    DeviceEntry,
    DeviceOutcome,
    Downlink,
    Ended,
    MulticastDownlink,
    MulticastFrame,
    Pause,
    RemoveDevice,
    Restart,
    Resume,
    ServerEvent,
    ServerRequest,
    Uplink,
    WindowAnnounced,
)

__all__ = ["explain_server"]


def explain_server(*, read: Reader = octets_read) -> Describe:
    """Return what describes the requests and events of a server, in the order they came in.

    Args:
        read: Reads the payloads.
    """
    return _Devices(read).describe


class _Devices:
    """Knows which device has which packages where."""

    def __init__(self, read: Reader) -> None:
        self._means = read
        self._maps: dict[DevEUI, PackageMap] = {}
        self._group = PackageMap()

    def describe(self, entry: ServerRequest | ServerEvent) -> tuple[str, tuple[str, ...]] | None:
        match entry:
            case Begin():
                return self._begin(entry)
            case Uplink():
                read = self._read(entry.dev_eui, entry.fport, UPLINK, entry.payload)
                return f"{entry.dev_eui} up, FPort {entry.fport}: {shown(entry.payload)}", read
            case Downlink():
                read = self._read(entry.dev_eui, entry.fport, DOWNLINK, entry.payload)
                return f"{entry.dev_eui} down, FPort {entry.fport}: {shown(entry.payload)}", read
            case MulticastDownlink():
                told = "" if entry.fcnt is None else f", FCnt {entry.fcnt}"
                read = self._means(self._group, entry.fport, DOWNLINK, entry.payload)
                words = f"to group {entry.mc_addr}{told}, FPort {entry.fport}"
                return f"{words}: {shown(entry.payload)}", read
            case MulticastFrame():
                return f"a frame: {shown(entry.phy)}", ()
            case Advance():
                return None
            case Restart():
                return "the process is killed, and comes back", ()
            case Pause() | Resume() | Cancel():
                return f"the operator: {type(entry).__name__.lower()}", ()
            case AddDevice():
                self._add(entry.device)
                return f"the operator adds {entry.device.dev_eui}", ()
            case RemoveDevice():
                return f"the operator removes {entry.dev_eui}", ()
            case WindowAnnounced():
                seconds = entry.end - entry.start
                wait = entry.start - entry.time
                return f"group {entry.mc_addr} listens in {wait:.0f} s for {seconds:.0f} s", ()
            case DeviceOutcome():
                parts = (entry.status, entry.reached, entry.detail)
                return f"{entry.dev_eui} is {', '.join(one for one in parts if one)}", ()
            case Ended():
                return "the update is over", ()

    def _begin(self, order: Begin) -> tuple[str, tuple[str, ...]]:
        self._maps.clear()
        details = []
        for device in order.devices:
            self._add(device)
            way = "multicast" if device.multicast else "unicast"
            stack = f", {device.stack}" if device.stack else ""
            details.append(f"{device.dev_eui}: {type(device.root_key).__name__}, {way}{stack}")
        for group in order.groups:
            details.append(
                f"group {group.mc_addr}: TS004 version {group.frag_version}, class"
                f" {group.device_class}, maxMcFCnt {group.max_mc_fcnt}"
            )
        words = f"begin: {len(order.image)} octets, FragSize {order.frag_size}"
        return f"{words}, Descriptor {order.descriptor.hex()}", tuple(details)

    def _add(self, device: DeviceEntry) -> None:
        try:
            self._maps[device.dev_eui] = PackageMap(device.versions, device.fports)
        except FieldError:  # versions or ports that cannot be: nothing is read
            self._maps.pop(device.dev_eui, None)

    def _read(
        self, dev_eui: DevEUI, fport: int, direction: Direction, payload: bytes
    ) -> tuple[str, ...]:
        packages = self._maps.get(dev_eui)
        if packages is None:
            return ()
        package = packages.at(fport)
        if direction is UPLINK and package is not None and package.identifier:
            for one in package.parse(payload, UPLINK):
                if isinstance(one, PackageVersionAns):
                    self._learn(dev_eui, package.name, one.package_version)
        return self._means(self._maps[dev_eui], fport, direction, payload)

    def _learn(self, dev_eui: DevEUI, name: str, version: int) -> None:
        known = self._maps[dev_eui]
        with contextlib.suppress(FieldError):  # a version that nobody knows
            self._maps[dev_eui] = PackageMap({**known.versions, name: version}, known.fports)
