"""A thousand devices hear one session: with which fragment each is complete; and two threads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.harness import Case
from benchmarks.workloads import V1, W1, W2, W5, Workload, cold, kernel_sets
from lorafuota.fec.fleet import completions

_THREADED = ("python", "c-baseline", "c-avx2")


def _complete(first: int = 0, last: int | None = None) -> list[int | None]:
    return completions(W5.receptions[first:last], nb_frag=W5.nb_frag, variant=V1)


def _check(numbers: list[int | None]) -> None:
    assert len(numbers) == W5.devices
    assert sum(n or 0 for n in numbers) == W5.total


def cases(once: bool) -> list[Case]:
    """The fleet with every set, then the same work in a row and in two threads."""
    _ = W5.receptions
    names = [name for name in kernel_sets() if not (once and name == "reference")]
    found = [Case("W5", name, _complete, prepare=cold(name), check=_check) for name in names]
    pool = ThreadPoolExecutor(2)
    for name in [name for name in names if name in _THREADED]:
        found += _in_two_threads(pool, name)
    return found


def _pair(load: Workload) -> tuple[Workload, Workload]:
    """Return a session and another that shares no line with it."""
    other = dataclasses.replace(load, nb_frag=load.nb_frag - 1)
    return load, other


def _in_two_threads(pool: ThreadPoolExecutor, name: str) -> Iterator[Case]:
    def warm() -> None:  # halves of a fleet share their lines: these are drawn before
        cold(name)()
        _complete(0, 1)

    def fleet(both: Callable[..., Iterator[list[int | None]]]) -> list[int | None]:
        half = W5.devices // 2
        return [n for part in both(_complete, (0, half), (half, None)) for n in part]

    def check_fragments(result: list[list[bytes]]) -> None:
        assert result == [load.coded for load in _ENCODED]

    def check_blocks(result: list[bytes]) -> None:
        assert result == [load.block for load in _DECODED]

    for title, both in (("in a row", map), ("two threads", pool.map)):
        yield Case(
            f"threads, W5 in halves, lines drawn before: {name}",
            title,
            lambda both=both: fleet(both),  # type: ignore[misc]
            prepare=warm,
            check=_check,
        )
        yield Case(
            f"threads, two W1 encoded: {name}",
            title,
            lambda both=both: list(both(Workload.encode, _ENCODED)),  # type: ignore[misc]
            prepare=cold(name),
            check=check_fragments,
        )
        yield Case(
            f"threads, two W2 decoded: {name}",
            title,
            lambda both=both: list(both(Workload.decode, _DECODED)),  # type: ignore[misc]
            prepare=cold(name),
            check=check_blocks,
        )


_ENCODED, _DECODED = _pair(W1), _pair(W2)
