"""What subcommands print: aligned tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from .._columns import columns
from ..wire import JSON

__all__ = ["bad", "good", "is_terminal", "strong", "table", "write_json"]

_RESET: Final = "\x1b[0m"


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether *stream* is a terminal that understands control characters."""
    if stream is None or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def strong(text: str) -> str:
    """Return *text* in bold, on a terminal."""
    return _painted(text, "\x1b[1m")


def good(text: str) -> str:
    """Return *text* in green, on a terminal."""
    return _painted(text, "\x1b[32m")


def bad(text: str) -> str:
    """Return *text* in red, on a terminal."""
    return _painted(text, "\x1b[31m")


def _painted(text: str, code: str) -> str:
    # https://no-color.org: present and not empty, whatever its value.
    if os.environ.get("NO_COLOR") or not is_terminal(sys.stdout):
        return text
    return f"{code}{text}{_RESET}"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    indent: int = 0,
) -> str:
    """Return *rows* in aligned columns under their *head*.

    Args:
        head: Titles of the columns.
        rows: Cells; a cell may have several lines.
        right: Columns of numbers, which are aligned at their end.
        indent: Spaces before each line.
    """
    lines = columns(head, rows, right=right, indent=indent)
    lines[0] = strong(lines[0])
    return "\n".join(lines)


def write_json(document: Mapping[str, JSON]) -> None:
    """Print one document, keys in the order given, ASCII only."""
    print(json.dumps(document, indent=2))
