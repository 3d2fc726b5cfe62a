"""Which answer a request gets, and how long it can be (TS007-1.0.0, section on the ANS buffer).

A server that puts requests together must know both beforehand: the ANS buffer has 128 octets, and
its length does not travel, so it is complete when the expected answers are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..firmwaremanagement import v1 as firmware
from ..multicastsetup import v1 as multicastsetup
from ..multipackage import v1 as multipackage
from ..package import Package
from ..types import UPLINK
from ..wire import Command

__all__ = ["answer_kind", "answer_room"]

_LONGEST: Final[Mapping[type[Command], int]] = {
    multipackage.DevPackageAns: 2 + 15 * 3,
    multicastsetup.McGroupStatusAns: 2 + 4 * 5,
    firmware.DevUpgradeImageAns: 2 + 4,
}
"""Answers whose length is not that of an answer of zeros."""


def answer_kind(package: Package, command: Command) -> type[Command] | None:
    """Return the message that answers a request, or None if a device says nothing to it.

    Nothing answers what is an answer itself (AppTimeAns), ForceDeviceResync, a fragment, and a
    reboot that is due at once.

    Args:
        package: The package, in the version the device speaks.
        command: A downlink of it.
    """
    match command:
        case firmware.DevRebootTimeReq(reboot_time=0) | firmware.DevRebootCountdownReq(countdown=0):
            return None
        case _:
            pass
    answer = package.find(UPLINK, command.CID)
    own, other = type(command).__name__, answer.__name__ if answer else ""
    return answer if own.endswith("Req") and other.endswith("Ans") else None


def answer_room(kind: type[Command]) -> int:
    """Return the octets of the longest answer of that kind, identifier included."""
    if kind in _LONGEST:
        return _LONGEST[kind]
    return len(kind.decode(bytes((kind.CID,)) + bytes(64)).encode())
