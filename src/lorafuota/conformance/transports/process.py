"""A program under test: lines on its standard input and output; its standard error is kept."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import IO, Final, final

from ..subject import SubjectError
from .channel import LineBuffer

__all__ = ["ProcessChannel"]

_KEPT: Final = 4096
"""Octets of standard error that are kept, the last ones."""
_GRACE_SECONDS: Final = 1.0
"""What a program gets to end by itself when its input ends."""


@final
class ProcessChannel:
    """One run of a program."""

    def __init__(self, argv: Sequence[str]) -> None:
        """Start it.

        Raises:
            SubjectError: It cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the kit, which then ends the program
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise SubjectError(f"{argv[0]!r} cannot be started: {reason or error}") from error
        self._closed = False
        self._buffer = LineBuffer()
        self._chunks: queue.Queue[bytes] = queue.Queue(maxsize=64)
        self._complaints = bytearray()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._threads = [
            threading.Thread(target=self._read_output, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_errors, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def send(self, line: str) -> None:
        """Write one line to its input."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(line.encode("ascii") + b"\n")
        except (OSError, ValueError):
            fate = self._fate("does not read its input any more")
            raise SubjectError(f"the program {fate}") from None

    def receive(self, seconds: float) -> bytes | None:
        """Return the next line of its output."""
        end = time.monotonic() + seconds
        while (line := self._buffer.pop()) is None:
            try:
                chunk = self._chunks.get(timeout=max(end - time.monotonic(), 0.0))
            except queue.Empty:
                return None
            if not chunk:
                self._chunks.put(chunk)  # for whoever asks again
                raise SubjectError(f"the program {self._fate('closed its output')}")
            self._buffer.feed(chunk)
        return line

    def unfinished(self) -> bytes:
        """Return what arrived behind the last line."""
        return self._buffer.unfinished

    def last_words(self) -> str:
        """Return the end of its standard error."""
        self._threads[1].join(_GRACE_SECONDS)
        return bytes(self._complaints[-_KEPT:]).decode("utf-8", "replace").strip()

    def close(self) -> None:
        """End its input, and then, if it does not end by itself, the program and its children."""
        if self._closed:
            return
        self._closed = True
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
        for thread in self._threads:
            thread.join(_GRACE_SECONDS)
        if not any(thread.is_alive() for thread in self._threads):
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None
                stream.close()

    def _kill(self) -> None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()

    def _fate(self, alive: str) -> str:
        """Say how it ended, or what it did if it is still there."""
        try:
            status = self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return alive
        return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"

    def _read_output(self, stream: IO[bytes]) -> None:
        chunk = b"-"
        while chunk:
            chunk = _read(stream)
            while not self._closed:
                with contextlib.suppress(queue.Full):
                    self._chunks.put(chunk, timeout=0.1)
                    break

    def _read_errors(self, stream: IO[bytes]) -> None:
        while chunk := _read(stream):
            self._complaints += chunk
            del self._complaints[:-_KEPT]


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(1 << 16) or b""
    except (OSError, ValueError):
        return b""
