"""Prints who notices which mutant: ``python -m tests.mutants``.

The whole catalogue is played against each mutant; ``--quick`` plays the one check that is there for
it.  ``--only`` takes part of a name.  Ends with 1 if a mutant survives.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import time

from .families import FAMILIES


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--family", choices=list(FAMILIES), action="append")
    parser.add_argument("--only", default="", metavar="PART", help="part of the name")
    parser.add_argument("--quick", action="store_true", help="the check that is there for it, only")
    parser.add_argument("--json", metavar="FILE", help="the matrix, mutant by mutant")
    given = parser.parse_args(arguments)
    matrix: dict[str, list[str]] = {}
    survivors = 0
    for name in given.family or FAMILIES:
        family = FAMILIES[name]
        mutants = [one for one in family.mutants if given.only in one.name]
        noticed: collections.Counter[str] = collections.Counter()
        began, dead = time.perf_counter(), 0
        for one in mutants:
            checks = [one.killer] if given.quick else family.checks
            found = family.killers(one, checks)
            noticed.update(list(found))
            matrix[f"{name}/{one.name}"] = sorted(found)
            dead += bool(found)
            verdict = f"{len(found):4}" if found else "SURVIVES"
            print(
                f"{verdict}  {one.name}  ({one.subject})  {one.sentence}  [{one.killer}]",
                flush=True,
            )
        survivors += len(mutants) - dead
        seconds = time.perf_counter() - began
        print(f"\n{name}: {dead} of {len(mutants)} mutants noticed, {seconds:.0f} s")
        if not given.quick:
            print(f"{len(noticed)} of {len(family.checks)} checks notice a mutant\n")
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump(matrix, file, indent=1)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
