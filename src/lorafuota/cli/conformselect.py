"""Which checks to play or list: by package, version, id and severity."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from ..catalogue import PACKAGES
from ..conformance.check import Check, Severity
from .arguments import InputError, Parser
from .strayed import repeated

__all__ = ["add_selection", "selected", "selected_by_role"]


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
    return selected_by_role({"": checks}, args)[""]


def selected_by_role(
    catalogues: Mapping[str, Iterable[Check[Any]]], args: argparse.Namespace
) -> dict[str, list[Check[Any]]]:
    """Return the checks of each role that are wanted, without roles that have none.

    Raises:
        InputError: There is no such package, or no check is left.
    """
    names = None if args.package is None else {_package_name(text) for text in args.package}
    wanted = {
        role: [one for one in checks if _wanted(one, names, args)]
        for role, checks in catalogues.items()
    }
    if not any(wanted.values()):
        raise InputError("no check is left by --package, --version, --id and --severity")
    return {role: checks for role, checks in wanted.items() if checks}


def _wanted(check: Check[Any], names: set[str] | None, args: argparse.Namespace) -> bool:
    return (
        (names is None or check.package.name in names)
        and (args.version is None or check.package.version == args.version)
        and (args.id is None or any(fnmatch.fnmatchcase(check.id, glob) for glob in args.id))
        and (args.severity is None or check.severity.value in args.severity)
    )


def _package_name(text: str) -> str:
    for one in PACKAGES:
        if text.lower() in (one.name, one.document[:5].lower()):
            return one.name
    names = ", ".join(dict.fromkeys(one.name for one in PACKAGES))
    raise InputError(f"there is no package {repeated(text)}: expected one of {names}")
