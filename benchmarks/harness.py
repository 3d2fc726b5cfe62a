"""Times functions side by side in one run: rounds interleave; medians, ratios to a baseline."""

from __future__ import annotations

import dataclasses
import gc
import statistics
import time
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One thing to time.  The first case of a *group* is what the others are compared with."""

    group: str
    name: str
    run: Callable[[], object]
    """Does the work once and checks its result, outside what it costs if it can."""
    repeat: int = 1
    """How often one round calls it; the time is divided by that."""


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """The outcome of one case, in seconds per call."""

    group: str
    name: str
    median: float
    fastest: float
    rounds: int
    ratio: float
    """How many times faster than the first case of the group, median of the rounds' ratios."""


def measure(cases: Sequence[Case], *, rounds: int) -> list[Figure]:
    """Run every case once in each round; rounds interleave, so that a slow moment hits all."""
    times: dict[tuple[str, str], list[float]] = {(case.group, case.name): [] for case in cases}
    for case in cases:
        case.run()  # warm caches, and fail before anything is timed
    for _ in range(rounds):
        for case in cases:
            gc.collect()
            gc.disable()
            start = time.perf_counter()
            for _ in range(case.repeat):
                case.run()
            spent = time.perf_counter() - start
            gc.enable()
            times[case.group, case.name].append(spent / case.repeat)
    first: dict[str, str] = {}
    figures = []
    for case in cases:
        base = times[case.group, first.setdefault(case.group, case.name)]
        own = times[case.group, case.name]
        ratio = statistics.median(b / o for b, o in zip(base, own, strict=True))
        figures.append(
            Figure(case.group, case.name, statistics.median(own), min(own), rounds, ratio)
        )
    return figures


def show_seconds(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def show(figures: Sequence[Figure]) -> str:
    """The figures as an aligned table."""
    rows = [("group", "case", "median", "fastest", "ratio")]
    for one in figures:
        times = show_seconds(one.median), show_seconds(one.fastest)
        rows.append((one.group, one.name, *times, f"{one.ratio:.3g}x"))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
