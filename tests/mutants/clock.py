"""Mutants of clock synchronisation (TS003)."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from lorafuota.clocksync import v1, v2
from lorafuota.session import clock as session
from lorafuota.session.actions import Answer
from lorafuota.session.clock import ClockDevice
from lorafuota.session.clocksync import DeviceClock
from lorafuota.session.device import FuotaDevice
from lorafuota.session.multicast import McDevice

from .mutant import V1, Mutant, around, attribute, changed, flags


def _correction(new: Any) -> Any:
    def correct(real: Any, self: DeviceClock, seconds: int, *, token_ans: int) -> Any:
        return real(self, new(seconds), token_ans=token_ans)

    return lambda: around(DeviceClock, "correct", correct)


def _signed(seconds: int) -> int:
    return (seconds + (1 << 31)) % (1 << 32) - (1 << 31)


def _token_kept(real: Any, self: DeviceClock, seconds: int, *, token_ans: int) -> Any:
    token = self.token
    done = real(self, seconds, token_ans=token_ans)
    self.token = token
    return done


def _token_ignored(real: Any, self: DeviceClock, seconds: int, *, token_ans: int) -> Any:
    return real(self, seconds, token_ans=self.token)


def _token_per_request(real: Any, self: ClockDevice, *, now: float) -> Any:
    request = real(self, now=now)
    self.clock.token = (self.clock.token + 1) % 16
    return request


def _token_3_bits(real: Any, self: DeviceClock, seconds: int, *, token_ans: int) -> Any:
    done = real(self, seconds, token_ans=token_ans)
    self.token &= 7
    return done


def _request(change: Any) -> Any:
    def request(real: Any, self: ClockDevice, *, now: float) -> Any:
        return change(self, real(self, now=now), now)

    return lambda: around(ClockDevice, "request", request)


def _old_time(self: ClockDevice, request: v1.AppTimeReq, now: float) -> v1.AppTimeReq:
    kept: dict[str, int] = self.__dict__.setdefault("_kept", {})
    kept.setdefault("time", request.device_time)
    return dataclasses.replace(request, device_time=kept["time"])


def _unix_time(self: ClockDevice, request: v1.AppTimeReq, now: float) -> v1.AppTimeReq:
    time = (request.device_time + 315_964_800) % (1 << 32)
    return dataclasses.replace(request, device_time=time)


def _insisting(self: ClockDevice, request: v1.AppTimeReq, now: float) -> v1.AppTimeReq:
    return dataclasses.replace(request, ans_required=True)


def _by_multicast(real: Any, self: ClockDevice, command: Any, *, now: float, **rest: Any) -> Any:
    return real(self, command, now=now)


def _force_zero(real: Any, self: ClockDevice, count: int, command: Any) -> Any:
    return real(self, count or 1, command)


def _force_added(real: Any, self: ClockDevice, count: int, command: Any) -> Any:
    left = self._forced_left
    done = real(self, count, command)
    self._forced_left += left
    return done


def _force_answered(real: Any, self: ClockDevice, count: int, command: Any) -> Any:
    return [*real(self, count, command), Answer(v2.PACKAGE.version_ans())]


def _forced_goes_on(real: Any, self: ClockDevice, now: float) -> None:
    left = self._forced_left
    real(self, now)
    if left:
        self._forced_left, self._next = left, now + 30.0


def _zero_time(real: Any, self: ClockDevice, period: int, now: float) -> Any:
    return [
        Answer(changed(one.command, device_time=0)) if isinstance(one, Answer) else one
        for one in real(self, period, now)
    ]


def _period_unanswered(real: Any, self: ClockDevice, period: int, now: float) -> Any:
    return [one for one in real(self, period, now) if not isinstance(one, Answer)]


def _interval(new: Any) -> Any:
    def interval(real: Any, period: int, rng: random.Random) -> float:
        return float(new(period, rng, real(period, rng)))

    return lambda: around(session, "next_interval_seconds", interval)


def _always_a_minute(real: Any, self: ClockDevice, now: float) -> float | None:
    after: float | None = real(self, now)
    return now + 60.0 if self._insists and not self._forced_left else after


def _no_retry(real: Any, self: ClockDevice, now: float) -> float | None:
    after: float | None = real(self, now)
    return None if self._insists and not self._forced_left else after


def _after_first(real: Any, self: FuotaDevice, package: Any, payload: bytes) -> Any:
    """Nothing behind an AppTimeAns is read."""
    found = real(self, package, payload)
    for at, one in enumerate(found):
        if isinstance(one, v1.AppTimeAns):
            return found[: at + 1]
    return found


def _starts_at_1(real: Any, self: ClockDevice, *args: Any, **options: Any) -> None:
    real(self, *args, **options)
    self.clock.token = 1


MUTANTS = [
    Mutant(
        "correction-subtracted",
        "The correction is subtracted.",
        "ts003-v2/correction-forward",
        _correction(lambda seconds: _signed(-seconds)),
    ),
    Mutant(
        "correction-unsigned",
        "A negative correction is taken for a positive one.",
        "ts003-v2/correction-back",
        _correction(abs),
    ),
    Mutant(
        "correction-24-bits",
        "The correction is cut to 24 bits.",
        "ts003-v2/correction-year",
        _correction(lambda seconds: (seconds + (1 << 23)) % (1 << 24) - (1 << 23)),
    ),
    Mutant(
        "correction-limited",
        "A large correction is limited.",
        "ts003-v2/extreme-forward",
        _correction(lambda seconds: min(seconds, 1 << 30)),
    ),
    Mutant(
        "correction-ignored",
        "Corrections are not applied.",
        "ts003-v1/correction-minute",
        _correction(lambda seconds: 0),
        V1,
    ),
    Mutant(
        "token-kept",
        "The token is not counted.",
        "ts003-v2/token-counts",
        lambda: around(DeviceClock, "correct", _token_kept),
    ),
    Mutant(
        "token-ignored",
        "Any token is right.",
        "ts003-v2/token-wrong",
        lambda: around(DeviceClock, "correct", _token_ignored),
    ),
    Mutant(
        "token-per-request",
        "The token counts requests.",
        "ts003-v2/token-stays",
        lambda: around(ClockDevice, "request", _token_per_request),
    ),
    Mutant(
        "token-3-bits",
        "The token wraps at 8.",
        "ts003-v2/token-counts",
        lambda: around(DeviceClock, "correct", _token_3_bits),
    ),
    Mutant(
        "token-starts-at-1",
        "The token starts at 1.",
        "ts003-v2/token-starts",
        lambda: around(ClockDevice, "__init__", _starts_at_1),
    ),
    Mutant(
        "wrong-token-ends-payload",
        "Nothing behind an AppTimeAns is read.",
        "ts003-v2/token-wrong-goes-on",
        lambda: around(FuotaDevice, "_read", _after_first),
    ),
    Mutant(
        "never-asks-again",
        "An extreme correction is the last word.",
        "ts003-v2/extreme-back-again",
        lambda: flags(clock={"asks_again": False}),
    ),
    Mutant(
        "never-insists",
        "AnsRequired is never set.",
        "ts003-v2/extreme-insists",
        lambda: flags(clock={"may_require_answer": False}),
    ),
    Mutant(
        "old-device-time",
        "All requests carry the time of the first.",
        "ts003-v2/device-time-fresh",
        _request(_old_time),
    ),
    Mutant(
        "unix-time",
        "DeviceTime counts from 1970.",
        "ts003-v2/device-time-fresh",
        _request(_unix_time),
    ),
    Mutant(
        "forced-insists",
        "Forced requests have AnsRequired.",
        "ts003-v2/forced-not-required",
        _request(_insisting),
    ),
    Mutant(
        "clock-by-multicast",
        "Commands are taken by multicast.",
        "ts003-v2/correction-by-multicast",
        lambda: around(ClockDevice, "execute", _by_multicast),
    ),
    Mutant(
        "forced-one-more",
        "One request more than asked for is sent.",
        "ts003-v2/forced-1",
        lambda: flags(clock={"forced_extra": 1}),
    ),
    Mutant(
        "forced-once",
        "One request is sent, whatever is asked for.",
        "ts003-v2/forced-all",
        lambda: around(
            ClockDevice,
            "_force",
            lambda real, self, count, command: real(self, min(count, 1), command),
        ),
    ),
    Mutant(
        "forced-zero",
        "NbTransmissions 0 is taken for 1.",
        "ts003-v2/forced-zero",
        lambda: around(ClockDevice, "_force", _force_zero),
    ),
    Mutant(
        "forced-added",
        "A new command adds to the row.",
        "ts003-v2/forced-replaced",
        lambda: around(ClockDevice, "_force", _force_added),
    ),
    Mutant(
        "forced-goes-on",
        "An answer does not end the row.",
        "ts003-v2/forced-stops",
        lambda: around(ClockDevice, "_synchronised", _forced_goes_on),
    ),
    Mutant(
        "forced-any-token",
        "An answer with any token ends the row.",
        "ts003-v2/forced-wrong-token",
        lambda: flags(clock={"any_answer_stops_forced": True}),
    ),
    Mutant(
        "forced-in-class-c",
        "Requests do not wait for the end of a class C session.",
        "ts003-v2/forced-quiet-in-class-c",
        lambda: attribute(McDevice, "class_c_until", None),
    ),
    Mutant(
        "period-time-zero",
        "The answer about the period has no time.",
        "ts003-v2/period-answer",
        lambda: around(ClockDevice, "_set_period", _zero_time),
    ),
    Mutant(
        "period-unanswered",
        "A period is taken without an answer.",
        "ts003-v2/period-answer",
        lambda: around(ClockDevice, "_set_period", _period_unanswered),
    ),
    Mutant(
        "period-half",
        "The period is 64 * 2**Period.",
        "ts003-v2/period-kept",
        _interval(lambda period, rng, drawn: drawn - (64 << period)),
    ),
    Mutant(
        "period-linear",
        "The period is 128 * (Period + 1).",
        "ts003-v2/period-kept",
        _interval(lambda period, rng, drawn: 128 * (period + 1)),
    ),
    Mutant(
        "period-exact",
        "The period does not vary.",
        "ts003-v2/period-varies",
        _interval(lambda period, rng, drawn: 128 << period),
    ),
    Mutant(
        "period-later-only",
        "The period varies by 10 s upwards.",
        "ts003-v2/period-varies",
        _interval(lambda period, rng, drawn: (128 << period) + 10 * rng.random()),
    ),
    Mutant(
        "period-skewed",
        "The period varies, but mostly little.",
        "ts003-v2/period-uniform",
        _interval(
            lambda period, rng, drawn: (
                (128 << period) + rng.choice((-1, 1)) * 30 * rng.random() ** 3
            )
        ),
    ),
    Mutant(
        "period-in-ram",
        "The period is lost in a reset.",
        "ts003-v2/period-survives-reset",
        lambda: around(ClockDevice, "restore", lambda *args, **options: None),
    ),
    Mutant(
        "asks-every-minute",
        "A device that nobody answers asks every minute.",
        "ts003-v2/asks-not-too-often",
        lambda: around(ClockDevice, "_after_request", _always_a_minute),
    ),
    Mutant(
        "asks-once",
        "A device that nobody answers does not ask again.",
        "ts003-v2/asks-by-itself",
        lambda: around(ClockDevice, "_after_request", _no_retry),
    ),
    Mutant(
        "forced-answered",
        "A forced resynchronisation is answered.",
        "ts003-v2/forced-no-answer",
        lambda: around(ClockDevice, "_force", _force_answered),
    ),
]
