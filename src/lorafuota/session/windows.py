"""Listening windows of multicast groups (TS005): when they open, when they close, who has to wait.

One window for each group::

    none --request accepted, time known--> scheduled --start--> running --end, leave, delete--> none
           |                                  ^  ^                 |
           `--time not known--> waiting ------'  `--clock moved----'

A window is an interval of GPS time, so a correction of the device's clock moves it: windows are
computed anew from their requests whenever the clock is set.  Everything the owner sees is in the
owner's seconds.  The receiver is one: of two windows that want different things of it, the one that
runs keeps it, and the other opens when it is over (TS005, overlapping sessions; the documents are
silent).  Class B windows with other parameters fit beside each other.

Receive time is bounded in the *owner's* seconds, session by session and day by day, whatever the
server does to the clock (promise S12).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final, TypeAlias, final

from ..errors import FieldError
from ..gpstime import from_wire
from ..link import BEACON_PERIOD_SECONDS, PING_SLOT_MS, ping_nb
from ..multicastsetup import v1
from .actions import Action, Dropped, DropReason, ListenClassB, ListenClassC, StopListening

__all__ = ["Listen", "SessionReq", "WindowLimits", "Windows", "session_window"]

SessionReq: TypeAlias = v1.McClassCSessionReq | v1.McClassBSessionReq
Listen: TypeAlias = ListenClassB | ListenClassC

_DAY: Final = 86_400.0
_NOTHING_LEFT: Final = 1e-3  # seconds; less is rounding


def session_window(req: SessionReq, *, near: float) -> Listen:
    """Return when a requested session starts and ends (TS005, SessionTime and TimeOut).

    A class B session starts at a beacon: the next one, if SessionTime is none.

    Args:
        req: The request.
        near: GPS seconds, to tell which wrap of 2**32 SessionTime belongs to.
    """
    start = float(from_wire(req.session_time, near=near))
    if isinstance(req, v1.McClassCSessionReq):
        end = start + (1 << req.time_out)
        return ListenClassC(req.mc_group_id, start, end, req.dl_freq_hz, req.dr)
    start = -(-start // BEACON_PERIOD_SECONDS) * BEACON_PERIOD_SECONDS  # at a beacon
    end = start + (BEACON_PERIOD_SECONDS << req.time_out)
    return ListenClassB(req.mc_group_id, start, end, req.periodicity, req.dl_freq_hz, req.dr)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WindowLimits:
    """How early a device opens its windows, and how long it listens at most.

    Attributes:
        class_b_margin_seconds: How long before the start to look for the beacon; LoRa Basics Modem
            takes two beacon periods.
        class_c_margin_seconds: How long before the start to open the receiver, for a clock that is
            not quite right.
        max_session_seconds: Receiver time in one session; class B counts its ping slots only.
        max_daily_seconds: Receiver time in 24 hours.
    """

    class_b_margin_seconds: float = 2 * BEACON_PERIOD_SECONDS
    class_c_margin_seconds: float = 0.0
    max_session_seconds: float = math.inf
    max_daily_seconds: float = math.inf

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is negative, or no number.
        """
        for field in dataclasses.fields(self):
            seconds = getattr(self, field.name)
            if not seconds >= 0:
                raise FieldError("WindowLimits", field.name, seconds, "0 or more seconds")


@dataclasses.dataclass(slots=True)
class _Window:
    req: SessionReq
    listen: Listen | None  # in GPS seconds; None while the time is not known
    running: bool = False
    left: float = math.inf  # receiver seconds the session may still take


@final
class Windows:
    """The windows of one device, by McGroupID.  Plain data; survives copying and pickling."""

    def __init__(self, limits: WindowLimits, *, class_b_as_c: bool = False) -> None:
        """Start without windows.

        Args:
            limits: What bounds them.
            class_b_as_c: Run class B sessions as LoRaMac-node does.
        """
        self.limits = limits
        self._class_b_as_c = class_b_as_c
        self._offset: float | None = 0.0
        self._windows: dict[int, _Window] = {}
        self._day_began = -math.inf
        self._day_left = limits.max_daily_seconds
        self._seen = -math.inf  # up to when receive time has been counted

    def gps(self, now: float) -> float | None:
        """Return the GPS time, or None while it is not known."""
        return None if self._offset is None else now + self._offset

    def find(self, req: SessionReq, *, now: float) -> Listen | None:
        """Return the window of a request in GPS seconds, or None while the time is not known."""
        gps = self.gps(now)
        if gps is None:
            return None
        if self._class_b_as_c and isinstance(req, v1.McClassBSessionReq):
            start = float(from_wire(req.session_time, near=gps))
            end = start + (1 << req.time_out)
            return ListenClassC(req.mc_group_id, start, end, req.dl_freq_hz, req.dr)
        return session_window(req, near=gps)

    def get(self, mc_group_id: int) -> Listen | None:
        """Return a window in the owner's seconds; None where there is none, or no time yet."""
        window = self._windows.get(mc_group_id)
        return None if window is None or window.listen is None else self._owners(window.listen)

    def request_of(self, mc_group_id: int) -> SessionReq | None:
        """Return the request a window was made from, or None."""
        window = self._windows.get(mc_group_id)
        return window.req if window else None

    @property
    def groups(self) -> tuple[int, ...]:
        """Groups with a window, scheduled, waiting for the time, or running."""
        return tuple(self._windows)

    @property
    def running(self) -> tuple[int, ...]:
        """Groups whose window is open."""
        return tuple(index for index, window in self._windows.items() if window.running)

    @property
    def waiting(self) -> bool:
        """Whether a window waits for the device to learn the time."""
        return any(window.listen is None for window in self._windows.values())

    @property
    def class_c_until(self) -> float | None:
        """When the last open class C window ends, in the owner's seconds; None if none is open."""
        ends = [
            self._owners(window.listen).end
            for window in self._windows.values()
            if window.running and isinstance(window.listen, ListenClassC)
        ]
        return max(ends, default=None)

    # What changes them

    def schedule(self, req: SessionReq, *, now: float) -> list[Action]:
        """Take a request; a window with the same parameters goes on, another one ends."""
        index, listen = req.mc_group_id, self.find(req, now=now)
        known = self._windows.get(index)
        if known is not None and listen is not None and known.listen == listen:
            known.req = req
            return []
        stopped = self.cancel(index)
        self._windows[index] = _Window(req, listen, left=self.limits.max_session_seconds)
        return stopped

    def cancel(self, mc_group_id: int) -> list[Action]:
        """End the window of a group, running or not."""
        window = self._windows.pop(mc_group_id, None)
        return [StopListening(mc_group_id)] if window is not None and window.running else []

    def set_offset(self, offset: float | None, *, now: float) -> None:
        """Tell what the clock shows since it was set; :meth:`tick` follows it.

        Args:
            offset: GPS seconds less the owner's, None for a device that does not know the time.
            now: The owner's seconds.
        """
        self._offset = offset
        for window in self._windows.values():
            found = self.find(window.req, now=now)
            if found is not None or not window.running:
                window.listen = found

    def tick(self, *, now: float, useless: frozenset[int] = frozenset()) -> list[Action]:
        """Close what is over and open what is due.  Harmless when called too early or too often.

        Args:
            now: The owner's seconds.
            useless: Groups that have nothing to tell any more; their windows do not open.
        """
        self._count(now)
        gps = self.gps(now)
        if gps is None:
            return []
        actions: list[Action] = []
        for index, window in list(self._windows.items()):
            actions += self._close(index, window, gps)
        due = sorted(
            (window.listen.start, index)
            for index, window in self._windows.items()
            if window.listen is not None and not window.running
        )
        for _, index in due:
            actions += self._open(index, self._windows[index], gps, index in useless)
        return actions

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, in the owner's seconds."""
        times = []
        for window in self._windows.values():
            if window.listen is None or self._offset is None:
                continue
            listen = self._owners(window.listen)
            if window.running:
                left = min(window.left, self._day_left) / _share(listen)
                times.append(min(listen.end, self._seen + left))
                continue
            times.append(max(self._opens(listen), *self._ends_in_the_way(window.listen)))
        return min(times, default=None)

    # How

    def _owners(self, listen: Listen) -> Listen:
        offset = self._offset or 0.0
        return dataclasses.replace(listen, start=listen.start - offset, end=listen.end - offset)

    def _opens(self, listen: Listen) -> float:
        """When to open, in the seconds *listen* is in."""
        if isinstance(listen, ListenClassB):
            return listen.start - self.limits.class_b_margin_seconds
        return listen.start - self.limits.class_c_margin_seconds

    def _in_the_way(self, wanted: Listen) -> list[Listen]:
        """Return the open windows that leave no receiver for *wanted*, in GPS seconds."""
        return [
            window.listen
            for window in self._windows.values()
            if window.running
            and window.listen is not None
            and window.listen.mc_group_id != wanted.mc_group_id
            and not _compatible(window.listen, wanted)
        ]

    def _ends_in_the_way(self, wanted: Listen) -> list[float]:
        return [self._owners(one).end for one in self._in_the_way(wanted)] or [-math.inf]

    def _close(self, index: int, window: _Window, gps: float) -> list[Action]:
        listen = window.listen
        assert listen is not None  # the time is known
        used_up = window.running and min(window.left, self._day_left) < _NOTHING_LEFT
        if gps >= listen.end or used_up:
            return self.cancel(index)
        if window.running and gps < self._opens(listen):  # the clock was set back
            window.running = False
            return [StopListening(index)]
        return []

    def _open(self, index: int, window: _Window, gps: float, useless: bool) -> list[Action]:
        listen = window.listen
        if listen is None or gps < self._opens(listen) or self._in_the_way(listen):
            return []
        if useless:
            self.cancel(index)
            return [Dropped(DropReason.COMPLETE, f"window of group {index}")]
        if min(window.left, self._day_left) < _NOTHING_LEFT:
            self.cancel(index)
            return [Dropped(DropReason.RECEIVE_TIME, f"window of group {index}")]
        window.running = True
        return [self._owners(listen)]

    def _count(self, now: float) -> None:
        """Count receive time up to *now*; time that runs back counts as none."""
        elapsed = max(now - self._seen, 0.0) if math.isfinite(self._seen) else 0.0
        self._seen = now
        if not 0 <= now - self._day_began < _DAY:
            self._day_began, self._day_left = now, self.limits.max_daily_seconds
        shares = []
        for window in self._windows.values():
            if window.running and window.listen is not None:
                share = _share(window.listen)
                window.left -= elapsed * share
                shares.append(share)
        self._day_left -= elapsed * max(shares, default=0.0)


def _share(listen: Listen) -> float:
    """How much of a window the receiver is on, at least."""
    if isinstance(listen, ListenClassC):
        return 1.0
    return ping_nb(listen.periodicity) * PING_SLOT_MS / 1000 / BEACON_PERIOD_SECONDS


def _compatible(one: Listen, other: Listen) -> bool:
    """Whether one receiver can serve both (TS005, class combinations)."""
    if isinstance(one, ListenClassC) and isinstance(other, ListenClassC):
        return (one.dl_freq_hz, one.dr) == (other.dl_freq_hz, other.dr)
    return isinstance(one, ListenClassB) and isinstance(other, ListenClassB)
