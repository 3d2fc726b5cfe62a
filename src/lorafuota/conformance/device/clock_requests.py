"""Checks of requests for the time, forced ones above all (TS003)."""

from __future__ import annotations

import itertools
from typing import Final

from ...clocksync import v1
from ...gpstime import WRAP_SECONDS
from ...package import PackageVersionReq
from ...types import UPLINK
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import Uplink
from .clock import (
    LONGEST_GAP,
    TOLERANCE,
    asked_once,
    clock_answers,
    correct,
    expect_error,
    force_octets,
    forced_requests,
    next_request,
    requests,
    set_period,
)
from .group import WINDOW_LEAD, class_c_req, in_a_frame, set_up_group

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_REQ: Final = "TS003, AppTimeReq"
_FORCE: Final = "TS003, ForceDeviceResync"


# --- Requests -------------------------------------------------------------------------------------


@CHECKS.check("clocksync", _BOTH, "device-time-fresh", clause="TS003, DeviceTime")
def device_time_fresh(peer: DevicePeer) -> None:
    """DeviceTime is read when the request leaves, in every request of a row.

    A frame that was built before a wait has an old time, and the server corrects what was right.
    """
    for time, request in forced_requests(peer, 5, 5 * LONGEST_GAP):
        off = request.device_time - int(time) % WRAP_SECONDS
        if abs(off) > TOLERANCE:
            raise Failed(f"expected DeviceTime as the uplink leaves; it is {off:+d} s off")


@CHECKS.check("clocksync", _BOTH, "asks-by-itself", clause=_REQ, severity=Severity.RECOMMENDED)
def asks_by_itself(peer: DevicePeer) -> None:
    """A device that does not know the time asks for it, and again while nobody answers.

    The repeats have one token and a fresh DeviceTime.
    """
    peer.power_on(factory=True, clock_known=False)
    found = [one for _, one in requests(peer, 7_200.0)]
    if len(found) < 2:
        raise Failed(f"expected some requests in two hours; came {len(found)}")
    if len({one.token_req for one in found}) != 1:
        raise Failed("expected one token for all requests")
    if len({one.device_time for one in found}) != len(found):
        raise Failed("expected a fresh DeviceTime in every request")


@CHECKS.check("clocksync", _BOTH, "asks-not-too-often", clause=_REQ, severity=Severity.RECOMMENDED)
def asks_not_too_often(peer: DevicePeer) -> None:
    """A device that nobody answers asks less often after a while.

    A server that is down must not be met by its whole fleet when it comes back.
    """
    peer.power_on(factory=True, clock_known=False)
    first, second = len(requests(peer, 3_600.0)), len(requests(peer, 20 * 3_600.0))
    if first + second == 0:
        raise NotApplicable("the device does not ask for the time by itself")
    if second > 200 or (first > 4 and second / 20 >= first):
        raise Failed(f"{first} requests in the first hour, {second} in the next twenty")


@CHECKS.check(
    "clocksync",
    _BOTH,
    "request-alone",
    clause="ChirpStack and The Things Stack",
    severity=Severity.QUIRK,
)
def request_alone(peer: DevicePeer) -> None:
    """AppTimeReq travels alone: two servers refuse an uplink that has anything else in it."""
    package = peer.package("clocksync")
    fport = peer.packages.fport(package.name)
    peer.events()
    peer.send(package, force_octets(1), PackageVersionReq())
    asked = False
    for event in peer.wait(LONGEST_GAP):
        if isinstance(event, Uplink) and event.fport == fport:
            kinds = [type(one).__name__ for one in package.parse(event.payload, UPLINK)]
            asked = asked or "AppTimeReq" in kinds
            if "AppTimeReq" in kinds and len(kinds) > 1:
                raise Failed(f"expected AppTimeReq alone; came {', '.join(kinds)}")
    if not asked:
        raise Failed("expected AppTimeReq; came none")


# --- Forced requests ------------------------------------------------------------------------------


def _declare_forced(count: int) -> None:
    @CHECKS.check("clocksync", _BOTH, f"forced-{count}", clause=_FORCE)
    def at_most(peer: DevicePeer) -> None:
        """A forced device asks at least once, and no more often than NbTransmissions.

        One stack tests its counter after it has sent, and sends one more.
        """
        set_period(peer, 15)
        peer.events()
        peer.send(peer.package("clocksync"), force_octets(count))
        found = len(requests(peer, (count + 2) * LONGEST_GAP))
        if not 1 <= found <= count:
            raise Failed(f"expected 1 to {count} requests; came {found}")


for _count in (1, 3, 7):
    _declare_forced(_count)


@CHECKS.check("clocksync", _BOTH, "forced-all", clause=_FORCE, severity=Severity.RECOMMENDED)
def forced_all(peer: DevicePeer) -> None:
    """A forced device that nobody answers asks NbTransmissions times: one may be lost."""
    set_period(peer, 15)
    peer.events()
    peer.send(peer.package("clocksync"), force_octets(4))
    found = len(requests(peer, 6 * LONGEST_GAP))
    if found != 4:
        raise Failed(f"expected 4 requests; came {found}")


@CHECKS.check("clocksync", _BOTH, "forced-zero", clause=_FORCE)
def forced_zero(peer: DevicePeer) -> None:
    """NbTransmissions 0 is silently discarded; a known client asks once."""
    set_period(peer, 15)
    peer.events()
    peer.send(peer.package("clocksync"), force_octets(0))
    found = len(requests(peer, 5 * LONGEST_GAP))
    if found:
        raise Failed(f"expected silence; came {found} requests")


@CHECKS.check("clocksync", _BOTH, "forced-not-required", clause=_FORCE)
def forced_not_required(peer: DevicePeer) -> None:
    """Forced requests do not have AnsRequired."""
    if any(one.ans_required for _, one in forced_requests(peer, 3, 4 * LONGEST_GAP)):
        raise Failed("expected AnsRequired 0 in every forced request")


@CHECKS.check("clocksync", _BOTH, "forced-no-answer", clause=_FORCE)
def forced_no_answer(peer: DevicePeer) -> None:
    """A forced resynchronisation has no answer of its own."""
    came = peer.ask(peer.package("clocksync"), force_octets(2), within=3 * LONGEST_GAP)
    others = [one for one in came if not isinstance(one, v1.AppTimeReq)]
    if others or not came:
        raise Failed(f"expected requests only; came {others[0] if others else 'nothing'}")


@CHECKS.check("clocksync", _BOTH, "forced-reserved-bits", clause="TS003, RFU")
def forced_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside NbTransmissions are ignored: 0xFA is 2, and 0xF8 is 0."""
    set_period(peer, 15)
    for octet, most in ((0xFA, 2), (0xF8, 0)):
        peer.events()
        peer.send(peer.package("clocksync"), bytes((0x03, octet)))
        found = len(requests(peer, 30 * LONGEST_GAP))
        if not min(1, most) <= found <= most:
            raise Failed(f"expected {most} requests for {octet:#04x}; came {found}")


def _row_begins(peer: DevicePeer, count: int) -> v1.AppTimeReq:
    """Force a row of requests; return the first.

    Raises:
        NotApplicable: All of them come at once, or only one.
    """
    set_period(peer, 15)
    peer.events()
    peer.send(peer.package("clocksync"), force_octets(count))
    found = requests(peer, 0.5)
    if len(found) > 1:
        raise NotApplicable("the device sends all requests at once")
    first = found[0][1] if found else next_request(peer, LONGEST_GAP)
    if first is None:
        raise NotApplicable("the device does not ask for the time when it is forced to")
    return first


@CHECKS.check("clocksync", _BOTH, "forced-stops", clause=_FORCE)
def forced_stops(peer: DevicePeer) -> None:
    """A valid answer ends the row of forced requests."""
    first = _row_begins(peer, 7)
    correct(peer, 3, first.token_req)
    found = len(requests(peer, 8 * LONGEST_GAP))
    if found:
        raise Failed(f"expected silence after the answer; came {found} requests")


@CHECKS.check(
    "clocksync", _BOTH, "forced-wrong-token", clause=_FORCE, severity=Severity.RECOMMENDED
)
def forced_wrong_token(peer: DevicePeer) -> None:
    """An answer with another token does not end the row: the clock is still wrong."""
    first = _row_begins(peer, 4)
    correct(peer, 3, (first.token_req + 5) % 16)
    found = len(requests(peer, 5 * LONGEST_GAP))
    if found < 2:
        raise Failed(f"expected the row of 4 to go on; came {found} more")


@CHECKS.check("clocksync", _BOTH, "forced-replaced", clause=_FORCE, severity=Severity.RECOMMENDED)
def forced_replaced(peer: DevicePeer) -> None:
    """A new command replaces what is left of the row, and does not add to it."""
    _row_begins(peer, 7)
    peer.events()
    peer.send(peer.package("clocksync"), force_octets(2))
    found = len(requests(peer, 9 * LONGEST_GAP))
    if not 1 <= found <= 2:
        raise Failed(f"expected 2 requests; came {found}")


@CHECKS.check("clocksync", _BOTH, "forced-apart", clause=_FORCE, severity=Severity.QUIRK)
def forced_apart(peer: DevicePeer) -> None:
    """Forced requests are some time apart, so that an answer can come between.

    One stack sends them back to back.
    """
    times = [time for time, _ in forced_requests(peer, 4, 5 * LONGEST_GAP)]
    if len(times) < 2:
        raise NotApplicable("the device asks once only")
    if any(later - earlier < 0.5 for earlier, later in itertools.pairwise(times)):
        raise Failed("two requests are less than half a second apart")


@CHECKS.check(
    "clocksync",
    _BOTH,
    "forced-quiet-in-class-c",
    clause="TR002: devices do not transmit in a class C session",
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def forced_quiet_in_class_c(peer: DevicePeer) -> None:
    """Periodic and forced requests wait for the end of a class C session.

    While it sends, and in the windows after that, the device hears nothing of the group.
    """
    group = set_up_group(peer, 0)
    peer.ask(peer.package("multicastsetup"), class_c_req(peer, group, time_out=9))
    set_period(peer, 0)
    peer.wait(WINDOW_LEAD)
    peer.send(peer.package("clocksync"), force_octets(2))
    if requests(peer, 400.0):
        raise Failed("expected no request while the session runs")


# --- Order, and unicast only ----------------------------------------------------------------------


@CHECKS.check("clocksync", _BOTH, "answers-in-order", clause="TS003: commands run first to last")
def answers_in_order(peer: DevicePeer) -> None:
    """Two commands in one payload are answered in their order, whichever it is."""
    version, period = PackageVersionReq(), v1.DeviceAppTimePeriodicityReq(period=15)
    for commands in ((version, period), (period, version)):
        came = [type(one).__name__ for one in clock_answers(peer, *commands)]
        wanted = [type(one).__name__.replace("Req", "Ans") for one in commands]
        if came != wanted:
            raise Failed(f"expected {', '.join(wanted)}; came {', '.join(came) or 'nothing'}")


_MULTICAST: Final = "TS003: unicast only; promise S10"


@CHECKS.check("clocksync", _BOTH, "correction-by-multicast", clause=_MULTICAST)
def correction_by_multicast(peer: DevicePeer) -> None:
    """A correction by multicast is ignored: any member of a group could move every clock."""
    token = asked_once(peer).token_req
    answers = [
        v1.AppTimeAns(time_correction=5_000, token_ans=one % 16) for one in range(token, token + 16)
    ]
    in_a_frame(peer, peer.package("clocksync"), *answers)
    expect_error(peer, 0)


@CHECKS.check("clocksync", _BOTH, "period-by-multicast", clause=_MULTICAST)
def period_by_multicast(peer: DevicePeer) -> None:
    """A period by multicast is ignored, without an answer."""
    set_period(peer, 15)
    package = peer.package("clocksync")
    in_a_frame(peer, package, v1.DeviceAppTimePeriodicityReq(period=0))
    came = peer.answers(package, within=40_000.0)
    if came:
        raise Failed(f"expected silence; came {came[0]}")


@CHECKS.check("clocksync", _BOTH, "forced-by-multicast", clause=_MULTICAST)
def forced_by_multicast(peer: DevicePeer) -> None:
    """A forced resynchronisation by multicast is ignored: a whole fleet would answer."""
    set_period(peer, 15)
    in_a_frame(peer, peer.package("clocksync"), force_octets(3))
    came = requests(peer, 40_000.0)
    if came:
        raise Failed(f"expected silence; came {came[0][1]}")
