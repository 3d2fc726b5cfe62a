"""A campaign and the devices it is for, wired through a hostile channel, in virtual time.

The fleet is the campaign's owner: it commits what it is told to commit, carries octets to and fro,
crashes where it is told to and goes on from the store.  :class:`Referee` sees that the rules are
kept.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import json
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, assert_never

from lorafuota.campaign import (
    CampaignConfig,
    CampaignStore,
    Event,
    FuotaCampaign,
    GroupConfig,
    Member,
    MemoryStore,
    RetryPolicy,
    StoreError,
)
from lorafuota.campaign.actions import (
    CampaignAction,
    CampaignEnded,
    Commit,
    DeviceEnded,
    Multicast,
    NewKeyWanted,
    Unicast,
    UplinkRejected,
    WindowAnnounced,
)
from lorafuota.campaign.config import ClockCheck
from lorafuota.campaign.snapshot import Snapshot
from lorafuota.campaign.state import CampaignPhase, Outcome
from lorafuota.clocksync import v1 as clocksync
from lorafuota.datablock import DataBlock
from lorafuota.fec.variant import ParityVariant
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation import v1 as frag_v1
from lorafuota.fragmentation import v2 as frag_v2
from lorafuota.multicastsetup.v1 import McGroupSetupReq
from lorafuota.package import PackageVersionReq
from lorafuota.session.actions import (
    Action,
    BlockFailed,
    BlockReceived,
    Send,
    StoreSessionCnt,
)
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragDevice, FragLimits
from lorafuota.session.multicast import McDevice, McLimits
from lorafuota.session.profile import FragProfile, McProfile, frag_profile, mc_profile
from lorafuota.types import DOWNLINK, AppKey, DevAddr, DevEUI, GenAppKey, McKey
from lorafuota.wire import JSON, Command
from tests.support import rebuilt

START = 1_400_000_000.0
IMAGE = random.Random(1).randbytes(200)
BLOCK = DataBlock.of(IMAGE, frag_size=10)
FREQ = 869_525_000
QUICK = RetryPolicy(5, 20.0)
OLD, NEW = 0x0100, 0x0200
"""Firmware versions."""


class Crash(Exception):
    """The owner's process is gone; what it had in memory too."""


def group(parity: ParityVariant = ParityVariant.V2, **changes: Any) -> GroupConfig:
    at = list(ParityVariant).index(parity)
    fields: dict[str, Any] = {
        "name": parity.value,
        "mc_addr": DevAddr(0x1000 + at),
        "mc_key": McKey(bytes([at + 1] * 16)),
        "parity": parity,
        "dl_freq_hz": FREQ,
        "dr": 5,
        "frame_seconds": 0.1,
        "spacing_seconds": 1.0,
    }
    return GroupConfig(**{**fields, **changes})


GROUPS = (group(ParityVariant.V1), group(ParityVariant.V2))


def member(number: int, **changes: Any) -> Member:
    """Number odd: GenAppKey of LoRaWAN 1.0.x; even: AppKey of 1.1."""
    kind = GenAppKey if number % 2 else AppKey
    fields: dict[str, Any] = {
        "dev_eui": DevEUI(number),
        "root_key": kind(random.Random(number).randbytes(16)),
        "multi_package": False,
    }
    return Member(**{**fields, **changes})


def config(members: Iterable[Member], **changes: Any) -> CampaignConfig:
    fields: dict[str, Any] = {
        "block": BLOCK,
        "members": tuple(members),
        "groups": GROUPS,
        "redundancy": 0.2,
        "lead_seconds": 600.0,
        "setup_seconds": 900.0,
        "retry": QUICK,
        "status_retry": QUICK,
        "unicast_seconds": 2.0,
        "unicast_frame_seconds": 0.1,
        "clock_check": ClockCheck.OFF,
    }
    return CampaignConfig(**{**fields, **changes})


@dataclasses.dataclass
class Unit:
    """One device, its clock and its boot loader included."""

    member: Member
    frag: FragProfile
    mc: McProfile
    limits: FragLimits | None = None
    mc_limits: McLimits | None = None
    clock_error: float = 0.0
    deaf: bool = False
    rewrite: Callable[[int, bytes], Sequence[tuple[int, bytes]]] | None = None
    """What becomes of its uplinks; imitates other stacks."""
    fw_version: int = OLD
    image: int | None = None
    """Version of the image that is stored and valid."""
    finds: int = NEW
    """Version it reads in an image that is delivered."""
    boots: bool = True
    """The boot loader takes the image."""
    reboot_at: float | None = None

    def __post_init__(self) -> None:
        self.rng = random.Random(int(self.member.dev_eui))
        self.session_cnt_prev: dict[int, int] = {}
        self.blocks: list[BlockReceived] = []
        self.failures: list[BlockFailed] = []
        self.heard: list[tuple[int, bytes]] = []
        self.switch_on()

    def switch_on(self) -> None:
        self.device = FuotaDevice(
            multicast=McDevice(self.mc, root_key=self.member.root_key, limits=self.mc_limits),
            fragmentation=FragDevice(
                self.frag,
                rng=self.rng,
                root_key=self.member.root_key,
                limits=self.limits,
                session_cnt_prev=self.session_cnt_prev,
            ),
            fports=self.member.fports,
        )
        self.reboot_at = None

    @classmethod
    def of(cls, one: Member, version: int = 2, mc_version: int | None = None, **rest: Any) -> Unit:
        return cls(one, frag_profile(version), mc_profile(mc_version or version), **rest)

    @property
    def deadline(self) -> float | None:
        """In true GPS seconds."""
        own = self.device.next_deadline
        times = [self.reboot_at] if self.reboot_at is not None else []
        if own is not None:
            times.append(own - self.clock_error)
        return min(times, default=None)

    def tick(self, now: float) -> list[tuple[float, int, bytes]]:
        if self.reboot_at is not None and self.reboot_at <= now:
            if self.image is not None and self.boots:
                self.fw_version, self.image = self.image, None
            self.switch_on()
        return self._sends(self.device.tick(now=now + self.clock_error), now)

    def receive(self, fport: int, payload: bytes, now: float) -> list[tuple[float, int, bytes]]:
        self.heard.append((fport, payload))
        if fport == clocksync.PACKAGE.fport:
            return self._clock(payload, now)
        if fport == firmware.PACKAGE.fport:
            return self._firmware(payload, now)
        local = now + self.clock_error
        actions = self.device.receive(fport, payload, now=local)
        return self._sends(rebuilt(self.device, actions, local), now)

    def receive_frame(self, phy: bytes, now: float) -> list[tuple[float, int, bytes]]:
        local = now + self.clock_error
        actions = self.device.receive_frame(phy, now=local)
        return self._sends(rebuilt(self.device, actions, local), now)

    def _sends(self, actions: Sequence[Action], now: float) -> list[tuple[float, int, bytes]]:
        sends = []
        for action in actions:
            match action:
                case Send():
                    at = max(now, action.not_before - self.clock_error)
                    sends += self._own_way(at, action.fport, action.payload)
                case StoreSessionCnt():
                    self.session_cnt_prev[action.frag_index] = action.session_cnt
                case BlockReceived():
                    self.blocks.append(action)
                    self.image = self.finds
                case BlockFailed():
                    self.failures.append(action)
                case _:
                    pass
        return sends

    def _own_way(self, at: float, fport: int, payload: bytes) -> list[tuple[float, int, bytes]]:
        uplinks = self.rewrite(fport, payload) if self.rewrite else [(fport, payload)]
        return [(at, *uplink) for uplink in uplinks]

    def _clock(self, payload: bytes, now: float) -> list[tuple[float, int, bytes]]:
        sends = []
        for command in clocksync.PACKAGE.parse(payload, DOWNLINK):
            if isinstance(command, PackageVersionReq):
                version = clocksync.PACKAGE.version_ans()
                sends += self._own_way(now, clocksync.PACKAGE.fport, version.encode())
            elif isinstance(command, clocksync.ForceDeviceResyncReq):
                own = clocksync.AppTimeReq(
                    device_time=int(now + self.clock_error) % 2**32, token_req=0, ans_required=False
                )
                sends += self._own_way(now, clocksync.PACKAGE.fport, own.encode())
            elif isinstance(command, clocksync.AppTimeAns):
                self.clock_error += command.time_correction
        return sends

    def _firmware(self, payload: bytes, now: float) -> list[tuple[float, int, bytes]]:
        sends = []
        for command in firmware.PACKAGE.parse(payload, DOWNLINK):
            answer: Command
            match command:
                case PackageVersionReq():
                    answer = firmware.PACKAGE.version_ans()
                case firmware.DevVersionReq():
                    answer = firmware.DevVersionAns(fw_version=self.fw_version, hw_version=1)
                case firmware.DevUpgradeImageReq():
                    valid = self.image is not None
                    answer = firmware.DevUpgradeImageAns(
                        up_image_status=firmware.UpImageStatus(3 * valid),
                        next_firmware_version=self.image,
                    )
                case firmware.DevRebootCountdownReq(countdown=seconds):
                    self.reboot_at = None if seconds == 0xFFFFFF else now + seconds
                    answer = firmware.DevRebootCountdownAns(countdown=seconds)
                case firmware.DevRebootTimeReq(reboot_time=time):
                    left = int(time - now - self.clock_error)
                    self.reboot_at = now + left if left > 0 else self.reboot_at
                    answer = firmware.DevRebootTimeAns(reboot_time=max(left, 0))
                case firmware.DevDeleteImageReq(firmware_to_delete_version=version):
                    found = self.image == version
                    self.image = None if found else self.image
                    answer = firmware.DevDeleteImageAns(errors=firmware.DeleteError(not found))
                case _:
                    raise AssertionError(command)
            sends += self._own_way(now, firmware.PACKAGE.fport, answer.encode())
        return sends


@dataclasses.dataclass
class Channel:
    """What happens on the way; shares of messages, the rest arrives at once."""

    rng: random.Random
    down_loss: float = 0.0
    up_loss: float = 0.0
    repeat: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 30.0
    corrupt: float = 0.0
    """Multicast frames with a flipped bit; octets that never were a message, besides uplinks."""

    def copies(self, loss: float) -> list[float]:
        """The delays with which copies of one message arrive."""
        delays = []
        for _ in range(1 + (self.rng.random() < self.repeat)):
            if self.rng.random() >= loss:
                late = self.rng.random() < self.delay
                delays.append(self.rng.random() * self.delay_seconds if late else 0.0)
        return delays

    def damage(self, octets: bytes) -> bytes:
        if self.rng.random() >= self.corrupt:
            return octets
        at = self.rng.randrange(8 * len(octets))
        changed = bytearray(octets)
        changed[at // 8] ^= 1 << at % 8
        return bytes(changed)


class Referee:
    """What must hold whatever happens, across crashes too; remembers what went on air."""

    def __init__(self) -> None:
        self.frames: dict[tuple[McKey, DevAddr, int], bytes] = {}
        self.used: set[tuple[DevEUI, int, int]] = set()
        self.set_up: dict[tuple[DevEUI, int], tuple[int, int]] = {}

    def unicast(self, one: Member, action: Unicast, stored: Snapshot) -> None:
        if action.fport != {"fragmentation": 201, **one.fports}["fragmentation"]:
            return
        eui = one.dev_eui
        if action.payload[0] == frag_v2.FragSessionSetupReq.CID and len(action.payload) == 17:
            setup = frag_v2.FragSessionSetupReq.decode(action.payload)
            assert stored.devices[eui].session_cnt == setup.session_cnt, "set-up before its commit"
            assert (eui, setup.frag_index, setup.session_cnt) not in self.used, "SessionCnt reused"
            self.set_up[eui, setup.frag_index] = setup.session_cnt, setup.mc_group_bit_mask
        elif action.payload[0] == frag_v1.DataFragment.CID:
            index = frag_v1.DataFragment.decode(action.payload).frag_index
            if (eui, index) in self.set_up:
                self.used.add((eui, index, self.set_up[eui, index][0]))

    def multicast(self, action: Multicast, of: GroupConfig, stored: Snapshot) -> None:
        assert action.fcnt < stored.groups[action.group].next_fcnt, "counter before its commit"
        key = of.mc_key, of.mc_addr, action.fcnt
        assert self.frames.setdefault(key, action.phy) == action.phy, "counter used twice"
        if action.payload[0] != frag_v1.DataFragment.CID:
            return  # the question what is missing
        index = frag_v1.DataFragment.decode(action.payload).frag_index
        for (eui, at), (session_cnt, mask) in self.set_up.items():
            member_of = stored.devices[eui].group
            if at == index and mask and member_of == action.group:
                self.used.add((eui, at, session_cnt))


class Fleet:
    """Owner, channel, devices; the clock of the virtual world."""

    def __init__(
        self,
        wanted: CampaignConfig,
        units: Iterable[Unit],
        *,
        channel: Channel | None = None,
        store: CampaignStore | None = None,
    ) -> None:
        self.config = wanted
        self.units = {unit.member.dev_eui: unit for unit in units}
        self.channel = channel or Channel(random.Random(0))
        self.store = store or MemoryStore()
        self.campaign = FuotaCampaign(wanted, saved=self._load())
        self.referee = Referee()
        self.now = START
        self.log: list[CampaignAction] = []
        self.commits = 0
        self.fresh_keys: list[McKey] = []
        """What the owner answers NewKeyWanted with."""
        self.crash_at: tuple[int, str] | None = None
        """Number of the commit at which the process ends: "before" or "after" it is durable."""
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    # What the owner does

    def _load(self) -> JSON:
        saved = self.store.load()
        self.stored = Snapshot() if saved is None else Snapshot.from_json(saved)
        return saved

    def act(self, actions: Sequence[CampaignAction]) -> None:
        for action in actions:
            self.log.append(action)
            match action:
                case Commit():
                    self._commit(action.events)
                case Unicast():
                    self._unicast(action)
                case Multicast():
                    self._multicast(action)
                case WindowAnnounced() | DeviceEnded() | UplinkRejected() | CampaignEnded():
                    pass
                case NewKeyWanted():
                    if self.fresh_keys:
                        self.rekey(action.group, self.fresh_keys.pop(0))
                case _:
                    assert_never(action)

    def _commit(self, events: Sequence[Event]) -> None:
        number, self.commits = self.commits, self.commits + 1
        if self.crash_at == (number, "before"):
            raise Crash
        self.store.append(events)
        for event in events:
            self.stored.apply(Event.from_json(json.loads(json.dumps(event.to_json()))))
        if self.crash_at == (number, "after"):
            raise Crash

    def _unicast(self, action: Unicast) -> None:
        unit = self.units[action.dev_eui]
        self.referee.unicast(unit.member, action, self.stored)
        if unit.deaf:
            return
        for delay in self.channel.copies(self.channel.down_loss):
            at = self.now + delay
            self._at(
                at, lambda at=at: self._up(unit, unit.receive(action.fport, action.payload, at))
            )

    def _multicast(self, action: Multicast) -> None:
        [of] = [one for one in self.config.groups if one.name == action.group]
        self.referee.multicast(action, of, self.stored)
        for unit in self.units.values():
            if unit.deaf:
                continue
            for delay in self.channel.copies(self.channel.down_loss):
                phy, at = self.channel.damage(action.phy), max(self.now, action.time) + delay
                self._at(at, lambda u=unit, phy=phy, at=at: self._up(u, u.receive_frame(phy, at)))

    def _up(self, unit: Unit, uplinks: Iterable[tuple[float, int, bytes]]) -> None:
        for not_before, fport, payload in uplinks:
            for delay in self.channel.copies(self.channel.up_loss):
                at = not_before + delay
                self._at(
                    at,
                    lambda fport=fport, payload=payload: self.uplink(unit, fport, payload),
                )

    def uplink(self, unit: Unit, fport: int, payload: bytes) -> None:
        if not unit.deaf:
            eui = unit.member.dev_eui
            self.act(self.campaign.receive(eui, fport, payload, now=self.now))

    def _at(self, when: float, what: Callable[..., None]) -> None:
        heapq.heappush(self._queue, (when, next(self._order), what))

    # Time

    @property
    def next_event(self) -> float | None:
        times = [unit.deadline for unit in self.units.values() if not unit.deaf]
        times.append(self.campaign.next_deadline)
        if self._queue:
            times.append(self._queue[0][0])
        return min((time for time in times if time is not None), default=None)

    def step(self) -> bool:
        """Let the next thing happen; False when nothing ever will."""
        when = self.next_event
        if when is None:
            return False
        self.now = max(self.now, when)
        if self._queue and self._queue[0][0] <= self.now:
            heapq.heappop(self._queue)[2]()
            return True
        for unit in self.units.values():
            if not unit.deaf and unit.deadline is not None and unit.deadline <= self.now:
                self._up(unit, unit.tick(self.now))
        deadline = self.campaign.next_deadline
        if deadline is not None and deadline <= self.now:
            self.act(self.campaign.tick(now=self.now))
        return True

    def start(self) -> Fleet:
        self.act(self.campaign.start(now=self.now))
        return self

    def run(self, *, until: Callable[[Fleet], bool] | None = None, steps: int = 100_000) -> Fleet:
        """Go on until something is true, or the campaign has ended."""
        for _ in range(steps):
            if self.campaign.phase is CampaignPhase.ENDED or (until and until(self)):
                return self
            if not self.step():
                raise AssertionError(f"stuck: {self.campaign.report()}")
        raise AssertionError(f"no end after {steps} steps: {self.campaign.report()}")

    def run_for(self, seconds: float) -> Fleet:
        end = self.now + seconds
        while (when := self.next_event) is not None and when <= end:
            self.step()
        self.now = max(self.now, end)
        return self

    def restart(self) -> None:
        """Come back from the store, as after a crash."""
        self.crash_at = None
        self.campaign = FuotaCampaign(self.config, saved=self._load())
        if self.campaign.phase is CampaignPhase.NEW:
            self.start()
        else:
            self.act(self.campaign.tick(now=self.now))

    def run_despite_crash(self, steps: int = 100_000) -> Fleet:
        """Run to the end, coming back when the process crashes or its store fails."""
        try:
            if self.campaign.phase is CampaignPhase.NEW:
                self.start()
            return self.run(steps=steps)
        except (Crash, StoreError):
            self.restart()
        return self.run(steps=steps)

    def pause(self) -> None:
        self.act(self.campaign.pause(now=self.now))

    def resume(self) -> None:
        self.act(self.campaign.resume(now=self.now))

    def cancel(self) -> None:
        self.act(self.campaign.cancel(now=self.now))

    def add(self, unit: Unit) -> None:
        self.units[unit.member.dev_eui] = unit
        self.config = dataclasses.replace(self.config, members=(*self.config.members, unit.member))
        self.act(self.campaign.add_device(unit.member, now=self.now))

    def rekey(self, name: str, mc_key: McKey, mc_addr: DevAddr | None = None) -> None:
        groups = tuple(
            dataclasses.replace(one, mc_key=mc_key, mc_addr=mc_addr or one.mc_addr)
            if one.name == name
            else one
            for one in self.config.groups
        )
        self.config = dataclasses.replace(self.config, groups=groups)
        self.act(self.campaign.rekey_group(name, mc_key, mc_addr=mc_addr, now=self.now))

    # What came of it

    @property
    def outcomes(self) -> dict[int, Outcome]:
        return {int(one.dev_eui): one.outcome for one in self.campaign.report().devices}

    def sent(self, number: int, kind: type[Command]) -> list[Command]:
        """The commands of one kind the campaign sent to one device."""
        found: list[Command] = []
        for action in self.log:
            if isinstance(action, Unicast) and action.dev_eui == number:
                package = self.campaign._roster.map_of(action.dev_eui).at(action.fport)
                assert package is not None
                found += [
                    one for one in package.parse(action.payload, DOWNLINK) if type(one) is kind
                ]
        return found

    def setups(self, number: int) -> list[McGroupSetupReq]:
        return [one for one in self.sent(number, McGroupSetupReq) if type(one) is McGroupSetupReq]

    def check_honest(self) -> None:
        """Every device ends in a state that is true of it, and nobody got a wrong image."""
        for eui, unit in self.units.items():
            assert all(block.data == self.config.block.image for block in unit.blocks)
            record = self.campaign.record(eui)
            if record.outcome.success:
                assert unit.blocks, f"{eui}: {record}"


def fleet(
    versions: Sequence[int] = (1, 2, 2), *, channel: Channel | None = None, **changes: Any
) -> Fleet:
    """A fleet of conforming devices, one for each version given."""
    units = [Unit.of(member(at + 1), version) for at, version in enumerate(versions)]
    return Fleet(config([unit.member for unit in units], **changes), units, channel=channel)
