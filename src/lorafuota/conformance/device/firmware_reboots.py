"""Checks of versions and of the one programmed reboot (TS006)."""

from __future__ import annotations

from typing import Final

from ...clocksync import v1 as clocksync
from ...firmwaremanagement import v1
from ...package import PackageVersionReq
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from .firmware import (
    CANCEL_COUNTDOWN,
    CANCEL_TIME,
    LATE,
    ask_firmware,
    expect_answer,
    expect_no_reboot,
    expect_reboot,
    program,
    reboot_after,
    reboot_at,
    reboots_until,
    running_versions,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_V1: Final = (1,)
_VERSION: Final = "TS006, DevVersionAns"
_TIME: Final = "TS006, DevRebootTimeReq"
_COUNTDOWN: Final = "TS006, DevRebootCountdownReq"


# --- Versions -------------------------------------------------------------------------------------


@CHECKS.check("firmwaremanagement", _V1, "versions", clause=_VERSION)
def versions(peer: DevicePeer) -> None:
    """Firmware and hardware version are told in 8 octets, the same ones every time."""
    if running_versions(peer) != running_versions(peer):
        raise Failed("two answers tell different versions")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "several-answers",
    clause="TS006: commands run first to last",
    severity=Severity.RECOMMENDED,
)
def several_answers(peer: DevicePeer) -> None:
    """Version, versions and image state asked for in one payload are all answered.

    A known stack has room for 9 octets, and leaves out what does not fit.
    """
    came = ask_firmware(peer, PackageVersionReq(), v1.DevVersionReq(), v1.DevUpgradeImageReq())
    kinds = [type(one).__name__ for one in came]
    if kinds != ["PackageVersionAns", "DevVersionAns", "DevUpgradeImageAns"]:
        raise Failed(f"expected three answers; came {came or 'nothing'}")


# --- Reboot after a countdown ---------------------------------------------------------------------


def _declare_countdown(seconds: int) -> None:
    @CHECKS.check("firmwaremanagement", _V1, f"countdown-{seconds}", clause=_COUNTDOWN)
    def reboots(peer: DevicePeer) -> None:
        """The device reboots so many seconds after the request, once, and tells how many are left.

        The figure of the answer counts from the answer, so it may be a little smaller.
        """
        expect_reboot(peer, program(peer, seconds))


for _seconds in (60, 3_600, 200_000):
    _declare_countdown(_seconds)


@CHECKS.check("firmwaremanagement", _V1, "countdown-now", clause=_COUNTDOWN)
def countdown_now(peer: DevicePeer) -> None:
    """Countdown 0 reboots at once, without an answer: 0 in an answer means "cannot"."""
    began = peer.now
    expect_answer(peer, v1.DevRebootCountdownReq(countdown=0), None)
    expect_reboot(peer, began + 2.0)


@CHECKS.check("firmwaremanagement", _V1, "countdown-cancel", clause=_COUNTDOWN)
def countdown_cancel(peer: DevicePeer) -> None:
    """Countdown 0xFFFFFF cancels the programmed reboot, and says so."""
    program(peer, 600)
    cancelled = v1.DevRebootCountdownAns(countdown=CANCEL_COUNTDOWN)
    expect_answer(peer, v1.DevRebootCountdownReq(countdown=CANCEL_COUNTDOWN), cancelled)
    expect_no_reboot(peer, 3_600.0)


@CHECKS.check("firmwaremanagement", _V1, "cancel-nothing", clause="TS006, cancel")
def cancel_nothing(peer: DevicePeer) -> None:
    """A cancel is confirmed where there is no reboot to cancel too: it may be a repeat."""
    expect_answer(
        peer,
        v1.DevRebootCountdownReq(countdown=CANCEL_COUNTDOWN),
        v1.DevRebootCountdownAns(countdown=CANCEL_COUNTDOWN),
    )
    expect_answer(
        peer,
        v1.DevRebootTimeReq(reboot_time=CANCEL_TIME),
        v1.DevRebootTimeAns(reboot_time=CANCEL_TIME),
    )
    expect_no_reboot(peer, 600.0)


@CHECKS.check("firmwaremanagement", _V1, "countdown-longest", clause=_COUNTDOWN)
def countdown_longest(peer: DevicePeer) -> None:
    """The longest countdown, 194 days, is none that overflows: the device does not reboot now."""
    answer = reboot_after(peer, 0xFF_FFFE)
    if answer is None:
        raise Failed("expected an answer; came nothing")
    expect_no_reboot(peer, 7 * 86_400.0)


# --- Reboot at a time -----------------------------------------------------------------------------


def _declare_time(seconds: int) -> None:
    @CHECKS.check("firmwaremanagement", _V1, f"time-{seconds}", clause=_TIME)
    def reboots(peer: DevicePeer) -> None:
        """The device reboots at a GPS time, once, and answers with the seconds until then.

        The request holds a time and the answer a delay.  A clock that counts from 1970 is wrong by
        ten years here.
        """
        at = float(int(peer.now) + seconds)
        answer = reboot_at(peer, at)
        if answer is None or not seconds - 20 <= answer <= seconds:
            raise Failed(f"expected a delay of {seconds} s; came {answer}")
        expect_reboot(peer, at)


for _seconds in (60, 3_600, 5_000_000):
    _declare_time(_seconds)


@CHECKS.check("firmwaremanagement", _V1, "time-now", clause=_TIME)
def time_now(peer: DevicePeer) -> None:
    """RebootTime 0 reboots at once, without an answer."""
    began = peer.now
    expect_answer(peer, v1.DevRebootTimeReq(reboot_time=0), None)
    expect_reboot(peer, began + 2.0)


@CHECKS.check("firmwaremanagement", _V1, "time-cancel", clause=_TIME)
def time_cancel(peer: DevicePeer) -> None:
    """RebootTime 0xFFFFFFFF cancels the programmed reboot, and says so."""
    reboot_at(peer, peer.now + 600)
    cancelled = v1.DevRebootTimeAns(reboot_time=CANCEL_TIME)
    expect_answer(peer, v1.DevRebootTimeReq(reboot_time=CANCEL_TIME), cancelled)
    expect_no_reboot(peer, 3_600.0)


@CHECKS.check("firmwaremanagement", _V1, "time-past", clause=_TIME)
def time_past(peer: DevicePeer) -> None:
    """A time in the past is answered with 0, and the device does not reboot."""
    for ago in (5, 3_600, 100_000_000):
        answer = reboot_at(peer, peer.now - ago)
        if answer != 0:
            raise Failed(f"expected 0 for {ago} s ago; came {answer}")
    expect_no_reboot(peer, 3_600.0)


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "time-is-now",
    clause="TS006 leaves it open; an answer of 0 reads as an error",
    severity=Severity.RECOMMENDED,
)
def time_is_now(peer: DevicePeer) -> None:
    """A time that is now is past: whoever answers 0 must not reboot."""
    peer.wait(-peer.now % 1.0)
    answer = reboot_at(peer, peer.now)
    found = reboots_until(peer, peer.now + 600.0)
    if answer == 0 and found:
        raise Failed("the device answers 0, which means that it cannot, and reboots")
    running_versions(peer)


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "time-far",
    clause="TS006; times are compared modulo 2**32",
    severity=Severity.RECOMMENDED,
)
def time_far(peer: DevicePeer) -> None:
    """A time more than 2**31 s ahead is past, modulo 2**32; at least nothing happens now."""
    reboot_at(peer, peer.now + (1 << 31) + 10_000)
    expect_no_reboot(peer, 86_400.0)
    running_versions(peer)


@CHECKS.check(
    "firmwaremanagement", _V1, "time-unknown", clause=_TIME, severity=Severity.RECOMMENDED
)
def time_unknown(peer: DevicePeer) -> None:
    """A device that does not know the time says 0, or finds it out first; it does not guess."""
    peer.power_on(factory=True, clock_known=False)
    at = peer.now + 3_600.0
    answer = reboot_at(peer, at)
    if answer is None:
        raise Failed("expected an answer; came nothing")
    if answer == 0:
        expect_no_reboot(peer, 7_200.0)
    elif abs(answer - 3_600) > 30:
        raise Failed(f"expected 0, or some 3600 s; came {answer}")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "time-moves-with-clock",
    clause="TS006; TS003, TimeCorrection",
    severity=Severity.RECOMMENDED,
)
def time_moves_with_clock(peer: DevicePeer) -> None:
    """A reboot at a GPS time moves when the clock is corrected; all devices are to switch at once.

    A countdown does not move.
    """
    clock = peer.package("clocksync")
    at = float(int(peer.now) + 3_600)
    reboot_at(peer, at)
    asked = peer.ask(clock, b"\x03\x01", within=120.0)
    tokens = [one.token_req for one in asked if isinstance(one, clocksync.AppTimeReq)]
    if not tokens:
        raise NotApplicable("the device does not ask for the time when it is forced to")
    peer.send(clock, clocksync.AppTimeAns(time_correction=600, token_ans=tokens[-1]))
    expect_reboot(peer, at - 600)


# --- The one slot ---------------------------------------------------------------------------------


def _declare_replaced(name: str, first: int, second: int, *, times: tuple[bool, bool]) -> None:
    @CHECKS.check("firmwaremanagement", _V1, f"replace-{name}", clause="TS006: one reboot")
    def replaced(peer: DevicePeer) -> None:
        """A later request replaces the programmed reboot, whichever kind they are.

        There is one, so the device reboots once, at the second time.
        """
        due = peer.now
        for seconds, at_time in zip((first, second), times, strict=True):
            due = float(int(peer.now) + seconds) if at_time else peer.now + seconds
            if at_time:
                reboot_at(peer, due)
            else:
                program(peer, seconds)
        if second > first:
            found = reboots_until(peer, due - 10.0)
            if found:
                raise Failed("the device reboots at the time that was replaced")
        expect_reboot(peer, due)


_declare_replaced("later", 300, 900, times=(False, False))
_declare_replaced("earlier", 900, 300, times=(False, False))
_declare_replaced("time-by-countdown", 300, 900, times=(True, False))
_declare_replaced("countdown-by-time", 300, 900, times=(False, True))
_declare_replaced("time-by-time", 900, 300, times=(True, True))


@CHECKS.check("firmwaremanagement", _V1, "cancel-other-kind", clause="TS006: one reboot")
def cancel_other_kind(peer: DevicePeer) -> None:
    """Either command cancels whatever is programmed: there is one reboot, not one of each kind."""
    program(peer, 300)
    ask_firmware(peer, v1.DevRebootTimeReq(reboot_time=CANCEL_TIME))
    expect_no_reboot(peer, 900.0)
    reboot_at(peer, peer.now + 300)
    ask_firmware(peer, v1.DevRebootCountdownReq(countdown=CANCEL_COUNTDOWN))
    expect_no_reboot(peer, 900.0)


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "refused-keeps-reboot",
    clause="TS006: a valid request replaces",
    severity=Severity.RECOMMENDED,
)
def refused_keeps_reboot(peer: DevicePeer) -> None:
    """A request that is refused leaves the programmed reboot alone.

    A known stack cancels it first, and judges the request then.
    """
    due = program(peer, 600)
    answer = reboot_at(peer, peer.now - 1_000)
    if answer != 0:
        raise Failed(f"expected 0 for a time in the past; came {answer}")
    expect_reboot(peer, due)


@CHECKS.check("firmwaremanagement", _V1, "repeat", clause="TS006: requests are repeatable")
def repeat(peer: DevicePeer) -> None:
    """The same request again is answered again, and the device reboots once."""
    at = float(int(peer.now) + 600)
    for _ in range(3):
        answer = reboot_at(peer, at)
        left = at - peer.now
        if answer is None or not left - 5 <= answer <= left + 15:
            raise Failed(f"expected some {left:.0f} s; came {answer}")
    expect_reboot(peer, at)


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "answer-before-reboot",
    clause="TS006, reboot as soon as possible",
    severity=Severity.RECOMMENDED,
)
def answer_before_reboot(peer: DevicePeer) -> None:
    """Commands in front of an immediate reboot are answered before it."""
    came = ask_firmware(peer, v1.DevVersionReq(), v1.DevRebootCountdownReq(countdown=0))
    if [type(one) for one in came] != [v1.DevVersionAns]:
        raise Failed(f"expected DevVersionAns; came {came or 'nothing'}")
    if not reboots_until(peer, peer.now + 60.0):
        raise Failed("expected a reboot; came none")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "reboot-survives-reset",
    clause="TS006 leaves it open",
    severity=Severity.RECOMMENDED,
    needs=["power-cycle"],
)
def reboot_survives_reset(peer: DevicePeer) -> None:
    """A programmed reboot takes place after a power cycle too: the server counts on it."""
    for at_time in (True, False):
        due = float(int(peer.now) + 3_600)
        if at_time:
            reboot_at(peer, due)
        else:
            due = program(peer, 3_600)
        peer.wait(600.0)
        peer.power_on()
        found = reboots_until(peer, due + 60.0)
        if len(found) != 1 or abs(found[0] - due) > LATE:
            raise Failed(f"expected one reboot at its time; came {len(found)}")


@CHECKS.check(
    "firmwaremanagement",
    _V1,
    "reset-no-second-reboot",
    clause="TS006: one reboot",
    needs=["power-cycle"],
)
def reset_no_second_reboot(peer: DevicePeer) -> None:
    """A reboot that has taken place does not come again after the power cycle it is."""
    expect_reboot(peer, program(peer, 120))
    peer.power_on()
    expect_no_reboot(peer, 86_400.0)
