"""A device at the other end of lines, as the subject a peer plays with, in virtual or real time.

In *virtual time* a request says what time it is, and the device lives up to it at once.  In *real
time* the kit waits, by the clock on the wall:

* A device with a clock of its own (``"real_time": true``) hears no :class:`Advance`; what it does
  meanwhile it says unasked, and an event is of the moment its line came.
* A device without one still lives by the requests; the kit sends each when its time has come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import final

from ..lines import DEVICE_EVENTS, DEVICE_REQUESTS
from ..replies import DeviceRules
from ..subject import About, Advance, DeviceEvent, DeviceRequest, PowerOn, Reply
from .channel import Channel
from .clock import RealClock
from .link import LineLink

__all__ = ["LineDevice"]


@final
class LineDevice:
    """A device that speaks lines.

    Attributes:
        about: What it says of itself.
        clock: The clock of real time; None in virtual time.
    """

    def __init__(
        self,
        connect: Callable[[], Channel],
        *,
        real_time: bool = False,
        seconds: float = 10.0,
    ) -> None:
        """Connect.

        Args:
            connect: Opens a channel, at the start and for each check after one that broke it.
            real_time: Wait by the clock on the wall even if the device has none.
            seconds: How long the device may take over one request.

        Raises:
            SubjectError: It cannot be reached, or is no device.
        """
        self._link: LineLink[DeviceRequest, DeviceEvent, About] = LineLink(
            connect,
            role="device",
            about=About,
            requests=DEVICE_REQUESTS,
            events=DEVICE_EVENTS,
            rules=DeviceRules(),
            seconds=seconds,
        )
        self.about = self._link.about
        self.clock = RealClock() if real_time or self.about.real_time else None
        if self.clock is not None and self.about.real_time:
            self._link.stamp = self.clock.now

    def exchange(self, request: DeviceRequest) -> Reply:
        """Carry out one request; an Advance in real time returns when something comes."""
        if isinstance(request, PowerOn) and request.factory:
            self._link.begin()
        if isinstance(request, Advance) and self.clock is not None:
            left = max(request.time - self.clock.now(), 0.0)
            if self.about.real_time:
                return Reply(self._link.collect(left))
            time.sleep(left)
        events, due = self._link.exchange(request)
        return Reply(events, due)

    def close(self) -> None:
        """End it."""
        self._link.close()
