"""Our own device as a subject: the kit turned on ourselves, and an example of an adapter."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Final, final

from ..errors import StateError
from ..session.actions import (
    Action,
    BlockFailed,
    BlockReceived,
    ListenClassB,
    ListenClassC,
    Reboot,
    Send,
    StopListening,
    Store,
    StoreSessionCnt,
)
from ..session.device import FuotaDevice
from ..session.saved import SavedState, keep
from ..session.stacks import DeviceProfile, device_profile
from .subject import (
    About,
    Advance,
    BlockDelivered,
    BlockLost,
    ClassChanged,
    DeviceEvent,
    DeviceRequest,
    Downlink,
    MulticastFrame,
    PowerOn,
    Rebooted,
    Reply,
    Uplink,
)

__all__ = ["OwnDevice"]

Make = Callable[[DeviceProfile, PowerOn, random.Random], FuotaDevice]


def make_device(profile: DeviceProfile, request: PowerOn, rng: random.Random) -> FuotaDevice:
    """Put the device together that a request asks for."""
    return FuotaDevice.from_profile(
        profile,
        root_key=request.root_key,
        rng=rng,
        fw_version=0x0100_0000,
        hw_version=1,
        period_seconds=None,
        clock_known=request.clock_known,
    )


_CAN: Final = frozenset({"power-cycle", "frames", "class-b", "class-c", "blocks"})


@final
class OwnDevice:
    """A :class:`FuotaDevice`, with a flash that keeps what it asks to store."""

    def __init__(self, profile: str, *, make: Make = make_device, seed: str = "own") -> None:
        """Make a device like a stack, or one of the documents.

        Args:
            profile: See :func:`lorafuota.session.stacks.device_profile`.
            make: Puts the device together.
            seed: Of its randomness.
        """
        self._profile, self._make = device_profile(profile), make
        self._rng = random.Random(seed)
        one = self._profile
        packages = [one.multicast.package, one.fragmentation.package]
        packages += [each.package for each in (one.clock, one.firmware) if each is not None]
        versions = {package.name: package.version for package in packages}
        if one.sets is not None:
            versions["multipackage"] = 1
        self.about = About(name=profile, versions=versions, can=_CAN)
        self.flash: SavedState = {}
        self._device: FuotaDevice | None = None
        self._sends: list[tuple[float, int, Uplink]] = []
        self._order = itertools.count()

    def exchange(self, request: DeviceRequest) -> Reply:
        """Carry out one request."""
        events: list[DeviceEvent] = []
        now = request.time
        if isinstance(request, PowerOn):
            self._power_on(request, events)
            return self._reply(events, now)
        if self._device is None:
            raise StateError("OwnDevice.exchange", "the first request is PowerOn")
        match request:
            case Downlink():  # unicast: with a link layer of its own it takes groups as frames
                actions = self._device.receive(request.fport, request.payload, now=now)
                self._take(actions, now, events)
            case MulticastFrame():
                self._take(self._device.receive_frame(request.phy, now=now), now, events)
            case Advance():
                pass  # what is due happens below
        return self._reply(events, now)

    def _power_on(self, request: PowerOn, events: list[DeviceEvent]) -> None:
        self._sends.clear()
        if request.factory:
            self.flash = {}
        self._device = self._make(self._profile, request, self._rng)
        if self.flash:
            self._take(self._device.restore(self.flash, now=request.time), request.time, events)

    def _reply(self, events: list[DeviceEvent], now: float) -> Reply:
        """Let happen what is due, and say what is next."""
        device = self._device
        assert device is not None
        while device.next_deadline is not None and device.next_deadline <= now:
            self._take(device.tick(now=now), now, events)
        while self._sends and self._sends[0][0] <= now:
            events.append(heapq.heappop(self._sends)[2])
        due = [device.next_deadline] if device.next_deadline is not None else []
        due += [self._sends[0][0]] if self._sends else []
        return Reply(tuple(events), min(due, default=None))

    def _take(self, actions: list[Action], now: float, events: list[DeviceEvent]) -> None:
        for action in actions:
            match action:
                case Send():
                    at = max(now, action.not_before)
                    sent = Uplink(at, action.fport, action.payload)
                    heapq.heappush(self._sends, (at, next(self._order), sent))
                case Store() | StoreSessionCnt():
                    keep(self.flash, action)
                case BlockReceived():
                    events.append(BlockDelivered(now, action.frag_index, action.data))
                case BlockFailed():
                    events.append(BlockLost(now, action.frag_index))
                case ListenClassB() | ListenClassC():
                    name = "B" if isinstance(action, ListenClassB) else "C"
                    events.append(ClassChanged(now, name, action.mc_group_id))
                case StopListening():
                    events.append(ClassChanged(now, "A", action.mc_group_id))
                case Reboot():
                    events.append(Rebooted(now))
                case _:
                    pass
