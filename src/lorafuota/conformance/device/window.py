"""Requesting sessions of class B and C (TS005), and watching the class of a device."""

from __future__ import annotations

from typing import Final, TypeAlias

from ...gpstime import WRAP_SECONDS
from ...multicastsetup import v1, v2
from ...types import UPLINK
from ..check import Failed
from ..devicepeer import DevicePeer
from ..subject import ClassChanged, DeviceEvent, Uplink
from .group import class_c_req

__all__ = [
    "BEACON",
    "EARLY",
    "LATE",
    "SessionAns",
    "SessionReq",
    "accept",
    "class_b_req",
    "class_changes",
    "expect_no_window",
    "expect_window",
    "refuse_session",
    "session_answer",
    "session_req",
]


EARLY: Final = 15.0
"""Seconds a device may open its receiver before the session: its clock may be off."""
LATE: Final = 1.5
"""Seconds it may open, or close, afterwards."""
BEACON: Final = 128

SessionReq: TypeAlias = v1.McClassCSessionReq | v1.McClassBSessionReq
SessionAns: TypeAlias = (
    v1.McClassCSessionAns | v1.McClassBSessionAns | v2.McClassCSessionAns | v2.McClassBSessionAns
)


def class_b_req(
    peer: DevicePeer, mc_group_id: int, *, periods: int = 5, time_out: int = 0, periodicity: int = 4
) -> v1.McClassBSessionReq:
    """Return the request for a class B session that starts at a beacon, so many periods ahead."""
    about = peer.subject.about
    return v1.McClassBSessionReq(
        mc_group_id=mc_group_id,
        session_time=(int(peer.now // BEACON) + periods) * BEACON % WRAP_SECONDS,
        time_out=time_out,
        periodicity=periodicity,
        dl_freq_hz=about.dl_freq_hz,
        dr=about.dr,
    )


def session_req(peer: DevicePeer, letter: str, mc_group_id: int = 0) -> SessionReq:
    """Return a good request of either class, some minutes ahead."""
    if letter == "b":
        return class_b_req(peer, mc_group_id)
    return class_c_req(peer, mc_group_id, start=600.0)


def session_answer(
    peer: DevicePeer, request: SessionReq | bytes
) -> tuple[SessionAns | None, float]:
    """Send a request; return its answer, None if there is none, and when it came.

    Raises:
        Failed: Something else came.
    """
    package = peer.package("multicastsetup")
    fport = peer.packages.fport(package.name)
    events = peer.events()
    peer.send(package, request)
    peer.pause(20.0)
    kept, found = list[DeviceEvent](), list[tuple[SessionAns, float]]()
    for event in peer.events():
        if not (isinstance(event, Uplink) and event.fport == fport):
            kept.append(event)
            continue
        for one in package.parse(event.payload, UPLINK):
            if not isinstance(one, SessionAns):
                raise Failed(f"expected one answer to the session request; came {one}")
            found.append((one, event.time))
    peer.put_back([*events, *kept])
    if len(found) > 1:
        raise Failed(f"expected one answer to the session request; came {len(found)}")
    return found[0] if found else (None, peer.now)


def accept(peer: DevicePeer, request: SessionReq) -> SessionAns:
    """Send a request, and fail unless the device accepts it."""
    answer, _ = session_answer(peer, request)
    if answer is None or answer.errors or answer.mc_group_id != request.mc_group_id:
        raise Failed(f"expected the session to be accepted; came {answer or 'nothing'}")
    return answer


def refuse_session(
    peer: DevicePeer, request: SessionReq, bits: v2.SessionError, *, only: bool
) -> None:
    """Send a request, and fail unless it is refused with these bits, and with *only* these."""
    answer, _ = session_answer(peer, request)
    errors = None if answer is None else v2.SessionError(int(answer.errors))
    right = errors is not None and (errors == bits if only else errors & bits == bits)
    if not right:
        raise Failed(f"expected {bits!r}; came {answer or 'nothing'}")


def class_changes(peer: DevicePeer, until: float) -> list[ClassChanged]:
    """Let time pass until *until*; return every change of class since somebody last asked."""
    return [one for one in peer.wait(until - peer.now) if isinstance(one, ClassChanged)]


def expect_window(
    peer: DevicePeer, letter: str, start: float, end: float, *, early: float = EARLY
) -> None:
    """Fail unless the device listens from *start* to *end*, and goes back to class A then."""
    changes = class_changes(peer, end + 300.0)
    opened = [one for one in changes if one.device_class == letter]
    shown = ", ".join(f"{one.device_class} at {one.time - start:+.1f} s" for one in changes)
    if len(opened) != 1 or not start - early <= opened[0].time <= start + LATE:
        raise Failed(
            f"expected class {letter} at the start of the session; came {shown or 'no change'}"
        )
    closed = [one for one in changes if one.time > opened[0].time]
    if (
        not closed
        or closed[0].device_class != "A"
        or not (end - LATE <= closed[0].time <= end + EARLY)
    ):
        length = end - start
        raise Failed(f"expected class A after {length:.0f} s; came {shown}")


def expect_no_window(peer: DevicePeer, seconds: float) -> None:
    """Fail if the device leaves class A."""
    changes = class_changes(peer, peer.now + seconds)
    if any(one.device_class != "A" for one in changes):
        shown = ", ".join(f"{one.device_class} at {one.time:.1f}" for one in changes)
        raise Failed(f"expected no session; came {shown}")
