"""``lorafuota delta simulate``: a delta made, sent to a simulated fleet, applied and started."""

from __future__ import annotations

import argparse

from .arguments import Subparsers, add_json, subcommand
from .deltafile import add_pair, make_delta
from .gate import gate_for
from .scenario import add_scenario, scenario_of
from .simulate import deliver

__all__ = ["add_simulate"]


def add_simulate(verbs: Subparsers) -> None:
    """Declare the verb."""
    parser = subcommand(
        verbs,
        "simulate",
        _run,
        summary="make a delta, and have a simulated fleet install it",
        description=(
            "Make the delta from BASE to TARGET, sign it, and deliver it with a whole campaign to\n"
            "simulated devices that run BASE. They check the delta, apply it, check what it\n"
            "gives, reboot, and report the version that runs. Shown are the sizes of delta and\n"
            "image, and what either takes on air. Nothing is written."
        ),
        example="lorafuota delta simulate old.bin new.bin --key maker.pem --devices 20",
    )
    add_pair(parser)
    add_scenario(parser)
    parser.add_argument("--all", action="store_true", help="show every device, not the worst 20")
    add_json(parser)


def _run(args: argparse.Namespace) -> int:
    made = make_delta(args)
    scenario = scenario_of(args, made.block)
    gate = gate_for(made.key, made.image.hardware, None, args.base)
    return deliver(args, scenario, gate, f"delta from {args.base.name} to {args.target.name}")
