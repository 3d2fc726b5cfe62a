"""What went over the link to a server in one check, in words, with the octets read.

A device of the fleet may speak any version of a package: its payloads are read with those it was
entered with, and with the newest where it was entered with none.
"""

from __future__ import annotations

from ..catalogue import PackageMap
from ..types import DOWNLINK, UPLINK, DevEUI
from .explain import Describe, octets_read, shown
from .serversubject import (
    AddDevice,
    Advance,
    Begin,
    DeviceEntry,
    DeviceOutcome,
    Downlink,
    MulticastDownlink,
    MulticastFrame,
    RemoveDevice,
    ServerEvent,
    ServerRequest,
    Uplink,
    WindowAnnounced,
)

__all__ = ["explain_server"]


def explain_server() -> Describe:
    """Return what describes the requests and events of a server, in the order they were made."""
    packages: dict[DevEUI, PackageMap] = {}
    groups: dict[int, PackageMap] = {}

    def enter(entry: DeviceEntry) -> None:
        packages[entry.dev_eui] = PackageMap(entry.versions, entry.fports)

    def describe(entry: ServerRequest | ServerEvent) -> tuple[str, tuple[str, ...]] | None:
        match entry:
            case Advance():
                return None
            case Begin():
                for device in entry.devices:
                    enter(device)
                for group in entry.groups:
                    groups[group.mc_addr] = PackageMap({"fragmentation": group.frag_version})
                to = f"{len(entry.devices)} devices, {len(entry.groups)} groups"
                return f"begin: {len(entry.image)} octets to {to}", tuple(
                    map(_device, entry.devices)
                )
            case AddDevice():
                enter(entry.device)
                return "one more device", (_device(entry.device),)
            case RemoveDevice():
                return f"{entry.dev_eui} is taken out", ()
            case Uplink():
                read = octets_read(
                    packages.get(entry.dev_eui, PackageMap()), entry.fport, UPLINK, entry.payload
                )
                return f"up of {entry.dev_eui}, FPort {entry.fport}: {shown(entry.payload)}", read
            case Downlink():
                read = octets_read(
                    packages.get(entry.dev_eui, PackageMap()), entry.fport, DOWNLINK, entry.payload
                )
                return f"down to {entry.dev_eui}, FPort {entry.fport}: {shown(entry.payload)}", read
            case MulticastDownlink():
                read = octets_read(
                    groups.get(entry.mc_addr, PackageMap()), entry.fport, DOWNLINK, entry.payload
                )
                fcnt = "" if entry.fcnt is None else f", FCnt {entry.fcnt}"
                to = f"by multicast to {entry.mc_addr}{fcnt}"
                return f"down {to}, FPort {entry.fport}: {shown(entry.payload)}", read
            case MulticastFrame():
                return f"down, a frame: {shown(entry.phy)}", ()
            case WindowAnnounced():
                return f"a window of {entry.mc_addr} for {entry.end - entry.start:.0f} s", ()
            case DeviceOutcome():
                reached = f", {entry.reached}" if entry.reached else ""
                detail = f" ({entry.detail})" if entry.detail else ""
                return f"{entry.dev_eui} ends as {entry.status}{reached}{detail}", ()
            case _:
                return type(entry).__name__.lower(), ()

    return describe


def _device(entry: DeviceEntry) -> str:
    versions = ", ".join(f"{name}/{version}" for name, version in entry.versions.items())
    return f"{entry.dev_eui}: {versions or 'versions not told'}"
