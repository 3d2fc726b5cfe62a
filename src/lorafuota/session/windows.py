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

Receive time is bounded in the *owner's* seconds, session by session and in any 24 hours, whatever
the server does to the clock (promise S12).  So that a reset brings none of it back, a stretch of it
is *set aside*, and stored, before a window uses it: see :meth:`Windows.export`.  When a window ends
what it really used is stored; a reset while it is open costs the rest of the stretch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final, TypeAlias, final

from ..errors import FieldError
from ..gpstime import from_wire
from ..link import BEACON_PERIOD_SECONDS, PING_SLOT_MS, ping_nb
from ..multicastsetup import v1
from .actions import Action, Dropped, DropReason, ListenClassB, ListenClassC, StopListening
from .receivetime import NOTHING_LEFT, ReceiveTime, Span
from .saved import listened_value, saved_int, saved_listened

__all__ = ["Listen", "SessionReq", "WindowLimits", "Windows", "session_window"]

SessionReq: TypeAlias = v1.McClassCSessionReq | v1.McClassBSessionReq
Listen: TypeAlias = ListenClassB | ListenClassC

_STRETCHES: Final = 16  # in the receive time allowed, unless that makes them too short or too long
_SHORTEST_STRETCH: Final = 60.0
_LONGEST_STRETCH: Final = 900.0
_STORED_EVERY: Final = 21_600.0  # seconds, while something counts; a clock may restart in a reset
_HIGHEST: Final = 0xFFFFFFFF
_ROUNDING: Final = 1e-4


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
        max_daily_seconds: Receiver time in any 24 hours.
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

    @property
    def stretch_seconds(self) -> float:
        """Receiver time set aside at once, and what a reset costs at most; infinite without limits.

        A sixteenth of the smaller limit, at least a minute and at most a quarter of an hour.
        """
        smaller = min(self.max_session_seconds, self.max_daily_seconds)
        if smaller == math.inf:
            return math.inf
        return min(max(smaller / _STRETCHES, _SHORTEST_STRETCH), _LONGEST_STRETCH)


@dataclasses.dataclass(slots=True)
class _Window:
    req: SessionReq
    listen: Listen | None  # in GPS seconds; None while the time is not known
    running: bool = False
    left: float = math.inf  # receiver seconds the session may still take
    kept: int = 0  # receiver seconds it has used or set aside, as they are to be stored
    told: bool = False  # that there is no receive time for it


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
        self._seen = -math.inf  # up to when receive time has been counted
        self._day = ReceiveTime(limits.max_daily_seconds)
        self._shares: dict[int, float] = {}  # of the windows for which time was set aside last
        self._aside = math.inf  # seconds until time has to be set aside, or stored, again
        self._listened: str | None = None  # the day, as it is to be stored

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
        if known is not None and (known.req == req if listen is None else known.listen == listen):
            known.req = req
            return []
        stopped = self.cancel(index, now=now)
        self._windows[index] = _Window(req, listen, left=self.limits.max_session_seconds)
        return stopped

    def cancel(self, mc_group_id: int, *, now: float) -> list[Action]:
        """End the window of a group, running or not."""
        self._count(now)
        stopped = self._end(mc_group_id)
        self._set_aside(now)
        return stopped

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
        share = self._share()
        used_up = share > 0 and self._day.lasts(share) < NOTHING_LEFT
        actions: list[Action] = []
        for index, window in list(self._windows.items()):
            actions += self._close(index, window, gps, used_up)
        due = sorted(
            (window.listen.start, index)
            for index, window in self._windows.items()
            if window.listen is not None and not window.running
        )
        if gps is not None:
            for _, index in due:
                actions += self._open(index, self._windows[index], gps, index in useless)
        self._set_aside(now)
        return actions

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, in the owner's seconds."""
        times = [self._seen + self._aside]
        for window in self._windows.values():
            if window.running:
                times += self._closes(window)
            elif window.listen is not None:
                times.append(self._looks_again(window, self._owners(window.listen)))
        return min((one for one in times if math.isfinite(one)), default=None)

    # Resets

    def export(self) -> dict[str, int | str]:
        """Return the receive time used and set aside, as far as it is limited.

        It has to be stored *before* what :meth:`tick` opens is opened, and whenever it changes.
        """
        state: dict[str, int | str] = {}
        if self._listened is not None:
            state["listened"] = self._listened
        for index, window in self._windows.items():
            if window.kept:
                state[f"listened/{index}"] = window.kept
        return state

    def restore(
        self, state: Mapping[str, object], groups: range, *, now: float
    ) -> dict[str, int | str]:
        """Take over what was exported, once the windows it belongs to are scheduled again.

        A clock that restarted in the reset does not tell how long ago anything was: what was used
        is as old then as when it was stored.

        Args:
            state: Entries by name.
            groups: Every McGroupID there can be.
            now: The owner's seconds.

        Returns:
            The entries found, whether or not anything is limited now.

        Raises:
            FieldError: An entry cannot be read.
        """
        self._count(now)
        found: dict[str, int | str] = {}
        for index in groups:
            seconds = saved_int(state, f"listened/{index}", 1, _HIGHEST)
            if seconds is None:
                continue
            found[f"listened/{index}"] = seconds
            window = self._windows.get(index)
            if window is not None and self.limits.max_session_seconds < math.inf:
                window.left, window.kept = self.limits.max_session_seconds - seconds, seconds
        listened = saved_listened(state, "listened")
        if listened is not None:
            found["listened"] = text = str(state["listened"])
            if self.limits.max_daily_seconds < math.inf:
                stored, spans = listened
                elapsed = max(now - stored, 0.0)
                self._day.restore(Span(one.seconds, one.ago + elapsed) for one in spans)
                self._listened, self._aside = text, min(self._day.clears_in, _STORED_EVERY)
        return found

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

    def _closes(self, window: _Window) -> list[float]:
        """When an open window may have to close, in the owner's seconds."""
        assert window.listen is not None  # it is open
        left = self._seen + min(window.left / _share(window.listen), self._day.lasts(self._share()))
        return [left] if self._offset is None else [left, self._owners(window.listen).end]

    def _looks_again(self, window: _Window, listen: Listen) -> float:
        """When a window that is not open may open, or has to be forgotten; in the owner's."""
        assert window.listen is not None  # the time is known
        opens = max(self._opens(listen), *self._ends_in_the_way(window.listen))
        affordable = self._seen + self._day.opens_in
        if window.left < NOTHING_LEFT or affordable >= listen.end:  # never
            return listen.end if window.told else opens
        return max(opens, affordable)

    def _end(self, index: int) -> list[Action]:
        window = self._windows.pop(index, None)
        return [StopListening(index)] if window is not None and window.running else []

    def _stop(self, index: int, window: _Window) -> list[Action]:
        window.running = False
        if self._offset is None:  # it was left open although the time had been forgotten
            window.listen = None
        return [StopListening(index)]

    def _close(self, index: int, window: _Window, gps: float | None, used_up: bool) -> list[Action]:
        listen = window.listen
        if listen is not None and gps is not None and gps >= listen.end:
            return self._end(index)
        if window.running and (used_up or window.left < NOTHING_LEFT):
            window.told = True
            return self._stop(index, window)
        if window.running and listen is not None and gps is not None and gps < self._opens(listen):
            return self._stop(index, window)  # the clock was set back
        return []

    def _open(self, index: int, window: _Window, gps: float, useless: bool) -> list[Action]:
        """Open a window, unless it has to wait; it is known to its end even if it never opens.

        Asked for again it would else begin anew, with all the receive time of a session.
        """
        listen = window.listen
        if listen is None or gps < self._opens(listen) or self._in_the_way(listen):
            return []
        if useless:
            self._end(index)
            return [Dropped(DropReason.COMPLETE, f"window of group {index}")]
        wait = self._day.opens_in
        if window.left < NOTHING_LEFT or gps + wait >= listen.end:
            told, window.told = window.told, True
            return [] if told else [Dropped(DropReason.RECEIVE_TIME, f"window of group {index}")]
        if wait > 0:
            return []
        window.running = True
        return [self._owners(listen)]

    # Receive time

    def _share(self) -> float:
        """How much of the time the receiver is on at present."""
        return min(sum(self._shares_now().values()), 1.0)

    def _shares_now(self) -> dict[int, float]:
        return {
            index: _share(window.listen)
            for index, window in self._windows.items()
            if window.running and window.listen is not None
        }

    def _count(self, now: float) -> None:
        """Count receive time up to *now*; time that runs back counts as none."""
        elapsed = max(now - self._seen, 0.0) if math.isfinite(self._seen) else 0.0
        self._seen = now
        self._aside -= elapsed
        for index, share in self._shares_now().items():
            self._windows[index].left -= elapsed * share
        self._day.advance(elapsed, self._share())

    def _set_aside(self, now: float) -> None:
        """Bring up to date what is to be stored, if other windows are open or time is used up."""
        shares = self._shares_now()
        if shares == self._shares and self._aside > _ROUNDING:
            return
        self._shares = shares
        self._day.settle()
        self._aside = self._stretch(now)
        if self.limits.max_daily_seconds < math.inf:
            spans = self._day.spans
            if shares:
                spans.append(Span(self._aside * self._share(), -self._aside))
            self._listened = listened_value(spans, now=now)
        if self.limits.max_session_seconds < math.inf:
            for index, window in self._windows.items():
                left = window.left
                if index in shares:
                    left = min(left, max(left - self._aside * shares[index], 0.0))
                used = math.ceil(self.limits.max_session_seconds - left)
                window.kept = min(used, _HIGHEST)

    def _stretch(self, now: float) -> float:
        """Return for how many seconds what is stored now holds."""
        at_once, share = self.limits.stretch_seconds, self._share()
        if at_once == math.inf or not (share or self._day.spans):
            return math.inf
        if not share:
            return min(self._day.clears_in, _STORED_EVERY)
        longest = max(min(self._closes(one)) for one in self._windows.values() if one.running) - now
        lasts = min(at_once / share, longest, _STORED_EVERY)
        return max(lasts, NOTHING_LEFT)


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
