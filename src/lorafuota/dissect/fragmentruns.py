"""Fragments of a log in runs: which arrived, which are missing between them, which came twice."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, Final, final

from .._kinds import JSON
from .words import count

__all__ = ["FragmentRun", "ranges_of"]

_SHOWN: Final = 12


@final
@dataclasses.dataclass(slots=True, kw_only=True)
class FragmentRun:
    """Fragments for one receiver and FragIndex with nothing else between them.

    Attributes:
        line: The log's line of the first.
        owner: Who they were sent to.
        frag_index: Their session.
        session: Its name in the log, empty if its set-up was not captured.
        nb_frag: NbFrag of the set-up; numbers above it are coded fragments.
        frag_size: FragSize of the set-up.
        numbers: N of each, in the order of the log.
        sizes: How many had how many octets.
        first_time: When the first was sent, GPS seconds, if the log says.
        last_time: When the last was sent.
    """

    line: int
    owner: str
    frag_index: int
    session: str = ""
    nb_frag: int | None = None
    frag_size: int | None = None
    numbers: list[int] = dataclasses.field(default_factory=list)
    sizes: dict[int, int] = dataclasses.field(default_factory=dict)
    first_time: float | None = None
    last_time: float | None = None

    def add(self, fragment: Any, time: float | None) -> None:
        """Take in one DataFragment."""
        self.numbers.append(fragment.n)
        size = len(fragment.payload)
        self.sizes[size] = self.sizes.get(size, 0) + 1
        if time is not None:
            self.first_time = time if self.first_time is None else self.first_time
            self.last_time = time

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """The numbers between the lowest and the highest that are not there, as ranges."""
        there = sorted(set(self.numbers))
        return [(a + 1, b - 1) for a, b in itertools.pairwise(there) if b > a + 1]

    @property
    def repeats(self) -> int:
        """How many came again."""
        return len(self.numbers) - len(set(self.numbers))

    @property
    def in_order(self) -> bool:
        """Whether no number is below the one before it."""
        return all(a <= b for a, b in itertools.pairwise(self.numbers))

    def odd(self) -> list[str]:
        """Return what does not fit the set-up."""
        found = []
        for size, many in sorted(self.sizes.items()):
            if self.frag_size is not None and size != self.frag_size:
                what = count(many, "fragment")
                found.append(f"{what} of {size} octets, but FragSize is {self.frag_size}")
        if self.frag_size is None and len(self.sizes) > 1:
            sizes = ", ".join(map(str, sorted(self.sizes)))
            found.append(f"fragments of different sizes: {sizes} octets")
        return found

    def sentence(self) -> str:
        """Say what the run holds."""
        low, high = min(self.numbers), max(self.numbers)
        span = f"N {low}" if low == high else f"N {low} to {high}"
        parts = [count(len(self.numbers), "fragment"), span]
        if self.nb_frag is not None:
            coded = sum(n > self.nb_frag for n in self.numbers)
            parts.append(f"{len(self.numbers) - coded} plain and {coded} coded")
        parts.append(f"missing {ranges_of(self.gaps)}" if self.gaps else "no gap")
        if self.repeats:
            parts.append(f"{self.repeats} repeated")
        if not self.in_order:
            parts.append("out of order")
        parts.append(" or ".join(count(size, "octet") for size in sorted(self.sizes)))
        return ", ".join(parts)

    def to_json(self) -> dict[str, JSON]:
        """Return the run as JSON."""
        return {
            "line": self.line,
            "fragments": len(self.numbers),
            "owner": self.owner,
            "session": self.session,
            "frag_index": self.frag_index,
            "lowest": min(self.numbers),
            "highest": max(self.numbers),
            "gaps": [[a, b] for a, b in self.gaps],
            "repeats": self.repeats,
            "in_order": self.in_order,
            "sizes": {str(size): many for size, many in sorted(self.sizes.items())},
            "first_time": self.first_time,
            "last_time": self.last_time,
            "anomalies": [*self.odd()],
        }


def ranges_of(ranges: list[tuple[int, int]]) -> str:
    """Return ranges as people write them, the first dozen of many."""
    shown = [str(a) if a == b else f"{a} to {b}" for a, b in ranges[:_SHOWN]]
    more = len(ranges) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
