"""The parity code through FragEncoder and FragDecoder, no line remembered, every set of kernels."""

from __future__ import annotations

import dataclasses
import gc
import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.harness import Case, Table
from benchmarks.memory import peak
from benchmarks.workloads import V2, W1, W2, W3, W4, Workload, cold, kernel_sets

_SMALL = 50  # calls in a round where one takes microseconds


def cases(once: bool) -> list[Case]:
    """All workloads with all sets; run once, what takes seconds without C is left out."""
    found = []
    for name in kernel_sets():
        found += [_encode(W1, name), _decode(W2, name), _one_by_one(W2, name)]
        found += [_encode(W3, name), _decode(W3, name), _one_by_one(W3, name)]
        found += [_at_once(W2, name), _at_once(W3, name)]
        found += [_kernels_only(W2, name), _kernels_only(W3, name)]
        if not once or name.startswith("c-"):
            found += [_encode(W4, name), _decode(W4, name), _at_once(W4, name)]
        if name != "reference":
            found += _versions(name)
    return found


def _repeat(load: Workload, name: str) -> int:
    return _SMALL if load is W3 and name not in ("reference", "python") else 1


def _encode(load: Workload, name: str) -> Case:
    return Case(
        f"{load.name} encode",
        name,
        load.encode,
        _repeat(load, name),
        prepare=cold(name),
        check=load.check_coded,
    )


def _decode(load: Workload, name: str, title: str = "decode") -> Case:
    return Case(
        f"{load.name} {title}",
        name,
        load.decode,
        _repeat(load, name),
        prepare=cold(name),
        check=load.check_block,
    )


def _one_by_one(load: Workload, name: str) -> Case:
    case = _decode(load, name, "decode, one by one")
    return dataclasses.replace(case, run=load.decode_one_by_one)


def _at_once(load: Workload, name: str) -> Case:
    case = _decode(load, name, "decode, fec.batch")
    return dataclasses.replace(case, run=load.decode_at_once)


def _kernels_only(load: Workload, name: str) -> Case:
    """The part of decoding that exists once for every set: the rest is the decoder around it."""
    _ = load.received
    case = _decode(load, name, "decode, kernels only")
    return dataclasses.replace(case, run=load.decode_with_kernels, check=load.check_missing)


def _versions(name: str) -> Iterator[Case]:
    """What lines with floor(M / 2) ones cost against lines with floor(M / 2) draws."""
    for title, load in (
        ("v1", W1),
        ("v2", dataclasses.replace(W1, variant=V2)),
    ):
        case = _encode(load, name)
        yield dataclasses.replace(case, group=f"W1 encode, v1 and v2: {name}", name=title)


def tables(once: bool, rounds: int) -> Iterator[Table]:
    """What a single fragment costs, and memory."""
    yield latency(once, rounds)
    yield memory(once)


# One fragment at a time


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """What the fragments of one session took, in seconds."""

    plain: list[float]
    coded: list[float]
    """Each with the question for the rank after it, if that was asked."""
    block: float


def _ask(load: Workload, name: str, question: Callable[[object], object]) -> Session:
    """Feed one fragment after the other, ask *question* after each, and then for the block."""
    cold(name)()
    decoder, clock = load.decoder(), time.perf_counter
    spent: dict[bool, list[float]] = {False: [], True: []}
    gc.collect()
    gc.disable()
    try:
        for n, payload in load.needed:
            start = clock()
            decoder.feed(n, payload)
            question(decoder)
            end = clock()
            spent[n > load.nb_frag].append(end - start)
        start = clock()
        block = decoder.block()
        end = clock()
    finally:
        gc.enable()
    load.check_block(block)
    return Session(spent[False], spent[True], end - start)


def _rank(decoder: object) -> object:
    return decoder.missing  # type: ignore[attr-defined]


def _nothing(decoder: object) -> object:
    return decoder


def percentile(values: list[float], percent: float) -> float:
    """Return the smallest value that *percent* of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]


def latency(once: bool, rounds: int) -> Table:
    """Time every fragment, with ``missing`` asked after each and without."""
    rows: list[tuple[str | float | None, ...]] = []
    plan = [
        (load, name, asked)
        for load in ((W3, W2) if once else (W3, W2, W4))
        for name in kernel_sets()
        if name != "reference" or not (once or load is W4)
        for asked in (True, False)
    ]
    sessions: dict[tuple[str, str, bool], list[Session]] = {}
    for _ in range(rounds):
        for load, name, asked in plan:
            session = _ask(load, name, _rank if asked else _nothing)
            sessions.setdefault((load.name, name, asked), []).append(session)
    for (load_name, name, asked), runs in sessions.items():
        coded = [
            statistics.median(percentile(run.coded, percent) for run in runs)
            for percent in (50, 99, 100)
        ]
        plain = statistics.median(percentile(run.plain, 50) for run in runs)
        solve = statistics.median(run.block for run in runs)
        whole = statistics.median(sum(run.plain) + sum(run.coded) + run.block for run in runs)
        title = f"{load_name} {name}, {'rank asked' if asked else 'not asked'}"
        micro = [1e6 * seconds for seconds in (plain, *coded)]
        rows.append((title, *micro, 1e3 * solve, 1e3 * whole))
    return Table(
        "One fragment at a time",
        ("session", "plain p50 us", "coded p50 us", "p99 us", "max us", "block ms", "all ms"),
        rows,
    )


# Memory


def memory(once: bool) -> Table:
    """Take the peak of a session in a process of its own."""
    rows: list[tuple[str | float | None, ...]] = []
    jobs = [(W2, "decode")] if once else [(W1, "encode"), (W2, "decode"), (W4, "decode")]
    for load, what in jobs:
        for name in kernel_sets():
            if name == "reference" and load is not W2:
                continue
            in_c = name.startswith("c-")
            traced = None if in_c else peak(load, name, what, "traced")
            process = None if once and not in_c else peak(load, name, what, "process")
            octets = (traced, process)
            rows.append(
                (f"{load.name} {what} {name}", *[n if n is None else n / 1e6 for n in octets])
            )
    return Table(
        "Peak memory on top of the fragments, result and remembered lines included",
        ("session", "traced MB", "process MB"),
        rows,
    )
