"""A progress bar on the terminal, and nothing anywhere else.

    with progress("fragments", total) as bar:
        for ... in ...:
            bar.advance()

It goes to stderr, so that it never mixes with results, and wipes itself out at the end.  This is
the one place that asks what time it is: no module below the command line does.
"""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Final, Self, TextIO

from .output import is_terminal

__all__ = ["Bar", "progress"]

_INTERVAL: Final = 0.1
"""Seconds between two drawings; the eye needs no more, a slow terminal no less."""


def progress(label: str, total: int, *, quiet: bool = False, stream: TextIO | None = None) -> Bar:
    """Return a bar to be used in a ``with`` statement.

    Args:
        label: What is counted.
        total: How much there is to do.
        quiet: Show nothing, for instance because of ``--json``.
        stream: Where to draw, stderr if not given; unless it is a terminal nothing is drawn.
    """
    stream = sys.stderr if stream is None else stream
    return Bar(label, total, None if quiet or not is_terminal(stream) else stream)


class Bar:
    """Percent, rate and time left.  Made by :func:`progress`."""

    __slots__ = ("_drawn", "_label", "_next", "_started", "_stream", "_total", "done")

    def __init__(self, label: str, total: int, stream: TextIO | None) -> None:
        """Draw on *stream*, or count in silence when it is None."""
        self.done = 0
        self._label, self._total, self._stream = label, total, stream
        self._drawn = 0
        self._started = self._next = 0.0

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._draw(self._started)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write("")

    def advance(self, n: int = 1) -> None:
        """Count *n* more as done."""
        self.done += n
        if self._stream is not None:
            now = time.monotonic()
            if now >= self._next:
                self._draw(now)

    def _draw(self, now: float) -> None:
        if self._stream is None:
            return
        self._next = now + _INTERVAL
        # The last column stays free: many terminals wrap as soon as it is written.
        self._write(self._line(now - self._started, _columns(self._stream) - 1))

    def _line(self, elapsed: float, width: int) -> str:
        share = min(self.done / self._total, 1.0) if self._total > 0 else 1.0
        rate = self.done / elapsed if elapsed > 0 else 0.0
        left = _clock((self._total - self.done) / rate) if rate and share < 1 else "--:--"
        head = f"{self._label} {share:4.0%} "
        tail = f" {_rate(rate)}/s  ETA {left}"
        room = width - len(head) - len(tail) - 2
        middle = f"[{'#' * round(room * share):<{room}}]" if room >= 5 else ""
        return f"{head}{middle}{tail}"[: max(width, 0)]

    def _write(self, line: str) -> None:
        """Replace what is drawn; a terminal that went away ends the drawing, not the work."""
        if self._stream is None or not (line or self._drawn):
            return
        wipe = " " * (self._drawn - len(line))
        try:
            self._stream.write(f"\r{line}{wipe}" + ("\r" if not line else ""))
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None
        self._drawn = len(line)


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _rate(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
