"""Invariant: whatever a device hears, it raises nothing, keeps its limits, and survives a reset.

The octets are a program: which stack, then steps, each an octet that says what happens and the
octets it needs.  Payloads come in the clear or as frames signed with the key of a group.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Final

from lorafuota.crypto import derive_mc_app_s_key, derive_mc_nwk_s_key
from lorafuota.datablock import DataBlock
from lorafuota.errors import StateError
from lorafuota.fec.decoder import memory_bound
from lorafuota.fec.matrix import CACHE_OCTETS
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation.v1 import DataFragment, FragSessionDeleteReq, FragSessionStatusReq
from lorafuota.link import MAX_FCNT, build_mc_downlink
from lorafuota.multicastsetup.v1 import McClassCSessionReq
from lorafuota.session.actions import Action, BlockReceived, Send
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragLimits, FragServer
from lorafuota.session.multicast import McGroupServer, McLimits, WindowLimits
from lorafuota.session.profile import frag_profile
from lorafuota.session.saved import SavedState, keep
from lorafuota.session.stacks import DEVICE_PROFILES, device_profile
from lorafuota.types import DevAddr, GenAppKey, McKey
from tests.fuzz import mutation
from tests.fuzz.targets.target import MiB, Target

ROOT: Final = GenAppKey(bytes(range(16)))
KEY, ADDRESS = McKey(bytes(range(16, 32))), DevAddr(7)
APP_S_KEY, NWK_S_KEY = derive_mc_app_s_key(KEY, ADDRESS), derive_mc_nwk_s_key(KEY, ADDRESS)
START: Final = 1_300_000_000.0
STACKS: Final = tuple(DEVICE_PROFILES)
FPORTS: Final = (200, 201, 202, 203, 225, 1)
PAUSES: Final = (0.0, 0.5, 5.0, 130.0, 4000.0, 1e5, -3.0, -1e6, 2.0**31, 1e10)
MOST_STEPS: Final = 150
LIMITS: Final = FragLimits(max_memory=200_000)
MC_LIMITS: Final = McLimits(windows=WindowLimits(max_session_seconds=300, max_daily_seconds=2000))
STATE_OCTETS: Final = 4096
"""Of everything a device wants to have stored but the fragments."""

RECEIVE, FRAME, SEALED, TICK, DUE, RESET, POWER_CYCLE, SET_TIME, RATE = range(9)


class Program:
    """The octets that are left."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def octet(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def payload(self) -> bytes:
        """So many octets as the next one says."""
        size = self.octet()
        self.at += size
        return self.data[self.at - size : self.at]

    @property
    def more(self) -> bool:
        return self.at < len(self.data)


class Owner:
    """A device and the one it belongs to, who keeps what is to be stored."""

    def __init__(self, program: Program) -> None:
        self.stack = STACKS[program.octet() % len(STACKS)]
        settings = program.octet()
        self.clock_known, self.leaves = bool(settings & 1), bool(settings & 2)
        self.period = 86_400.0 if settings & 4 else None
        self.limits = MC_LIMITS if settings & 8 else None
        self.now = START
        self.store: SavedState = {}
        self.device = self.fresh()
        self.sent = self.blocks = 0

    def fresh(self) -> FuotaDevice:
        return FuotaDevice.from_profile(
            device_profile(self.stack),
            root_key=ROOT,
            rng=random.Random(1),
            clock_known=self.clock_known,
            period_seconds=self.period,
            mc_limits=self.limits,
            frag_limits=LIMITS,
            leaves_when_complete=self.leaves,
        )

    def step(self, program: Program) -> None:
        device = self.device
        match program.octet() % 9:
            case 0:  # RECEIVE
                fport, group = FPORTS[program.octet() % 6], program.octet() % 8
                payload = program.payload()
                mc_group_id = group if group < 4 else None
                self.take(device.receive(fport, payload, now=self.now, mc_group_id=mc_group_id))
            case 1:  # FRAME
                self.take(device.receive_frame(program.payload(), now=self.now))
            case 2:  # SEALED
                fcnt = program.octet() | program.octet() << 8
                fport = FPORTS[program.octet() % 4]
                phy = build_mc_downlink(
                    program.payload()[:242],
                    mc_addr=ADDRESS,
                    mc_app_s_key=APP_S_KEY,
                    mc_nwk_s_key=NWK_S_KEY,
                    fcnt=fcnt,
                    fport=fport,
                )
                self.take(device.receive_frame(phy, now=self.now))
            case 3:  # TICK
                self.now = min(max(self.now + PAUSES[program.octet() % 10], -1e12), 1e12)
                self.take(device.tick(now=self.now))
            case 4:  # DUE
                if (due := device.next_deadline) is not None:
                    self.now = max(self.now, due)
                self.take(device.tick(now=self.now))
            case 5:  # RESET
                self.restart(device.export(progress=True))
            case 6:  # POWER_CYCLE
                self.restart(self.store)
            case 7:  # SET_TIME
                gps = float(int.from_bytes(program.payload()[:5], "little"))
                try:
                    self.take(device.set_time(gps, now=self.now))
                except StateError:
                    assert device.clock is None
            case _:  # RATE
                device.max_payload = 11 + program.octet() % 232

    def take(self, actions: Sequence[Action]) -> None:
        for action in actions:
            keep(self.store, action)
            if isinstance(action, Send):
                assert 1 <= len(action.payload) <= self.device.max_payload
                assert action.not_before >= self.now
                assert 1 <= action.fport <= 225
                self.sent += 1
            self.blocks += isinstance(action, BlockReceived)

    def restart(self, state: SavedState) -> None:
        """Switch off and on; what is stored went through JSON."""
        text = json.dumps(state)
        self.device = self.fresh()
        self.take(self.device.restore(json.loads(text), now=self.now))


def one_input(data: bytes) -> str:
    program = Program(data)
    owner = Owner(program)
    steps = 0
    while program.more and steps < MOST_STEPS:
        owner.step(program)
        steps += 1
    size = len(json.dumps(owner.device.export()))
    assert size <= STATE_OCTETS, f"{size} octets to store"
    if owner.blocks:
        return "a block"
    return "answered" if owner.sent else "silent"


# Programs that make sense


def receive(fport: int, payload: bytes, group: int = 7) -> bytes:
    return bytes((RECEIVE, FPORTS.index(fport), group, len(payload))) + payload


def sealed(fcnt: int, payload: bytes) -> bytes:
    return bytes((SEALED, fcnt & 0xFF, fcnt >> 8, 1, len(payload))) + payload


def update(version: int, nb_frag: int, frag_size: int) -> Iterator[bytes]:
    """A group, a session, fragments of which some are lost, questions and a reboot."""
    rng = random.Random(nb_frag)
    profile = frag_profile(version)
    block = DataBlock(rng.randbytes(nb_frag * frag_size - 1), frag_size)
    server = FragServer(
        profile, block, frag_index=1, mc_group_bit_mask=1, session_cnt=3, root_key=ROOT
    )
    group = McGroupServer(mc_addr=ADDRESS, mc_key=KEY, max_mc_fcnt=MAX_FCNT)
    yield receive(202, b"\x01\x00\x00\x00\x00\x00")
    yield receive(200, group.setup_req(ROOT, mc_group_id=0).encode())
    yield receive(201, server.setup_req.encode())
    session = McClassCSessionReq(
        mc_group_id=0,
        session_time=int(START) % 2**32 + 60,
        time_out=10,
        dl_freq_hz=869_525_000,
        dr=5,
    )
    yield receive(200, session.encode())
    yield bytes((TICK, 3))
    encoder = block.encoder(profile.parity)
    for n in range(1, nb_frag + 12):
        if rng.random() < 0.7:
            fragment = DataFragment(n=n, frag_index=1, payload=encoder.fragment(n)).encode()
            yield sealed(n, fragment) if n % 5 else receive(201, fragment, 0)
        if n == nb_frag // 2:
            yield bytes((RESET, POWER_CYCLE)) if version == 2 else bytes((RATE, 40))
    status = FragSessionStatusReq(participants=True, frag_index=1)
    yield receive(201, status.encode()) + bytes((DUE, DUE))
    yield receive(203, firmware.DevVersionReq().encode())
    yield receive(203, firmware.DevRebootCountdownReq(countdown=40).encode())
    yield receive(225, b"\x03\x02\x01\x00\x02\x02" + status.encode())
    yield receive(201, FragSessionDeleteReq(frag_index=1).encode()) + bytes((DUE, TICK, 4))


def seeds() -> list[bytes]:
    programs = [
        bytes((at, settings)) + b"".join(update(1 + at % 2, nb_frag, 10))
        for at, name in enumerate(STACKS)
        for settings, nb_frag in ((1, 6), (15, 20))
    ]
    return programs + [bytes((at, 7)) + receive(201, one) for at, one in enumerate(_commands())]


def _commands() -> list[bytes]:
    return mutation.payloads()[::7]


def limit() -> int:
    """Octets for a session of each FragIndex, the cache of lines, and all the rest."""
    assert memory_bound(nb_frag=20, frag_size=10) <= LIMITS.max_memory
    return 4 * LIMITS.max_memory * 12 // 10 + CACHE_OCTETS + MiB


TARGETS = (Target(name="device", one_input=one_input, seeds=seeds, memory=limit()),)
