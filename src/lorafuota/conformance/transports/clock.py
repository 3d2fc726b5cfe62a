"""The clock on the wall, as GPS seconds: what real time is for the kit."""

from __future__ import annotations

import time
from typing import final

from ...gpstime import unix_to_gps

__all__ = ["RealClock"]


@final
class RealClock:
    """GPS seconds that never go back, whatever happens to the computer's clock meanwhile."""

    def __init__(self) -> None:
        self._offset = unix_to_gps(time.time()) - time.monotonic()

    def now(self) -> float:
        """Return what time it is."""
        return time.monotonic() + self._offset
