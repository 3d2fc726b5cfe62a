"""``lorafuota plan``: what an update takes, before anything is sent."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterator
from typing import Any, Final

from ..campaign.config import WindowClass
from ..completion import Losses
from ..dissect.words import count
from ..fec.variant import ParityVariant
from ..plan import Currents, Plan, PlanRequest, Severity, make_plan
from .arguments import InputError, Parser, Status, Subparsers, add_json, add_region, subcommand
from .output import bad, good, strong, table, write_json
from .plot import draw_completion, draw_timeline
from .simulate import duration

__all__ = ["add", "run"]

_NUMBERS: Final = (
    # option, field, type, metavar, help
    ("--devices", "devices", int, "N", "how many (default 1)"),
    ("--probability", "probability", float, "P", "that all complete at once (default 0.99)"),
    ("--redundancy", "redundancy", float, "R", "coded fragments as a share (default: enough)"),
    ("--max-lost", "max_lost", int, "N", "plain fragments a device can lose (default: all)"),
    ("--frag-size", "frag_size", int, "S", "octets in a fragment (default: the most)"),
    ("--flash-unit", "flash_unit", int, "S", "make fragments a multiple of S (default 1)"),
    ("--dr", "dr", int, "DR", "data rate of the windows (default 5 or the fastest)"),
    ("--frequency", "dl_freq_hz", int, "HZ", "their frequency (default: the region's)"),
    ("--duty-cycle", "duty_cycle", float, "D", "what a gateway may send (default: the region's)"),
    ("--periodicity", "periodicity", int, "P", "class B: 2**(7 - P) slots in 128 s (default 2)"),
    ("--time-out", "time_out", int, "T", "TimeOut the windows must not exceed (default: any)"),
    ("--gateways", "gateways", int, "N", "that cover the fleet (default 1)"),
    ("--groups", "groups", int, "N", "groups that share the gateways, 1 to 3 (default 1)"),
    ("--spacing", "min_spacing_seconds", float, "S", "between two frames at least (default 0)"),
    ("--start", "start", float, "GPS", "when set-up begins, in GPS seconds (default 0)"),
    ("--uplink-every", "uplink_seconds", float, "S", "between two uplinks (default 900)"),
    ("--uplink-loss", "uplink_loss", float, "P", "share of uplinks lost (default 0)"),
    ("--drift", "clock_drift_ppm", float, "PPM", "how wrong clocks go (default 20)"),
    ("--seed", "seed", int, "N", "chooses samples of small blocks (default 0)"),
)
_CURRENTS: Final = (
    ("--receive-ma", "receive_ma", "receiver on (default 4.6)"),
    ("--transmit-ma", "transmit_ma", "transmitter on (default 25.5)"),
    ("--sleep-ma", "sleep_ma", "neither (default 0.0006)"),
    ("--volts", "volts", "of the battery (default 3.3)"),
)


def add(subparsers: Subparsers) -> None:
    """Declare the subcommand."""
    parser = subcommand(
        subparsers,
        "plan",
        run,
        summary="say what an update takes before anything is sent",
        description=(
            "Plan an update: fragment size, redundancy for a wanted probability, windows,\n"
            "airtime, duration, energy, and what is wrong with it. Nothing is sent. Status 1\n"
            "means that it cannot be sent like this."
        ),
        example="lorafuota plan firmware.bin --devices 100 --loss 0.1",
    )
    parser.add_argument(
        "image", type=pathlib.Path, nargs="?", metavar="IMAGE", help="the firmware file"
    )
    parser.add_argument("--size", type=int, metavar="N", help="its size, if there is none yet")
    _add_options(parser)
    add_json(parser)
    parser.add_argument(
        "--plot",
        type=pathlib.Path,
        metavar="DIRECTORY",
        help="draw completion.svg and timeline.svg there (needs the extra: lorafuota[plot])",
    )


def _add_options(parser: Parser) -> None:
    for option, dest, kind, metavar, text in _NUMBERS:
        parser.add_argument(
            option, dest=dest, type=kind, metavar=metavar, help=text, default=argparse.SUPPRESS
        )
    parser.add_argument(
        "--loss", type=float, metavar="P", default=0.1, help="share of frames lost (default 0.1)"
    )
    parser.add_argument(
        "--burst", type=float, metavar="N", help="losses come in bursts of N frames on average"
    )
    parser.add_argument(
        "--variant",
        choices=[one.value for one in ParityVariant],
        default=ParityVariant.V2.value,
        help="the parity matrix of the devices (default v2)",
    )
    add_region(parser)
    parser.add_argument(
        "--class",
        dest="window_class",
        choices=[one.value for one in WindowClass],
        default=WindowClass.C.value,
        help="how devices listen in the windows (default C)",
    )
    for option, dest, text in (
        ("--repeater", "repeater", "a repeater may be in the path"),
        ("--dwell", "dwell_400ms", "the 400 ms dwell limit is on"),
        ("--staggered", "staggered", "gateways send one after the other"),
    ):
        parser.add_argument(
            option, dest=dest, action="store_true", default=argparse.SUPPRESS, help=text
        )
    for option, dest, text in _CURRENTS:
        parser.add_argument(
            option, dest=dest, type=float, metavar="X", default=argparse.SUPPRESS, help=text
        )


def run(args: argparse.Namespace) -> int:
    """Plan, and print the plan."""
    plan = make_plan(_request(args))
    if args.plot is not None:
        args.plot.mkdir(parents=True, exist_ok=True)
        draw_completion(plan, args.plot / "completion.svg")
        draw_timeline(plan, args.plot / "timeline.svg")
    if args.json:
        write_json(plan.to_json())
    else:
        _print_plan(plan)
    return Status.NO if plan.errors else Status.GOOD


def _request(args: argparse.Namespace) -> PlanRequest:
    if (args.image is None) == (args.size is None):
        raise InputError("give the firmware file, or --size, and not both")
    fields: dict[str, Any] = {
        name: getattr(args, name)
        for name in (
            *(row[1] for row in _NUMBERS),
            *("region", "repeater", "dwell_400ms", "staggered"),
        )
        if name in args
    }
    stated = {name: getattr(args, name) for _, name, _ in _CURRENTS if name in args}
    return PlanRequest(
        image_octets=args.size if args.image is None else args.image.stat().st_size,
        losses=(
            Losses.independent(args.loss)
            if args.burst is None
            else Losses.bursty(args.loss, burst=args.burst)
        ),
        variant=ParityVariant(args.variant),
        window_class=WindowClass(args.window_class),
        currents=Currents(**stated),
        **fields,
    )


def _print_plan(plan: Plan) -> None:
    for label, text in _facts(plan):
        print(f"{label:<11} {text}")
    print()
    rows = [
        (
            str(at),
            duration(one.start - plan.request.start),
            duration(one.end - one.start),
            str(one.time_out),
            str(one.frames),
            duration(one.last_frame_end - one.start),
        )
        for at, one in enumerate(plan.windows, 1)
    ]
    head = ("window", "opens after", "lasts", "TimeOut", "frames", "last one ends after")
    print(table(head, rows, right=(0, 1, 2, 3, 4, 5)))
    print()
    energy = [
        (
            name,
            duration(one.receive_seconds),
            duration(one.transmit_seconds),
            f"{one.charge_mah:.3g} mAh",
            f"{one.joules:.3g} J",
        )
        for name, one in plan.energy.items()
    ]
    print(table(("class", "receives", "sends", "charge", "energy"), energy, right=(1, 2, 3, 4)))
    print()
    for lint in plan.lints:
        paint = {Severity.ERROR: bad, Severity.WARNING: strong}.get(lint.severity, str)
        print(paint(str(lint)))
    if not plan.errors:
        print(good("it can be sent"))


def _facts(plan: Plan) -> Iterator[tuple[str, str]]:
    request, radio, fails = plan.request, plan.radio, plan.prediction
    yield "image", f"{request.image_octets:,} octets for {count(request.devices, 'device')}"
    coded = "repeats" if plan.nb_frag == 1 else f"coded ({plan.redundancy:.1%})"
    yield (
        "block",
        f"{count(plan.nb_frag, 'fragment')} of {radio.frag_size} octets, {plan.padding} octets "
        f"padding, and {plan.parity} {coded}, matrix {request.variant.value}",
    )
    yield "losses", str(request.losses)
    yield "one device", f"does not complete in the first pass: {fails}"
    if request.devices > 1:
        yield (
            "the fleet",
            f"completes in the first pass with probability "
            f"{fails.all_complete(request.devices):.4f}, "
            f"at least {fails.all_complete_at_least(request.devices):.4f}",
        )
    yield "repair", f"{plan.repair_rounds:.2g} rounds to expect"
    where = "no default channel" if radio.dl_freq_hz is None else f"{radio.dl_freq_hz / 1e6:g} MHz"
    if radio.dl_freq_hz == 0:
        where = "hopping"
    duty = "no duty cycle" if radio.duty_cycle == 1 else f"duty cycle {float(radio.duty_cycle):.3g}"
    yield (
        "air",
        f"{radio.region.name} DR{radio.rate.dr}, {where}, {duty}; "
        f"{count(plan.frames, 'frame')} of {radio.frame_us / 1e3:.1f} ms, one every "
        f"{radio.spacing_us / 1e6:g} s: {duration(plan.airtime_seconds)} on air per gateway",
    )
    yield (
        "time",
        f"set-up {duration(plan.setup_seconds)} ({plan.retry.attempts} attempts), announcing "
        f"{duration(plan.lead_seconds)}, to the end {duration(plan.duration_seconds)}",
    )
