"""Reading and setting a device's clock, and having it ask for the time (TS003).

The clock is read with DeviceAppTimePeriodicityReq, whose answer carries it whether the period is
taken or not.  The longest Period is set first where a check counts requests, so that a periodic one
does not come between.
"""

from __future__ import annotations

from typing import Final

from ...clocksync import v1
from ...gpstime import WRAP_SECONDS
from ...package import Parsed
from ...types import UPLINK
from ...wire import Command
from ..check import Failed, NotApplicable
from ..devicepeer import DevicePeer
from ..subject import Uplink

__all__ = [
    "LONGEST_GAP",
    "TOLERANCE",
    "asked_once",
    "clock_answers",
    "clock_error",
    "correct",
    "expect_error",
    "force_octets",
    "forced_requests",
    "next_request",
    "requests",
    "set_period",
]

TOLERANCE: Final = 2
"""Seconds a clock may be off: it is read in whole ones, and takes some time to leave."""
LONGEST_GAP: Final = 120.0
"""Seconds between two forced requests at most, as far as this kit waits."""


def force_octets(count: int) -> bytes:
    """Return ForceDeviceResync: it has another name in each version, and the same octets."""
    return bytes((0x03, count))


def requests(peer: DevicePeer, within: float) -> list[tuple[float, v1.AppTimeReq]]:
    """Let time pass; return each AppTimeReq and when it came."""
    package = peer.package("clocksync")
    fport = peer.packages.fport(package.name)
    return [
        (event.time, one)
        for event in peer.wait(within)
        if isinstance(event, Uplink) and event.fport == fport
        for one in package.parse(event.payload, UPLINK)
        if isinstance(one, v1.AppTimeReq)
    ]


def forced_requests(
    peer: DevicePeer, count: int, within: float
) -> list[tuple[float, v1.AppTimeReq]]:
    """Have the device ask for the time; return each request and when it came.

    Raises:
        Failed: It does not ask at all.
    """
    peer.events()
    peer.send(peer.package("clocksync"), force_octets(count))
    found = requests(peer, within)
    if not found:
        raise Failed("expected requests for the time; came none")
    return found


def next_request(peer: DevicePeer, within: float) -> v1.AppTimeReq | None:
    """Let time pass until an AppTimeReq comes, or *within* is over."""
    end = peer.now + within
    while peer.now < end:
        found = requests(peer, min(2.0, end - peer.now))
        if found:
            return found[-1][1]
    return None


def asked_once(peer: DevicePeer) -> v1.AppTimeReq:
    """Have the device ask for the time once; return its request.

    Raises:
        NotApplicable: It does not.
    """
    peer.events()
    peer.send(peer.package("clocksync"), force_octets(1))
    found = next_request(peer, LONGEST_GAP)
    if found is None:
        raise NotApplicable("the device does not ask for the time when it is forced to")
    return found


def clock_answers(
    peer: DevicePeer, *commands: Command | bytes, within: float = 20.0
) -> list[Parsed]:
    """Send commands; return the answers, without requests that the device makes by itself."""
    package = peer.package("clocksync")
    came = peer.ask(package, *commands, within=within)
    return [one for one in came if not isinstance(one, v1.AppTimeReq)]


def set_period(peer: DevicePeer, period: int) -> v1.DeviceAppTimePeriodicityAns:
    """Set a period; return the answer.

    Raises:
        Failed: There is not one.
    """
    came = clock_answers(peer, v1.DeviceAppTimePeriodicityReq(period=period))
    if len(came) != 1 or not isinstance(came[0], v1.DeviceAppTimePeriodicityAns):
        raise Failed(f"expected one DeviceAppTimePeriodicityAns; came {came or 'nothing'}")
    return came[0]


def clock_error(peer: DevicePeer) -> int:
    """Return by how many seconds the device's clock is fast, folded to 32 bits with a sign."""
    fport = peer.packages.fport("clocksync")
    peer.events()
    package = peer.package("clocksync")
    peer.send(package, v1.DeviceAppTimePeriodicityReq(period=15))
    for event in peer.wait(20.0):
        if isinstance(event, Uplink) and event.fport == fport:
            for one in package.parse(event.payload, UPLINK):
                if isinstance(one, v1.DeviceAppTimePeriodicityAns):
                    off = (one.device_time - int(event.time)) % WRAP_SECONDS
                    return off - WRAP_SECONDS if off >= WRAP_SECONDS // 2 else off
    raise Failed("expected one DeviceAppTimePeriodicityAns; came nothing")


def expect_error(peer: DevicePeer, wanted: int) -> None:
    """Fail unless the clock is fast by so many seconds, modulo 2**32."""
    found = clock_error(peer)
    off = (found - wanted + WRAP_SECONDS // 2) % WRAP_SECONDS - WRAP_SECONDS // 2
    if abs(off) > TOLERANCE:
        raise Failed(f"expected a clock that is {wanted:+d} s off; it is {found:+d} s off")


def correct(peer: DevicePeer, seconds: int, token: int) -> None:
    """Send a correction."""
    package = peer.package("clocksync")
    peer.send(package, v1.AppTimeAns(time_correction=seconds, token_ans=token))
