"""Numbers in sentences."""

from __future__ import annotations

__all__ = ["count", "times"]


def count(number: int, noun: str) -> str:
    """Return ``1 frame`` or ``3,000 frames``.

    Args:
        number: How many.
        noun: Of what, in the singular; it takes a plain s.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def times(number: int) -> str:
    """Return ``once`` or ``3 times``."""
    return "once" if number == 1 else f"{number} times"
