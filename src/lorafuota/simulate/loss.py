"""Which frames a device loses: independent losses, bursts, and fleets where no two are alike.

A model draws a whole session at once, many frames with each call of the generator:

>>> import random
>>> lost = Bursts(loss=0.2, length=4.0).lost(40, random.Random(7))
>>> f"{lost:040b}"[::-1]
'0000000011000001110000011111110100000000'
"""

from __future__ import annotations

import dataclasses
import math
import random
from typing import Final, Protocol, final

from bitarray import bitarray

from ..errors import FieldError

__all__ = ["Bursts", "Independent", "LossModel", "TwoState", "Varied", "draw_share"]

_NARROWEST: Final = 1e-6
"""Below this deviation devices are alike; the distribution would need numbers too large."""


class LossModel(Protocol):
    """What a device loses of a session.  Models of your own are immutable and can be pickled."""

    def lost(self, sent: int, chance: random.Random, /) -> int:
        """Return which frames one device loses: bit ``i`` for frame ``i + 1`` of *sent*.

        A function of its arguments: whatever is random comes from *chance*, which belongs to this
        device alone.
        """
        raise NotImplementedError


def draw_share(share: float, length: int, chance: random.Random) -> int:
    """Return *length* bits, each one with probability *share*, independently.

    All positions compare a binary fraction with *share*, bit by bit from the highest, until none
    is undecided: about ``log2(length)`` draws.  The probability is exact.

    Args:
        share: 0 to 1.
        length: How many bits, 0 or more.
        chance: Where they come from.

    Raises:
        FieldError: One of the two is out of range.
    """
    _check_share("draw_share", "share", share)
    if length < 0:
        raise FieldError("draw_share", "length", length, "0 or more")
    undecided = (1 << length) - 1
    if share >= 1:
        return undecided
    ones = 0
    while undecided and share:
        share *= 2  # exact, as are the subtraction and the comparison
        drawn = chance.getrandbits(length)
        if share >= 1:
            share -= 1
            ones |= undecided & ~drawn
            undecided &= drawn
        else:
            undecided &= ~drawn
    return ones


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Independent:
    """Each frame is lost with the same probability, whatever became of the others.

    Attributes:
        loss: Share of frames lost, 0 to 1.
    """

    loss: float

    def __post_init__(self) -> None:
        """Check the share.

        Raises:
            FieldError: It is out of range.
        """
        _check_share("Independent", "loss", self.loss)

    def lost(self, sent: int, chance: random.Random, /) -> int:
        """Draw the losses of one device; see :class:`LossModel`."""
        return draw_share(self.loss, sent, chance)


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TwoState:
    """The model of Gilbert and Elliott: a channel that is good or bad, and changes between frames.

    A device begins in either state, as often as the channel is in it.

    Attributes:
        to_bad: Probability that a good channel is bad for the next frame, 0 to 1.
        to_good: ... and that a bad one is good; the two are not both 0.
        loss_good: Share of frames lost while it is good, 0 to 1.
        loss_bad: ... and while it is bad; 1 is the model of Gilbert.
    """

    to_bad: float
    to_good: float
    loss_good: float = 0.0
    loss_bad: float = 1.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        for field in ("to_bad", "to_good", "loss_good", "loss_bad"):
            _check_share("TwoState", field, getattr(self, field))
        if not self.to_bad and not self.to_good:
            raise FieldError("TwoState", "to_good", self.to_good, "more than 0 where to_bad is 0")

    @property
    def bad(self) -> float:
        """The share of time the channel is bad."""
        return self.to_bad / (self.to_bad + self.to_good)

    def lost(self, sent: int, chance: random.Random, /) -> int:
        """Draw the losses of one device; see :class:`LossModel`."""
        bad = self._bad_frames(sent, chance)
        found = 0
        if self.loss_bad:
            found = bad & draw_share(self.loss_bad, sent, chance)
        if self.loss_good:
            found |= ~bad & draw_share(self.loss_good, sent, chance)
        return found

    def _bad_frames(self, sent: int, chance: random.Random) -> int:
        """Draw the states: go from one change that counts, in the present state, to the next."""
        is_bad = chance.random() < self.bad
        # bit i: after frame i + 1 a good channel would turn bad, a bad one good
        to_bad = _bits(draw_share(self.to_bad, sent, chance), sent)
        to_good = _bits(draw_share(self.to_good, sent, chance), sent)
        bad, at = _bits(0, sent), 0
        while at < sent:
            end = (to_good if is_bad else to_bad).find(1, at) + 1 or sent
            if is_bad:
                bad[at:end] = 1
            at, is_bad = end, not is_bad
        return int.from_bytes(bad.tobytes(), "little")


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """Frames are lost in runs: :class:`TwoState` by the two numbers people measure.

    Attributes:
        loss: Share of frames lost, 0 to less than 1.
        length: Mean number of frames lost in a row, 1 or more, and at least ``loss / (1 - loss)``.
            Independent losses have ``1 / (1 - loss)``.
    """

    loss: float
    length: float

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range, or there is no such channel.
        """
        if not 0 <= self.loss < 1:
            raise FieldError("Bursts", "loss", self.loss, "0 to less than 1")
        if not max(1.0, self.loss / (1 - self.loss)) <= self.length < math.inf:
            expected = f"1 or more, and at least loss / (1 - loss) = {self.loss / (1 - self.loss)}"
            raise FieldError("Bursts", "length", self.length, expected)

    def lost(self, sent: int, chance: random.Random, /) -> int:
        """Draw the losses of one device; see :class:`LossModel`."""
        if not self.loss:
            return 0
        to_good = 1 / self.length
        to_bad = min(1.0, to_good * self.loss / (1 - self.loss))
        return TwoState(to_bad=to_bad, to_good=to_good).lost(sent, chance)


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """Each device has a loss of its own, drawn from a beta distribution, for the whole session.

    Attributes:
        mean: Mean loss of the fleet, more than 0 and less than 1.
        deviation: Standard deviation between devices, 0 to ``0.99 * sqrt(mean * (1 - mean))``.
        burst: Mean number of frames lost in a row, as in :class:`Bursts`; a device that loses so
            much that its runs are longer has the shortest that are possible.  None: each frame is
            lost independently.
    """

    mean: float
    deviation: float
    burst: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        if not 0 < self.mean < 1:
            raise FieldError("Varied", "mean", self.mean, "more than 0, less than 1")
        most = 0.99 * math.sqrt(self.mean * (1 - self.mean))
        if not 0 <= self.deviation <= most:
            expected = f"0 to 0.99 * sqrt(mean * (1 - mean)) = {most}"
            raise FieldError("Varied", "deviation", self.deviation, expected)
        if self.burst is not None and not 1 <= self.burst < math.inf:
            raise FieldError("Varied", "burst", self.burst, "1 or more")

    def lost(self, sent: int, chance: random.Random, /) -> int:
        """Draw one device's loss, and then its losses; see :class:`LossModel`."""
        share = self._share(chance)
        if self.burst is None or share >= 1:
            return draw_share(share, sent, chance)
        length = max(self.burst, share / (1 - share))
        return Bursts(loss=share, length=length).lost(sent, chance)

    def _share(self, chance: random.Random) -> float:
        if self.deviation < _NARROWEST:
            return self.mean
        size = self.mean * (1 - self.mean) / self.deviation**2 - 1
        return chance.betavariate(self.mean * size, (1 - self.mean) * size)


def _bits(number: int, length: int) -> bitarray:
    bits = bitarray(endian="little")
    bits.frombytes(number.to_bytes((length + 7) // 8, "little"))
    del bits[length:]
    return bits


def _check_share(owner: str, field: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise FieldError(owner, field, value, "0 to 1")
