"""What a device says of itself on FPort 225: its packages, their versions and their ports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from ..catalogue import PACKAGES, PackageMap
from ..errors import FieldError
from ..multipackage.v1 import DevPackageAns
from ..package import PackageVersionAns
from ..types import UPLINK, BytesLike
from .explain import MULTIPACKAGE, explain

__all__ = ["Declared", "declared", "port_map"]

_NAMES: Final = {one.identifier: one.name for one in PACKAGES}


@dataclasses.dataclass(frozen=True, slots=True)
class Declared:
    """What one uplink declares of the packages we know."""

    versions: Mapping[str, int]
    """PackageVersion by package name, whether we know that version or not."""
    fports: Mapping[str, int]
    """FPort by package name, as far as it is said."""


def declared(payload: BytesLike) -> Declared | None:
    """Return what an uplink on FPort 225 declares, or None if it declares nothing.

    DevPackageAns lists all packages with their ports; a PackageVersionAns is of one.
    """
    versions: dict[str, int] = {}
    fports: dict[str, int] = {}
    for piece in explain(MULTIPACKAGE, UPLINK, payload).pieces:
        command = piece.command
        if isinstance(command, DevPackageAns):
            for one in command.packages:
                name = _NAMES.get(one.package_identifier)
                if name is not None:
                    versions[name], fports[name] = one.package_version, one.port
        elif (
            isinstance(command, PackageVersionAns)
            and command.package_identifier == piece.package.identifier
        ):
            versions[piece.package.name] = command.package_version
    return Declared(versions, fports) if versions else None


def port_map(fports: Mapping[str, int], said: Declared | None) -> PackageMap:
    """Return which package is on which port: as the device says, else as the caller does.

    A device that declares ports which cannot be, two packages on one for instance, is not believed.

    Raises:
        FieldError: The caller's ports cannot be.
    """
    ports = PackageMap(fports=fports)
    if said is None:
        return ports
    try:
        return PackageMap(fports={**fports, **said.fports})
    except FieldError:
        return ports
