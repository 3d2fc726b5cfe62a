"""How often lines of the parity matrix say nothing about lost fragments: real ones, and on average.

A device that lost some plain fragments is stuck while there is a set of them, not empty, of which
every coded fragment it heard contains an even number: then the block could as well be another one
that differs in all fragments of the set.  For a random line the chance of that is 1/2.  It is not
quite for TS004's lines, least for small sets, and how much depends on the lines that are sent.

For small sets the lines are looked at as they are (:func:`even_lines`), for large ones on average
over all lines of the kind (:func:`even_chance`).
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import Final

from ..fec.matrix import parity_lines
from ..fec.variant import ParityVariant

__all__ = ["even_chance", "even_lines"]

_SETS: Final = 1 << 18
"""Sets of lost fragments that are looked at one by one, at most."""

_DIGITS: Final = 400_000
"""Lines with more digits together are so many and long that they are like the average."""


@functools.lru_cache(maxsize=256)
def even_lines(nb_frag: int, parity: int, variant: ParityVariant) -> tuple[dict[int, int], ...]:
    """Return, for sets of 1, 2, ... fragments, how many have an odd share in so many lines.

    Sets are looked at up to a size at which they become too many: all sets up to M = 18,
    and none of a matrix too large to differ from the average.

    Args:
        nb_frag: M, the number of plain fragments.
        parity: Coded fragments that are sent.
        variant: How lines are drawn.
    """
    if nb_frag * parity > _DIGITS:
        return ()
    columns = _columns(nb_frag, parity, variant)
    found, looked_at = [], 0
    sets = [(0, 0)]  # the first fragment behind a set, and its lines, a bit each
    for size in range(1, nb_frag + 1):
        looked_at += math.comb(nb_frag, size)
        if looked_at > _SETS and size > 1:
            break
        sums = [odd ^ column for behind, odd in sets for column in columns[behind:]]
        found.append(Counter(map(int.bit_count, sums)))
        if looked_at + math.comb(nb_frag, size + 1) <= _SETS:
            behinds = [i for behind, _ in sets for i in range(behind + 1, nb_frag + 1)]
            sets = list(zip(behinds, sums, strict=True))
    return tuple(found)


def _columns(nb_frag: int, parity: int, variant: ParityVariant) -> list[int]:
    """Return for each plain fragment the lines that contain it, a bit each."""
    columns = [0] * nb_frag
    lines = parity_lines(range(nb_frag + 1, nb_frag + parity + 1), nb_frag, variant)
    for at, line in enumerate(lines):
        for i in line.search(1):
            columns[i] |= 1 << at
    return columns


@functools.lru_cache(maxsize=64)
def even_chance(nb_frag: int, most: int, variant: ParityVariant) -> tuple[float, ...]:
    """Return the chance that a line has an even share in a set of 0, 1, ... *most* fragments.

    A line with d ones has an even share in a random set of s with probability (1 + K) / 2, where K
    is the Krawtchouk polynomial of degree s at d, divided by its value at 0.

    Args:
        nb_frag: M, the number of plain fragments.
        most: The largest set, at most M.
        variant: How lines are drawn.
    """
    draws = nb_frag // 2
    ones = {draws: 1.0} if variant.distinct else _columns_hit(nb_frag, draws)
    bias = [0.0] * (most + 1)
    for weight, chance in ones.items():
        before, now = 0.0, 1.0
        for s in range(most + 1):
            bias[s] += chance * now
            if s < nb_frag:
                step = (nb_frag - 2 * weight) * now - s * before
                before, now = now, step / (nb_frag - s)
    return tuple((1 + one) / 2 for one in bias)


def _columns_hit(nb_frag: int, draws: int) -> dict[int, float]:
    """Return how many different columns so many draws hit: version 1 counts repeats too."""
    chances = {0: 1.0}
    for _ in range(draws):
        following: dict[int, float] = {}
        for hit, chance in chances.items():
            again = chance * hit / nb_frag
            following[hit] = following.get(hit, 0.0) + again
            following[hit + 1] = following.get(hit + 1, 0.0) + chance - again
        chances = {hit: chance for hit, chance in following.items() if chance > 1e-15}
    return chances
