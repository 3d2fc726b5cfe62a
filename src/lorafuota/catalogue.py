"""Every package by name, version and port: the one obvious way in and out of payloads.

>>> from lorafuota import UPLINK, parse
>>> parse("fragmentation", 2, UPLINK, bytes.fromhex("0240"))
[FragSessionSetupAns(errors=<SetupError: 0>, frag_index=1)]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from .clocksync import v1 as clocksync_v1
from .clocksync import v2 as clocksync_v2
from .errors import FieldError
from .firmwaremanagement import v1 as firmwaremanagement_v1
from .fragmentation import v1 as fragmentation_v1
from .fragmentation import v2 as fragmentation_v2
from .multicastsetup import v1 as multicastsetup_v1
from .multicastsetup import v2 as multicastsetup_v2
from .multipackage import v1 as multipackage_v1
from .multipackage.commandset import CommandSet, read_answers, read_command_set
from .package import Package, Parsed
from .types import UPLINK, BytesLike, Direction

__all__ = ["DEFAULT_FPORTS", "PACKAGES", "PackageMap", "from_json", "package", "parse"]

PACKAGES: Final[tuple[Package, ...]] = (
    multipackage_v1.PACKAGE,
    clocksync_v1.PACKAGE,
    clocksync_v2.PACKAGE,
    multicastsetup_v1.PACKAGE,
    multicastsetup_v2.PACKAGE,
    fragmentation_v1.PACKAGE,
    fragmentation_v2.PACKAGE,
    firmwaremanagement_v1.PACKAGE,
)
"""Every version of every package, in the order of PackageIdentifier and version."""

DEFAULT_FPORTS: Final[Mapping[str, int]] = {one.name: one.fport for one in PACKAGES}
"""The port of each package, by name, unless a device was told otherwise."""


def package(name: str, version: int) -> Package:
    """Return one version of a package.

    Args:
        name: ``clocksync``, ``fragmentation``, ``multicastsetup``, ``firmwaremanagement`` or
            ``multipackage``; the document's number (``TS004``) does as well.
        version: PackageVersion.

    Raises:
        FieldError: There is no such package, or no such version of it.
    """
    wanted = name.lower()
    same = [one for one in PACKAGES if wanted in (one.name, one.document[:5].lower())]
    if not same:
        names = ", ".join(DEFAULT_FPORTS)
        raise FieldError("package", "name", name, f"one of {names}")
    for one in same:
        if one.version == version:
            return one
    versions = " or ".join(str(one.version) for one in same)
    raise FieldError("package", "version", version, f"{versions} for {same[0].name}")


def parse(
    name: str, version: int, direction: Direction, payload: BytesLike, *, strict: bool = False
) -> list[Parsed]:
    """Return the commands of one payload, in order.

    Args:
        name: Which package, see :func:`package`.  ``multipackage`` means a payload of FPort 225
            from a device with the newest version of each package; :class:`PackageMap` takes others.
        version: PackageVersion.
        direction: Who sent it.
        payload: FRMPayload in the clear.
        strict: Raise at the first thing that is not exactly as documented.  Otherwise parsing never
            raises: what cannot be read stands at the end as UnknownCommand or MalformedCommand.

    Raises:
        FieldError: There is no such package or version.
        DecodeError: Only if *strict*.
    """
    one = package(name, version)
    return PackageMap()._parse(one, direction, payload, strict)


@dataclasses.dataclass(frozen=True, slots=True)
class PackageMap:
    """Which version of each package a device speaks, and on which port.

    Attributes:
        versions: PackageVersion by package name; the newest where nothing is said.
        fports: FPort by package name; the document's where nothing is said.  FPort 225 belongs to
            ``multipackage`` alone.
    """

    versions: Mapping[str, int] = dataclasses.field(default_factory=dict)
    fports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    _by_fport: dict[int, Package] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the two maps.

        Raises:
            FieldError: A name, version or port does not exist, or two packages share a port.
        """
        newest = {one.name: one.version for one in PACKAGES}
        fports = {**DEFAULT_FPORTS, **self.fports}
        by_fport: dict[int, Package] = {}
        for name in {**newest, **self.versions, **self.fports}:
            one = package(name, {**newest, **self.versions}.get(name, 1))
            fport = fports[name]
            if not 1 <= fport <= 225 or (fport == 225) is not (one.identifier == 0):
                expected = "225" if one.identifier == 0 else "int in 1..224"
                raise FieldError("PackageMap", f"fports[{name}]", fport, expected)
            if fport in by_fport:
                raise FieldError("PackageMap", f"fports[{name}]", fport, "a port of its own")
            by_fport[fport] = one
        object.__setattr__(self, "_by_fport", by_fport)

    @property
    def packages(self) -> dict[int, Package]:
        """The packages by PackageIdentifier."""
        return {one.identifier: one for one in self._by_fport.values()}

    def at(self, fport: int) -> Package | None:
        """Return the package behind *fport*, or None: the application's own traffic."""
        return self._by_fport.get(fport)

    def fport(self, name: str) -> int:
        """Return the port of a package by name."""
        return {**DEFAULT_FPORTS, **self.fports}[name]

    def parse(
        self, fport: int, direction: Direction, payload: BytesLike, *, strict: bool = False
    ) -> list[Parsed]:
        """Return the commands of one payload received on *fport*.

        On FPort 225 the commands of all packages come in one list;
        :mod:`lorafuota.multipackage.commandset` tells them apart and has the Command Token.

        Raises:
            FieldError: No package lives on that port.
            DecodeError: Only if *strict*.
        """
        one = self.at(fport)
        if one is None:
            raise FieldError("PackageMap.parse", "fport", fport, f"one of {sorted(self._by_fport)}")
        return self._parse(one, direction, payload, strict)

    def _parse(
        self, one: Package, direction: Direction, payload: BytesLike, strict: bool
    ) -> list[Parsed]:
        if one.identifier != multipackage_v1.PACKAGE.identifier:
            return one.parse(payload, direction, strict=strict)
        read = read_answers if direction is UPLINK else read_command_set
        found = read(payload, self.packages, strict=strict)
        if not isinstance(found, CommandSet):
            return [found]
        commands: list[Parsed] = [each.command for each in found.commands]
        return [*commands, *([found.leftover] if found.leftover else [])]


def from_json(data: object) -> Parsed:
    """Read back what :meth:`Package.to_json` wrote, whatever the package.

    Raises:
        FieldError: *data* is not such an object.
    """
    if not isinstance(data, dict):
        raise FieldError("from_json", "data", data, "an object")
    name, version = data.get("package"), data.get("version")
    if not (isinstance(name, str) and isinstance(version, int)):
        raise FieldError("from_json", "data", data, "a package and a version")
    return package(name, version).from_json(data)
