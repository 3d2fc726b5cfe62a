"""All devices and the air between, as one heap of events in virtual time.

Downlinks go in (:meth:`Fleet.unicast`, :meth:`Fleet.multicast`), what reaches the server comes out
of :meth:`Fleet.step`, one event at a time.  An event costs what the devices it concerns cost: a
multicast frame is one event for all its listeners, and a device nobody talks to costs nothing.

A fleet is a function of the plan and of what goes in: the same downlinks between the same steps
give the same uplinks.  :mod:`.airlog` builds on that.
"""

from __future__ import annotations

import dataclasses
import functools
import heapq
import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, final

from ..campaign.actions import Multicast, Unicast
from ..campaign.config import GroupConfig, WindowClass
from ..catalogue import PackageMap
from ..fragmentation.v1 import DataFragment
from ..link import next_ping_slot_ms
from ..session.actions import (
    Action,
    BlockFailed,
    BlockReceived,
    Dropped,
    ListenClassB,
    ListenClassC,
    Reboot,
    Send,
    StopListening,
    Store,
    StoreSessionCnt,
)
from ..types import DOWNLINK, DevEUI
from ..wire import Command
from .device import SimDevice, fragment_number
from .plan import Plan
from .scenario import START

__all__ = ["Fleet", "Joined", "Uplink"]

_RX1_SECONDS: Final = 1.0  # from an uplink of class A to the window it opens
_MORE_SECONDS: Final = 5.0  # to the next uplink of a device that was told there is more (FPending)
_BOOT_SECONDS: Final = 30.0
_AT_LEAST: Final = 1e-3  # between two ticks, or uplinks, of one device, whatever rounding does


@dataclasses.dataclass(frozen=True, slots=True)
class Uplink:
    """What the network server hands to the campaign."""

    dev_eui: DevEUI
    fport: int
    payload: bytes
    began: float


@dataclasses.dataclass(frozen=True, slots=True)
class Joined:
    """A device that joins late is there."""

    device: int


Arrival: TypeAlias = Uplink | Joined
_Event: TypeAlias = Callable[[float], list[Arrival]]


@final
class Fleet:
    """The devices of a scenario, and their luck."""

    def __init__(self, plan: Plan) -> None:
        """Switch every device on, at :data:`.scenario.START`."""
        self.plan = plan
        self.devices = [SimDevice(plan, index) for index in range(plan.scenario.devices)]
        self.events = 0
        """Steps so far."""
        self.frames = 0
        """Fragments that passed a listening device, heard or lost."""
        self._heap: list[tuple[float, int, _Event]] = []
        self._pushed = 0
        self._listeners: dict[tuple[int, int], dict[int, SimDevice]] = {}
        self._groups = {group.name: group for group in map(plan.group, plan.parities)}
        self.late = self._expect_troubles()
        for device in self.devices:
            self._follow(device, START)

    @property
    def next_time(self) -> float | None:
        """When the next event happens, in GPS seconds."""
        return self._heap[0][0] if self._heap else None

    def step(self) -> list[Arrival]:
        """Let the next event happen; return what reached the server."""
        time, _, event = heapq.heappop(self._heap)
        self.events += 1
        return event(time)

    # What the server sends

    def unicast(self, action: Unicast, now: float) -> None:
        """Send one downlink, or queue it until the device's next uplink (class A)."""
        device = self.devices[self.plan.index(action.dev_eui)]
        if self.plan.scenario.uplink_seconds:
            device.queue.append((action.fport, action.payload))
            self._expect_uplink(device, now)
        else:
            self._transmit(device, action.fport, action.payload, now)

    def multicast(self, action: Multicast, now: float) -> None:
        """Send one multicast frame."""
        group = self._groups[action.group]
        self._at(max(action.time, now), lambda time: self._frame(group, action, time))

    # Events

    def _at(self, time: float, event: _Event) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (time, self._pushed, event))

    def _transmit(self, device: SimDevice, fport: int, payload: bytes, now: float) -> bool:
        """Put one unicast downlink on the air; return whether it is going to arrive."""
        copies = device.channel.downlinks() if device.awake else []
        if not copies and fragment_number(payload) is not None:
            device.lost += 1
            self.frames += 1
        for delay in copies:
            self._at(now + delay, lambda time: self._downlink(device, fport, payload, time))
        return bool(copies)

    def _downlink(self, device: SimDevice, fport: int, payload: bytes, now: float) -> list[Arrival]:
        if not device.awake:
            return []
        n = fragment_number(payload)
        if n is None:
            device.unicasts += 1
            device.look()
        else:
            device.heard += 1
            self.frames += 1
        self._act(device, device.take(fport, payload, now), now, n)
        return []

    def _frame(self, group: GroupConfig, action: Multicast, now: float) -> list[Arrival]:
        listeners = self._listeners.get((group.dl_freq_hz, group.dr))
        if not listeners:
            return []
        n, in_slot = fragment_number(action.payload), _in_ping_slot(group, now)
        read_once = self._read_once(group, action)
        for device in list(listeners.values()):
            if device.group != action.group:
                continue  # both groups share the channel: it is a stranger's frame
            mc_group_id, listen = next(iter(device.listening.items()))
            if isinstance(listen, ListenClassB) and not in_slot:
                continue
            copies, fragment = device.channel.frames(), n is not None
            self.frames += fragment
            device.heard += fragment and bool(copies)
            device.lost += fragment and not copies
            if not copies:
                continue
            if read_once is not None and device.proven:
                actions = device.take_command(read_once, now, mc_group_id)
            else:
                actions = device.hear(action.phy, now)
                device.proven = not any(isinstance(one, Dropped) for one in actions)
                if copies > 1:
                    actions += device.hear(action.phy, now)
            if actions:
                self._act(device, actions, now, n)
        return []

    def _read_once(self, group: GroupConfig, action: Multicast) -> Command | None:
        """Return what the frame says, for all listeners; None if each has to open it itself."""
        if not self.plan.scenario.shared_radio:
            return None
        package = PackageMap(versions={}).at(group.fport)
        parsed = [] if package is None else package.parse(action.payload, DOWNLINK)
        return parsed[0] if len(parsed) == 1 and isinstance(parsed[0], DataFragment) else None

    def _tick(self, device: SimDevice, now: float) -> list[Arrival]:
        if device.next_tick != now or not device.awake:
            return []
        device.next_tick = None
        self._act(device, device.session.tick(now=device.local(now)), now, None)
        self._follow(device, now + _AT_LEAST)
        return []

    def _uplink(self, device: SimDevice, fport: int, payload: bytes, now: float) -> list[Arrival]:
        if not device.awake:
            return []
        device.uplinks += 1
        uplink = Uplink(self.plan.dev_eui(device.index), fport, payload, now)
        copies = device.channel.uplinks()
        for delay in copies:
            self._at(now + delay, lambda _: [uplink])
        if copies and self.plan.scenario.uplink_seconds:
            self._at(now + _RX1_SECONDS, lambda time: self._receive_window(device, time))
        return []

    # Class A: a downlink waits for an uplink

    def _expect_uplink(self, device: SimDevice, now: float, within: float | None = None) -> None:
        """Wait for the device's next uplink of its own, or for one within so many seconds."""
        period = self.plan.scenario.uplink_seconds
        phase = period * ((device.index * 0.618_034) % 1)  # spread evenly, whatever their number
        own = START + phase + (math.floor((now - START - phase) / period) + 1) * period
        if own < now + _AT_LEAST:  # rounding: this is the one that has just been
            own += period
        due = own if within is None else min(own, now + within)
        if device.queue and (device.poke is None or due < device.poke):
            device.poke = due
            self._at(due, lambda time: self._own_uplink(device, time))

    def _own_uplink(self, device: SimDevice, now: float) -> list[Arrival]:
        """Send what the application sends; nobody here reads it, but it opens a window."""
        if device.poke != now:
            return []
        device.poke = None
        if not device.queue or device.gone:
            return []
        if device.awake:
            device.uplinks += 1
            if device.channel.uplinks():
                self._at(now + _RX1_SECONDS, lambda time: self._receive_window(device, time))
                return []
        self._expect_uplink(device, now)
        return []

    def _receive_window(self, device: SimDevice, now: float) -> list[Arrival]:
        if device.queue and device.awake:
            fport, payload = device.queue.popleft()
            heard = self._transmit(device, fport, payload, now)
            # a device that heard it was told by FPending that there is more
            self._expect_uplink(device, now, within=_MORE_SECONDS if heard else None)
        return []

    # What devices do

    def _act(self, device: SimDevice, actions: Sequence[Action], now: float, n: int | None) -> None:
        changed = False
        for action in actions:
            match action:
                case Store() | StoreSessionCnt() | Dropped():
                    continue
                case Send(fport=fport, payload=payload, not_before=local):
                    self._send(device, fport, payload, max(now, device.world(local)))
                case BlockReceived(data=data, verified=verified):
                    device.finish(data, verified=verified, n=n)
                case BlockFailed(reason=reason):
                    device.look()
                    device.reason = reason
                case ListenClassB() | ListenClassC():
                    device.listening[action.mc_group_id] = action
                    device.proven = False
                    self._tune(device, action, on=True)
                case StopListening(mc_group_id=mc_group_id):
                    stopped = device.listening.pop(mc_group_id, None)
                    if stopped is not None:
                        self._tune(device, stopped, on=False)
                case Reboot(image_version=version):
                    self._reboot(device, now, version)
                    return
                case _:
                    pass
            changed = True
        if changed or n is None:
            self._follow(device, now)

    def _send(self, device: SimDevice, fport: int, payload: bytes, when: float) -> None:
        self._at(when, lambda time: self._uplink(device, fport, payload, time))

    def _tune(self, device: SimDevice, listen: ListenClassB | ListenClassC, *, on: bool) -> None:
        channel = self._listeners.setdefault((listen.dl_freq_hz, listen.dr), {})
        if on:
            channel[device.index] = device
        elif not any(
            (one.dl_freq_hz, one.dr) == (listen.dl_freq_hz, listen.dr)
            for one in device.listening.values()
        ):
            channel.pop(device.index, None)

    def _follow(self, device: SimDevice, earliest: float) -> None:
        """See to it that the session is called when it wants to be."""
        deadline = device.deadline
        if deadline is None:
            return
        deadline = max(deadline, earliest)
        if device.next_tick is None or deadline < device.next_tick:
            device.next_tick = deadline
            self._at(deadline, lambda time: self._tick(device, time))

    # What goes wrong

    def _expect_troubles(self) -> dict[int, float]:
        """Prepare for what goes wrong; return who joins late, and when."""
        late: dict[int, float] = {}
        for trouble in self.plan.troubles():
            device = self.devices[trouble.device]
            match trouble.what:
                case "late":
                    late[device.index], device.joined = trouble.when, False
                    self._at(trouble.when, functools.partial(self._join, device))
                case "vanish":
                    self._at(trouble.when, functools.partial(self._vanish, device))
                case _:
                    event = functools.partial(self._reboot, device, version=None)
                    self._at(trouble.when, event)
        return late

    def _join(self, device: SimDevice, now: float) -> list[Arrival]:
        device.joined = True
        self._follow(device, now)
        return [Joined(device.index)]

    def _vanish(self, device: SimDevice, _: float) -> list[Arrival]:
        self._silence(device)
        device.look()
        device.gone = True
        device.reason = device.reason or "vanished"
        return []

    def _reboot(self, device: SimDevice, now: float, version: int | None) -> list[Arrival]:
        if device.awake:
            self._silence(device)
            device.switch_off()
            self._at(now + _BOOT_SECONDS, lambda time: self._boot(device, time, version))
        return []

    def _boot(self, device: SimDevice, now: float, version: int | None) -> list[Arrival]:
        if not device.gone:
            device.next_tick = None
            self._act(device, device.boot(now, fw_version=version), now, None)
        return []

    def _silence(self, device: SimDevice) -> None:
        for listen in list(device.listening.values()):
            self._listeners.get((listen.dl_freq_hz, listen.dr), {}).pop(device.index, None)
        device.listening.clear()


def _in_ping_slot(group: GroupConfig, now: float) -> bool:
    """Whether a ping slot of the group begins now; no class B device hears what starts between."""
    if group.window_class is WindowClass.C:
        return False
    milliseconds = round(now * 1000)
    slot = next_ping_slot_ms(milliseconds - 1, group.mc_addr, group.periodicity)
    return slot == milliseconds
