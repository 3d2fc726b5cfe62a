"""Receive time of the last 24 hours: how much is used, how long the rest lasts (promise S12).

A second is free again 24 hours after it was used, so no midnight lets the time of two days follow
each other.  What was used is kept as a few *spans*: so many seconds without a pause, the last of
them so long ago.  Pauses are moved to the front, those of class B and those between two spans that
become one.  Time counts as used later than it was then, and is never free too early.

Nothing in here reads a clock or takes one's word: time is what has passed, and never runs back.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Final, NamedTuple, final

__all__ = ["DAY_SECONDS", "MAX_SPANS", "NOTHING_LEFT", "ReceiveTime", "Span"]

DAY_SECONDS: Final = 86_400.0
MAX_SPANS: Final = 8
NOTHING_LEFT: Final = 1e-3
"""Seconds; less is rounding."""

_ROUNDING: Final = 1e-4
_SAME_SPAN: Final = 1.0  # a pause that is shorter is not worth a span


class Span(NamedTuple):
    """So many seconds of receiving, without a pause."""

    seconds: float
    ago: float
    """Since its end; negative for one that may still go on for so long."""


@final
class ReceiveTime:
    """What a device may still receive, of a number of seconds in any 24 hours."""

    def __init__(self, limit: float) -> None:
        """Start with nothing used.

        Args:
            limit: Seconds in any 24 hours; may be infinite.
        """
        self.limit = limit
        self._spans: list[Span] = []  # oldest first, none into another
        self._running = 0.0  # used since they were brought up to date

    @property
    def spans(self) -> list[Span]:
        """What was used in the last 24 hours, oldest first; as of the last :meth:`settle`."""
        return list(self._spans)

    @property
    def used(self) -> float:
        """Seconds used in the last 24 hours."""
        return sum(max(min(one.seconds, DAY_SECONDS - one.ago), 0.0) for one in self._all())

    @property
    def clears_in(self) -> float:
        """Seconds until nothing of what was used counts any more."""
        return max([0.0, *(DAY_SECONDS - one.ago for one in self._all())])

    @property
    def opens_in(self) -> float:
        """Seconds until there is something left to use; infinite for never."""
        if self.lasts(1.0) >= NOTHING_LEFT:
            return 0.0
        beyond = max(self.used - self.limit, 0.0)
        for begins, ends in self._frees():
            if beyond < ends - begins:
                return max(begins + beyond, NOTHING_LEFT)
            beyond -= ends - begins
        return math.inf

    def lasts(self, share: float) -> float:
        """Return for how many seconds a receiver may go on that is on for *share* of them.

        Args:
            share: Above 0, at most 1.
        """
        at, left = 0.0, self.limit - self.used
        for begins, ends in self._frees():
            if (begins - at) * share > left + _ROUNDING:
                break
            left += (ends - begins) - (ends - at) * share
            at = ends
        return max(at + left / share, 0.0)

    def advance(self, seconds: float, share: float) -> None:
        """Let time pass, with the receiver on for *share* of it."""
        if self.limit == math.inf:
            return
        if not share:
            self.settle()
        self._spans = [Span(one.seconds, one.ago + seconds) for one in self._spans]
        self._running = min(self._running + seconds * share, DAY_SECONDS)

    def settle(self) -> None:
        """End the span under way, and forget what is free again."""
        self._spans, self._running = _apart(self._all()), 0.0

    def restore(self, spans: Iterable[Span]) -> None:
        """Take over what was used before a reset; what may have gone on has ended by now."""
        self._spans = _apart([Span(one.seconds, max(one.ago, 0.0)) for one in spans])

    def _all(self) -> list[Span]:
        return [*self._spans, Span(self._running, 0.0)] if self._running else self._spans

    def _frees(self) -> list[tuple[float, float]]:
        """When time becomes free again, from and to so many seconds from now, oldest first."""
        return [
            (max(DAY_SECONDS - one.ago - one.seconds, 0.0), DAY_SECONDS - one.ago)
            for one in self._all()
            if one.ago < DAY_SECONDS
        ]


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Return what counts of *spans*, in order, at most so many, none into another."""
    found: list[Span] = []
    for one in sorted(spans, key=lambda span: -span.ago):
        if one.ago >= DAY_SECONDS or not one.seconds:
            continue
        seconds, ago = one
        while found and found[-1].ago - ago - seconds < _SAME_SPAN:
            seconds += found.pop().seconds
        found.append(Span(min(seconds, DAY_SECONDS), ago))
    while len(found) > MAX_SPANS:
        pauses = [a.ago - b.ago - b.seconds for a, b in itertools.pairwise(found)]
        at = pauses.index(min(pauses))
        seconds, ago = found[at].seconds + found[at + 1].seconds, found[at + 1].ago
        found[at : at + 2] = [Span(seconds, ago)]
    return found
