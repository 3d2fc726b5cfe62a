"""Clocks that are off: by leap seconds, by another epoch, or by something else.

A device tells its clock in AppTimeReq, and in TimeToStart of a session answer; the server tells its
own in TimeCorrection.  All of it is held against the times of the log, so a log with wrong times
shows up here too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Final

from ...clocksync.v1 import AppTimeAns, AppTimeReq, DeviceAppTimePeriodicityAns
from ...gpstime import UNIX_TIME_OF_GPS_EPOCH, from_wire
from ...multicastsetup.v1 import McClassBSessionReq
from ..case import Case, DeviceLog
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..listening import CLOCK_UNKNOWN, windows_of
from ..transfer import Transfer

__all__ = ["look", "named_difference"]

_LEAP: Final = {
    18: "GPS less UTC",
    19: "TAI less GPS",
    37: "TAI less UTC",
}
_NEAR_LEAP: Final = 1.6
_NEAR_EPOCH: Final = 60.0
_SOON: Final = 30 * 86_400
"""So far ahead a window is planned at most, when its epoch is judged."""
_RIGHT: Final = 5.0
_RIGHT_CLASS_B: Final = 60.0
_SERVER_RIGHT: Final = 3.0
_SEVERAL: Final = 3  # a device asks because its clock may be off; asked once, it says little
_EXTREMES: Final = (-(1 << 31), (1 << 31) - 1)


@dataclasses.dataclass(frozen=True, slots=True)
class _Shown:
    """What a device's clock showed more than the log's."""

    at: int
    error: float
    how: str
    weight: Weight
    tolerance: float = _RIGHT


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Follow the clock of every device through the capture."""
    reached = {one.dev_eui for one in transfers if one.success}
    for device in case.devices.values():
        yield from _server(device)  # first: a clock it sets wrong is not the device's fault
        yield from _device(case, device)
        yield from _session_times(device, reached=device.dev_eui in reached)


def named_difference(seconds: float) -> tuple[Symptom, str] | None:
    """Return what a difference of two clocks is known for, and None for any other."""
    size = abs(seconds)
    if abs(size - UNIX_TIME_OF_GPS_EPOCH) <= _NEAR_EPOCH:
        text = f"{seconds:+.0f} s: Unix time (1970) against GPS time (1980), 315964800 s"
        return Symptom.CLOCK_EPOCH, text
    for leap, name in _LEAP.items():
        if abs(size - leap) <= _NEAR_LEAP:
            return Symptom.CLOCK_LEAP_SECONDS, f"{seconds:+.0f} s: the leap seconds of {name}"
    return None


def _device(case: Case, device: DeviceLog) -> Iterator[Finding]:
    shown = sorted(_shown(case, device), key=lambda one: one.at)
    if not shown:
        return
    last = shown[-1]
    error = last.error
    for one in device.sent(AppTimeAns):
        if one.at > last.at and _is_answer(device, one.what, one.at):
            error += float(one.what.time_correction)
    if abs(error) <= last.tolerance:
        return
    same = [one for one in shown if abs(one.error - error) <= last.tolerance]
    evidence = [
        Evidence(
            one.weight,
            f"{one.how}: {one.error:+.1f} s off",
            (one.at,) if one.at < len(case.frames) else (),  # the device's log is no frame
        )
        for one in same[-3:]
    ]
    named = named_difference(error)
    symptom, text = named or (Symptom.CLOCK_OFF, f"{error:+.1f} s")
    sure = len(same) >= _SEVERAL or any(one.weight is not Weight.HINT for one in same)
    if named is not None and sure:
        weight = Weight.STRONG if symptom is Symptom.CLOCK_EPOCH else Weight.FAIR
        evidence.append(Evidence(weight, f"{error:+.1f} s is a difference with a name"))
    if not evidence:
        return
    says = f"the device's clock is off by {text}"
    yield Finding(symptom, says, tuple(evidence), device.dev_eui)


def _shown(case: Case, device: DeviceLog) -> Iterator[_Shown]:
    clocks = [(one, one.what.device_time) for one in device.said(AppTimeReq)]
    for req, clock in clocks:
        if req.time is not None:
            error = float(from_wire(clock, near=req.time) - req.time)
            yield _Shown(req.at, error, "AppTimeReq.DeviceTime", Weight.HINT)
    for ans in device.said(DeviceAppTimePeriodicityAns):
        if ans.time is not None:
            error = from_wire(ans.what.device_time, near=ans.time) - ans.time
            yield _Shown(ans.at, error, "DeviceAppTimePeriodicityAns.DeviceTime", Weight.HINT)
    for window in windows_of(device):
        answer = window.answer
        if answer is None or answer.time is None or not window.accepted:
            continue
        left = answer.what.time_to_start
        start = from_wire(window.request.what.session_time, near=answer.time)
        far = start - answer.time >= CLOCK_UNKNOWN
        if left is None or (left == CLOCK_UNKNOWN and far):
            continue
        class_b = isinstance(window.request.what, McClassBSessionReq)
        if left == CLOCK_UNKNOWN:
            continue
        if left == 0 and start <= answer.time:
            continue  # it joins late, and does not say by how much
        how = f"TimeToStart {left} for a start in {start - answer.time:.1f} s"
        tolerance = _RIGHT_CLASS_B if class_b else _RIGHT
        error = float(start - left - answer.time)
        yield _Shown(answer.at, error, how, Weight.STRONG, tolerance)
    if case.subject is device:
        for showed, gps in case.known.device_times:
            shown = float(showed - gps)
            yield _Shown(len(case.frames), shown, "the device's log", Weight.STRONG)


def _is_answer(device: DeviceLog, answer: AppTimeAns, at: int) -> bool:
    asked = [one for one in device.said(AppTimeReq) if one.at < at]
    return bool(asked) and asked[-1].what.token_req == answer.token_ans


def _server(device: DeviceLog) -> Iterator[Finding]:
    """Hold the server's corrections against what the device showed."""
    found = []
    requests = device.said(AppTimeReq)
    for answer in device.sent(AppTimeAns):
        correction = answer.what.time_correction
        off = [
            from_wire(one.what.device_time, near=one.time) + correction - one.time
            for one in requests
            if one.at < answer.at
            and one.time is not None
            and one.what.token_req == answer.what.token_ans
        ]
        if off and correction not in _EXTREMES:
            found.append((answer.at, min(off, key=abs)))
    wrong = [(at, off) for at, off in found if abs(off) > _SERVER_RIGHT]
    if not wrong or len(wrong) < len(found):
        return
    worst = wrong[-1][1]
    symptom, text = named_difference(worst) or (Symptom.SERVER_CLOCK, f"{worst:+.1f} s")
    evidence = [
        Evidence(Weight.STRONG, f"TimeCorrection puts the clock {one:+.1f} s off", (where,))
        for where, one in wrong[-2:]
    ]
    says = f"the server sets the device's clock wrong, by {text}"
    yield Finding(symptom, says, tuple(evidence), device.dev_eui)


def _session_times(device: DeviceLog, *, reached: bool) -> Iterator[Finding]:
    """Find SessionTime in another epoch, and devices that say they do not know the time."""
    for window in windows_of(device):
        start, asked = window.start, window.request.time
        if start is None or asked is None:
            continue
        ahead = start - asked
        if abs(abs(ahead) - UNIX_TIME_OF_GPS_EPOCH) <= _SOON:
            which = "Unix time" if ahead > 0 else "GPS time taken for Unix time"
            says = (
                f"SessionTime is not in GPS seconds: the start lies {ahead:+.0f} s from the "
                f"request, which is {which} (315964800 s)"
            )
            evidence = [
                Evidence(
                    Weight.STRONG,
                    f"SessionTime {window.request.what.session_time} was sent at {asked:.0f}",
                    (window.request.at,),
                )
            ]
            if window.answer is not None and window.answer.what.time_to_start == CLOCK_UNKNOWN:
                text = "the device answers TimeToStart 0xFFFFFF: farther away than it can count"
                evidence.append(Evidence(Weight.STRONG, text, (window.answer.at,)))
            yield Finding(Symptom.CLOCK_EPOCH, says, tuple(evidence), device.dev_eui)
        elif (
            window.answer is not None
            and window.answer.what.time_to_start == CLOCK_UNKNOWN
            and not reached
            and not _synchronised_later(device, window.answer.at)
        ):
            says = "the device does not know the time when it is asked to listen"
            text = "TimeToStart 0xFFFFFF: the clock is not set, or far off"
            evidence = [Evidence(Weight.STRONG, text, (window.answer.at,))]
            yield Finding(Symptom.CLOCK_OFF, says, tuple(evidence), device.dev_eui)


def _synchronised_later(device: DeviceLog, at: int) -> bool:
    return any(one.at > at for one in device.sent(AppTimeAns))
