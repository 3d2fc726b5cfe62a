"""Strategies for losses: which fragments of a block arrive, in every pattern that matters.

>>> from hypothesis import find
>>> from lorafuota.fec.variant import ParityVariant
>>> from lorafuota.testing.arrivals import Pattern, arrivals
>>> find(arrivals(5, ParityVariant.V1, patterns=[Pattern.FIRST]), lambda one: one.enough)
Arrivals(FIRST: 2-15 of M = 5, enough)
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from ..datablock import MAX_NB_FRAG
from ..errors import FieldError, require_int
from ..fec.decoder import FragDecoder
from ..fec.variant import ParityVariant
from ._arguments import require, require_members

try:
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover  the tests have it
    raise ImportError(
        "lorafuota.testing needs Hypothesis: pip install lorafuota[testing]"
    ) from error

__all__ = ["Arrivals", "Pattern", "arrivals"]


class Pattern(enum.Enum):
    """What is lost of a transmission."""

    NONE = "nothing"
    FIRST = "the first fragments"
    LAST = "the last fragments"
    KTH = "every kth fragment"
    BURST = "fragments in a row, once or twice"
    RANDOM = "any fragments"
    ALL_PLAIN = "every plain fragment"
    ENOUGH = "all that is not needed: the last fragment that arrives completes the block"
    ONE_SHORT = "as much that a single independent fragment is missing at the end"
    ORDER = "nothing, but they arrive in any order, some of them again"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Arrivals:
    """The fragments that arrive.

    Attributes:
        pattern: What was lost.
        numbers: N of each fragment that arrives, from 1, in the order they do.
        nb_frag: M of the block.
        rank: How many of them are independent: those a perfect decoder needs.
    """

    pattern: Pattern
    numbers: tuple[int, ...]
    nb_frag: int
    rank: int

    @property
    def enough(self) -> bool:
        """Whether the block can be rebuilt."""
        return self.rank == self.nb_frag

    @property
    def missing(self) -> int:
        """Independent fragments that are missing at the end."""
        return self.nb_frag - self.rank

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Have Hypothesis print it as ``repr`` does."""
        printer.text(repr(self))

    def __repr__(self) -> str:
        end = "enough" if self.enough else f"{self.missing} missing"
        numbers = ", ".join(_ranges(self.numbers)) or "nothing"
        return f"Arrivals({self.pattern.name}: {numbers} of M = {self.nb_frag}, {end})"


def arrivals(
    nb_frag: int,
    variant: ParityVariant,
    *,
    coded: int | None = None,
    patterns: Collection[Pattern] = tuple(Pattern),
) -> st.SearchStrategy[Arrivals]:
    """Which fragments of a block arrive when all plain ones and *coded* coded ones are sent.

    Args:
        nb_frag: M, the plain fragments; 1 to 16383 less *coded*.  What a pattern needs to know of
            their rank is worked out with a decoder, so hundreds are slow.
        variant: How lines of the parity matrix are drawn.
        coded: Coded fragments sent, 0 or more; half of *nb_frag* and 8 more if not given.
        patterns: Which patterns.

    Raises:
        FieldError: A number is out of range, there is no pattern, or an argument is of another
            type.
    """
    require_int("arrivals", "nb_frag", nb_frag, 1, MAX_NB_FRAG)
    most = MAX_NB_FRAG - nb_frag
    if coded is None:
        coded = min(nb_frag // 2 + 8, most)
    require_int("arrivals", "coded", coded, 0, most)
    require("arrivals", "variant", variant, ParityVariant, "a ParityVariant")
    check_patterns("arrivals", patterns)
    sent = range(1, nb_frag + coded + 1)
    chosen = st.sampled_from([one for one in Pattern if one in patterns])

    @st.composite
    def draw_arrivals(draw: st.DrawFn) -> Arrivals:
        pattern = draw(chosen)
        numbers = _DRAWN[pattern](draw, sent, nb_frag)
        if pattern in (Pattern.ENOUGH, Pattern.ONE_SHORT):
            numbers = _independent(numbers, nb_frag, variant)
            numbers = numbers[: nb_frag - (pattern is Pattern.ONE_SHORT)]
        rank = len(_independent(numbers, nb_frag, variant))
        return Arrivals(pattern, tuple(numbers), nb_frag, rank)

    return draw_arrivals()


def check_patterns(where: str, patterns: object) -> None:
    """See that these are patterns, and at least one.

    Raises:
        FieldError: They are not.
    """
    given = require_members(where, "patterns", patterns, Pattern, "some of Pattern")
    if not given:
        raise FieldError(where, "patterns", list(given), "at least one pattern")


Drawn = Callable[[st.DrawFn, range, int], Sequence[int]]


def _first(draw: st.DrawFn, sent: range, nb_frag: int) -> Sequence[int]:
    return sent[draw(st.integers(1, min(nb_frag, len(sent)))) :]


def _last(draw: st.DrawFn, sent: range, nb_frag: int) -> Sequence[int]:
    return sent[: len(sent) - draw(st.integers(1, len(sent)))]


def _kth(draw: st.DrawFn, sent: range, nb_frag: int) -> Sequence[int]:
    k = draw(st.integers(2, max(2, min(nb_frag, 16))))
    phase = draw(st.integers(0, k - 1))
    return [n for n in sent if n % k != phase]


def _burst(draw: st.DrawFn, sent: range, nb_frag: int) -> Sequence[int]:
    lost: set[int] = set()
    for _ in range(draw(st.integers(1, 2))):
        begin = draw(st.integers(1, len(sent)))
        lost |= set(range(begin, begin + draw(st.integers(1, max(1, nb_frag // 2)))))
    return [n for n in sent if n not in lost]


def _random(draw: st.DrawFn, sent: range, nb_frag: int) -> Sequence[int]:
    lost = draw(st.sets(st.sampled_from(sent)))
    return [n for n in sent if n not in lost]


def _all_plain(draw: st.DrawFn, sent: range, nb_frag: int) -> Sequence[int]:
    return sent[nb_frag:]


def _shuffled(draw: st.DrawFn, sent: range, nb_frag: int) -> Sequence[int]:
    return draw(st.permutations(sent))


def _repeated(draw: st.DrawFn, sent: range, nb_frag: int) -> Sequence[int]:
    again = draw(st.lists(st.sampled_from(sent), max_size=len(sent) // 2))
    return draw(st.permutations([*sent, *again]))


_DRAWN: Final[dict[Pattern, Drawn]] = {
    Pattern.NONE: lambda draw, sent, nb_frag: sent,
    Pattern.FIRST: _first,
    Pattern.LAST: _last,
    Pattern.KTH: _kth,
    Pattern.BURST: _burst,
    Pattern.RANDOM: _random,
    Pattern.ALL_PLAIN: _all_plain,
    Pattern.ENOUGH: _shuffled,
    Pattern.ONE_SHORT: _shuffled,
    Pattern.ORDER: _repeated,
}


def _independent(numbers: Iterable[int], nb_frag: int, variant: ParityVariant) -> list[int]:
    """The fragments that tell something new to somebody who has those before them."""
    decoder = FragDecoder(nb_frag=nb_frag, frag_size=1, variant=variant)
    found = []
    for n in numbers:
        before = decoder.rank
        decoder.feed(n, b"\0")
        if decoder.rank > before:
            found.append(n)
    return found


def _ranges(numbers: Sequence[int]) -> list[str]:
    """Ascending runs of three and more as ``3-5``."""
    found: list[str] = []
    at = 0
    while at < len(numbers):
        end = at
        while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
            end += 1
        if end - at >= 2:
            found.append(f"{numbers[at]}-{numbers[end]}")
        else:
            found += [str(n) for n in numbers[at : end + 1]]
        at = end + 1
    return found
