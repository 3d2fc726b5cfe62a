"""The fleet's side of a check against a server: devices, gateways, network server and operator.

A check is a straight script: it begins an update, lets time pass, and looks at what the server sent
and said; whatever is not as it should be raises :class:`.check.Failed`.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar, final

from ..errors import FieldError, require_int
from ..package import Package, Parsed
from ..session.fraglimits import FragLimits
from ..session.mcsession import McLimits
from ..session.profile import SetProfile
from ..session.stacks import DeviceProfile, device_profile
from ..types import AppKey, DevAddr, DevEUI, GenAppKey, McKey
from ..wire import Command
from .check import Failed, NotApplicable
from .fleetdevice import Air, FleetDevice
from .observer import Frame, Observer, Sent
from .serversubject import (
    AddDevice,
    Advance,
    Begin,
    Cancel,
    DeviceEntry,
    DeviceOutcome,
    Downlink,
    Ended,
    GroupOrder,
    MulticastDownlink,
    MulticastFrame,
    Pause,
    RemoveDevice,
    Restart,
    Resume,
    ServerEvent,
    ServerRequest,
    ServerSubject,
    Uplink,
    WindowAnnounced,
)

__all__ = ["FRAME_SECONDS", "NEW_FW", "SPACING_SECONDS", "START", "ServerPeer"]

START: Final = 1_400_000_000.0
"""GPS seconds at which every update begins, a multiple of 128."""

NEW_FW: Final = 0x0200_0000
"""The version in the image."""

FRAME_SECONDS: Final = 0.4
SPACING_SECONDS: Final = 2.0
"""Of the groups: time on air of a frame, and what has to lie between the starts of two."""

_PATIENCE: Final = 40 * 86_400.0
"""Seconds in which an update with silent devices has to come to an end."""

_MOST_CALLS: Final = 40_000
"""Exchanges with the server in one check."""

_MOST_AT_ONCE: Final = 500
"""... at one moment, beyond the events of the fleet."""

_MOST_SENT: Final = 2_000
"""Downlinks to one device: more is no end."""

_POLL_SECONDS: Final = 1.0
_UPLINK_SECONDS: Final = 300.0
"""Between two uplinks of a device, where the server waits for them."""

_ONE_VERSION: Final = ("firmwaremanagement", "multipackage")
"""Packages whose version says nothing of the others'."""

_FREQ: Final = 869_525_000
_OWN_FPORT: Final = 2
_HIGHEST_FPORT: Final = 225

C = TypeVar("C", bound=Command)


@final
class ServerPeer:
    """One server under test, and a fleet.

    Attributes:
        subject: The server.
        package: What the check is about; the fleet speaks it.
        now: GPS seconds.
        rng: Randomness of the check, seeded with its id.
        transcript: Every request and event, in order, for the explanation of a failure.
        fleet: The devices, in the order they were made.
        observer: What the server sent.
        outcomes: What the server last said of each device.
        windows: What it said of windows.
        ended: When it said that the update is over, or None.
        image: What is delivered.
    """

    def __init__(
        self, subject: ServerSubject, *, package: Package, seed: str, start: float = START
    ) -> None:
        """Take a subject; :meth:`begin` is the first thing it hears."""
        self.subject, self.package, self.now = subject, package, start
        self.rng = random.Random(seed)
        self._seed = seed
        self.transcript: list[ServerRequest | ServerEvent] = []
        self.fleet: dict[DevEUI, FleetDevice] = {}
        self.observer = Observer(self.fleet)
        self.outcomes: dict[DevEUI, DeviceOutcome] = {}
        self.windows: list[WindowAnnounced] = []
        self.ended: float | None = None
        self.image = b""
        self.order: Begin | None = None
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._next: float | None = None
        self._pause = _POLL_SECONDS
        self._calls = self._at_once = self._on_its_way = 0
        self.hears: Callable[[Sent], None] = lambda sent: None
        """Called with each downlink before it reaches its device."""
        self.sees: Callable[[Frame], None] = lambda frame: None
        """Called with each multicast frame before it reaches the fleet."""

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
        missing = [one for one in can if one not in self.can]
        if missing:
            raise NotApplicable(f"the server does not have: {', '.join(missing)}")

    @property
    def by_groups(self) -> bool:
        """Whether the fleet is served by multicast unless a check says otherwise."""
        return bool(self.can & {"class-b", "class-c"}) and bool(
            self.subject.about.versions.get("multicastsetup")
        )

    def version(self, name: str) -> int:
        """Return the version of a package that the fleet speaks: the check's, or the newest."""
        if name == self.package.name:
            return self.package.version
        spoken = self.subject.about.versions.get(name, ())
        same = self.package.version if self.package.name not in _ONE_VERSION else 0
        wanted = same if same in spoken else max(spoken, default=0)
        return wanted or 2

    def profile(self, *, firmware: bool = False, sets: bool = False) -> DeviceProfile:
        """Return devices of the documents, with the versions of this check."""
        base = device_profile(f"documents v{self.version('fragmentation')}")
        return self.plain(base, firmware=firmware, sets=sets)

    def plain(
        self, profile: DeviceProfile, *, firmware: bool = False, sets: bool = False
    ) -> DeviceProfile:
        """Return a device with the TS004 of *profile*, and the other versions of this check."""
        mc = device_profile(f"documents v{self.version('multicastsetup')}")
        clock = device_profile(f"documents v{self.version('clocksync')}")
        return dataclasses.replace(
            profile,
            multicast=mc.multicast,
            clock=clock.clock,
            firmware=profile.firmware if firmware else None,
            sets=SetProfile() if sets else None,
        )

    def make_device(
        self,
        *,
        profile: DeviceProfile | None = None,
        multicast: bool | None = None,
        fports: Mapping[str, int] | None = None,
        stack: str = "",
        frag_limits: FragLimits | None = None,
        mc_limits: McLimits | None = None,
        max_payload: int = 242,
        skew: float = 0.0,
        clock_known: bool = True,
        told: bool = True,
    ) -> FleetDevice:
        """Add a device to the fleet; see :class:`.fleetdevice.FleetDevice`.

        Every other one is of LoRaWAN 1.0.x and has a GenAppKey, the rest have an AppKey.  The
        server is told its *fports* unless *told* is false.
        """
        profile = profile or self.profile()
        number = len(self.fleet)
        kind = AppKey if number % 2 else GenAppKey
        packages = (profile.clock, profile.multicast, profile.fragmentation, profile.firmware)
        versions = {one.package.name: one.package.version for one in packages if one is not None}
        if profile.sets is not None:
            versions["multipackage"] = 1
        entry = DeviceEntry(
            dev_eui=DevEUI(self.rng.getrandbits(64)),
            dev_addr=DevAddr(self.rng.getrandbits(25)),
            root_key=kind(self.rng.randbytes(16)),
            versions={} if "asks-versions" in self.can else versions,
            fports=(fports or {}) if told else {},
            multicast=self.by_groups if multicast is None else multicast,
            stack=stack,
        )
        device = FleetDevice(
            entry,
            profile,
            image=self.image,
            finds=NEW_FW,
            seed=f"{self._seed}/{number}",
            frag_limits=frag_limits,
            mc_limits=mc_limits,
            max_payload=max_payload,
            skew=skew,
            clock_known=clock_known,
            fports=fports or {},
        )
        self.fleet[entry.dev_eui] = device
        self._up(device, device.power_on(self.now, factory=True))
        return device

    def devices(self, count: int, *, firmware: bool = False, **changes: Any) -> list[FleetDevice]:
        """Add devices that are alike."""
        profile = self.profile(firmware=firmware)
        return [self.make_device(profile=profile, **changes) for _ in range(count)]

    def draw_image(self, octets: int = 195) -> bytes:
        """Choose what is delivered; devices are made after that."""
        self.image = self.rng.randbytes(octets)
        return self.image

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
        fleet = list(self.fleet.values())
        if not self.image or not fleet:
            raise FieldError("ServerPeer.begin", "fleet", len(fleet), "an image, then devices")
        if len(fleet) > self.subject.about.max_devices:
            raise NotApplicable(f"the server takes {self.subject.about.max_devices} devices")
        in_groups = [one for one in fleet if one.entry.multicast]
        if len(in_groups) < len(fleet):
            self.need("unicast")
        if device_class is not None:
            self.need(f"class-{device_class.lower()}")
        elif in_groups:
            device_class = "C" if "class-c" in self.can else "B"
            self.need(f"class-{device_class.lower()}")
        versions = sorted({one.profile.fragmentation.package.version for one in in_groups})
        groups = []
        for version in versions:
            mc_key = McKey(self.rng.randbytes(16))
            own = "own-mc-key" in self.can
            group = GroupOrder(
                frag_version=version,
                mc_addr=DevAddr(self.rng.getrandbits(25)),
                mc_key=None if own else mc_key,
                max_mc_fcnt=max_mc_fcnt,
                device_class=device_class or "C",
                dl_freq_hz=_FREQ,
                dr=5,
                frame_seconds=FRAME_SECONDS,
                spacing_seconds=SPACING_SECONDS,
            )
            groups.append(group)
            if group.mc_key is not None:
                self.observer.add_key(group.mc_addr, group.mc_key)
        self.order = Begin(
            time=self.now,
            image=self.image,
            frag_size=frag_size,
            descriptor=descriptor,
            redundancy=redundancy,
            devices=tuple(one.entry for one in fleet),
            groups=tuple(groups),
            fw_version=NEW_FW if firmware else None,
        )
        self._do(self.order)
        if "wants-uplinks" in self.can:
            for device in fleet:
                self._at(self.now, lambda device=device: self._speak_up(device))  # type: ignore[misc]

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
            self._step(end)

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
            self._step(end)
        return True

    def end(self, *, within: float = _PATIENCE) -> None:
        """Let the update come to its end.

        Raises:
            Failed: It does not end, or a device has no outcome.
        """
        end = self.now + within
        while self.ended is None or self._on_its_way:
            if self.now >= end:
                raise Failed(f"the update did not end within {within / 86_400:.0f} days")
            self._step(end)
        if "outcomes" in self.can:
            silent = [one for one in self.fleet if one not in self.outcomes]
            if silent:
                raise Failed(f"the update ended, and nothing was said of {silent[0]}")

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
        for device in devices:
            said = self.outcomes.get(device.entry.dev_eui)
            if not device.has_block:
                word = f"; the server says {said.status} {said.detail}".rstrip() if said else ""
                raise Failed(f"{device.entry.dev_eui} does not have the block in the end{word}")
            if "outcomes" in self.can and (said is None or said.status != "Successful"):
                word = said.status if said else "nothing"
                raise Failed(
                    f"{device.entry.dev_eui} has the block, and the server says {word} of it"
                )

    def expect_status(self, device: FleetDevice, *statuses: str) -> None:
        """Fail unless the server says one of these of a device in the end.

        Raises:
            Failed: So.
        """
        if "outcomes" not in self.can:
            return
        said = self.outcomes.get(device.entry.dev_eui)
        if said is None or said.status not in statuses:
            word = said.status if said else "nothing"
            raise Failed(f"expected {' or '.join(statuses)}; the server says {word}")

    def reached(self, device: FleetDevice) -> str:
        """Return how far the server says a device has come."""
        self.need("reached")
        said = self.outcomes.get(device.entry.dev_eui)
        return "" if said is None else said.reached

    # --- The operator ---

    def restart(self) -> None:
        """Kill the server, and let it come back."""
        self.need("restart")
        self._do(Restart(self.now))

    def pause(self) -> None:
        """Pause the update."""
        self.need("pause")
        self._do(Pause(self.now))

    def resume(self) -> None:
        """End a pause."""
        self._do(Resume(self.now))

    def cancel(self) -> None:
        """Cancel the update."""
        self.need("cancel")
        self._do(Cancel(self.now))

    def add(self, device: FleetDevice) -> None:
        """Take a device that was made after the beginning into the update."""
        self.need("add-device")
        self._do(AddDevice(self.now, device.entry))

    def remove(self, device: FleetDevice) -> None:
        """Take a device out of the update."""
        self.need("remove-device")
        self._do(RemoveDevice(self.now, device.entry.dev_eui))

    # --- Devices speaking up ---

    def uplink(self, device: FleetDevice, package: str, *commands: Command | bytes) -> None:
        """Have a device send something of the check's own, now."""
        payload = b"".join(one if isinstance(one, bytes) else one.encode() for one in commands)
        self.uplink_raw(device.entry.dev_eui, device.packages.fport(package), payload)

    def uplink_raw(self, dev_eui: DevEUI, fport: int, payload: bytes) -> None:
        """Have anybody send any octets on any port, now."""
        self._do(Uplink(self.now, dev_eui, fport, payload))

    def power_cycle(self, device: FleetDevice, *, factory: bool = False) -> None:
        """Switch a device off and on again; without *factory* it keeps what its flash holds."""
        self._up(device, device.power_on(self.now, factory=factory))

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something done when so many seconds have passed."""
        self._at(self.now + seconds, what)

    def _speak_up(self, device: FleetDevice) -> None:
        if not device.mute:
            self._do(Uplink(self.now, device.entry.dev_eui, _OWN_FPORT, b"\x00"))
        self._at(self.now + _UPLINK_SECONDS, lambda: self._speak_up(device))

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
        for sent in self.observer.sent:
            if sent.package is None or sent.package.name != name:
                continue
            device = self.fleet[sent.dev_eui]
            bad: list[Parsed] = [one for one in sent.commands if not isinstance(one, Command)]
            again = [one.encode() for one in sent.commands if isinstance(one, Command)]
            if bad or (name != "multipackage" and b"".join(again) != sent.payload):
                version = device.packages.at(sent.fport)
                raise Failed(f"{sent.payload.hex(' ')} is nothing that {version} can read strictly")

    # --- The loop ---

    def _at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (when, next(self._order), what))

    def _up(self, device: FleetDevice, air: Iterable[Air]) -> None:
        eui = device.entry.dev_eui
        for at, fport, payload in air:
            self._at(at, lambda fport=fport, payload=payload: self.uplink_raw(eui, fport, payload))  # type: ignore[misc]

    def _step(self, limit: float) -> None:
        """Let the next thing happen, not after *limit*."""
        due = [one.deadline for one in self.fleet.values() if one.deadline is not None]
        if self._heap:
            due.append(self._heap[0][0])
        asked = self.now + self._pause if self._next is None else self._next
        before = self.now
        self.now = max(self.now, min([*due, asked, limit]))
        if self.now > before:
            self._at_once = 0
        while self._heap and self._heap[0][0] <= self.now:
            heapq.heappop(self._heap)[2]()
        for device in list(self.fleet.values()):
            if device.deadline is not None and device.deadline <= self.now:
                self._up(device, device.tick(self.now))
        if asked <= self.now or self.now >= limit:
            self._at_once += 1
            if self._at_once > _MOST_AT_ONCE:
                raise Failed(
                    f"the server wants to be called over {_MOST_AT_ONCE} times at one time"
                )
            self._do(Advance(self.now))

    def _do(self, request: ServerRequest) -> None:
        self._calls += 1
        if self._calls > _MOST_CALLS:
            raise Failed(f"no end after {_MOST_CALLS} exchanges")
        self.transcript.append(request)
        reply = self.subject.exchange(request)
        self.transcript += reply.events
        self._next = reply.next
        self._pause = _POLL_SECONDS if reply.events else min(2 * self._pause, 3600.0)
        for event in reply.events:
            self._take(event)

    def _take(self, event: ServerEvent) -> None:
        match event:
            case Downlink():
                self._leaves(event.time, lambda: self._down(event))
            case MulticastDownlink() | MulticastFrame():
                self._leaves(event.time, lambda: self._broadcast(event))
            case WindowAnnounced():
                self.windows.append(event)
            case DeviceOutcome():
                self.outcomes[event.dev_eui] = event
            case Ended():
                self.ended = self.now

    def _leaves(self, time: float, how: Callable[[], None]) -> None:
        """Have something that the server sent go on air at its time."""
        self._on_its_way += 1

        def leave() -> None:
            self._on_its_way -= 1
            try:
                how()
            except FieldError as error:
                raise Failed(f"a downlink that cannot be: {error}") from None

        self._at(max(time, self.now), leave)

    def _down(self, event: Downlink) -> None:
        require_int("Downlink", "fport", event.fport, 1, _HIGHEST_FPORT)
        observer = self.observer
        observer.unicast(self.now, event.dev_eui, event.fport, event.payload)
        device = self.fleet.get(event.dev_eui)
        if device is None:
            return
        if len(observer.sent) > _MOST_SENT * len(self.fleet):
            raise Failed(f"over {_MOST_SENT} downlinks for each device")
        sent = observer.sent[-1]
        self.hears(sent)
        had = len(device.heard)
        self._up(device, device.receive(event.fport, event.payload, self.now))
        if len(device.heard) > had and sent.fragment is not None:
            observer.heard(event.dev_eui, sent.fragment.frag_index)

    def _broadcast(self, event: MulticastDownlink | MulticastFrame) -> None:
        if isinstance(event, MulticastFrame):
            frame = self.observer.air(self.now, event.phy)
        else:
            require_int("MulticastDownlink", "fport", event.fport, 1, _HIGHEST_FPORT)
            frame = self.observer.clear(
                self.now, event.mc_addr, event.fport, event.payload, event.fcnt
            )
        self.sees(frame)
        if frame.phy is None:
            return
        for device in list(self.fleet.values()):
            had = len(device.heard)
            self._up(device, device.frame(frame.phy, frame.payload, self.now))
            if len(device.heard) > had and frame.fragment is not None:
                self.observer.heard(device.entry.dev_eui, frame.fragment.frag_index)
