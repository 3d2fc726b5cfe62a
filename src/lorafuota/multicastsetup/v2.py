"""Remote Multicast Setup, version 2 (TS005-2.0.0): what changed since 1.

Requests are the same on the wire.  The answers to session requests gain StartMissed, two bits for
future errors that count as refusals already, and a meaning for the largest TimeToStart.
"""

from __future__ import annotations

import dataclasses
import enum

from ..package import PackageVersionAns, PackageVersionReq
from ..types import UPLINK
from ..wire import Command, command, only_if, uint
from . import v1
from .v1 import (
    McClassBSessionReq,
    McClassCSessionReq,
    McGroup,
    McGroupDeleteAns,
    McGroupDeleteReq,
    McGroupSetupAns,
    McGroupSetupReq,
    McGroupStatusAns,
    McGroupStatusReq,
)

__all__ = [
    "PACKAGE",
    "McClassBSessionAns",
    "McClassBSessionReq",
    "McClassCSessionAns",
    "McClassCSessionReq",
    "McGroup",
    "McGroupDeleteAns",
    "McGroupDeleteReq",
    "McGroupSetupAns",
    "McGroupSetupReq",
    "McGroupStatusAns",
    "McGroupStatusReq",
    "PackageVersionAns",
    "PackageVersionReq",
    "SessionError",
]


class SessionError(enum.IntFlag):
    """Why a device refuses a session; zero means that it accepts.

    The two bits above START_MISSED are reserved for future errors: never sent, read as a refusal.
    """

    DR_ERROR = 1
    FREQ_ERROR = 2
    MC_GROUP_UNDEFINED = 4
    START_MISSED = 8


@command(0x04, UPLINK, size=1)
class McClassCSessionAns(Command):
    """Accept or refuse a class C session."""

    mc_group_id: int = uint(2, doc="Group", spec="McGroupID")
    errors: SessionError = uint(
        6, SessionError, reserved=0b110000, doc="Zero when accepted", spec="Status"
    )
    time_to_start: int | None = only_if(
        "errors", 0, uint(24, doc="Seconds from this uplink to the start; 0xFFFFFF: clock is off")
    )


@command(0x05, UPLINK, size=1)
class McClassBSessionAns(Command):
    """Accept or refuse a class B session."""

    mc_group_id: int = uint(2, doc="Group", spec="McGroupID")
    errors: SessionError = uint(
        6, SessionError, reserved=0b110000, doc="Zero when accepted", spec="Status"
    )
    time_to_start: int | None = only_if(
        "errors", 0, uint(24, doc="Seconds from this uplink to the start; 0xFFFFFF: clock is off")
    )


PACKAGE = dataclasses.replace(
    v1.PACKAGE,
    document="TS005-2.0.0",
    version=2,
    commands=(
        PackageVersionReq,
        PackageVersionAns,
        McGroupStatusReq,
        McGroupStatusAns,
        McGroupSetupReq,
        McGroupSetupAns,
        McGroupDeleteReq,
        McGroupDeleteAns,
        McClassCSessionReq,
        McClassCSessionAns,
        McClassBSessionReq,
        McClassBSessionAns,
    ),
)
