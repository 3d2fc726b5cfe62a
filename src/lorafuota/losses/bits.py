"""Many bits at once, each of them one with the same probability."""

from __future__ import annotations

import random

from bitarray import bitarray

from ..errors import FieldError

__all__ = ["draw_share", "to_bitarray"]


def draw_share(share: float, length: int, chance: random.Random) -> int:
    """Return *length* bits, each one with probability *share*, independently.

    All positions compare a binary fraction with *share*, bit by bit from the highest, until none
    is undecided: about ``log2(length)`` draws.  The probability is exact.

    Args:
        share: 0 to 1.
        length: How many bits, 0 or more.
        chance: Where they come from.

    Raises:
        FieldError: One of the two is out of range.
    """
    if not 0 <= share <= 1:
        raise FieldError("draw_share", "share", share, "0 to 1")
    if length < 0:
        raise FieldError("draw_share", "length", length, "0 or more")
    undecided = (1 << length) - 1
    if share >= 1:
        return undecided
    ones = 0
    while undecided and share:
        share *= 2  # exact, as are the subtraction and the comparison
        drawn = chance.getrandbits(length)
        if share >= 1:
            share -= 1
            ones |= undecided & ~drawn
            undecided &= drawn
        else:
            undecided &= ~drawn
    return ones


def to_bitarray(number: int, length: int) -> bitarray:
    """Return the lowest *length* bits of a number, the lowest first."""
    bits = bitarray(endian="little")
    bits.frombytes(number.to_bytes((length + 7) // 8, "little"))
    del bits[length:]
    return bits
