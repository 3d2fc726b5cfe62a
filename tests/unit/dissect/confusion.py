"""What the doctor says first about each fault, over many seeds: the confusion table.

python -m tests.unit.dissect.confusion 50      # markdown, as in docs/guides/doctor.md
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

from lorafuota.dissect.doctor import diagnose
from tests.unit.dissect.faults import FAULTS, Fault, healthy


def confusion(fault: Fault, seeds: Iterable[int]) -> Counter[str]:
    """Count what is named first."""
    named: Counter[str] = Counter()
    for seed in seeds:
        diagnosis = diagnose(*fault.make(seed))
        named[diagnosis.hypotheses[0].symptom.value if diagnosis.found else "nothing"] += 1
    return named


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print("| fault | named first | of | otherwise |\n| --- | --- | --- | --- |")
    right = total = 0
    for fault in FAULTS:
        named = confusion(fault, range(seeds))
        hit = named.pop(fault.symptom.value, 0)
        right, total = right + hit, total + seeds
        others = ", ".join(f"{name} {count}" for name, count in named.items())
        name = (
            fault.name
            if fault.name == fault.symptom.value
            else (f"{fault.name} (`{fault.symptom.value}`)")
        )
        print(f"| {name} | {hit} | {seeds} | {others} |", flush=True)
    print(f"| **all** | {right} | {total} | |")
    quiet = alarms = unlucky = 0
    for seed in range(20 * seeds):
        capture = healthy(seed)
        if capture is None:
            unlucky += 1
        elif diagnose(*capture).hypotheses:
            alarms += 1
        else:
            quiet += 1
    print(
        f"\nhealthy sessions: {quiet} of {quiet + alarms} with nothing said, {alarms} with "
        f"something; {unlucky} more ended incomplete and do not count"
    )


if __name__ == "__main__":
    main()
