"""Application Layer Clock Synchronization (TS003), the device's side: when to ask, and what to do.

A device asks for the time; nobody answers unless its clock is off or it insists.  It asks

* **periodically**, every 128 * 2**Period seconds give or take 30 once the server has set a Period,
  else at the owner's own period;
* **because it has to know**: before the first answer, after an extreme correction, when a window or
  a reboot waits for the time.  Then it insists (AnsRequired), and asks again after a pause that
  doubles, with the same token;
* **because it is told to** (ForceDeviceResync): so many times at random distances, without
  insisting, until a valid answer comes.

::

    --next_request--> AppTimeReq --AppTimeAns, token right--> corrected, token + 1, next period
                          |-------AppTimeAns, token wrong---> nothing changes

Not while a class C window is open: the owner's tick skips it, the request waits.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Final, final

from ..clocksync import v1, v2
from ..errors import FieldError
from ..wire import Command
from .actions import Action, Answer, Dropped, DropReason, Store
from .clocksync import (
    PERIOD_JITTER_SECONDS,
    DeviceClock,
    next_interval_seconds,
    nominal_period_seconds,
)
from .gate import Results, let_in
from .profile import ClockProfile
from .saved import SavedState, saved_int

__all__ = ["ClockDevice"]

_FIRST_RETRY_SECONDS: Final = 60.0
_DOUBLINGS: Final = 10
_NOW: Final = -math.inf  # a request that is due at once


@final
class ClockDevice:
    """The device's side of clock synchronisation.  Owns the device's idea of GPS time.

    Attributes:
        profile: The version spoken, or the stack imitated.
        clock: Offset and token.
        known: Whether the offset means anything: False until the first correction, or until
            somebody tells the time.
    """

    def __init__(
        self,
        profile: ClockProfile,
        *,
        rng: random.Random,
        period_seconds: float | None = 86_400.0,
        known: bool = False,
    ) -> None:
        """Start with a request due at once, unless the time is known.

        Args:
            profile: The version spoken, or the stack imitated.
            rng: Draws distances between requests.
            period_seconds: How often to ask as long as the server has not set a Period; None to
                ask only when the time is needed.
            known: Whether the owner's seconds are GPS seconds already.

        Raises:
            FieldError: *period_seconds* is not above twice the jitter of 30 seconds.
        """
        if period_seconds is not None and not 2 * PERIOD_JITTER_SECONDS < period_seconds < math.inf:
            raise FieldError("ClockDevice", "period_seconds", period_seconds, "above 60 seconds")
        self.profile = profile
        self.clock = DeviceClock(asks_again=profile.asks_again)
        self.known = known
        self._rng = rng
        self._own_period = period_seconds
        self._period: int | None = None
        self._insists = not known
        self._unanswered = 0
        self._forced_left = 0
        self._next: float | None = None if known and period_seconds is None else _NOW

    @property
    def offset(self) -> float | None:
        """GPS seconds less the owner's, modulo 2**32; None while the time is not known."""
        return self.clock.offset_seconds if self.known else None

    @property
    def period(self) -> int | None:
        """Period as the server has set it, or None."""
        return self._period

    @property
    def forced_left(self) -> int:
        """Forced requests still to be sent."""
        return self._forced_left

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do; minus infinity for at once."""
        return self._next

    def want(self) -> None:
        """Ask for the time at the next tick, and insist."""
        if not self._insists:
            self._insists, self._unanswered, self._next = True, 0, _NOW

    def set_time(self, gps: float, *, now: float) -> None:
        """Set the clock from DeviceTimeAns, a beacon or GNSS.

        Raises:
            FieldError: *gps* or *now* is not finite.
        """
        self.clock.set_from_elsewhere(gps, now=now)
        self._synchronised(now)

    def execute(
        self, command: Command, *, now: float, mc_group_id: int | None = None
    ) -> list[Answer | Action]:
        """Execute one command, in the order received.

        Args:
            command: A downlink of this package.
            now: The owner's seconds.
            mc_group_id: The group on whose address it arrived; None for unicast.
        """
        return let_in(
            command,
            self.profile.package,
            lambda: self._execute(command, now),
            unicast_only=mc_group_id is not None,
        )

    def _execute(self, command: Command, now: float) -> Results | None:
        match command:
            case v1.AppTimeAns(time_correction=correction, token_ans=token):
                return self._correct(correction, token, now)
            case v1.DeviceAppTimePeriodicityReq(period=period):
                return self._set_period(period, now)
            case v1.ForceDeviceResyncReq(nb_transmissions=count):
                return self._force(count, command)
            case v2.ForceDeviceResyncCmd(nb_transmissions=count):
                return self._force(count, command)
            case _:
                return None

    def tick(self, *, now: float) -> list[Answer | Action]:
        """Ask for the time if it is time to.  Harmless when called too early or too often."""
        if self._next is None:
            return []
        if self._next > now:
            self._next = min(self._next, now + self._longest())  # time ran back
            return []
        return [Answer(self.request(now=now))]

    def request(self, *, now: float) -> v1.AppTimeReq:
        """Return a request that goes on air at *now*, and put off the next one accordingly.

        For an owner whose radio could not send in time: drop the old frame and ask again here, so
        that DeviceTime is fresh (TS003-2.0.0: less than 250 ms old).

        Raises:
            FieldError: *now* is not finite.
        """
        forced = self._forced_left > 0
        request = v1.AppTimeReq(
            device_time=self.clock.device_time(now),
            token_req=self.clock.token,
            ans_required=self._insists and not forced and self.profile.may_require_answer,
        )
        self._forced_left -= forced
        self._next = self._after_request(now)
        return request

    def export(self) -> SavedState:
        """Return what has to survive a reset."""
        return {} if self._period is None else {"period": self._period}

    def restore(self, state: Mapping[str, object], *, now: float) -> None:
        """Take over, at the start, what was stored before a reset.

        The token starts at 0, as after any reset (TS003).  A device that knows the time asks for it
        after a period, another one at once.

        Raises:
            FieldError: An entry cannot be read.
        """
        self._period = saved_int(state, "period", 0, 15)
        if self._next is None:
            self._next = self._next_period(now)

    # The commands

    def _correct(self, correction: int, token: int, now: float) -> list[Answer | Action]:
        if not self.clock.correct(correction, token_ans=token):
            if self.profile.any_answer_stops_forced:
                self._forced_left = 0
            return [Dropped(DropReason.TOKEN, f"token {token}")]
        self._synchronised(now)
        if self.clock.request_owed:
            self.clock.request_owed = False
            self.want()
        return []

    def _set_period(self, period: int, now: float) -> list[Answer | Action]:
        refused = period not in self.profile.periods
        answer = Answer(
            v1.DeviceAppTimePeriodicityAns(
                not_supported=refused, device_time=self.clock.device_time(now)
            )
        )
        if refused:
            return [answer]
        changed, self._period = self._period != period, period
        if not self._forced_left and not self._insists:
            self._next = self._next_period(now)
        return [Store("period", period), answer] if changed else [answer]

    def _force(self, count: int, command: Command) -> list[Answer | Action]:
        if count == 0:
            return [Dropped(DropReason.NO_TRANSMISSIONS, type(command).__name__)]
        self._forced_left = count + self.profile.forced_extra
        self._next = _NOW
        return []

    # When to ask

    def _synchronised(self, now: float) -> None:
        self.known, self._insists, self._unanswered, self._forced_left = True, False, 0, 0
        self._next = self._next_period(now)

    def _after_request(self, now: float) -> float | None:
        if self._forced_left:
            shortest, longest = self.profile.forced_gap_seconds
            return now + self._rng.uniform(shortest, longest)
        periodic = self._next_period(now)
        if not self._insists:
            return periodic
        pause = _FIRST_RETRY_SECONDS * float(1 << min(self._unanswered, _DOUBLINGS))
        self._unanswered += 1
        again = now + pause * (1 + self._rng.random())
        return again if periodic is None else min(again, periodic)

    def _next_period(self, now: float) -> float | None:
        if self._period is not None:
            return now + next_interval_seconds(self._period, self._rng)
        if self._own_period is None:
            return None
        jitter = self._rng.uniform(-PERIOD_JITTER_SECONDS, PERIOD_JITTER_SECONDS)
        return now + self._own_period + jitter

    def _longest(self) -> float:
        """Return the longest distance there can be between two requests."""
        period = self._own_period or 0.0
        if self._period is not None:
            period = float(nominal_period_seconds(self._period))
        pause = 2 * _FIRST_RETRY_SECONDS * (1 << _DOUBLINGS)
        return max(period + PERIOD_JITTER_SECONDS, pause, self.profile.forced_gap_seconds[1])
