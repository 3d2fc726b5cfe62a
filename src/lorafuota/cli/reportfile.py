"""A report that takes the place of the old one at once: a run that is cut off leaves no half."""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
from types import TracebackType
from typing import Self, final

__all__ = ["ReportFile"]


@final
class ReportFile:
    """One file, written aside and renamed; to be used in a ``with`` statement.

    What cannot be renamed is written in place: a device, a pipe, a file in a directory where
    nothing can be made.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Find out whether it can be written, and leave what is there as it is.

        Raises:
            OSError: It cannot.
        """
        self._path = pathlib.Path(os.path.realpath(path))  # a link stays a link
        self._aside: pathlib.Path | None = None
        there = self._path.exists()
        if there and not self._path.is_file() and not self._path.is_dir():
            return
        if there:
            with self._path.open("ab"):
                pass
        aside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            aside.touch()
        except OSError as error:
            if there:
                return
            raise OSError(error.errno, error.strerror, str(path)) from error
        self._aside = aside
        if there:
            with contextlib.suppress(OSError):
                aside.chmod(stat.S_IMODE(self._path.stat().st_mode))

    def write(self, octets: bytes) -> None:
        """Put the whole content there.

        Raises:
            OSError: It cannot be written.
        """
        if self._aside is not None:
            self._aside.write_bytes(octets)
            try:
                self._aside.replace(self._path)
            except OSError:  # a file that is a mount point
                self._path.write_bytes(octets)
        else:
            self._path.write_bytes(octets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._aside is not None:
            self._aside.unlink(missing_ok=True)
