"""What all subcommands share: exit statuses, errors, and parsers that complain in one sentence."""

from __future__ import annotations

import argparse
import enum
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias

from ..region import region_names
from .strayed import without_keys

__all__ = [
    "EXIT_STATUS",
    "InputError",
    "Parser",
    "Status",
    "Subparsers",
    "UsageError",
    "add_json",
    "add_region",
    "subcommand",
]


class Status(enum.IntEnum):
    """What a process ends with."""

    GOOD = 0
    """Done, and the answer is good."""
    NO = 1
    """Done, and the answer is no: a device incomplete, octets unreadable, keys that differ."""
    BAD_INPUT = 2
    """Nothing done: wrong usage, an unreadable file, bad hex, a key of the wrong length."""
    INTERRUPTED = 130
    """Ctrl-C."""
    BROKEN_PIPE = 141
    """Whoever read our output stopped; the status a shell gives such a process."""


EXIT_STATUS: Final = """\
exit status:
  0    done, and the answer is good
  1    done, and the answer is no: a device incomplete, octets that do not
       parse, keys that differ, a check that failed
  2    bad input or usage; one sentence on stderr says which
  130  interrupted with Ctrl-C
  141  the reader of the output went away"""


class InputError(Exception):
    """Input that cannot be worked with, in one sentence that holds no key."""


class UsageError(InputError):
    """Arguments that make no sense.

    Attributes:
        prog: The command they were given to.
    """

    def __init__(self, prog: str, reason: str) -> None:
        super().__init__(reason)
        self.prog = prog


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps line breaks, and has room for the longest command, whose indent argparse forgets."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError, takes no abbreviations and keeps line breaks in its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what ArgumentParser takes."""
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", _Formatter)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing usage and leaving.

        Raises:
            UsageError: Always; what may be a key that strayed is not repeated.
        """
        raise UsageError(self.prog, without_keys(message))


Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"
"""What ``add_subparsers`` returns; argparse has no public name for it."""


def subcommand(
    subparsers: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str,
    example: str,
    exit_status: str = EXIT_STATUS,
) -> Parser:
    """Declare a subcommand; return its parser, for the arguments.

    Args:
        subparsers: Where it belongs.
        name: What people type.
        run: Does the work and returns the exit status.
        summary: One line for the list of commands.
        description: A paragraph or more, with line breaks where they shall be.
        example: Lines to type, shown below the options.
        exit_status: What the process ends with, where the usual words do not say enough.
    """
    indented = "\n".join(f"  {line}" for line in example.splitlines())
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"example:\n{indented}\n\n{exit_status}",
    )
    parser.set_defaults(run=run)
    return parser


def add_json(parser: Parser) -> None:
    """Declare --json."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_region(parser: Parser) -> None:
    """Declare --region, which is in the arguments only if it was given."""
    names = region_names()
    parser.add_argument(
        "--region",
        choices=names,
        default=argparse.SUPPRESS,
        metavar="NAME",
        help=f"one of {', '.join(names)} (default EU868)",
    )
