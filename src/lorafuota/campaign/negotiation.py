"""Which packages a device has, and on which port; what it runs; and whether its clock is right.

A device that speaks TS007 tells all of it at once (DevPackageReq).  Others, and one that does not
answer that, are asked package by package (PackageVersionReq)::

    DevPackageReq ----> DevPackageAns: versions, ports, and what is not there
       | no answer
    PackageVersionReq, on each port ----> PackageVersionAns, or silence

Where the block is a delta, the device tells which firmware runs (TS006), and is left out if that is
not the one the delta starts from.

Then a device that is going to listen in a window has its clock checked (TS003):
ForceDeviceResyncReq makes it ask for the time, and what it believes the time to be is compared.  A
clock that is off is corrected (the engine answers every AppTimeReq), and read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..catalogue import DEFAULT_FPORTS, PACKAGES, PackageMap
from ..clocksync.v1 import AppTimeReq, ForceDeviceResyncReq
from ..clocksync.v2 import ForceDeviceResyncCmd
from ..errors import FieldError
from ..firmwaremanagement.v1 import DevVersionAns
from ..multipackage.v1 import DevPackageAns, DevPackageReq
from ..package import PackageVersionAns, PackageVersionReq
from ..session.clocksync import clock_error
from ..wire import Command
from .config import CampaignConfig, ClockCheck, Member
from .state import DeviceRecord, Outcome, Stage
from .step import Step

__all__ = [
    "SET_FPORT",
    "VERSION_FIELDS",
    "after_clock",
    "app_time",
    "ask_clock",
    "ask_versions",
    "clock_silence",
    "dev_packages",
    "device_fports",
    "negotiated",
    "package_version",
    "read_ports",
    "running",
    "version_silence",
    "versions_known",
]

VERSION_FIELDS: Final[Mapping[str, str]] = {
    "fragmentation": "frag_version",
    "multicastsetup": "mc_version",
    "clocksync": "clock_version",
    "firmwaremanagement": "fm_version",
}
"""Where a record and a member keep the version of a package."""

_NAMES: Final = {one.identifier: one.name for one in PACKAGES}
_DOCUMENTS: Final = {one.name: one.document[:5] for one in PACKAGES}
_KNOWN: Final = {(one.name, one.version) for one in PACKAGES}
SET_FPORT: Final = 225
"""The port of TS007."""
_FORCED: Final = 3
"""AppTimeReq a device is to send; it stops when it is answered."""


def _needed(config: CampaignConfig, member: Member) -> tuple[str, ...]:
    """Return the packages without which there is no update."""
    names = ["fragmentation"]
    if member.multicast:
        names.append("multicastsetup")
    if member.multicast and config.clock_check is ClockCheck.REQUIRED:
        names.append("clocksync")
    if config.firmware is not None:
        names.append("firmwaremanagement")
    return tuple(names)


def _wanted(config: CampaignConfig, member: Member) -> tuple[str, ...]:
    """Return these and those it is only good to know of."""
    needed = _needed(config, member)
    clock = member.multicast and config.clock_check is ClockCheck.IF_ABLE
    return (*needed, "clocksync") if clock else needed


def _version(record: DeviceRecord, name: str) -> int | None:
    version: int | None = getattr(record, VERSION_FIELDS[name])
    return version


def versions_known(config: CampaignConfig, member: Member, record: DeviceRecord) -> bool:
    """Say whether nothing that is needed has still to be asked."""
    return None not in [_version(record, name) for name in _needed(config, member)]


def ask_versions(
    config: CampaignConfig, member: Member, record: DeviceRecord
) -> list[tuple[str, Command]]:
    """Return the requests of the negotiation, by package name.

    A device of which nothing is known is asked once for all its packages, one that is known to
    speak TS007 for half of the attempts.
    """
    half = (config.retry_of(Stage.NEGOTIATE).attempts + 1) // 2
    for_all = {True: half, None: 1, False: 0}[member.multi_package]
    if not record.ports and record.attempts < for_all:
        return [("multipackage", DevPackageReq())]
    return [
        (name, PackageVersionReq())
        for name in _wanted(config, member)
        if _version(record, name) is None
    ]


def package_version(
    config: CampaignConfig, member: Member, record: DeviceRecord, command: PackageVersionAns
) -> Step | None:
    """Take the version of one package; the first that is told counts."""
    name = _NAMES.get(command.package_identifier, "")
    if name not in VERSION_FIELDS or _version(record, name) is not None:
        return None
    negotiating = record.stage is Stage.NEGOTIATE
    if not negotiating and name in _needed(config, member):
        return None
    _take_version(record, name, command.package_version)
    if not negotiating:
        return None
    if _version(record, name) == 0 and name in _needed(config, member):
        detail = f"package {command.package_identifier} version {command.package_version}"
        return Step(Stage.FAILED, Outcome.NOT_SUPPORTED, detail)
    return negotiated(config, member, record) if versions_known(config, member, record) else None


def dev_packages(
    config: CampaignConfig, member: Member, record: DeviceRecord, command: DevPackageAns
) -> Step | None:
    """Take all versions and ports; what is not listed is not there."""
    if record.stage is not Stage.NEGOTIATE:
        return None
    versions = dict.fromkeys(VERSION_FIELDS, 0)
    ports: dict[str, int] = {}
    for one in command.packages:
        name = _NAMES.get(one.package_identifier, "")
        if name in versions and (not versions[name] or (name, one.package_version) in _KNOWN):
            versions[name], ports[name] = one.package_version, one.port
    told = " ".join(f"{name}:{port}" for name, port in ports.items()) or "none:0"
    try:
        PackageMap(fports=device_fports(told, member.fports))
    except FieldError:
        return None  # ports that cannot be: asked again, package by package
    record.ports = told
    for name, version in versions.items():
        if _version(record, name) is None:
            _take_version(record, name, version)
    if ports.get("fragmentation") == SET_FPORT:
        return Step(Stage.FAILED, Outcome.NOT_SUPPORTED, "no port for fragments")
    return negotiated(config, member, record)


def _take_version(record: DeviceRecord, name: str, version: int) -> None:
    """Remember a version; one that nobody knows counts as none."""
    known = (name, version) in _KNOWN
    setattr(record, VERSION_FIELDS[name], version if known else 0)


def read_ports(text: str) -> dict[str, int]:
    """Undo the form in which a record keeps the ports a device told."""
    pairs = (pair.partition(":") for pair in text.split())
    return {name: int(port) for name, _, port in pairs if name in VERSION_FIELDS}


def device_fports(told: str, own: Mapping[str, int]) -> dict[str, int]:
    """Return the ports of a device: its own word, and above it the operator's.

    A package the device does not have must not stand in the way of one that it has there.
    """
    listed = {name: port for name, port in read_ports(told).items() if port != SET_FPORT}
    fports = {**listed, **own}
    taken = {*fports.values(), *DEFAULT_FPORTS.values()}
    free = (port for port in range(SET_FPORT - 1, 0, -1) if port not in taken)
    for name in VERSION_FIELDS:
        if name not in fports and DEFAULT_FPORTS[name] in fports.values():
            fports[name] = next(free)
    return fports


def negotiated(config: CampaignConfig, member: Member, record: DeviceRecord) -> Step:
    """Say what follows when all that is needed is known."""
    for name in _needed(config, member):
        if not _version(record, name):
            return Step(Stage.FAILED, Outcome.NOT_SUPPORTED, f"no {_DOCUMENTS[name]}")
    if config.firmware is not None and config.firmware.base_version is not None:
        return Step(Stage.BASE)
    return _suited(config, member, record)


def running(
    config: CampaignConfig, member: Member, record: DeviceRecord, command: DevVersionAns
) -> Step:
    """Take the version that runs; go on if it is the one that the delta starts from."""
    step, found = config.firmware, command.fw_version
    if step is None or found == step.base_version:
        return _suited(config, member, record)
    # even the new one is no success: nothing was delivered to the device
    already = ", the new one" if found == step.version else ""
    detail = f"runs version 0x{found:08X}{already}"
    return Step(Stage.FAILED, Outcome.WRONG_BASE, detail)


def _suited(config: CampaignConfig, member: Member, record: DeviceRecord) -> Step:
    """Say what a device is asked first that can take part."""
    if member.multicast and config.clock_check is not ClockCheck.OFF and record.clock_version != 0:
        return Step(Stage.CLOCK)
    return Step(Stage.GROUP)


def version_silence(config: CampaignConfig, member: Member, record: DeviceRecord) -> Step:
    """Say what follows when a device did not tell all its versions, however often asked."""
    told = [name for name in _wanted(config, member) if _version(record, name) is not None]
    silent = [name for name in _needed(config, member) if _version(record, name) is None]
    if not told or not silent:
        return Step(Stage.FAILED, Outcome.NO_ANSWER, "in stage negotiate")
    documents = ", ".join(_DOCUMENTS[name] for name in silent)
    return Step(Stage.FAILED, Outcome.NOT_SUPPORTED, f"no answer from {documents}")


# The clock


def ask_clock(record: DeviceRecord) -> Command:
    """Return what makes a device ask for the time; it has another name in version 2."""
    if record.clock_version == 2:
        return ForceDeviceResyncCmd(nb_transmissions=_FORCED)
    return ForceDeviceResyncReq(nb_transmissions=_FORCED)


def app_time(
    config: CampaignConfig, record: DeviceRecord, command: AppTimeReq, now: float
) -> Step | None:
    """Take a reading of the device's clock; go on when it is right."""
    if record.stage is not Stage.CLOCK:
        return None
    record.clock_error = clock_error(now, command.device_time)
    in_sync = abs(record.clock_error) <= config.clock_threshold_seconds
    return after_clock(record) if in_sync else None


def after_clock(record: DeviceRecord, detail: str = "") -> Step:
    """Say what follows the clock: the group, or the window a device of the group waits for."""
    return Step(Stage.READY if record.joined else Stage.GROUP, detail=detail)


def clock_silence(config: CampaignConfig, record: DeviceRecord) -> Step:
    """Say what follows when the clock was not found to be right, however often asked."""
    if config.clock_check is not ClockCheck.REQUIRED:
        return after_clock(record, "the clock could not be checked")
    if record.clock_error is None:
        return Step(Stage.FAILED, Outcome.NO_ANSWER, "in stage clock")
    detail = f"{record.clock_error:+.0f} s"
    return Step(Stage.CLEANUP if record.joined else Stage.FAILED, Outcome.CLOCK_WRONG, detail)
