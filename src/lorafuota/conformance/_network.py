"""Gateways and network server of a check against a server: time passes here, and nowhere else.

What the server sends goes on air at its time and reaches the devices; what they answer comes back
to the server at the time of the answer.  All of it happens in virtual time, in one order.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

from ..errors import FieldError, require_int
from ..types import DevEUI
from ._said import Said
from .check import Failed
from .fleetdevice import Air, FleetDevice
from .milliseconds import not_before, whole
from .observer import Frame, Observer, Sent
from .serversubject import (
    Advance,
    Downlink,
    MulticastDownlink,
    MulticastFrame,
    ServerEvent,
    ServerRequest,
    ServerSubject,
    Uplink,
)

__all__ = ["Network"]

_MOST_CALLS: Final = 40_000
"""Exchanges with the server in one check."""

_MOST_AT_ONCE: Final = 500
"""... at one moment, beyond the events of the fleet."""

_MOST_SENT: Final = 2_000
"""Downlinks to one device: more is no end."""

_POLL_SECONDS: Final = 1.0
_LONGEST_POLL_SECONDS: Final = 3_600.0
"""Between two calls of a server that does not say when it is due: at first, and in the end."""

_HIGHEST_FPORT: Final = 225


@final
class Network:
    """What lies between one server and a fleet.

    Attributes:
        now: GPS seconds, in whole milliseconds: the time of every request.
        transcript: Every request and event, in order.
        on_its_way: How many downlinks wait for their time.
    """

    def __init__(
        self,
        subject: ServerSubject,
        fleet: Mapping[DevEUI, FleetDevice],
        observer: Observer,
        said: Said,
        *,
        now: float,
        hears: Callable[[Sent], None] = lambda sent: None,
        sees: Callable[[Frame], None] = lambda frame: None,
    ) -> None:
        """Join a server and a fleet that may still grow.

        Args:
            subject: The server.
            fleet: The devices.
            observer: Takes down what the server sent.
            said: Takes down what it said.
            now: GPS seconds.
            hears: Called with each downlink before it reaches its device.
            sees: Called with each multicast frame before it reaches the fleet.
        """
        self.now = whole(now)
        self.transcript: list[ServerRequest | ServerEvent] = []
        self.on_its_way = 0
        self._subject, self._fleet, self._observer, self._said = subject, fleet, observer, said
        self._hears, self._sees = hears, sees
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._next: float | None = None
        self._pause = _POLL_SECONDS
        self._calls = self._at_once = 0

    # --- Time ---

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Have something done at a time; what is due at one time happens in the order given."""
        heapq.heappush(self._heap, (when, next(self._order), what))

    def step(self, limit: float) -> None:
        """Let the next thing happen, not after *limit*.

        Raises:
            Failed: The server asks or sends without end, or sends what cannot be.
        """
        due = [one.deadline for one in self._fleet.values() if one.deadline is not None]
        if self._heap:
            due.append(self._heap[0][0])
        asked = self.now + self._pause if self._next is None else self._next
        before = self.now
        self.now = max(self.now, not_before(min([*due, asked, limit])))
        if self.now > before:
            self._at_once = 0
        while self._heap and self._heap[0][0] <= self.now:
            heapq.heappop(self._heap)[2]()
        for device in list(self._fleet.values()):
            if device.deadline is not None and device.deadline <= self.now:
                self.up(device, device.tick(self.now))
        if asked <= self.now or self.now >= limit:
            self._at_once += 1
            if self._at_once > _MOST_AT_ONCE:
                raise Failed(
                    f"the server wants to be called over {_MOST_AT_ONCE} times at one time"
                )
            self.ask(Advance(self.now))

    # --- To the server ---

    def ask(self, request: ServerRequest) -> None:
        """Have the server carry out a request, and take what it sends and says.

        Raises:
            Failed: There is no end of it.
        """
        self._calls += 1
        if self._calls > _MOST_CALLS:
            raise Failed(f"no end after {_MOST_CALLS} exchanges")
        self.transcript.append(request)
        reply = self._subject.exchange(request)
        self.transcript += reply.events
        self._next = reply.next
        longer = min(2 * self._pause, _LONGEST_POLL_SECONDS)
        self._pause = _POLL_SECONDS if reply.events else longer
        for event in reply.events:
            self._take(event)

    def uplink(self, dev_eui: DevEUI, fport: int, payload: bytes) -> None:
        """Have anybody send any octets on any port, now."""
        self.ask(Uplink(self.now, dev_eui, fport, payload))

    def up(self, device: FleetDevice, air: Iterable[Air]) -> None:
        """Have what a device sends arrive at its time."""
        eui = device.entry.dev_eui
        for at, fport, payload in air:
            self.at(at, lambda fport=fport, payload=payload: self.uplink(eui, fport, payload))  # type: ignore[misc]

    # --- From the server ---

    def _take(self, event: ServerEvent) -> None:
        match event:
            case Downlink():
                self._leaves(event.time, lambda: self._down(event))
            case MulticastDownlink() | MulticastFrame():
                self._leaves(event.time, lambda: self._broadcast(event))
            case _:
                self._said.take(event, self.now)

    def _leaves(self, time: float, how: Callable[[], None]) -> None:
        """Have something that the server sent go on air at its time."""
        self.on_its_way += 1

        def leave() -> None:
            self.on_its_way -= 1
            try:
                how()
            except FieldError as error:
                raise Failed(f"a downlink that cannot be: {error}") from None

        self.at(max(time, self.now), leave)

    def _down(self, event: Downlink) -> None:
        require_int("Downlink", "fport", event.fport, 1, _HIGHEST_FPORT)
        observer = self._observer
        observer.unicast(self.now, event.dev_eui, event.fport, event.payload)
        device = self._fleet.get(event.dev_eui)
        if device is None:
            return
        if len(observer.sent) > _MOST_SENT * len(self._fleet):
            raise Failed(f"over {_MOST_SENT} downlinks for each device")
        sent = observer.sent[-1]
        self._hears(sent)
        had = len(device.heard)
        self.up(device, device.receive(event.fport, event.payload, self.now))
        if len(device.heard) > had and sent.fragment is not None:
            observer.heard(event.dev_eui, sent.fragment.frag_index)

    def _broadcast(self, event: MulticastDownlink | MulticastFrame) -> None:
        observer = self._observer
        if isinstance(event, MulticastFrame):
            frame = observer.air(self.now, event.phy)
        else:
            require_int("MulticastDownlink", "fport", event.fport, 1, _HIGHEST_FPORT)
            frame = observer.clear(self.now, event.mc_addr, event.fport, event.payload, event.fcnt)
        self._sees(frame)
        if frame.phy is None:
            return
        for device in list(self._fleet.values()):
            had = len(device.heard)
            self.up(device, device.frame(frame.phy, frame.payload, self.now))
            if len(device.heard) > had and frame.fragment is not None:
                observer.heard(device.entry.dev_eui, frame.fragment.frag_index)
