"""Invariant: any octets given to any decoder give commands or the one decode error (promise R1).

Lenient parsing raises nothing and loses no octet.  Strict parsing says where and why it stops, or
gives commands that encode to the same octets.
"""

from __future__ import annotations

import functools
import random

import lorafuota
from lorafuota.errors import DecodeError
from lorafuota.fragmentation.v2 import FragSessionStatusAns
from lorafuota.multipackage.commandset import read_answers, read_command_set
from lorafuota.package import Package, Parsed
from lorafuota.types import DOWNLINK, Direction
from lorafuota.wire import Command
from tests.fuzz import mutation
from tests.fuzz.round_trip import draw
from tests.fuzz.targets.target import Target

SPOKEN = (
    lorafuota.PackageMap().packages,
    lorafuota.PackageMap({package.name: 1 for package in lorafuota.PACKAGES}).packages,
)
"""The newest version of everything, and the oldest, for command sets."""


def one_input(package: Package, direction: Direction, data: bytes) -> str:
    parsed = package.parse(data, direction)
    for one in parsed[:-1]:
        assert isinstance(one, Command)
    if parsed and not isinstance(parsed[-1], Command):
        assert data.endswith(bytes((parsed[-1].cid,)) + parsed[-1].payload)
    if package.identifier == 0:
        for packages in SPOKEN:
            (read_command_set if direction is DOWNLINK else read_answers)(data, packages)
    try:
        strict = package.parse(data, direction, strict=True)
    except DecodeError as error:
        assert error.reason
        assert 0 <= error.offset <= len(data)
        return type(error).__name__
    assert strict == parsed or _has_stale_octets(parsed, data)
    assert b"".join([one.encode() for one in strict if isinstance(one, Command)]) == data
    return "commands"


def _has_stale_octets(parsed: list[Parsed], data: bytes) -> bool:
    """Whether three octets behind a session that does not exist were left out; strict does not."""
    read = b"".join(one.encode() for one in parsed if isinstance(one, Command))
    last = parsed[-1]
    told = isinstance(last, FragSessionStatusAns) and last.session_does_not_exist
    return told and data[:-3] == read


def seeds(package: Package, direction: Direction) -> list[bytes]:
    """What our encoder gives, and of the vectors first what this decoder can read."""
    rng, found = random.Random(f"{package} {direction}"), mutation.payloads()
    good = [one for one in found if _is_good(package, direction, one)]
    for cls in package.commands:
        if cls.DIRECTION is direction:
            drawn = [draw(rng, cls) for _ in range(4)]
            good += [one.encode() for one in drawn if isinstance(one, Command)]
    return [*good, *found[:: max(1, len(found) // len(good))]]


def _is_good(package: Package, direction: Direction, payload: bytes) -> bool:
    return all(isinstance(one, Command) for one in package.parse(payload, direction))


TARGETS = tuple(
    Target(
        name=f"{package}/{direction.value}",
        one_input=functools.partial(one_input, package, direction),
        seeds=functools.partial(seeds, package, direction),
        memory=1 << 18,
    )
    for package in lorafuota.PACKAGES
    for direction in Direction
)
