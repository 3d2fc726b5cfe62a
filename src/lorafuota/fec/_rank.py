"""How many independent fragments a decoder has: counted late, in lumps, and without any payload.

The lines of coded fragments go into a basis over the columns that are lost when counting begins;
those columns stay.  A plain fragment that arrives later is one more line, with a single one.  A
line waits until somebody asks for the rank, or until so many are waiting that all at once would
take too long; so the work for one fragment is bounded whatever was fed before.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress
from typing import Final, final

from bitarray import bitarray

from . import kernels
from .matrix import MAX_N, packed_lines

__all__ = ["RankCount"]

_LUMP: Final = 2**22  # lines that wait for the basis, times 2 M: what a single feed has to do
_WIDE_LUMP: Final = 2**33  # ... and times the square of L, which matters if much is lost
_SATURATED: Final = 255  # the most fragments a status can say are missing


def _lump(nb_frag: int, lost: int) -> int:
    """Return how many lines may wait for a basis of *lost* columns."""
    return max(min(_LUMP // (2 * nb_frag), _WIDE_LUMP // max(lost, 1) ** 2), 16)


@final
class RankCount:
    """The rank of one decoder's fragments.

    Attributes:
        lump: How many lines may wait.
        waiting: Numbers that arrived, and are not in the basis yet; all coded while there is none.
        independent: Numbers that raised the rank.
    """

    __slots__ = (
        "_basis",
        "_code",
        "_columns",
        "_nb_frag",
        "_rank",
        "_reach",
        "_substituted",
        "independent",
        "lump",
        "waiting",
    )

    def __init__(self, nb_frag: int, code: int) -> None:
        """Begin with nothing."""
        self._nb_frag, self._code = nb_frag, code
        self.lump = _lump(nb_frag, 0)
        most = MAX_N - nb_frag  # coded fragments there can be
        slowest = _lump(nb_frag, most + 2 * _SATURATED) - 1
        self._reach = most + -(-most // slowest) + 1 + _SATURATED
        self.forget()

    def forget(self) -> None:
        """Begin anew with the next count, over what is lost by then."""
        self._basis: bytearray | None = None
        self._columns = b""  # what the basis is over: lost when it began
        self._substituted = 0  # ... and how many had arrived
        self._rank = 0
        self.waiting: list[int] = []
        self.independent: set[int] = set()

    @property
    def value(self) -> int:
        """The rank as of the last count."""
        return self._substituted + self._rank

    def is_over(self, received: bitarray) -> bool:
        """Say whether the basis is over exactly what is lost now."""
        return self._columns == (~received).tobytes()

    def pend(self, n: int, lost: int) -> bool:
        """Note that a line waits; say whether a lump of those that do has to be counted.

        A plain fragment is a line if there is a basis, else it is substituted when that begins.
        So many may be waiting when it does that one fragment must not have them all counted.
        """
        if n > self._nb_frag or self._basis is not None:
            self.waiting.append(n)
        return self.overdue(lost)

    def overdue(self, lost: int) -> bool:
        """Say whether more wait than may.

        Without a basis that is put off until few enough are lost: ``_reach`` lies so far ahead of
        what coded fragments can make good that no line is left over when the rank can be full, or
        few enough missing for a status to tell their number.
        """
        near = self._basis is not None or lost <= self._reach
        return near and len(self.waiting) > self.lump

    def count(self, received: bitarray, coded: Iterable[int], most: int = 2 * MAX_N) -> None:
        """Bring the basis up to date, with no more than *most* lines.

        Args:
            received: Plain fragments that arrived, bit ``i`` for fragment ``i + 1``.
            coded: Coded ones, for a basis that begins now.
            most: How many lines to take.
        """
        if self._basis is None:
            lost = received.count(0)
            self._columns, self._substituted = (~received).tobytes(), self._nb_frag - lost
            self._basis = bytearray(kernels.basis_octets(lost))
            self.waiting = list(coded)
            self._rank = 0
            self.independent = set()
            self.lump = _lump(self._nb_frag, lost)
        if self.waiting:
            numbers, self.waiting = self.waiting[:most], self.waiting[most:]
            lines = packed_lines(numbers, self._nb_frag, self._code)
            added = kernels.ACTIVE.rank_add(self._basis, self._columns, self._nb_frag, lines)
            self._rank += added.count(1)
            self.independent.update(compress(numbers, added))
