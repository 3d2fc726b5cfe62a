"""``lorafuota conform``: named checks against somebody's device or server."""

from __future__ import annotations

import argparse
import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from ..conformance.catalogues import CATALOGUES
from ..conformance.check import Check
from ..conformance.explain import explain_device
from ..conformance.report.document import Report, check_document
from ..conformance.report.junit import junit_xml
from ..conformance.report.text import failure, summary
from ..conformance.run import Outcome, Result, run_device_checks
from ..conformance.subject import SubjectError
from ..conformance.transports.example import EXAMPLE
from ..session.stacks import DEVICE_PROFILES
from ..wire import JSON
from .arguments import InputError, Status, Subparsers, add_json, subcommand
from .conformselect import add_selection, selected
from .conformsubject import add_subject, open_device, seconds
from .keyinput import root_key
from .output import bad, good, table, write_json
from .progress import progress

__all__ = ["add"]

_DEVICE: Final = """\
Play a server against a device under test: each check from a factory reset,
each on its own.  The device is a program that speaks JSON lines on its standard
input and output, or the same lines elsewhere; how to wire one in twenty lines
of C is in docs/guides/test-your-device.md.

A check that fails shows what had to hold and where that is written, what came
instead, and everything that went over the link, explained.

Status 0: every check passed, was skipped, or failed as the profile says.
Status 1: a check failed, or broke the device.
Status 2: wrong usage, or the device cannot be started, or not any more."""


def add(subparsers: Subparsers) -> None:
    """Declare the subcommand and its verbs."""
    parser = subcommand(
        subparsers,
        "conform",
        _list,
        summary="test somebody's device or server against the documents",
        description="Play named checks against a device or a server, or list them.",
        example=(
            "lorafuota conform device --example --junit report.xml\n"
            "lorafuota conform device --id 'ts004-v1/*' --exec ./my-device\n"
            "lorafuota conform list --package ts004"
        ),
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    device = subcommand(
        verbs,
        "device",
        _device,
        summary="play a server against a device",
        description=_DEVICE,
        example=(
            "lorafuota conform device --own 'documents v2' --severity required\n"
            "lorafuota conform device --tcp localhost:4000 --package ts004 --json\n"
            "lorafuota conform device --real-time --serial /dev/ttyUSB0\n"
            "lorafuota conform device --junit report.xml --exec ./my-device --verbose"
        ),
    )
    add_selection(device)
    device.add_argument(
        "--profile",
        choices=DEVICE_PROFILES,
        metavar="STACK",
        help="a stack the device is built with: what it is known to do is expected. One of "
        + ", ".join(DEVICE_PROFILES),
    )
    device.add_argument(
        "--root-key-file",
        metavar="FILE",
        help="GenAppKey=HEX or AppKey=HEX, for a device that has a key of its own; - is stdin",
    )
    device.add_argument(
        "--max-wait",
        type=seconds,
        default=600.0,
        metavar="S",
        help="skip a check that takes longer in real time (default 600)",
    )
    device.add_argument("--junit", type=pathlib.Path, metavar="FILE", help="write JUnit XML there")
    add_json(device)
    add_subject(device)
    example = subcommand(
        verbs,
        "example",
        _example,
        summary="copy the source of the device in C",
        description=(
            "Copy the source of the example in C: device.c, device.h, and lines.c, which wires\n"
            "any device to the kit. No file that is there is written over."
        ),
        example="lorafuota conform example my-device",
    )
    example.add_argument("directory", type=pathlib.Path, metavar="DIRECTORY", help="where to")
    listing = subcommand(
        verbs,
        "list",
        _list,
        summary="list the checks",
        description="List the checks there are: what has to hold, and where that is written.",
        example="lorafuota conform list --package ts005 --severity quirk",
    )
    add_selection(listing)
    add_json(listing)


# --- What there is --------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    roles = {role: selected(checks, args) for role, checks in CATALOGUES.items()}
    if args.json:
        documents: list[JSON] = [
            {"role": role, **check_document(one)}
            for role, checks in roles.items()
            for one in checks
        ]
        write_json({"checks": documents})
        return Status.GOOD
    for at, (role, checks) in enumerate(roles.items()):
        rows = [(one.id, one.severity.value, one.clause, one.title) for one in checks]
        print("\n" * bool(at) + table((role, "severity", "from", "what has to hold"), rows))
        print(f"{len(rows)} check{'' if len(rows) == 1 else 's'} against a {role}")
    return Status.GOOD


def _example(args: argparse.Namespace) -> int:
    args.directory.mkdir(parents=True, exist_ok=True)
    sources = sorted(path for path in EXAMPLE.iterdir() if path.suffix in (".c", ".h"))
    for path in sources:
        if (args.directory / path.name).exists():
            raise InputError(f"{args.directory / path.name} is there already")
    for path in sources:
        (args.directory / path.name).write_bytes(path.read_bytes())
        print(args.directory / path.name)
    return Status.GOOD


# --- A device -------------------------------------------------------------------------------------


def _device(args: argparse.Namespace) -> int:
    checks = selected(CATALOGUES["device"], args)
    key = None if args.root_key_file is None else root_key(args.root_key_file)
    if args.junit is not None:
        with args.junit.open("ab"):  # a place that cannot be written is noticed before the work
            pass
    try:
        with open_device(args) as subject:
            clock = getattr(subject, "clock", None)
            results = run_device_checks(
                checks,
                subject,
                profile=args.profile,
                root_key=key,
                clock=None if clock is None else clock.now,
                max_wait=args.max_wait,
            )
            return _report(
                args,
                Report(
                    role="device",
                    subject=subject.about.name,
                    profile=args.profile,
                    results=_played(results, checks, quiet=args.json),
                    describe=explain_device(subject.about),
                ),
            )
    except SubjectError as error:
        raise InputError(str(error)) from error


def _played(results: Iterator[Result], checks: list[Check[Any]], *, quiet: bool) -> list[Result]:
    played = []
    with progress("checks", len(checks), quiet=quiet) as bar:
        for result in results:
            played.append(result)
            bar.advance()
    return played


def _report(args: argparse.Namespace, report: Report) -> int:
    if args.junit is not None:
        args.junit.write_bytes(junit_xml(report))
    if args.json:
        write_json(report.document())
    else:
        _print(report)
    if report.count(Outcome.NOT_PLAYED):
        return Status.BAD_INPUT
    return Status.GOOD if report.good else Status.NO


def _print(report: Report) -> None:
    for result in report.results:
        if result.outcome in (Outcome.FAILED, Outcome.BROKEN):
            first, *rest = failure(report, result)
            print(bad(first), *rest, "", sep="\n")
    rows: dict[tuple[str, str], Counter[Outcome]] = {}
    for result in report.results:
        key = str(result.check.package), result.check.severity.value
        rows.setdefault(key, Counter())[result.outcome] += 1
    head = ("package", "severity", *(outcome.value for outcome in Outcome))
    cells = [
        (*key, *(str(counts[outcome] or "") for outcome in Outcome))
        for key, counts in sorted(rows.items())
        if set(counts) != {Outcome.SKIPPED}
    ]
    if cells:
        print(table(head, cells, right=range(2, len(head))))
    reasons = Counter(one.reason for one in report.results if one.outcome is Outcome.SKIPPED)
    for reason, count in reasons.most_common():
        print(f"{count} skipped: {reason}")
    line = summary(report)
    print(good(line) if report.good else bad(line))
