"""Prints who notices which mutant: ``python -m tests.mutants device|server|all``.

The whole catalogue is played against each mutant; ``--quick`` plays the one check that is there for
it, and the whole catalogue only where there is none.  ``--only`` takes part of a name.  Ends with 1
if a mutant survives that has a check, or one is noticed that nothing should notice.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import time
from collections.abc import Mapping
from typing import Final

from .families import FAMILIES, Named

_SAID: Final = 3
"""Checks of which the table shows what they say."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("role", choices=[*FAMILIES, "all"], help="whose mutants")
    parser.add_argument("--only", default="", metavar="PART", help="part of the name")
    parser.add_argument("--quick", action="store_true", help="the check that is there for it, only")
    parser.add_argument("--say", action="store_true", help=f"what {_SAID} of the checks say, too")
    parser.add_argument("--json", metavar="FILE", help="the matrix, mutant by mutant")
    given = parser.parse_args(arguments)
    matrix: dict[str, list[str]] = {}
    wrong = 0
    for role in FAMILIES if given.role == "all" else [given.role]:
        family = FAMILIES[role]
        mutants = [one for one in family.mutants if given.only in one.name]
        noticed: collections.Counter[str] = collections.Counter()
        began, dead, odd = time.perf_counter(), 0, 0
        for one in mutants:
            checks = [one.killer] if given.quick and one.killer else family.checks
            found = family.killers(one, checks)
            noticed.update(list(found))
            matrix[f"{role}/{one.name}"] = sorted(found)
            dead += bool(found)
            odd += bool(found) is not bool(one.killer)
            print(_line(one, found), flush=True)
            for id, said in list(found.items())[: _SAID if given.say else 0]:
                print(f"          {id}: {said}", flush=True)
        wrong += odd
        seconds = time.perf_counter() - began
        print(
            f"\n{role}: {dead} of {len(mutants)} mutants noticed, {odd} not as expected, "
            f"{seconds:.0f} s"
        )
        if not given.quick:
            print(f"{len(noticed)} of {len(family.checks)} checks notice a mutant\n")
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump(matrix, file, indent=1)
    return 1 if wrong else 0


def _line(one: Named, found: Mapping[str, str]) -> str:
    if found:
        verdict = f"{len(found):4}" if one.killer else f"{len(found):4}, and none should"
    else:
        verdict = "SURVIVES" if one.killer else "   0"
    why = one.killer or one.survives
    return f"{verdict}  {one.name}  ({one.subject})  {one.sentence}  [{why}]"


if __name__ == "__main__":
    sys.exit(main())
