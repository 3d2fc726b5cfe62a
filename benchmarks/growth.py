"""How time grows with the number of fragments: ``python -m benchmarks.growth [--plot FILE]``.

FragSize 64, 20 % loss, 30 % coded fragments; the last row, M = 16000, has 2 % loss and few coded
fragments: the other corner of what 14 bits of N permit.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import pathlib
import statistics
from collections.abc import Iterator

from benchmarks.harness import (
    Case,
    MissingExtra,
    Table,
    measure,
    optional,
    show_table,
)
from benchmarks.workloads import CORNER, GROWTH, Workload, cold, kernel_sets, kernels_kept

_LONG = 4000  # from here on the reference takes seconds: it gets a single round


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """The seconds of one set of kernels on one workload."""

    load: Workload
    kernels: str
    encode: float
    decode: float


def points(loads: list[Workload], rounds: int) -> Iterator[Point]:
    """Measure all sets on all workloads."""
    for load in loads:
        for names, count in _plan(load, rounds):
            cases = [
                case
                for name in names
                for case in (
                    Case("encode", name, load.encode, prepare=cold(name), check=load.check_coded),
                    Case("decode", name, load.decode, prepare=cold(name), check=load.check_block),
                )
            ]
            repeat = 20 if load.nb_frag <= 500 and "reference" not in names else 1
            cases = [dataclasses.replace(case, repeat=repeat) for case in cases]
            figures = measure(cases, rounds=count, warm=count > 1)
            times = {(figure.group, figure.name): figure.median for figure in figures}
            for name in names:
                yield Point(load, name, times["encode", name], times["decode", name])


def _plan(load: Workload, rounds: int) -> Iterator[tuple[list[str], int]]:
    fast = [name for name in kernel_sets() if name != "reference"]
    yield fast, rounds
    if "reference" in kernel_sets():
        yield ["reference"], 1 if load.nb_frag >= _LONG else rounds


def table(found: list[Point]) -> Table:
    """Return the times, and how they grow."""
    rows: list[tuple[str | float | None, ...]] = []
    names = list(kernel_sets())
    loads = list(dict.fromkeys(point.load for point in found))
    by_key = {(point.load, point.kernels): point for point in found}
    for load in loads:
        cells: list[float | None] = [load.lost]
        for name in names:
            point = by_key[load, name]
            cells += [1e3 * point.encode, 1e3 * point.decode]
        rows.append((load.name, *cells))
    titles = [f"{name} {what}" for name in names for what in ("encode", "decode")]
    return Table("Growth, in ms", ("session", "lost", *titles), rows)


def exponents(found: list[Point]) -> Table:
    """Return, for every set, the slope of the line through the points with 20 % loss."""
    rows: list[tuple[str | float | None, ...]] = []
    for name in kernel_sets():
        own = [point for point in found if point.kernels == name and point.load is not CORNER]
        own = [point for point in own if point.load.nb_frag >= 1000]
        if len(own) > 1:
            size = [math.log(point.load.nb_frag) for point in own]
            slopes = [
                statistics.linear_regression(size, [math.log(t) for t in times]).slope
                for times in ([p.encode for p in own], [p.decode for p in own])
            ]
            rows.append((name, *slopes))
    return Table(
        "Time grows as this power of M, from 1000 up", ("kernels", "encode", "decode"), rows
    )


def draw(found: list[Point], file: pathlib.Path) -> None:
    """Draw the plot: both axes logarithmic, encoding dashed.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    matplotlib = optional("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "lorafuota", "svg.fonttype": "none"})
    figure, axes = optional("matplotlib.pyplot").subplots(figsize=(7, 5))
    for i, name in enumerate(kernel_sets()):
        own = [point for point in found if point.kernels == name and point.load is not CORNER]
        size = [point.load.nb_frag for point in own]
        axes.loglog(size, [p.decode for p in own], "o-", color=f"C{i}", label=f"{name}, decode")
        axes.loglog(size, [p.encode for p in own], "s--", color=f"C{i}", alpha=0.5)
    axes.set_xlabel("M, fragments in the block (64 octets each, 20 % lost)")
    axes.set_ylabel("seconds; dashed: encode 30 %")
    axes.set_xticks([250, 500, 1000, 2000, 4000, 8000, 12000])
    axes.set_xticklabels(["250", "500", "1000", "2000", "4000", "8000", "12000"])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, metadata={"Date": None}, bbox_inches="tight")


def cases(once: bool) -> list[Case]:
    """Nothing to compare side by side: see the table."""
    return []


def tables(once: bool, rounds: int) -> Iterator[Table]:
    """Return the times, and how they grow."""
    found = list(points(GROWTH[:3] if once else [*GROWTH, CORNER], rounds))
    yield table(found)
    yield exponents(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE", help="draw it, as SVG")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    args = parser.parse_args()
    try:
        if args.plot:
            optional("matplotlib")
    except MissingExtra as error:
        parser.error(str(error))
    with kernels_kept():
        found = list(points([*GROWTH, CORNER], args.rounds))
    shown = [table(found), exponents(found)]
    print("\n\n".join(map(show_table, shown)))
    if args.json:
        args.json.write_text(
            json.dumps([dataclasses.asdict(one) for one in shown], indent=1) + "\n"
        )
    if args.plot:
        draw(found, args.plot)


if __name__ == "__main__":
    main()
