"""TS003: devices that ask for the time."""

from __future__ import annotations

from ...clocksync import v1
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..fleetdevice import FleetDevice
from ..serverpeer import ServerPeer
from ._common import BOTH

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_SETTLE = 60.0


def _running(peer: ServerPeer) -> FleetDevice:
    """Begin an update; return a device that is under way, so that the server knows its version."""
    peer.draw_image()
    fleet = peer.devices(2)
    for device in fleet:  # the transfer does not come to an end meanwhile
        device.loses = lambda n: True
    peer.begin()
    peer.happens(lambda: bool(peer.observer.frames) or bool(fleet[0].heard), within=400.0)
    if peer.ended is not None:
        raise NotApplicable("the update ended before anything could be asked")
    return fleet[0]


def _asked(
    peer: ServerPeer, device: FleetDevice, error: int, *, token: int = 5, required: bool = True
) -> list[v1.AppTimeAns]:
    """Have a device ask, with a clock that is so many seconds fast; return the answers."""
    had = len(peer.sent(v1.AppTimeAns, device))
    device.says[v1.AppTimeAns] = lambda command: []  # its own clock stays as it is
    req = v1.AppTimeReq(
        device_time=int(peer.now + error) % 2**32, token_req=token, ans_required=required
    )
    peer.uplink(device, "clocksync", req)
    peer.wait(_SETTLE)
    return peer.sent(v1.AppTimeAns, device)[had:]


def _expect(found: list[v1.AppTimeAns], seconds: int, token: int) -> None:
    if len(found) != 1:
        raise Failed(f"{len(found)} AppTimeAns for one AppTimeReq")
    if abs(found[0].time_correction - seconds) > 1:
        raise Failed(f"TimeCorrection {found[0].time_correction}; expected {seconds}")
    if found[0].token_ans != token:
        raise Failed(f"TokenAns {found[0].token_ans}; TokenReq was {token}")


@check("clocksync", BOTH, "well-formed", clause="TS003, 1: lengths, reserved bits 0")
def well_formed(peer: ServerPeer) -> None:
    """Everything on the package's port has the lengths of the text, and reserved bits are 0."""
    device = _running(peer)
    _expect(_asked(peer, device, 30), -30, 5)
    peer.strict("clocksync")


@check(
    "clocksync",
    (1,),
    "answer-required",
    clause="TS003-1.0.0, 4: SHOULD answer",
    severity=Severity.RECOMMENDED,
)
def answer_required_1(peer: ServerPeer) -> None:
    """AppTimeReq with AnsRequired is answered even if the clock is right."""
    _expect(_asked(peer, _running(peer), 0), 0, 5)


@check("clocksync", (2,), "answer-required", clause="TS003-2.0.0, 4")
def answer_required_2(peer: ServerPeer) -> None:
    """AppTimeReq with AnsRequired is answered even if the clock is right."""
    _expect(_asked(peer, _running(peer), 0), 0, 5)


@check("clocksync", BOTH, "correction-fast", clause="TS003, 4: TimeCorrection")
def correction_fast(peer: ServerPeer) -> None:
    """A device that is fast is told a negative correction, in two's complement."""
    _expect(_asked(peer, _running(peer), 3_600), -3_600, 5)


@check("clocksync", BOTH, "correction-slow", clause="TS003, 4: TimeCorrection")
def correction_slow(peer: ServerPeer) -> None:
    """A device that is slow is told a positive correction."""
    _expect(_asked(peer, _running(peer), -100_000), 100_000, 5)


@check("clocksync", BOTH, "correction-leap", clause="TS003, 8: GPS seconds, no leap seconds")
def correction_leap(peer: ServerPeer) -> None:
    """A device that starts at 0 is told all GPS seconds since 1980, leap seconds not taken out.

    A server that subtracts two UTC times is 18 seconds off (lorawan-stack 5591, 6090; LoRaMac-node
    707).
    """
    device = _running(peer)
    found = _asked(peer, device, -int(peer.now))
    _expect(found, int(peer.now - _SETTLE), 5)


@check("clocksync", (2,), "saturates", clause="TS003-2.0.0, 5: 0x80000000")
def saturates(peer: ServerPeer) -> None:
    """A difference that does not fit is cut to the extreme, and does not wrap to the other sign.

    The clock of this device is 2^31 + 1000 seconds fast.
    """
    device = _running(peer)
    found = _asked(peer, device, 2**31 + 1_000)
    if [one.time_correction for one in found] != [-(2**31)]:
        raise Failed(
            f"TimeCorrection {[one.time_correction for one in found]}; expected -2147483648"
        )


@check("clocksync", BOTH, "tokens", clause="TS003, 4: TokenAns SHALL equal TokenReq")
def tokens(peer: ServerPeer) -> None:
    """Every answer has the token of the request it answers, all sixteen."""
    device = _running(peer)
    for token in range(16):
        if peer.ended is not None:
            return
        _expect(_asked(peer, device, 50, token=token), -50, token)


@check("clocksync", (2,), "out-of-sync", clause="TS003-2.0.0, 4: SHALL answer above the threshold")
def out_of_sync_2(peer: ServerPeer) -> None:
    """A clock that is wrong is corrected although no answer is required."""
    _expect(_asked(peer, _running(peer), 120, required=False), -120, 5)


@check(
    "clocksync",
    (1,),
    "out-of-sync",
    clause="TS003-1.0.0, 4: MAY answer",
    severity=Severity.RECOMMENDED,
)
def out_of_sync_1(peer: ServerPeer) -> None:
    """A clock that is wrong is corrected although no answer is required."""
    _expect(_asked(peer, _running(peer), 120, required=False), -120, 5)


@check(
    "clocksync",
    BOTH,
    "in-sync",
    clause="TS003, 4: no need to answer",
    severity=Severity.RECOMMENDED,
)
def in_sync(peer: ServerPeer) -> None:
    """A clock that is right is not answered if no answer is required: downlinks are scarce."""
    device = _running(peer)
    _expect(_asked(peer, device, 30), -30, 5)  # it does answer
    found = _asked(peer, device, 0, required=False)
    if found:
        raise Failed(f"AppTimeAns of {found[0].time_correction} s to a clock that is right")


@check("clocksync", BOTH, "rfu", clause="TS003, 1: receivers ignore reserved bits")
def rfu(peer: ServerPeer) -> None:
    """Reserved bits in AppTimeReq are ignored, and not echoed."""
    device = _running(peer)
    had = len(peer.sent(v1.AppTimeAns, device))
    device.says[v1.AppTimeAns] = lambda command: []
    req = v1.AppTimeReq(device_time=int(peer.now) - 40, token_req=9, ans_required=True).encode()
    peer.uplink(device, "clocksync", req[:-1] + bytes((req[-1] | 0xE0,)))
    peer.wait(_SETTLE)
    _expect(peer.sent(v1.AppTimeAns, device)[had:], 40, 9)
    peer.strict("clocksync")


@check("clocksync", BOTH, "each-answered", clause="TS003, 4")
def each_answered(peer: ServerPeer) -> None:
    """A request that is repeated with a fresh time and the same token is answered afresh.

    The first answer may have been lost; the second has to fit the second reading.
    """
    device = _running(peer)
    _expect(_asked(peer, device, 100, token=3), -100, 3)
    _expect(_asked(peer, device, 200, token=3), -200, 3)


@check(
    "clocksync",
    BOTH,
    "after-other",
    clause="TS003, 1: several commands in one frame",
    severity=Severity.RECOMMENDED,
)
def after_other(peer: ServerPeer) -> None:
    """AppTimeReq is answered also behind another command of the same uplink.

    Known servers read only the first command, or refuse the whole uplink.
    """
    device = _running(peer)
    had = len(peer.sent(v1.AppTimeAns, device))
    device.says[v1.AppTimeAns] = lambda command: []
    version = v1.PackageVersionAns(package_identifier=1, package_version=peer.package.version)
    req = v1.AppTimeReq(device_time=int(peer.now) - 70, token_req=2, ans_required=True)
    peer.uplink(device, "clocksync", version, req)
    peer.wait(_SETTLE)
    _expect(peer.sent(v1.AppTimeAns, device)[had:], 70, 2)


@check("clocksync", BOTH, "periodicity-unasked", clause="TS003, 7")
def periodicity_unasked(peer: ServerPeer) -> None:
    """DeviceAppTimePeriodicityAns nobody asked for does no harm; there is no AppTimeAns to it."""
    device = _running(peer)
    _expect(_asked(peer, device, 30), -30, 5)  # it does answer
    had = len(peer.sent(v1.AppTimeAns, device))
    told = v1.DeviceAppTimePeriodicityAns(not_supported=True, device_time=0)
    peer.uplink(device, "clocksync", told)
    peer.wait(_SETTLE)
    if len(peer.sent(v1.AppTimeAns, device)) > had:
        raise Failed("AppTimeAns to a DeviceAppTimePeriodicityAns")


@check("clocksync", BOTH, "resync-bounded", clause="TR002, 4: bounded retries")
def resync_bounded(peer: ServerPeer) -> None:
    """A device that never asks for the time, however often told to, is not told for ever."""
    peer.draw_image()
    bad, *good = peer.devices(3)
    port = bad.packages.fport("clocksync")
    before = bad.sends
    bad.sends = lambda air: () if air[1] == port and air[2][:1] == b"\x01" else before(air)
    peer.begin()
    peer.finish()
    peer.expect_updated(good)
    told = [
        one
        for one in peer.observer.sent
        if one.dev_eui == bad.entry.dev_eui and one.fport == port and one.payload[:1] == b"\x03"
    ]
    if len(told) > 60:
        raise Failed(f"ForceDeviceResync was sent {len(told)} times")


@check("clocksync", BOTH, "lying-clock", clause="hostile devices do not harm the others")
def lying_clock(peer: ServerPeer) -> None:
    """A device whose clock is wrong whatever it is told does not hold the others."""
    peer.draw_image()
    bad, *good = peer.devices(3)
    bad.says[v1.AppTimeAns] = lambda command: []
    bad.skew = 5_000.0
    peer.begin()
    peer.finish()
    peer.expect_updated(good)
    answers = len(peer.sent(v1.AppTimeAns, bad))
    if answers > 200:
        raise Failed(f"{answers} corrections for one device")
