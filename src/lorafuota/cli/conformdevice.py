"""``lorafuota conform device``: a server is played against a device under test."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Final

from ..conformance.catalogues import CATALOGUES
from ..conformance.explain import explain_device
from ..conformance.lines import DEVICE_EVENTS
from ..conformance.own import OwnDevice
from ..conformance.replies import DeviceRules
from ..conformance.run import run_device_checks
from ..conformance.subject import About, DeviceSubject, Reply, SubjectError
from ..conformance.transports.device import LineDevice
from ..conformance.transports.example import build_example
from ..conformance.transports.inprocess import PythonSubject
from ..conformance.transports.process import ProcessChannel
from ..conformance.transports.serial import SerialChannel
from ..session.stacks import DEVICE_PROFILES
from .arguments import InputError, Parser, Subparsers, subcommand
from .conformoctets import add_octets, reader_of
from .conformreport import CONFORM_STATUS, add_report, finish
from .conformselect import add_selection, selected
from .conformsubject import Connect, add_ways, connector, python_object, seconds
from .keyinput import root_key

__all__ = ["add"]

_DEVICE: Final = """\
Play a server against a device under test: each check from a factory reset,
each on its own.  The device is a program that speaks JSON lines on its standard
input and output, or the same lines elsewhere; how to wire one in C with
six functions is in docs/guides/test-your-device.md.

A check that fails shows what had to hold and where that is written, what came
instead, and everything that went over the link, explained."""

_BAUD: Final = 115_200


def add(verbs: Subparsers) -> None:
    """Declare the verb."""
    parser = subcommand(
        verbs,
        "device",
        _run,
        summary="play a server against a device",
        description=_DEVICE,
        example=(
            "lorafuota conform device --own 'documents v2' --severity required\n"
            "lorafuota conform device --tcp localhost:4000 --package ts004 --json\n"
            "lorafuota conform device --real-time --serial /dev/ttyUSB0\n"
            "lorafuota conform device --junit report.xml --exec ./my-device --verbose"
        ),
        exit_status=CONFORM_STATUS,
    )
    add_selection(parser)
    parser.add_argument(
        "--profile",
        choices=DEVICE_PROFILES,
        metavar="STACK",
        help="a stack the device is built with: what it is known to do is expected. One of "
        + ", ".join(DEVICE_PROFILES),
    )
    parser.add_argument(
        "--root-key-file",
        metavar="FILE",
        help="GenAppKey=HEX or AppKey=HEX, for a device that has a key of its own; - is stdin",
    )
    add_report(parser)
    add_octets(parser)
    _add_where(parser)


def _add_where(parser: Parser) -> None:
    """Declare where it is, and how time passes there."""
    where = add_ways(parser, "DeviceSubject")
    where.add_argument(
        "--serial",
        metavar="PORT",
        help="a board on a serial port (needs the extra: lorafuota[serial])",
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
    parser.add_argument("--baud", type=int, metavar="N", help=f"of --serial (default {_BAUD})")
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="wait by the clock; a device that says it has a clock of its own is always waited for",
    )
    parser.add_argument(
        "--max-wait",
        type=seconds,
        default=600.0,
        metavar="S",
        help="skip a check that takes longer in real time (default 600)",
    )


def _run(args: argparse.Namespace) -> int:
    checks = selected(CATALOGUES["device"], args)
    key = None if args.root_key_file is None else root_key(args.root_key_file)
    try:
        with _open(args) as subject:
            clock = subject.clock if isinstance(subject, LineDevice) else None
            results = run_device_checks(
                checks,
                subject,
                profile=args.profile,
                root_key=key,
                clock=None if clock is None else clock.now,
                max_wait=args.max_wait,
            )
            return finish(
                args,
                role="device",
                subject=subject.about.name,
                checks=checks,
                results=results,
                describe=explain_device(subject.about, read=reader_of(args)),
            )
    except SubjectError as error:
        raise InputError(str(error)) from error


@contextlib.contextmanager
def _open(args: argparse.Namespace) -> Iterator[DeviceSubject]:
    """Open the device under test, and end it."""
    if args.real_time and (args.own or args.python is not None):
        raise InputError("--real-time is for a device that speaks lines: it has no meaning here")
    if args.baud is not None and args.serial is None:
        raise InputError("--baud is for a board on a serial port: it takes --serial")
    if args.own:
        yield OwnDevice(args.own)
        return
    if args.python is not None:
        yield PythonSubject(
            python_object(args),
            about=About,
            reply=Reply,
            events=DEVICE_EVENTS,
            rules=DeviceRules(),
        )
        return
    with contextlib.ExitStack() as stack:
        connect = _connector(args, stack)
        device = LineDevice(connect, real_time=args.real_time, seconds=args.timeout)
        stack.callback(device.close)
        yield device


def _connector(args: argparse.Namespace, stack: contextlib.ExitStack) -> Connect:
    if args.example:
        argv = [str(stack.enter_context(build_example()))]
        return lambda: ProcessChannel(argv)
    if args.serial == "":
        raise InputError("--serial takes the name of a port, as in /dev/ttyUSB0")
    if args.serial is not None:
        baud = _BAUD if args.baud is None else args.baud
        return lambda: SerialChannel(args.serial, baud=baud)
    return connector(args)
