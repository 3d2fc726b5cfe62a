"""Captures of real sessions: our campaign and our devices, with whatever fault a test asks for.

A fault is put where it happens in the field: another key or version in what the server was told,
octets changed on their way out of the server (before the network server encrypts them), a device of
another profile, a clock that is off, frames that never leave.  What goes over the air is recorded
as a network server's log would have it, after the fault.
"""

from __future__ import annotations

import dataclasses
import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lorafuota import crypto
from lorafuota.campaign.actions import Commit, Multicast, Unicast
from lorafuota.campaign.config import (
    CampaignConfig,
    ClockCheck,
    GroupConfig,
    Member,
    RetryPolicy,
    WindowClass,
)
from lorafuota.campaign.engine import FuotaCampaign
from lorafuota.campaign.state import CampaignPhase
from lorafuota.datablock import DataBlock
from lorafuota.dissect.capture import Frame
from lorafuota.dissect.case import Known
from lorafuota.link import build_mc_downlink
from lorafuota.session.actions import (
    Action,
    BlockReceived,
    ListenClassB,
    ListenClassC,
    Send,
    StopListening,
)
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragLimits
from lorafuota.session.multicast import McLimits
from lorafuota.session.stacks import DEVICE_PROFILES, DeviceProfile
from lorafuota.types import (
    DOWNLINK,
    UPLINK,
    AppKey,
    DevAddr,
    DevEUI,
    GenAppKey,
    LorawanVersion,
    McAppSKey,
    McKey,
    McNwkSKey,
)

START = 1_400_000_000.0
FIRST_EUI = 0x0016_C001_F000_0000
LONGEST = 40 * 86_400.0


def number(payload: bytes | None) -> int:
    """N of a fragment, 0 for anything else."""
    if payload is None or payload[:1] != b"\x08":
        return 0
    return int.from_bytes(payload[1:3], "little") & 0x3FFF


@dataclasses.dataclass
class McOut:
    """A multicast frame on its way out of the server, for a fault to change."""

    time: float
    mc_addr: DevAddr
    fcnt: int
    fport: int
    payload: bytes
    app_s_key: McAppSKey
    nwk_s_key: McNwkSKey
    phy: bytes | None = None
    """Set by a fault that repeats old octets."""


@dataclasses.dataclass
class Bench:
    """One session and its fault.

    ``profile`` is the device's; ``version`` is what the server is told, or None to let it ask.
    """

    seed: int
    profile: DeviceProfile = DEVICE_PROFILES["documents v2"]
    devices: int = 1
    loss: float = 0.0
    image_octets: int | None = None
    frag_size: int | None = None
    descriptor: bytes | None = None
    window_class: WindowClass = WindowClass.C
    lorawan: LorawanVersion = LorawanVersion.V1_0
    multicast: bool = True
    skew: float = 0.0
    """What the device's clock shows more than GPS time."""
    clock_set: bool = True
    server_skew: float = 0.0
    root_of_server: Callable[[bytes], GenAppKey | AppKey] | None = None
    mc_limits: McLimits | None = None
    frag_limits: FragLimits | None = None
    member: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    group: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    on_unicast: Callable[[Bench, int, bytes], bytes | None] | None = None
    on_multicast: Callable[[Bench, McOut], Sequence[McOut]] | None = None
    on_uplink: Callable[[Bench, int, bytes], bytes | None] | None = None
    heard_by_device_only: bool = False
    """Record multicast frames only where they were heard: a capture beside the device."""
    with_phy: bool = True
    deaf: bool = False
    """The devices hear nothing at all."""
    lose: Callable[[int], bool] = lambda n: False
    """Which fragments are lost on air, by number; 0 for what is no fragment."""
    naive: bool = False
    """The server believes that every window it asked for is going to be kept, as ChirpStack does:
    it does not look at TimeToStart, and takes a refusal for an acceptance."""
    prepare: Callable[[Bench], None] | None = None
    """What happened before: called with the sessions in place."""
    stop_after: float = LONGEST

    def __post_init__(self) -> None:
        self.rng = random.Random(f"bench {self.seed}")
        rng = self.rng
        size = self.image_octets or rng.randrange(400, 1500)
        self.image = rng.randbytes(size)
        self.block = DataBlock(
            self.image,
            self.frag_size or rng.choice((24, 32, 48)),
            bytes(4) if self.descriptor is None else self.descriptor,
        )
        self.roots = [rng.randbytes(16) for _ in range(self.devices)]
        self.mc_addr, self.mc_key = DevAddr(rng.getrandbits(32)), McKey(rng.randbytes(16))
        self.frames: list[Frame] = []
        self.delivered: dict[int, bytes] = {}
        self.state: dict[str, Any] = {}
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0
        self._listening: list[dict[int, ListenClassB | ListenClassC]] = [
            {} for _ in range(self.devices)
        ]

    # What the test asks for

    def root(self, index: int) -> GenAppKey | AppKey:
        cls = GenAppKey if self.lorawan is LorawanVersion.V1_0 else AppKey
        return cls(self.roots[index])

    def eui(self, index: int) -> DevEUI:
        return DevEUI(FIRST_EUI + index)

    @property
    def known(self) -> Known:
        """What the owner of the first device knows."""
        root = self.root(0)
        return Known(
            gen_app_key=root if isinstance(root, GenAppKey) else None,
            app_key=root if isinstance(root, AppKey) else None,
            lorawan=self.lorawan,
            dev_eui=self.eui(0),
            mc_addr=self.mc_addr,
            image=self.image,
            block=self.delivered.get(0),
        )

    # Running

    def run(self) -> list[Frame]:
        members = tuple(self._member(at) for at in range(self.devices))
        parity = self.member.get("parity") or self.profile.fragmentation.parity
        group = GroupConfig(
            **{
                "name": "group",
                "mc_addr": self.mc_addr,
                "mc_key": self.mc_key,
                "parity": parity,
                "dl_freq_hz": 869_525_000,
                "dr": 5,
                "frame_seconds": 0.1,
                "spacing_seconds": 2.0,
                "window_class": self.window_class,
                **self.group,
            }
        )
        config = CampaignConfig(
            **{
                "block": self.block,
                "members": members,
                "groups": (group,) if self.multicast else (),
                "redundancy": 0.4,
                "max_rounds": 6,
                "max_windows": 4,
                "lead_seconds": 600.0,
                "setup_seconds": 3600.0,
                "retry": RetryPolicy(10, 60.0),
                "status_retry": RetryPolicy(6, 60.0),
                "unicast_seconds": 5.0,
                "clock_check": ClockCheck.IF_ABLE,
                **self.config,
            }
        )
        self.campaign = FuotaCampaign(config)
        self._app_s_key = crypto.derive_mc_app_s_key(self.mc_key, self.mc_addr)
        self._nwk_s_key = crypto.derive_mc_nwk_s_key(self.mc_key, self.mc_addr)
        self.sessions = [self._device(at) for at in range(self.devices)]
        if self.prepare is not None:
            self.prepare(self)
        for at in range(self.devices):
            self._follow(at, START)
        self._loop()
        self.frames.sort(key=lambda one: one.time or 0.0)
        return self.frames

    def _member(self, at: int) -> Member:
        root = self.root(at)
        if self.root_of_server is not None:
            root = self.root_of_server(self.roots[at])
        fields: dict[str, Any] = {
            "dev_eui": self.eui(at),
            "root_key": root,
            "multicast": self.multicast,
            "parity": self.profile.fragmentation.parity,
            "clock_version": None if self.profile.clock else 0,
            "multi_package": False,
        }
        return Member(**{**fields, **self.member})

    def _device(self, at: int) -> FuotaDevice:
        return FuotaDevice.from_profile(
            self.profile,
            root_key=self.root(at),
            rng=random.Random(f"device {self.seed} {at}"),
            mc_limits=self.mc_limits,
            frag_limits=self.frag_limits,
            period_seconds=None,
            clock_known=self.clock_set,
        )

    def _at(self, time: float, event: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (time, self._count, event))

    def _loop(self) -> None:
        now = START
        self._do(self.campaign.start(now=self.server(now)), now)
        while self.campaign.phase is not CampaignPhase.ENDED and now < START + self.stop_after:
            due = self.campaign.next_deadline
            due = None if due is None else due - self.server_skew
            event = self._heap[0][0] if self._heap else None
            if due is None and event is None:
                break
            if event is not None and (due is None or event <= due):
                _, _, run = heapq.heappop(self._heap)
                now = max(now, event)
                run(now)
            else:
                assert due is not None
                now = max(now, due)
                self._do(self.campaign.tick(now=self.server(now) + 1e-6), now)

    def server(self, now: float) -> float:
        return now + self.server_skew

    def _do(self, actions: Sequence[Any], now: float) -> None:
        for action in actions:
            match action:
                case Commit():
                    pass
                case Unicast():
                    at = action.dev_eui - FIRST_EUI
                    payload: bytes | None = action.payload
                    if action.fport == 200 and action.payload[:1] in (b"\x04", b"\x05"):
                        self._start = int.from_bytes(action.payload[2:6], "little")
                    if self.on_unicast is not None:
                        payload = self.on_unicast(self, action.fport, action.payload)
                    if payload is not None:
                        self._unicast(at, action.fport, payload, now)
                case Multicast():
                    time = max(action.time - self.server_skew, now)
                    out = McOut(
                        time,
                        self.mc_addr,
                        action.fcnt,
                        action.fport,
                        action.payload,
                        self._app_s_key,
                        self._nwk_s_key,
                    )
                    change = self.on_multicast
                    for one in [out] if change is None else change(self, out):
                        self._multicast(one)
                case _:
                    pass

    def _unicast(self, at: int, fport: int, payload: bytes, now: float) -> None:
        self.frames.append(
            Frame(direction=DOWNLINK, fport=fport, payload=payload, time=now, dev_eui=self.eui(at))
        )
        if self.deaf or self.rng.random() < self.loss or self.lose(number(payload)):
            return
        self._act(at, self.sessions[at].receive(fport, payload, now=now + self.skew), now)

    def _multicast(self, out: McOut) -> None:
        phy = out.phy or build_mc_downlink(
            out.payload,
            mc_addr=out.mc_addr,
            mc_app_s_key=out.app_s_key,
            mc_nwk_s_key=out.nwk_s_key,
            fcnt=out.fcnt,
            fport=out.fport,
        )
        frame = Frame(
            direction=DOWNLINK,
            fport=out.fport,
            payload=out.payload,
            time=out.time,
            mc_addr=out.mc_addr,
            fcnt=out.fcnt,
            phy=phy if self.with_phy else None,
        )
        if not self.heard_by_device_only:
            self.frames.append(frame)
        self._at(out.time, lambda now: self._heard(frame, phy, now))

    def _heard(self, frame: Frame, phy: bytes, now: float) -> None:
        for at in range(self.devices):
            lost = self.deaf or self.rng.random() < self.loss or self.lose(number(frame.payload))
            if not self._listening[at] or lost:
                continue
            if self.heard_by_device_only:
                self.frames.append(frame)
            self._act(at, self.sessions[at].receive_frame(phy, now=now + self.skew), now)

    def _act(self, at: int, actions: Sequence[Action], now: float) -> None:
        for action in actions:
            match action:
                case Send(fport=fport, payload=payload, not_before=local):
                    when = max(now, local - self.skew)
                    self._at(when, self._uplink_of(at, fport, payload))
                case ListenClassB() | ListenClassC():
                    self._listening[at][action.mc_group_id] = action
                case StopListening(mc_group_id=index):
                    self._listening[at].pop(index, None)
                case BlockReceived(data=data):
                    self.delivered[at] = data
                case _:
                    pass
        self._follow(at, now)

    def _uplink_of(self, at: int, fport: int, payload: bytes) -> Callable[[float], None]:
        def leave(now: float) -> None:
            octets: bytes | None = payload
            if self.on_uplink is not None:
                octets = self.on_uplink(self, fport, payload)
            if octets is None or self.rng.random() < self.loss:
                return
            self.frames.append(
                Frame(direction=UPLINK, fport=fport, payload=octets, time=now, dev_eui=self.eui(at))
            )
            if self.naive and fport == 200 and octets[:1] in (b"\x04", b"\x05"):
                left = max(round(self._start - self.server(now)), 0)
                octets = bytes((octets[0], octets[1] & 3)) + left.to_bytes(3, "little")
            answer = self.campaign.receive(self.eui(at), fport, octets, now=self.server(now))
            self._do(answer, now)

        return leave

    def _follow(self, at: int, earliest: float) -> None:
        deadline = self.sessions[at].next_deadline
        if deadline is None:
            return
        when = max(deadline - self.skew, earliest)

        def tick(now: float) -> None:
            current = self.sessions[at].next_deadline
            if current is not None and current - self.skew <= now + 1e-6:
                self._act(at, self.sessions[at].tick(now=now + self.skew + 1e-6), now + 1e-3)

        self._at(when, tick)
