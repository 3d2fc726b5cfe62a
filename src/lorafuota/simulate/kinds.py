"""The kinds of devices a fleet can be made of, and what a campaign has to know of each."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from ..campaign.quirks import StatusQuirk, quirks_of
from ..errors import FieldError
from ..session.fragmentation import FragLimits
from ..session.profile import FRAG_PROFILES
from ..session.stacks import DEVICE_PROFILES, DeviceProfile, device_profile

__all__ = ["Kind", "deal", "kind", "kind_names"]

_DOCUMENTS: Final = {"v1": "documents v1", "v2": "documents v2"}
_PLENTY: Final = FragLimits(max_memory=1 << 30)


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One kind of device."""

    name: str
    profile: DeviceProfile
    limits: FragLimits
    quirks: StatusQuirk

    def __hash__(self) -> int:
        return hash(self.name)


def kind_names() -> tuple[str, ...]:
    """Return the names :func:`kind` knows: v1 and v2 follow the documents, others are stacks.

    Stacks that speak another language than any document are left out: no campaign can talk to them.
    """
    spoken = [profile.package for profile in FRAG_PROFILES.values()]
    stacks = (
        _slug(name)
        for name, profile in DEVICE_PROFILES.items()
        if name not in _DOCUMENTS.values() and profile.fragmentation.package in spoken
    )
    return (*_DOCUMENTS, *stacks)


def kind(name: str) -> Kind:
    """Return a kind of device by its name; letters' case and separators do not matter.

    Raises:
        FieldError: There is none of that name.
    """
    slug = _slug(name)
    if slug not in kind_names():
        raise FieldError("Scenario", "profile", name, ", ".join(kind_names()))
    if slug in _DOCUMENTS:
        return Kind(slug, device_profile(_DOCUMENTS[slug]), _PLENTY, StatusQuirk.NONE)
    [profile] = [one for one in DEVICE_PROFILES.values() if _slug(one.name) == slug]
    # STICKY_MEMORY_ERROR is about an earlier session, and devices here have had none
    quirks = quirks_of(profile) & ~StatusQuirk.STICKY_MEMORY_ERROR
    return Kind(slug, profile, profile.frag_limits, quirks)


def deal(shares: Mapping[Kind, float], devices: int) -> tuple[Kind, ...]:
    """Give each device a kind, so that the first few show the shares as well as all do."""
    total = sum(shares.values())
    given = dict.fromkeys(shares, 0)
    dealt = []
    for count in range(1, devices + 1):
        behind = max(shares, key=lambda one: shares[one] / total * count - given[one])
        given[behind] += 1
        dealt.append(behind)
    return tuple(dealt)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
