"""Where every command starts, and where everything that goes wrong becomes one sentence."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from ..errors import FieldError, FuotaError
from ..version import VERSION
from .arguments import EXIT_STATUS, InputError, Parser, Status, UsageError
from .strayed import refusal

__all__ = ["main"]

COMMANDS: Final = (
    "plan",
    "simulate",
    "campaign",
    "image",
    "delta",
    "dissect",
    "doctor",
    "conform",
    "wireshark",
    "keys",
    "info",
)
"""Every command, in the order of the help; each is the module of its name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; nothing raised on purpose comes through.

    Args:
        argv: The arguments after the program's name; those of the process if not given.
    """
    name = "lorafuota"
    try:
        args = _parse(argv)
        status = Status.GOOD
        if args is not None:
            name = f"lorafuota {args.command}"
            status = args.run(args)
        if sys.stdout is not None:
            sys.stdout.flush()  # here and not at exit, so that a full disk is noticed
    except UsageError as error:
        return _complain(error.prog, f"{error} (see {error.prog} --help)")
    except FieldError as error:
        return _complain(name, refusal(error))
    except (InputError, FuotaError) as error:
        return _complain(name, str(error))
    except BrokenPipeError:
        _discard_output()
        return int(Status.BROKEN_PIPE)
    except OSError as error:
        _flush_or_discard()
        where = f"{error.filename}: " if error.filename is not None else ""
        return _complain(name, f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        _complain(name, "interrupted")
        return int(Status.INTERRUPTED)
    return int(status)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace | None:
    """Return the arguments, or None when there was only --help or --version to print."""
    words = sys.argv[1:] if argv is None else list(argv)
    parser = _parser(words)
    try:
        args, extra = parser.parse_known_args(words)
    except SystemExit:  # argparse's way to end after --help and --version
        return None
    if extra and hasattr(args, "words") and not any(word.startswith("--") for word in extra):
        args.words += extra  # a list of words may go on behind an option
    elif extra:
        # Only names of options are repeated: the rest may be a key that strayed.
        options = [word.partition("=")[0] for word in extra if word.startswith("--")]
        what = f"unknown option {options[0]}" if options else "more arguments than it takes"
        raise UsageError(f"{parser.prog} {args.command}", what)
    return args


def _parser(argv: Sequence[str]) -> Parser:
    # Not at the top of the file: a wish in LORAFUOTA_KERNELS that cannot be granted fails on
    # import, and is to end in a sentence too.  The first word decides what has to be loaded.
    names = [argv[0]] if argv and argv[0] in COMMANDS else COMMANDS
    try:
        modules = [importlib.import_module(f".{name}", __package__) for name in names]
    except ImportError as error:
        raise InputError(f"a part of lorafuota cannot be loaded: {error}") from error
    parser = Parser(
        prog="lorafuota",
        description="LoRaWAN firmware updates over the air: TS003, TS004, TS005, TS006, TS007.",
        epilog=f"example:\n  lorafuota dissect fragmentation/1 uplink 02c0\n\n{EXIT_STATUS}",
    )
    parser.add_argument("--version", action="version", version=f"lorafuota {VERSION}")
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, title="commands"
    )
    for module in modules:
        module.add(subparsers)
    return parser


def _complain(name: str, sentence: str) -> int:
    """Print one line to stderr, whatever is in it, and return the status for bad input."""
    line = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in sentence)
    if len(line) > 400:
        line = f"{line[:400]}..."
    print(f"{name}: {line}", file=sys.stderr)
    return int(Status.BAD_INPUT)


def _flush_or_discard() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _discard_output()


def _discard_output() -> None:
    """Let what is still buffered go nowhere, or the interpreter fails once more when it ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (AttributeError, OSError, ValueError):  # no stdout, or one without a descriptor
        pass
