"""The parity matrix of TS004, line by line.

Line n says of which plain fragments fragment n is the XOR: a bitarray of M bits, bit ``i`` for
fragment ``i + 1``.  Up to M it has a single one; above, about half.

    >>> from lorafuota.fec.matrix import parity_line
    >>> from lorafuota.fec.variant import ParityVariant
    >>> parity_line(3, 10, ParityVariant.V1)
    bitarray('0010000000')
    >>> parity_line(11, 10, ParityVariant.V1)
    bitarray('0010010000')
    >>> parity_line(11, 10, ParityVariant.V2)
    bitarray('0111010001')

Drawing a line costs more than using it, and everybody asks for the same ones: encoders, decoders
for the rank and again for the solution, a thousand simulated devices.  So lines of coded fragments
are remembered for the whole process, in at most :data:`CACHE_OCTETS`.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable, Sequence
from typing import Final

from bitarray import bitarray

from ..errors import FieldError, require_int
from . import kernels
from .variant import ParityVariant

__all__ = ["CACHE_OCTETS", "MAX_N", "parity_line", "parity_lines"]

MAX_N: Final = 2**14 - 1
"""The largest fragment number: N has 14 bits in DataFragment."""

CACHE_OCTETS: Final = 8 << 20
"""The most memory that remembered lines take, all sessions of a process together.

Those drawn last come on top, until they are taken apart: as much again at most.
"""

_OVERHEAD: Final = (
    160  # octets a remembered line takes besides its own: objects, its part of a dict
)


def require_variant(owner: str, value: object) -> ParityVariant:
    """Return *value* if it is a variant: its mere name would draw lines of another matrix.

    Raises:
        FieldError: It is not.
    """
    if not isinstance(value, ParityVariant):
        raise FieldError(owner, "variant", value, "a ParityVariant")
    return value


class LineCache:
    """Lines, one dictionary for each matrix.

    When it is full, the matrix that was asked for least recently goes; of the last one the lines
    remembered longest.  What would not fit on its own is not remembered at all.

    Lines that were drawn together stay together until something else is asked for: often that is
    never, or the same again.
    """

    def __init__(self, octets: int) -> None:
        self._most = octets
        self._octets = 0
        self._matrices: dict[tuple[int, int], dict[int, bytes]] = {}  # least recently used first
        self._newest = (0, 0)
        self._drawn: tuple[tuple[int, int], tuple[int, ...], bytes] = (0, 0), (), b""  # last
        self._lock = threading.Lock()

    def lines(self, nb_frag: int, numbers: Sequence[int], code: int) -> bytes:
        """Return the lines of *numbers*, drawing those that are not known."""
        matrix = (nb_frag, code)
        with self._lock:
            last, together, packed = self._drawn
            if together:
                if last == matrix and together == tuple(numbers):
                    return packed
                self._take_apart()
            known = self._matrices.get(matrix, {})
            if known and matrix != self._newest:
                self._matrices[matrix] = self._matrices.pop(matrix)
                self._newest = matrix
            found = [known.get(n) for n in numbers] if known else [None]
        if None not in found:
            return b"".join(found)  # type: ignore[arg-type]  # the checker does not see the None go
        unknown = numbers
        if known:
            unknown = [n for n, line in zip(numbers, found, strict=True) if line is None]
        packed = kernels.ACTIVE.lines(nb_frag, unknown, code)
        if len(packed) + len(unknown) * _OVERHEAD <= self._most:
            with self._lock:
                if self._drawn[1]:  # by another thread
                    self._take_apart()
                self._drawn = matrix, tuple(unknown), packed
        if len(unknown) == len(numbers):
            return packed
        fresh = iter(_split(packed, nb_frag))
        return b"".join([line if line is not None else next(fresh) for line in found])

    def _take_apart(self) -> None:
        """Remember the lines drawn last one by one."""
        matrix, numbers, packed = self._drawn
        self._drawn = (0, 0), (), b""
        lines = [packed] if len(numbers) == 1 else _split(packed, matrix[0])
        cost = len(packed) // len(numbers) + _OVERHEAD
        known = self._matrices[matrix] = self._matrices.pop(matrix, {})
        self._newest = matrix
        before = len(known)
        known.update(zip(numbers, lines, strict=True))
        self._octets += (len(known) - before) * cost
        while self._octets > self._most:
            oldest = next(iter(self._matrices))
            if oldest != matrix:
                forgotten = self._matrices.pop(oldest)
                self._octets -= len(forgotten) * ((oldest[0] + 7) // 8 + _OVERHEAD)
            else:
                del known[next(iter(known))]
                self._octets -= cost


def _split(packed: bytes, nb_frag: int) -> list[bytes]:
    return [line for (line,) in struct.iter_unpack(f"{(nb_frag + 7) // 8}s", packed)]


_CACHE: Final = LineCache(CACHE_OCTETS)


def packed_lines(numbers: Sequence[int], nb_frag: int, code: int) -> bytes:
    """Return lines as kernels take them, for a variant as they take it.

    Nothing is checked here; use :func:`parity_lines` for numbers of unknown origin.
    """
    return _CACHE.lines(nb_frag, numbers, code)


def parity_line(n: int, nb_frag: int, variant: ParityVariant) -> bitarray:
    """Return line *n* of the matrix for blocks of *nb_frag* fragments (TS004-2.0.0, annex).

    Args:
        n: Fragment number, 1 to 16383.
        nb_frag: M, the number of plain fragments.
        variant: How lines are drawn.

    Raises:
        FieldError: *n* or *nb_frag* is not in 1..16383.
    """
    return parity_lines([n], nb_frag, variant)[0]


def parity_lines(numbers: Iterable[int], nb_frag: int, variant: ParityVariant) -> list[bitarray]:
    """Return several lines of the matrix; quicker than one by one.

    Raises:
        FieldError: *nb_frag* or one of *numbers* is not in 1..16383.
    """
    require_int("parity_lines", "nb_frag", nb_frag, 1, MAX_N)
    code = require_variant("parity_lines", variant).code
    numbers = [require_int("parity_lines", "n", n, 1, MAX_N) for n in numbers]
    packed = packed_lines(numbers, nb_frag, code)
    size = (nb_frag + 7) // 8
    return [unpack(packed[i * size : (i + 1) * size], nb_frag) for i in range(len(numbers))]


def unpack(octets: bytes, length: int) -> bitarray:
    """Return the first *length* bits of *octets*, lowest bit of each octet first."""
    bits = bitarray(endian="little")
    bits.frombytes(octets)
    del bits[length:]
    return bits
