"""Checks of class C sessions (TS005): length, overlap, the clock."""

from __future__ import annotations

import dataclasses
from typing import Final

from ...clocksync import v1 as clocksync
from ...types import UPLINK
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import ClassChanged, Uplink
from .group import class_c_req, set_up_group
from .window import (
    accept,
    class_changes,
    expect_no_window,
    expect_window,
    session_answer,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_C: Final = "TS005, McClassCSessionReq"


def _declare_time_out(time_out: int) -> None:
    @CHECKS.check(
        "multicastsetup", _BOTH, f"class-c-time-out-{time_out}", clause=_C, needs=["class-c"]
    )
    def lasts(peer: DevicePeer) -> None:
        """A class C session begins at SessionTime and lasts 2**TimeOut seconds at most."""
        set_up_group(peer, 0)
        request = class_c_req(peer, 0, start=600.0, time_out=time_out)
        accept(peer, request)
        start = float(request.session_time)
        expect_window(peer, "C", start, start + (1 << time_out))


for _time_out in (2, 8, 12, 15):
    _declare_time_out(_time_out)


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "time-to-start-exact",
    clause="TS005, TimeToStart: seconds from this uplink",
    severity=Severity.QUIRK,
    needs=["class-c"],
)
def time_to_start_exact(peer: DevicePeer) -> None:
    """TimeToStart counts from the uplink that carries it, to the second.

    Known stacks count from the request; one waits for some seconds before it answers.
    """
    set_up_group(peer, 0)
    request = class_c_req(peer, 0, start=600.0)
    answer, time = session_answer(peer, request)
    wanted = request.session_time - time
    if answer is None or answer.time_to_start is None or abs(answer.time_to_start - wanted) > 1.0:
        raise Failed(f"expected TimeToStart {wanted:.1f}; came {answer or 'nothing'}")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-other-group",
    clause=_C,
    needs=["class-c"],
)
def class_c_other_group(peer: DevicePeer) -> None:
    """Sessions of two groups, one after the other, both take place.

    A known stack has one timer for all groups, and the second request cancels the first.
    """
    set_up_group(peer, 0)
    set_up_group(peer, 1)
    first = class_c_req(peer, 0, start=300.0, time_out=5)
    second = class_c_req(peer, 1, start=900.0, time_out=5)
    accept(peer, first)
    accept(peer, second)
    changes = class_changes(peer, second.session_time + 100.0)
    opened = [one.mc_group_id for one in changes if one.device_class == "C"]
    if opened != [0, 1]:
        raise Failed(f"expected sessions of groups 0 and 1; came {opened}")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-overlap-same",
    clause="TS005 leaves overlap open",
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def class_c_overlap_same(peer: DevicePeer) -> None:
    """Sessions of two groups that overlap with one frequency and data rate both take place."""
    set_up_group(peer, 0)
    set_up_group(peer, 1)
    first = class_c_req(peer, 0, start=300.0, time_out=9)
    accept(peer, first)
    accept(peer, class_c_req(peer, 1, start=400.0, time_out=9))
    changes = class_changes(peer, first.session_time + 300.0)
    opened = [one.mc_group_id for one in changes if one.device_class == "C"]
    if sorted(opened, key=str) != [0, 1] or any(one.device_class == "A" for one in changes):
        raise Failed(f"expected both sessions to run; came {opened}")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-overlap-other",
    clause="TS005 leaves overlap open",
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def class_c_overlap_other(peer: DevicePeer) -> None:
    """A session on another frequency does not end one that runs: there is one receiver.

    The first keeps it until its end; no error bit is made for overlap, so both are accepted.
    """
    set_up_group(peer, 0)
    set_up_group(peer, 1)
    first = class_c_req(peer, 0, start=300.0, time_out=9)
    second = class_c_req(peer, 1, start=400.0, time_out=9)
    second = dataclasses.replace(second, dl_freq_hz=second.dl_freq_hz - 200_000)
    accept(peer, first)
    answer, _ = session_answer(peer, second)
    if answer is None or answer.errors:
        raise NotApplicable("the device does not use the frequency 200 kHz below")
    changes = class_changes(peer, first.session_time + 500.0)
    opened = [(one.device_class, one.mc_group_id) for one in changes]
    if opened != [("C", 0)]:
        raise Failed(f"expected the first session alone until its end; came {opened}")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-clock-moves",
    clause="TS005, state machine; TS003, TimeCorrection",
    needs=["class-c"],
)
def class_c_clock_moves(peer: DevicePeer) -> None:
    """A session moves with the device's clock: a timer set once starts it at the old time.

    The server corrects the clock because TimeToStart was wrong; without this it cannot be helped.
    """
    clock = peer.package("clocksync")
    set_up_group(peer, 0)
    request = class_c_req(peer, 0, start=900.0, time_out=6)
    accept(peer, request)
    token = _token(peer)
    peer.send(clock, clocksync.AppTimeAns(time_correction=300, token_ans=token))
    start = request.session_time - 300.0
    expect_window(peer, "C", start, start + 64)


def _token(peer: DevicePeer) -> int:
    """Have the device ask for the time; return its token."""
    clock = peer.package("clocksync")
    asked = peer.ask(clock, b"\x03\x01", within=120.0)
    tokens = [one.token_req for one in asked if isinstance(one, clocksync.AppTimeReq)]
    if not tokens:
        raise NotApplicable("the device does not ask for the time when it is forced to")
    return tokens[-1]


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-time-unknown",
    clause="TS005 leaves it open",
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def class_c_time_unknown(peer: DevicePeer) -> None:
    """Without the time a device says so: TimeToStart 0xFFFFFF, or a refusal.

    A plausible time that is wrong costs the whole session.
    """
    peer.power_on(factory=True, clock_known=False)
    set_up_group(peer, 0)
    answer, _ = session_answer(peer, class_c_req(peer, 0, start=600.0))
    if answer is None or (not answer.errors and answer.time_to_start != 0xFFFFFF):
        raise Failed(f"expected TimeToStart 0xFFFFFF or a refusal; came {answer or 'nothing'}")
    expect_no_window(peer, 300.0)


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-time-learnt",
    clause="TS005 leaves it open",
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def class_c_time_learnt(peer: DevicePeer) -> None:
    """A session that waits for the time begins when the device has learnt it.

    The device asks for the time because of it, and the answer comes before the start.
    """
    clock = peer.package("clocksync")
    peer.power_on(factory=True, clock_known=False)
    set_up_group(peer, 0)
    request = class_c_req(peer, 0, start=3_000.0, time_out=6)
    answer, _ = session_answer(peer, request)
    if answer is None or answer.errors:
        raise NotApplicable("the device refuses a session while it does not know the time")
    fport = peer.packages.fport(clock.name)
    peer.events()
    for _ in range(40):
        for event in peer.wait(60.0):
            if not isinstance(event, Uplink) or event.fport != fport:
                continue
            for one in clock.parse(event.payload, UPLINK):
                if isinstance(one, clocksync.AppTimeReq):
                    late = int(event.time) - one.device_time
                    correction = max(min(late, (1 << 31) - 1), -(1 << 31))
                    peer.send(
                        clock,
                        clocksync.AppTimeAns(time_correction=correction, token_ans=one.token_req),
                    )
                    start = float(request.session_time)
                    expect_window(peer, "C", start, start + 64)
                    return
    raise Failed("expected the device to ask for the time; it does not")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-in-middle",
    clause="TS005 leaves it open",
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def class_c_in_middle(peer: DevicePeer) -> None:
    """The request of the running session, repeated, does not end the session.

    A late repeat of the server would stop what it set going.
    """
    set_up_group(peer, 0)
    request = class_c_req(peer, 0, start=60.0, time_out=9)
    accept(peer, request)
    class_changes(peer, request.session_time + 5.0)
    session_answer(peer, request)
    changes = class_changes(peer, request.session_time + 400.0)
    if changes and changes[-1].device_class == "A":
        raise Failed("expected the session to go on; the device is in class A")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-replaces-running",
    clause="TS005, state machine: one session for each group",
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def class_c_replaces_running(peer: DevicePeer) -> None:
    """A later session of the group ends the one that runs: the receiver is off in between.

    Nothing is sent in what is left of the old window; a receiver that stays on until the new one
    empties the battery.  A device may refuse instead, and go on.
    """
    set_up_group(peer, 0)
    first = class_c_req(peer, 0, start=60.0, time_out=12)
    accept(peer, first)
    opened = class_changes(peer, first.session_time + 5.0)
    if [one.device_class for one in opened] != ["C"]:
        raise Failed(f"expected class C at the start of the session; came {opened or 'no change'}")
    second = class_c_req(peer, 0, start=1_500.0, time_out=6)
    asked = peer.now
    answer, _ = session_answer(peer, second)
    if answer is None:
        raise Failed("expected an answer; came nothing")
    if answer.errors:
        raise NotApplicable("the device refuses another session while one runs")
    closed = class_changes(peer, asked + 60.0)
    if [one.device_class for one in closed] != ["A"]:
        raise Failed(f"expected class A with the later session; came {closed or 'no change'}")
    expect_window(peer, "C", float(second.session_time), second.session_time + 64.0)


@CHECKS.check(
    "multicastsetup",
    (1,),
    "class-c-late",
    clause="TS005-1.0.0 leaves it open",
    needs=["class-c"],
)
def class_c_late(peer: DevicePeer) -> None:
    """A session that has begun is joined at once, with TimeToStart 0, or refused; nothing between.

    Joining saves what is left of the window.  An acceptance without listening is a lie.
    """
    set_up_group(peer, 0)
    request = class_c_req(peer, 0, start=-30.0, time_out=9)
    answer, _ = session_answer(peer, request)
    if answer is None:
        raise Failed("expected an answer; came nothing")
    opened = [one for one in peer.events() if isinstance(one, ClassChanged)]
    if answer.errors:
        if opened:
            raise Failed("the device refuses the session, and listens all the same")
        return
    if answer.time_to_start != 0 or [one.device_class for one in opened] != ["C"]:
        raise Failed(f"expected TimeToStart 0 and class C at once; came {answer}")
