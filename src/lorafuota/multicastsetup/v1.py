"""Remote Multicast Setup, version 1 (TS005-1.0.0)."""

from __future__ import annotations

import enum

from ..package import Package, PackageVersionAns, PackageVersionReq
from ..types import DOWNLINK, UPLINK, DevAddr
from ..wire import Command, Record, command, flag, octets, only_if, record, repeat, uint

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

    Version 1 reserves the three bits above MC_GROUP_UNDEFINED, but known version 1 devices set the
    first of them for a missed start and leave TimeToStart out, so any bit counts as a refusal.
    """

    DR_ERROR = 1
    FREQ_ERROR = 2
    MC_GROUP_UNDEFINED = 4


@command(0x01, DOWNLINK, size=1)
class McGroupStatusReq(Command):
    """Ask which groups the device holds."""

    req_group_mask: int = uint(4, rfu=4, doc="Groups to list, bit = group")


@record
class McGroup(Record):
    """One line of McGroupStatusAns."""

    mc_group_id: int = uint(2, rfu=6, doc="Group", spec="McGroupID")
    mc_addr: DevAddr = uint(32, DevAddr, doc="Its address")


@command(0x01, UPLINK, size=1)
class McGroupStatusAns(Command):
    """List the groups asked for, ascending; the highest are left out if they do not fit."""

    ans_group_mask: int = uint(4, doc="Groups listed below, bit = group")
    nb_total_groups: int = uint(3, rfu=1, high=4, doc="Groups the device holds in all")
    groups: tuple[McGroup, ...] = repeat(
        McGroup, by="ans_group_mask", key="mc_group_id", doc="The groups, ascending"
    )


@command(0x02, DOWNLINK, size=29)
class McGroupSetupReq(Command):
    """Create a group, or replace all its parameters."""

    mc_group_id: int = uint(2, rfu=6, doc="Group", spec="McGroupID")
    mc_addr: DevAddr = uint(32, DevAddr, doc="Address of the group")
    mc_key_encrypted: bytes = octets(16, doc="McKey under McKEKey", spec="McKey_encrypted")
    min_mc_fcnt: int = uint(
        32, spec="minMcFCnt", doc="Counter of the next frame; earlier ones are rejected"
    )
    max_mc_fcnt: int = uint(
        32, spec="maxMcFCnt", doc="End of the group's life (exclusive in 1.0.0)"
    )


@command(0x02, UPLINK, size=1)
class McGroupSetupAns(Command):
    """Confirm a group, or say that the device has no place for that McGroupID."""

    mc_group_id: int = uint(2, doc="Group", spec="McGroupID")
    id_error: bool = flag(rfu=5, doc="McGroupID not supported; nothing was stored", spec="IDerror")


@command(0x03, DOWNLINK, size=1)
class McGroupDeleteReq(Command):
    """Delete a group with its keys and sessions."""

    mc_group_id: int = uint(2, rfu=6, doc="Group", spec="McGroupID")


@command(0x03, UPLINK, size=1)
class McGroupDeleteAns(Command):
    """Confirm that a group is gone."""

    mc_group_id: int = uint(2, doc="Group", spec="McGroupID")
    mc_group_undefined: bool = flag(rfu=5, doc="There was no such group")


@command(0x04, DOWNLINK, size=10)
class McClassCSessionReq(Command):
    """Have the device listen continuously from SessionTime for at most 2**TimeOut seconds."""

    mc_group_id: int = uint(2, rfu=6, doc="Group", spec="McGroupID")
    session_time: int = uint(32, doc="Start: GPS seconds modulo 2**32")
    time_out: int = uint(4, rfu=4, doc="Lasts 2**TimeOut seconds at most")
    dl_freq_hz: int = uint(24, step=100, doc="Frequency in Hz", spec="DLFreq")
    dr: int = uint(8, doc="Data rate index of the region", spec="DR")


@command(0x04, UPLINK, size=1)
class McClassCSessionAns(Command):
    """Accept or refuse a class C session."""

    mc_group_id: int = uint(2, doc="Group", spec="McGroupID")
    errors: SessionError = uint(
        6, SessionError, reserved=0b111000, doc="Zero when accepted", spec="Status"
    )
    time_to_start: int | None = only_if(
        "errors", 0, uint(24, doc="Seconds from this uplink to the start")
    )


@command(0x05, DOWNLINK, size=10)
class McClassBSessionReq(Command):
    """Have the device open class B ping slots from SessionTime for 2**TimeOut beacon periods.

    SessionTime should be a multiple of 128; devices start at the next one otherwise.
    """

    mc_group_id: int = uint(2, rfu=6, doc="Group", spec="McGroupID")
    session_time: int = uint(32, doc="Start: GPS seconds modulo 2**32, a multiple of 128")
    time_out: int = uint(4, doc="Lasts 128 * 2**TimeOut seconds at most")
    periodicity: int = uint(3, rfu=1, doc="2**(7-Periodicity) ping slots in a beacon period")
    dl_freq_hz: int = uint(24, step=100, doc="Frequency in Hz; 0 hops", spec="DLFreq")
    dr: int = uint(8, doc="Data rate index of the region", spec="DR")


@command(0x05, UPLINK, size=1)
class McClassBSessionAns(Command):
    """Accept or refuse a class B session."""

    mc_group_id: int = uint(2, doc="Group", spec="McGroupID")
    errors: SessionError = uint(
        6, SessionError, reserved=0b111000, doc="Zero when accepted", spec="Status"
    )
    time_to_start: int | None = only_if(
        "errors", 0, uint(24, doc="Seconds from this uplink to the start, roughly")
    )


PACKAGE = Package(
    name="multicastsetup",
    title="Remote Multicast Setup",
    document="TS005-1.0.0",
    identifier=2,
    version=1,
    fport=200,
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
