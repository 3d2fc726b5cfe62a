"""One file for each kind of thing that goes wrong: each looks and says what it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from ..case import Case
from ..hypothesis import Finding
from ..transfer import Transfer
from . import (
    addresses,
    answers,
    clock,
    counters,
    delivered,
    fragments,
    keys,
    matrix,
    mic,
    refusals,
    repair,
    unread,
    versions,
    windows,
)

__all__ = ["LOOKS"]

_Look: TypeAlias = Callable[[Case, Iterable[Transfer]], Iterator[Finding]]

LOOKS: Final[tuple[_Look, ...]] = (
    unread.look,
    versions.look,
    keys.look,
    addresses.look,
    mic.look,
    matrix.look,
    fragments.look,
    delivered.look,
    clock.look,
    windows.look,
    counters.look,
    refusals.look,
    answers.look,
    repair.look,
)
"""Every look there is; the order does not matter."""
