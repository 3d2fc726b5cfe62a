"""Runs the benchmarks: ``python -m benchmarks.run [--once] [--json FILE] [PART ...]``.

Prints tables with the kernels' name, the Python version and the commit, and writes the same as
JSON if asked to.  ``--once`` runs every case once, so that none of them rots, and leaves out what
takes the reference many seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import pathlib
import platform
import time

from benchmarks import (
    bench_bound,
    bench_campaign,
    bench_fec,
    bench_fleet,
    bench_link,
    bench_simulate,
    bench_wire,
    floor,
    growth,
    peers,
    rank,
)
from benchmarks.harness import markdown, markdown_table, measure, show, show_table
from benchmarks.page import commit, replace
from benchmarks.workloads import kernel_sets, kernels_kept
from lorafuota.fec import kernels
from lorafuota.version import VERSION

PARTS = {
    "wire": bench_wire,
    "link": bench_link,
    "simulate": bench_simulate,
    "campaign": bench_campaign,
    "fec": bench_fec,
    "bound": bench_bound,
    "fleet": bench_fleet,
    "rank": rank,
    "floor": floor,
    "peers": peers,
    "growth": growth,
}


def stamp(commit: str) -> str:
    """Where, when and in what company a part ran."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    return f"{time.strftime('%Y-%m-%d')}, commit {commit}, load average {load:.1f} at the start."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--once", action="store_true", help="one round, to see that they run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--page", type=pathlib.Path, metavar="FILE", help="put the tables into this page, too"
    )
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    args = parser.parse_args()
    unknown = set(args.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    about = {
        "lorafuota": VERSION,
        "commit": commit(),
        "kernels": f"{kernels.NAME} {kernels.SIMD}".strip(),
        "sets": " ".join(kernel_sets()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": platform.machine(),
        "date": time.strftime("%Y-%m-%d"),
    }
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    figures, tables = [], []
    rounds = 1 if args.once else args.rounds
    for name in args.parts or PARTS:
        part = PARTS[name]
        print(f"\n{name}: {(part.__doc__ or '').splitlines()[0]}", flush=True)
        texts = [stamp(about["commit"])]
        with kernels_kept():
            found = measure(part.cases(args.once), rounds=rounds, warm=not args.once)
            if found:
                print(show(found), flush=True)
                texts.append(markdown(found))
            figures += found
            if hasattr(part, "tables"):
                for table in part.tables(args.once, rounds):
                    print(f"\n{show_table(table)}", flush=True)
                    texts.append(markdown_table(table))
                    tables.append(table)
        if args.page:
            replace(args.page, name, "\n\n".join(texts))
    if args.json:
        document = {
            **about,
            "figures": [dataclasses.asdict(one) for one in figures],
            "tables": [dataclasses.asdict(one) for one in tables],
        }
        args.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
