"""Invariant: a log of the air is read or refused as damaged; a line that was cut is dropped."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Sequence

from lorafuota.simulate.airlog import AirLog, AirLogError
from tests.fuzz import mutation
from tests.fuzz.targets.target import Target, folder
from tests.unit.simulate.test_airlog import ENTRIES


def one_input(data: bytes) -> str:
    path = folder() / "air"
    path.write_bytes(data)
    try:
        with AirLog(path) as log:
            entries = log.entries
            log.write(ENTRIES[0])
        with AirLog(path) as log:
            assert log.entries == [*entries, ENTRIES[0]]
    except AirLogError as error:
        assert "damaged in line" in str(error)
        return "AirLogError"
    return "a log" if entries else "an empty log"


@functools.cache
def seeds() -> tuple[bytes, ...]:
    path = folder() / "air"
    path.unlink(missing_ok=True)
    with AirLog(path) as log:
        for entry in ENTRIES:
            log.write(entry)
    whole = path.read_bytes()
    return (whole, whole + b"[1, 2.0, ", *whole.splitlines(keepends=True), b"")


def mutate(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    """Change octets, or one of the lines as JSON."""
    if rng.random() < 0.3:
        return mutation.octets(rng, pool)
    lines = [line for line in rng.choice(pool).split(b"\n") if _is_json(line)]
    if lines:
        at = rng.randrange(len(lines))
        lines[at] = mutation.document(rng, [lines[at]])
    return b"".join([line + b"\n" for line in lines])


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


TARGETS = (Target(name="air-log", one_input=one_input, seeds=seeds, mutate=mutate),)
