"""A board on a serial line, with pyserial (``pip install 'lorafuota[serial]'``)."""

from __future__ import annotations

import importlib
import time
from typing import Any, Final, final

from ...errors import StateError
from ..subject import SubjectError
from .channel import LineBuffer

__all__ = ["SerialChannel"]

_WRITE_SECONDS: Final = 10.0


@final
class SerialChannel:
    """One serial port, open."""

    def __init__(self, port: str, *, baud: int = 115_200) -> None:
        """Open it.

        Args:
            port: ``/dev/ttyUSB0``, ``COM3``, or a URL of pyserial.
            baud: Bits in a second.

        Raises:
            StateError: pyserial is not installed.
            SubjectError: The port cannot be opened.
        """
        try:
            library: Any = importlib.import_module("serial")
        except ImportError as error:
            reason = "pyserial is not installed: pip install 'lorafuota[serial]'"
            raise StateError("SerialChannel", reason) from error
        try:
            self._port = library.serial_for_url(port, baudrate=baud, write_timeout=_WRITE_SECONDS)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise SubjectError(f"{port} cannot be opened: {_reason(error)}") from error
        self._buffer = LineBuffer()

    def send(self, line: str) -> None:
        """Write one line."""
        try:
            self._port.write(line.encode("ascii") + b"\n")
        except OSError as error:
            raise SubjectError(f"the serial line is lost: {error}") from error

    def receive(self, seconds: float) -> bytes | None:
        """Return the next line."""
        end = time.monotonic() + seconds
        while (line := self._buffer.pop()) is None:
            left = end - time.monotonic()
            if left <= 0:
                return None
            try:
                self._port.timeout = left
                octets = self._port.read(1)  # waits for one, and takes what is there besides
                octets += self._port.read(self._port.in_waiting)
            except (OSError, TypeError) as error:  # TypeError: closed while reading, on POSIX
                raise SubjectError(f"the serial line is lost: {error}") from error
            self._buffer.feed(octets)
        return line

    def unfinished(self) -> bytes:
        """Return what arrived behind the last line."""
        return self._buffer.unfinished

    def last_words(self) -> str:
        """Return nothing: a board has one line."""
        return ""

    def close(self) -> None:
        """Close the port."""
        self._port.close()


def _reason(error: Exception) -> str:
    """Return why, once: pyserial tells the port and the error of the system twice."""
    cause = error.__context__
    told = cause.strerror if isinstance(cause, OSError) else None
    return told or str(error)
