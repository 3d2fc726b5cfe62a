"""The chance that a device does not complete, by a formula: close for blocks of any useful size.

A device that lost l plain fragments and heard k coded ones is stuck when one of the 2**l - 1 sets
of lost fragments has an even share in all k lines.  The *sum* over the sets of the chance of that
bounds the chance that there is one from above, and is close to it when it is small.  If lines were
random it would be 2**(l - k) or so, and the chance ``1 - (1 - 1/2)(1 - 1/4)...`` of a random matrix
is known exactly; for TS004's lines, what the sum has in excess is put on top, as if further sets
were stuck on their own.

So there are two figures: an *estimate*, and a *bound* above it, the sum cut at 1.  The bound is
proven where all sets are looked at (M up to 18, losses independent); above, large sets are taken
on average.  Both start from the exact chances of l and k.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from typing import Final, final

from ..fec.variant import ParityVariant
from ..losses import Losses
from .weights import even_chance, even_lines

__all__ = ["Estimate", "estimate", "random_lines_fail"]

_NO_BIAS: Final = 1e-9
_NEGLIGIBLE: Final = 1e-16
_FAR: Final = 64
"""So many more lines than needed that random ones never fail, in the digits a float has.

A device that lost so many, and not all, does not see the difference to random lines either.
"""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """The chance that one device does not complete.

    Attributes:
        least: At least this: it heard fewer fragments than there are, or lost too many.
        failure: The estimate.
        most: The bound.
    """

    least: float
    failure: float
    most: float


def random_lines_fail(expected: float) -> float:
    """Return how likely random lines leave a rank incomplete.

    Args:
        expected: 2**(unknowns - lines), 0 or more.
    """
    complete, halved = 1.0, expected / 2
    while halved > 1e-18:
        if halved >= 1:
            return 1.0
        complete *= 1 - halved
        halved /= 2
    return 1 - complete


_SPARE_FAILS: Final = tuple(random_lines_fail(2.0**-spare) for spare in range(_FAR))


@functools.lru_cache(maxsize=512)
def estimate(
    nb_frag: int, parity: int, variant: ParityVariant, losses: Losses, max_lost: int | None
) -> Estimate:
    """Return estimate and bound.

    Args:
        nb_frag: M, the number of plain fragments, 2 or more.
        parity: Coded fragments sent after them, 0 or more.
        variant: How lines of the parity matrix are drawn.
        losses: What the device loses.
        max_lost: Plain fragments the device can lose at most and still rebuild; None for all.
    """
    pairs = losses.joint(nb_frag, parity)
    highest = max(lost.lowest + len(lost.at) - 1 for lost, _ in pairs)
    lines = _Lines(nb_frag, parity, variant, min(highest, nb_frag))
    limit = nb_frag if max_lost is None else max_lost
    least = failure = most = 0.0
    for lost, coded_lost in pairs:
        # how many coded ones are heard, and how likely, rising
        hears = [(parity - coded_lost.lowest - i, p) for i, p in enumerate(coded_lost.at)][::-1]
        first = hears[0][0]
        fewer = [0.0, *itertools.accumulate(p for _, p in hears)]
        for gone, chance in enumerate(lost.at, lost.lowest):
            if gone == 0 or chance < _NEGLIGIBLE:
                continue
            if gone > limit:
                least += chance * fewer[-1]
                continue
            short = min(max(gone - first, 0), len(hears))
            least += chance * fewer[short]
            alike = _FAR <= gone < nb_frag - _FAR
            for heard, other in hears[short : short + _FAR] if alike else hears[short:]:
                both = chance * other
                if both < _NEGLIGIBLE:
                    continue
                if alike:
                    if heard - gone >= _FAR:
                        break
                    likely, bound = _SPARE_FAILS[heard - gone], 2.0 ** (gone - heard)
                else:
                    likely, bound = lines.fail(gone, heard)
                failure += both * likely
                most += both * bound
    return Estimate(min(least, 1.0), min(least + failure, 1.0), min(least + most, 1.0))


class _Lines:
    """What is known of the lines that are sent."""

    def __init__(self, nb_frag: int, parity: int, variant: ParityVariant, most: int) -> None:
        self._nb_frag, self._parity = nb_frag, parity
        self._real = even_lines(nb_frag, parity, variant)[:most]
        chances = even_chance(nb_frag, most, variant)
        looked_at = range(1, len(self._real) + 1)
        self._average = {
            s: chance
            for s, chance in enumerate(chances)
            if s > 0 and s not in looked_at and abs(2 * chance - 1) > _NO_BIAS
        }
        self._excesses: dict[int, tuple[tuple[int, float], ...]] = {}

    def fail(self, lost: int, heard: int) -> tuple[float, float]:
        """Return how likely a device is stuck that heard at least what it lost, and a bound."""
        spare = heard - lost
        random_sum = 2.0**-spare - 2.0**-heard
        excess = 0.0
        for s, more in self._excess(heard):
            if s > lost:
                break
            excess += _choose(lost, s) * more
        total = max(random_sum + excess, 0.0)
        if spare >= _FAR:
            likely = total
        elif excess <= 0:
            likely = random_lines_fail(2.0**-spare * total / random_sum)
        else:
            likely = 1 - (1 - _SPARE_FAILS[spare]) * math.exp(-excess)
        return min(likely, total, 1.0), min(total, 1.0)

    def _excess(self, heard: int) -> tuple[tuple[int, float], ...]:
        """Return by how much a set of each size is stuck more often than with random lines."""
        found = self._excesses.get(heard)
        if found is None:
            random = 2.0**-heard
            pairs = [(s, self._stuck(s, heard) - random) for s in range(1, len(self._real) + 1)]
            pairs += [(s, chance**heard - random) for s, chance in self._average.items()]
            found = self._excesses[heard] = tuple(pair for pair in pairs if pair[1] != 0)
        return found

    def _stuck(self, s: int, heard: int) -> float:
        """Return how often *heard* lines of those sent all have an even share in a set of s."""
        sent = self._parity
        ways = math.comb(self._nb_frag, s) * math.comb(sent, heard)
        hits = sum(
            number * math.comb(sent - odd, heard) for odd, number in self._real[s - 1].items()
        )
        return hits / ways


@functools.lru_cache(maxsize=100_000)
def _choose(n: int, k: int) -> float:
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(min(log, 700.0))
