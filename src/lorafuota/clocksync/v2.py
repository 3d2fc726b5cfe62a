"""Application Layer Clock Synchronization, version 2 (TS003-2.0.0): what changed since 1.

On the wire one name.  In behaviour: corrections that do not fit saturate and are asked for again,
the server shall answer a clock that is off, and the device no longer juggles ADR and NbTrans.
"""

from __future__ import annotations

import dataclasses

from ..package import PackageVersionAns, PackageVersionReq
from ..types import DOWNLINK
from ..wire import Command, command, uint
from . import v1
from .v1 import (
    AppTimeAns,
    AppTimeReq,
    DeviceAppTimePeriodicityAns,
    DeviceAppTimePeriodicityReq,
)

__all__ = [
    "PACKAGE",
    "AppTimeAns",
    "AppTimeReq",
    "DeviceAppTimePeriodicityAns",
    "DeviceAppTimePeriodicityReq",
    "ForceDeviceResyncCmd",
    "PackageVersionAns",
    "PackageVersionReq",
]


@command(0x03, DOWNLINK, size=1)
class ForceDeviceResyncCmd(Command):
    """Have the device send AppTimeReq up to NbTransmissions times.  No answer of its own."""

    nb_transmissions: int = uint(3, rfu=5, doc="How often at most; 0 is silently discarded")


PACKAGE = dataclasses.replace(
    v1.PACKAGE,
    document="TS003-2.0.0",
    version=2,
    commands=(
        PackageVersionReq,
        PackageVersionAns,
        AppTimeAns,
        AppTimeReq,
        DeviceAppTimePeriodicityReq,
        DeviceAppTimePeriodicityAns,
        ForceDeviceResyncCmd,
    ),
)
