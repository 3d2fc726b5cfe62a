"""Fleets without payload: time and memory of 1,000 and 100,000 devices, one worker and two.

M = 1000, 300 coded fragments, 15 % loss.  Each row is a process of its own: ``python -m
benchmarks.rank DEVICES WORKERS`` prints the seconds of the work, the seconds until workers stood
ready, and the octets its resident size and that of its largest worker peaked at, interpreter and
all.  One worker is the process itself.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from benchmarks.harness import Case, Table
from lorafuota.losses import Losses
from lorafuota.simulate import RankFleet, RankReport

_SIZES, _SIZES_ONCE = (1000, 100_000), (1000,)
_WORKERS = (1, 2)


def fleet(devices: int) -> RankFleet:
    """The session that is measured."""
    return RankFleet(
        nb_frag=1000, nb_coded=300, devices=devices, loss=Losses.independent(0.15), seed=205
    )


def cases(once: bool) -> list[Case]:
    """A thousand devices, beside W5, which is given its losses ready-made."""
    return [Case("1,000 devices without payload", "here", fleet(1000).run, check=_check)]


def _check(report: RankReport) -> None:
    assert report.complete_after(300) == report.complete > 990


def tables(once: bool, rounds: int) -> Iterator[Table]:
    """Return time and memory."""
    rows: list[tuple[str | float | None, ...]] = []
    for devices in _SIZES_ONCE if once else _SIZES:
        alone: float | None = None
        for workers in _WORKERS:
            runs = [_measured(devices, workers) for _ in range(1 if once else min(rounds, 3))]
            seconds, start, own, worker = (
                statistics.median(each) for each in zip(*runs, strict=True)
            )
            name = f"{devices:,} devices, {workers} worker" + ("s" if workers > 1 else "")
            memory = [octets / 1e6 or None for octets in (own, worker)]
            gain = None if alone is None else f"{alone / seconds:.2f}x"
            alone = alone or seconds
            rows.append((name, seconds, gain, start or None, 1e6 * seconds / devices, *memory))
    columns = (
        "fleet",
        "s",
        "gain",
        "start of workers, s",
        "us per device",
        "peak, MB",
        "a worker, MB",
    )
    yield Table("Fleets without payload", columns, rows)


def _measured(devices: int, workers: int) -> tuple[float, float, float, float]:
    """Return seconds of the work, seconds until workers stood ready, and octets."""
    command = [sys.executable, "-m", "benchmarks.rank", str(devices), str(workers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    seconds, start, own, worker = json.loads(done.stdout)
    return seconds, start, own, worker


def _peak(who: int) -> int:
    import resource  # not on Windows

    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    import resource

    devices, workers = map(int, sys.argv[1:])
    load, start, worker = fleet(devices), 0.0, 0
    if workers == 1:
        begun = time.perf_counter()
        report = load.run()
        seconds = time.perf_counter() - begun
    else:
        begun = time.perf_counter()
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            fleet(workers).run(executor=pool, piece=1)
            start = time.perf_counter() - begun
            report = load.run(executor=pool, piece=min(1000, devices // workers))
            seconds = time.perf_counter() - begun - start
        worker = _peak(resource.RUSAGE_CHILDREN)
    assert report.complete > 0.99 * devices
    print(json.dumps([seconds, start, _peak(resource.RUSAGE_SELF), worker]))


if __name__ == "__main__":
    main()
