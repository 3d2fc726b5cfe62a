"""``lorafuota simulate --fleet``: how much redundancy a fleet of any size needs; no payload."""

from __future__ import annotations

import argparse
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Final

from ..errors import require_int
from ..fec import kernels
from ..losses import Losses, LossModel, Varied
from ..simulate import RankFleet, RankReport, Scenario
from ..simulate.plan import Plan
from .arguments import InputError, Parser, Status
from .gate import gate_given
from .output import bad, good, table, write_json
from .progress import progress
from .scenario import given, read_image, scenario_of

__all__ = ["add_fleet", "run_fleet", "without_fleet"]

_OWN: Final = ("workers", "burst", "loss_deviation")
_SHARED: Final = (
    "devices",
    "dr",
    "frag_size",
    "loss",
    "redundancy",
    "region",
    "seed",
    "version",
)
_ROWS: Final = 10
_MOST_WORKERS: Final = 61  # what Windows can wait for


def add_fleet(parser: Parser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("fleets of any size, without payload")
    group.add_argument(
        "--fleet",
        action="store_true",
        help="only find out with which coded fragment each device is complete, in one pass",
    )
    group.add_argument(
        "--workers", type=int, metavar="K", help="processes that share the work (default 1)"
    )
    group.add_argument(
        "--burst",
        type=float,
        metavar="L",
        help="frames are lost in runs of L on average (default: each for itself)",
    )
    group.add_argument(
        "--loss-deviation",
        type=float,
        metavar="D",
        help="devices differ: standard deviation of their loss (default 0)",
    )


def without_fleet(args: argparse.Namespace) -> None:
    """Check that no option waits for ``--fleet``.

    Raises:
        InputError: One does.
    """
    if any(getattr(args, name) is not None for name in _OWN):
        raise InputError("--workers, --burst and --loss-deviation go with --fleet")


def run_fleet(args: argparse.Namespace) -> int:
    """Simulate, and print the table."""
    if args.all or given(args).keys() - set(_SHARED) or gate_given(args):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in _SHARED)
        raise InputError(
            f"with --fleet nothing is sent and installed: only {options}, --workers, --burst, "
            "--loss-deviation and --json go with it"
        )
    scenario = scenario_of(args, read_image(args.image))
    if scenario.version is None:
        raise InputError("with --fleet all devices have one matrix: --version 1 or 2")
    plan = Plan(scenario)
    fleet = RankFleet(
        nb_frag=plan.block.nb_frag,
        nb_coded=plan.parity,
        devices=scenario.devices,
        loss=_loss(args, scenario),
        variant=plan.parities[0],
        seed=scenario.seed,
    )
    with (
        _workers(args.workers) as executor,
        progress("devices", fleet.devices, quiet=args.json) as bar,
    ):
        report = fleet.run(executor=executor, watch=lambda done: bar.advance(done - bar.done))
    if args.json:
        write_json({"image": str(args.image), "kernels": kernels.NAME, **report.to_json()})
    else:
        _print(report, f"{args.image}, {len(scenario.image):,} octets", plan.block.frag_size)
    return Status.GOOD if report.complete == fleet.devices else Status.NO


def _loss(args: argparse.Namespace, scenario: Scenario) -> LossModel:
    if args.loss_deviation:
        return Varied(mean=scenario.loss, deviation=args.loss_deviation, burst=args.burst)
    if args.burst is not None:
        return Losses.bursty(scenario.loss, burst=args.burst)
    return Losses.independent(scenario.loss)


@contextmanager
def _workers(wanted: int | None) -> Iterator[Executor | None]:
    """Start processes, unless one does: this one."""
    number = require_int("simulate", "workers", 1 if wanted is None else wanted, 1, _MOST_WORKERS)
    if number == 1:
        yield None
        return
    # "spawn" everywhere: a fork would copy whatever threads hold
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(number, mp_context=context, initializer=_ignore_ctrl_c) as pool:
        yield pool


def _ignore_ctrl_c() -> None:
    """Leave Ctrl-C to the process that shows the progress: it ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _print(report: RankReport, image: str, frag_size: int) -> None:
    fleet = report.fleet
    coded = "repeats" if fleet.nb_frag == 1 else "coded"
    print(f"image    {image}")
    print(
        f"block    {fleet.nb_frag} fragments of {frag_size} octets, matrix {fleet.variant.value}; "
        f"{fleet.nb_coded} {coded}"
    )
    print(f"loss     {fleet.loss}")
    print()
    rows = []
    for nb_coded in _steps(report):
        done = report.complete_after(nb_coded)
        redundancy = f"{100 * nb_coded / fleet.nb_frag:.1f} %"
        rows.append((str(nb_coded), redundancy, str(done), _percent(done, fleet.devices)))
    print(table((coded, "redundancy", "devices complete", ""), rows, right=(0, 1, 2, 3)))
    print()
    for share, who in ((0.5, "half of them"), (0.99, "99 % of them"), (1.0, "all of them")):
        n = report.quantile(share)
        needed = "more than were sent" if n is None else str(max(0, n - fleet.nb_frag))
        print(f"{coded} for {who}: {needed}")
    verdict = f"{report.complete} of {fleet.devices} devices complete"
    print(good(verdict) if report.complete == fleet.devices else bad(verdict))


def _steps(report: RankReport) -> list[int]:
    """Return what stands in the table: even steps from about the first device to the last."""
    fleet = report.fleet
    completed = list(report.histogram) or [fleet.nb_frag]
    first = max(0, completed[0] - 1 - fleet.nb_frag)
    whole = report.complete == fleet.devices
    last = max(0, completed[-1] - fleet.nb_frag) if whole else fleet.nb_coded
    steps = min(_ROWS, max(1, last - first))
    return sorted({first + (last - first) * i // steps for i in range(steps + 1)})


def _percent(part: int, whole: int) -> str:
    """Return a share that is 100 % for all and for nobody less."""
    if part == whole:
        return "100 %"
    return f"{min(100 * part / whole, 99.999):.3f} %"
