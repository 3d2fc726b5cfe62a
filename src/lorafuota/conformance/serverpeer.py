"""The fleet's side of a check against a server: devices, gateways, network server and operator.

A check is a straight script: it begins an update, lets time pass, and looks at what the server sent
and said; whatever is not as it should be raises :class:`.check.Failed`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar, Unpack, final

from ..errors import FieldError
from ..package import Package
from ..session.stacks import DeviceProfile
from ..types import DevEUI
from ..wire import Command
from ._fleet import NEW_FW, Fleet, Making
from ._network import Network
from ._order import FRAME_SECONDS, SPACING_SECONDS, draw_order, need
from ._said import Said
from .check import Failed
from .fleetdevice import FleetDevice
from .observer import Frame, Observer, Sent
from .serversubject import (
    AddDevice,
    Begin,
    Cancel,
    Pause,
    RemoveDevice,
    Restart,
    Resume,
    ServerSubject,
)

__all__ = ["FRAME_SECONDS", "NEW_FW", "SPACING_SECONDS", "START", "ServerPeer"]

START: Final = 1_400_000_000.0
"""GPS seconds at which every update begins, a multiple of 128."""

_PATIENCE: Final = 40 * 86_400.0
"""Seconds in which an update with silent devices has to come to an end."""

_UPLINK_SECONDS: Final = 300.0
"""Between two uplinks of a device, where the server waits for them."""

_OWN_FPORT: Final = 2

C = TypeVar("C", bound=Command)


@final
class ServerPeer:
    """One server under test, and a fleet.

    Attributes:
        subject: The server.
        package: What the check is about; the fleet speaks it.
        rng: Randomness of the check, seeded with its id.
        transcript: Every request and event, in order, for the explanation of a failure.
        fleet: The devices, in the order they were made.
        observer: What the server sent.
        outcomes: What the server last said of each device.
        windows: What it said of windows.
        order: What it was asked for, None before :meth:`begin`.
        hears: Called with each downlink before it reaches its device.
        sees: Called with each multicast frame before it reaches the fleet.
    """

    def __init__(
        self, subject: ServerSubject, *, package: Package, seed: str, start: float = START
    ) -> None:
        """Take a subject; :meth:`begin` is the first thing it hears."""
        self.subject, self.package = subject, package
        self.rng = random.Random(seed)
        self.hears: Callable[[Sent], None] = lambda sent: None
        self.sees: Callable[[Frame], None] = lambda frame: None
        self.order: Begin | None = None
        self._fleet = Fleet(subject.about, package, rng=self.rng, seed=seed)
        self.fleet = self._fleet.devices
        self.observer = Observer(self.fleet)
        self._said = Said(tells_outcomes="outcomes" in subject.about.can)
        self.outcomes, self.windows = self._said.outcomes, self._said.windows
        self._network = Network(
            subject,
            self.fleet,
            self.observer,
            self._said,
            now=start,
            hears=lambda sent: self.hears(sent),
            sees=lambda frame: self.sees(frame),
        )
        self.transcript = self._network.transcript

    @property
    def now(self) -> float:
        """GPS seconds."""
        return self._network.now

    @property
    def image(self) -> bytes:
        """What is delivered."""
        return self._fleet.image

    @property
    def ended(self) -> float | None:
        """When the server said that the update is over, or None."""
        return self._said.ended

    # --- Beginning ---

    @property
    def can(self) -> frozenset[str]:
        """What the server can do."""
        return self.subject.about.can

    def need(self, *can: str) -> None:
        """Leave the check if the server cannot do something.

        Raises:
            NotApplicable: So.
        """
        need(self.subject.about, *can)

    @property
    def by_groups(self) -> bool:
        """Whether the fleet is served by multicast unless a check says otherwise."""
        return self._fleet.by_groups

    def version(self, name: str) -> int:
        """Return the version of a package that the fleet speaks: the check's, or the newest."""
        return self._fleet.version(name)

    def profile(self, *, firmware: bool = False, sets: bool = False) -> DeviceProfile:
        """Return devices of the documents, with the versions of this check."""
        return self._fleet.profile(firmware=firmware, sets=sets)

    def plain(
        self, profile: DeviceProfile, *, firmware: bool = False, sets: bool = False
    ) -> DeviceProfile:
        """Return a device with the TS004 of *profile*, and the other versions of this check."""
        return self._fleet.plain(profile, firmware=firmware, sets=sets)

    def make_device(self, **how: Unpack[Making]) -> FleetDevice:
        """Add a device to the fleet and switch it on; see :meth:`._fleet.Fleet.make`."""
        device = self._fleet.make(**how)
        self.power_cycle(device, factory=True)
        return device

    def devices(
        self, count: int, *, firmware: bool = False, **how: Unpack[Making]
    ) -> list[FleetDevice]:
        """Add devices that are alike."""
        how.setdefault("profile", self.profile(firmware=firmware))
        return [self.make_device(**how) for _ in range(count)]

    def draw_image(self, octets: int = 195) -> bytes:
        """Choose what is delivered; devices are made after that."""
        return self._fleet.draw_image(octets)

    def begin(
        self,
        *,
        frag_size: int = 10,
        descriptor: bytes = b"\x01\x02\x03\x04",
        redundancy: float = 0.2,
        firmware: bool = False,
        device_class: str | None = None,
        max_mc_fcnt: int = 0xFFFF,
    ) -> None:
        """Tell the server to update the fleet.

        Raises:
            NotApplicable: It cannot, or not so many devices.
        """
        self.order = draw_order(
            self._fleet,
            time=self.now,
            rng=self.rng,
            frag_size=frag_size,
            descriptor=descriptor,
            redundancy=redundancy,
            firmware=firmware,
            device_class=device_class,
            max_mc_fcnt=max_mc_fcnt,
        )
        for group in self.order.groups:
            if group.mc_key is not None:
                self.observer.add_key(group.mc_addr, group.mc_key)
        self._network.ask(self.order)
        if "wants-uplinks" in self.can:
            for device in self.fleet.values():
                self._network.at(self.now, lambda device=device: self._speak_up(device))  # type: ignore[misc]

    def play(self, count: int = 3, *, octets: int = 195, **how: Any) -> list[FleetDevice]:
        """Begin an update of the plain kind: so many devices of the documents, all honest."""
        self.draw_image(octets)
        firmware = bool(how.get("firmware"))
        fleet = self.devices(count, firmware=firmware)
        self.begin(**how)
        return fleet

    @property
    def asked(self) -> Begin:
        """What the server was asked for."""
        if self.order is None:
            raise FieldError("ServerPeer.asked", "order", None, "begin() first")
        return self.order

    @property
    def nb_frag(self) -> int:
        """NbFrag of the block."""
        return -(-len(self.image) // self.asked.frag_size)

    # --- Letting time pass ---

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self._network.step(end)

    def run(self, until: Callable[[], bool], *, within: float = _PATIENCE) -> None:
        """Let time pass until something is true.

        Raises:
            Failed: It never is.
        """
        if not self.happens(until, within=within):
            raise Failed(f"what the check waits for did not happen within {within:.0f} s")

    def happens(self, until: Callable[[], bool], *, within: float = _PATIENCE) -> bool:
        """Let time pass until something is true, the update ends, or it takes too long."""
        end = self.now + within
        while not until():
            if self.ended is not None or self.now >= end:
                return until()
            self._network.step(end)
        return True

    def end(self, *, within: float = _PATIENCE) -> None:
        """Let the update come to its end.

        Raises:
            Failed: It does not end, or a device has no outcome.
        """
        end = self.now + within
        while self.ended is None or self._network.on_its_way:
            if self.now >= end:
                raise Failed(f"the update did not end within {within / 86_400:.0f} days")
            self._network.step(end)
        self._said.expect_all(self.fleet.values())

    def finish(self, *, within: float = _PATIENCE) -> None:
        """Let the update come to its end, and see that the server did no harm.

        Raises:
            Failed: It did, or the update does not end, or a device has no outcome.
        """
        self.end(within=within)
        self.observer.judge(self.outcomes)

    def expect_updated(self, devices: Iterable[FleetDevice]) -> None:
        """Fail unless these devices have the block, and the server says so.

        Raises:
            Failed: So.
        """
        self._said.expect_updated(devices)

    def expect_status(self, device: FleetDevice, *statuses: str) -> None:
        """Fail unless the server says one of these of a device in the end.

        Raises:
            Failed: So.
        """
        self._said.expect_status(device, *statuses)

    def reached(self, device: FleetDevice) -> str:
        """Return how far the server says a device has come."""
        self.need("reached")
        return self._said.reached(device)

    # --- The operator ---

    def restart(self) -> None:
        """Kill the server, and let it come back."""
        self.need("restart")
        self._network.ask(Restart(self.now))

    def pause(self) -> None:
        """Pause the update."""
        self.need("pause")
        self._network.ask(Pause(self.now))

    def resume(self) -> None:
        """End a pause."""
        self._network.ask(Resume(self.now))

    def cancel(self) -> None:
        """Cancel the update."""
        self.need("cancel")
        self._network.ask(Cancel(self.now))

    def add(self, device: FleetDevice) -> None:
        """Take a device that was made after the beginning into the update."""
        self.need("add-device")
        self._network.ask(AddDevice(self.now, device.entry))

    def remove(self, device: FleetDevice) -> None:
        """Take a device out of the update."""
        self.need("remove-device")
        self._network.ask(RemoveDevice(self.now, device.entry.dev_eui))

    # --- Devices speaking up ---

    def uplink(self, device: FleetDevice, package: str, *commands: Command | bytes) -> None:
        """Have a device send something of the check's own, now."""
        payload = b"".join(one if isinstance(one, bytes) else one.encode() for one in commands)
        self.uplink_raw(device.entry.dev_eui, device.packages.fport(package), payload)

    def uplink_raw(self, dev_eui: DevEUI, fport: int, payload: bytes) -> None:
        """Have anybody send any octets on any port, now."""
        self._network.uplink(dev_eui, fport, payload)

    def power_cycle(self, device: FleetDevice, *, factory: bool = False) -> None:
        """Switch a device off and on again; without *factory* it keeps what its flash holds."""
        self._network.up(device, device.power_on(self.now, factory=factory))

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something done when so many seconds have passed."""
        self._network.at(self.now + seconds, what)

    def _speak_up(self, device: FleetDevice) -> None:
        if not device.mute:
            self._network.uplink(device.entry.dev_eui, _OWN_FPORT, b"\x00")
        self._network.at(self.now + _UPLINK_SECONDS, lambda: self._speak_up(device))

    # --- What the server sent ---

    def sent(self, kind: type[C], device: FleetDevice | None = None) -> list[C]:
        """Return the commands of one kind that were sent by unicast, to one device or to all."""
        dev_eui = None if device is None else device.entry.dev_eui
        return [one for _, one in self.observer.requests(kind, dev_eui)]

    def times(self, kind: type[C], device: FleetDevice | None = None) -> list[float]:
        """Return when they were sent."""
        dev_eui = None if device is None else device.entry.dev_eui
        return [sent.time for sent, _ in self.observer.requests(kind, dev_eui)]

    def strict(self, name: str) -> None:
        """Fail unless all that was sent on a package's port can be read without forgiving anything.

        Raises:
            Failed: So.
        """
        self.observer.expect_strict(name)
