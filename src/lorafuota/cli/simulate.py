"""``lorafuota simulate``: a firmware file, a lossy channel, and a fleet that rebuilds the file."""

from __future__ import annotations

import argparse
import pathlib
import statistics
from typing import Final

from ..fec import kernels
from ..region import region_names
from ..simulate import DeviceResult, DeviceRun, Report, Scenario, Simulation
from ..types import LorawanVersion
from .arguments import InputError, Status, Subparsers, subcommand
from .output import bad, good, table, write_json
from .progress import progress

__all__ = ["add", "run"]

_AT_ONCE: Final = 50
"""Frames between two looks at the progress bar."""

_ROWS: Final = 20
"""Devices shown one by one, the worst first, unless --all is given."""

_TOO_LARGE: Final = 5_000_000
"""Octets no block can hold; such a file is not even read."""


def add(subparsers: Subparsers) -> None:
    """Declare the subcommand."""
    parser = subcommand(
        subparsers,
        "simulate",
        run,
        summary="deliver a firmware file to a simulated fleet",
        description=(
            "Deliver a firmware file to simulated devices, as real octets: group and session\n"
            "set-up, a class C window, fragments in encrypted multicast frames, losses, and\n"
            "what each device rebuilds. Unicast is taken to be reliable."
        ),
        example="lorafuota simulate firmware.bin --devices 20 --loss 0.2 --seed 7",
    )
    parser.add_argument("image", type=pathlib.Path, metavar="IMAGE", help="the firmware file")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="how many (default 1)")
    parser.add_argument(
        "--loss",
        type=float,
        default=0.1,
        metavar="P",
        help="share of multicast frames each device loses, 0 to 1 (default 0.1)",
    )
    parser.add_argument(
        "--redundancy",
        type=float,
        metavar="R",
        help="coded fragments as a share of the plain ones (default: enough for the loss)",
    )
    parser.add_argument(
        "--frag-size",
        type=int,
        metavar="S",
        help="octets in a fragment (default: as many as the data rate carries)",
    )
    parser.add_argument(
        "--version",
        type=int,
        choices=(1, 2),
        default=2,
        help="version of TS004 and TS005 the devices speak (default 2)",
    )
    parser.add_argument(
        "--lorawan",
        choices=[one.value for one in LorawanVersion],
        default=LorawanVersion.V1_0.value,
        help="link layer of the devices (default 1.0.x)",
    )
    parser.add_argument(
        "--region",
        choices=region_names(),
        default="EU868",
        metavar="NAME",
        help=f"one of {', '.join(region_names())} (default EU868)",
    )
    parser.add_argument("--dr", type=int, metavar="DR", help="data rate (default 5 or the fastest)")
    parser.add_argument(
        "--duty-cycle",
        type=float,
        metavar="D",
        help="share of time the gateway may send (default: the region's limit)",
    )
    parser.add_argument("--seed", type=int, default=0, help="chooses keys and losses (default 0)")
    parser.add_argument("--all", action="store_true", help="show every device, not the worst 20")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Simulate, and print the report."""
    scenario = Scenario(
        image=_read(args.image),
        devices=args.devices,
        loss=args.loss,
        redundancy=args.redundancy,
        frag_size=args.frag_size,
        version=args.version,
        lorawan=LorawanVersion(args.lorawan),
        region=args.region,
        dr=args.dr,
        duty_cycle=args.duty_cycle,
        seed=args.seed,
    )
    simulation = Simulation(scenario)
    results = []
    with progress("frames", scenario.devices * simulation.nb_frames, quiet=args.json) as bar:
        for device in range(scenario.devices):
            one = DeviceRun(simulation, device)
            passed = 0
            while one.result is None:
                step = one.advance(_AT_ONCE)
                passed += step
                bar.advance(step)
            bar.advance(simulation.nb_frames - passed)
            results.append(one.result)
    report = simulation.report(results)
    if args.json:
        write_json({"image": str(args.image), "kernels": kernels.NAME, **report.to_json()})
    else:
        _print(report, args)
    return Status.GOOD if report.success else Status.NO


def _read(path: pathlib.Path) -> bytes:
    size = path.stat().st_size
    if size > _TOO_LARGE:
        raise InputError(f"{path} has {size} octets; no block holds more than 4177665")
    image = path.read_bytes()
    if not image:
        raise InputError(f"{path} is empty")
    return image


def _print(report: Report, args: argparse.Namespace) -> None:
    coded = "repeats" if report.nb_frag == 1 else f"coded, parity {report.parity_variant}"
    lines = [
        ("image", f"{args.image}, {report.image_octets} octets"),
        ("SHA-256", report.image_sha256),
        (
            "block",
            f"{report.nb_frag} fragments of {report.frag_size} octets, {report.padding} octets "
            f"padding; {report.parity_planned} more {coded}",
        ),
        (
            "air",
            f"{report.region} DR{report.dr}, {report.frames} frames of "
            f"{1000 * report.frame_airtime_seconds:.1f} ms: {_time(report.airtime_seconds)} on "
            f"air in {_time(report.duration_seconds)}, {_count(report.windows, 'class C window')}",
        ),
        (
            "fleet",
            f"{_count(report.devices, 'device')}, TS004 and TS005 version {report.version}; "
            f"{report.frames_lost_share:.1%} of the frames lost",
        ),
    ]
    for label, text in lines:
        print(f"{label:<8} {text}")
    print()
    shown = sorted(report.results, key=_worst_first)
    if len(shown) > _ROWS and not args.all:
        shown = shown[:_ROWS]
    head = ("device", "heard", "lost", "used", "complete at", "SHA-256", "")
    rows = [_row(report, result) for result in sorted(shown, key=lambda one: one.device)]
    print(table(head, rows, right=(0, 1, 2, 3, 4)))
    if len(shown) < report.devices:
        print(f"(the worst {len(shown)} of {report.devices}; --all shows every device)")
    print()
    completed = [one.completed_by for one in report.results if one.completed_by is not None]
    if completed and report.nb_frag > 1:
        typical = statistics.median(max(0, n - report.nb_frag) for n in completed)
        print(
            f"parity needed: {report.parity_needed} coded fragments for the last device, "
            f"{typical:g} for half of them"
        )
    verdict = f"{report.devices_complete} of {_count(report.devices, 'device')} rebuilt the image"
    print(good(verdict) if report.success else bad(verdict))


def _worst_first(result: DeviceResult) -> tuple[bool, int, int]:
    return result.complete, -(result.completed_by or 0), result.device


def _row(report: Report, result: DeviceResult) -> tuple[str, ...]:
    if result.complete:
        state = "MIC ok" if result.verified else "not verified: version 1 has no MIC"
    else:
        state = result.problem or "incomplete"
    same = result.sha256 == report.image_sha256
    digest = "-" if result.sha256 is None else "equal" if same else "DIFFERS"
    completed = "-" if result.completed_by is None else f"N = {result.completed_by}"
    numbers = (result.device, result.frames_heard, result.frames_lost, result.fragments_used)
    return (*(str(number) for number in numbers), completed, digest, state)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _time(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
