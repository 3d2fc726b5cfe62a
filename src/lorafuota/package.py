"""A package: the commands of one version of one document, and the parser of its payloads.

A payload is commands back to back without lengths, so a parser can go on only as long as it knows
each command.  What it cannot read is a value as well: :class:`UnknownCommand` for an identifier
nobody defined, :class:`MalformedCommand` for a command that is cut short or holds what the document
excludes.  Either takes the rest of the payload with it, since skipping an octet and carrying on
would invent commands out of somebody's data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from ._kinds import Source
from .errors import (
    DecodeError,
    Described,
    FieldError,
    TrailingOctetsError,
    TruncatedError,
    UnknownCommandError,
)
from .types import DOWNLINK, UPLINK, BytesLike, Direction
from .wire import JSON, Command, command, uint

__all__ = [
    "MAX_PAYLOAD",
    "MalformedCommand",
    "Package",
    "PackageVersionAns",
    "PackageVersionReq",
    "Parsed",
    "UnknownCommand",
]

MAX_PAYLOAD: Final = 242
"""Octets in the longest FRMPayload of any region and data rate."""


@command(0x00, DOWNLINK, size=0)
class PackageVersionReq(Command):
    """Ask which package and version stands behind this port."""


@command(0x00, UPLINK, size=2)
class PackageVersionAns(Command):
    """Tell the package and its version.

    Check the identifier before believing the version; the version chooses the codec and, for
    TS004, the parity matrix.
    """

    package_identifier: int = uint(8, doc="Which package: 0 to 4 are defined")
    package_version: int = uint(8, doc="Major version of the document the device implements")


@dataclasses.dataclass(frozen=True, slots=True)
class UnknownCommand:
    """An identifier the package does not define in this direction, and all that follows it."""

    cid: int
    payload: bytes
    """The octets after the identifier."""
    offset: int
    """Where the identifier stands in the payload."""
    package: str = ""

    @property
    def error(self) -> DecodeError:
        """What strict parsing raises."""
        reason = f"unknown command identifier 0x{self.cid:02X}"
        return UnknownCommandError(self.package, self.offset, reason)


@dataclasses.dataclass(frozen=True, slots=True)
class MalformedCommand:
    """A known command that cannot be read, and all that follows it."""

    cid: int
    payload: bytes
    """The octets after the identifier."""
    offset: int
    """Where the identifier stands in the payload."""
    error: DecodeError
    """What strict parsing raises."""


Parsed: TypeAlias = Command | UnknownCommand | MalformedCommand
"""What lenient parsing gives, piece by piece."""


@dataclasses.dataclass(frozen=True, slots=True)
class Package:
    """One version of one application-layer package.

    Attributes:
        name: The directory its messages live in, for instance ``"fragmentation"``.
        title: The document's title.
        document: The document and its version.
        identifier: PackageIdentifier.
        version: PackageVersion.
        fport: The port the document recommends.
        commands: Every command, in the order of its identifier, downlink first.
    """

    name: str
    title: str
    document: str
    identifier: int
    version: int
    fport: int
    commands: tuple[type[Command], ...]
    _by_cid: dict[tuple[Direction, int], type[Command]] = dataclasses.field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        by_cid = {(cls.DIRECTION, cls.CID): cls for cls in self.commands}
        if len(by_cid) != len(self.commands):
            raise TypeError(f"{self.document} declares an identifier twice")
        object.__setattr__(self, "_by_cid", by_cid)

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"

    def version_ans(self) -> PackageVersionAns:
        """Return what a device with this package answers to PackageVersionReq."""
        return PackageVersionAns(package_identifier=self.identifier, package_version=self.version)

    def find(self, direction: Direction, cid: int) -> type[Command] | None:
        """Return the command with that identifier, or None."""
        return self._by_cid.get((direction, cid))

    def read(
        self,
        payload: bytes,
        offset: int,
        direction: Direction,
        *,
        strict: bool = False,
        forgiving: bool = False,
    ) -> tuple[Command, int]:
        """Read the command at *offset*; return it and the offset behind it.

        Args:
            payload: Commands of this package, or of several (TS007).
            offset: Where the command identifier stands.
            direction: Who sent it.
            strict: Refuse reserved bits and company for a command that must be alone.
            forgiving: Step over what known devices send too much at the end of a payload; only
                right where all of the payload belongs to this package.

        Raises:
            DecodeError: There is no such command, or it cannot be read.
        """
        cls = self.find(direction, payload[offset])
        if cls is None:
            raise UnknownCommand(payload[offset], b"", offset, str(self)).error
        name = cls.__name__
        source = Source(payload, offset + 1, name, strict=strict, forgiving=forgiving)
        message = cls.decode_body(source)
        if strict and cls.ALONE and (offset or source.left):
            raise TrailingOctetsError(cls.__name__, offset, "must be alone in its payload")
        return message, source.pos

    def parse(
        self, payload: BytesLike, direction: Direction, *, strict: bool = False
    ) -> list[Parsed]:
        """Return the commands of one application payload, in order.

        Lenient parsing never raises: reserved bits are ignored, and what cannot be read stands at
        the end of the list as UnknownCommand or MalformedCommand.  An empty payload holds nothing.

        Args:
            payload: FRMPayload in the clear.
            direction: Who sent it.
            strict: Raise at the first thing that is not exactly as documented: nothing there, an
                unknown or truncated command, a reserved bit, company for a command that must be
                alone.

        Raises:
            DecodeError: Only if *strict*.
        """
        payload = bytes(payload)
        if strict and not payload:
            raise TruncatedError(str(self), 0, "there is no command")
        commands: list[Parsed] = []
        offset = 0
        while offset < len(payload):
            try:
                if len(payload) > MAX_PAYLOAD:
                    reason = f"{len(payload)} octets; no frame carries more than {MAX_PAYLOAD}"
                    raise DecodeError(str(self), offset, reason)
                message, offset = self.read(
                    payload, offset, direction, strict=strict, forgiving=not strict
                )
            except DecodeError as error:
                if strict:
                    raise
                cid, tail = payload[offset], payload[offset + 1 :]
                if isinstance(error, UnknownCommandError):
                    commands.append(UnknownCommand(cid, tail, offset, str(self)))
                else:
                    commands.append(MalformedCommand(cid, tail, offset, error))
                break
            commands.append(message)
        return commands

    def join(self, commands: Iterable[Command]) -> bytes:
        """Return the payload that carries *commands*.

        Raises:
            FieldError: A command is not of this package, stands beside others although it must be
                alone, or the payload is longer than any frame.
        """
        commands = list(commands)
        for one in commands:
            if type(one) not in self.commands:
                name = Described(type(one).__name__)
                raise FieldError("Package.join", "commands", name, f"commands of {self}")
            if one.ALONE and len(commands) > 1:
                name = Described(type(one).__name__)
                raise FieldError("Package.join", "commands", name, "it to be alone")
        payload = b"".join(one.encode() for one in commands)
        if len(payload) > MAX_PAYLOAD:
            raise FieldError(
                "Package.join",
                "payload",
                Described(f"{len(payload)} octets"),
                f"at most {MAX_PAYLOAD} octets",
            )
        return payload

    def to_json(self, parsed: Parsed) -> dict[str, JSON]:
        """Return one parsed piece as JSON that :meth:`from_json` turns back into an equal one."""
        envelope: dict[str, JSON] = {"package": self.name, "version": self.version}
        match parsed:
            case Command():
                envelope["direction"] = parsed.DIRECTION.value
                envelope["command"] = type(parsed).__name__
                envelope["fields"] = parsed.to_json()
            case UnknownCommand(cid, payload, offset, package):
                where: dict[str, JSON] = {"cid": cid, "payload": payload.hex(), "offset": offset}
                envelope["unknown"] = {**where, "package": package}
            case MalformedCommand(cid, payload, offset, error):  # pragma: no branch  no other
                where = {"cid": cid, "payload": payload.hex(), "offset": offset}
                kind = type(error).__name__
                blame: dict[str, JSON] = {"kind": kind, "command": error.command}
                blame |= {"offset": error.offset, "reason": error.reason}
                envelope["malformed"] = {**where, "error": blame}
        return envelope

    def from_json(self, data: object) -> Parsed:
        """Undo :meth:`to_json`.

        Raises:
            FieldError: *data* is not such an object, or of another package or version.
        """
        try:
            return self._from_json(data)
        except (AttributeError, KeyError, TypeError) as error:
            raise FieldError("Package.from_json", "data", data, f"JSON of {self}") from error

    def _from_json(self, data: object) -> Parsed:
        if not isinstance(data, dict) or (data["package"], data["version"]) != (
            self.name,
            self.version,
        ):
            raise KeyError("package")
        if "command" in data:
            for cls in self.commands:
                if (cls.__name__, cls.DIRECTION.value) == (data["command"], data["direction"]):
                    return cls.from_json(data["fields"])
            raise KeyError("command")
        return _leftover(data)


_EVERY_KIND: tuple[type[DecodeError], ...] = (DecodeError, *DecodeError.__subclasses__())
_KINDS = {kind.__name__: kind for kind in _EVERY_KIND}


def _take(data: object, **shape: type) -> list[Any]:
    """Return the members of an object that must have these names and types."""
    if not isinstance(data, dict):
        raise TypeError("an object is needed")
    values = [data[name] for name in shape]
    for value, kind in zip(values, shape.values(), strict=True):
        if type(value) is not kind:
            raise TypeError(f"{kind.__name__} is needed")
    return values


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise TypeError("payload") from None


def _leftover(data: Mapping[str, object]) -> UnknownCommand | MalformedCommand:
    """Read back what could not be parsed; raises KeyError or TypeError when *data* is not that."""
    if "unknown" in data:
        cid, payload, offset, package = _take(
            data["unknown"], cid=int, payload=str, offset=int, package=str
        )
        return UnknownCommand(cid, _octets(payload), offset, package)
    cid, payload, offset, blame = _take(
        data["malformed"], cid=int, payload=str, offset=int, error=dict
    )
    kind, name, at, reason = _take(blame, kind=str, command=str, offset=int, reason=str)
    return MalformedCommand(cid, _octets(payload), offset, _KINDS[kind](name, at, reason))
