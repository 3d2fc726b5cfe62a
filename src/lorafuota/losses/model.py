"""What a device of a fleet loses: the same for all, or each its own.

A model draws a whole session at once, many frames with each call of the generator:

>>> import random
>>> from lorafuota.losses import Losses
>>> lost = Losses.bursty(0.2, burst=4).lost(40, random.Random(7))
>>> f"{lost:040b}"[::-1]
'0000000011000001110000011111110100000000'
"""

from __future__ import annotations

import dataclasses
import math
import random
from typing import Final, Protocol, final

from ..errors import FieldError
from .chain import Losses

__all__ = ["LossModel", "Varied"]

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


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Varied:
    """Each device has a loss of its own, drawn from a beta distribution, for the whole session.

    Attributes:
        mean: Mean loss of the fleet, more than 0 and less than 1.
        deviation: Standard deviation between devices, 0 to ``0.99 * sqrt(mean * (1 - mean))``.
        burst: Mean number of frames lost in a row, as in :meth:`.Losses.bursty`; a device that
            loses so much that its runs are longer has the shortest that are possible.  None: each
            frame is lost independently.
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

    def __str__(self) -> str:
        """Say it in words."""
        bursts = "at random" if self.burst is None else f"in bursts of {self.burst:.4g} frames"
        return f"{self.mean:.4g} lost on average, {self.deviation:.4g} between devices, {bursts}"

    def lost(self, sent: int, chance: random.Random, /) -> int:
        """Draw one device's loss, and then its losses; see :class:`LossModel`."""
        share = self._share(chance)
        if share >= 1:
            return (1 << sent) - 1
        if self.burst is None:
            return Losses.independent(share).lost(sent, chance)
        burst = max(self.burst, share / (1 - share))
        return Losses.bursty(share, burst=burst).lost(sent, chance)

    def _share(self, chance: random.Random) -> float:
        if self.deviation < _NARROWEST:
            return self.mean
        size = self.mean * (1 - self.mean) / self.deviation**2 - 1
        return chance.betavariate(self.mean * size, (1 - self.mean) * size)
