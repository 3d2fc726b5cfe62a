"""``--octets`` of ``lorafuota conform``: payloads of a failed check as ``dissect`` lists them."""

from __future__ import annotations

import argparse

from ..catalogue import PackageMap
from ..conformance.explain import Reader, octets_read
from ..dissect.explain import explain
from ..dissect.listing import explanation_text, odd_text
from ..types import Direction
from .arguments import Parser

__all__ = ["add_octets", "octets_listed", "reader_of"]


def add_octets(parser: Parser) -> None:
    """Declare --octets."""
    parser.add_argument(
        "--octets",
        action="store_true",
        help="list what went over the link in a failed check octet by octet, with what is odd",
    )


def reader_of(args: argparse.Namespace) -> Reader:
    """Return what reads the payloads: a line for each command, or a line for each field."""
    return octets_listed if args.octets else octets_read


def octets_listed(
    packages: PackageMap, fport: int, direction: Direction, payload: bytes
) -> tuple[str, ...]:
    """Return the commands of a payload field by field, what cannot be read, and what is odd."""
    one = packages.at(fport)
    if one is None:
        return ()
    read = explain(one, direction, payload, speaks=packages)
    text = "\n".join([*explanation_text(read), *odd_text(read.anomalies)])
    return tuple(line for line in text.splitlines() if line)
