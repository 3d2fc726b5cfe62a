"""The most that one fragment can cost (promise S2): hostile sessions, and the rebuild beside them.

Every session is fed fragment by fragment, with the question whether it is complete after each, as
a device does.  After completion it goes on, so that spare fragments are seen, too.  FragSize is 8:
what a fragment costs at worst is the counting of lines.  The time is that of the processor, so that
another program does not make one fragment look dear.  The reference is left out: it is as slow
as it is.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import random
import time
from collections.abc import Callable, Iterator
from typing import Final

from benchmarks.harness import Case, Table
from benchmarks.workloads import V2, cold, kernel_sets
from lorafuota.datablock import DataBlock
from lorafuota.fec import kernels
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.matrix import MAX_N
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.session.fragmentation import FragDevice, FragLimits, FragServer
from lorafuota.session.profile import frag_profile

_SIZE = 8
_AFTER = 150  # fragments after completion: more than a decoder keeps


def _plain(m: int) -> list[int]:
    return list(range(1, m + 1))


def _coded(m: int) -> list[int]:
    return list(range(m + 1, MAX_N + 1))


def _few(m: int, chance: random.Random) -> list[int]:
    return [n for n in _plain(m) if n % 100] + _coded(m)


def _late(m: int, chance: random.Random) -> list[int]:
    lost = set(chance.sample(_plain(m), 3 * m // 10))
    coded = _coded(m)
    kept = coded[: max(len(lost) - 20, 0)]
    rest = coded[len(kept) :]
    return [n for n in _plain(m) if n not in lost] + kept + sorted(lost)[:200] + rest


def _all(m: int, chance: random.Random) -> list[int]:
    return [n for n in _coded(m) for _ in (0, 1)] + _plain(m)


def _backwards(m: int, chance: random.Random) -> list[int]:
    return _coded(m) + _plain(m)[::-1]


def _shuffled(m: int, chance: random.Random) -> list[int]:
    numbers = _plain(m) + _coded(m)
    chance.shuffle(numbers)
    return numbers


_ORDERS: Final[dict[str, Callable[[int, random.Random], list[int]]]] = {
    "few lost": _few,
    "30 % lost, and some come late": _late,
    "all lost, coded ones twice": _all,
    "coded ones first, plain ones backwards": _backwards,
    "everything shuffled": _shuffled,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Worst:
    """What a session took, in seconds."""

    fragment: float
    rebuild: float | None


@functools.lru_cache(maxsize=1)
def _fragments(m: int) -> list[bytes]:
    """All fragments of a block, number 1 first."""
    encoder = FragEncoder(random.Random(m).randbytes(m * _SIZE), frag_size=_SIZE, variant=V2)
    return encoder.fragments(range(1, MAX_N + 1))


def _feed(m: int, name: str, order: list[int]) -> Worst:
    fragments = _fragments(m)
    cold(name)()
    decoder, clock = FragDecoder(nb_frag=m, frag_size=_SIZE, variant=V2), time.process_time
    worst, left = 0.0, _AFTER
    gc.collect()
    gc.disable()
    try:
        for n in order:
            start = clock()
            decoder.feed(n, fragments[n - 1])
            complete = decoder.complete
            end = clock()
            worst = max(worst, end - start)
            left -= complete
            if left <= 0:
                break
        start = clock()
        rebuilt = decoder.block() if decoder.complete else None
        end = clock()
    finally:
        gc.enable()
    assert rebuilt in (None, b"".join(fragments[:m]))
    return Worst(worst, end - start if rebuilt else None)


def _whole(m: int, name: str, order: list[int]) -> Worst:
    """The same through a device of version 1."""
    profile = frag_profile(1)
    block = DataBlock(random.Random(m).randbytes(m * _SIZE), _SIZE)
    fragments = block.encoder(profile.parity).fragments(order)
    commands = [
        DataFragment(n=n, frag_index=0, payload=payload)
        for n, payload in zip(order, fragments, strict=True)
    ]
    cold(name)()
    device = FragDevice(profile, rng=random.Random(1), limits=FragLimits(max_memory=1 << 30))
    device.execute(FragServer(profile, block).setup_req, now=0.0)
    clock, worst, left = time.process_time, 0.0, _AFTER
    gc.collect()
    gc.disable()
    try:
        for command in commands:
            start = clock()
            device.execute(command, now=0.0)
            end = clock()
            worst = max(worst, end - start)
            left -= device.next_deadline is not None
            if left <= 0:
                break
        start = clock()
        actions = device.tick(now=0.0)
        end = clock()
    finally:
        gc.enable()
    return Worst(worst, end - start if actions else None)


def cases(once: bool) -> list[Case]:
    """Nothing to compare side by side: see the table."""
    return []


def tables(once: bool, rounds: int) -> Iterator[Table]:
    """Return the dearest fragment of each session, and its rebuild."""
    names = [name for name in kernel_sets() if name != "reference"]
    sizes = (600,) if once else (16383, 16000, 12000, 8191, 4000)
    rows: list[tuple[str | float | None, ...]] = []
    kept = kernels.ACTIVE
    for m in sizes:
        for title, ordered in _ORDERS.items():
            rows.append((f"M = {m}, {title}", *_cells(_feed, m, names, ordered, rounds)))
    m = sizes[-1]
    for title in ("few lost", "everything shuffled"):
        cells = _cells(_whole, m, names, _ORDERS[title], rounds)
        rows.append((f"a device, M = {m}, {title}", *cells))
    kernels.ACTIVE = kept
    titles = [f"{name} {what}" for name in names for what in ("fragment", "rebuild")]
    yield Table("The dearest fragment, and the rebuild, in ms", ("session", *titles), rows)


def _cells(
    feed: Callable[[int, str, list[int]], Worst],
    m: int,
    names: list[str],
    ordered: Callable[[int, random.Random], list[int]],
    rounds: int,
) -> Iterator[float | None]:
    """Return the figures of a row: the dearest fragment of the quietest round."""
    for name in names:
        repeat = rounds if name.startswith("c-") else 1
        found = [feed(m, name, ordered(m, random.Random(m))) for _ in range(repeat)]
        yield 1e3 * min(one.fragment for one in found)
        rebuilds = [one.rebuild for one in found if one.rebuild is not None]
        yield 1e3 * min(rebuilds) if rebuilds else None
