"""How many more coded fragments a fleet needs: the closed loop's arithmetic.

A device that misses m independent fragments and hears k more completes if k of them have rank m:
for random lines the probability is close to ``1 - 2**(m - k)``.  How many of R sent ones it hears
is binomial.  The smallest R for which the fleet is expected to complete to the share wanted is what
the next round sends; the code has no rate, so nothing is wasted by having sent less before.

**One thing coded lines cannot do.**  A version 2 line has exactly floor(M / 2) ones.  Where that is
even, sums of lines have an even number of ones too, and a device that heard coded fragments only,
because it joined late or was reset, comes to rank M - 1 and never further.  One plain fragment, any
one, has a single one and frees it; see :func:`coded_alone_never_suffice`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from ..fec.variant import ParityVariant

__all__ = ["coded_alone_never_suffice", "completion_probability", "fragments_needed"]

_LEAST_LOSS = 0.01
_MOST_LOSS = 0.9


def coded_alone_never_suffice(parity: ParityVariant, nb_frag: int) -> bool:
    """Say whether the coded fragments of a block all have an even number of taps."""
    return parity.always_even(nb_frag)


def completion_probability(missing: int, sent: int, loss: float) -> float:
    """Return how likely a device completes.

    Args:
        missing: Independent fragments it needs, 0 or more.
        sent: Coded fragments about to be sent.
        loss: Share of frames it loses, above 0, below 1.
    """
    return _completion({missing: 1}, sent, loss)


def _completion(classes: Mapping[int, int], sent: int, loss: float) -> float:
    """Return the share of devices expected to complete; *classes* counts them by what they miss.

    With h the number heard: P(h >= m) - sum over h >= m of P(h) 2**(m - h).  Both sums are carried
    from one m to the next, so that a fleet in which every device misses something else costs no
    more than one device.
    """
    heard, lost = math.log(1 - loss), math.log(loss)
    all_ = math.lgamma(sent + 1)
    lowest = max(min(classes), 1)
    complete = float(classes.get(0, 0))
    tail = decaying = 0.0
    for h in range(sent, lowest - 1, -1):
        log = all_ - math.lgamma(h + 1) - math.lgamma(sent - h + 1) + h * heard + (sent - h) * lost
        probability = math.exp(log) if log > -60 else 0.0
        tail += probability
        decaying = probability + decaying / 2
        if h in classes:
            complete += classes[h] * max(tail - decaying, 0.0)
    return min(complete / sum(classes.values()), 1.0)


def fragments_needed(missing: Iterable[int], *, loss: float, completion: float, most: int) -> int:
    """Return how many coded fragments to send next.

    Args:
        missing: What each incomplete device misses; one device at least.
        loss: Share of frames lost, as seen so far.
        completion: Share of these devices that shall complete, above 0, below 1.
        most: What may be sent at most.
    """
    classes = Counter(missing)
    loss = min(max(loss, _LEAST_LOSS), _MOST_LOSS)
    low, high = 0, 1
    while high < most and _completion(classes, high, loss) < completion:
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        if _completion(classes, middle, loss) < completion:
            low = middle
        else:
            high = middle
    return min(high, most)
