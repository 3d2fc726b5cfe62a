"""Where a subject under test is: a program, a port, or an object in this process."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from typing import TypeAlias

from ..conformance.transports.channel import Channel
from ..conformance.transports.inprocess import load
from ..conformance.transports.process import ProcessChannel
from ..conformance.transports.tcp import TcpChannel
from .arguments import InputError, Parser
from .strayed import repeated

__all__ = ["Connect", "Ways", "add_ways", "connector", "python_object", "seconds"]

Connect: TypeAlias = Callable[[], Channel]
"""Opens a channel."""

Ways: TypeAlias = "argparse._MutuallyExclusiveGroup"
"""The options of which one has to be given; argparse has no public name for it."""


def add_ways(parser: Parser, protocol: str) -> Ways:
    """Declare the ways there are to every subject; return the group, for those of one role.

    Args:
        parser: Of the verb.
        protocol: What a Python object has to be.
    """
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--exec",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="a program and all of its arguments; the last option",
    )
    where.add_argument("--tcp", metavar="HOST:PORT", help="whoever listens there")
    where.add_argument(
        "--python", metavar="MODULE:NAME", help=f"a {protocol}, or what makes one when called"
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=10.0,
        metavar="S",
        help="what the subject may take over one request (default 10)",
    )
    return where


def connector(args: argparse.Namespace) -> Connect:
    """Return what opens a channel to a program or a port.

    Raises:
        InputError: The option makes no sense.
    """
    if args.exec == []:
        raise InputError("--exec takes a program and its arguments")
    if args.tcp is not None:
        host, port = _host_and_port(args.tcp)
        return lambda: TcpChannel(host, port)
    _warn_of_ours(args)
    return lambda: ProcessChannel(args.exec)


def _warn_of_ours(args: argparse.Namespace) -> None:
    """Say on standard error which of our own options stand behind --exec: it takes them all."""
    names = [word.partition("=")[0] for word in args.exec[1:] if word.startswith("--")]
    known = vars(args).keys() - {"command", "verb", "run"}
    ours = dict.fromkeys(one for one in names if one[2:].replace("-", "_") in known)
    if ours:
        what = (
            f"{', '.join(ours)} behind --exec {'goes' if len(ours) == 1 else 'go'} to the program"
        )
        print(f"lorafuota conform: {what}; what is for conform stands before", file=sys.stderr)


def python_object(args: argparse.Namespace) -> object:
    """Return the object of --python, looked for in the present directory as well.

    Raises:
        SubjectError: There is none.
    """
    sys.path.insert(0, os.getcwd())
    return load(args.python)


def seconds(text: str) -> float:
    """Read a number of seconds.

    Raises:
        ArgumentTypeError: It is none, or not above 0.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError("expected a number of seconds above 0")
    return number


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise InputError(f"--tcp takes HOST:PORT, as in localhost:4000: {repeated(text)}")
    return host.strip("[]"), int(port)
