"""Text of a subject as it may be shown: no control character of it reaches a terminal."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""Return text on one line, with escapes for whatever cannot be printed.

    >>> print(printable("mine\x1b[2J\n"))
    mine\x1b[2J\n
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
