"""``lorafuota decode``: explain the octets of one payload."""

from __future__ import annotations

import argparse
import base64
import dataclasses
import enum
import itertools
import re
import string
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ..catalogue import DEFAULT_FPORTS, PACKAGES, PackageMap, package
from ..errors import DecodeError, FieldError
from ..multipackage.commandset import CommandSet, read_answers, read_command_set
from ..package import MalformedCommand, Package, UnknownCommand
from ..types import DOWNLINK, UPLINK, Direction
from ..wire import JSON, Command, Record, Row
from .arguments import InputError, Status, Subparsers, subcommand
from .output import bad, strong, table, write_json

__all__ = ["add", "run"]

_DIRECTIONS: Final = {"up": UPLINK, "uplink": UPLINK, "down": DOWNLINK, "downlink": DOWNLINK}
_MULTIPACKAGE: Final = package("multipackage", 1)
_MAX_TEXT: Final = 1 << 16
_DIGITS_A_LINE: Final = 32

_DESCRIPTION: Final = """\
Explain one application payload: every command with its fields, in the words
of the documents, and whatever cannot be read, with its place and the reason.

PACKAGE is a name or the number of a document (fragmentation, ts004) or a port
(200, 201, 202, 203, 225), with /VERSION behind it; the newest version without.
Octets go in as hex, with or without spaces, colons and 0x, or with - as all of
standard input.  The payload must be in the clear: FRMPayload, decrypted.

Columns "octets" and "bits" count as the documents do: octets from 0 behind the
command identifier, bits from 0 for the least significant."""

_EXAMPLE: Final = """\
lorafuota decode fragmentation/1 uplink 02c0
lorafuota decode 201/2 down 02 01 1400 32 00 05 00000000 0100 4d6d1790
lorafuota decode 225 uplink 8302c001 --speaks fragmentation/1
echo AsA= | lorafuota decode ts004/2 up --base64 -"""


def add(subparsers: Subparsers) -> None:
    """Declare the arguments."""
    parser = subcommand(
        subparsers,
        "decode",
        run,
        summary="explain the octets of a payload",
        description=_DESCRIPTION,
        example=_EXAMPLE,
    )
    parser.add_argument("package", metavar="PACKAGE[/VERSION]", help="who the payload is for")
    parser.add_argument("direction", metavar="DIRECTION", help="up, uplink, down or downlink")
    parser.add_argument("octets", metavar="HEX", nargs="+", help="the payload; - reads stdin")
    parser.add_argument("--base64", action="store_true", help="the payload is base64, not hex")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="also refuse reserved bits that are set, and whatever else the document excludes",
    )
    parser.add_argument(
        "--speaks",
        metavar="PACKAGE/VERSION",
        action="append",
        default=[],
        help="what the device has besides the newest of each package; for ports, port 225 above "
        "all; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")


def run(args: argparse.Namespace) -> int:
    """Explain a payload; 1 when a part of it cannot be read."""
    spoken = dict(_named_version(text) for text in args.speaks)
    one, speaks = _package(args.package, PackageMap(spoken))
    direction = _DIRECTIONS.get(args.direction.lower())
    if direction is None:
        raise InputError(f"the direction is {args.direction!r}: expected uplink or downlink")
    payload = _payload(args.octets, as_base64=args.base64)
    reading = _read(one, speaks, direction, payload)
    refusal = _refusal(one, speaks, direction, payload) if args.strict else None
    fine = reading.leftover is None and refusal is None
    hints = [] if fine else list(_hints(one, speaks, direction, payload))
    if args.json:
        write_json(_document(reading, refusal, hints, strict=args.strict))
    else:
        print("\n".join(_text(reading, refusal, hints)))
    return Status.GOOD if fine else Status.NO


# --- Arguments ------------------------------------------------------------------------------------


def _package(text: str, speaks: PackageMap) -> tuple[Package, PackageMap]:
    """Return the package that *text* means, and what the device speaks with that taken in."""
    name, slash, version = text.partition("/")
    if name.isascii() and name.isdigit() and len(name) < 6:
        found = speaks.at(int(name))
        if found is None:
            ports = ", ".join(map(str, sorted(DEFAULT_FPORTS.values())))
            raise InputError(f"no package lives on port {name}: expected one of {ports}")
        name = found.name
    else:
        newest = max(_versions(name))
        found = speaks.packages[_find(name, newest).identifier]
    if slash:
        found = _find(name, _number(version))
        speaks = PackageMap({**speaks.versions, found.name: found.version})
    return found, speaks


def _named_version(text: str) -> tuple[str, int]:
    name, slash, version = text.partition("/")
    if not slash:
        raise InputError(
            f"--speaks takes a package and its version, as in fragmentation/1: {text!r}"
        )
    return _find(name, _number(version)).name, _number(version)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise InputError(f"a package version is a number, as in fragmentation/1: {text!r}")
    return int(text)


def _find(name: str, version: int) -> Package:
    try:
        return package(name, version)
    except FieldError as error:
        if error.field == "name":
            reason = f"there is no package {error.value!r}: expected {error.expected}"
        else:
            reason = f"there is no {name}/{version}: expected version {error.expected}"
        raise InputError(reason) from None


def _versions(name: str) -> list[int]:
    """Return the versions there are of a package; -1 for an unknown one, which nobody has."""
    same = [one for one in PACKAGES if name.lower() in (one.name, one.document[:5].lower())]
    return [one.version for one in same] or [-1]


def _payload(words: Sequence[str], *, as_base64: bool) -> bytes:
    text = _standard_input() if list(words) == ["-"] else " ".join(words)
    payload = _from_base64(text) if as_base64 else _from_hex(text)
    if not payload:
        raise InputError("there are no octets to decode")
    return payload


def _standard_input() -> str:
    if sys.stdin is None:
        raise InputError("there is no standard input")
    octets = sys.stdin.buffer.read(_MAX_TEXT + 1)
    if len(octets) > _MAX_TEXT:
        raise InputError(f"standard input holds more than {_MAX_TEXT} characters")
    return octets.decode("utf-8", "backslashreplace")


def _from_hex(text: str) -> bytes:
    octets = bytearray()
    for word in re.split(r"[\s,:;]+", text):
        digits = word[2:] if word[:2] in ("0x", "0X") else word
        for char in digits:
            if char not in string.hexdigits:
                raise InputError(f"the octets hold {char!r}, which is no hex digit")
        if len(digits) % 2:
            shown = digits if len(digits) <= 20 else f"{digits[:20]}..."
            raise InputError(f"{shown} has an odd number of hex digits: an octet has two")
        octets += bytes.fromhex(digits)
    return bytes(octets)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise InputError("the octets are not base64") from None


# --- Reading --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Piece:
    """A command and where it stands."""

    package: Package
    command: Command
    start: int
    stop: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Reading:
    """All that was found in a payload."""

    package: Package
    direction: Direction
    payload: bytes
    pieces: list[_Piece]
    token: int | None
    leftover: UnknownCommand | MalformedCommand | None


def _read(one: Package, speaks: PackageMap, direction: Direction, payload: bytes) -> _Reading:
    found: list[tuple[Package, Command]] = []
    token: int | None = None
    leftover: UnknownCommand | MalformedCommand | None = None
    body = payload
    if one is _MULTIPACKAGE:
        whole = _read_set(speaks, direction, payload, strict=False)
        if isinstance(whole, CommandSet):
            # A command of a set is from a package the map has, or it would be the leftover.
            found = [(speaks.packages[each.package], each.command) for each in whole.commands]
            token, leftover, body = whole.token, whole.leftover, payload[:-1]
        else:
            found = [(one, whole)]
    else:
        for parsed in one.parse(payload, direction):
            if isinstance(parsed, Command):
                found.append((one, parsed))
            else:
                leftover = parsed
    pieces = []
    offset = 0
    for its_package, command in found:
        while one is _MULTIPACKAGE and body[offset] & 0x80:
            offset += 1  # a PackageID; the top bit tells it from a command
        _, stop = its_package.read(body, offset, direction)
        pieces.append(_Piece(its_package, command, offset, stop))
        offset = stop
    return _Reading(one, direction, payload, pieces, token, leftover)


def _read_set(
    speaks: PackageMap, direction: Direction, payload: bytes, *, strict: bool
) -> CommandSet | Command:
    read = read_answers if direction is UPLINK else read_command_set
    return read(payload, speaks.packages, strict=strict)


def _refusal(
    one: Package, speaks: PackageMap, direction: Direction, payload: bytes
) -> DecodeError | None:
    """Return why strict parsing refuses *payload*, or None when it does not."""
    try:
        if one is _MULTIPACKAGE:
            _read_set(speaks, direction, payload, strict=True)
        else:
            one.parse(payload, direction, strict=True)
    except DecodeError as error:
        return error
    return None


def _hints(one: Package, speaks: PackageMap, direction: Direction, payload: bytes) -> Iterator[str]:
    """Say which other version, or the other direction, explains *payload* to its last bit.

    Two ends that speak different versions of a package are the most frequent cause of octets that
    do not parse; the wrong direction is the next.
    """
    other = DOWNLINK if direction is UPLINK else UPLINK
    for way in (direction, other):
        where = "" if way is direction else f", {way.value}"
        found: list[list[Command]] = []
        for instead, speaking, name in _other_versions(one, speaks):
            same = instead is one and speaking == speaks and way is direction
            if same or _refusal(instead, speaking, way, payload):
                continue
            commands = [p.command for p in _read(instead, speaking, way, payload).pieces]
            if commands in found:
                continue  # a change of version that changes nothing here
            found.append(commands)
            names = ", ".join(type(command).__name__ for command in commands)
            yield f"reads completely as {name}{where}: {names}"
        if found:
            return


def _other_versions(one: Package, speaks: PackageMap) -> Iterator[tuple[Package, PackageMap, str]]:
    """Return what else the device might speak, the nearest first, with a name to type."""
    if one is not _MULTIPACKAGE:
        for version in sorted(_versions(one.name), key=lambda v: abs(v - one.version)):
            other = _find(one.name, version)
            yield other, speaks, str(other)
        return
    now = {each.name: each.version for each in speaks.packages.values() if each is not one}
    choices = [[(name, version) for version in _versions(name)] for name in now]
    every = [dict(pairs) for pairs in itertools.product(*choices)]
    for versions in sorted(every, key=lambda v: sum(v[name] != now[name] for name in now)):
        changed = [f"{name}/{v}" for name, v in versions.items() if v != now[name]]
        yield one, PackageMap(versions), " --speaks ".join([str(one), *changed])


# --- For programs ---------------------------------------------------------------------------------


def _document(
    reading: _Reading, refusal: DecodeError | None, hints: list[str], *, strict: bool
) -> dict[str, JSON]:
    envelopes: list[JSON] = [
        {**piece.package.to_json(piece.command), "start": piece.start, "stop": piece.stop}
        for piece in reading.pieces
    ]
    left = reading.leftover
    document: dict[str, JSON] = {
        "package": reading.package.name,
        "version": reading.package.version,
        "document": reading.package.document,
        "direction": reading.direction.value,
        "payload": reading.payload.hex(),
        "complete": left is None and refusal is None,
        "commands": envelopes,
        "token": reading.token,
        "leftover": None if left is None else reading.package.to_json(left),
    }
    if strict:
        document["refusal"] = None if refusal is None else _blame(refusal)
    document["hints"] = [*hints]
    return document


def _blame(error: DecodeError) -> dict[str, JSON]:
    return {"command": error.command, "offset": error.offset, "reason": error.reason}


# --- For people -----------------------------------------------------------------------------------


def _text(reading: _Reading, refusal: DecodeError | None, hints: list[str]) -> Iterator[str]:
    one = reading.package
    size = _count(len(reading.payload), "octet")
    yield f"{one} ({one.document}, {one.title}), {reading.direction.value}, {size}"
    for piece in reading.pieces:
        yield ""
        yield from _piece(piece, reading.payload, named=one is _MULTIPACKAGE)
    if one is _MULTIPACKAGE and reading.token is not None:
        yield f"\nCommand Token: {reading.token}"
    left = reading.leftover
    if left is None and not reading.pieces:
        yield "no command"
    if left is not None:
        yield ""
        yield f"{bad('not readable')}: {_place(left.offset, reading.payload[left.offset :])}"
        yield f"  at octet {left.error.offset}, {left.error.command}: {left.error.reason}"
    if refusal is not None and (left is None or refusal != left.error):
        reason = f"at octet {refusal.offset}, {refusal.command}: {refusal.reason}"
        yield f"\n{bad('refused by strict reading')}: {reason}"
    if hints:
        yield ""
        yield from (f"hint: {hint}" for hint in hints)


def _piece(piece: _Piece, payload: bytes, *, named: bool) -> Iterator[str]:
    cls = type(piece.command)
    owner = f"{piece.package} " if named else ""
    yield f"{owner}{strong(cls.__name__)}  {_place(piece.start, payload[piece.start : piece.stop])}"
    meaning = (cls.__doc__ or "").partition("\n")[0]
    yield f"  {meaning}"
    rows = list(_rows(piece.command, payload[piece.start + 1 : piece.stop]))
    if rows:
        yield table(("octets", "bits", "field", "value", "meaning"), rows, right=(1,), indent=2)


def _rows(message: Record, body: bytes, within: str = "") -> Iterator[tuple[str, ...]]:
    for row in message.table():
        place = ("..", row.bits) if within else (row.octets, row.bits)
        if not row.field:
            sent = None if within else _reserved(row, body)
            if sent:
                yield *place, row.name, f"{sent}, not 0", "Reserved: set, and ignored"
            continue
        value = getattr(message, row.field)
        if isinstance(value, tuple):
            yield *place, f"{within}{row.name}", _count(len(value), "record"), row.doc
            for i, item in enumerate(value):
                yield from _rows(item, b"", f"{within}{row.name}[{i}].")
        else:
            yield *place, f"{within}{row.name}", _value(value), row.doc


def _reserved(row: Row, body: bytes) -> int | None:
    """Return what arrived in reserved bits, or None where their place is not fixed."""
    octets = re.fullmatch(r"(\d+)(?:-(\d+))?", row.octets)
    if octets is None:
        return None
    first, last = int(octets[1]), int(octets[2] or octets[1])
    word = int.from_bytes(body[first : last + 1], "little")
    if not row.bits:
        return word
    high, _, low = row.bits.rpartition(":")
    return word >> int(low) & ((1 << int(high or low) - int(low) + 1) - 1)


def _value(value: object) -> str:
    match value:
        case None:
            return "not there"
        case bool():
            return "1, yes" if value else "0, no"
        case enum.IntFlag():
            return f"{int(value)}, {_flags(value)}"
        case enum.Enum():
            return f"{value.value}, {value.name}"
        case bytes():
            digits = value.hex()
            lines = [digits[i : i + _DIGITS_A_LINE] for i in range(0, len(digits), _DIGITS_A_LINE)]
            return "\n".join(lines) or "no octets"
        case _:
            return str(value)


def _flags(value: enum.IntFlag) -> str:
    known: Mapping[str, enum.IntFlag] = type(value).__members__
    names = [name for name, member in known.items() if value & member]
    unnamed = int(value) & ~sum(known.values())
    return " | ".join([*names, *([f"reserved 0x{unnamed:02X}"] if unnamed else [])]) or "none"


def _place(start: int, octets: bytes) -> str:
    stop = start + len(octets) - 1
    place = f"octet {start}" if stop == start else f"octets {start} to {stop}"
    shown = octets[:24].hex(" ") + (" ..." if len(octets) > 24 else "")
    return f"{place}: {shown}" if octets else f"at octet {start}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
