"""Whether delays are drawn at random over a window: bounds, spread, and Pearson's chi-square.

A device of which nobody knows the generator is judged by what only a broken one does: the limits
are so wide that one good device in a million fails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ..check import Failed

__all__ = ["TRIALS", "chi_square", "expect_random", "expect_uniform", "without_latency"]

TRIALS: Final = 192
"""Delays that are looked at."""

_BINS: Final = 8
_LIMIT: Final = 44.0
"""What chi-square of 7 degrees of freedom is above in less than one case of a million."""


def chi_square(values: Sequence[float], low: float, high: float) -> float:
    """Return Pearson's statistic of values over eight equal parts of an interval."""
    counts = [0] * _BINS
    for value in values:
        counts[min(max(math.floor((value - low) / (high - low) * _BINS), 0), _BINS - 1)] += 1
    wanted = len(values) / _BINS
    return sum((count - wanted) ** 2 / wanted for count in counts)


def expect_random(values: Sequence[float], low: float, high: float) -> None:
    """Fail unless values differ, and fill more than half of an interval: any drawing does that."""
    if len(set(values)) < 8:
        raise Failed(f"{len(values)} delays have only {len(set(values))} different lengths")
    spread = max(values) - min(values)
    if spread < (high - low) / 2:
        raise Failed(f"{len(values)} delays are spread over {spread:.2f} s of {high - low:.0f} s")


def expect_uniform(values: Sequence[float], low: float, high: float) -> None:
    """Fail if values are not spread evenly over an interval."""
    found = chi_square(values, low, high)
    if found > _LIMIT:
        raise Failed(
            f"{len(values)} delays are not spread evenly over {low:.0f} to {high:.0f} s: "
            f"chi-square {found:.1f} over {_BINS} parts, at most {_LIMIT:.0f} is expected"
        )


def without_latency(delays: Sequence[float], most: float) -> list[float]:
    """Return delays less what all of them have in common, up to *most* seconds.

    A stack that takes a second or three to send draws as evenly as one that takes none.
    """
    latency = min(max(min(delays), 0.0), most)
    return [one - latency for one in delays]
