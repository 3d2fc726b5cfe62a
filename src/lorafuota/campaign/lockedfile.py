"""A file that one process writes, and that still is the file which was opened.

Opened beside the database that works on it: it makes the file readable by its owner only, locks
other writers out, and notices a file that was removed or replaced.
"""

from __future__ import annotations

import os
import pathlib
from typing import Final, NoReturn, final

from .store import StoreError

__all__ = ["LockedFile"]

_BINARY: Final = getattr(os, "O_BINARY", 0)


@final
class LockedFile:
    """An open file."""

    def __init__(self, path: pathlib.Path, *, create: bool, sync: bool) -> None:
        """Open the file.

        Args:
            path: The file.
            create: Make it if it is not there, and lock it; otherwise it is only looked at.
            sync: Make the name of the file durable too.

        Raises:
            StoreError: It cannot be opened, or another process has locked it.
        """
        self._path = path
        try:
            flags = os.O_RDWR | _BINARY | (os.O_CREAT if create else 0)
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            self._refused(error)
        try:
            if create:
                self._lock()
                self._sync_directory(sync)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file.

        Behind the database: closing any descriptor of a file drops the locks of all on it.
        """
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def is_empty(self) -> bool:
        """Say whether there is nothing in it.

        Raises:
            StoreError: It cannot be told.
        """
        try:
            return os.fstat(self._fd).st_size == 0
        except OSError as error:
            self._refused(error)

    def require_same(self) -> None:
        """Check that the path still names the open file, which somebody may have replaced.

        Raises:
            StoreError: It does not: what is written here, nobody would find again.
        """
        try:
            same = os.path.samestat(os.fstat(self._fd), os.stat(self._path))
        except FileNotFoundError:
            same = False
        except OSError as error:
            self._refused(error)
        if not same:
            raise StoreError(f"{self._path} was replaced or removed")

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # pragma: no cover  no such locks on Windows
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"{self._path} is in use by another process") from error

    def _sync_directory(self, sync: bool) -> None:
        """Make the file's name durable, without which a machine may come back without it."""
        if not sync or os.name == "nt":
            return
        try:
            fd = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            self._refused(error)

    def _refused(self, error: OSError) -> NoReturn:
        raise StoreError(f"{self._path}: {error.strerror or error}") from error
