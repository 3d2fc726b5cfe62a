"""Checks of class B sessions (TS005): beacon periods, not seconds."""

from __future__ import annotations

import dataclasses
from typing import Final

from ..check import Catalogue, Failed, Severity
from ..devicepeer import DevicePeer
from .group import set_up_group
from .window import (
    BEACON,
    accept,
    class_b_req,
    class_changes,
    expect_window,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_B: Final = "TS005, McClassBSessionReq"


def _declare_periods(time_out: int, periodicity: int) -> None:
    @CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"class-b-time-out-{time_out}",
        clause="TS005, TimeOutPeriodicity",
        needs=["class-b"],
    )
    def lasts(peer: DevicePeer) -> None:
        """A class B session lasts 2**TimeOut beacon periods of 128 s, not seconds.

        TimeOut is the lower half of its octet, and Periodicity above it must not leak into it.  The
        device looks for the beacon before the session, some periods early (SWL2001 152, 157).
        """
        set_up_group(peer, 0)
        request = class_b_req(peer, 0, time_out=time_out, periodicity=periodicity)
        accept(peer, request)
        start = float(request.session_time)
        expect_window(peer, "B", start, start + (BEACON << time_out), early=400.0)


for _time_out, _periodicity in ((0, 7), (1, 1), (4, 3), (8, 5)):
    _declare_periods(_time_out, _periodicity)


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-b-between-beacons",
    clause="TS005: SessionTime is a beacon time",
    severity=Severity.RECOMMENDED,
    needs=["class-b"],
)
def class_b_between_beacons(peer: DevicePeer) -> None:
    """A class B session between two beacons is accepted, and begins at one of them.

    Servers are to send a beacon time and do not always.
    """
    set_up_group(peer, 0)
    request = class_b_req(peer, 0, time_out=1)
    odd = dataclasses.replace(request, session_time=request.session_time + 60)
    accept(peer, odd)
    changes = class_changes(peer, odd.session_time + 600.0)
    opened = [one.device_class for one in changes]
    if opened != ["B", "A"]:
        raise Failed(f"expected class B, and A again; came {', '.join(opened) or 'no change'}")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-b-not-c",
    clause=_B,
    needs=["class-b"],
)
def class_b_not_c(peer: DevicePeer) -> None:
    """A class B session does not open the receiver for good: a known stack runs it as class C."""
    set_up_group(peer, 0)
    request = class_b_req(peer, 0)
    accept(peer, request)
    changes = class_changes(peer, request.session_time + 400.0)
    if any(one.device_class == "C" for one in changes):
        raise Failed("the device goes to class C")
