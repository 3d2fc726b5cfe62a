"""What several test files need: the vectors, and how to compare a message with one."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import lorafuota
from lorafuota.package import Package
from lorafuota.session.actions import Action, Answer
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragDevice, FragState
from lorafuota.types import Direction
from lorafuota.wire import Command

VECTORS = pathlib.Path(__file__).parent / "vectors"
Record = Callable[[str, object], None]
"""The fixture ``record_property``, which takes what a test has counted (tests/conftest.py)."""
LONG = bool(os.environ.get("LORAFUOTA_LONG"))
"""Whether the long versions of the tests are wanted (promises: figures for the note)."""


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def packages(name: str, version: str | int | list[str]) -> list[Package]:
    """The packages a vector speaks of: ``"1.0.0"``, ``2``, ``"both"``, ``["1.0.0", "2.0.0"]``."""
    if version == "both":
        version = ["1", "2"]
    wanted = version if isinstance(version, list) else [str(version)]
    return [lorafuota.package(name, int(str(one)[0])) for one in wanted]


def direction(text: str) -> Direction:
    return Direction.UPLINK if text.startswith("up") else Direction.DOWNLINK


def only(package: Package, way: str, octets: str) -> Command:
    """The one command in *octets*, checked to encode to the same octets in every way."""
    [command] = package.parse(bytes.fromhex(octets), direction(way), strict=True)
    assert isinstance(command, Command)
    assert command.encode().hex() == octets
    assert type(command).from_json(command.to_json()).encode().hex() == octets
    assert package.join([command]).hex() == octets
    return command


def nested(depth: int = 20_000) -> list[Any]:
    """Lists in a list, deeper than Python shows or compares them."""
    inside: list[Any] = []
    for _ in range(depth):
        inside = [inside]
    return inside


def is_rebuilding(one: FuotaDevice | FragDevice) -> bool:
    sessions = one if isinstance(one, FragDevice) else one.fragmentation
    return any(sessions.state(index) is FragState.REBUILDING for index in range(4))


def rebuilt(one: FuotaDevice, actions: list[Action], now: float) -> list[Action]:
    """What a downlink caused, and the tick after it if that completed a block."""
    return actions + one.tick(now=now) if is_rebuilding(one) else actions


def session_rebuilt(
    one: FragDevice, results: list[Answer | Action], now: float
) -> list[Answer | Action]:
    """The same for the sessions alone."""
    return results + one.tick(now=now) if is_rebuilding(one) else results
