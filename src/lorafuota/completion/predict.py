"""How likely a device completes, and how much parity makes it likely enough.

Which way is taken depends on the size of the block, and the answer says which it was:

* 16 fragments or fewer, plain and coded: all ways to hear them are counted.
* Blocks below 250 fragments: a seeded sample of devices on the real matrix, with an interval,
  wherever enough of them fail to say something.
* Larger blocks, and chances too small for a sample: :mod:`.formula`.

A device of a block of one fragment is helped by no parity; campaigns repeat the fragment instead,
and *parity* is how often.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Final, final

from ..errors import FieldError, require_int
from ..fec.matrix import MAX_N, require_variant
from ..fec.variant import ParityVariant
from ..losses import Losses
from .formula import estimate
from .trial import EXACT_FRAGMENTS, exact_failure, sampled_failure

__all__ = ["TRIALS", "Method", "Prediction", "parity_needed", "predict"]

TRIALS: Final = 20_000
"""Devices in a sample."""

_FORMULA_FROM: Final = 250
_TELLING: Final = 50
"""Failures that make a sample worth more than the formula."""
_BURSTS: Final = 1.5
"""In small blocks the places of lost fragments matter, which the formula does not know.  Measured
against samples of 100,000 devices, bursts of 4, M from 10 to 100, it was too low by up to 28 %."""


class Method(enum.Enum):
    """How a chance was found."""

    EXACT = "exact"
    SIMULATED = "simulated"
    FORMULA = "formula"


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The chance that one device does not complete.

    Attributes:
        failure: The chance, as well as it is known.
        low: It is at least this ...
        high: ... and at most this: what a plan should count with.  Of a sample, the two enclose it
            in 99 of 100 cases; of the formula, between too few fragments and the bound.
        method: How it was found.
        trials: Devices in the sample; 0 for the other methods.
    """

    failure: float
    low: float
    high: float
    method: Method
    trials: int = 0

    def all_complete(self, devices: int) -> float:
        """Return how likely all of so many devices complete, whose losses are independent."""
        require_int("Prediction", "devices", devices, 1, 1_000_000_000)
        return _none_fails(self.failure, devices)

    def all_complete_at_least(self, devices: int) -> float:
        """Return the same from :attr:`high`: what can be counted on."""
        require_int("Prediction", "devices", devices, 1, 1_000_000_000)
        return _none_fails(self.high, devices)

    def __str__(self) -> str:
        """Say it, and how sure it is."""
        share = f"{self.failure:.3g}"
        if self.method is Method.SIMULATED:
            return f"{share} (simulated, {self.trials} trials: {self.low:.3g} to {self.high:.3g})"
        if self.method is Method.FORMULA:
            return f"{share} (formula: at most {self.high:.3g})"
        return f"{share} (exact)"


def predict(
    nb_frag: int,
    parity: int,
    *,
    variant: ParityVariant,
    losses: Losses,
    max_lost: int | None = None,
    seed: int = 0,
) -> Prediction:
    """Return the chance that one device does not complete.

    Args:
        nb_frag: M, the number of plain fragments.
        parity: Coded fragments sent after them; how often the fragment is repeated if M is 1.
        variant: How lines of the parity matrix are drawn.
        losses: What the device loses.
        max_lost: Plain fragments the device can lose at most and still rebuild, where its memory
            says so; None for all.
        seed: Chooses the sample, where one is taken.

    Raises:
        FieldError: A number is out of range.
    """
    _check(nb_frag, variant, max_lost)
    require_int("predict", "parity", parity, 0, MAX_N - nb_frag)
    if nb_frag == 1:
        return _repeated(parity, losses)
    if losses.loss == 0 or (parity == 0 and losses.are_independent):
        failure = -math.expm1(nb_frag * math.log1p(-losses.loss))
        return Prediction(failure=failure, low=failure, high=failure, method=Method.EXACT)
    if nb_frag + parity <= EXACT_FRAGMENTS:
        failure = exact_failure(nb_frag, parity, variant, losses, max_lost)
        return Prediction(failure=failure, low=failure, high=failure, method=Method.EXACT)
    found = estimate(nb_frag, parity, variant, losses, max_lost)
    high = found.most
    if nb_frag < _FORMULA_FROM:
        if found.most * TRIALS >= _TELLING:
            sample = sampled_failure(
                nb_frag, parity, variant, losses, max_lost, trials=TRIALS, seed=seed
            )
            if sample.failed >= _TELLING:
                lowest, highest = sample.interval
                return Prediction(
                    failure=sample.failed / sample.trials,
                    low=lowest,
                    high=highest,
                    method=Method.SIMULATED,
                    trials=sample.trials,
                )
        if not losses.are_independent:
            high = min(_BURSTS * high, 1.0)
    return Prediction(failure=found.failure, low=found.least, high=high, method=Method.FORMULA)


def parity_needed(
    nb_frag: int,
    *,
    variant: ParityVariant,
    losses: Losses,
    probability: float = 0.99,
    devices: int = 1,
    max_lost: int | None = None,
    seed: int = 0,
) -> int | None:
    """Return how many coded fragments let all devices complete with a probability.

    It is the smallest number with which even :attr:`Prediction.high` is small enough.

    Args:
        nb_frag: M, the number of plain fragments.
        variant: How lines of the parity matrix are drawn.
        losses: What each device loses, independently of the others.
        probability: That all devices complete; above 0, below 1.
        devices: How many, 1 or more.
        max_lost: Plain fragments a device can lose at most; None for all.
        seed: Chooses the sample, where one is taken.

    Returns:
        The number, how often the fragment is repeated if M is 1, or None if as many as fit the
        14-bit fragment number are too few, or devices that lose too many cannot be helped by any.

    Raises:
        FieldError: A number is out of range.
    """
    _check(nb_frag, variant, max_lost)
    require_int("parity_needed", "devices", devices, 1, 1_000_000_000)
    if not 0 < probability < 1:
        raise FieldError("parity_needed", "probability", probability, "more than 0, less than 1")
    allowed = -math.expm1(math.log(probability) / devices)

    def enough(parity: int) -> bool:
        found = predict(
            nb_frag, parity, variant=variant, losses=losses, max_lost=max_lost, seed=seed
        )
        return found.high <= allowed

    bearable = nb_frag - 1 if variant.always_even(nb_frag) else nb_frag
    if max_lost is not None:
        bearable = min(bearable, max_lost)
    if _loses_more_than(bearable, nb_frag, losses) > allowed:
        return None
    if enough(0):
        return 0
    most = MAX_N - nb_frag
    low, high = 0, min(8 + math.ceil(nb_frag * losses.loss / (1 - losses.loss)), most)
    while not enough(high):
        if high == most:
            return None
        low, high = high, min(high + max(8, high // 2), most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(nb_frag: int, variant: ParityVariant, max_lost: int | None) -> None:
    require_int("completion", "nb_frag", nb_frag, 1, MAX_N)
    require_variant("completion", variant)
    if max_lost is not None:
        require_int("completion", "max_lost", max_lost, 0, MAX_N)


def _repeated(parity: int, losses: Losses) -> Prediction:
    """One fragment, sent several times, gets lost each time."""
    failure = sum(
        first.chance(1) * repeats.chance(parity) for first, repeats in losses.joint(1, parity)
    )
    return Prediction(failure=failure, low=failure, high=failure, method=Method.EXACT)


def _loses_more_than(most: int, nb_frag: int, losses: Losses) -> float:
    return math.fsum(
        chance
        for spread, _ in losses.joint(nb_frag, 0)
        for lost, chance in enumerate(spread.at, spread.lowest)
        if lost > most
    )


def _none_fails(failure: float, devices: int) -> float:
    return math.exp(devices * math.log1p(-failure)) if failure < 1 else 0.0
