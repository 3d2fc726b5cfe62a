"""Times functions side by side in one run: rounds interleave; medians, ratios to a baseline."""

from __future__ import annotations

import dataclasses
import gc
import importlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any


class MissingExtra(Exception):
    """Something from the extra ``bench`` is not installed."""


def optional(name: str) -> Any:
    """Return a module of the extra ``bench``; the checker must not need it either.

    Raises:
        MissingExtra: With a sentence that says what to install.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        reason = f"{name} is not installed: pip install 'lorafuota[bench]' brings it"
        raise MissingExtra(reason) from error


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One thing to time.  The first case of a *group* is what the others are compared with."""

    group: str
    name: str
    run: Callable[[], object]
    """Does the work once."""
    repeat: int = 1
    """How often one round calls it; the time is divided by that."""
    prepare: Callable[[], object] | None = None
    """What comes before every call, and is not timed."""
    check: Callable[[Any], object] | None = None
    """Asserts that a result is right, and is not timed."""

    def call(self) -> float:
        """Do it once, prepared and checked; return the seconds it took."""
        if self.prepare:
            self.prepare()
        start = time.perf_counter()
        result = self.run()
        spent = time.perf_counter() - start
        if self.check:
            self.check(result)
        return spent

    def round(self) -> float:
        """Do it *repeat* times; return the seconds of one."""
        if self.prepare or self.check:
            return sum([self.call() for _ in range(self.repeat)]) / self.repeat
        start = time.perf_counter()
        for _ in range(self.repeat):
            self.run()
        return (time.perf_counter() - start) / self.repeat


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


def measure(cases: Sequence[Case], *, rounds: int, warm: bool = True) -> list[Figure]:
    """Run every case once in each round; rounds interleave, so that a slow moment hits all."""
    times: dict[tuple[str, str], list[float]] = {(case.group, case.name): [] for case in cases}
    if warm:
        for case in cases:
            case.call()  # warm caches, and fail before anything is timed
    for _ in range(rounds):
        for case in cases:
            gc.collect()
            gc.disable()
            try:
                times[case.group, case.name].append(case.round())
            finally:
                gc.enable()
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


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """What does not fit the pattern of cases: columns with their unit, rows of plain numbers."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str | float | None, ...]]


def show_seconds(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def show_number(number: float) -> str:
    """Three digits, and no exponent."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def align(rows: Sequence[Sequence[str]], left: int) -> str:
    """Rows of cells as text, the first *left* columns flush left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _grouped(figures: Sequence[Figure]) -> list[Figure]:
    """Bring figures of a group together."""
    groups = list(dict.fromkeys(one.group for one in figures))
    return sorted(figures, key=lambda one: groups.index(one.group))


def show(figures: Sequence[Figure]) -> str:
    """The figures as an aligned table."""
    rows = [("group", "case", "median", "fastest", "ratio")]
    for one in _grouped(figures):
        times = show_seconds(one.median), show_seconds(one.fastest)
        rows.append((one.group, one.name, *times, f"{show_number(one.ratio)}x"))
    return align(rows, 2)


def show_cell(cell: str | float | None) -> str:
    """What stands in a table."""
    if isinstance(cell, str):
        return cell
    return "-" if cell is None else show_number(cell)


def show_table(table: Table) -> str:
    """A table under its title."""
    rows = [table.columns, *[[show_cell(cell) for cell in row] for row in table.rows]]
    return f"{table.title}\n{align(rows, 1)}"


# For the documentation


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "| --- " + "| ---: " * (len(rows[0]) - 1) + "|")
    return "\n".join(lines)


def markdown(figures: Sequence[Figure]) -> str:
    """The figures in Markdown: a row for a group; groups with the same cases share a table."""
    groups: dict[str, list[Figure]] = {}
    for one in figures:
        groups.setdefault(one.group, []).append(one)
    tables: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for group, members in groups.items():
        cells = [
            show_seconds(one.median) + (f" ({show_number(one.ratio)}x)" if i else "")
            for i, one in enumerate(members)
        ]
        tables.setdefault(tuple(one.name for one in members), []).append((group, *cells))
    return "\n\n".join(_markdown([("", *names), *rows]) for names, rows in tables.items())


def markdown_table(table: Table) -> str:
    """A table in Markdown."""
    rows = [table.columns, *[[show_cell(cell) for cell in row] for row in table.rows]]
    return f"{table.title}:\n\n{_markdown(rows)}"
