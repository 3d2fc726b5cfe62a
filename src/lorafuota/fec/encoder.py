r"""The sending end: fragment n of a block, for any n.

>>> from lorafuota.fec.encoder import FragEncoder
>>> from lorafuota.fec.variant import ParityVariant
>>> encoder = FragEncoder(b"fragments!", frag_size=2, variant=ParityVariant.V2)
>>> encoder.nb_frag, encoder.fragment(1), encoder.fragment(6)
(5, b'fr', b'\x0b\x17')
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..errors import FieldError, require_int
from . import kernels
from .matrix import MAX_N, packed_lines, require_variant
from .variant import ParityVariant

__all__ = ["FragEncoder"]

_LONGEST_READ_AHEAD: Final = 32


class FragEncoder:
    """Makes the fragments of one block, plain and coded, when they are asked for.

    Coded fragments asked for in ascending order are computed a few at a time, up to 32, because
    a kernel has to look at the whole block for one fragment as well as for many.

    Attributes:
        nb_frag: M, the number of plain fragments in the block.
        frag_size: Octets in a fragment.
        variant: How lines of the parity matrix are drawn.
    """

    def __init__(
        self, block: bytes | bytearray | memoryview, *, frag_size: int, variant: ParityVariant
    ) -> None:
        """Take a block that is already padded to whole fragments.

        Args:
            block: The octets to send.  Padding is part of the code and comes back out of the
                decoder; TS004 does not say with what to pad, everybody uses zeros.
            frag_size: Octets in a fragment, 1 to 255.
            variant: How lines of the parity matrix are drawn.

        Raises:
            FieldError: The block is empty, is not a whole number of fragments, or has more than
                16383 of them; or *frag_size* is not in 1..255.
        """
        self.frag_size = require_int("FragEncoder", "frag_size", frag_size, 1, 255)
        self.variant = require_variant("FragEncoder", variant)
        self._block = bytes(block)
        self.nb_frag, rest = divmod(len(self._block), frag_size)
        if rest or not 1 <= self.nb_frag <= MAX_N:
            expected = f"1..{MAX_N} fragments of {frag_size} octets"
            raise FieldError("FragEncoder", "block", f"{len(self._block)} octets", expected)
        self._first, self._ahead = 0, b""  # coded fragments computed before they were asked for

    def fragment(self, n: int) -> bytes:
        """Return fragment *n*: the nth of the block up to ``nb_frag``, coded above.

        Raises:
            FieldError: *n* is not in 1..16383.
        """
        require_int("FragEncoder", "n", n, 1, MAX_N)
        size = self.frag_size
        if n <= self.nb_frag:
            return self._block[(n - 1) * size : n * size]
        held = len(self._ahead) // size
        if not self._first <= n < self._first + held:
            in_order = n == self._first + held
            count = min(2 * held, _LONGEST_READ_AHEAD, MAX_N + 1 - n) if in_order else 1
            self._ahead = self._product(range(n, n + count))
            self._first = n
        start = (n - self._first) * size
        return self._ahead[start : start + size]

    def fragments(self, numbers: Iterable[int]) -> list[bytes]:
        """Return the fragments *numbers*, in their order, in one go.

        Raises:
            FieldError: One of them is not in 1..16383.
        """
        numbers = [require_int("FragEncoder", "n", n, 1, MAX_N) for n in numbers]
        coded = [n for n in numbers if n > self.nb_frag]
        octets, size = self._product(coded), self.frag_size
        places = iter(range(0, len(octets), size))
        return [
            self.fragment(n)
            if n <= self.nb_frag
            else octets[(start := next(places)) : start + size]
            for n in numbers
        ]

    def _product(self, numbers: Iterable[int]) -> bytes:
        lines = packed_lines(list(numbers), self.nb_frag, self.variant.code)
        return kernels.ACTIVE.product(self._block, self.frag_size, self.nb_frag, lines)
