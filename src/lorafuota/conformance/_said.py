"""What a server under test said: of devices, of windows, and that the update is over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from ..types import DevEUI
from .check import Failed
from .fleetdevice import FleetDevice
from .serversubject import DeviceOutcome, Ended, WindowAnnounced

__all__ = ["Said"]


@final
class Said:
    """What a server said until now.

    Attributes:
        outcomes: The last word about each device.
        windows: What it said of windows, in order.
        ended: When it said that the update is over, or None.
    """

    def __init__(self, *, tells_outcomes: bool) -> None:
        """Begin with nothing said.

        Args:
            tells_outcomes: Whether the server reports the status of each device; nothing is
                expected of one that does not.
        """
        self._tells_outcomes = tells_outcomes
        self.outcomes: dict[DevEUI, DeviceOutcome] = {}
        self.windows: list[WindowAnnounced] = []
        self.ended: float | None = None

    def take(self, event: DeviceOutcome | WindowAnnounced | Ended, now: float) -> None:
        """Take down what the server says now."""
        match event:
            case WindowAnnounced():
                self.windows.append(event)
            case DeviceOutcome():
                self.outcomes[event.dev_eui] = event
            case Ended():
                self.ended = now

    def status(self, device: FleetDevice) -> str:
        """Return the last word about a device, ``nothing`` if there is none."""
        said = self.outcomes.get(device.entry.dev_eui)
        return "nothing" if said is None else said.status

    def reached(self, device: FleetDevice) -> str:
        """Return how far the server says a device has come, empty if it said nothing."""
        said = self.outcomes.get(device.entry.dev_eui)
        return "" if said is None else said.reached

    # --- What is expected of it ---

    def expect_all(self, devices: Iterable[FleetDevice]) -> None:
        """Fail if nothing was said of one of these devices.

        Raises:
            Failed: So.
        """
        silent = [one for one in devices if one.entry.dev_eui not in self.outcomes]
        if silent and self._tells_outcomes:
            raise Failed(f"the update ended, and nothing was said of {silent[0].entry.dev_eui}")

    def expect_updated(self, devices: Iterable[FleetDevice]) -> None:
        """Fail unless these devices have the block, and the server says so.

        Raises:
            Failed: So.
        """
        for device in devices:
            dev_eui = device.entry.dev_eui
            if not device.has_block:
                said = self.outcomes.get(dev_eui)
                word = f"; the server says {said.status} {said.detail}".rstrip() if said else ""
                raise Failed(f"{dev_eui} does not have the block in the end{word}")
            status = self.status(device)
            if self._tells_outcomes and status != "Successful":
                raise Failed(f"{dev_eui} has the block, and the server says {status} of it")

    def expect_status(self, device: FleetDevice, *statuses: str) -> None:
        """Fail unless the last word about a device is one of these.

        Raises:
            Failed: So.
        """
        status = self.status(device)
        if self._tells_outcomes and status not in statuses:
            raise Failed(f"expected {' or '.join(statuses)}; the server says {status}")
