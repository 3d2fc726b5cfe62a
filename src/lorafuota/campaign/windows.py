"""When the frames of one window go out, and how long the window has to be.

Class C listens all the time, so frames are simply spaced.  Class B listens in ping slots; a frame
takes the next slot that begins when the spacing has passed and in which it ends before the next
beacon.
"""

from __future__ import annotations

import math
from typing import Final

from ..link import BEACON_PERIOD_SECONDS, next_ping_slot_ms
from ..session.groupserver import choose_time_out
from .config import GroupConfig, WindowClass

__all__ = ["LEAD_SECONDS", "TAIL_SECONDS", "frames_that_fit", "next_frame_time", "plan_window"]

LEAD_SECONDS: Final = 2.0
"""Between the start of a window and its first frame: clocks, class switch."""

TAIL_SECONDS: Final = 1.0
"""Between the end of the last frame and the end of the window."""

_LONGEST: Final = {WindowClass.C: 1 << 15, WindowClass.B: BEACON_PERIOD_SECONDS << 15}


def next_frame_time(group: GroupConfig, earliest: float) -> float:
    """Return when the next frame can start: at once, or in the next ping slot."""
    if group.window_class is WindowClass.C:
        return earliest
    slot = (
        next_ping_slot_ms(math.ceil(earliest * 1000) - 1, group.mc_addr, group.periodicity) / 1000
    )
    while slot % BEACON_PERIOD_SECONDS + group.frame_seconds >= BEACON_PERIOD_SECONDS:
        slot = next_ping_slot_ms(round(slot * 1000), group.mc_addr, group.periodicity) / 1000
    return slot


def _slot_spacing(group: GroupConfig) -> float:
    """Return the spacing frames will have on average at most, ping slots counted in.

    Where the slots lie in a beacon period changes from one to the next, so that of two neighbours
    across a beacon the second may come too early, and one slot in a period is lost.
    """
    if group.window_class is WindowClass.C:
        return group.pace_seconds
    slot = 0.96 * (1 << group.periodicity)
    slots, in_period = math.ceil(group.pace_seconds / slot), 128 >> group.periodicity
    periods = math.ceil((group.pace_seconds + slot) / BEACON_PERIOD_SECONDS)
    if slots < in_period:
        return BEACON_PERIOD_SECONDS * min(slots / (in_period - 1), periods)
    return float(BEACON_PERIOD_SECONDS * periods)


def frames_that_fit(group: GroupConfig) -> int:
    """Return how many frames the longest window of this class holds."""
    usable = _LONGEST[group.window_class] - LEAD_SECONDS - TAIL_SECONDS - group.frame_seconds
    if group.window_class is WindowClass.B:
        usable -= BEACON_PERIOD_SECONDS  # the first period may offer its slots before the lead
    return int(usable / _slot_spacing(group)) + 1


def plan_window(group: GroupConfig, earliest: float, frames: int) -> tuple[float, float]:
    """Return start and end of a window for so many frames.

    Args:
        group: Whose window.
        earliest: GPS seconds before which it must not start.
        frames: How many, 1 to :func:`frames_that_fit`.
    """
    needed = LEAD_SECONDS + (frames - 1) * _slot_spacing(group)
    needed += group.frame_seconds + TAIL_SECONDS
    if group.window_class is WindowClass.C:
        start = float(math.ceil(earliest))
        time_out = choose_time_out(needed, unit_seconds=1)
        return start, start + (1 << time_out)
    start = float(math.ceil(earliest / BEACON_PERIOD_SECONDS) * BEACON_PERIOD_SECONDS)
    time_out = choose_time_out(needed + BEACON_PERIOD_SECONDS, unit_seconds=BEACON_PERIOD_SECONDS)
    return start, start + (BEACON_PERIOD_SECONDS << time_out)
