"""Checks of multicast sessions in class B and C (TS005): answers, start, end, overlap."""

from __future__ import annotations

import dataclasses
from typing import Final, TypeAlias

from ...clocksync import v1 as clocksync
from ...gpstime import WRAP_SECONDS
from ...multicastsetup import v1, v2
from ...types import UPLINK
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import ClassChanged, DeviceEvent, Uplink
from .block import new_block, send, set_up
from .group import class_c_req, set_up_group, setup_req

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_C: Final = "TS005, McClassCSessionReq"
_B: Final = "TS005, McClassBSessionReq"

_EARLY: Final = 15.0
"""Seconds a device may open its receiver before the session: its clock may be off."""
_LATE: Final = 1.5
"""Seconds it may open, or close, afterwards."""
_BEACON: Final = 128

SessionReq: TypeAlias = v1.McClassCSessionReq | v1.McClassBSessionReq
SessionAns: TypeAlias = (
    v1.McClassCSessionAns | v1.McClassBSessionAns | v2.McClassCSessionAns | v2.McClassBSessionAns
)


def _class_b_req(
    peer: DevicePeer, mc_group_id: int, *, periods: int = 5, time_out: int = 0, periodicity: int = 4
) -> v1.McClassBSessionReq:
    """Return the request for a class B session that starts at a beacon, so many periods ahead."""
    about = peer.subject.about
    return v1.McClassBSessionReq(
        mc_group_id=mc_group_id,
        session_time=(int(peer.now // _BEACON) + periods) * _BEACON % WRAP_SECONDS,
        time_out=time_out,
        periodicity=periodicity,
        dl_freq_hz=about.dl_freq_hz,
        dr=about.dr,
    )


def _request(peer: DevicePeer, letter: str, mc_group_id: int = 0) -> SessionReq:
    """Return a good request of either class, some minutes ahead."""
    if letter == "b":
        return _class_b_req(peer, mc_group_id)
    return class_c_req(peer, mc_group_id, start=600.0)


def _answer(peer: DevicePeer, request: SessionReq | bytes) -> tuple[SessionAns | None, float]:
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


def _accept(peer: DevicePeer, request: SessionReq) -> SessionAns:
    """Send a request, and fail unless the device accepts it."""
    answer, _ = _answer(peer, request)
    if answer is None or answer.errors or answer.mc_group_id != request.mc_group_id:
        raise Failed(f"expected the session to be accepted; came {answer or 'nothing'}")
    return answer


def _refuse(peer: DevicePeer, request: SessionReq, bits: v2.SessionError, *, only: bool) -> None:
    """Send a request, and fail unless it is refused with these bits, and with *only* these."""
    answer, _ = _answer(peer, request)
    errors = None if answer is None else v2.SessionError(int(answer.errors))
    right = errors is not None and (errors == bits if only else errors & bits == bits)
    if not right:
        raise Failed(f"expected {bits!r}; came {answer or 'nothing'}")


def _changes(peer: DevicePeer, until: float) -> list[ClassChanged]:
    """Let time pass until *until*; return every change of class since somebody last asked."""
    return [one for one in peer.wait(until - peer.now) if isinstance(one, ClassChanged)]


def _expect_window(
    peer: DevicePeer, letter: str, start: float, end: float, *, early: float = _EARLY
) -> None:
    """Fail unless the device listens from *start* to *end*, and goes back to class A then."""
    changes = _changes(peer, end + 300.0)
    opened = [one for one in changes if one.device_class == letter]
    shown = ", ".join(f"{one.device_class} at {one.time - start:+.1f} s" for one in changes)
    if len(opened) != 1 or not start - early <= opened[0].time <= start + _LATE:
        raise Failed(
            f"expected class {letter} at the start of the session; came {shown or 'no change'}"
        )
    closed = [one for one in changes if one.time > opened[0].time]
    if (
        not closed
        or closed[0].device_class != "A"
        or not (end - _LATE <= closed[0].time <= end + _EARLY)
    ):
        length = end - start
        raise Failed(f"expected class A after {length:.0f} s; came {shown}")


def _expect_no_window(peer: DevicePeer, seconds: float) -> None:
    """Fail if the device leaves class A."""
    changes = _changes(peer, peer.now + seconds)
    if any(one.device_class != "A" for one in changes):
        shown = ", ".join(f"{one.device_class} at {one.time:.1f}" for one in changes)
        raise Failed(f"expected no session; came {shown}")


# --- Answers --------------------------------------------------------------------------------------


def _both_classes(letter: str) -> None:
    clause = _C if letter == "c" else _B
    needs = [f"class-{letter}"]

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-answer", clause=clause, needs=needs)
    def answered(peer: DevicePeer) -> None:
        """A session is accepted for the right group, and TimeToStart tells the time until then.

        It is counted from the uplink, and shows the server whether the device's clock is right;
        some seconds of age and air time are allowed.
        """
        index = peer.subject.about.mc_groups - 1
        set_up_group(peer, index)
        request = _request(peer, letter, index)
        answer, time = _answer(peer, request)
        if answer is None or answer.errors or answer.mc_group_id != index:
            raise Failed(f"expected the session to be accepted; came {answer or 'nothing'}")
        wanted, tolerance = request.session_time - time, 3.0 if letter == "c" else 60.0
        if answer.time_to_start is None or abs(answer.time_to_start - wanted) > tolerance:
            raise Failed(f"expected TimeToStart {wanted:.0f}; came {answer}")

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-undefined", clause=clause)
    def undefined(peer: DevicePeer) -> None:
        """A session of a group that was never set up is refused: McGroupUndefined, in one octet.

        Known stacks set other bits too, or leave the octet out.
        """
        request = _request(peer, letter)
        _refuse(peer, request, v2.SessionError.MC_GROUP_UNDEFINED, only=True)
        _expect_no_window(peer, 1_500.0)

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-deleted", clause=clause)
    def deleted(peer: DevicePeer) -> None:
        """A session of a group that was deleted is refused with McGroupUndefined."""
        set_up_group(peer, 0)
        peer.ask(peer.package("multicastsetup"), v1.McGroupDeleteReq(mc_group_id=0))
        _refuse(peer, _request(peer, letter), v2.SessionError.MC_GROUP_UNDEFINED, only=False)

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-frequency", clause=clause, needs=needs)
    def frequency(peer: DevicePeer) -> None:
        """A frequency no device can use is refused with FreqError, and nothing is scheduled."""
        set_up_group(peer, 0)
        for hertz in (100, 99_999_900, 1_677_721_500):
            request = dataclasses.replace(_request(peer, letter), dl_freq_hz=hertz)
            _refuse(peer, request, v2.SessionError.FREQ_ERROR, only=True)
        _expect_no_window(peer, 1_500.0)

    @CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"class-{letter}-data-rate",
        clause=clause,
        severity=Severity.RECOMMENDED,
        needs=needs,
    )
    def data_rate(peer: DevicePeer) -> None:
        """A data rate above 15 is refused with DRError: no region has it, DR is a whole octet."""
        set_up_group(peer, 0)
        for extra in (16, 0x80, 0xF0):
            request = _request(peer, letter)
            request = dataclasses.replace(request, dr=request.dr + extra)
            _refuse(peer, request, v2.SessionError.DR_ERROR, only=True)
        _expect_no_window(peer, 1_500.0)

    @CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"class-{letter}-all-bits",
        clause=clause,
        severity=Severity.RECOMMENDED,
        needs=needs,
    )
    def all_bits(peer: DevicePeer) -> None:
        """Faults are told together: undefined group, frequency and data rate in one answer."""
        request = dataclasses.replace(_request(peer, letter), dl_freq_hz=100, dr=255)
        bits = v2.SessionError.MC_GROUP_UNDEFINED | v2.SessionError.FREQ_ERROR
        _refuse(peer, request, bits | v2.SessionError.DR_ERROR, only=True)

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-refused", clause=clause, needs=needs)
    def refused(peer: DevicePeer) -> None:
        """A refused request leaves the session that is scheduled alone.

        A known stack writes the new parameters over the old ones, and checks them then.
        """
        set_up_group(peer, 0)
        good = _request(peer, letter)
        _accept(peer, good)
        _answer(peer, dataclasses.replace(good, dl_freq_hz=100))
        _answer(peer, dataclasses.replace(good, session_time=int(peer.now) - 50_000))
        opened = [
            one
            for one in _changes(peer, good.session_time + 10.0)
            if one.device_class == letter.upper()
        ]
        if len(opened) != 1:
            raise Failed("expected the session to begin all the same; the device stays in class A")

    @CHECKS.check(
        "multicastsetup", _BOTH, f"class-{letter}-reserved-bits", clause="TS005, RFU", needs=needs
    )
    def reserved_bits(peer: DevicePeer) -> None:
        """Reserved bits of a session request are ignored, for the answer and for the window."""
        set_up_group(peer, 0)
        request = _request(peer, letter)
        octets = bytearray(request.encode())
        octets[1] |= 0xFC
        octets[6] |= 0xF0 if letter == "c" else 0x80
        answer, _ = _answer(peer, bytes(octets))
        if answer is None or answer.errors or answer.mc_group_id != 0:
            raise Failed(f"expected the session to be accepted; came {answer or 'nothing'}")
        start = float(request.session_time)
        length = 1 << request.time_out if letter == "c" else _BEACON << request.time_out
        _expect_window(
            peer, letter.upper(), start, start + length, early=_EARLY if letter == "c" else 400.0
        )

    @CHECKS.check("multicastsetup", (2,), f"class-{letter}-missed", clause=clause)
    def missed(peer: DevicePeer) -> None:
        """A session whose start is past is refused with StartMissed, and nothing is scheduled.

        It comes without TimeToStart: the answer is two octets with its identifier.
        """
        set_up_group(peer, 0)
        for ago in (2, 1_000, 100_000):
            start = (int(peer.now) - ago) % WRAP_SECONDS
            request = dataclasses.replace(_request(peer, letter), session_time=start, time_out=2)
            _refuse(peer, request, v2.SessionError.START_MISSED, only=True)
        _expect_no_window(peer, 1_000.0)

    @CHECKS.check(
        "multicastsetup",
        (1,),
        f"class-{letter}-missed",
        clause="TS005-1.0.0 has no bit for it",
        severity=Severity.RECOMMENDED,
        needs=needs,
    )
    def missed_1(peer: DevicePeer) -> None:
        """A session that is over is refused with some bit, and nothing is scheduled.

        An acceptance looks to the server as if the device had listened.
        """
        set_up_group(peer, 0)
        start = (int(peer.now) - 100_000) % WRAP_SECONDS
        request = dataclasses.replace(_request(peer, letter), session_time=start, time_out=2)
        answer, _ = _answer(peer, request)
        if answer is None or not answer.errors:
            raise Failed(f"expected a refusal; came {answer or 'nothing'}")
        _expect_no_window(peer, 1_000.0)

    severity = Severity.REQUIRED
    for version in _BOTH:

        @CHECKS.check(
            "multicastsetup",
            (version,),
            f"class-{letter}-far",
            clause="TS005-2.0.0, TimeToStart",
            severity=severity if version == 2 else Severity.RECOMMENDED,
            needs=needs,
        )
        def far(peer: DevicePeer) -> None:
            """A start that is further off than 24 bits of seconds is told as 0xFFFFFF.

            Cut to 24 bits it would be a plausible time that is months wrong.
            """
            set_up_group(peer, 0)
            request = _request(peer, letter)
            request = dataclasses.replace(
                request, session_time=(request.session_time + (1 << 25)) % WRAP_SECONDS
            )
            answer, _ = _answer(peer, request)
            if answer is None or answer.errors or answer.time_to_start != 0xFFFFFF:
                raise Failed(f"expected TimeToStart 0xFFFFFF; came {answer or 'nothing'}")

    # --- How they run

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-repeat", clause=clause, needs=needs)
    def repeat(peer: DevicePeer) -> None:
        """The same request again is accepted again, and there is one session, not two."""
        set_up_group(peer, 0)
        request = _request(peer, letter)
        for _ in range(3):
            _accept(peer, request)
        start = float(request.session_time)
        length = 1 << request.time_out if letter == "c" else _BEACON << request.time_out
        _expect_window(
            peer, letter.upper(), start, start + length, early=_EARLY if letter == "c" else 400.0
        )

    @CHECKS.check("multicastsetup", _BOTH, f"class-{letter}-replaced", clause=clause, needs=needs)
    def replaced(peer: DevicePeer) -> None:
        """A later request for the group replaces the session: one window, at the new time."""
        set_up_group(peer, 0)
        request = _request(peer, letter)
        _accept(peer, request)
        later = dataclasses.replace(request, session_time=request.session_time + 1_280)
        _accept(peer, later)
        start = float(later.session_time)
        length = 1 << later.time_out if letter == "c" else _BEACON << later.time_out
        _expect_window(
            peer, letter.upper(), start, start + length, early=_EARLY if letter == "c" else 400.0
        )

    @CHECKS.check(
        "multicastsetup", _BOTH, f"class-{letter}-delete-before", clause=clause, needs=needs
    )
    def delete_before(peer: DevicePeer) -> None:
        """A delete of the group cancels its session before it begins."""
        set_up_group(peer, 0)
        _accept(peer, _request(peer, letter))
        peer.ask(peer.package("multicastsetup"), v1.McGroupDeleteReq(mc_group_id=0))
        _expect_no_window(peer, 1_500.0)

    @CHECKS.check(
        "multicastsetup", _BOTH, f"class-{letter}-delete-running", clause=clause, needs=needs
    )
    def delete_running(peer: DevicePeer) -> None:
        """A delete of the group ends its session at once: the receiver does not stay on."""
        set_up_group(peer, 0)
        request = dataclasses.replace(_request(peer, letter), time_out=10)
        _accept(peer, request)
        _changes(peer, request.session_time + 20.0)
        peer.send(peer.package("multicastsetup"), v1.McGroupDeleteReq(mc_group_id=0))
        changes = _changes(peer, peer.now + 30.0)
        if [one.device_class for one in changes] != ["A"]:
            raise Failed("expected class A after the delete; the session goes on")

    @CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"class-{letter}-setup-before",
        clause="TS005 leaves it open",
        severity=Severity.RECOMMENDED,
        needs=needs,
    )
    def setup_before(peer: DevicePeer) -> None:
        """Another set-up of the group cancels the session of the group it replaces."""
        set_up_group(peer, 0)
        _accept(peer, _request(peer, letter))
        peer.ask(peer.package("multicastsetup"), setup_req(peer.new_group(0)))
        _expect_no_window(peer, 1_500.0)

    @CHECKS.check(
        "multicastsetup",
        _BOTH,
        f"class-{letter}-survives-reset",
        clause="TS005 leaves it open",
        severity=Severity.RECOMMENDED,
        needs=[*needs, "power-cycle"],
    )
    def survives_reset(peer: DevicePeer) -> None:
        """A session that was accepted begins after a power cycle too, if the time is known.

        The device has promised to listen, and the server sends once.
        """
        set_up_group(peer, 0)
        request = _request(peer, letter)
        _accept(peer, request)
        peer.power_on()
        start = float(request.session_time)
        length = 1 << request.time_out if letter == "c" else _BEACON << request.time_out
        _expect_window(
            peer, letter.upper(), start, start + length, early=_EARLY if letter == "c" else 400.0
        )


_both_classes("c")
_both_classes("b")


# --- Class C --------------------------------------------------------------------------------------


def _declare_time_out(time_out: int) -> None:
    @CHECKS.check(
        "multicastsetup", _BOTH, f"class-c-time-out-{time_out}", clause=_C, needs=["class-c"]
    )
    def lasts(peer: DevicePeer) -> None:
        """A class C session begins at SessionTime and lasts 2**TimeOut seconds at most."""
        set_up_group(peer, 0)
        request = class_c_req(peer, 0, start=600.0, time_out=time_out)
        _accept(peer, request)
        start = float(request.session_time)
        _expect_window(peer, "C", start, start + (1 << time_out))


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
    answer, time = _answer(peer, request)
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
    _accept(peer, first)
    _accept(peer, second)
    changes = _changes(peer, second.session_time + 100.0)
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
    _accept(peer, first)
    _accept(peer, class_c_req(peer, 1, start=400.0, time_out=9))
    changes = _changes(peer, first.session_time + 300.0)
    opened = [one.mc_group_id for one in changes if one.device_class == "C"]
    if sorted(opened, key=str) != [0, 1] or any(one.device_class == "A" for one in changes):
        raise Failed(f"expected both sessions to run; came {opened}")


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
    _accept(peer, request)
    token = _token(peer)
    peer.send(clock, clocksync.AppTimeAns(time_correction=300, token_ans=token))
    start = request.session_time - 300.0
    _expect_window(peer, "C", start, start + 64)


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
    answer, _ = _answer(peer, class_c_req(peer, 0, start=600.0))
    if answer is None or (not answer.errors and answer.time_to_start != 0xFFFFFF):
        raise Failed(f"expected TimeToStart 0xFFFFFF or a refusal; came {answer or 'nothing'}")
    _expect_no_window(peer, 300.0)


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
    answer, _ = _answer(peer, request)
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
                    _expect_window(peer, "C", start, start + 64)
                    return
    raise Failed("expected the device to ask for the time; it does not")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-block-complete",
    clause="LoRa Basics Modem issues SWL2001 155, 156 and 25; promise S12",
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def class_c_block_complete(peer: DevicePeer) -> None:
    """A session ends when the block it is for is complete.

    TimeOut is a maximum; hours of class C after the last fragment drain a battery for nothing.
    """
    group = set_up_group(peer, 0)
    block = new_block(peer, mask=1)
    set_up(peer, block)
    request = class_c_req(peer, 0, start=60.0, time_out=14)
    _accept(peer, request)
    _changes(peer, request.session_time + 5.0)
    send(peer, block, [*block.plain, 11], group)
    changes = _changes(peer, peer.now + 900.0)
    if [one.device_class for one in changes] != ["A"]:
        raise Failed("expected class A soon after the block; the session goes on")


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
    _accept(peer, request)
    _changes(peer, request.session_time + 5.0)
    _answer(peer, request)
    changes = _changes(peer, request.session_time + 400.0)
    if changes and changes[-1].device_class == "A":
        raise Failed("expected the session to go on; the device is in class A")


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
    answer, _ = _answer(peer, request)
    if answer is None:
        raise Failed("expected an answer; came nothing")
    opened = [one for one in peer.events() if isinstance(one, ClassChanged)]
    if answer.errors:
        if opened:
            raise Failed("the device refuses the session, and listens all the same")
        return
    if answer.time_to_start != 0 or [one.device_class for one in opened] != ["C"]:
        raise Failed(f"expected TimeToStart 0 and class C at once; came {answer}")


# --- Class B --------------------------------------------------------------------------------------


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
        device looks for the beacon before the session, some periods early.
        """
        set_up_group(peer, 0)
        request = _class_b_req(peer, 0, time_out=time_out, periodicity=periodicity)
        _accept(peer, request)
        start = float(request.session_time)
        _expect_window(peer, "B", start, start + (_BEACON << time_out), early=400.0)


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
    request = _class_b_req(peer, 0, time_out=1)
    odd = dataclasses.replace(request, session_time=request.session_time + 60)
    _accept(peer, odd)
    changes = _changes(peer, odd.session_time + 600.0)
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
    request = _class_b_req(peer, 0)
    _accept(peer, request)
    changes = _changes(peer, request.session_time + 400.0)
    if any(one.device_class == "C" for one in changes):
        raise Failed("the device goes to class C")
