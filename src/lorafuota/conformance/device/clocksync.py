"""Checks of clock synchronisation (TS003): corrections, tokens, periods, forced requests.

The clock is read with DeviceAppTimePeriodicityReq, whose answer carries it whether the period is
taken or not.  The longest Period is set first where a check counts requests, so that a periodic one
does not come between.
"""

from __future__ import annotations

import itertools
from typing import Final

from ...clocksync import v1
from ...gpstime import WRAP_SECONDS
from ...package import PackageVersionAns, PackageVersionReq, Parsed
from ...types import UPLINK
from ...wire import Command
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import Uplink
from .group import WINDOW_LEAD, class_c_req, in_a_frame, set_up_group
from .spread import expect_random, expect_uniform

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_ANS: Final = "TS003, AppTimeAns"
_REQ: Final = "TS003, AppTimeReq"
_TOKEN: Final = "TS003, TokenReq"
_PERIOD: Final = "TS003, DeviceAppTimePeriodicityReq"
_FORCE: Final = "TS003, ForceDeviceResync"
_TOLERANCE: Final = 2
"""Seconds a clock may be off: it is read in whole ones, and takes some time to leave."""
_GAP: Final = 120.0
"""Seconds between two forced requests at most, as far as this kit waits."""


def _force(count: int) -> bytes:
    """Return ForceDeviceResync: it has another name in each version, and the same octets."""
    return bytes((0x03, count))


def _requests(peer: DevicePeer, within: float) -> list[tuple[float, v1.AppTimeReq]]:
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


def _next_request(peer: DevicePeer, within: float) -> v1.AppTimeReq | None:
    """Let time pass until an AppTimeReq comes, or *within* is over."""
    end = peer.now + within
    while peer.now < end:
        found = _requests(peer, min(2.0, end - peer.now))
        if found:
            return found[-1][1]
    return None


def _asked(peer: DevicePeer) -> v1.AppTimeReq:
    """Have the device ask for the time once; return its request.

    Raises:
        NotApplicable: It does not.
    """
    peer.events()
    peer.send(peer.package("clocksync"), _force(1))
    found = _next_request(peer, _GAP)
    if found is None:
        raise NotApplicable("the device does not ask for the time when it is forced to")
    return found


def _answers(peer: DevicePeer, *commands: Command | bytes, within: float = 20.0) -> list[Parsed]:
    """Send commands; return the answers, without requests that the device makes by itself."""
    package = peer.package("clocksync")
    came = peer.ask(package, *commands, within=within)
    return [one for one in came if not isinstance(one, v1.AppTimeReq)]


def _period(peer: DevicePeer, period: int) -> v1.DeviceAppTimePeriodicityAns:
    """Set a period; return the answer.

    Raises:
        Failed: There is not one.
    """
    came = _answers(peer, v1.DeviceAppTimePeriodicityReq(period=period))
    if len(came) != 1 or not isinstance(came[0], v1.DeviceAppTimePeriodicityAns):
        raise Failed(f"expected one DeviceAppTimePeriodicityAns; came {came or 'nothing'}")
    return came[0]


def _error(peer: DevicePeer) -> int:
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


def _expect_error(peer: DevicePeer, wanted: int) -> None:
    """Fail unless the clock is fast by so many seconds, modulo 2**32."""
    found = _error(peer)
    off = (found - wanted + WRAP_SECONDS // 2) % WRAP_SECONDS - WRAP_SECONDS // 2
    if abs(off) > _TOLERANCE:
        raise Failed(f"expected a clock that is {wanted:+d} s off; it is {found:+d} s off")


def _correct(peer: DevicePeer, seconds: int, token: int) -> None:
    package = peer.package("clocksync")
    peer.send(package, v1.AppTimeAns(time_correction=seconds, token_ans=token))


# --- Periodicity ----------------------------------------------------------------------------------


@CHECKS.check("clocksync", _BOTH, "period-answer", clause=_PERIOD)
def period_answer(peer: DevicePeer) -> None:
    """Every Period is answered, and the answer carries the clock, also if it is not supported.

    It is the only way to read a device's clock at once.
    """
    for period in range(16):
        _period(peer, period)
    _expect_error(peer, 0)


@CHECKS.check("clocksync", _BOTH, "period-taken", clause=_PERIOD, severity=Severity.QUIRK)
def period_taken(peer: DevicePeer) -> None:
    """The period of the server is taken.  A device may keep its own, and known ones always do."""
    for period in (0, 5, 15):
        if _period(peer, period).not_supported:
            raise Failed(f"Period {period} is not supported")


def _intervals(peer: DevicePeer, period: int, count: int) -> list[float]:
    """Set a period; return the distances of the requests that follow."""
    if _period(peer, period).not_supported:
        raise NotApplicable("the device keeps a period of its own")
    nominal = 128 << period
    times = [time for time, _ in _requests(peer, (nominal + 30.0) * (count + 1))]
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
    expect_uniform(_intervals(peer, 0, 96), 97.5, 158.5)


@CHECKS.check("clocksync", _BOTH, "period-reserved-bits", clause="TS003, RFU")
def period_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside Period are ignored: 0xF0 is Period 0.

    A known library shifts by the whole octet.
    """
    came = _answers(peer, b"\x02\xf0")
    if len(came) != 1 or not isinstance(came[0], v1.DeviceAppTimePeriodicityAns):
        raise Failed(f"expected one DeviceAppTimePeriodicityAns; came {came or 'nothing'}")
    if came[0].not_supported:
        raise NotApplicable("the device keeps a period of its own")
    if len(_requests(peer, 1_000.0)) < 5:
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
    if _period(peer, 0).not_supported:
        raise NotApplicable("the device keeps a period of its own")
    peer.power_on()
    if len(_requests(peer, 2_000.0)) < 8:
        raise Failed("expected requests every 128 s after the reset; they do not come")


# --- Corrections and tokens -----------------------------------------------------------------------


def _declare_correction(name: str, seconds: int) -> None:
    @CHECKS.check("clocksync", _BOTH, f"correction-{name}", clause=_ANS)
    def corrected(peer: DevicePeer) -> None:
        """A TimeCorrection is added to the clock, with its sign, all 32 bits of it.

        A correction is a difference; a device that takes it for a time, or for a number without a
        sign, is wrong by decades.
        """
        token = _asked(peer).token_req
        _correct(peer, seconds, token)
        _expect_error(peer, seconds)


for _name, _seconds in (
    ("forward", 100),
    ("back", -100),
    ("minute", 60),
    ("year", 31_536_000),
    ("years-back", -300_000_000),
    ("zero", 0),
):
    _declare_correction(_name, _seconds)


@CHECKS.check("clocksync", _BOTH, "correction-late", clause=_ANS)
def correction_late(peer: DevicePeer) -> None:
    """A correction is right however late it comes: it is added to the running clock."""
    token = _asked(peer).token_req
    peer.wait(3_600.0)
    _correct(peer, 250, token)
    _expect_error(peer, 250)


@CHECKS.check("clocksync", _BOTH, "correction-again", clause=_TOKEN)
def correction_again(peer: DevicePeer) -> None:
    """The same answer again is ignored: the clock has moved, and so has the token."""
    token = _asked(peer).token_req
    for _ in range(3):
        _correct(peer, 40, token)
    _expect_error(peer, 40)


@CHECKS.check("clocksync", _BOTH, "correction-reserved-bits", clause="TS003, RFU")
def correction_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside TokenAns are ignored."""
    token = _asked(peer).token_req
    octets = bytearray(v1.AppTimeAns(time_correction=70, token_ans=token).encode())
    octets[-1] |= 0xF0
    peer.send(peer.package("clocksync"), bytes(octets))
    _expect_error(peer, 70)


@CHECKS.check("clocksync", _BOTH, "token-wrong", clause=_TOKEN)
def token_wrong(peer: DevicePeer) -> None:
    """An answer with another token changes nothing, and the right one still counts."""
    token = _asked(peer).token_req
    for other in range(16):
        if other != token:
            _correct(peer, 1_000, other)
    _expect_error(peer, 0)
    _correct(peer, 30, token)
    _expect_error(peer, 30)


@CHECKS.check("clocksync", _BOTH, "token-wrong-goes-on", clause=_TOKEN)
def token_wrong_goes_on(peer: DevicePeer) -> None:
    """Commands behind an answer that is ignored are executed."""
    token = _asked(peer).token_req
    wrong = v1.AppTimeAns(time_correction=5, token_ans=(token + 1) % 16)
    came = _answers(peer, wrong, PackageVersionReq())
    version = peer.package("clocksync").version
    wanted = PackageVersionAns(package_identifier=1, package_version=version)
    if came != [wanted]:
        raise Failed(f"expected {wanted}; came {came or 'nothing'}")


@CHECKS.check("clocksync", _BOTH, "token-counts", clause=_TOKEN)
def token_counts(peer: DevicePeer) -> None:
    """TokenReq counts one up with every correction, modulo 16."""
    token = _asked(peer).token_req
    for _ in range(18):
        _correct(peer, 1, token)
        peer.wait(1.0)
        request = _asked(peer)
        if request.token_req != (token + 1) % 16:
            raise Failed(f"expected token {(token + 1) % 16}; came {request}")
        token = request.token_req
    _expect_error(peer, 18)


@CHECKS.check("clocksync", _BOTH, "token-stays", clause=_TOKEN)
def token_stays(peer: DevicePeer) -> None:
    """TokenReq does not count requests: without a correction it stays.

    The answer to any request since the last correction is right.
    """
    tokens = {_asked(peer).token_req for _ in range(4)}
    if len(tokens) != 1:
        raise Failed(f"expected one token for all requests; came {sorted(tokens)}")


@CHECKS.check("clocksync", _BOTH, "token-starts", clause=_TOKEN, severity=Severity.RECOMMENDED)
def token_starts(peer: DevicePeer) -> None:
    """TokenReq is 0 after a start."""
    request = _asked(peer)
    if request.token_req != 0:
        raise Failed(f"expected token 0; came {request}")


def _declare_extreme(name: str, seconds: int) -> None:
    @CHECKS.check(
        "clocksync",
        _BOTH,
        f"extreme-{name}",
        clause="TS003-2.0.0, TimeCorrection; promises: wraps to the wrong sign beyond 2**31 s",
    )
    def applied(peer: DevicePeer) -> None:
        """The extreme correction is applied, modulo 2**32."""
        token = _asked(peer).token_req
        _correct(peer, seconds, token)
        peer.wait(1.0)
        _expect_error(peer, seconds)

    @CHECKS.check("clocksync", (2,), f"extreme-{name}-again", clause="TS003-2.0.0, TimeCorrection")
    def asks_again(peer: DevicePeer) -> None:
        """After an extreme correction the device asks again: there may be more to correct.

        A device that starts at 0 needs two rounds from 2048 on; one that does not ask stays decades
        behind until its next period.
        """
        _period(peer, 15)
        token = _asked(peer).token_req
        peer.events()
        _correct(peer, seconds, token)
        request = _next_request(peer, 600.0)
        if request is None:
            raise Failed("expected another AppTimeReq; came nothing")
        if request.token_req != (token + 1) % 16:
            raise Failed(f"expected token {(token + 1) % 16}; came {request}")
        _correct(peer, 1_000, request.token_req)
        _expect_error(peer, seconds + 1_000)


_declare_extreme("forward", (1 << 31) - 1)
_declare_extreme("back", -(1 << 31))


@CHECKS.check(
    "clocksync",
    (2,),
    "extreme-insists",
    clause="TS003-2.0.0, TimeCorrection",
    severity=Severity.RECOMMENDED,
)
def extreme_insists(peer: DevicePeer) -> None:
    """The request after an extreme correction has AnsRequired, since the rest may be small."""
    token = _asked(peer).token_req
    peer.events()
    _correct(peer, (1 << 31) - 1, token)
    request = _next_request(peer, 600.0)
    if request is None or not request.ans_required:
        raise Failed(f"expected an AppTimeReq with AnsRequired; came {request or 'nothing'}")


# --- Requests -------------------------------------------------------------------------------------


@CHECKS.check("clocksync", _BOTH, "device-time-fresh", clause="TS003, DeviceTime")
def device_time_fresh(peer: DevicePeer) -> None:
    """DeviceTime is read when the request leaves, in every request of a row.

    A frame that was built before a wait has an old time, and the server corrects what was right.
    """
    peer.send(peer.package("clocksync"), _force(5))
    for time, request in _requests(peer, 5 * _GAP):
        off = request.device_time - int(time) % WRAP_SECONDS
        if abs(off) > _TOLERANCE:
            raise Failed(f"expected DeviceTime as the uplink leaves; it is {off:+d} s off")


@CHECKS.check("clocksync", _BOTH, "asks-by-itself", clause=_REQ, severity=Severity.RECOMMENDED)
def asks_by_itself(peer: DevicePeer) -> None:
    """A device that does not know the time asks for it, and again while nobody answers.

    The repeats have one token and a fresh DeviceTime.
    """
    peer.power_on(factory=True, clock_known=False)
    found = [one for _, one in _requests(peer, 7_200.0)]
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
    first, second = len(_requests(peer, 3_600.0)), len(_requests(peer, 20 * 3_600.0))
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
    peer.send(package, _force(1), PackageVersionReq())
    for event in peer.wait(_GAP):
        if isinstance(event, Uplink) and event.fport == fport:
            kinds = [type(one).__name__ for one in package.parse(event.payload, UPLINK)]
            if "AppTimeReq" in kinds and len(kinds) > 1:
                raise Failed(f"expected AppTimeReq alone; came {', '.join(kinds)}")


# --- Forced requests ------------------------------------------------------------------------------


def _declare_forced(count: int) -> None:
    @CHECKS.check("clocksync", _BOTH, f"forced-{count}", clause=_FORCE)
    def at_most(peer: DevicePeer) -> None:
        """A forced device asks at least once, and no more often than NbTransmissions.

        One stack tests its counter after it has sent, and sends one more.
        """
        _period(peer, 15)
        peer.events()
        peer.send(peer.package("clocksync"), _force(count))
        found = len(_requests(peer, (count + 2) * _GAP))
        if not 1 <= found <= count:
            raise Failed(f"expected 1 to {count} requests; came {found}")


for _count in (1, 3, 7):
    _declare_forced(_count)


@CHECKS.check("clocksync", _BOTH, "forced-all", clause=_FORCE, severity=Severity.RECOMMENDED)
def forced_all(peer: DevicePeer) -> None:
    """A forced device that nobody answers asks NbTransmissions times: one may be lost."""
    _period(peer, 15)
    peer.events()
    peer.send(peer.package("clocksync"), _force(4))
    found = len(_requests(peer, 6 * _GAP))
    if found != 4:
        raise Failed(f"expected 4 requests; came {found}")


@CHECKS.check("clocksync", _BOTH, "forced-zero", clause=_FORCE)
def forced_zero(peer: DevicePeer) -> None:
    """NbTransmissions 0 is silently discarded; a known client asks once."""
    _period(peer, 15)
    peer.events()
    peer.send(peer.package("clocksync"), _force(0))
    found = len(_requests(peer, 5 * _GAP))
    if found:
        raise Failed(f"expected silence; came {found} requests")


@CHECKS.check("clocksync", _BOTH, "forced-not-required", clause=_FORCE)
def forced_not_required(peer: DevicePeer) -> None:
    """Forced requests do not have AnsRequired."""
    peer.events()
    peer.send(peer.package("clocksync"), _force(3))
    if any(one.ans_required for _, one in _requests(peer, 4 * _GAP)):
        raise Failed("expected AnsRequired 0 in every forced request")


@CHECKS.check("clocksync", _BOTH, "forced-no-answer", clause=_FORCE)
def forced_no_answer(peer: DevicePeer) -> None:
    """A forced resynchronisation has no answer of its own."""
    came = _answers(peer, _force(2), within=3 * _GAP)
    if came:
        raise Failed(f"expected requests only; came {came[0]}")


@CHECKS.check("clocksync", _BOTH, "forced-reserved-bits", clause="TS003, RFU")
def forced_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside NbTransmissions are ignored: 0xFA is 2, and 0xF8 is 0."""
    _period(peer, 15)
    for octet, most in ((0xFA, 2), (0xF8, 0)):
        peer.events()
        peer.send(peer.package("clocksync"), bytes((0x03, octet)))
        found = len(_requests(peer, 30 * _GAP))
        if not min(1, most) <= found <= most:
            raise Failed(f"expected {most} requests for {octet:#04x}; came {found}")


def _row_begins(peer: DevicePeer, count: int) -> v1.AppTimeReq:
    """Force a row of requests; return the first.

    Raises:
        NotApplicable: All of them come at once, or only one.
    """
    _period(peer, 15)
    peer.events()
    peer.send(peer.package("clocksync"), _force(count))
    found = _requests(peer, 0.5)
    if len(found) > 1:
        raise NotApplicable("the device sends all requests at once")
    first = found[0][1] if found else _next_request(peer, _GAP)
    if first is None:
        raise NotApplicable("the device does not ask for the time when it is forced to")
    return first


@CHECKS.check("clocksync", _BOTH, "forced-stops", clause=_FORCE)
def forced_stops(peer: DevicePeer) -> None:
    """A valid answer ends the row of forced requests."""
    first = _row_begins(peer, 7)
    _correct(peer, 3, first.token_req)
    found = len(_requests(peer, 8 * _GAP))
    if found:
        raise Failed(f"expected silence after the answer; came {found} requests")


@CHECKS.check(
    "clocksync", _BOTH, "forced-wrong-token", clause=_FORCE, severity=Severity.RECOMMENDED
)
def forced_wrong_token(peer: DevicePeer) -> None:
    """An answer with another token does not end the row: the clock is still wrong."""
    first = _row_begins(peer, 4)
    _correct(peer, 3, (first.token_req + 5) % 16)
    found = len(_requests(peer, 5 * _GAP))
    if found < 2:
        raise Failed(f"expected the row of 4 to go on; came {found} more")


@CHECKS.check("clocksync", _BOTH, "forced-replaced", clause=_FORCE, severity=Severity.RECOMMENDED)
def forced_replaced(peer: DevicePeer) -> None:
    """A new command replaces what is left of the row, and does not add to it."""
    _row_begins(peer, 7)
    peer.events()
    peer.send(peer.package("clocksync"), _force(2))
    found = len(_requests(peer, 9 * _GAP))
    if not 1 <= found <= 2:
        raise Failed(f"expected 2 requests; came {found}")


@CHECKS.check("clocksync", _BOTH, "forced-apart", clause=_FORCE, severity=Severity.QUIRK)
def forced_apart(peer: DevicePeer) -> None:
    """Forced requests are some time apart, so that an answer can come between.

    One stack sends them back to back.
    """
    peer.events()
    peer.send(peer.package("clocksync"), _force(4))
    times = [time for time, _ in _requests(peer, 5 * _GAP)]
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
    _period(peer, 0)
    peer.wait(WINDOW_LEAD)
    peer.send(peer.package("clocksync"), _force(2))
    if _requests(peer, 400.0):
        raise Failed("expected no request while the session runs")


# --- Order, and unicast only ----------------------------------------------------------------------


@CHECKS.check("clocksync", _BOTH, "answers-in-order", clause="TS003: commands run first to last")
def answers_in_order(peer: DevicePeer) -> None:
    """Two commands in one payload are answered in their order, whichever it is."""
    version, period = PackageVersionReq(), v1.DeviceAppTimePeriodicityReq(period=15)
    for commands in ((version, period), (period, version)):
        came = [type(one).__name__ for one in _answers(peer, *commands)]
        wanted = [type(one).__name__.replace("Req", "Ans") for one in commands]
        if came != wanted:
            raise Failed(f"expected {', '.join(wanted)}; came {', '.join(came) or 'nothing'}")


_MULTICAST: Final = "TS003: unicast only; promise S10"


@CHECKS.check("clocksync", _BOTH, "correction-by-multicast", clause=_MULTICAST)
def correction_by_multicast(peer: DevicePeer) -> None:
    """A correction by multicast is ignored: any member of a group could move every clock."""
    token = _asked(peer).token_req
    answers = [
        v1.AppTimeAns(time_correction=5_000, token_ans=one % 16) for one in range(token, token + 16)
    ]
    in_a_frame(peer, peer.package("clocksync"), *answers)
    _expect_error(peer, 0)


@CHECKS.check("clocksync", _BOTH, "period-by-multicast", clause=_MULTICAST)
def period_by_multicast(peer: DevicePeer) -> None:
    """A period by multicast is ignored, without an answer."""
    _period(peer, 15)
    package = peer.package("clocksync")
    in_a_frame(peer, package, v1.DeviceAppTimePeriodicityReq(period=0))
    came = peer.answers(package, within=40_000.0)
    if came:
        raise Failed(f"expected silence; came {came[0]}")


@CHECKS.check("clocksync", _BOTH, "forced-by-multicast", clause=_MULTICAST)
def forced_by_multicast(peer: DevicePeer) -> None:
    """A forced resynchronisation by multicast is ignored: a whole fleet would answer."""
    _period(peer, 15)
    in_a_frame(peer, peer.package("clocksync"), _force(3))
    came = _requests(peer, 40_000.0)
    if came:
        raise Failed(f"expected silence; came {came[0][1]}")
