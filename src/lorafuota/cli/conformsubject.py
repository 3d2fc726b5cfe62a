"""Where the device under test is: a program, a port, an object, our own, or the example in C."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator

from ..conformance.own import OwnDevice
from ..conformance.subject import DeviceSubject
from ..conformance.transports.channel import Channel
from ..conformance.transports.device import LineDevice
from ..conformance.transports.example import build_example
from ..conformance.transports.inprocess import PythonDevice, load
from ..conformance.transports.process import ProcessChannel
from ..conformance.transports.serial import SerialChannel
from ..conformance.transports.tcp import TcpChannel
from ..session.stacks import DEVICE_PROFILES
from .arguments import InputError, Parser

__all__ = ["add_subject", "open_device", "seconds"]


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


def add_subject(parser: Parser) -> None:
    """Declare where it is, and how time passes there."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--exec",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="a program and all of its arguments; the last option",
    )
    where.add_argument("--tcp", metavar="HOST:PORT", help="a device that listens there")
    where.add_argument(
        "--serial",
        metavar="PORT",
        help="a board on a serial port (needs the extra: lorafuota[serial])",
    )
    where.add_argument(
        "--python", metavar="MODULE:NAME", help="a DeviceSubject, or what makes one when called"
    )
    where.add_argument(
        "--own",
        choices=DEVICE_PROFILES,
        metavar="PROFILE",
        help="our own device, as the documents or a stack in the field have it",
    )
    where.add_argument(
        "--example",
        action="store_true",
        help="the example in C that comes with lorafuota, built with the compiler found",
    )
    parser.add_argument(
        "--baud", type=int, default=115_200, metavar="N", help="of --serial (default 115200)"
    )
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="wait by the clock; a device that says it has a clock of its own is always waited for",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=10.0,
        metavar="S",
        help="what the device may take over one request (default 10)",
    )


@contextlib.contextmanager
def open_device(args: argparse.Namespace) -> Iterator[DeviceSubject]:
    """Open the device under test, and end it.

    Raises:
        InputError: An option makes no sense.
        SubjectError: It cannot be reached, or is no device.
    """
    if args.real_time and (args.own or args.python):
        raise InputError("--real-time is for a device that speaks lines: it has no meaning here")
    if args.own:
        yield OwnDevice(args.own)
        return
    if args.python:
        sys.path.insert(0, os.getcwd())
        yield PythonDevice(load(args.python))
        return
    with contextlib.ExitStack() as stack:
        connect = _connect(args, stack)
        device = LineDevice(connect, real_time=args.real_time, seconds=args.timeout)
        stack.callback(device.close)
        yield device


def _connect(args: argparse.Namespace, stack: contextlib.ExitStack) -> Callable[[], Channel]:
    if args.example:
        argv = [str(stack.enter_context(build_example()))]
        return lambda: ProcessChannel(argv)
    if args.exec is not None:
        if not args.exec:
            raise InputError("--exec takes a program and its arguments")
        return lambda: ProcessChannel(args.exec)
    if args.tcp:
        host, port = _host_and_port(args.tcp)
        return lambda: TcpChannel(host, port)
    return lambda: SerialChannel(args.serial, baud=args.baud)


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise InputError(f"--tcp takes HOST:PORT, as in localhost:4000: {text!r}")
    return host.strip("[]"), int(port)
