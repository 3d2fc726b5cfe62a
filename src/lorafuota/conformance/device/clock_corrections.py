"""Checks of corrections of the clock, and of the token that guards them (TS003)."""

from __future__ import annotations

from typing import Final

from ...clocksync import v1
from ...package import PackageVersionAns, PackageVersionReq
from ..check import Catalogue, Failed, Severity
from ..devicepeer import DevicePeer
from .clock import (
    asked_once,
    clock_answers,
    correct,
    expect_error,
    next_request,
    set_period,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_ANS: Final = "TS003, AppTimeAns"
_TOKEN: Final = "TS003, TokenReq"


def _declare_correction(name: str, seconds: int) -> None:
    @CHECKS.check("clocksync", _BOTH, f"correction-{name}", clause=_ANS)
    def corrected(peer: DevicePeer) -> None:
        """A TimeCorrection is added to the clock, with its sign, all 32 bits of it.

        A correction is a difference; a device that takes it for a time, or for a number without a
        sign, is wrong by decades.
        """
        token = asked_once(peer).token_req
        correct(peer, seconds, token)
        expect_error(peer, seconds)


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
    token = asked_once(peer).token_req
    peer.wait(3_600.0)
    correct(peer, 250, token)
    expect_error(peer, 250)


@CHECKS.check("clocksync", _BOTH, "correction-again", clause=_TOKEN)
def correction_again(peer: DevicePeer) -> None:
    """The same answer again is ignored: the clock has moved, and so has the token."""
    token = asked_once(peer).token_req
    for _ in range(3):
        correct(peer, 40, token)
    expect_error(peer, 40)


@CHECKS.check("clocksync", _BOTH, "correction-reserved-bits", clause="TS003, RFU")
def correction_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits beside TokenAns are ignored."""
    token = asked_once(peer).token_req
    octets = bytearray(v1.AppTimeAns(time_correction=70, token_ans=token).encode())
    octets[-1] |= 0xF0
    peer.send(peer.package("clocksync"), bytes(octets))
    expect_error(peer, 70)


@CHECKS.check("clocksync", _BOTH, "token-wrong", clause=_TOKEN)
def token_wrong(peer: DevicePeer) -> None:
    """An answer with another token changes nothing, and the right one still counts."""
    token = asked_once(peer).token_req
    for other in range(16):
        if other != token:
            correct(peer, 1_000, other)
    expect_error(peer, 0)
    correct(peer, 30, token)
    expect_error(peer, 30)


@CHECKS.check("clocksync", _BOTH, "token-wrong-goes-on", clause=_TOKEN)
def token_wrong_goes_on(peer: DevicePeer) -> None:
    """Commands behind an answer that is ignored are executed."""
    token = asked_once(peer).token_req
    wrong = v1.AppTimeAns(time_correction=5, token_ans=(token + 1) % 16)
    came = clock_answers(peer, wrong, PackageVersionReq())
    version = peer.package("clocksync").version
    wanted = PackageVersionAns(package_identifier=1, package_version=version)
    if came != [wanted]:
        raise Failed(f"expected {wanted}; came {came or 'nothing'}")


@CHECKS.check("clocksync", _BOTH, "token-counts", clause=_TOKEN)
def token_counts(peer: DevicePeer) -> None:
    """TokenReq counts one up with every correction, modulo 16."""
    token = asked_once(peer).token_req
    for _ in range(18):
        correct(peer, 1, token)
        peer.wait(1.0)
        request = asked_once(peer)
        if request.token_req != (token + 1) % 16:
            raise Failed(f"expected token {(token + 1) % 16}; came {request}")
        token = request.token_req
    expect_error(peer, 18)


@CHECKS.check("clocksync", _BOTH, "token-stays", clause=_TOKEN)
def token_stays(peer: DevicePeer) -> None:
    """TokenReq does not count requests: without a correction it stays.

    The answer to any request since the last correction is right.
    """
    tokens = {asked_once(peer).token_req for _ in range(4)}
    if len(tokens) != 1:
        raise Failed(f"expected one token for all requests; came {sorted(tokens)}")


@CHECKS.check("clocksync", _BOTH, "token-starts", clause=_TOKEN, severity=Severity.RECOMMENDED)
def token_starts(peer: DevicePeer) -> None:
    """TokenReq is 0 after a start."""
    request = asked_once(peer)
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
        token = asked_once(peer).token_req
        correct(peer, seconds, token)
        peer.wait(1.0)
        expect_error(peer, seconds)

    @CHECKS.check("clocksync", (2,), f"extreme-{name}-again", clause="TS003-2.0.0, TimeCorrection")
    def asks_again(peer: DevicePeer) -> None:
        """After an extreme correction the device asks again: there may be more to correct.

        A device that starts at 0 needs two rounds from 2048 on; one that does not ask stays decades
        behind until its next period.
        """
        set_period(peer, 15)
        token = asked_once(peer).token_req
        peer.events()
        correct(peer, seconds, token)
        request = next_request(peer, 600.0)
        if request is None:
            raise Failed("expected another AppTimeReq; came nothing")
        if request.token_req != (token + 1) % 16:
            raise Failed(f"expected token {(token + 1) % 16}; came {request}")
        correct(peer, 1_000, request.token_req)
        expect_error(peer, seconds + 1_000)


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
    token = asked_once(peer).token_req
    peer.events()
    correct(peer, (1 << 31) - 1, token)
    request = next_request(peer, 600.0)
    if request is None or not request.ans_required:
        raise Failed(f"expected an AppTimeReq with AnsRequired; came {request or 'nothing'}")
