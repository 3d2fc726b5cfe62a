"""``lorafuota conform server``: a scripted fleet is played against a server under test."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Final

from ..conformance.catalogues import CATALOGUES
from ..conformance.explainserver import explain_server
from ..conformance.ownserver import OwnServer
from ..conformance.replies import ServerRules
from ..conformance.run import run_server_checks
from ..conformance.serverlines import SERVER_EVENTS, LineServer
from ..conformance.serversubject import ServerAbout, ServerReply, ServerSubject
from ..conformance.subject import SubjectError
from ..conformance.transports.inprocess import PythonSubject
from .arguments import InputError, Subparsers, subcommand
from .conformoctets import add_octets, reader_of
from .conformreport import CONFORM_STATUS, add_report, finish
from .conformselect import add_selection, selected
from .conformsubject import add_ways, connector, python_object

__all__ = ["add"]

_SERVER: Final = """\
Play a fleet of devices, the gateways and the network server against a server
under test: each check is an update of its own, in virtual time.  The server is a
program that speaks JSON lines on its standard input and output, or the same
lines elsewhere; docs/guides/test-your-server.md shows one.

A check that fails shows what had to hold and where that is written, what came
instead, and everything that went over the link, explained."""


def add(verbs: Subparsers) -> None:
    """Declare the verb."""
    parser = subcommand(
        verbs,
        "server",
        _run,
        summary="play a fleet against a server",
        description=_SERVER,
        example=(
            "lorafuota conform server --own --package ts005\n"
            "lorafuota conform server --junit report.xml --exec ./my-server"
        ),
        exit_status=CONFORM_STATUS,
    )
    add_selection(parser)
    add_report(parser)
    add_octets(parser)
    where = add_ways(parser, "ServerSubject")
    where.add_argument("--own", action="store_true", help="our own campaign")
    parser.set_defaults(profile=None)


def _run(args: argparse.Namespace) -> int:
    checks = selected(CATALOGUES["server"], args)
    try:
        with _open(args) as subject:
            return finish(
                args,
                role="server",
                subject=subject.about.name,
                checks=checks,
                results=run_server_checks(checks, subject),
                describe=explain_server(read=reader_of(args)),
            )
    except SubjectError as error:
        raise InputError(str(error)) from error


@contextlib.contextmanager
def _open(args: argparse.Namespace) -> Iterator[ServerSubject]:
    """Open the server under test, and end it."""
    if args.own:
        yield OwnServer()
        return
    if args.python is not None:
        yield PythonSubject(
            python_object(args),
            about=ServerAbout,
            reply=ServerReply,
            events=SERVER_EVENTS,
            rules=ServerRules(),
        )
        return
    with contextlib.closing(LineServer(connector(args), seconds=args.timeout)) as server:
        yield server
