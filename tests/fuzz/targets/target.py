"""What the driver needs to know of an entry point."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import pathlib
import random
import tempfile
from collections.abc import Callable, Sequence

from tests.fuzz import mutation

MiB = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One entry point.

    Attributes:
        name: For the command line and the table.
        one_input: Takes any octets at all; returns in a word or two what became of them, the name
            of the error if it was a documented one.  Whatever it raises breaks its invariant.
        seeds: Good inputs, and bad ones that were found; what mutation starts from.
        mutate: How one of them is changed.
        memory: Octets one input may take at its peak.
        everyday: Inputs for the everyday test.
    """

    name: str
    one_input: Callable[[bytes], str]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[random.Random, Sequence[bytes]], bytes] = mutation.octets
    memory: int = 4 * MiB
    everyday: int = 200


@functools.cache
def folder() -> pathlib.Path:
    """A folder for the files of this process, gone when it ends."""
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    return pathlib.Path(made.name)
