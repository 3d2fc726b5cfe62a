"""How the status answers of known stacks differ from the text, and what each stack needs.

A campaign has to know this of a member: nothing on air tells it.  Where a stack's answers cannot
tell that the block is there, its best outcome is a likely one, unless the device reports by itself
(version 2) or the firmware step asks for the image.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from ..session.profile import Missing
from ..session.stacks import DeviceProfile, device_profile

__all__ = ["StatusQuirk", "quirks_of"]


class StatusQuirk(enum.Flag):
    """How a device's status answers differ from the text (TS004 reference, section 9.3; TS006)."""

    NONE = 0
    MISSING_ONE_WHEN_COMPLETE = enum.auto()
    """LoRa Basics Modem up to 4.8: MissingFrag 1 after a transfer without losses."""
    MISSING_NEVER_FALLS = enum.auto()
    """LoRaMac-node, ST: MissingFrag counts what was lost, repaired or not: an upper bound."""
    VERSION_1_LAYOUT = enum.auto()
    """ST middleware in version 2 mode: fields in the order of version 1, so without MICError.  Only
    the device's own report tells that the MIC fits."""
    STICKY_MEMORY_ERROR = enum.auto()
    """LoRaMac-node (its issue 1629): the memory bit may be left from an earlier session.  The bit
    is not believed, and neither is what the same answer says of a repaired block."""
    NEXT_VERSION_ZERO = enum.auto()
    """ST, Actility (TS006): a valid image is reported with version 0."""
    MISSING_IS_NOT_RECEIVED = enum.auto()
    """Zephyr: MissingFrag is NbFrag less NbFragReceived, coded and repeated fragments included, so
    that 0 does not mean complete."""
    NEEDS_CODED_FRAGMENT = enum.auto()
    """ST: the end is noticed only with a coded fragment, also after a transfer without losses."""
    MISSING_IN_8_BITS = enum.auto()
    """LoRaMac-node, LoRa Basics Modem, ST: MissingFrag is cut to 8 bits, so that of a large block 0
    can be 256."""


_NEEDED: Final[tuple[tuple[StatusQuirk, Callable[[DeviceProfile], bool]], ...]] = (
    (
        StatusQuirk.MISSING_ONE_WHEN_COMPLETE,
        lambda one: one.fragmentation.lossless_missing_one,
    ),
    (
        StatusQuirk.MISSING_NEVER_FALLS,
        lambda one: one.fragmentation.missing is Missing.LOST,
    ),
    (StatusQuirk.VERSION_1_LAYOUT, lambda one: one.fragmentation.status_as_v1),
    (StatusQuirk.STICKY_MEMORY_ERROR, lambda one: one.fragmentation.sticky_memory_error),
    (
        StatusQuirk.NEXT_VERSION_ZERO,
        lambda one: one.firmware is not None and one.firmware.ignores_versions,
    ),
    (
        StatusQuirk.MISSING_IS_NOT_RECEIVED,
        lambda one: one.fragmentation.missing is Missing.NOT_RECEIVED,
    ),
    (StatusQuirk.NEEDS_CODED_FRAGMENT, lambda one: one.fragmentation.needs_coded_fragment),
    (StatusQuirk.MISSING_IN_8_BITS, lambda one: one.fragmentation.missing_truncated),
)


def quirks_of(stack: str | DeviceProfile) -> StatusQuirk:
    """Return what a campaign has to know of a stack's answers.

    Args:
        stack: A profile, or its name, for instance ``"LoRaMac-node"``.

    Raises:
        FieldError: There is no profile of that name.
    """
    profile = device_profile(stack) if isinstance(stack, str) else stack
    quirks = StatusQuirk.NONE
    for quirk, needs in _NEEDED:
        if needs(profile):
            quirks |= quirk
    return quirks
