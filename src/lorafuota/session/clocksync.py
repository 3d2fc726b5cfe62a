"""Clock arithmetic of Application Layer Clock Synchronization (TS003), both ends.

The device says what its clock shows; the server answers with the seconds to *add*.  A difference
stays right however late it arrives, as long as nothing else moved the clock, and the token takes
care of that: it is counted up only when a correction has been applied, so an answer to an already
corrected clock carries the old token and is ignored.

    device: 1000, token 3  --->  server sees it at 1034
    device: clock += 34    <---  TimeCorrection 34, token 3
    device: token 4              a second copy of that answer: token 3, ignored

Clocks are 32 bits wide and wrap in 2116; corrections are 32 bits *signed*, so a device that wakes
up at 0 after 2048 needs two rounds.  Plain numbers in, plain numbers out; the messages are
:mod:`lorafuota.clocksync`.
"""

from __future__ import annotations

import dataclasses
import random
from typing import Final, final

from ..errors import FieldError, require_int
from ..gpstime import WRAP_SECONDS, to_wire, whole_seconds

__all__ = [
    "MAX_CORRECTION",
    "MIN_CORRECTION",
    "PERIOD_JITTER_SECONDS",
    "DeviceClock",
    "TimeAnswer",
    "answer_app_time",
    "apply_correction",
    "clock_error",
    "is_saturated",
    "next_interval_seconds",
    "nominal_period_seconds",
    "time_correction",
]

MAX_CORRECTION: Final = (1 << 31) - 1
"""The largest TimeCorrection; from a version 2 server it may mean "this much and more"."""

MIN_CORRECTION: Final = -(1 << 31)
"""The smallest TimeCorrection; from a version 2 server it may mean "this much and more"."""

PERIOD_JITTER_SECONDS: Final = 30
"""The period of AppTimeReq varies by up to this, up and down."""

_FOLD_ABOVE: Final = WRAP_SECONDS - (1 << 30)


def clock_error(arrival_gps: float, device_time: int) -> int:
    """Return by how many seconds a device's clock is late (positive) or early (negative).

    A difference above 2**32 - 2**30 is taken for two clocks on either side of the wrap in 2116.

    Args:
        arrival_gps: GPS time at which the uplink *began*; the fraction is dropped, because the
            device drops its own.  A gateway stamps the end: subtract the time on air.
        device_time: DeviceTime of AppTimeReq, 0 to 2**32 - 1.

    Raises:
        FieldError: *arrival_gps* is not finite, or *device_time* out of range.
    """
    require_int("clock_error", "device_time", device_time, 0, WRAP_SECONDS - 1)
    error = to_wire(arrival_gps) - device_time
    if error > _FOLD_ABOVE:
        return error - WRAP_SECONDS
    if error < -_FOLD_ABOVE:
        return error + WRAP_SECONDS
    return error


def time_correction(
    arrival_gps: float, device_time: int, *, ans_required: bool, threshold_seconds: float = 1.0
) -> int | None:
    """Return the TimeCorrection to answer with, or None for silence (TS003, AppTimeAns).

    What does not fit 32 bits signed is sent as the nearest value that does (TS003-2.0.0; the best
    a version 1 server can do as well).

    Args:
        arrival_gps: GPS time at which the uplink began.
        device_time: DeviceTime of AppTimeReq, 0 to 2**32 - 1.
        ans_required: AnsRequired of AppTimeReq.
        threshold_seconds: Errors up to this are in sync; answered only when required.

    Raises:
        FieldError: An argument is out of its range.
    """
    if not threshold_seconds >= 0:
        raise FieldError("time_correction", "threshold_seconds", threshold_seconds, "0 or more")
    error = clock_error(arrival_gps, device_time)
    if not ans_required and abs(error) <= threshold_seconds:
        return None
    return min(MAX_CORRECTION, max(MIN_CORRECTION, error))


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TimeAnswer:
    """The fields of an AppTimeAns."""

    time_correction: int
    token_ans: int


def answer_app_time(
    *,
    arrival_gps: float,
    device_time: int,
    token_req: int,
    ans_required: bool,
    threshold_seconds: float = 1.0,
) -> TimeAnswer | None:
    """Answer an AppTimeReq, or keep silent; server side.

    Keep at most one answer per device waiting: a newer request replaces it.

    Args:
        arrival_gps: GPS time at which the uplink began.
        device_time: DeviceTime, 0 to 2**32 - 1.
        token_req: TokenReq, 0 to 15; returned as TokenAns.
        ans_required: AnsRequired.
        threshold_seconds: Errors up to this are in sync.

    Raises:
        FieldError: An argument is out of its range.
    """
    require_int("answer_app_time", "token_req", token_req, 0, 15)
    correction = time_correction(
        arrival_gps, device_time, ans_required=ans_required, threshold_seconds=threshold_seconds
    )
    if correction is None:
        return None
    return TimeAnswer(time_correction=correction, token_ans=token_req)


def apply_correction(clock: int, correction: int) -> int:
    """Return a 32-bit clock after a correction, modulo 2**32.

    Raises:
        FieldError: *correction* is not 32 bits signed.
    """
    require_int("apply_correction", "correction", correction, MIN_CORRECTION, MAX_CORRECTION)
    return (clock + correction) % WRAP_SECONDS


def is_saturated(correction: int) -> bool:
    """Tell whether a correction is one of the two extremes, so that there may be more to come.

    A version 2 device applies it and asks again.  (A true difference of exactly that size looks the
    same; asking again is harmless.)
    """
    return correction in (MIN_CORRECTION, MAX_CORRECTION)


def nominal_period_seconds(period: int) -> int:
    """Return the seconds between AppTimeReq for a Period of 0 to 15: 128 * 2**period.

    Raises:
        FieldError: *period* is outside 0..15.
    """
    require_int("nominal_period_seconds", "period", period, 0, 15)
    return 128 << period


def next_interval_seconds(period: int, rng: random.Random) -> int:
    """Draw the seconds until the next AppTimeReq: nominal, give or take 30.

    Args:
        period: 0 to 15.
        rng: The owner's generator; draw anew for every transmission.

    Raises:
        FieldError: *period* is outside 0..15.
    """
    jitter = rng.randint(-PERIOD_JITTER_SECONDS, PERIOD_JITTER_SECONDS)
    return nominal_period_seconds(period) + jitter


@final
@dataclasses.dataclass(slots=True, kw_only=True)
class DeviceClock:
    """A device's idea of GPS time: an offset to its own seconds, and the token.

    ``now`` is whatever counts seconds in the device.  The correction goes into the offset, so the
    clock is right at whatever ``now`` comes next.  Plain data: pickle it, or store its fields.
    """

    offset_seconds: int = 0
    """GPS seconds minus the device's own, 32 bits signed."""
    token: int = 0
    """TokenReq of the next request; 0 after a reset."""
    asks_again: bool = True
    """Ask again after an extreme correction: version 2 demands it, version 1 is silent."""
    request_owed: bool = False
    """An extreme correction was applied: send another AppTimeReq, with AnsRequired."""

    def __post_init__(self) -> None:
        """Check what was given.

        Raises:
            FieldError: The token is outside 0..15, or the offset not 32 bits signed.
        """
        require_int("DeviceClock", "token", self.token, 0, 15)
        require_int(
            "DeviceClock", "offset_seconds", self.offset_seconds, MIN_CORRECTION, MAX_CORRECTION
        )

    def device_time(self, now: float) -> int:
        """Return DeviceTime for a request that goes on air at *now*.

        Raises:
            FieldError: *now* is not finite.
        """
        return (whole_seconds(now) + self.offset_seconds) % WRAP_SECONDS

    def correct(self, time_correction: int, *, token_ans: int) -> bool:
        """Apply an AppTimeAns; return False, having changed nothing, if its token is not ours.

        Raises:
            FieldError: *time_correction* is not 32 bits signed.
        """
        offset = apply_correction(self.offset_seconds, time_correction)
        if token_ans != self.token:
            return False
        self.offset_seconds = offset - WRAP_SECONDS if offset > MAX_CORRECTION else offset
        self.token = (self.token + 1) % 16
        self.request_owed = self.asks_again and is_saturated(time_correction)
        return True

    def set_from_elsewhere(self, gps: float, *, now: float) -> None:
        """Set the clock from DeviceTimeAns, a beacon or GNSS.

        The token moves on, so that an answer under way to the old clock is ignored.

        Raises:
            FieldError: *gps* or *now* is not finite.
        """
        offset = whole_seconds(gps - now + 0.5) % WRAP_SECONDS
        self.offset_seconds = offset - WRAP_SECONDS if offset > MAX_CORRECTION else offset
        self.token = (self.token + 1) % 16
        self.request_owed = False
