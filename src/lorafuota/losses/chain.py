"""How frames get lost: each on its own, or in bursts, as a chain of two states.

A receiver is in a good or a bad state (Gilbert and Elliott).  In each it loses a certain share of
the frames, and after each frame it may change.  Losses that are independent are the chain that
never leaves the good state.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Final, Self, final

from ..errors import FieldError
from .bits import draw_share, to_bitarray

__all__ = ["Losses", "Spread"]

_NEGLIGIBLE: Final = 1e-18
_ROUNDING: Final = 1e-9
"""What a chance may be above 1 because of the computation."""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Spread:
    """The probabilities of so many of something: ``at[i]`` is that of ``lowest + i``."""

    lowest: int
    at: tuple[float, ...]

    def chance(self, number: int) -> float:
        """Return the probability of one number."""
        at = number - self.lowest
        return self.at[at] if 0 <= at < len(self.at) else 0.0


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """A receiver's losses; made by :meth:`independent` and :meth:`bursty`, or state by state.

    Attributes:
        good: Share of frames lost in the good state, 0 to less than 1.
        bad: ... and in the bad state, 0 to 1.
        to_bad: Chance to go from good to bad after a frame, 0 to 1.
        to_good: Chance to come back, more than 0, at most 1.
    """

    good: float
    bad: float = 1.0
    to_bad: float = 0.0
    to_good: float = 1.0

    def __post_init__(self) -> None:
        """Check the probabilities.

        Raises:
            FieldError: One is out of range.
        """
        if not 0 <= self.good < 1:
            raise FieldError("Losses", "good", self.good, "0 to less than 1")
        for field in ("bad", "to_bad"):
            if not 0 <= getattr(self, field) <= 1:
                raise FieldError("Losses", field, getattr(self, field), "0 to 1")
        if not 0 < self.to_good <= 1:
            raise FieldError("Losses", "to_good", self.to_good, "more than 0, at most 1")

    @classmethod
    def independent(cls, loss: float) -> Self:
        """Return losses that know nothing of each other.

        Args:
            loss: Share of frames lost, 0 to less than 1.

        Raises:
            FieldError: *loss* is out of range.
        """
        _check_loss("independent", loss)
        return cls(good=loss)

    @classmethod
    def bursty(cls, loss: float, *, burst: float) -> Self:
        """Return losses in bursts: nothing is lost between them, and everything in them.

        Args:
            loss: Share of frames lost in the long run, 0 to less than 1.
            burst: Mean length of a burst in frames, 1 or more, and at least ``loss / (1 - loss)``.
                Where losses are independent it is ``1 / (1 - loss)``.

        Raises:
            FieldError: A number is out of range, or bursts are too short for so many losses.
        """
        _check_loss("bursty", loss)
        if not 1 <= burst < math.inf:
            raise FieldError("Losses.bursty", "burst", burst, "1 frame or more")
        to_bad = loss / (1 - loss) / burst
        if to_bad > 1 + _ROUNDING:
            expected = f"{loss / (1 - loss):g} frames or more at {loss:.0%} loss"
            raise FieldError("Losses.bursty", "burst", burst, expected)
        return cls(good=0.0, bad=1.0, to_bad=min(to_bad, 1.0), to_good=1 / burst)

    @property
    def in_bad(self) -> float:
        """The share of time in the bad state."""
        return self.to_bad / (self.to_bad + self.to_good)

    @property
    def loss(self) -> float:
        """The share of frames lost in the long run."""
        return self.good + self.in_bad * (self.bad - self.good)

    @property
    def are_independent(self) -> bool:
        """Whether one loss says nothing of the next."""
        return self.to_bad == 0 or self.good == self.bad

    def __str__(self) -> str:
        """Say it in words."""
        if self.are_independent:
            return f"{self.loss:.4g} lost at random"
        return f"{self.loss:.4g} lost, in bursts of {1 / self.to_good:.4g} frames"

    def joint(self, plain: int, coded: int) -> list[tuple[Spread, Spread]]:
        """Return how many plain fragments are lost, and how many coded ones lost after them.

        The chance of l and k is the sum over the pairs of the first's for l times the second's for
        k: a pair for each state in which the plain ones may end.

        Args:
            plain: Fragments sent first, 0 or more.
            coded: Fragments sent then, 0 or more.
        """
        if self.are_independent:
            loss = self.loss
            return [(_binomial(plain, loss), _binomial(coded, loss))]
        start = 1 - self.in_bad, self.in_bad
        first = _chain(self, plain, start)
        return [(first[0], self._heard_after(coded, 0)), (first[1], self._heard_after(coded, 1))]

    def _heard_after(self, frames: int, state: int) -> Spread:
        good, bad = _chain(self, frames, (1.0 - state, float(state)))
        lowest = min(good.lowest, bad.lowest)
        end = max(good.lowest + len(good.at), bad.lowest + len(bad.at))
        return Spread(lowest, tuple(good.chance(i) + bad.chance(i) for i in range(lowest, end)))

    def draw(self, rng: random.Random, frames: int, devices: int) -> Iterator[int]:
        """Draw frame by frame who loses it: bit i is set when device i does.

        Args:
            rng: Where chance comes from.
            frames: How many.
            devices: How many, 1 or more.
        """
        everybody = (1 << devices) - 1
        in_bad = draw_share(self.in_bad, devices, rng)
        for _ in range(frames):
            if self.are_independent:
                yield draw_share(self.loss, devices, rng)
                continue
            in_good = everybody ^ in_bad
            lost = in_good & draw_share(self.good, devices, rng)
            lost |= in_bad & draw_share(self.bad, devices, rng)
            yield lost
            leaving = in_good & draw_share(self.to_bad, devices, rng)
            staying = in_bad & (everybody ^ draw_share(self.to_good, devices, rng))
            in_bad = leaving | staying

    def lost(self, sent: int, chance: random.Random, /) -> int:
        """Draw what one device loses of a session: bit ``i`` for frame ``i + 1`` of *sent*.

        The other way round as :meth:`draw`, and as fast for a single device.
        """
        if self.are_independent:
            return draw_share(self.loss, sent, chance)
        in_bad = self._bad_frames(sent, chance)
        found = in_bad & draw_share(self.bad, sent, chance)
        return found | ~in_bad & draw_share(self.good, sent, chance)

    def _bad_frames(self, sent: int, chance: random.Random) -> int:
        """Draw the states: go from one change that counts, in the present state, to the next."""
        is_bad = chance.random() < self.in_bad
        # bit i: after frame i + 1 a good channel would turn bad, a bad one good
        to_bad = to_bitarray(draw_share(self.to_bad, sent, chance), sent)
        to_good = to_bitarray(draw_share(self.to_good, sent, chance), sent)
        bad, at = to_bitarray(0, sent), 0
        while at < sent:
            end = (to_good if is_bad else to_bad).find(1, at) + 1 or sent
            if is_bad:
                bad[at:end] = 1
            at, is_bad = end, not is_bad
        return int.from_bytes(bad.tobytes(), "little")

    def chances(self, frames: int) -> list[float]:
        """Return the chance of each way to hear *frames* frames; bit i of the index: i is heard."""
        good, bad = [1 - self.in_bad], [self.in_bad]
        for _ in range(frames):
            paths = []
            for lose, lose_bad in ((self.good, self.bad), (1 - self.good, 1 - self.bad)):
                paths += [(g * lose, b * lose_bad) for g, b in zip(good, bad, strict=True)]
            good = [g * (1 - self.to_bad) + b * self.to_good for g, b in paths]
            bad = [g * self.to_bad + b * (1 - self.to_good) for g, b in paths]
        return [g + b for g, b in zip(good, bad, strict=True)]


@functools.lru_cache(maxsize=64)
def _chain(losses: Losses, frames: int, start: tuple[float, float]) -> tuple[Spread, Spread]:
    """Return how many are lost, split by the state after the last frame."""
    good, bad, lowest = [start[0]], [start[1]], 0
    lose, lose_bad, leave, back = losses.good, losses.bad, losses.to_bad, losses.to_good
    for _ in range(frames):
        good.append(0.0)
        bad.append(0.0)
        before_good = before_bad = 0.0
        for i, (in_good, in_bad) in enumerate(zip(good, bad, strict=True)):
            now_good = in_good * (1 - lose) + before_good * lose
            now_bad = in_bad * (1 - lose_bad) + before_bad * lose_bad
            before_good, before_bad = in_good, in_bad
            good[i] = now_good * (1 - leave) + now_bad * back
            bad[i] = now_good * leave + now_bad * (1 - back)
        while len(good) > 1 and good[-1] + bad[-1] < _NEGLIGIBLE:
            good.pop()
            bad.pop()
        dropped = 0
        while dropped < len(good) - 1 and good[dropped] + bad[dropped] < _NEGLIGIBLE:
            dropped += 1
        if dropped:
            del good[:dropped], bad[:dropped]
            lowest += dropped
    return Spread(lowest, tuple(good)), Spread(lowest, tuple(bad))


def _check_loss(where: str, loss: float) -> None:
    if not 0 <= loss < 1:
        raise FieldError(f"Losses.{where}", "loss", loss, "0 to less than 1")


def _binomial(frames: int, loss: float) -> Spread:
    """Return how many of the frames are lost, without what is negligible."""
    if loss == 0:
        return Spread(0, (1.0,))
    lost, heard, total = math.log(loss), math.log1p(-loss), math.lgamma(frames + 1)
    chances: Sequence[float] = [
        math.exp(
            total
            - math.lgamma(i + 1)
            - math.lgamma(frames - i + 1)
            + i * lost
            + (frames - i) * heard
        )
        for i in range(frames + 1)
    ]
    kept = [i for i, chance in enumerate(chances) if chance >= _NEGLIGIBLE]
    return Spread(kept[0], tuple(chances[kept[0] : kept[-1] + 1]))
