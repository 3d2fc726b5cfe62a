"""What every transport is: a way for lines, there and back, and the splitter they share."""

from __future__ import annotations

from typing import Protocol

from ..lines import MAX_LINE
from ..subject import SubjectError

__all__ = ["Channel", "LineBuffer"]


class Channel(Protocol):
    """Lines to and from one subject."""

    def send(self, line: str) -> None:
        """Send one line.

        Raises:
            SubjectError: The way is closed.
        """

    def receive(self, seconds: float) -> bytes | None:
        """Return the next line without its end; None if none is there within *seconds*.

        Raises:
            SubjectError: The way is closed, or the line is too long.
        """

    def unfinished(self) -> bytes:
        """Return what arrived behind the last line, whose end is missing."""

    def last_words(self) -> str:
        """Return what the subject said beside its lines; called once the way is closed."""

    def close(self) -> None:
        """End the subject, or the way to it.  Harmless when repeated."""


class LineBuffer:
    """Splits what arrives into lines, none of them longer than the protocol allows."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._seen = 0

    def feed(self, octets: bytes) -> None:
        """Take what arrived."""
        self._octets += octets

    @property
    def unfinished(self) -> bytes:
        """What arrived behind the last line that is complete."""
        return bytes(self._octets[self._octets.rfind(b"\n") + 1 :])

    def pop(self) -> bytes | None:
        """Return the next line without its end, or None while it is not complete.

        Raises:
            SubjectError: It is too long.
        """
        end = self._octets.find(b"\n", self._seen)
        if end < 0:
            self._seen = len(self._octets)
        if end > MAX_LINE or (end < 0 and self._seen > MAX_LINE):
            raise SubjectError(f"the subject sends a line of more than {MAX_LINE} octets")
        if end < 0:
            return None
        line = bytes(self._octets[:end]).removesuffix(b"\r")
        del self._octets[: end + 1]
        self._seen = 0
        return line
