"""Which matrix was this block coded with?

The variant travels nowhere on air (see :mod:`.variant`), and a decoder with the wrong one rebuilds
a block of the right length with wrong octets.  But wherever fragments are to spare, the spare ones
contradict a wrong variant.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

from .decoder import FragDecoder
from .matrix import MAX_N
from .variant import ParityVariant

__all__ = ["Fit", "Verdict", "fitting_variants"]


class Verdict(enum.Enum):
    """What a set of fragments says about one variant."""

    CONTRADICTED = "contradicted"
    """At least one spare fragment is not what this variant makes it."""
    SUPPORTED = "supported"
    """There are spare fragments, and all are what this variant makes them."""
    UNDETERMINED = "undetermined"
    """No fragment is to spare: nothing can be said."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """How well one variant explains a set of fragments.

    A spare fragment agrees with a wrong variant by chance once in ``256**frag_size`` trials, or
    when both variants happen to draw lines that select the same.  When every variant is
    contradicted, a fragment is damaged or forged: the right variant is then often the one with
    the smallest part of its checks in *disagreeing*.
    """

    checked: int
    """Spare fragments that could be compared."""
    disagreeing: tuple[int, ...]
    """Numbers of those that do not fit, ascending."""

    @property
    def verdict(self) -> Verdict:
        """The two numbers in a word."""
        if self.disagreeing:
            return Verdict.CONTRADICTED
        return Verdict.SUPPORTED if self.checked else Verdict.UNDETERMINED


def fitting_variants(
    fragments: Iterable[tuple[int, bytes]], *, nb_frag: int, frag_size: int
) -> dict[ParityVariant, Fit]:
    """Hold fragments of one block against every variant.

    The fragments need not suffice to rebuild the block: one that adds no rank must be the XOR of
    others, and that can be checked at any time.  Of two fragments with the same number the first
    counts.

    Args:
        fragments: Number and octets of each fragment, in any order.
        nb_frag: M, the number of plain fragments, 1 to 16383.
        frag_size: Octets in a fragment, 1 to 255.

    Raises:
        FieldError: A number is out of range, or a fragment has the wrong length.
    """
    received = list(fragments)
    fits = {}
    for variant in ParityVariant:
        decoder = FragDecoder(
            nb_frag=nb_frag, frag_size=frag_size, variant=variant, max_checks=MAX_N
        )
        for n, payload in received:
            decoder.feed(n, payload)
        result = decoder.check()
        fits[variant] = Fit(result.checked, result.disagreeing)
    return fits
