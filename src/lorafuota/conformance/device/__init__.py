"""Every check against a device: what the documents ask, and what went wrong elsewhere.

One module for each concern of a package; each has a catalogue of its own, and this is all of them.
The modules without checks (``block``, ``group``, ``clock``, ``firmware``, ``window``,
``command_set``, ``spread``) are what the scripts of a package have in common.
"""

from __future__ import annotations

from typing import Final

from ..check import Catalogue
from ..devicepeer import DevicePeer
from . import (
    answer_buffer,
    class_b,
    class_c,
    class_c_blocks,
    class_overlaps,
    class_sessions,
    clock_corrections,
    clock_periods,
    clock_requests,
    firmware_images,
    firmware_reboots,
    fragments,
    framing,
    limits,
    losses,
    multicast,
    multicast_frames,
    replacements,
    reports,
    session_counters,
    sessions,
    sets,
    setups,
    status_delays,
    statuses,
)
from .known import with_quirks

__all__ = ["DEVICE_CHECKS"]

DEVICE_CHECKS: Final[Catalogue[DevicePeer]] = Catalogue(
    with_quirks(
        Catalogue(
            framing.CHECKS,
            clock_periods.CHECKS,
            clock_corrections.CHECKS,
            clock_requests.CHECKS,
            multicast.CHECKS,
            multicast_frames.CHECKS,
            class_sessions.CHECKS,
            class_c.CHECKS,
            class_c_blocks.CHECKS,
            class_b.CHECKS,
            class_overlaps.CHECKS,
            setups.CHECKS,
            replacements.CHECKS,
            limits.CHECKS,
            session_counters.CHECKS,
            sessions.CHECKS,
            statuses.CHECKS,
            status_delays.CHECKS,
            losses.CHECKS,
            fragments.CHECKS,
            reports.CHECKS,
            firmware_reboots.CHECKS,
            firmware_images.CHECKS,
            sets.CHECKS,
            answer_buffer.CHECKS,
        )
    )
)
"""In the order in which a server would come across them."""
