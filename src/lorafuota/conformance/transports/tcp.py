"""A subject that listens on a TCP port: the same lines through a socket."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Final, final

from ..subject import SubjectError
from .channel import LineBuffer

__all__ = ["TcpChannel"]

_CONNECT_SECONDS: Final = 10.0


@final
class TcpChannel:
    """One connection."""

    def __init__(self, host: str, port: int, *, seconds: float = _CONNECT_SECONDS) -> None:
        """Connect.

        Args:
            host: Name or address.
            port: TCP port.
            seconds: How long that may take.

        Raises:
            SubjectError: Nobody listens there.
        """
        try:
            self._socket = socket.create_connection((host, port), timeout=seconds)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SubjectError(f"{host}:{port} cannot be reached: {reason}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = LineBuffer()

    def send(self, line: str) -> None:
        """Send one line."""
        try:
            self._socket.settimeout(_CONNECT_SECONDS)
            self._socket.sendall(line.encode("ascii") + b"\n")
        except OSError as error:
            raise SubjectError(f"the connection is lost: {error.strerror or error}") from error

    def receive(self, seconds: float) -> bytes | None:
        """Return the next line."""
        end = time.monotonic() + seconds
        while (line := self._buffer.pop()) is None:
            left = end - time.monotonic()
            if left <= 0:
                return None
            try:
                self._socket.settimeout(left)
                octets = self._socket.recv(1 << 16)
            except TimeoutError:
                return None
            except OSError as error:
                raise SubjectError(f"the connection is lost: {error.strerror or error}") from error
            if not octets:
                raise SubjectError("the subject closed the connection")
            self._buffer.feed(octets)
        return line

    def unfinished(self) -> bytes:
        """Return what arrived behind the last line."""
        return self._buffer.unfinished

    def last_words(self) -> str:
        """Return nothing: there is no second way out."""
        return ""

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._socket.close()
