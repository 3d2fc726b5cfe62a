"""Fixed redundancy against the closed loop, on air: the same fleets, the same losses.

``python -m benchmarks.airtime [--devices N] [--fragments M] [--seeds K] [LOSS ...]``
``python -m benchmarks.airtime --status [--uplink-every S] [--devices N ...] ... [LOSS ...]``

The *open loop* sends every fragment once and no more.  Its redundancy is the smallest, in steps of
a percent, with which 99 % of the devices complete on average over the seeds, and all of them: the
best that anybody could choose who knew the losses beforehand.  The *rule of thumb* is what
``lorafuota simulate`` chooses without being told.  The *closed loop* starts with a first pass of
that many coded fragments as are lost, asks, and repairs.

``--status`` compares how the closed loop asks: one frame to the group, with the answers spread over
BlockAckDelay, against a request to each device.  It counts what a device's status costs, set-up
left out, and how many answers come in one second.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import random
import statistics
from collections.abc import Sequence

from lorafuota.simulate import Report, Scenario, Simulation, parity_for

FRAG_SIZE = 48
WANTED = (0.99, 1.0)


@dataclasses.dataclass(frozen=True)
class Row:
    """One way to send, averaged over the seeds."""

    loss: float
    way: str
    redundancy: float
    completion: float
    fragments: float
    seconds: float
    rounds: float


def run(image: bytes, *, devices: int, loss: float, seeds: int, **fields: object) -> list[Report]:
    common = {"image": image, "devices": devices, "loss": loss, "frag_size": FRAG_SIZE}
    common |= {"uplink_loss": loss / 2, "shared_radio": True}
    return [
        Simulation(Scenario(**{**common, **fields}, seed=seed)).run()  # type: ignore[arg-type]
        for seed in range(seeds)
    ]


def row(loss: float, way: str, redundancy: float, reports: Sequence[Report]) -> Row:
    def mean(field: str) -> float:
        return float(statistics.mean(getattr(report, field) for report in reports))

    return Row(
        loss=loss,
        way=way,
        redundancy=redundancy,
        completion=statistics.mean(one.devices_complete / one.devices for one in reports),
        fragments=mean("frames"),
        seconds=mean("airtime_seconds"),
        rounds=mean("rounds"),
    )


def open_loop(image: bytes, devices: int, loss: float, seeds: int, wanted: float) -> Row:
    """The smallest fixed redundancy that is enough, found by bisection."""

    def tried(percent: int) -> Row:
        # version 1 devices report nothing by themselves, so nothing stops the pass early
        reports = run(
            image,
            devices=devices,
            loss=loss,
            seeds=seeds,
            redundancy=percent / 100,
            rounds=0,
            version=1,
        )
        return row(loss, f"open loop, {wanted:.0%}", percent / 100, reports)

    low, high = math.floor(100 * loss / (1 - loss)), 100 + math.ceil(200 * loss / (1 - loss))
    best = tried(high)
    while high - low > 1:
        middle = (low + high) // 2
        found = tried(middle)
        if found.completion >= wanted:
            high, best = middle, found
        else:
            low = middle
    return best


def compare(image: bytes, devices: int, loss: float, seeds: int) -> list[Row]:
    nb_frag = math.ceil(len(image) / FRAG_SIZE)
    thumb = parity_for(nb_frag, loss=loss, devices=devices) / nb_frag
    small = loss / (1 - loss)
    common = {"devices": devices, "loss": loss, "seeds": seeds, "version": 1}
    return [
        *(open_loop(image, devices, loss, seeds, wanted) for wanted in WANTED),
        row(loss, "open loop, thumb", thumb, run(image, **common, rounds=0)),  # type: ignore[arg-type]
        row(loss, "closed loop", small, run(image, **common, redundancy=small)),  # type: ignore[arg-type]
    ]


@dataclasses.dataclass(frozen=True)
class StatusRow:
    """One way to ask; figures for each device, averaged over the seeds."""

    version: int
    devices: int
    way: str
    downlinks: float
    questions: float
    uplinks: float
    peak: int
    hours: float
    completion: float


def ask(
    image: bytes, devices: int, loss: float, seeds: int, uplink_seconds: float
) -> list[StatusRow]:
    """Ask the same fleets by multicast and by unicast."""
    rows = []
    for version, by_multicast in itertools.product((1, 2), (False, True)):
        reports = run(
            image,
            devices=devices,
            loss=loss,
            seeds=seeds,
            version=version,
            redundancy=loss / (1 - loss),
            status_by_multicast=by_multicast,
            uplink_seconds=uplink_seconds,
        )
        rows.append(
            StatusRow(
                version=version,
                devices=devices,
                way="multicast" if by_multicast else "unicast",
                downlinks=statistics.mean(one.status_downlinks / devices for one in reports),
                questions=statistics.mean(one.questions for one in reports),
                uplinks=statistics.mean(one.status_uplinks / devices for one in reports),
                peak=max(one.status_peak for one in reports),
                hours=statistics.mean(one.duration_seconds / 3600 for one in reports),
                completion=statistics.mean(one.devices_known / devices for one in reports),
            )
        )
    return rows


def print_status(
    image: bytes,
    sizes: Sequence[int],
    losses: Sequence[float],
    seeds: int,
    uplink_seconds: float,
) -> None:
    print("               each device          whole group")
    print(
        " loss  version  devices  asked by   downlinks  uplinks  questions  peak/s  hours   known"
    )
    for loss, devices in itertools.product(losses, sizes):
        for one in ask(image, devices, loss, seeds, uplink_seconds):
            print(
                f"{loss:5.0%}  {one.version:7}  {one.devices:7}  {one.way:<9} "
                f"{one.downlinks:10.2f} "
                f"{one.uplinks:8.2f} {one.questions:10.1f} {one.peak:7} {one.hours:6.1f} "
                f"{one.completion:6.1%}",
                flush=True,
            )


def main(argv: Sequence[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("losses", nargs="*", type=float, metavar="LOSS", default=[0.05, 0.1, 0.2])
    parser.add_argument("--status", action="store_true", help="compare the ways to ask")
    parser.add_argument("--uplink-every", type=float, default=900.0, help="of class A; 0: at once")
    parser.add_argument("--devices", type=int, nargs="+", default=[100])
    parser.add_argument("--fragments", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args(argv)
    image = random.Random(1).randbytes(FRAG_SIZE * args.fragments)
    if args.status:
        print_status(image, args.devices, args.losses, args.seeds, args.uplink_every)
        return []
    [devices] = args.devices
    print(f"{devices} devices, {args.fragments} fragments of {FRAG_SIZE}, {args.seeds} seeds")
    print(" loss  way               redundancy  complete  fragments   airtime  rounds")
    rows = []
    for loss in args.losses:
        for one in compare(image, devices, loss, args.seeds):
            rows.append(one)
            print(
                f"{one.loss:5.0%}  {one.way:<17} {one.redundancy:9.1%} {one.completion:9.1%} "
                f"{one.fragments:10.0f} {one.seconds:8.1f}s {one.rounds:7.1f}",
                flush=True,
            )
    return rows


if __name__ == "__main__":
    main()
