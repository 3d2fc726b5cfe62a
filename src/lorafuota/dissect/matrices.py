"""Which parity matrix made these fragments, foreign ones included.

Beside the three variants of the documents and of the field (:mod:`lorafuota.fec.variant`), public
code has drawn lines from other seeds.  They are known here by name, to be recognised; nothing of
ours sends them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bitarray import bitarray

from ..fec.matrix import parity_lines
from ..fec.variant import ParityVariant

__all__ = ["FOREIGN", "Matrix", "agreement", "line_of"]

_FEEDBACK: Final = 22


@dataclasses.dataclass(frozen=True, slots=True)
class Matrix:
    """A way to draw lines that no document has.

    Attributes:
        name: What it is called here.
        seed: The number the generator is seeded with, from N and M.
        distinct: Whether only draws of a new column count.
    """

    name: str
    seed: Callable[[int, int], int]
    distinct: bool


FOREIGN: Final[tuple[Matrix, ...]] = (
    Matrix("seed from N, every draw counts", lambda n, m: n, False),
    Matrix("seed from N - M - 1, only new columns count", lambda n, m: n - m - 1, True),
    Matrix("seed from N - M - 1, every draw counts", lambda n, m: n - m - 1, False),
    Matrix("seed from N - M + 1, only new columns count", lambda n, m: n - m + 1, True),
    Matrix("seed from N - M + 1, every draw counts", lambda n, m: n - m + 1, False),
    Matrix("seed from N - 1, only new columns count", lambda n, m: n - 1, True),
    Matrix("seed from N - 1, every draw counts", lambda n, m: n - 1, False),
)
"""A C encoder (the first) and a Rust crate (the second) were seen in public; the rest are near."""


def line_of(n: int, nb_frag: int, matrix: Matrix) -> bitarray:
    """Return the line of a coded fragment in a foreign matrix; see :mod:`lorafuota.fec`."""
    line = bitarray(nb_frag, endian="little")
    modulus = nb_frag + 1 if nb_frag.bit_count() == 1 else nb_frag
    x, draws = 1 + 1001 * matrix.seed(n, nb_frag), 0
    while draws < nb_frag // 2:
        x = (x >> 1) + (((x ^ x >> 5) & 1) << _FEEDBACK)
        column = x % modulus
        if column == nb_frag or (matrix.distinct and line[column]):
            continue
        line[column] = 1
        draws += 1
    return line


def agreement(
    block: bytes,
    coded: Mapping[int, bytes],
    *,
    nb_frag: int,
    matrices: Sequence[ParityVariant | Matrix],
) -> dict[ParityVariant | Matrix, frozenset[int]]:
    """Return, for each matrix, the coded fragments that are what it makes of this block.

    Args:
        block: All plain fragments, padding included.
        coded: Coded fragments by number.
        nb_frag: M.
        matrices: Which to try.
    """
    size = len(block) // nb_frag
    plain = [int.from_bytes(block[i : i + size]) for i in range(0, len(block), size)]
    found = {}
    for matrix in matrices:
        if isinstance(matrix, ParityVariant):
            lines = dict(zip(coded, parity_lines(coded, nb_frag, matrix), strict=True))
        else:
            lines = {n: line_of(n, nb_frag, matrix) for n in coded}
        found[matrix] = frozenset(
            n for n, payload in coded.items() if _sum(plain, lines[n]) == int.from_bytes(payload)
        )
    return found


def _sum(plain: Sequence[int], line: bitarray) -> int:
    total = 0
    for at in line.search(1):
        total ^= plain[at]
    return total
