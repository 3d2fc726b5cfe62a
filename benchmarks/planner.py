"""The planner against simulation on the real matrix: ``python -m benchmarks.planner``.

For each M, loss and variant, two redundancies: one with which about every second device completes,
and one that is planned for 99 %.  What the planner says is compared with an independent sample.
Then the parity that 99 % of 1, 100 and 1,000 devices take, and promise R6: with the parity planned
for a probability, devices fail at most as often as planned.

``--trials N`` sets the devices in a sample, ``--markdown`` prints for the documentation, and
``--plot FILE`` draws its picture instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import pathlib
from collections.abc import Iterator, Sequence

from benchmarks.harness import MissingExtra, optional
from lorafuota.completion import Losses, Prediction, completion_curve, parity_needed, predict
from lorafuota.completion.formula import Estimate, estimate
from lorafuota.completion.trial import Sample, sampled_failure
from lorafuota.fec.variant import ParityVariant

SIZES = (10, 20, 50, 100, 250, 1000)
LOSSES = (0.05, 0.1, 0.2, 0.3, 0.4)
VARIANTS = (ParityVariant.V1, ParityVariant.V2)
FLEETS = (1, 100, 1000)
SEED = 7
"""Not the planner's own."""


@dataclasses.dataclass(frozen=True)
class Point:
    """One redundancy, as predicted and as sampled."""

    nb_frag: int
    losses: Losses
    variant: ParityVariant
    parity: int
    predicted: Prediction
    formula: Estimate
    sample: Sample

    @property
    def share(self) -> float:
        return self.sample.failed / self.sample.trials

    @property
    def spread(self) -> float:
        """The standard deviation of what was sampled."""
        return math.sqrt(self.share * (1 - self.share) / self.sample.trials)

    @property
    def error(self) -> float:
        return self.predicted.failure - self.share

    @property
    def formula_error(self) -> float:
        return self.formula.failure - self.share


@dataclasses.dataclass(frozen=True)
class Kept:
    """One promise and what became of it."""

    nb_frag: int
    losses: Losses
    variant: ParityVariant
    parity: int
    allowed: float
    planned: float
    sample: Sample

    @property
    def sigmas(self) -> float:
        """By how many standard deviations more devices failed than planned; negative: fewer."""
        expected = self.planned * self.sample.trials
        return (self.sample.failed - expected) / math.sqrt(max(expected * (1 - self.planned), 1e-9))


def at(nb_frag: int, losses: Losses, variant: ParityVariant, parity: int, trials: int) -> Point:
    return Point(
        nb_frag,
        losses,
        variant,
        parity,
        predict(nb_frag, parity, variant=variant, losses=losses),
        estimate(nb_frag, parity, variant, losses, None),
        sampled_failure(nb_frag, parity, variant, losses, None, trials=trials, seed=SEED),
    )


def points(
    sizes: Sequence[int], losses: Sequence[Losses], variants: Sequence[ParityVariant], trials: int
) -> Iterator[Point]:
    for nb_frag in sizes:
        for variant in variants:
            for loss in losses:
                half = math.ceil(nb_frag * loss.loss / (1 - loss.loss)) + 1
                enough = parity_needed(nb_frag, variant=variant, losses=loss)
                assert enough is not None
                for parity in (half, max(enough, half + 1)):
                    yield at(nb_frag, loss, variant, parity, trials)


def kept(
    sizes: Sequence[int],
    losses: Sequence[Losses],
    variants: Sequence[ParityVariant],
    trials: int,
    probabilities: Sequence[float] = (0.9, 0.99),
    seed: int = SEED,
) -> Iterator[Kept]:
    """Plan, and see whether the plan keeps its word (promise R6)."""
    for nb_frag in sizes:
        for variant in variants:
            for loss in losses:
                for probability in probabilities:
                    parity = parity_needed(
                        nb_frag, variant=variant, losses=loss, probability=probability
                    )
                    assert parity is not None
                    planned = predict(nb_frag, parity, variant=variant, losses=loss).high
                    sample = sampled_failure(
                        nb_frag, parity, variant, loss, None, trials=trials, seed=seed
                    )
                    yield Kept(nb_frag, loss, variant, parity, 1 - probability, planned, sample)


def draw(file: pathlib.Path, trials: int) -> None:
    """Draw completion against redundancy: lines of the planner, dots of a sample.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    matplotlib = optional("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "lorafuota", "svg.fonttype": "none"})
    figure, plots = optional("matplotlib.pyplot").subplots(1, 2, figsize=(9, 4), sharey=True)
    variant = ParityVariant.V2
    for axes, nb_frag in zip(plots, (50, 500), strict=True):
        for color, loss in enumerate(LOSSES[:4]):
            losses = Losses.independent(loss)
            most = math.ceil(1.2 * nb_frag * loss / (1 - loss)) + 14
            curve = completion_curve(nb_frag, variant=variant, losses=losses, most=most)
            share = [100 * at / nb_frag for at in curve.parity]
            complete = [1 - one.failure for one in curve.predictions]
            axes.plot(share, complete, "-", color=f"C{color}", label=f"{loss:.0%} lost")
            dots = curve.parity[::3]
            samples = [
                sampled_failure(nb_frag, at, variant, losses, None, trials=trials, seed=SEED)
                for at in dots
            ]
            axes.plot(
                [100 * at / nb_frag for at in dots],
                [1 - one.failed / one.trials for one in samples],
                "o",
                color=f"C{color}",
                markersize=3,
            )
        axes.set_title(f"{nb_frag} fragments")
        axes.set_xlabel("redundancy in %; dots: simulated")
        axes.grid(alpha=0.3)
    plots[0].set_ylabel("probability that one device completes")
    plots[0].legend()
    figure.savefig(file, metadata={"Date": None}, bbox_inches="tight")


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool) -> None:
    if markdown:
        for row in (head, ["---:"] * len(head), *rows):
            print(f"| {' | '.join(row)} |")
        return
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def main(argv: Sequence[str] | None = None) -> tuple[list[Point], list[Kept]]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, metavar="M", default=list(SIZES))
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--burst", type=float, metavar="N", help="losses in bursts of N")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE", help="only draw, as SVG")
    args = parser.parse_args(argv)
    if args.plot:
        try:
            draw(args.plot, args.trials)
        except MissingExtra as error:
            parser.error(str(error))
        return [], []
    losses = [
        Losses.independent(p) if args.burst is None else Losses.bursty(p, burst=args.burst)
        for p in LOSSES
    ]

    found = list(points(args.sizes, losses, VARIANTS, args.trials))
    print(f"The chance that a device does not complete, {args.trials} trials for each line\n")
    head: tuple[str, ...] = (
        "M",
        "matrix",
        "loss",
        "coded",
        "method",
        "planner",
        "simulated",
        "error",
        "sd",
    )
    rows: list[tuple[str, ...]] = []
    for one in found:
        rows.append(
            (
                str(one.nb_frag),
                one.variant.value,
                f"{one.losses.loss:.0%}",
                str(one.parity),
                one.predicted.method.value,
                f"{one.predicted.failure:.5f}",
                f"{one.share:.5f}",
                f"{one.error:+.5f}",
                f"{one.spread:.5f}",
            )
        )
    print_table(head, rows, markdown=args.markdown)

    print("\nThe largest error, of the planner and of the formula alone\n")
    rows = []
    for nb_frag in args.sizes:
        own = [one for one in found if one.nb_frag == nb_frag]
        errors = [max(abs(one.error) for one in own), max(abs(one.formula_error) for one in own)]
        over = sum(one.share > one.formula.most + 3 * one.spread for one in own)
        rows.append((str(nb_frag), *(f"{error:.4f}" for error in errors), f"{over} of {len(own)}"))
    print_table(("M", "planner", "formula", "above the bound"), rows, markdown=args.markdown)

    print("\nCoded fragments for 99 % of a fleet to complete at once: 1 / 100 / 1,000 devices\n")
    rows = []
    for nb_frag in args.sizes:
        for variant in VARIANTS:
            cells = []
            for loss in losses:
                needed = [
                    parity_needed(nb_frag, variant=variant, losses=loss, devices=devices)
                    for devices in FLEETS
                ]
                cells.append(" / ".join(map(str, needed)))
            rows.append((str(nb_frag), variant.value, *cells))
    shares = [f"{loss.loss:.0%} lost" for loss in losses]
    print_table(("M", "matrix", *shares), rows, markdown=args.markdown)

    print("\nPromise R6: devices that fail, of 10,000 with the parity planned; at most 1 - p\n")
    promises = list(kept(args.sizes, losses[:4], VARIANTS, 10_000))
    rows = [
        (
            str(one.nb_frag),
            one.variant.value,
            f"{one.losses.loss:.0%}",
            str(one.parity),
            f"{one.allowed:.2f}",
            f"{one.planned:.4f}",
            f"{one.sample.failed / one.sample.trials:.4f}",
            f"{one.sigmas:+.1f}",
        )
        for one in promises
    ]
    head = ("M", "matrix", "loss", "coded", "allowed", "planned", "failed", "sd above")
    print_table(head, rows, markdown=args.markdown)
    above = [one for one in promises if one.sample.failed > one.planned * one.sample.trials]
    print(
        f"\n{len(above)} of {len(promises)} failed more often than planned, the worst by "
        f"{max(one.sigmas for one in promises):.1f} standard deviations; "
        f"{sum(one.sample.failed > one.allowed * one.sample.trials for one in promises)} more "
        "often than allowed"
    )
    return found, promises


if __name__ == "__main__":
    main()
