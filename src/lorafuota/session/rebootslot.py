"""The one reboot a device has programmed (TS006), and what a reset makes of it.

The document leaves open whether a programmed reboot survives an unplanned reset.  Here it does: the
device has told the server when it will reboot, and the server counts on it.  It is stored before
the answer, together with the firmware that ran then, and after a reset

* a reboot at a GPS time is programmed again, as soon as the device knows the time;
* a countdown is stored as the GPS time at which it ends; a device that did not know the time starts
  it again, so that it reboots late rather than never;
* a moment that has passed meanwhile is spent, since the reset was a reboot too;
* so is a reboot for which another firmware runs now: it has been installed.

A reboot at a GPS time moves with the device's clock.  A countdown does not, until a reset.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final, final

from ..gpstime import WRAP_SECONDS, from_wire
from .actions import Action, Store
from .saved import SavedState, saved_reboot

__all__ = ["RebootSlot"]

_NAME: Final = "reboot"


@final
@dataclasses.dataclass(slots=True)
class RebootSlot:
    """Empty, or one moment.  Plain data; survives copying and pickling."""

    _due: float | None = None
    _time: int | None = None  # as requested, modulo 2**32, if it was an absolute time
    _seconds: int | None = None  # as requested, if it was a countdown
    _firmware: int = 0  # what ran when it was programmed
    _restored_at: float | None = None  # until a restored time has been compared with the clock
    _stored: str | None = None

    @property
    def due(self) -> float | None:
        """When to reboot, in the owner's seconds; None if empty, or while the time is unknown."""
        return self._due

    @property
    def waiting(self) -> bool:
        """Whether it waits for the device to learn the time."""
        return self._time is not None and self._due is None

    def at_time(self, time: int, due: float, *, firmware: int) -> list[Action]:
        """Program a reboot at a GPS time modulo 2**32, which is *due* in the owner's seconds."""
        self._due, self._time, self._seconds = float(due), time, None
        self._firmware, self._restored_at = firmware, None
        return self._store(None)

    def after(
        self, seconds: int, *, now: float, offset: float | None, firmware: int
    ) -> list[Action]:
        """Program a reboot after a countdown; *offset* is GPS seconds less the owner's, or None."""
        self._due, self._time, self._seconds = float(now + seconds), None, seconds
        self._firmware, self._restored_at = firmware, None
        return self._store(offset)

    def clear(self) -> list[Action]:
        """Forget it."""
        self._due = self._time = self._seconds = self._restored_at = None
        return self._store(None)

    def set_offset(self, offset: float, *, now: float) -> list[Action]:
        """Follow the clock: GPS seconds less the owner's are *offset* from now on."""
        if self._time is None:
            return self._store(offset)
        self._due = float(from_wire(self._time, near=now + offset) - offset)
        reset, self._restored_at = self._restored_at, None
        return self.clear() if reset is not None and self._due <= reset else []

    def export(self) -> SavedState:
        """Return what has to survive a reset."""
        return {} if self._stored is None else {_NAME: self._stored}

    def restore(
        self, state: Mapping[str, object], *, now: float, offset: float | None, firmware: int
    ) -> list[Action]:
        """Take over, at the start, what was stored before a reset.

        Args:
            state: The entries.
            now: The owner's seconds.
            offset: GPS seconds less the owner's, or None.
            firmware: What runs now.

        Raises:
            FieldError: The entry cannot be read.
        """
        found = saved_reboot(state, _NAME)
        if found is None:
            return []
        kind, number, self._firmware = found
        self._stored = str(state[_NAME])
        if self._firmware != firmware:
            return self.clear()
        if kind == "countdown":
            self._due, self._seconds = now + number, number
            return self._store(offset)
        self._time, self._restored_at = number, now
        return [] if offset is None else self.set_offset(offset, now=now)

    def _store(self, offset: float | None) -> list[Action]:
        """Store what has changed, a countdown as a time if there is an offset."""
        value: str | None = None
        if self._time is not None:
            value = f"time {self._time} {self._firmware}"
        elif self._due is not None and offset is not None:
            value = f"time {math.ceil(self._due + offset) % WRAP_SECONDS} {self._firmware}"
        elif self._due is not None:
            value = f"countdown {self._seconds} {self._firmware}"
        if value == self._stored:
            return []
        self._stored = value
        return [Store(_NAME, value)]
