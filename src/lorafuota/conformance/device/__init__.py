"""Every check against a device: what the documents ask, and what went wrong elsewhere.

One module for each package or concern; each has a catalogue of its own, and this is all of them.
"""

from __future__ import annotations

from typing import Final

from ..check import Catalogue
from ..devicepeer import DevicePeer
from . import (
    clocksync,
    firmware,
    fragments,
    framing,
    multicast,
    multicast_frames,
    multicast_windows,
    multipackage,
    reports,
    setups,
    statuses,
)
from .known import with_quirks

__all__ = ["DEVICE_CHECKS"]

DEVICE_CHECKS: Final[Catalogue[DevicePeer]] = Catalogue(
    with_quirks(
        Catalogue(
            framing.CHECKS,
            clocksync.CHECKS,
            multicast.CHECKS,
            multicast_frames.CHECKS,
            multicast_windows.CHECKS,
            setups.CHECKS,
            statuses.CHECKS,
            fragments.CHECKS,
            reports.CHECKS,
            firmware.CHECKS,
            multipackage.CHECKS,
        )
    )
)
"""In the order in which a server would come across them."""
