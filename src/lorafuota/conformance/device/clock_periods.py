"""Checks of the period of AppTimeReq that a server sets (TS003)."""

from __future__ import annotations

import itertools
from typing import Final

from ...clocksync import v1
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from .clock import (
    clock_answers,
    expect_error,
    requests,
    set_period,
)
from .spread import TRIALS, expect_random, expect_uniform

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_PERIOD: Final = "TS003, DeviceAppTimePeriodicityReq"


@CHECKS.check("clocksync", _BOTH, "period-answer", clause=_PERIOD)
def period_answer(peer: DevicePeer) -> None:
    """Every Period is answered, and the answer carries the clock, also if it is not supported.

    It is the only way to read a device's clock at once.
    """
    for period in range(16):
        set_period(peer, period)
    expect_error(peer, 0)


@CHECKS.check("clocksync", _BOTH, "period-taken", clause=_PERIOD, severity=Severity.QUIRK)
def period_taken(peer: DevicePeer) -> None:
    """The period of the server is taken.  A device may keep its own, and known ones always do."""
    for period in (0, 5, 15):
        if set_period(peer, period).not_supported:
            raise Failed(f"Period {period} is not supported")


def _intervals(peer: DevicePeer, period: int, count: int) -> list[float]:
    """Set a period; return the distances of the requests that follow."""
    if set_period(peer, period).not_supported:
        raise NotApplicable("the device keeps a period of its own")
    nominal = 128 << period
    times = [time for time, _ in requests(peer, (nominal + 30.0) * (count + 1))]
    return [later - earlier for earlier, later in itertools.pairwise(times)][:count]


@CHECKS.check("clocksync", _BOTH, "period-kept", clause=_PERIOD)
def period_kept(peer: DevicePeer) -> None:
    """A request comes every 128 * 2**Period seconds, give or take 30.

    Octets are easily shifted by one: 64 or 256 seconds look right at a glance.
    """
    for period in (0, 2):
        nominal = 128 << period
        intervals = _intervals(peer, period, 6)
        if len(intervals) < 5 or not all(abs(one - nominal) <= 32.0 for one in intervals):
            shown = ", ".join(f"{one:.0f}" for one in intervals)
            raise Failed(f"expected distances of {nominal} s, give or take 30; came {shown}")


@CHECKS.check("clocksync", _BOTH, "period-varies", clause=_PERIOD)
def period_varies(peer: DevicePeer) -> None:
    """The distance is drawn anew for every request, over the 60 seconds.

    Devices that were switched on together would ask together for ever.
    """
    expect_random(_intervals(peer, 0, 32), 98.0, 158.0)


@CHECKS.check("clocksync", _BOTH, "period-uniform", clause=_PERIOD, severity=Severity.RECOMMENDED)
def period_uniform(peer: DevicePeer) -> None:
    """The distance is drawn evenly from the 60 seconds."""
    expect_uniform(_intervals(peer, 0, TRIALS), 97.5, 158.5)


@CHECKS.check("clocksync", _BOTH, "period-reserved-bits", clause="TS003, RFU")
def period_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside Period are ignored: 0xF0 is Period 0.

    A known library shifts by the whole octet.
    """
    came = clock_answers(peer, b"\x02\xf0")
    if len(came) != 1 or not isinstance(came[0], v1.DeviceAppTimePeriodicityAns):
        raise Failed(f"expected one DeviceAppTimePeriodicityAns; came {came or 'nothing'}")
    if came[0].not_supported:
        raise NotApplicable("the device keeps a period of its own")
    if len(requests(peer, 1_000.0)) < 5:
        raise Failed("expected requests every 128 s; they do not come")


@CHECKS.check(
    "clocksync",
    _BOTH,
    "period-survives-reset",
    clause="TS003 leaves it open",
    severity=Severity.RECOMMENDED,
    needs=["power-cycle"],
)
def period_survives_reset(peer: DevicePeer) -> None:
    """The period of the server is kept over a power cycle: nobody tells the server."""
    if set_period(peer, 0).not_supported:
        raise NotApplicable("the device keeps a period of its own")
    peer.power_on()
    if len(requests(peer, 2_000.0)) < 8:
        raise Failed("expected requests every 128 s after the reset; they do not come")
