"""One payload explained: its commands, where each field stands, what is odd, what cannot be read.

Everything comes from the declarations of the package, so every command of every version is
explained alike.  Text and JSON are made of the value :func:`explain` returns.

>>> from lorafuota import UPLINK, package
>>> setup = explain(package("fragmentation", 2), UPLINK, bytes.fromhex("02c0"))
>>> [(line.octets, line.bits, line.name, line.shown) for line in setup.pieces[0].lines]
[('0', '4:0', 'StatusBitMask', '0, none'), ('0', '7:6', 'FragIndex', '3')]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from .._kinds import JSON
from ..catalogue import PackageMap, package
from ..errors import DecodeError
from ..multipackage.commandset import CommandSet, read_answers, read_command_set
from ..package import MalformedCommand, Package, UnknownCommand
from ..types import UPLINK, BytesLike, Direction
from ..wire import Command
from .anomaly import Anomaly, Oddity
from .layout import Line, lay_out
from .oddities import oddities
from .words import count

__all__ = ["MULTIPACKAGE", "Explanation", "Piece", "explain", "refusal"]

MULTIPACKAGE: Final = package("multipackage", 1)
"""The package of FPort 225, whose payloads hold commands of all packages."""

_CRC_HANDSHAKE: Final = 0x80


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One command of a payload.

    Attributes:
        package: Where it belongs.
        command: What was read.
        start: Where its identifier stands in the payload.
        stop: The octet behind it.
        lines: Its fields, in wire order.
    """

    package: Package
    command: Command
    start: int
    stop: int
    lines: tuple[Line, ...]

    @property
    def meaning(self) -> str:
        """What the command is for, in a sentence."""
        return (type(self.command).__doc__ or "").partition("\n")[0]

    def to_json(self) -> dict[str, JSON]:
        """Return the envelope of :meth:`Package.to_json`, with places and lines added."""
        return {
            **self.package.to_json(self.command),
            "start": self.start,
            "stop": self.stop,
            "lines": [line.to_json() for line in self.lines],
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that was found in a payload.

    Attributes:
        package: Who it is read for.
        speaks: The versions of all packages; they matter on FPort 225.
        direction: Who sent it.
        payload: FRMPayload in the clear.
        pieces: The commands, in order.
        token: Command Token of a command set, None elsewhere.
        leftover: What could not be read, and all behind it.
        anomalies: What is odd, in the order of the payload.
    """

    package: Package
    speaks: PackageMap
    direction: Direction
    payload: bytes
    pieces: tuple[Piece, ...]
    token: int | None
    leftover: UnknownCommand | MalformedCommand | None
    anomalies: tuple[Anomaly, ...]

    @property
    def complete(self) -> bool:
        """Whether all octets could be read."""
        return self.leftover is None

    @property
    def commands(self) -> list[Command]:
        """The commands, in order."""
        return [piece.command for piece in self.pieces]

    @property
    def names(self) -> str:
        """The names of the commands, for a sentence."""
        return ", ".join(type(command).__name__ for command in self.commands) or "no command"

    def to_json(self) -> dict[str, JSON]:
        """Return all of it as JSON; :func:`lorafuota.from_json` reads the envelopes back."""
        left = self.leftover
        return {
            "package": self.package.name,
            "version": self.package.version,
            "document": self.package.document,
            "direction": self.direction.value,
            "payload": self.payload.hex(),
            "complete": self.complete,
            "commands": [piece.to_json() for piece in self.pieces],
            "token": self.token,
            "leftover": None if left is None else self.package.to_json(left),
            "anomalies": [anomaly.to_json() for anomaly in self.anomalies],
        }


def explain(
    one: Package,
    direction: Direction,
    payload: BytesLike,
    *,
    speaks: PackageMap | None = None,
    time: float | None = None,
) -> Explanation:
    """Explain one payload, whatever is in it.

    Args:
        one: Who it is for; ``multipackage`` for FPort 225.
        direction: Who sent it.
        payload: FRMPayload in the clear.
        speaks: The versions of all packages the device has; the newest if not given.
        time: When it was captured, in GPS seconds, if known; some times are odd only then.
    """
    payload = bytes(payload)
    speaks = PackageMap() if speaks is None else speaks
    found, token, leftover = _parse(one, speaks, direction, payload)
    body = payload if token is None else payload[:-1]
    pieces = []
    offset = 0
    for its_package, command in found:
        while one is MULTIPACKAGE and body[offset] & 0x80:
            offset += 1  # a PackageID; the top bit tells it from a command
        alone = one is not MULTIPACKAGE
        _, stop = its_package.read(body, offset, direction, forgiving=alone)
        lines = tuple(lay_out(command, payload, offset + 1))
        pieces.append(
            Piece(package=its_package, command=command, start=offset, stop=stop, lines=lines)
        )
        offset = stop
    return Explanation(
        package=one,
        speaks=speaks,
        direction=direction,
        payload=payload,
        pieces=tuple(pieces),
        token=token,
        leftover=leftover,
        anomalies=tuple(_anomalies(one, payload, pieces, token, leftover, time)),
    )


def refusal(
    one: Package, speaks: PackageMap, direction: Direction, payload: bytes
) -> DecodeError | None:
    """Return why strict parsing refuses *payload*, or None when it does not."""
    try:
        if one is MULTIPACKAGE:
            _read_set(speaks, direction, payload, strict=True)
        else:
            one.parse(payload, direction, strict=True)
    except DecodeError as error:
        return error
    return None


def _parse(
    one: Package, speaks: PackageMap, direction: Direction, payload: bytes
) -> tuple[list[tuple[Package, Command]], int | None, UnknownCommand | MalformedCommand | None]:
    if one is not MULTIPACKAGE:
        found: list[tuple[Package, Command]] = []
        for parsed in one.parse(payload, direction):
            if not isinstance(parsed, Command):
                return found, None, parsed
            found.append((one, parsed))
        return found, None, None
    whole = _read_set(speaks, direction, payload, strict=False)
    if not isinstance(whole, CommandSet):
        return [(one, whole)], None, None
    # A command of a set is from a package the map has, or it would be the leftover.
    found = [(speaks.packages[each.package], each.command) for each in whole.commands]
    return found, whole.token, whole.leftover


def _read_set(
    speaks: PackageMap, direction: Direction, payload: bytes, *, strict: bool
) -> CommandSet | Command:
    read = read_answers if direction is UPLINK else read_command_set
    return read(payload, speaks.packages, strict=strict)


# --- What is odd ----------------------------------------------------------------------------------


def _anomalies(
    one: Package,
    payload: bytes,
    pieces: list[Piece],
    token: int | None,
    leftover: UnknownCommand | MalformedCommand | None,
    time: float | None,
) -> Iterator[Anomaly]:
    if not payload:
        yield _anomaly(Oddity.NO_COMMAND, 0, "the payload is empty")
    for piece in pieces:
        yield from _of_layout(piece)
        yield from oddities(piece.command, piece.package, piece.start, time=time)
        if type(piece.command).ALONE and (len(pieces) > 1 or leftover is not None):
            name = type(piece.command).__name__
            yield _anomaly(Oddity.NOT_ALONE, piece.start, f"{name} must be alone in its payload")
    if token is not None and payload and payload[-1] > 3:
        bits = f"0x{payload[-1] & 0xFC:02X}"
        sentence = f"the Command Token has the reserved bits {bits} set: is the last octet one?"
        yield _anomaly(Oddity.RESERVED_BITS, len(payload) - 1, sentence)
    if leftover is not None:
        yield _of_leftover(leftover)


def _anomaly(code: Oddity, at: int, sentence: str) -> Anomaly:
    return Anomaly(code=code, at=at, sentence=sentence)


def _of_layout(piece: Piece) -> Iterator[Anomaly]:
    name = type(piece.command).__name__
    for line in piece.lines:
        if not line.field:
            sentence = f"{name} has the reserved bits {line.bits or 'of a whole octet'} set"
            yield _anomaly(
                Oddity.RESERVED_BITS, line.start, f"{sentence}: sent as {line.value}, not 0"
            )
    surplus = piece.stop - piece.start - len(piece.command.encode())
    if surplus:
        sentence = f"{count(surplus, 'octet')} too many behind {name}, as a known device sends"
        yield _anomaly(Oddity.TRAILING_OCTETS, piece.stop - surplus, sentence)


def _of_leftover(leftover: UnknownCommand | MalformedCommand) -> Anomaly:
    behind = count(len(leftover.payload), "octet")
    if isinstance(leftover, UnknownCommand):
        sentence = (
            f"{leftover.package} has no command 0x{leftover.cid:02X} in this direction; "
            f"it and the {behind} behind it cannot be read"
        )
        if leftover.cid == _CRC_HANDSHAKE and leftover.package.startswith("fragmentation/"):
            sentence = "MultiTech's Conduit sends 0x80 on this port, to check a CRC"
            return _anomaly(Oddity.CRC_HANDSHAKE, leftover.offset, sentence)
        return _anomaly(Oddity.UNKNOWN_COMMAND, leftover.offset, sentence)
    error = leftover.error
    if "DataFragment.n = 0" in error.reason:
        sentence = (
            "N is 0: fragments count from 1 in both versions, and this sender counts from 0, "
            "as MultiTech's Conduit does"
        )
        return _anomaly(Oddity.N_IS_ZERO, leftover.offset, sentence)
    return _anomaly(Oddity.MALFORMED_COMMAND, error.offset, f"{error.command}: {error.reason}")
