"""Whose mutants there are: of the device and of the server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.server import SERVER_CHECKS

from . import runner, serverrunner
from .device import DEVICE_MUTANTS
from .server import SERVER_MUTANTS


class Named(Protocol):
    """What the table says of a mutant."""

    @property
    def name(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def killer(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def survives(self) -> str: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """The mutants of one role, and the catalogue that has to notice them."""

    mutants: Sequence[Named]
    checks: Sequence[str]
    """Ids of the catalogue."""
    killers: Callable[[Any, Sequence[str]], Mapping[str, str]]
    """Which of so many checks notice a mutant, and what each says."""


def _device(mutant: Any, checks: Sequence[str]) -> Mapping[str, str]:
    return runner.killers(mutant, [DEVICE_CHECKS[id] for id in checks])


FAMILIES: Final[Mapping[str, Family]] = {
    "device": Family(DEVICE_MUTANTS, [one.id for one in DEVICE_CHECKS], _device),
    "server": Family(SERVER_MUTANTS, [one.id for one in SERVER_CHECKS], serverrunner.killers),
}
