"""Command sets and answers on FPort 225 (TS007-1.0.0): several packages in one payload.

A downlink is ``[PackageID] CommandID payload ... CommandToken``.  The top bit alone tells a
PackageID from a CommandID.  Before the first PackageID commands belong to package 0, later to the
package named last.  An uplink is the ANS buffer in the same form with the token of the set it
answers, or a fragment of it.  No lengths travel, so a reader needs every package, in the version
the device has; what it cannot read ends the set.

MultiPackBufferReq and MultiPackBufferFrag stand alone and are no part of a set.  A downlink that
mixes MultiPackBufferReq with anything else, a token included, is discarded as a whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..errors import (
    DecodeError,
    Described,
    FieldError,
    ReservedBitsError,
    TrailingOctetsError,
    TruncatedError,
    UnknownCommandError,
    require_int,
)
from ..package import MAX_PAYLOAD, MalformedCommand, Package, UnknownCommand
from ..types import DOWNLINK, UPLINK, BytesLike, Direction
from ..wire import Command
from .v1 import PACKAGE, MultiPackBufferFrag, MultiPackBufferReq

__all__ = ["CommandSet", "PackagedCommand", "read_answers", "read_command_set"]

_BUFFER_CID = MultiPackBufferReq.CID


@dataclasses.dataclass(frozen=True, slots=True)
class PackagedCommand:
    """A command and the package it belongs to."""

    package: int
    """PackageIdentifier."""
    command: Command
    explicit: bool | None = None
    """Whether a PackageID stood before it; None leaves that to :meth:`CommandSet.encode`."""


@dataclasses.dataclass(frozen=True, slots=True)
class CommandSet:
    """The commands of one payload and its Command Token."""

    commands: tuple[PackagedCommand, ...]
    token: int
    """Command Token, 0..3."""
    leftover: UnknownCommand | MalformedCommand | None = None
    """What could not be read and ended the set."""

    def __post_init__(self) -> None:
        """Check what can be checked without the packages.

        Raises:
            FieldError: The token is not 2 bits, a command must be alone, or cannot be told from a
                PackageID.
        """
        require_int("CommandSet", "token", self.token, 0, 3)
        for one in self.commands:
            require_int("CommandSet", "package", one.package, 0, 127)
            name = Described(type(one.command).__name__)
            if one.package == PACKAGE.identifier and one.command.CID == _BUFFER_CID:
                raise FieldError("CommandSet", "commands", name, "it to be alone, without a set")
            if one.command.CID > 127:
                raise FieldError("CommandSet", "commands", name, "a command identifier below 128")

    def answer_octets(self) -> bytes:
        """Return the set without its token: what a device's ANS buffer holds."""
        octets = bytearray()
        current = PACKAGE.identifier
        for one in self.commands:
            if one.explicit or (one.explicit is None and one.package != current):
                octets.append(0x80 | one.package)
            elif one.package != current:
                name = Described(type(one.command).__name__)
                raise FieldError("CommandSet", "explicit", name, "a PackageID where it changes")
            current = one.package
            octets += one.command.encode()
        return bytes(octets)

    def encode(self) -> bytes:
        """Return the payload, token included.

        Raises:
            FieldError: It holds no command, is longer than any frame, or a change of package was
                declared implicit.
        """
        if not self.commands:
            raise FieldError("CommandSet", "commands", (), "at least one")
        octets = self.answer_octets() + bytes((self.token,))
        if len(octets) > MAX_PAYLOAD:
            size = Described(f"{len(octets)} octets")
            raise FieldError("CommandSet", "payload", size, f"at most {MAX_PAYLOAD} octets")
        return octets


def read_command_set(
    payload: BytesLike, packages: Mapping[int, Package], *, strict: bool = False
) -> CommandSet | MultiPackBufferReq:
    """Read a downlink on FPort 225.

    Args:
        payload: FRMPayload in the clear.
        packages: What the device has, by PackageIdentifier; package 0 need not be listed.
        strict: Raise instead of returning a leftover.

    Returns:
        The request for a part of the ANS buffer, or the set to execute.  A set to be discarded
        (MultiPackBufferReq in company) comes without commands and with a leftover that says why.

    Raises:
        DecodeError: Only if *strict*.
    """
    payload = bytes(payload)
    if payload[:1] == bytes((_BUFFER_CID,)) and len(payload) == 3:
        return MultiPackBufferReq.decode(payload, strict=strict)
    commands = _read_set(payload, DOWNLINK, packages, strict)
    leftover = commands.leftover
    if isinstance(leftover, MalformedCommand) and isinstance(leftover.error, TrailingOctetsError):
        return CommandSet((), commands.token, leftover)
    return commands


def read_answers(
    payload: BytesLike, packages: Mapping[int, Package], *, strict: bool = False
) -> CommandSet | MultiPackBufferFrag:
    """Read an uplink on FPort 225: a whole ANS buffer with its token, or a fragment of one.

    A buffer put together from fragments is read by appending the token.

    Args:
        payload: FRMPayload in the clear.
        packages: What the device has, by PackageIdentifier; package 0 need not be listed.
        strict: Raise instead of returning a leftover.

    Raises:
        DecodeError: Only if *strict*.
    """
    payload = bytes(payload)
    if payload[:1] != bytes((MultiPackBufferFrag.CID,)):
        return _read_set(payload, UPLINK, packages, strict)
    try:
        return MultiPackBufferFrag.decode(payload, strict=strict)
    except DecodeError as error:
        if strict:
            raise
        return CommandSet((), 0, MalformedCommand(payload[0], payload[1:], 0, error))


def _read_set(
    payload: bytes, direction: Direction, packages: Mapping[int, Package], strict: bool
) -> CommandSet:
    """Read commands until the payload ends or cannot be read; *strict* raises instead."""
    body, token = payload[:-1], payload[-1] & 3 if payload else 0
    if strict:
        _check_outside(payload)
    commands: list[PackagedCommand] = []
    package: Package | None = PACKAGE
    name, identifier, explicit, offset = str(PACKAGE), PACKAGE.identifier, False, 0
    while offset < len(body):
        if body[offset] & 0x80:
            identifier, explicit = body[offset] & 0x7F, True
            package = PACKAGE if identifier == PACKAGE.identifier else packages.get(identifier)
            name = str(package or f"package {identifier}")
            offset += 1
            continue
        try:
            command, behind = _read_one(payload, body, offset, direction, package, name, strict)
        except DecodeError as error:
            if strict:
                raise
            cid, tail = body[offset], body[offset + 1 :]
            if isinstance(error, UnknownCommandError):
                return CommandSet(tuple(commands), token, UnknownCommand(cid, tail, offset, name))
            return CommandSet(tuple(commands), token, MalformedCommand(cid, tail, offset, error))
        commands.append(PackagedCommand(identifier, command, explicit))
        explicit, offset = False, behind
    if strict and explicit:
        raise TruncatedError(name, offset, "no command follows the PackageID")
    return CommandSet(tuple(commands), token)


def _read_one(
    payload: bytes,
    body: bytes,
    offset: int,
    direction: Direction,
    package: Package | None,
    name: str,
    strict: bool,
) -> tuple[Command, int]:
    if len(payload) > MAX_PAYLOAD:
        reason = f"{len(payload)} octets; no frame carries more than {MAX_PAYLOAD}"
        raise DecodeError(name, offset, reason)
    if package is PACKAGE and body[offset] == _BUFFER_CID:
        raise TrailingOctetsError(name, offset, "MultiPackBufferReq and ...Frag must be alone")
    if package is None:
        raise UnknownCommand(body[offset], b"", offset, name).error
    return package.read(body, offset, direction, strict=strict)


def _check_outside(payload: bytes) -> None:
    """Refuse what only strict reading refuses outside the commands."""
    if len(payload) < 2:
        raise TruncatedError(str(PACKAGE), 0, "there is no command and token")
    if payload[-1] > 3:
        raise ReservedBitsError(
            str(PACKAGE), len(payload) - 1, "a reserved bit is set in the token"
        )
