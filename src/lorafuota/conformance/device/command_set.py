"""Sending command sets (TS007), and putting the answers together again."""

from __future__ import annotations

from typing import Final

from ...multipackage.commandset import read_answers
from ...multipackage.v1 import (
    MultiPackBufferFrag,
)
from ..check import Failed, NotApplicable
from ..devicepeer import DevicePeer
from ..subject import Uplink

__all__ = [
    "FPORT",
    "expect_whole",
    "joined",
    "other_packages",
    "say",
    "set_uplinks",
    "version_octets",
    "whole",
]

FPORT: Final = 225
_WAIT: Final = 200.0
"""Seconds for all pieces of a buffer to leave."""


def set_uplinks(peer: DevicePeer, within: float = _WAIT) -> list[bytes]:
    """Let time pass; return every payload on FPort 225."""
    return [
        one.payload for one in peer.wait(within) if isinstance(one, Uplink) and one.fport == FPORT
    ]


def say(peer: DevicePeer, payload: bytes) -> list[bytes]:
    """Send a payload on FPort 225; return what comes there."""
    peer.events()
    peer.send_raw(FPORT, payload)
    return set_uplinks(peer)


def whole(peer: DevicePeer, payload: bytes, token: int) -> bytes:
    """Send a command set; return the ANS buffer, from one uplink or from pieces.

    Raises:
        Failed: The pieces do not fit each other, or have another token.
    """
    came = say(peer, payload)
    if len(came) == 1 and came[0][:1] != b"\x02":
        if not came[0] or came[0][-1] & 3 != token:
            raise Failed(f"expected token {token} at the end; came {came[0].hex(' ')}")
        return came[0][:-1]
    return joined(peer, came, token)


def joined(peer: DevicePeer, came: list[bytes], token: int, *, first: int = 0) -> bytes:
    """Put the pieces of a buffer together.

    Raises:
        Failed: They do not follow each other, have another token, or are too long.
    """
    octets = b""
    for payload in came:
        piece = read_answers(payload, peer.packages.packages)
        if not isinstance(piece, MultiPackBufferFrag) or piece.ans is None:
            raise Failed(f"expected a MultiPackBufferFrag; came {payload.hex(' ')}")
        if len(payload) > peer.subject.about.max_payload:
            raise Failed(f"an uplink of {len(payload)} octets")
        if piece.base_byte != first + len(octets) or piece.token != token:
            wanted = f"BaseByte {first + len(octets)} and token {token}"
            raise Failed(f"expected {wanted}; came {payload.hex(' ')}")
        octets += piece.ans
    return octets


def version_octets(identifier: int, peer: DevicePeer) -> bytes:
    """Return the octets of a PackageVersionAns."""
    [version] = [
        one.version for one in peer.packages.packages.values() if one.identifier == identifier
    ]
    return bytes((0x00, identifier, version))


def expect_whole(peer: DevicePeer, payload: bytes, token: int, wanted: bytes) -> None:
    """Send a command set, and fail unless the ANS buffer is this."""
    came = whole(peer, payload, token)
    if came != wanted:
        raise Failed(f"expected {wanted.hex(' ')}; came {came.hex(' ') or 'nothing'}")


def other_packages(peer: DevicePeer) -> list[int]:
    """Return the identifiers of the device's packages besides this one.

    Raises:
        NotApplicable: There are none.
    """
    found = sorted(
        one.identifier
        for one in peer.packages.packages.values()
        if one.name in peer.subject.about.versions and one.identifier
    )
    if not found:
        raise NotApplicable("the device has no other package")
    return found
