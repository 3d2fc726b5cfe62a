"""Application Layer Clock Synchronization, version 1 (TS003-1.0.0)."""

from __future__ import annotations

from ..package import Package, PackageVersionAns, PackageVersionReq
from ..types import DOWNLINK, UPLINK
from ..wire import Command, command, flag, sint, uint

__all__ = [
    "PACKAGE",
    "AppTimeAns",
    "AppTimeReq",
    "DeviceAppTimePeriodicityAns",
    "DeviceAppTimePeriodicityReq",
    "ForceDeviceResyncReq",
    "PackageVersionAns",
    "PackageVersionReq",
]


@command(0x01, UPLINK, size=5)
class AppTimeReq(Command):
    """Report the device's clock and ask for a correction.  The device speaks first here.

    The clock is read just before the radio sends; a delayed frame is rebuilt with a fresh one.
    """

    device_time: int = uint(32, doc="Device clock: GPS seconds modulo 2**32")
    token_req: int = uint(4, doc="Counts the corrections the device has applied, modulo 16")
    ans_required: bool = flag(rfu=3, doc="The device wants an answer even when in sync")


@command(0x01, DOWNLINK, size=5)
class AppTimeAns(Command):
    """Correct the device's clock.

    A difference, not a time: right however late it arrives.  Both extremes mean that the true
    difference may be larger; a version 2 device then asks again (TS003-2.0.0, AppTimeAns).
    """

    time_correction: int = sint(32, doc="Seconds to add to the device clock")
    token_ans: int = uint(4, rfu=4, doc="TokenReq of the request; another one is ignored")


@command(0x02, DOWNLINK, size=1)
class DeviceAppTimePeriodicityReq(Command):
    """Set the interval between AppTimeReq: 128 * 2**Period seconds, give or take 30."""

    period: int = uint(4, rfu=4, doc="Interval is 128 * 2**Period seconds")


@command(0x02, UPLINK, size=5)
class DeviceAppTimePeriodicityAns(Command):
    """Accept or refuse the interval; either way the device tells its clock."""

    not_supported: bool = flag(rfu=7, doc="The device keeps its own schedule")
    device_time: int = uint(
        32, doc="Device clock: GPS seconds modulo 2**32 (named Time in 1.0.0)", spec="DeviceTime"
    )


@command(0x03, DOWNLINK, size=1)
class ForceDeviceResyncReq(Command):
    """Have the device send AppTimeReq up to NbTransmissions times.  No answer of its own."""

    nb_transmissions: int = uint(3, rfu=5, doc="How often at most; 0 is silently discarded")


PACKAGE = Package(
    name="clocksync",
    title="Application Layer Clock Synchronization",
    document="TS003-1.0.0",
    identifier=1,
    version=1,
    fport=202,
    commands=(
        PackageVersionReq,
        PackageVersionAns,
        AppTimeAns,
        AppTimeReq,
        DeviceAppTimePeriodicityReq,
        DeviceAppTimePeriodicityAns,
        ForceDeviceResyncReq,
    ),
)
