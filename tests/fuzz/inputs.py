"""Invariant: no input makes a reader raise what it does not document, hang, or fill the memory.

Every entry point in :mod:`tests.fuzz.targets`, or some, with so many inputs each: its seeds, then
seeds changed at random.  One line for each tells what became of the inputs, the slowest, and the
most memory one took.  A failure is made as small as it goes and written to a file:

    python -m tests.fuzz.inputs
    python -m tests.fuzz.inputs --only device,patch --seconds 600 --seed 7
    python -m tests.fuzz.inputs --replay device fuzz-failures/device-4f1c

The inputs depend on nothing but the seed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import itertools
import json
import math
import pathlib
import random
import signal
import sys
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Final

from tests.fuzz.targets import MODULES, TARGETS
from tests.fuzz.targets.target import Target

PATIENCE: Final = 20
"""Seconds from which an input hangs."""
MEASURED: Final = 50
"""Of so many inputs, the memory of one is measured, which takes longer; of fewer in long runs."""
MEASUREMENTS: Final = 20_000
TOGETHER: Final = 64
"""Inputs between two looks at the clock, if they are quick."""
QUICK: Final = 0.005
"""... which is so many seconds."""
SMALLEST_TRIES: Final = 400


class HangError(Exception):
    """An input takes for ever."""


class MemoryUse(Exception):
    """An input took more memory than it may."""


@dataclasses.dataclass
class Found:
    """What came of one entry point."""

    target: Target
    outcomes: Counter[str] = dataclasses.field(default_factory=Counter)
    failures: dict[str, bytes] = dataclasses.field(default_factory=dict)
    """The smallest input for each kind of failure."""
    tried: int = 0
    escapes: int = 0
    slowest: float = 0.0
    peak: int = 0

    def line(self) -> str:
        kinds = ", ".join(f"{count:,} {what}" for what, count in self.outcomes.most_common())
        return (
            f"{self.target.name}: {self.tried:,} inputs, "
            f"{self.escapes} escapes, slowest {1000 * self.slowest:.1f} ms, "
            f"peak {self.peak / 1024:.0f} KiB ({kinds})"
        )


@contextlib.contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Raise HangError in what takes longer; where there are no alarms, wait."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise HangError(f"more than {seconds} s")

    if not hasattr(signal, "alarm"):
        yield
        return
    former = signal.signal(signal.SIGALRM, ring)
    wind(seconds)
    try:
        yield
    finally:
        wind(0)
        signal.signal(signal.SIGALRM, former)


def wind(seconds: int) -> None:
    """Let the alarm ring so much later, or never for 0."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def peak_of(target: Target, data: bytes) -> int:
    """Return how many octets an input takes at its peak.

    Raises:
        MemoryUse: More than it may.
    """
    tracemalloc.start()
    try:
        target.one_input(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > target.memory:
        raise MemoryUse(f"{peak} octets at the peak, and {target.memory} are allowed")
    return peak


def seconds_of(target: Target, data: bytes) -> float:
    """Return how long an input takes, at the best of three tries."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        target.one_input(data)
        times.append(time.thread_time() - began)
    return min(times)


def failure(target: Target, data: bytes, *, measure: bool = False) -> str | None:
    """Return how an input fails, by kind and place; None if it does not."""
    try:
        with no_longer_than(PATIENCE):
            peak_of(target, data) if measure else target.one_input(data)
    except Exception as error:  # the very thing that is looked for
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
        return f"{type(error).__name__} in {where}"
    return None


def smallest(target: Target, data: bytes, kind: str, *, measure: bool) -> bytes:
    """Leave out of an input what its failure does not need."""
    tries, size = SMALLEST_TRIES, len(data) // 2
    while size and tries > 0:
        at = 0
        while at < len(data) and tries > 0:
            shorter = data[:at] + data[at + size :]
            tries -= 1
            if failure(target, shorter, measure=measure) == kind:
                data = shorter
            else:
                at += size
        size //= 2
    return data


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """Yield the seeds, then changed ones without end."""
    pool = target.seeds()
    yield from pool
    rng = random.Random(f"{target.name} {seed}")
    while True:
        yield target.mutate(rng, pool)


def run(
    target: Target,
    *,
    count: int,
    seed: int = 0,
    seconds: float = math.inf,
    measured: int | None = None,
) -> Found:
    """Give an entry point so many inputs, or as many as there is time for."""
    found, took = Found(target), 0.0
    end = time.monotonic() + seconds
    measured = measured or max(MEASURED, count // MEASUREMENTS)
    with warnings.catch_warnings(), no_longer_than(PATIENCE):
        warnings.simplefilter("error")
        for number, data in enumerate(itertools.islice(inputs(target, seed), count)):
            if number % TOGETHER == 0 or took > QUICK:
                if time.monotonic() > end:
                    break
                wind(PATIENCE)
            found.tried += 1
            try:
                began = time.perf_counter()
                found.outcomes[target.one_input(data)] += 1
                took = time.perf_counter() - began
                if took > found.slowest:
                    found.slowest = max(found.slowest, seconds_of(target, data))
                if number % measured == 0:
                    found.peak = max(found.peak, peak_of(target, data))
            except Exception as error:  # the very thing that is looked for
                found.escapes += 1
                measure = isinstance(error, MemoryUse)
                once = f"{type(error).__name__}, but not again"
                kind = failure(target, data, measure=measure) or once
                if kind not in found.failures:
                    found.failures[kind] = smallest(target, data, kind, measure=measure)
    return found


def keep(found: Found, folder: pathlib.Path) -> None:
    """Write the failures where they can be replayed from, and say how."""
    for kind, data in found.failures.items():
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(data).hexdigest()[:8]
        path = folder / f"{found.target.name.replace('/', '-')}-{digest}"
        path.write_bytes(data)
        print(f"  {kind}: {data.hex() if len(data) <= 100 else f'{len(data)} octets'}")
        print(f"  python -m tests.fuzz.inputs --replay {found.target.name} {path}", flush=True)


def named(names: str) -> list[Target]:
    """Return the entry points of a module, of a name, or whose names begin so.

    Raises:
        SystemExit: There is none.
    """
    found: list[Target] = []
    for name in [one for one in names.split(",") if one]:
        module = next((one for one in MODULES if one.__name__.endswith(f".{name}")), None)
        some = [one for one in TARGETS if one.name.startswith(name)]
        if module is None and not some:
            known = ", ".join(target.name for target in TARGETS)
            raise SystemExit(f"no such entry point: {name}; {known}")
        found += some if module is None else module.TARGETS
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = "modules, names, or how these begin, with commas between"
    parser.add_argument("--only", default="", help=names)
    parser.add_argument("--without", default="", help=names)
    parser.add_argument("--count", type=int, default=10_000, help="inputs for each")
    parser.add_argument("--seconds", type=float, default=math.inf, help="for each, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=pathlib.Path, default=pathlib.Path("fuzz-failures"))
    parser.add_argument("--json", type=pathlib.Path, help="file for the figures")
    parser.add_argument("--replay", nargs=2, metavar=("NAME", "FILE"), help="one input again")
    given = parser.parse_args(arguments)
    if given.replay:
        [target] = [one for one in TARGETS if one.name == given.replay[0]]
        data = pathlib.Path(given.replay[1]).read_bytes()
        print(f"{target.one_input(data)}, peak {peak_of(target, data) / 1024:.0f} KiB")
        return 0
    every = []
    wanted, unwanted = named(given.only) or TARGETS, named(given.without)
    for target in [one for one in wanted if one not in unwanted]:
        found = run(target, count=given.count, seed=given.seed, seconds=given.seconds)
        every.append(found)
        print(found.line(), flush=True)
        keep(found, given.failures)
    if given.json:
        given.json.write_text(json.dumps([figures(found) for found in every], indent=1))
    total = sum(found.tried for found in every)
    escapes, slowest = sum(found.escapes for found in every), max(found.slowest for found in every)
    print(
        f"{total:,} inputs for {len(every)} entry points, {escapes} escapes, "
        f"slowest {1000 * slowest:.1f} ms"
    )
    return 1 if escapes else 0


def figures(found: Found) -> dict[str, object]:
    return {
        "name": found.target.name,
        "inputs": found.tried,
        "outcomes": dict(found.outcomes),
        "escapes": found.escapes,
        "slowest_ms": round(1000 * found.slowest, 3),
        "peak_octets": found.peak,
        "allowed_octets": found.target.memory,
    }


if __name__ == "__main__":
    sys.exit(main())
