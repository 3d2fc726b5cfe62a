"""A whole update of a simulated fleet: one server, a lossy channel, devices; octets in between.

The server makes a multicast group and a fragmentation session on every device by unicast, opens
class C windows, and sends the fragments of one image as encrypted multicast frames.  Each device
hears each frame or loses it, opens what it hears, rebuilds the block, checks it and answers a
status request at the end.  Unicast is taken to be reliable here, clocks to be right.

Time is virtual and starts at :data:`START`.  Everything drawn at random comes from the seed, and
every device draws from a generator of its own: a run is a function of its :class:`Scenario`, and
devices can be run in any order, or in different processes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final, final

from .datablock import MAX_NB_FRAG, DataBlock
from .errors import FieldError
from .fragmentation.v1 import DataFragment, FragSessionSetupAns, FragSessionStatusReq
from .fragmentation.v2 import FragSessionSetupAns as FragSessionSetupAnsV2
from .link import MC_FRAME_OVERHEAD
from .multicastsetup.v1 import McGroupSetupAns
from .package import Package
from .region import Region, min_spacing_us, region
from .session.actions import Action, BlockFailed, BlockReceived, Send
from .session.device import FuotaDevice
from .session.fragmentation import FragDevice, FragLimits, FragServer, StatusAns
from .session.multicast import McDevice, McGroupServer, McLimits, SessionAns
from .session.profile import FragProfile, frag_profile, mc_profile
from .types import UPLINK, AppKey, DevAddr, GenAppKey, LorawanVersion, McKey
from .wire import JSON, Command

__all__ = ["START", "DeviceResult", "DeviceRun", "Report", "Scenario", "Simulation", "parity_for"]

START: Final = 1_400_000_000
"""GPS seconds at which every simulation begins: a day in May 2024."""

_FRAGMENT_OVERHEAD: Final = 3  # identifier, Index&N
_MC_GROUP_ID: Final = 0
_FRAG_INDEX: Final = 0
_LEAD_SECONDS: Final = 2  # clock tolerance and class switch at the start of a window
_TAIL_SECONDS: Final = 1
_LONGEST_WINDOW: Final = 1 << 15
_UNICAST_SECONDS: Final = 120  # between windows, for what is said by unicast


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is simulated.

    Attributes:
        image: The firmware, as the caller has it: signed, or whatever.
        devices: How many devices, 1 or more.
        loss: Share of multicast frames each device loses, independently; 0 to less than 1.
        redundancy: Coded fragments as a share of the plain ones; None for :func:`parity_for`.
        frag_size: Octets in a fragment; None for as many as the data rate carries.
        version: Version of TS004 and TS005 the devices speak, 1 or 2.
        lorawan: Link layer of the devices; decides which root key they have.
        region: A name of :func:`lorafuota.region.region_names`.
        dr: Data rate of the multicast session; None for DR5 or the region's fastest LoRa rate.
        duty_cycle: Share of time the gateway may send; None for what the region says, if anything.
        seed: Chooses keys and losses.
    """

    image: bytes = dataclasses.field(repr=False)
    devices: int = 1
    loss: float = 0.1
    redundancy: float | None = None
    frag_size: int | None = None
    version: int = 2
    lorawan: LorawanVersion = LorawanVersion.V1_0
    region: str = "EU868"
    dr: int | None = None
    duty_cycle: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers that stand alone; :class:`Simulation` checks how they go together.

        Raises:
            FieldError: One is out of range.
        """
        if self.devices < 1:
            raise FieldError("Scenario", "devices", self.devices, "1 or more")
        if not 0 <= self.loss < 1:
            raise FieldError("Scenario", "loss", self.loss, "0 to less than 1")
        if self.redundancy is not None and not 0 <= self.redundancy <= MAX_NB_FRAG:
            raise FieldError("Scenario", "redundancy", self.redundancy, "0 or more")
        if self.duty_cycle is not None and not 0 < self.duty_cycle <= 1:
            raise FieldError("Scenario", "duty_cycle", self.duty_cycle, "more than 0, at most 1")


def parity_for(nb_frag: int, *, loss: float, devices: int) -> int:
    """Return how many coded fragments let nearly every device of a fleet complete.

    So many that a device receives ``nb_frag`` and ten more, with a margin of three standard
    deviations and a little for every tenfold of the fleet.  A rule of thumb, meant for losses that
    are independent; it does not know small matrices.  A block of one fragment has no parity: then
    it is how often the fragment is repeated.

    Args:
        nb_frag: Plain fragments, 1 to 16383.
        loss: Share of frames lost, 0 to less than 1.
        devices: Size of the fleet.
    """
    if loss == 0:
        return 1
    if nb_frag == 1:
        return max(1, math.ceil(math.log(1e-4 / devices) / math.log(loss)))
    sigmas = 3 + math.log10(devices)
    parity = 0
    while True:
        sent = nb_frag + parity
        margin = sigmas * math.sqrt(sent * loss * (1 - loss)) + 10
        if sent * (1 - loss) >= nb_frag + margin or sent >= MAX_NB_FRAG:
            return max(1, min(parity, MAX_NB_FRAG - nb_frag))
        parity += max(1, int((nb_frag + margin - sent * (1 - loss)) / (1 - loss)))


@dataclasses.dataclass(frozen=True, slots=True)
class _Frame:
    n: int
    time: float
    phy: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class _Window:
    start: float
    seconds: float
    frames: tuple[_Frame, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceResult:
    """How the update ended for one device."""

    device: int
    """From 0."""
    complete: bool
    """The block was rebuilt and is the image, octet for octet."""
    verified: bool
    """... and the MIC said so on the device (version 2)."""
    sha256: str | None
    """Of what the device rebuilt; None when it has nothing."""
    frames_heard: int
    frames_lost: int
    """While the device listened; it stops when the block is complete."""
    fragments_used: int
    """Independent fragments it had: NbFrag when complete."""
    completed_by: int | None
    """Number N of the fragment that completed the block."""
    missing: int
    """MissingFrag of its last status answer."""
    problem: str | None
    """Why it is not complete, in words."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the update ended for the fleet."""

    image_octets: int
    image_sha256: str
    version: int
    parity_variant: str
    nb_frag: int
    frag_size: int
    padding: int
    parity_planned: int
    frames: int
    """Multicast frames with fragments, each sent once."""
    windows: int
    """Class C sessions they needed."""
    region: str
    dr: int
    frame_airtime_seconds: float
    airtime_seconds: float
    """All frames together, on one gateway."""
    duration_seconds: float
    """From the start of the first window to the end of the last frame."""
    devices: int
    devices_complete: int
    parity_needed: int | None
    """Coded fragments (repeats for one fragment) after which all complete devices were complete."""
    frames_lost_share: float
    results: tuple[DeviceResult, ...]

    @property
    def success(self) -> bool:
        """Whether every device rebuilt the image."""
        return self.devices_complete == self.devices

    def to_json(self) -> dict[str, JSON]:
        """Return everything as JSON."""
        fields = dataclasses.asdict(self)
        fields["success"] = self.success
        return fields


@final
class Simulation:
    """The server's half of a scenario, made ready: messages, frames, windows."""

    def __init__(self, scenario: Scenario) -> None:
        """Prepare keys, set-ups and frames.

        Raises:
            FieldError: The image does not fit the 14-bit fragment number, the fragment the data
                rate, the data rate the region, and so on.
        """
        self.scenario = scenario
        self.frag_profile: FragProfile = frag_profile(scenario.version)
        self.mc_profile = mc_profile(scenario.version)
        self.region: Region = region(scenario.region)
        self.dr = self._choose_dr()
        room = self.region.max_payload(self.dr) - _FRAGMENT_OVERHEAD
        frag_size = room if scenario.frag_size is None else scenario.frag_size
        if frag_size > room:
            expected = f"1..{room} octets at {scenario.region} DR{self.dr}"
            raise FieldError("Scenario", "frag_size", frag_size, expected)
        self.block = DataBlock.of(scenario.image, frag_size=frag_size)
        self.parity = self._choose_parity()
        rng = random.Random(f"{scenario.seed}/server")
        self.mc_addr = DevAddr(rng.getrandbits(32))
        self._mc_key = McKey(rng.randbytes(16))
        self._roots = random.Random(f"{scenario.seed}/roots").randbytes(16)
        self.freq_hz = self._choose_frequency()
        phy_len = MC_FRAME_OVERHEAD + _FRAGMENT_OVERHEAD + frag_size
        self.airtime_us = self.region.data_rate(self.dr).time_on_air_us(phy_len)
        self.windows = self._schedule()

    @property
    def nb_frames(self) -> int:
        """Multicast frames with fragments."""
        return sum(len(window.frames) for window in self.windows)

    def root_key(self, device: int) -> GenAppKey | AppKey:
        """Return one device's root key."""
        octets = hashlib.sha256(self._roots + device.to_bytes(8, "little")).digest()[:16]
        return GenAppKey(octets) if self.scenario.lorawan is LorawanVersion.V1_0 else AppKey(octets)

    def group(self) -> McGroupServer:
        """Return the group as it is before the first frame."""
        return McGroupServer(mc_addr=self.mc_addr, mc_key=self._mc_key, max_mc_fcnt=2 * MAX_NB_FRAG)

    def frag_server(self, device: int) -> FragServer:
        """Return the server's messages for one device's fragmentation session."""
        return FragServer(
            self.frag_profile,
            self.block,
            frag_index=_FRAG_INDEX,
            mc_group_bit_mask=1 << _MC_GROUP_ID,
            root_key=self.root_key(device),
        )

    def report(self, results: Iterable[DeviceResult]) -> Report:
        """Sum up."""
        ordered = tuple(sorted(results, key=lambda result: result.device))
        block, scenario = self.block, self.scenario
        completed = [one.completed_by for one in ordered if one.complete]
        needed = max((n - block.nb_frag for n in completed if n is not None), default=None)
        heard, lost = sum(r.frames_heard for r in ordered), sum(r.frames_lost for r in ordered)
        frames = [frame for window in self.windows for frame in window.frames]
        airtime = self.airtime_us / 1e6
        return Report(
            image_octets=len(block.image),
            image_sha256=hashlib.sha256(block.image).hexdigest(),
            version=scenario.version,
            parity_variant=self.frag_profile.parity.value,
            nb_frag=block.nb_frag,
            frag_size=block.frag_size,
            padding=block.padding,
            parity_planned=self.parity,
            frames=len(frames),
            windows=len(self.windows),
            region=scenario.region,
            dr=self.dr,
            frame_airtime_seconds=airtime,
            airtime_seconds=len(frames) * airtime,
            duration_seconds=frames[-1].time + airtime - self.windows[0].start,
            devices=scenario.devices,
            devices_complete=len(completed),
            parity_needed=None if needed is None else max(needed, 0),
            frames_lost_share=lost / (heard + lost) if heard + lost else 0.0,
            results=ordered,
        )

    # Choosing what the scenario leaves open

    def _choose_dr(self) -> int:
        rates = {rate.dr: rate for rate in self.region.multicast_data_rates()}
        wanted = self.scenario.dr
        if wanted is None:
            lora = [dr for dr, rate in rates.items() if rate.sf is not None]
            return 5 if 5 in lora else max(lora)
        if wanted not in rates or not rates[wanted].max_payload > _FRAGMENT_OVERHEAD:
            usable = ", ".join(str(dr) for dr in rates)
            expected = f"a rate for multicast in {self.scenario.region}: {usable}"
            raise FieldError("Scenario", "dr", wanted, expected)
        return wanted

    def _choose_parity(self) -> int:
        scenario, block = self.scenario, self.block
        if scenario.redundancy is None:
            wanted = parity_for(block.nb_frag, loss=scenario.loss, devices=scenario.devices)
            return min(wanted, block.max_parity)
        wanted = math.ceil(scenario.redundancy * block.nb_frag)
        if wanted > block.max_parity:
            expected = f"at most {block.max_parity} coded fragments beside {block.nb_frag} plain"
            raise FieldError("Scenario", "redundancy", scenario.redundancy, expected)
        return wanted

    def _choose_frequency(self) -> int:
        for channel in (self.region.rx2, self.region.ping_slot, self.region.beacon):
            if channel.freq_hz is not None:
                return channel.freq_hz
        return 505_300_000  # CN470 has no default that all its channel plans share

    def _spacing_us(self) -> int:
        duty = self.scenario.duty_cycle
        if duty is not None:
            return math.ceil(self.airtime_us / duty)
        band = self.region.sub_band(self.freq_hz)
        return min_spacing_us(self.airtime_us, band.duty_cycle if band else Fraction(1))

    def _numbers(self) -> list[int]:
        """Return the fragment numbers in the order they are sent."""
        if self.block.nb_frag == 1:  # no coded fragment of such a block carries anything
            return [1] * (1 + self.parity)
        return list(range(1, self.block.nb_frag + self.parity + 1))

    def _schedule(self) -> tuple[_Window, ...]:
        """Make every frame once, and put it into a window at its time."""
        numbers = self._numbers()
        encoder = self.block.encoder(self.frag_profile.parity)
        distinct = sorted(set(numbers))
        fragments = dict(zip(distinct, encoder.fragments(distinct), strict=True))
        sender = self.group().sender
        fport = self.frag_profile.package.fport
        spacing, airtime = self._spacing_us() / 1e6, self.airtime_us / 1e6
        usable = _LONGEST_WINDOW - _LEAD_SECONDS - _TAIL_SECONDS - airtime
        capacity = int(usable / spacing) + 1
        windows: list[_Window] = []
        start = float(START + _UNICAST_SECONDS)
        for first in range(0, len(numbers), capacity):
            frames = []
            for place, n in enumerate(numbers[first : first + capacity]):
                fragment = DataFragment(n=n, frag_index=_FRAG_INDEX, payload=fragments[n])
                time = start + _LEAD_SECONDS + place * spacing
                frames.append(_Frame(n, time, sender.seal(fragment.encode(), fport=fport)))
            seconds = frames[-1].time + airtime + _TAIL_SECONDS - start
            windows.append(_Window(start, seconds, tuple(frames)))
            start = math.ceil(start + _LONGEST_WINDOW + _UNICAST_SECONDS)
        return tuple(windows)


@final
class DeviceRun:
    """One device of a simulation, from set-up to status, a few frames at a time."""

    def __init__(self, simulation: Simulation, device: int) -> None:
        """Set the device up.

        Args:
            simulation: The server's half.
            device: Which device, from 0.
        """
        self._simulation, self._index = simulation, device
        scenario = simulation.scenario
        root = simulation.root_key(device)
        self._channel = random.Random(f"{scenario.seed}/channel/{device}")
        own = random.Random(f"{scenario.seed}/device/{device}")
        limits = FragLimits(max_memory=1 << 30)
        self._device = FuotaDevice(
            multicast=McDevice(simulation.mc_profile, root_key=root, limits=McLimits(hops=True)),
            fragmentation=FragDevice(
                simulation.frag_profile, rng=own, root_key=root, limits=limits
            ),
        )
        self._todo = [
            (window, frame)
            for window in reversed(simulation.windows)
            for frame in reversed(window.frames)
        ]
        self._window: _Window | None = None
        self._heard = self._lost = 0
        self._completed_by: int | None = None
        self._image: bytes | None = None
        self._verified = False
        self.result: DeviceResult | None = None
        """How it ended; None while frames are left."""
        self._problem = self._set_up()
        if self._problem:
            self._finish()

    def advance(self, frames: int) -> int:
        """Let up to so many frames pass; return how many did, counting those not listened to."""
        passed = 0
        while self._todo and passed < frames and self.result is None:
            window, frame = self._todo.pop()
            passed += 1
            if window is not self._window:
                self._window = window
                self._problem = self._open_window(window)
                if self._problem:
                    break
            if self._channel.random() < self._simulation.scenario.loss:
                self._lost += 1
                continue
            self._heard += 1
            self._take(frame)
        if self.result is None and (not self._todo or self._problem):
            self._finish()
        if self.result is not None:
            passed += len(self._todo)
            self._todo = []
        return passed

    def run(self) -> DeviceResult:
        """Run to the end."""
        while self.result is None:
            self.advance(1 << 20)
        return self.result

    def _take(self, frame: _Frame) -> None:
        for action in self._device.receive_frame(frame.phy, now=frame.time):
            match action:
                case BlockReceived(data=data, verified=verified):
                    self._image, self._verified = data, verified
                    self._completed_by = frame.n
                    self._finish()
                case BlockFailed(reason=reason):
                    self._problem = reason
                case _:
                    pass  # class switches and the like: nothing a simulated radio has to do

    def _ask(self, package: Package, command: Command, now: float) -> Command | None:
        """Send one command by unicast; return the answer, or None if there is none to read."""
        octets = package.join([command])
        actions: Sequence[Action] = self._device.receive(package.fport, octets, now=now)
        for action in actions:
            if isinstance(action, Send):
                [answer] = package.parse(action.payload, UPLINK)
                return answer if isinstance(answer, Command) else None
        return None

    def _set_up(self) -> str | None:
        """Make the group and the session; return the problem if there is one."""
        simulation = self._simulation
        root = simulation.root_key(self._index)
        req = simulation.group().setup_req(root, mc_group_id=_MC_GROUP_ID)
        answer = self._ask(simulation.mc_profile.package, req, START)
        if not isinstance(answer, McGroupSetupAns) or answer.id_error:
            return f"group set-up: {answer}"
        server = simulation.frag_server(self._index)
        accepted = self._ask(simulation.frag_profile.package, server.setup_req, START)
        if not isinstance(accepted, FragSessionSetupAns | FragSessionSetupAnsV2):
            return f"fragmentation set-up: {accepted}"
        refusal = server.refusal(accepted)
        return refusal and f"fragmentation set-up: {refusal}"

    def _open_window(self, window: _Window) -> str | None:
        """Ask for a class C session; return the problem if there is one."""
        simulation = self._simulation
        now = window.start - _UNICAST_SECONDS
        req = McGroupServer.class_c_session_req(
            mc_group_id=_MC_GROUP_ID,
            start=window.start,
            seconds=window.seconds,
            dl_freq_hz=simulation.freq_hz,
            dr=simulation.dr,
        )
        answer = self._ask(simulation.mc_profile.package, req, now)
        if not isinstance(answer, SessionAns):
            return f"class C session: {answer}"
        refusal = McGroupServer.refusal(answer, req, received=now)
        return refusal and f"class C session: {refusal}"

    def _finish(self) -> None:
        """Ask for the status and sum up."""
        simulation, image = self._simulation, self._image
        last = simulation.windows[-1].frames[-1].time
        req = FragSessionStatusReq(participants=True, frag_index=_FRAG_INDEX)
        answer = self._ask(simulation.frag_profile.package, req, last + 1)
        missing = answer.missing_frag if isinstance(answer, StatusAns) else None
        if image is None and self._problem is None:
            self._problem = f"not enough fragments: {missing} missing"
        complete = image == simulation.block.image
        if image is not None and not complete:
            self._problem = "the block rebuilt is not the image"
        state = self._device.fragmentation.state(_FRAG_INDEX)
        decoder = self._device.fragmentation.decoder(_FRAG_INDEX) if state else None
        self.result = DeviceResult(
            device=self._index,
            complete=complete,
            verified=self._verified,
            sha256=None if image is None else hashlib.sha256(image).hexdigest(),
            frames_heard=self._heard,
            frames_lost=self._lost,
            fragments_used=decoder.rank if decoder else 0,
            completed_by=self._completed_by,
            missing=simulation.block.nb_frag if missing is None else missing,
            problem=self._problem,
        )
