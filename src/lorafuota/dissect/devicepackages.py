"""What a device says of itself on FPort 225: its packages, their versions and their ports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from ..catalogue import PACKAGES, PackageMap
from ..errors import FieldError
from ..multipackage.v1 import DevPackageAns
from ..types import UPLINK, BytesLike
from .explain import MULTIPACKAGE, explain

__all__ = ["Declared", "declared", "port_map"]

_NAMES: Final = {one.identifier: one.name for one in PACKAGES}


@dataclasses.dataclass(frozen=True, slots=True)
class Declared:
    """What one DevPackageAns declares of the packages we know."""

    versions: Mapping[str, int]
    """PackageVersion by package name, whether we know that version or not."""
    fports: Mapping[str, int]
    """FPort by package name."""


def declared(payload: BytesLike) -> Declared | None:
    """Return what an uplink on FPort 225 declares, or None if there is no DevPackageAns in it."""
    for piece in explain(MULTIPACKAGE, UPLINK, payload).pieces:
        if isinstance(piece.command, DevPackageAns):
            known = [one for one in piece.command.packages if one.package_identifier in _NAMES]
            return Declared(
                {_NAMES[one.package_identifier]: one.package_version for one in known},
                {_NAMES[one.package_identifier]: one.port for one in known},
            )
    return None


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
