"""The plots of ``lorafuota plan``, with matplotlib, which is only needed for them."""

from __future__ import annotations

import importlib
import math
import pathlib
from typing import Any, Final

from ..completion import Losses, completion_curve
from ..datablock import MAX_NB_FRAG
from ..plan import Plan
from .arguments import InputError

__all__ = ["draw_completion", "draw_timeline"]

_LOSSES: Final = (0.05, 0.1, 0.2, 0.3)
_POINTS: Final = 100


def draw_completion(plan: Plan, file: pathlib.Path) -> None:
    """Draw how likely the fleet completes against redundancy, for several losses.

    Args:
        plan: Its block, matrix and fleet are drawn, and its own losses among others.
        file: Where; the name's ending says in which format.

    Raises:
        InputError: matplotlib is not there, or the block has too many fragments.
    """
    request = plan.request
    if plan.nb_frag > MAX_NB_FRAG:
        raise InputError(f"{plan.nb_frag} fragments are more than N can number: nothing to plot")
    own = request.losses
    shown = {loss: Losses.independent(loss) for loss in _LOSSES}
    shown[own.loss] = own
    worst = max(shown)
    most = math.ceil(1.25 * plan.nb_frag * worst / (1 - worst)) + 12
    figure, axes = _axes(7, 4.5)
    for color, loss in enumerate(sorted(shown)):
        curve = completion_curve(
            plan.nb_frag,
            variant=request.variant,
            losses=shown[loss],
            most=most,
            points=_POINTS,
            max_lost=request.max_lost,
            seed=request.seed,
        )
        share = [100 * at / plan.nb_frag for at in curve.parity]
        one = [1 - found.failure for found in curve.predictions]
        fleet = [found.all_complete(request.devices) for found in curve.predictions]
        label = f"{shown[loss]}"
        axes.plot(share, fleet, "-", color=f"C{color}", label=label)
        if request.devices > 1:
            axes.plot(share, one, ":", color=f"C{color}")
    axes.axvline(100 * plan.redundancy, color="0.5", linewidth=1)
    axes.axhline(request.probability, color="0.8", linewidth=1)
    axes.set_xlabel(f"redundancy in % of {plan.nb_frag} fragments; the line is the plan's")
    title = "all complete" if request.devices == 1 else f"all {request.devices} (dotted: one)"
    axes.set_ylabel(f"probability: {title}")
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, file)


def draw_timeline(plan: Plan, file: pathlib.Path) -> None:
    """Draw the campaign's set-up, announcements and windows over time.

    Args:
        plan: What to draw.
        file: Where; the name's ending says in which format.

    Raises:
        InputError: matplotlib is not there.
    """
    start, lead = plan.request.start, plan.lead_seconds
    rows: list[tuple[str, list[tuple[float, float]]]] = [
        ("set up", [(0.0, plan.setup_seconds)]),
        ("announce", [(one.start - start - lead, lead) for one in plan.windows]),
        ("window", [(one.start - start, one.end - one.start) for one in plan.windows]),
        (
            "frames",
            [
                (one.first_frame - start, one.last_frame_end - one.first_frame)
                for one in plan.windows
            ],
        ),
    ]
    figure, axes = _axes(7, 2.5)
    for at, (_, spans) in enumerate(rows):
        hours = [(begin / 3600, length / 3600) for begin, length in spans]
        axes.broken_barh(hours, (at - 0.4, 0.8), color=f"C{at}")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set_xlabel("hours after the start")
    axes.grid(axis="x", alpha=0.3)
    _save(figure, file)


def _axes(width: float, height: float) -> tuple[Any, Any]:
    try:
        matplotlib = importlib.import_module("matplotlib")
        matplotlib.use("svg")
        matplotlib.rcParams.update({"svg.hashsalt": "lorafuota", "svg.fonttype": "none"})
        pyplot = importlib.import_module("matplotlib.pyplot")
    except ImportError:
        raise InputError(
            "--plot needs matplotlib: pip install 'lorafuota[plot]' brings it"
        ) from None
    figure, axes = pyplot.subplots(figsize=(width, height))
    return figure, axes


def _save(figure: Any, file: pathlib.Path) -> None:
    figure.savefig(file, metadata={"Date": None}, bbox_inches="tight")
    importlib.import_module("matplotlib.pyplot").close(figure)
