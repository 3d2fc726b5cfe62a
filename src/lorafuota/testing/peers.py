"""What a device and a server have to be able to do to be tested, and a device of ours.

Payloads are in the clear; times are GPS seconds.  A subject reads no clock: it is told the time,
and ``tick`` may come late or often.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias, final

from ..session.actions import Action, BlockFailed, BlockReceived, Reboot, Send
from ..session.device import FuotaDevice
from ..session.saved import SavedState, keep
from ..session.stacks import device_profile
from ..types import AppKey, DevEUI, GenAppKey

__all__ = [
    "Block",
    "DeviceUnderTest",
    "Downlink",
    "Frame",
    "ReferenceDevice",
    "ServerUnderTest",
    "Target",
    "Uplink",
]


class Uplink(NamedTuple):
    """A payload from a device; any pair of a port and octets does as well."""

    fport: int
    payload: bytes


class Block(NamedTuple):
    """A block a device has rebuilt, without padding, and would now install."""

    frag_index: int
    data: bytes


class DeviceUnderTest(Protocol):
    """A device, as :class:`.devicemachine.DeviceMachine` sees it."""

    def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
        """Take a unicast payload; return the uplinks that leave now, ports and payloads."""
        raise NotImplementedError

    def tick(self, now: float) -> Iterable[tuple[int, bytes]]:
        """Let time pass; return the uplinks that leave now."""
        raise NotImplementedError

    def power_cycle(self) -> None:
        """Lose everything that is not in memory that keeps."""
        raise NotImplementedError

    def take_blocks(self) -> Iterable[tuple[int, bytes]]:
        """Return the blocks rebuilt since the last call: FragIndex and data, without padding."""
        raise NotImplementedError


class Target(NamedTuple):
    """A device a server is to update."""

    dev_eui: DevEUI
    root_key: GenAppKey | AppKey
    version: int
    """Of all its packages, 1 or 2; the server may be told, or find out."""


class Downlink(NamedTuple):
    """A payload for one device, by unicast."""

    dev_eui: DevEUI
    fport: int
    payload: bytes


class Frame(NamedTuple):
    """A multicast frame, MHDR to MIC, that every device can hear."""

    phy: bytes


Sent: TypeAlias = Downlink | Frame


class ServerUnderTest(Protocol):
    """A server, as :class:`.servermachine.ServerMachine` sees it: one update of all targets."""

    def start(self, now: float) -> Iterable[Sent]:
        """Begin; return what is sent now."""
        raise NotImplementedError

    def receive(self, dev_eui: DevEUI, fport: int, payload: bytes, now: float) -> Iterable[Sent]:
        """Take an uplink, perhaps of a device that is no target; return what is sent now."""
        raise NotImplementedError

    def tick(self, now: float) -> Iterable[Sent]:
        """Let time pass; return what is sent now."""
        raise NotImplementedError

    def power_cycle(self) -> None:
        """Lose everything that is not stored."""
        raise NotImplementedError

    def outcome(self, dev_eui: DevEUI) -> bool | None:
        """Tell how it ended for a target: it has the block, or has not; None while it goes on."""
        raise NotImplementedError


@final
class ReferenceDevice:
    """A :class:`~lorafuota.session.device.FuotaDevice` with an owner that does all it asks for.

    It is a :class:`DeviceUnderTest`, and hears multicast frames too.

    Attributes:
        device: The device itself; another one after a power cycle.
        saved: What survives a power cycle; fragments do not.
        failures: Blocks that were complete and had another MIC (version 2), so far.
    """

    def __init__(
        self, root_key: GenAppKey | AppKey, *, profile: str = "documents v2", seed: int = 0
    ) -> None:
        """Switch a device on.

        Args:
            root_key: GenAppKey (LoRaWAN 1.0.x) or AppKey (1.1).
            profile: One of :data:`lorafuota.session.stacks.DEVICE_PROFILES`.
            seed: Of the delays of its answers.

        Raises:
            FieldError: There is no such profile, or the key is of another class.
        """
        self._root_key, self._profile = root_key, device_profile(profile)
        self._rng = random.Random(seed)
        self.device = self._new()
        self.saved: SavedState = {}
        self.failures: list[BlockFailed] = []
        self._held: list[tuple[float, Uplink]] = []
        self._blocks: list[Block] = []
        self._now = 0.0

    def _new(self) -> FuotaDevice:
        return FuotaDevice.from_profile(
            self._profile,
            root_key=self._root_key,
            rng=self._rng,
            period_seconds=None,
            clock_known=True,
        )

    def receive(self, fport: int, payload: bytes, now: float) -> list[Uplink]:
        """See :class:`DeviceUnderTest`."""
        return self._do(self.device.receive(fport, payload, now=now), now)

    def receive_frame(self, phy: bytes, now: float) -> list[Uplink]:
        """Take a multicast PHYPayload; return the uplinks that leave now."""
        return self._do(self.device.receive_frame(phy, now=now), now)

    def tick(self, now: float) -> list[Uplink]:
        """See :class:`DeviceUnderTest`."""
        return self._do([], now)

    def power_cycle(self) -> None:
        """See :class:`DeviceUnderTest`; what it had not sent yet is lost."""
        self.device = self._new()
        self._held.clear()
        saved: SavedState = {"format": 1, **self.saved}
        self._take(self.device.restore(saved, now=self._now))

    def take_blocks(self) -> list[Block]:
        """See :class:`DeviceUnderTest`."""
        blocks, self._blocks = self._blocks, []
        return blocks

    def _do(self, actions: Sequence[Action], now: float) -> list[Uplink]:
        self._now = now
        self._take(actions)
        due = self.device.next_deadline
        if due is not None and due <= now:
            self._take(self.device.tick(now=now))
        leaving = sorted((one for one in self._held if one[0] <= now), key=lambda one: one[0])
        self._held = [one for one in self._held if one[0] > now]
        return [uplink for _, uplink in leaving]

    def _take(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if keep(self.saved, action):
                continue
            match action:
                case Send():
                    self._held.append((action.not_before, Uplink(action.fport, action.payload)))
                case BlockReceived():
                    self._blocks.append(Block(action.frag_index, action.data))
                case BlockFailed():
                    self.failures.append(action)
                case Reboot():
                    self.power_cycle()
                case _:
                    pass
