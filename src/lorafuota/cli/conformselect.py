"""Which checks to play or list: by package, version, id and severity."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Iterable
from typing import Any

from ..catalogue import PACKAGES
from ..conformance.check import Check, Severity
from .arguments import InputError, Parser

__all__ = ["add_selection", "selected"]


def add_selection(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--package",
        action="append",
        metavar="NAME",
        help="checks of this package: fragmentation or ts004, and so on; may be repeated",
    )
    parser.add_argument(
        "--version", type=int, metavar="N", help="checks of this PackageVersion, 1 or 2"
    )
    parser.add_argument(
        "--id",
        action="append",
        metavar="GLOB",
        help="checks of this id, with * and ?: 'ts004-v1/*', '*/replay'; may be repeated",
    )
    parser.add_argument(
        "--severity",
        action="append",
        choices=[one.value for one in Severity],
        metavar="LEVEL",
        help="required, recommended or quirk; may be repeated",
    )


def selected(checks: Iterable[Check[Any]], args: argparse.Namespace) -> list[Check[Any]]:
    """Return the checks that are wanted, in their order.

    Raises:
        InputError: There is no such package, or no check is left.
    """
    names = None if args.package is None else {_package_name(text) for text in args.package}
    wanted = [
        one
        for one in checks
        if (names is None or one.package.name in names)
        and (args.version is None or one.package.version == args.version)
        and (args.id is None or any(fnmatch.fnmatchcase(one.id, glob) for glob in args.id))
        and (args.severity is None or one.severity.value in args.severity)
    ]
    if not wanted:
        raise InputError("no check is left by --package, --version, --id and --severity")
    return wanted


def _package_name(text: str) -> str:
    for one in PACKAGES:
        if text.lower() in (one.name, one.document[:5].lower()):
            return one.name
    names = ", ".join(dict.fromkeys(one.name for one in PACKAGES))
    raise InputError(f"there is no package {text!r}: expected one of {names}")
