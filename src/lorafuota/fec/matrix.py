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
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bitarray import bitarray

from ..errors import FieldError
from . import kernels
from .variant import ParityVariant

__all__ = ["MAX_N", "parity_line", "parity_lines"]

MAX_N: Final = 2**14 - 1
"""The largest fragment number: N has 14 bits in DataFragment."""


def require_int(owner: str, field: str, value: object, lowest: int, highest: int) -> int:
    """Return *value* if it is a whole number from *lowest* to *highest*.

    Raises:
        FieldError: It is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise FieldError(owner, field, value, f"int in {lowest}..{highest}")
    return value


def require_variant(owner: str, value: object) -> ParityVariant:
    """Return *value* if it is a variant: its mere name would draw lines of another matrix.

    Raises:
        FieldError: It is not.
    """
    if not isinstance(value, ParityVariant):
        raise FieldError(owner, "variant", value, "a ParityVariant")
    return value


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
    packed = kernels.ACTIVE.lines(nb_frag, numbers, code)
    size = (nb_frag + 7) // 8
    return [unpack(packed[i * size : (i + 1) * size], nb_frag) for i in range(len(numbers))]


def unpack(octets: bytes, length: int) -> bitarray:
    """Return the first *length* bits of *octets*, lowest bit of each octet first."""
    bits = bitarray(endian="little")
    bits.frombytes(octets)
    del bits[length:]
    return bits
