"""The kit's time: GPS seconds in whole milliseconds, and how exactly a subject has to keep it.

A step of 0.1 s added to 1400000016.6 gives 1400000016.6999998 in floating point.  A device that
prints three digits would say 1400000016.7, and be told that this is yet to come.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["TOLERANCE", "not_before", "whole"]

TOLERANCE: Final = 0.001
"""Seconds by which a subject's time may be ahead of the kit's, or behind."""


def whole(time: float) -> float:
    """Return the nearest whole millisecond."""
    return round(time, 3)


def not_before(time: float) -> float:
    """Return the first whole millisecond that is not before *time*."""
    nearest = whole(time)
    return nearest if nearest >= time or not math.isfinite(time) else whole(nearest + 0.001)
