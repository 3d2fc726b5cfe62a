"""The options that describe a simulated fleet, and the firmware file it gets."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any, Final

from ..campaign.config import WindowClass
from ..simulate import Scenario
from ..simulate.kinds import kind_names
from ..types import LorawanVersion
from .arguments import InputError, Parser, add_region

__all__ = ["add_scenario", "given", "read_image", "scenario_of"]

_TOO_LARGE: Final = 5_000_000
"""Octets no block can hold; such a file is not even read."""

_VERSIONS: Final = {"1": 1, "2": 2, "mixed": None}
_LORAWAN: Final = {one.value: one for one in LorawanVersion} | {"mixed": None}

_STATUS: Final = {"multicast": True, "unicast": False}

_NUMBERS: Final = (
    # option, field, type, metavar, help
    ("--devices", "devices", int, "N", "how many (default 1)"),
    ("--loss", "loss", float, "P", "share of downlinks each device loses, 0 to 1 (default 0.1)"),
    ("--uplink-loss", "uplink_loss", float, "P", "share of uplinks lost (default 0)"),
    ("--repeat", "repeat", float, "P", "share of messages that arrive twice (default 0)"),
    ("--delay", "delay_seconds", float, "S", "unicast takes up to S seconds (default 0)"),
    (
        "--redundancy",
        "redundancy",
        float,
        "R",
        "coded fragments of the first pass, as a share of the plain ones (default: enough for "
        "the loss)",
    ),
    ("--rounds", "rounds", int, "N", "repair rounds at most; 0: none, open loop (default 8)"),
    (
        "--frag-size",
        "frag_size",
        int,
        "S",
        "octets in a fragment (default: as many as the data rate carries)",
    ),
    ("--dr", "dr", int, "DR", "data rate of the windows (default 5 or the fastest)"),
    (
        "--duty-cycle",
        "duty_cycle",
        float,
        "D",
        "share of time the gateway may send (default: the region's limit)",
    ),
    (
        "--ack-delay",
        "block_ack_delay",
        int,
        "N",
        "answers are spread over 2**(N + 4) seconds (default: as the fleet needs)",
    ),
    (
        "--answers-per-second",
        "answers_per_second",
        float,
        "A",
        "answers of a group that gateways can take (default 2)",
    ),
    (
        "--frame-lead",
        "frame_lead_seconds",
        float,
        "S",
        "frames are handed out S seconds before their time (default 0, class B 5)",
    ),
    ("--periodicity", "periodicity", int, "P", "class B: 2**(7 - P) slots in 128 s (default 2)"),
    ("--unicast", "unicast", float, "SHARE", "devices served by unicast only (default 0)"),
    (
        "--uplink-every",
        "uplink_seconds",
        float,
        "S",
        "class A: unicast waits for an uplink, sent every S seconds (default: it does not)",
    ),
    ("--clock-error", "clock_error", float, "S", "clocks start up to S seconds wrong (default 0)"),
    ("--late", "late", float, "SHARE", "devices that join during the first pass (default 0)"),
    ("--vanish", "vanish", float, "SHARE", "devices that fall silent for good (default 0)"),
    ("--reboot", "reboot", float, "SHARE", "devices that reboot once (default 0)"),
    ("--seed", "seed", int, "N", "chooses keys, losses and times (default 0)"),
)


def add_scenario(parser: Parser) -> None:
    """Declare the options; those not given do not show up in the result."""
    for option, dest, kind, metavar, text in _NUMBERS:
        parser.add_argument(
            option, dest=dest, type=kind, metavar=metavar, help=text, default=argparse.SUPPRESS
        )
    parser.add_argument(
        "--version",
        choices=_VERSIONS,
        default=argparse.SUPPRESS,
        help="version of TS004 and TS005 the devices speak (default 2)",
    )
    parser.add_argument(
        "--profile",
        action="append",
        dest="profiles",
        type=_share,
        metavar="NAME[=SHARE]",
        default=argparse.SUPPRESS,
        help=f"have devices behave like a known stack; repeatable: {', '.join(kind_names())}",
    )
    parser.add_argument(
        "--lorawan",
        choices=_LORAWAN,
        default=argparse.SUPPRESS,
        help="link layer of the devices (default 1.0.x)",
    )
    add_region(parser)
    parser.add_argument(
        "--class",
        dest="window_class",
        choices=[one.value for one in WindowClass],
        default=argparse.SUPPRESS,
        help="how devices listen in the windows (default C)",
    )
    parser.add_argument(
        "--status",
        dest="status_by_multicast",
        choices=_STATUS,
        default=argparse.SUPPRESS,
        help="ask a group what it misses by one frame, or each device (default multicast)",
    )
    parser.add_argument(
        "--confirm",
        dest="firmware_version",
        type=_version,
        metavar="VERSION",
        default=argparse.SUPPRESS,
        help="the image is this version: have it installed, and confirm it (TS006)",
    )
    parser.add_argument(
        "--shared-radio",
        action="store_true",
        default=argparse.SUPPRESS,
        help="decrypt each frame once and not on every device: much faster for large fleets",
    )


def given(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a scenario that options were given for."""
    names = [row[1] for row in _NUMBERS]
    names += ["version", "profiles", "lorawan", "region", "window_class", "firmware_version"]
    names.append("status_by_multicast")
    return {name: getattr(args, name) for name in (*names, "shared_radio") if name in args}


def scenario_of(args: argparse.Namespace, image: bytes) -> Scenario:
    """Return what the options describe.

    Raises:
        FieldError: A number is out of range.
        InputError: Options contradict each other.
    """
    fields = given(args)
    if "profiles" in fields:
        if "version" in fields:
            raise InputError("--profile says which version a device speaks: leave --version out")
        fields["profiles"] = dict(fields["profiles"])
    if "version" in fields:
        fields["version"] = _VERSIONS[fields["version"]]
    if "lorawan" in fields:
        fields["lorawan"] = _LORAWAN[fields["lorawan"]]
    if "status_by_multicast" in fields:
        fields["status_by_multicast"] = _STATUS[fields["status_by_multicast"]]
    if "window_class" in fields:
        fields["window_class"] = WindowClass(fields["window_class"])
    return Scenario(image=image, **fields)


def read_image(path: pathlib.Path) -> bytes:
    """Read a firmware file.

    Raises:
        InputError: It is empty, larger than any block, or its name cannot be one.
        OSError: It cannot be read.
    """
    try:
        size = path.stat().st_size
    except ValueError:  # a NUL in it, say
        raise InputError(f"{str(path)!r} cannot be the name of a file") from None
    if size > _TOO_LARGE:
        raise InputError(f"{path} has {size} octets; no block holds more than 4177665")
    image = path.read_bytes()
    if not image:
        raise InputError(f"{path} is empty")
    return image


def _share(text: str) -> tuple[str, float]:
    name, equals, share = text.partition("=")
    try:
        return name, float(share) if equals else 1.0
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME or NAME=SHARE") from None


def _version(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 < number <= 0xFFFFFFFF:
        raise argparse.ArgumentTypeError(f"{text!r} is not in 1..0xFFFFFFFF")
    return number
