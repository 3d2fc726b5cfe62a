"""Where a campaign keeps what a crash must not lose: a mapping, changed by atomic commits.

A campaign asks for a commit *before* the sends it justifies.  A store promises that after
:meth:`Store.commit` returns the change survives, and that after a crash in the middle of one either
all of it is there or nothing.  If a commit raises, nothing may be sent.

:class:`FileStore` is a journal: one line of JSON for each commit, numbered and with a checksum,
flushed to the disk before the commit returns.  A crash can only leave a last line without its end,
and such a line was never acknowledged: it is dropped.  Anything else that does not fit, a flipped
bit, a missing line, is :class:`StoreError`, because counters taken from a damaged journal might be
used twice.  When most of the journal is history, it is written anew beside the old one and put in
its place in one step.

What no file can tell is that it is an old copy of itself, put back by somebody: a campaign that
goes on from a backup uses its counters a second time.  Throw the group keys away instead.
"""

from __future__ import annotations

import json
import os
import pathlib
import zlib
from collections.abc import Mapping
from typing import Final, Protocol, final

from ..errors import FuotaError
from ..wire import JSON

__all__ = ["FileStore", "MemoryStore", "Store", "StoreError"]

_FORMAT: Final = "lorafuota campaign 1"
_BINARY: Final = getattr(os, "O_BINARY", 0)
_COMPACT_FROM: Final = 1 << 20
"""Octets below which a journal is never written anew."""


class StoreError(FuotaError):
    """What is stored cannot be trusted, is in use elsewhere, or cannot be written."""


class Store(Protocol):
    """A mapping from short names to JSON values that survives crashes."""

    def load(self) -> dict[str, JSON]:
        """Return everything committed so far.

        Raises:
            StoreError: It cannot be trusted.
        """

    def commit(self, changes: Mapping[str, JSON]) -> None:
        """Make all of *changes* durable, or none; a value of None removes the name.

        Raises:
            StoreError: It could not be made durable; nothing may be sent.
        """


@final
class MemoryStore:
    """A store for simulations and tests.  Crash-safe only as long as the process lives."""

    def __init__(self, content: Mapping[str, JSON] | None = None) -> None:
        """Start from what another store held."""
        self._lines = {name: json.dumps(value) for name, value in (content or {}).items()}
        self.commits = 0

    def load(self) -> dict[str, JSON]:
        """Return a copy of everything."""
        return {name: json.loads(line) for name, line in self._lines.items()}

    def commit(self, changes: Mapping[str, JSON]) -> None:
        """Take the changes."""
        self.commits += 1
        for name, value in changes.items():
            if value is None:
                self._lines.pop(name, None)
            else:
                self._lines[name] = json.dumps(value)


def _line(number: int, changes: Mapping[str, JSON], *, whole: bool = False) -> bytes:
    body = json.dumps([number, changes, whole], separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _read(line: bytes) -> tuple[int, dict[str, JSON], bool] | None:
    """Return number, changes and whether they are everything; None if the line is not intact."""
    head, _, body = line.partition(b" ")
    if len(head) != 8 or b"%08x" % zlib.crc32(body) != head:
        return None
    try:
        number, changes, whole = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return None
    fits = isinstance(number, int) and isinstance(changes, dict) and isinstance(whole, bool)
    return (number, changes, whole) if fits else None


@final
class FileStore:
    """A journal in a file.  One process at a time, as far as the system has locks."""

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = True) -> None:
        """Open the journal, or begin one.

        Args:
            path: The file.
            sync: Wait for the disk at every commit.  Without, a crash of the process loses nothing,
                a crash of the machine may.

        Raises:
            StoreError: The file is not a journal, is damaged, or another process has it open.
            OSError: It cannot be opened.
        """
        self._path = pathlib.Path(path)
        self._sync = sync
        self._content: dict[str, JSON] = {}
        self._number = 0
        self._broken = False
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
        try:
            self._lock(self._fd)
            self._require_same_file()
            self._replay()
        except BaseException:
            self.close()
            raise

    def load(self) -> dict[str, JSON]:
        """Return a copy of everything committed so far."""
        copy: dict[str, JSON] = json.loads(json.dumps(self._content))
        return copy

    def commit(self, changes: Mapping[str, JSON]) -> None:
        """Append one line and wait until it is safe.

        Raises:
            StoreError: The disk refused, or the file was replaced.  The store takes no further
                commits: what the failed one left behind is only known after opening it again.
        """
        if self._broken:
            raise StoreError(f"{self._path}: an earlier commit failed; open the store again")
        line = _line(self._number + 1, changes)
        self._broken = True  # until it is known to have gone well
        try:
            self._require_same_file()
            self._append(line)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror or error}") from error
        self._broken = False
        self._number += 1
        self._apply(changes)
        if self._size > self._compact_above:
            self._compact()

    def close(self) -> None:
        """Close the file; another process may open it."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._broken = -1, True

    def __enter__(self) -> FileStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The journal

    def _append(self, octets: bytes) -> None:
        _write(self._fd, octets)
        if self._sync:
            os.fsync(self._fd)
        self._size += len(octets)

    def _require_same_file(self) -> None:
        """Check that the path still names the open file, which somebody may have replaced.

        Raises:
            StoreError: It does not: what is written here, nobody would find again.
        """
        try:
            same = os.path.samestat(os.fstat(self._fd), os.stat(self._path))
        except FileNotFoundError:
            same = False
        if not same:
            raise StoreError(f"{self._path} was replaced or removed")

    def _apply(self, changes: Mapping[str, JSON]) -> None:
        for name, value in changes.items():
            if value is None:
                self._content.pop(name, None)
            else:
                self._content[name] = value

    def _replay(self) -> None:
        octets = _read_all(self._fd)
        *lines, tail = octets.split(b"\n")
        header = _FORMAT.encode()
        self._size = 0
        self._compact_above = _COMPACT_FROM
        if not lines:
            if not (header + b"\n").startswith(tail):
                raise StoreError(f"{self._path} is not a journal of ours")
            self._truncate(0)
            self._append(header + b"\n")
            self._sync_directory()
            return
        if lines[0] != header:
            raise StoreError(f"{self._path} is not a journal of ours")
        for at, line in enumerate(lines[1:]):
            read = _read(line)
            follows = read is not None and (read[0] == self._number + 1 or (at == 0 and read[2]))
            if read is None or not follows:
                raise StoreError(f"{self._path} is damaged behind commit {self._number}")
            self._number = read[0]
            self._apply(read[1])
        if len(tail) > 1 and _read(tail[:-1]):
            raise StoreError(f"{self._path} is damaged at its end")  # that was a whole line
        self._size = len(octets) - len(tail)
        self._truncate(self._size)  # a line that was never acknowledged
        self._compact_above = max(_COMPACT_FROM, 4 * len(json.dumps(self._content)))

    def _truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)
        os.lseek(self._fd, size, os.SEEK_SET)

    def _compact(self) -> None:
        """Write the journal anew: one line with everything, put in place in one step.

        Until then nothing depends on it, and if it fails the old journal goes on.
        """
        fresh = self._path.with_name(self._path.name + ".new")
        octets = _FORMAT.encode() + b"\n" + _line(self._number, self._content, whole=True)
        fd = -1
        try:
            fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
            self._lock(fd)
            _write(fd, octets)
            os.fsync(fd)
            os.replace(fresh, self._path)
        except (OSError, StoreError):
            if fd >= 0:
                os.close(fd)
            self._compact_above = 2 * self._size  # not at every commit
            return
        os.close(self._fd)
        self._fd, self._size = fd, len(octets)
        self._compact_above = max(_COMPACT_FROM, 4 * len(octets))
        self._sync_directory()

    def _sync_directory(self) -> None:
        """Make the file's name durable, without which a machine may come back with the old one."""
        if not self._sync or os.name == "nt":  # pragma: no cover  Windows cannot
            return
        try:
            fd = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            self._broken = True
            raise StoreError(f"{self._path}: {error.strerror or error}") from error

    def _lock(self, fd: int) -> None:
        try:
            import fcntl
        except ImportError:  # pragma: no cover  no such locks on Windows
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"{self._path} is in use by another process") from error


def _write(fd: int, octets: bytes) -> None:
    """Write all of *octets*, which one call need not do."""
    rest = memoryview(octets)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _read_all(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)
    return b"".join(iter(lambda: os.read(fd, 1 << 20), b""))
