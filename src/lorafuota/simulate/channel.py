"""One device's share of the air: what it loses, what arrives late, what arrives twice."""

from __future__ import annotations

import random
from typing import final

from .scenario import Scenario

__all__ = ["Channel"]


@final
class Channel:
    """Draws for one device, so that devices do not depend on each other's luck."""

    __slots__ = ("_delay", "_loss", "_random", "_repeat", "_uniform", "_uplink_loss")

    def __init__(self, scenario: Scenario, device: int) -> None:
        """Take the shares from the scenario, the luck from its seed and the device's number."""
        rng = random.Random(f"{scenario.seed}/channel/{device}")
        self._random, self._uniform = rng.random, rng.uniform
        self._loss, self._uplink_loss = scenario.loss, scenario.uplink_loss
        self._repeat, self._delay = scenario.repeat, scenario.delay_seconds

    def frames(self) -> int:
        """Return how often a multicast frame is heard: 0, 1 or 2."""
        if self._random() < self._loss:
            return 0
        return 1 + (self._repeat > 0 and self._random() < self._repeat)

    def downlinks(self) -> list[float]:
        """Return the delay of every copy of a unicast downlink that arrives."""
        return self._copies(self._loss)

    def uplinks(self) -> list[float]:
        """Return the delay of every copy of an uplink that arrives."""
        return self._copies(self._uplink_loss)

    def _copies(self, loss: float) -> list[float]:
        if self._random() < loss:
            return []
        copies = 1 + (self._repeat > 0 and self._random() < self._repeat)
        return [self._uniform(0, self._delay) if self._delay else 0.0 for _ in range(copies)]
