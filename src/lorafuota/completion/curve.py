"""Completion against redundancy, as numbers: what a plot shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import final

from ..errors import require_int
from ..fec.matrix import MAX_N
from ..fec.variant import ParityVariant
from ..losses import Losses
from .predict import Prediction, predict

__all__ = ["Curve", "completion_curve"]


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How completion rises with redundancy.

    Attributes:
        losses: What each device loses.
        parity: Numbers of coded fragments, rising.
        predictions: The chance that one device does not complete, with each.
    """

    losses: Losses
    parity: tuple[int, ...]
    predictions: tuple[Prediction, ...]


def completion_curve(
    nb_frag: int,
    *,
    variant: ParityVariant,
    losses: Losses,
    most: int,
    points: int = 40,
    max_lost: int | None = None,
    seed: int = 0,
) -> Curve:
    """Return the chances with 0 to *most* coded fragments.

    Args:
        nb_frag: M, the number of plain fragments.
        variant: How lines of the parity matrix are drawn.
        losses: What a device loses.
        most: The highest number of coded fragments; less if N ends before.
        points: How many numbers at most, 2 or more.
        max_lost: Plain fragments a device can lose at most; None for all.
        seed: Chooses the sample, where one is taken.

    Raises:
        FieldError: A number is out of range.
    """
    require_int("completion_curve", "nb_frag", nb_frag, 1, MAX_N)
    require_int("completion_curve", "most", most, 0, MAX_N)
    require_int("completion_curve", "points", points, 2, 1000)
    most = min(most, MAX_N - nb_frag)
    steps: Sequence[int] = sorted({round(most * at / (points - 1)) for at in range(points)})
    return Curve(
        losses=losses,
        parity=tuple(steps),
        predictions=tuple(
            predict(nb_frag, at, variant=variant, losses=losses, max_lost=max_lost, seed=seed)
            for at in steps
        ),
    )
