"""Fleets of any size, without payload: with which fragment each device is complete.

Whether a device can rebuild a block follows from which fragments it hears, so nothing is encoded,
sent or decoded here; losses are drawn and ranks computed, a few tens of microseconds for a device.
What a whole update with real octets does to a fleet, :class:`.Simulation` shows.

>>> from lorafuota.losses import Losses
>>> losses = Losses.independent(0.15)
>>> fleet = RankFleet(nb_frag=100, nb_coded=50, devices=1000, loss=losses, seed=1)
>>> report = fleet.run()
>>> report.complete, report.complete_after(20), report.quantile(0.5)
(1000, 597, 119)

The work is cut into pieces that any :class:`concurrent.futures.Executor` can do, wherever it does
it: threads (the kernels in C release the interpreter lock), processes, or the executor of an engine
that spreads work over machines.  Every device draws from a generator of its own, made from the seed
and the device's number, so the report is the same whoever did what in which order.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import random
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from itertools import accumulate
from typing import Final, final

from bitarray import bitarray

from ..errors import FieldError, require_int
from ..fec.fleet import completions
from ..fec.matrix import MAX_N
from ..fec.variant import ParityVariant
from ..losses import Losses, LossModel
from ..losses.bits import to_bitarray
from ..wire import JSON

__all__ = ["RankFleet", "RankReport", "rank_devices"]

_AT_ONCE: Final = 250
"""Devices whose receptions are in memory together, in one worker."""
_TENTH: Final = Losses.independent(0.1)
_QUANTILES: Final = (0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0)


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RankFleet:
    """A session that many devices hear, each with losses of its own.

    Attributes:
        nb_frag: M, the number of plain fragments, 1 to 16383.
        nb_coded: Coded fragments sent after them, 0 to 16383 - M.  A block of one fragment has no
            parity: these are repeats of it.
        devices: How many, 1 to a thousand million.
        loss: What each loses.
        variant: How lines of the parity matrix are drawn.
        seed: Chooses the losses.  A larger fleet with the same seed begins with the same devices.
    """

    nb_frag: int
    nb_coded: int
    devices: int
    loss: LossModel = _TENTH
    variant: ParityVariant = ParityVariant.V2
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        require_int("RankFleet", "nb_frag", self.nb_frag, 1, MAX_N)
        require_int("RankFleet", "nb_coded", self.nb_coded, 0, MAX_N - self.nb_frag)
        require_int("RankFleet", "devices", self.devices, 1, 10**9)
        require_int("RankFleet", "seed", self.seed, -(1 << 63), (1 << 63) - 1)
        if not callable(getattr(self.loss, "lost", None)):
            raise FieldError("RankFleet", "loss", self.loss, "a LossModel")
        if not isinstance(self.variant, ParityVariant):
            raise FieldError("RankFleet", "variant", self.variant, "a ParityVariant")

    def run(
        self,
        *,
        executor: Executor | None = None,
        piece: int = 1000,
        ahead: int = 64,
        watch: Callable[[int], object] | None = None,
    ) -> RankReport:
        """Find out when every device is complete.

        However large the fleet is, two octets for each device are kept, and *ahead* pieces of work
        are waiting or done and not fetched.

        Args:
            executor: Who does the work; it stays the caller's, and open.  It has to be able to
                pickle the fleet, loss model included, unless it runs threads.  None: this thread.
            piece: Devices in one piece of work, 1 or more.
            ahead: Pieces handed out before the first is fetched, 1 or more; let it be a few times
                the number of workers.
            watch: Called after each piece with how many devices are done.

        Raises:
            FieldError: A number is out of range.
        """
        require_int("RankFleet.run", "piece", piece, 1, 10**9)
        require_int("RankFleet.run", "ahead", ahead, 1, 10**6)
        numbers = array("H")
        for part in self._parts(executor, piece, ahead):
            numbers.extend(part)
            if watch is not None:
                watch(len(numbers))
        return RankReport(self, numbers)

    def _parts(self, executor: Executor | None, piece: int, ahead: int) -> Iterator[array[int]]:
        """Yield the pieces in the order of the devices."""
        starts = range(0, self.devices, piece)
        ranges = ((first, min(first + piece, self.devices)) for first in starts)
        if executor is None:
            for first, end in ranges:
                yield rank_devices(self, first, end)
            return
        waiting: deque[Future[array[int]]] = deque()
        try:
            for first, end in ranges:
                waiting.append(executor.submit(rank_devices, self, first, end))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:  # none, unless something went wrong
                future.cancel()


def rank_devices(fleet: RankFleet, first: int, end: int) -> array[int]:
    """Do one piece of work: for engines that have no Executor.

    Args:
        fleet: Which fleet.
        first: The first device, 0 or more.
        end: The device after the last one, at most ``fleet.devices``.

    Returns:
        For each of the devices the number of the fragment that completes it, 0 for never; ``'H'``.
        Pieces one after the other are what :class:`RankReport` takes.

    Raises:
        FieldError: There are no such devices.
    """
    require_int("rank_devices", "end", end, 0, fleet.devices)
    require_int("rank_devices", "first", first, 0, end)
    numbers = array("H")
    for start in range(first, end, _AT_ONCE):
        heard = [_heard(fleet, device) for device in range(start, min(start + _AT_ONCE, end))]
        if fleet.nb_frag == 1:
            numbers.extend([bits.find(1) + 1 for bits in heard])
        else:
            found = completions(heard, nb_frag=fleet.nb_frag, variant=fleet.variant)
            numbers.extend([n or 0 for n in found])
    return numbers


def _heard(fleet: RankFleet, device: int) -> bitarray:
    """Draw what one device hears: bit ``i`` for fragment ``i + 1``."""
    sent = fleet.nb_frag + fleet.nb_coded
    everything = (1 << sent) - 1
    lost = fleet.loss.lost(sent, random.Random(f"{fleet.seed}/rank/{device}"))
    return to_bitarray(everything & ~lost, sent)


@final
@dataclasses.dataclass(frozen=True)
class RankReport:
    """When the devices of a fleet are complete.

    Attributes:
        fleet: What was simulated.
        numbers: For each device the number N of the fragment that completes it, 0 for never.
    """

    fleet: RankFleet
    numbers: array[int] = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        """Check that there is a number for each device.

        Raises:
            FieldError: There is not.
        """
        if len(self.numbers) != self.fleet.devices:
            expected = f"{self.fleet.devices} numbers"
            raise FieldError("RankReport", "numbers", len(self.numbers), expected)

    def completed_by(self, device: int) -> int | None:
        """Return the number of the fragment that completes a device; None for never.

        Raises:
            FieldError: There is no such device.
        """
        require_int("RankReport.completed_by", "device", device, 0, self.fleet.devices - 1)
        return self.numbers[device] or None

    @functools.cached_property
    def histogram(self) -> dict[int, int]:
        """How many devices each N completes, in ascending order; incomplete ones are not in it."""
        counts = Counter(self.numbers)
        return {n: counts[n] for n in sorted(counts) if n}

    @property
    def complete(self) -> int:
        """How many devices complete."""
        return self.complete_after(self.fleet.nb_coded)

    def complete_after(self, nb_coded: int) -> int:
        """Return how many devices are complete when so many coded fragments have been sent.

        Raises:
            FieldError: *nb_coded* is not in 0 to what the fleet was sent.
        """
        require_int("RankReport.complete_after", "nb_coded", nb_coded, 0, self.fleet.nb_coded)
        last = self.fleet.nb_frag + nb_coded
        return sum(devices for n, devices in self.histogram.items() if n <= last)

    def quantile(self, share: float) -> int | None:
        """Return the N with which at least this share of the fleet is complete; None for never.

        Args:
            share: More than 0, at most 1; at least one device is meant.

        Raises:
            FieldError: *share* is out of range.
        """
        if not 0 < share <= 1:
            raise FieldError("RankReport.quantile", "share", share, "more than 0, at most 1")
        # a share like 0.07 of 100 is 7, and not 8 because 0.07 is a little more than that
        wanted = max(1, math.ceil(share * self.fleet.devices * (1 - 1e-15)))
        so_far = accumulate(self.histogram.values())
        return next(
            (n for n, done in zip(self.histogram, so_far, strict=True) if done >= wanted), None
        )

    def to_json(self) -> dict[str, JSON]:
        """Return the fleet, its quantiles and its histogram as JSON; not every device."""
        return {
            "nb_frag": self.fleet.nb_frag,
            "nb_coded": self.fleet.nb_coded,
            "devices": self.fleet.devices,
            "loss": str(self.fleet.loss),
            "variant": self.fleet.variant.value,
            "seed": self.fleet.seed,
            "complete": self.complete,
            "quantiles": [[share, self.quantile(share)] for share in _QUANTILES],
            "histogram": [[n, devices] for n, devices in self.histogram.items()],
        }
