"""Runs the benchmarks: ``python -m benchmarks.run [--once] [--json FILE] [PART ...]``.

Prints a table with the kernels' name, the Python version and the commit, and writes the same as
JSON if asked to.  ``--once`` runs every case once, so that none of them rots.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import platform
import subprocess

from benchmarks import bench_link, bench_simulate, bench_wire
from benchmarks.harness import measure, show
from lorafuota.fec import kernels
from lorafuota.version import VERSION

PARTS = {"wire": bench_wire, "link": bench_link, "simulate": bench_simulate}


def commit() -> str:
    """The commit the working tree is at, or "unknown" outside a repository."""
    here = pathlib.Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--once", action="store_true", help="one round, to see that they run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    args = parser.parse_args()
    unknown = set(args.parts) - PARTS.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    about = {
        "lorafuota": VERSION,
        "commit": commit(),
        "kernels": kernels.NAME,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": platform.machine(),
    }
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    figures = []
    for name in args.parts or PARTS:
        rounds = 1 if args.once else args.rounds
        found = measure(PARTS[name].cases(), rounds=rounds)
        print(f"\n{PARTS[name].__doc__}\n{show(found)}", flush=True)
        figures += found
    if args.json:
        document = {**about, "figures": [dataclasses.asdict(one) for one in figures]}
        args.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
