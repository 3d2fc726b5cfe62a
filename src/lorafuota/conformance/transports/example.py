"""Builds the device in C that comes with the kit, with whatever compiler is there."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import Final

from ..subject import SubjectError

__all__ = ["EXAMPLE", "build", "build_example", "compiler"]

EXAMPLE: Final = pathlib.Path(__file__).parent.parent / "example"
"""The directory of its source."""

_COMPILERS: Final = ("cc", "gcc", "clang")
_FLAGS: Final = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror")
_SECONDS: Final = 120


def compiler() -> str | None:
    """Return the C compiler that is there, or None."""
    return next(filter(None, map(shutil.which, _COMPILERS)), None)


@contextlib.contextmanager
def build_example() -> Iterator[pathlib.Path]:
    """Build the example in a directory that goes when it is done with; return the program.

    Raises:
        SubjectError: There is no compiler, or it does not build.
    """
    with tempfile.TemporaryDirectory(prefix="lorafuota-") as directory:
        yield build(pathlib.Path(directory) / "device")


def build(program: pathlib.Path, *, flags: Sequence[str] = ()) -> pathlib.Path:
    """Build the example.

    Args:
        program: Where to.
        flags: For the compiler, besides the usual ones.

    Raises:
        SubjectError: There is no compiler, or it does not build.
    """
    command = compiler()
    if command is None:
        names = ", ".join(_COMPILERS)
        raise SubjectError(f"the example needs a C compiler, and there is none of {names}")
    sources = [str(path) for path in sorted(EXAMPLE.glob("*.c"))]
    argv = [command, *_FLAGS, *flags, "-o", str(program), *sources]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SubjectError(f"the example does not build: {error}") from error
    if done.returncode:
        raise SubjectError(f"the example does not build with {command}: {done.stderr.strip()}")
    return program
