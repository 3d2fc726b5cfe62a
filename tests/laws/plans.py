"""Does the planner keep its word (promise R6)?

A plan is made as an operator makes it, and its session is then sent to simulated devices: each has
losses drawn for itself, with another seed than the planner's samples, and whether it completes is
told by the lines of the real matrix.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Final

from lorafuota.fec.variant import ParityVariant
from lorafuota.losses import Losses
from lorafuota.plan import PlanRequest, make_plan
from lorafuota.simulate import RankFleet

SIZES: Final = (10, 20, 50, 100, 250, 1000)
LOSSES: Final = (0.05, 0.1, 0.2, 0.3)
BURSTS: Final = (None, 4.0)
VARIANTS: Final = (ParityVariant.V1, ParityVariant.V2)
PROBABILITIES: Final = (0.9, 0.99)

_FRAG_SIZE: Final = 20
_SIGMAS: Final = 4.5
"""By chance a point is further above what was planned once in 300,000 times."""

Point = tuple[int, ParityVariant, float, float | None, float]
"""M, matrix, loss, mean length of bursts, and the probability that one device completes."""

POINTS: Final[Sequence[Point]] = tuple(
    itertools.product(SIZES, VARIANTS, LOSSES, BURSTS, PROBABILITIES)
)


class PromiseBroken(AssertionError):
    """More devices fail than a plan says."""


@dataclasses.dataclass
class Kept:
    """What became of the plans."""

    points: int = 0
    devices: int = 0
    failed: int = 0
    planned: float = 0.0
    """Devices that may have failed, as far as the plans go."""
    above: int = 0
    """Points at which more devices failed than was asked for, by chance."""
    worst: float = -math.inf
    """By how many standard deviations more devices failed than planned, at the worst point."""


def keeps(point: Point, trials: int, found: Kept, *, seed: int = 7) -> None:
    """Plan one session, and send it to so many devices.

    Raises:
        PromiseBroken: More of them fail than planned, and it is not chance.
    """
    nb_frag, variant, loss, burst, probability = point
    losses = Losses.independent(loss) if burst is None else Losses.bursty(loss, burst=burst)
    plan = make_plan(
        PlanRequest(
            image_octets=nb_frag * _FRAG_SIZE,
            frag_size=_FRAG_SIZE,
            losses=losses,
            variant=variant,
            probability=probability,
        )
    )
    allowed, planned = 1 - probability, plan.prediction.high
    assert plan.nb_frag == nb_frag
    if planned > allowed * (1 + 1e-9):
        raise PromiseBroken(f"{point}: planned for {planned:.5f}, and {allowed:.5f} is allowed")
    fleet = RankFleet(
        nb_frag=nb_frag,
        nb_coded=plan.parity,
        devices=trials,
        loss=losses,
        variant=variant,
        seed=seed,
    )
    failed = trials - fleet.run().complete
    sigmas = (failed - planned * trials) / math.sqrt(max(planned * (1 - planned) * trials, 1e-9))
    found.points += 1
    found.devices += trials
    found.failed += failed
    found.planned += planned * trials
    found.above += failed > allowed * trials
    found.worst = max(found.worst, sigmas)
    if sigmas > _SIGMAS:
        raise PromiseBroken(f"{point}: {failed} of {trials} failed, planned for {planned:.5f}")


def plans(trials: int, points: Sequence[Point] = POINTS) -> Kept:
    """Make a plan for each point, with so many devices.

    Raises:
        PromiseBroken: Too many devices fail at a point, or over all of them.
    """
    found = Kept()
    for point in points:
        keeps(point, trials, found)
    if found.failed > found.planned + _SIGMAS * math.sqrt(found.planned):
        raise PromiseBroken(f"{found.failed} failed, planned for {found.planned:.0f}")
    return found
