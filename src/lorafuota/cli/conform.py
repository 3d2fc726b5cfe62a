"""``lorafuota conform``: named checks against somebody's device or server."""

from __future__ import annotations

import argparse
import pathlib

from ..conformance.catalogues import CATALOGUES
from ..conformance.report.document import check_document
from ..conformance.transports.example import EXAMPLE
from ..dissect.words import count
from ..wire import JSON
from . import conformdevice, conformserver
from .arguments import InputError, Status, Subparsers, add_json, subcommand
from .conformreport import CONFORM_STATUS
from .conformselect import add_selection, selected_by_role
from .output import table, write_json

__all__ = ["add"]


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
        exit_status=CONFORM_STATUS,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    conformdevice.add(verbs)
    conformserver.add(verbs)
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
        example="lorafuota conform list --role server --package ts005 --severity quirk",
    )
    listing.add_argument("--role", choices=list(CATALOGUES), help="checks against this one only")
    add_selection(listing)
    add_json(listing)


# --- What there is --------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    catalogues = CATALOGUES if args.role is None else {args.role: CATALOGUES[args.role]}
    roles = selected_by_role(catalogues, args)
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
        print(f"{count(len(rows), 'check')} against a {role}")
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
