"""Our own device as a subject: the kit turned on ourselves, and an example of an adapter."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import random
from collections.abc import Callable
from typing import Final, final

from ..datablock import MAX_FRAG_SIZE, MAX_NB_FRAG
from ..errors import StateError
from ..fec.decoder import memory_bound
from ..firmwaremanagement.v1 import UpImageStatus
from ..package import MAX_PAYLOAD
from ..session.actions import (
    Action,
    BlockFailed,
    BlockReceived,
    DeleteImage,
    ListenClassB,
    ListenClassC,
    Reboot,
    Send,
    StopListening,
    Store,
    StoreSessionCnt,
)
from ..session.device import FuotaDevice
from ..session.fraglimits import FragLimits
from ..session.multicast import McLimits
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
    SubjectError,
    Uplink,
    read_image,
)

__all__ = ["OwnDevice"]

Make = Callable[[PowerOn, random.Random], FuotaDevice]

_CAN: Final = frozenset({"power-cycle", "frames", "class-b", "class-c", "blocks"})
_FACTORY_FIRMWARE: Final = 0x0100_0000
_MOST_TICKS: Final = 1_000
"""At one time; a sound device needs a few."""


@final
class OwnDevice:
    """A :class:`FuotaDevice`, with a flash that keeps what it asks to store, and a boot loader."""

    def __init__(
        self,
        profile: str,
        *,
        mc_limits: McLimits | None = None,
        frag_limits: FragLimits | None = None,
        max_payload: int = MAX_PAYLOAD,
        make: Make | None = None,
        seed: str = "own",
    ) -> None:
        """Make a device like a stack, or one of the documents.

        Args:
            profile: See :func:`lorafuota.session.stacks.device_profile`.
            mc_limits: What its radio can do.
            frag_limits: What it takes on; None for what the stack is delivered with.
            max_payload: Octets an uplink of it carries.
            make: Puts the device together, if it is to be another than these arguments give.
            seed: Of its randomness, which begins anew with each factory reset: what it draws is a
                function of this, of the DevEUI it is given, and of what happens to it since.
        """
        self._make = make or self._of_profile
        self._profile = device_profile(profile)
        self._mc_limits = mc_limits or McLimits()
        self._frag_limits = frag_limits or self._profile.frag_limits
        self._seed, self._rng = seed, random.Random(seed)
        self.about = _about(self._profile, self._mc_limits, self._frag_limits, max_payload)
        self.flash: SavedState = {}
        self._fw_version = _FACTORY_FIRMWARE
        self._image: tuple[UpImageStatus, int | None] = UpImageStatus.NO_IMAGE, None
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
            self._rng = random.Random(f"{self._seed} {request.dev_eui}")
            self.flash, self._fw_version = {}, _FACTORY_FIRMWARE
            self._image = UpImageStatus.NO_IMAGE, None
        self._device = self._make(request, self._rng)
        self._show_image()
        if self.flash:
            self._take(self._device.restore(self.flash, now=request.time), request.time, events)

    def _of_profile(self, request: PowerOn, rng: random.Random) -> FuotaDevice:
        return FuotaDevice.from_profile(
            self._profile,
            root_key=request.root_key,
            rng=rng,
            fw_version=self._fw_version,
            hw_version=1,
            mc_limits=self._mc_limits,
            frag_limits=self._frag_limits,
            period_seconds=None,
            clock_known=request.clock_known,
            max_payload=self.about.max_payload,
        )

    def _reply(self, events: list[DeviceEvent], now: float) -> Reply:
        """Let happen what is due, and say what is next."""
        device = self._device
        assert device is not None
        for _ in range(_MOST_TICKS):
            if device.next_deadline is None or device.next_deadline > now:
                break
            self._take(device.tick(now=now), now, events)
        else:
            raise SubjectError(f"something is still due after {_MOST_TICKS} ticks")
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
                    self._look_at(action.data)
                case BlockFailed():
                    events.append(BlockLost(now, action.frag_index))
                case ListenClassB() | ListenClassC():
                    name = "B" if isinstance(action, ListenClassB) else "C"
                    events.append(ClassChanged(now, name, action.mc_group_id))
                case StopListening():
                    events.append(ClassChanged(now, "A", action.mc_group_id))
                case DeleteImage():
                    self._image = UpImageStatus.NO_IMAGE, None
                case Reboot():
                    self._reboot(now, events)
                case _:
                    pass

    # The boot loader and its image store

    def _look_at(self, block: bytes) -> None:
        found = read_image(block)
        if found is not None:
            status = UpImageStatus(found[0])
            self._image = status, found[1] if status is UpImageStatus.VALID else None
            self._show_image()

    def _show_image(self) -> None:
        assert self._device is not None
        if self._device.firmware is not None:
            status, version = self._image
            self._device.firmware.store_image(status, version=version)

    def _reboot(self, now: float, events: list[DeviceEvent]) -> None:
        """Send what was to leave before, and install an image that is valid."""
        while self._sends and self._sends[0][0] <= now:
            events.append(heapq.heappop(self._sends)[2])
        events.append(Rebooted(now))
        status, version = self._image
        if status is UpImageStatus.VALID and version is not None:
            self._fw_version, self._image = version, (UpImageStatus.NO_IMAGE, None)


def _about(
    profile: DeviceProfile, mc_limits: McLimits, frag_limits: FragLimits, max_payload: int
) -> About:
    packages = [profile.multicast.package, profile.fragmentation.package]
    packages += [one.package for one in (profile.clock, profile.firmware) if one is not None]
    versions = {package.name: package.version for package in packages}
    if profile.sets is not None:
        versions["multipackage"] = 1
    can = _CAN if profile.firmware is None else _CAN | {"images"}
    max_nb_frag = _most_fragments(frag_limits)
    about = About(
        name=profile.name,
        versions=versions,
        can=can,
        mc_groups=mc_limits.max_groups,
        frag_indices=frag_limits.nb_indices,
        max_nb_frag=max_nb_frag,
        max_block_octets=max_nb_frag * MAX_FRAG_SIZE,
        max_payload=max_payload,
        max_lost=frag_limits.max_lost,
    )
    return _with_descriptors(about, frag_limits.descriptors)


def _with_descriptors(about: About, taken: frozenset[bytes] | None) -> About:
    """Tell a Descriptor that is taken and one that is not, where it makes a difference."""
    if not taken:
        return about
    one = min(taken)
    others = (bytes((octet,)) + one[1:] for octet in range(256))
    wrong = next(other for other in others if other not in taken)
    return dataclasses.replace(about, descriptor=one, wrong_descriptor=wrong)


def _most_fragments(limits: FragLimits) -> int:
    """Return the largest NbFrag that is taken with every FragSize."""
    low, high = 1, MAX_NB_FRAG
    while low < high:
        middle = (low + high + 1) // 2
        need = memory_bound(nb_frag=middle, frag_size=MAX_FRAG_SIZE, max_lost=limits.max_lost)
        low, high = (middle, high) if need <= limits.max_memory else (low, middle - 1)
    return low
