"""What differs between versions of a package, as data.

A session holds a profile and asks it; nowhere in a session stands ``if version == 2``.  Known
stacks that differ from their document will be further profiles.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from ..errors import FieldError
from ..fec.variant import ParityVariant
from ..fragmentation import v1 as fragmentation_v1
from ..fragmentation import v2 as fragmentation_v2
from ..multicastsetup import v1 as multicastsetup_v1
from ..multicastsetup import v2 as multicastsetup_v2
from ..package import Package

__all__ = ["FRAG_PROFILES", "MC_PROFILES", "FragProfile", "McProfile", "frag_profile", "mc_profile"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FragProfile:
    """The choices one version of TS004 makes."""

    package: Package
    parity: ParityVariant
    """How lines of the matrix are drawn; nothing on air tells."""
    has_mic: bool
    """Set-ups carry SessionCnt and MIC, and a complete block is checked against it."""
    reports_missing_session: bool
    """A status request for a session that does not exist is answered."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class McProfile:
    """The choices one version of TS005 makes."""

    package: Package
    max_inclusive: bool
    """A frame whose counter is maxMcFCnt is accepted."""
    has_start_missed: bool
    """A session request that comes too late has a status bit of its own."""


FRAG_PROFILES: Final = {
    1: FragProfile(
        package=fragmentation_v1.PACKAGE,
        parity=ParityVariant.V1,
        has_mic=False,
        reports_missing_session=False,
    ),
    2: FragProfile(
        package=fragmentation_v2.PACKAGE,
        parity=ParityVariant.V2,
        has_mic=True,
        reports_missing_session=True,
    ),
}

MC_PROFILES: Final = {
    1: McProfile(package=multicastsetup_v1.PACKAGE, max_inclusive=False, has_start_missed=False),
    2: McProfile(package=multicastsetup_v2.PACKAGE, max_inclusive=True, has_start_missed=True),
}


def frag_profile(version: int) -> FragProfile:
    """Return what a device does that follows this version of TS004 to the letter.

    Raises:
        FieldError: There is no such version.
    """
    if version not in FRAG_PROFILES:
        raise FieldError("frag_profile", "version", version, "1 or 2")
    return FRAG_PROFILES[version]


def mc_profile(version: int) -> McProfile:
    """Return what a device does that follows this version of TS005 to the letter.

    Raises:
        FieldError: There is no such version.
    """
    if version not in MC_PROFILES:
        raise FieldError("mc_profile", "version", version, "1 or 2")
    return MC_PROFILES[version]
