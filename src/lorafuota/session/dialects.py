"""Messages that no document defines and known stacks send all the same.

They are declared like any other, so that a profile can have a device send or read them.  The
server's half of the library never sends one.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from ..fragmentation import v1 as fragmentation_v1
from ..types import DOWNLINK, UPLINK
from ..wire import Command, command, flag, rest, uint

__all__ = [
    "ZERO_BASED",
    "CutShortAns",
    "LongAbsentStatusAns",
    "ZeroBasedDataFragment",
]


@command(0x01, UPLINK, size=4)
class LongAbsentStatusAns(Command):
    """FragSessionStatusAns without a session, as LoRa Basics Modem 4.8.0 sends it in version 2."""

    memory_error: bool = flag(doc="As the last session left it")
    mic_error: bool = flag(doc="Always set, and means nothing")
    session_does_not_exist: bool = flag(rfu=5, doc="No such session, and yet something follows")
    nb_frag_received: int = uint(14, doc="As the last session left it")
    frag_index: int = uint(2, doc="As the last session left it")
    missing_frag: int = uint(8, doc="As the last session left it")


@command(0x04, UPLINK, size=0)
class CutShortAns(Command):
    """McClassCSessionAns without its status, as Zephyr sends it for FreqError and DRError."""


@command(0x08, DOWNLINK, size=2, alone=True, multicast=True)
class ZeroBasedDataFragment(Command):
    """DataFragment as MultiTech Conduit's server sends it: the first fragment has number 0."""

    n: int = uint(14, high=16382, doc="Fragment number, from 0")
    frag_index: int = uint(2, doc="Session")
    payload: bytes = rest(doc="FragSize octets")


ZERO_BASED: Final = dataclasses.replace(
    fragmentation_v1.PACKAGE,
    document="TS004-1.0.0, fragments from 0",
    commands=(*fragmentation_v1.PACKAGE.commands[:-1], ZeroBasedDataFragment),
)
"""Version 1 of TS004 with fragments that are numbered from 0."""
