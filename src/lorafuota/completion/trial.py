"""Completion counted on the real matrix: all ways to hear so few frames, or a seeded sample.

Counting all is exact.  A sample has an interval, Wilson's, that holds the true value in 99 of 100
cases.  All redundancies share the same luck, so more parity never looks worse than less.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import random
from typing import Final, final

from bitarray import bitarray

from ..fec.fleet import completions
from ..fec.matrix import MAX_N
from ..fec.variant import ParityVariant
from ..losses import Losses

__all__ = ["EXACT_FRAGMENTS", "Sample", "exact_failure", "sampled_failure"]

EXACT_FRAGMENTS: Final = 16
"""Up to so many fragments, plain and coded together, all 65,536 ways to hear them are counted."""

_SIGMAS: Final = 2.5758293035489004  # of a normal distribution, 99 % of which lie between


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """What a sample says.

    Attributes:
        trials: Devices looked at.
        failed: Those that did not complete.
    """

    trials: int
    failed: int

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies, in 99 of 100 samples (Wilson)."""
        n, share = self.trials, self.failed / self.trials
        square = _SIGMAS * _SIGMAS / n
        middle = (share + square / 2) / (1 + square)
        reach = _SIGMAS * math.sqrt(share * (1 - share) / n + square / n / 4) / (1 + square)
        return max(middle - reach, 0.0), min(middle + reach, 1.0)


@functools.lru_cache(maxsize=64)
def exact_failure(
    nb_frag: int, parity: int, variant: ParityVariant, losses: Losses, max_lost: int | None
) -> float:
    """Return the chance that a device does not complete; few fragments only.

    Args:
        nb_frag: M, the number of plain fragments.
        parity: Coded fragments sent after them; both together at most :data:`EXACT_FRAGMENTS`.
        variant: How lines of the parity matrix are drawn.
        losses: What the device loses.
        max_lost: Plain fragments the device can lose at most; None for all.
    """
    sent = nb_frag + parity
    stuck = _stuck_ways(nb_frag, parity, variant)
    chances = losses.chances(sent)
    if max_lost is not None and max_lost < nb_frag:
        plain, fewest = (1 << nb_frag) - 1, nb_frag - max_lost
        too_few = {way for way in range(1 << sent) if (way & plain).bit_count() < fewest}
        return min(math.fsum(chances[way] for way in too_few.union(stuck)), 1.0)
    return min(math.fsum(chances[way] for way in stuck), 1.0)


@functools.lru_cache(maxsize=16)
def _stuck_ways(nb_frag: int, parity: int, variant: ParityVariant) -> tuple[int, ...]:
    """Return the ways to hear fragments that do not complete, bit i for fragment i + 1."""
    sent = nb_frag + parity
    columns = []
    for at in range(sent):
        period = bitarray(1 << at) + ~bitarray(1 << at)
        columns.append(period * (1 << (sent - at - 1)))
    done = completions(_rows(columns), nb_frag=nb_frag, variant=variant)
    return tuple(way for way, n in enumerate(done) if n is None)


def sampled_failure(
    nb_frag: int,
    parity: int,
    variant: ParityVariant,
    losses: Losses,
    max_lost: int | None,
    *,
    trials: int,
    seed: int,
) -> Sample:
    """Return how many of a sample of devices do not complete.

    Args:
        nb_frag: M, the number of plain fragments.
        parity: Coded fragments sent after them.
        variant: How lines of the parity matrix are drawn.
        losses: What a device loses.
        max_lost: Plain fragments a device can lose at most; None for all.
        trials: Devices.
        seed: Chooses the losses.
    """
    upper = min(max(32, 1 << (parity - 1).bit_length()) if parity else 32, MAX_N - nb_frag)
    done = _completed(nb_frag, upper, variant, losses, max_lost, trials, seed)
    return Sample(trials, trials - done[parity])


@functools.lru_cache(maxsize=32)
def _completed(
    nb_frag: int,
    parity: int,
    variant: ParityVariant,
    losses: Losses,
    max_lost: int | None,
    trials: int,
    seed: int,
) -> tuple[int, ...]:
    """Return how many devices are complete after 0, 1, ... coded fragments."""
    rng = random.Random(f"completion/{seed}")
    columns = []
    for lost in losses.draw(rng, nb_frag + parity, trials):
        heard = bitarray(endian="little")
        heard.frombytes(lost.to_bytes((trials + 7) // 8, "little"))
        del heard[trials:]
        columns.append(~heard)
    maps = _rows(columns)
    after = [0] * (parity + 1)
    for heard, n in zip(maps, completions(maps, nb_frag=nb_frag, variant=variant), strict=True):
        if n is None or (max_lost is not None and heard.count(0, 0, nb_frag) > max_lost):
            continue
        after[max(n - nb_frag, 0)] += 1
    return tuple(itertools.accumulate(after))


def _rows(columns: list[bitarray]) -> list[bitarray]:
    """Turn bits that stand by fragment into bits that stand by device."""
    sent, devices = len(columns), len(columns[0])
    table = bitarray(sent * devices)
    for at, column in enumerate(columns):
        table[at::sent] = column
    return [table[at : at + sent] for at in range(0, sent * devices, sent)]
