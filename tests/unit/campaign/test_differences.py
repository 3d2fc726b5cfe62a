"""Campaigns for devices that differ from the documents in one way each, as known stacks do.

A row is one line of the tables of known differences.  Its device has all its sessions, hears a
group only in a window it has opened, and differs in nothing else; the same campaign with a device
of the documents goes another way on air, or the row would show nothing.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lorafuota.campaign import FirmwareStep
from lorafuota.campaign.actions import Multicast, Unicast
from lorafuota.campaign.config import ClockCheck, WindowClass
from lorafuota.campaign.quirks import quirks_of
from lorafuota.campaign.state import Outcome, Stage
from lorafuota.clocksync.v1 import AppTimeAns, ForceDeviceResyncReq
from lorafuota.datablock import DataBlock
from lorafuota.fec.variant import ParityVariant
from lorafuota.firmwaremanagement.v1 import DevRebootCountdownAns, UpImageStatus
from lorafuota.fragmentation import v1 as frag_v1
from lorafuota.link import McSender
from lorafuota.multicastsetup import v1 as mc_v1
from lorafuota.session.actions import Action, Dropped, DropReason, Reboot, Rejected
from lorafuota.session.clock import ClockDevice
from lorafuota.session.device import FuotaDevice
from lorafuota.session.firmware import FirmwareDevice
from lorafuota.session.fragmentation import FragDevice, FragLimits
from lorafuota.session.multicast import McDevice, McLimits
from lorafuota.session.profile import Count, Missing, Order
from lorafuota.session.stacks import DEVICE_PROFILES, DeviceProfile, OnUnknown, device_profile
from lorafuota.types import DOWNLINK, DevEUI, GenAppKey, McKey
from lorafuota.wire import Command
from tests.laws.stacks import PATIENT, StackFleet, StackUnit, false_report
from tests.support import rebuilt
from tests.unit.campaign.fleet import (
    GROUPS,
    IMAGE,
    NEW,
    START,
    Channel,
    Fleet,
    Unit,
    config,
    group,
    member,
)

NOT_FOR_IT = (DropReason.UNICAST_ONLY, DropReason.UNSUPPORTED)
FIRMWARE = FirmwareStep(version=NEW, countdown_seconds=10, boot_seconds=10.0)
ONE = DevEUI(1)
LATE = ParityVariant.V2_ANNEX
PATIENTLY = {"max_rounds": 20, "retry": PATIENT, "status_retry": PATIENT}


@dataclasses.dataclass
class Whole(StackUnit):
    """A device with all its sessions, whose radio is off but in its windows."""

    trace: list[object] = dataclasses.field(default_factory=list)
    """What it heard and said."""
    misread: list[object] = dataclasses.field(default_factory=list)
    """Downlinks it could not read or that are not allowed by multicast."""
    own_key: GenAppKey | None = None
    """The key it really has, where it is not the one the server knows."""
    stale_answer: bool = False
    """An old AppTimeAns arrives behind each ForceDeviceResync."""
    clock_known: bool = True
    dr: int = 5
    """The data rate of the frames."""
    hears_fragments: bool = True
    windows_missed: int = 0
    """First windows that it confirms and does not open."""

    seen: dict[float, None] = dataclasses.field(default_factory=dict)
    """Starts of the windows it opened."""

    def switch_on(self) -> None:
        profile, key = self.profile, self.own_key or self.member.root_key
        clock = firmware = None
        if profile.clock is not None:
            clock = ClockDevice(
                profile.clock, rng=self.rng, period_seconds=None, known=self.clock_known
            )
        if profile.firmware is not None:
            firmware = FirmwareDevice(profile.firmware, fw_version=self.fw_version, hw_version=1)
        self.device = FuotaDevice(
            multicast=McDevice(self.mc, root_key=key, limits=self.mc_limits),
            fragmentation=FragDevice(
                self.frag,
                rng=self.rng,
                root_key=key,
                limits=self.limits,
                session_cnt_prev=self.session_cnt_prev,
            ),
            clock=clock,
            firmware=firmware,
            sets=profile.sets,
            on_unknown=profile.on_unknown,
            one_command_per_uplink=profile.one_command_per_uplink,
        )
        self.reboot_at = None

    def receive(self, fport: int, payload: bytes, now: float) -> list[tuple[float, int, bytes]]:
        self.trace.append((fport, payload))
        if payload[0] == frag_v1.DataFragment.CID and not self.hears_fragments:
            return []
        local = now + self.clock_error
        actions = self.device.receive(fport, payload, now=local)
        if self.stale_answer and fport == 202 and payload[0] == ForceDeviceResyncReq.CID:
            old = AppTimeAns(time_correction=1_000, token_ans=9)
            actions += self.device.receive(fport, old.encode(), now=local)
        return self._sends(rebuilt(self.device, actions, local), now)

    def receive_frame(self, phy: bytes, now: float) -> list[tuple[float, int, bytes]]:
        before = self.tick(now)
        window = self.device.multicast.window(self.member.mc_group_id)
        if not self.device.multicast.listening or window is None:
            return before
        if window.dr != self.dr or not self.hears_fragments:
            return before
        self.seen.setdefault(window.start)
        if list(self.seen).index(window.start) < self.windows_missed:
            return before
        self.trace.append(phy)
        return before + super().receive_frame(phy, now)

    def _sends(self, actions: Sequence[Action], now: float) -> list[tuple[float, int, bytes]]:
        for one in actions:
            unreadable = isinstance(one, Dropped) and one.reason in NOT_FOR_IT
            if isinstance(one, Rejected) or unreadable:
                self.misread.append(one)
        had = len(self.blocks)
        sends = super()._sends(actions, now)
        if len(self.blocks) > had and self.device.firmware is not None:
            right = self.image is not None
            status = UpImageStatus.VALID if right else UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE
            self.device.firmware.store_image(status, version=self.image)
        if any(isinstance(one, Reboot) for one in actions):
            if self.image is not None and self.boots:
                self.fw_version, self.image = self.image, None
            self.switch_on()
        self.trace += [("up", *one) for one in sends]
        return sends


class TwoFleet(StackFleet):
    """A fleet of which not every device is :class:`Whole`."""

    def uplink(self, unit: Unit, fport: int, payload: bytes) -> None:
        if isinstance(unit, StackUnit):
            super().uplink(unit, fport, payload)
        else:
            Fleet.uplink(self, unit, fport, payload)


Drive = Callable[[Fleet, Whole], None]


def to_the_end(of: Fleet, unit: Whole) -> None:
    of.start().run()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table: the device, what else is set, and how it may end."""

    words: str
    version: int = 2
    mc_version: int | None = None
    clock: dict[str, Any] = dataclasses.field(default_factory=dict)
    mc: dict[str, Any] = dataclasses.field(default_factory=dict)
    frag: dict[str, Any] = dataclasses.field(default_factory=dict)
    firmware: dict[str, Any] = dataclasses.field(default_factory=dict)
    device: dict[str, Any] = dataclasses.field(default_factory=dict)
    unit: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What is done to the device beyond its profile; a device of the documents is spared it."""
    both: dict[str, Any] = dataclasses.field(default_factory=dict)
    """... and what is true of both."""
    member: dict[str, Any] = dataclasses.field(default_factory=dict)
    campaign: dict[str, Any] = dataclasses.field(default_factory=dict)
    channel: dict[str, Any] = dataclasses.field(default_factory=dict)
    drive: Drive = to_the_end
    seeds: int = 3
    companions: int = 0
    """Devices of the documents in the same group."""
    unseen: bool = False
    """The campaign gives it no occasion to show."""
    ends: frozenset[Outcome]

    def profile(self, *, plain: bool) -> DeviceProfile:
        base = device_profile(f"documents v{self.version}")
        mc = device_profile(f"documents v{self.mc_version or self.version}").multicast
        base = dataclasses.replace(base, multicast=mc)
        if plain:
            return base
        assert base.clock is not None
        assert base.firmware is not None
        return dataclasses.replace(
            base,
            clock=dataclasses.replace(base.clock, **self.clock),
            multicast=dataclasses.replace(base.multicast, **self.mc),
            fragmentation=dataclasses.replace(base.fragmentation, **self.frag),
            firmware=dataclasses.replace(base.firmware, **self.firmware),
            **self.device,
        )

    def fleet(self, seed: int, *, plain: bool) -> tuple[Fleet, Whole]:
        profile = self.profile(plain=plain)
        known = self.profile(plain=False)
        one = member(1, quirks=quirks_of(known), **self.member)
        own = {} if plain else self.unit
        unit = Whole(
            one,
            profile.fragmentation,
            profile.multicast,
            profile=profile,
            right=self.campaign["block"].image if "block" in self.campaign else IMAGE,
            **{**self.both, **own},
        )
        units = [unit] + [Unit.of(member(at + 3), self.version) for at in range(self.companions)]
        wanted = config([each.member for each in units], **{**PATIENTLY, **self.campaign})
        channel = Channel(random.Random(seed), **self.channel)
        return TwoFleet(wanted, units, channel=channel), unit


def ends(*outcomes: Outcome) -> frozenset[Outcome]:
    return frozenset(outcomes)


VERIFIED, TRANSPORTED = ends(Outcome.VERIFIED), ends(Outcome.TRANSPORTED)
CONFIRMED = ends(Outcome.CONFIRMED)


# What else happens to a device


def reset_when(stage: Stage) -> Drive:
    """It is switched off and on once, and has what it stores."""

    def drive(of: Fleet, unit: Whole) -> None:
        of.start().run(until=lambda one: one.campaign.record(ONE).stage is stage)
        unit.switch_on()
        of.run()

    return drive


def rekeyed_in_the_window(of: Fleet, unit: Whole) -> None:
    of.start().run(until=lambda one: len(frames(one)) > 3)
    of.rekey("v2", McKey(bytes(range(16))))
    of.run()


def another_server_has_a_group(of: Fleet, unit: Whole) -> None:
    """Its window begins later than ours, on McGroupID 1."""
    of.start().run(until=lambda one: one.campaign.record(ONE).stage is Stage.LISTENING)
    setup = mc_v1.McGroupSetupReq(
        mc_group_id=1,
        mc_addr=GROUPS[0].mc_addr,
        mc_key_encrypted=bytes(16),
        min_mc_fcnt=0,
        max_mc_fcnt=100,
    )
    session = mc_v1.McClassCSessionReq(
        mc_group_id=1, session_time=int(of.now) + 2_000, time_out=4, dl_freq_hz=868_100_000, dr=0
    )
    for command in (setup, session):
        unit.receive(200, command.encode(), of.now)
    of.run()


def foreign_session(frag_index: int, nb_frag: int = 3) -> bytes:
    return frag_v1.FragSessionSetupReq(
        frag_index=frag_index,
        mc_group_bit_mask=0,
        nb_frag=nb_frag,
        frag_size=10,
        block_ack_delay=0,
        frag_algo=0,
        padding=0,
        descriptor=bytes(4),
    ).encode()


def another_server_has_a_session(of: Fleet, unit: Whole) -> None:
    """On FragIndex 1, by unicast; it stays."""
    unit.receive(201, foreign_session(1), of.now)
    of.start().run()


def another_server_begins_a_session(of: Fleet, unit: Whole) -> None:
    """... in the middle of ours."""
    of.start().run(until=lambda one: len(frames(one)) > 3)
    unit.receive(201, foreign_session(1), of.now)
    of.run()


def another_server_lost_too_much(of: Fleet, unit: Whole) -> None:
    """A session before ours ended for want of memory."""
    unit.receive(201, foreign_session(0, nb_frag=10), of.now)
    for n in (10, 11):
        fragment = frag_v1.DataFragment(n=n, frag_index=0, payload=bytes(10))
        unit.receive(201, fragment.encode(), of.now)
    of.start().run()


def a_set_up_comes_again(of: Fleet, unit: Whole) -> None:
    """An old copy of the set-up, in the middle of the fragments."""
    of.start().run(until=lambda one: len(frames(one)) > 3)
    unit.receive(201, next(one for one in downlinks(of, 201) if one[0] == 2), of.now)
    of.run()


def another_server_asks_what_is_unknown(of: Fleet, unit: Whole) -> None:
    """... behind a request that is known."""
    of.start().run(until=lambda one: len(frames(one)) > 3)
    for at, fport, payload in unit.receive(201, bytes.fromhex("00550100"), of.now):
        assert at == of.now
        of.uplink(unit, fport, payload)
    of.run()


def another_group_feeds_our_session(of: Fleet, unit: Whole) -> None:
    """A fragment of another campaign, by a group that is not ours."""
    of.start().run(until=lambda one: len(frames(one)) > 3)
    local = of.now + unit.clock_error
    fragment = frag_v1.DataFragment(n=15, frag_index=0, payload=bytes(10))
    unit.device.receive(201, fragment.encode(), now=local, mc_group_id=1)
    of.run()


def deleted_by_another_server(of: Fleet, unit: Whole) -> None:
    of.start().run(until=lambda one: len(frames(one)) > 3)
    unit.receive(201, bytes.fromhex("0300"), of.now)
    of.run()


def frames_beyond_the_last_counter(of: Fleet, unit: Whole) -> None:
    """A frame of the group with the counter that ends it, from whoever else has the key."""
    of.start().run(until=lambda one: len(frames(one)) > 3)
    name = unit.profile.fragmentation.parity.value
    [one] = [one for one in of.config.groups if one.name == name]
    other = McSender.from_mc_key(one.mc_key, one.mc_addr, next_fcnt=30, max_mc_fcnt=31)
    fragment = frag_v1.DataFragment(n=1, frag_index=0, payload=IMAGE[:10])
    last = other.seal(fragment.encode(), fport=201)
    unit.receive_frame(last, of.now)
    of.run()


def a_request_of_another_server_is_refused(of: Fleet, unit: Whole) -> None:
    """For our group, on a frequency the device does not have."""
    of.start().run(until=lambda one: one.campaign.record(ONE).stage is Stage.LISTENING)
    session = mc_v1.McClassCSessionReq(
        mc_group_id=0,
        session_time=int(of.now) + 2_000,
        time_out=4,
        dl_freq_hz=1_000_000_000,
        dr=0,
    )
    unit.receive(200, session.encode(), of.now)
    of.run()


def another_server_asks_two_things(of: Fleet, unit: Whole) -> None:
    """... in one downlink; the version, and the status of our session."""
    of.start().run(until=lambda one: len(frames(one)) > 3)
    for _, fport, payload in unit.receive(201, bytes.fromhex("000101"), of.now):
        of.uplink(unit, fport, payload)
    of.run()


def asks_for_the_time_by_itself(of: Fleet, unit: Whole) -> None:
    assert unit.device.clock is not None
    unit.device.clock.want()
    of.start().run()


def hears_all_but_256(of: Fleet, unit: Whole) -> None:
    """... so that the 8 bits of MissingFrag are 0."""
    of.start().run(until=lambda one: len(frames(one)) == BIG.nb_frag - 256)
    of.channel.down_loss = 1.0
    of.run(until=lambda one: len(frames(one)) == BIG.nb_frag + 1)  # a coded one
    of.channel.down_loss = 0.0
    of.run()


def hears_of_the_window_when_it_is_open(of: Fleet, unit: Whole) -> None:
    """The request waits on its way until fragments are sent."""
    of.start().run(until=lambda one: one.campaign.record(ONE).stage is Stage.SESSION)
    unit.deaf = True
    of.run(until=lambda one: len(frames(one)) > 3)
    unit.deaf = False
    late = next(one for one in downlinks(of, 200) if one[0] == mc_v1.McClassCSessionReq.CID)
    for _, fport, payload in unit.receive(200, late, of.now):
        of.uplink(unit, fport, payload)
    of.run()


def downlinks(of: Fleet, fport: int) -> list[bytes]:
    sent = [one for one in of.log if isinstance(one, Unicast)]
    return [one.payload for one in sent if one.fport == fport and one.dev_eui == ONE]


def frames(of: Fleet) -> list[Multicast]:
    return [one for one in of.log if isinstance(one, Multicast)]


# What becomes of its uplinks

Rewrite = Callable[[int, bytes], Sequence[tuple[int, bytes]]]


def padded_refusals(fport: int, payload: bytes) -> list[tuple[int, bytes]]:
    """Three octets where TimeToStart would be."""
    short = fport == 200 and len(payload) == 2 and payload[0] in (4, 5)
    return [(fport, payload + bytes(3) if short else payload)]


def with_reserved_bits(fport: int, payload: bytes) -> list[tuple[int, bytes]]:
    """The status of an image with every bit set that means nothing."""
    if fport == 203 and payload[:1] == b"\x04":
        payload = bytes((4, payload[1] | 0xFC)) + payload[2:]
    return [(fport, payload)]


def with_a_command_of_its_own(fport: int, payload: bytes) -> list[tuple[int, bytes]]:
    """An uplink that no document has, before each answer."""
    return [(203, b"\x80\x01\x02"), (fport, payload)] if fport == 203 else [(fport, payload)]


def without_countdown(fport: int, payload: bytes) -> list[tuple[int, bytes]]:
    """Release candidate 1: DevRebootCountdownReq has no answer."""
    lost = fport == 203 and payload[0] == DevRebootCountdownAns.CID
    return [] if lost else [(fport, payload)]


NO_FREQUENCY = McLimits(frequencies_hz=frozenset({868_100_000}))
BIG = DataBlock.of(random.Random(2).randbytes(3_200), frag_size=10)
CLOCK = {"clock_check": ClockCheck.REQUIRED, "setup_seconds": 4_000.0}
CLASS_B = {
    "groups": (
        group(ParityVariant.V1, window_class=WindowClass.B, periodicity=0),
        group(ParityVariant.V2, window_class=WindowClass.B, periodicity=0),
    )
}

ROWS = (
    # TS003
    Row(
        words="TS003: an answer with a wrong token ends the forced requests",
        clock={"any_answer_stops_forced": True},
        campaign=CLOCK,
        channel={"up_loss": 0.3},
        both={"clock_error": 500.0, "stale_answer": True},
        seeds=6,
        ends=VERIFIED,
    ),
    Row(
        words="TS003: no further request after an extreme correction",
        clock={"asks_again": False},
        campaign=CLOCK,
        both={"clock_error": 2.0**31},
        ends=VERIFIED,
    ),
    Row(
        words="TS003: AnsRequired is never set",
        clock={"may_require_answer": False},
        campaign=CLOCK,
        drive=asks_for_the_time_by_itself,
        ends=VERIFIED,
    ),
    *(
        Row(
            words=f"TS003: {words} forced requests",
            clock={"forced_extra": extra},
            campaign=CLOCK,
            channel={"down_loss": 0.5},
            both={"clock_error": 500.0},
            seeds=6,
            ends=VERIFIED,
        )
        for words, extra in (("n+1", 1), ("a single one of n", -2))
    ),
    *(
        Row(
            words=f"TS003: forced requests {gap[0]:g} to {gap[1]:g} s apart",
            clock={"forced_gap_seconds": gap},
            campaign=CLOCK,
            channel={"down_loss": 0.5},
            both={"clock_error": 500.0},
            seeds=6,
            ends=VERIFIED,
        )
        for gap in ((0.0, 0.0), (1.0, 1.0), (10.0, 10.0), (0.0, 59.0))
    ),
    *(
        Row(
            words=f"TS003: {words}",
            campaign=CLOCK,
            unit={"clock_error": error},
            ends=VERIFIED,
        )
        for words, error in (
            ("a device clock without leap seconds", -18.0),
            ("a device clock that began at the GPS epoch", -START),
        )
    ),
    # TS004, the code and its decoder
    *(
        Row(
            words=f"TS004: fragments {words}",
            frag={"order": order},
            member={"multicast": False},
            campaign={"redundancy": 0.5},
            channel={"delay": 0.3, "delay_seconds": 5.0, "down_loss": 0.05},
            seeds=6,
            ends=VERIFIED,
        )
        for words, order in (
            ("with plain ones in order only", Order.PLAIN_ASCENDING),
            ("in strictly ascending order only", Order.ASCENDING),
        )
    ),
    *(
        Row(
            words=f"TS004: another mix of matrix and version, {mix.value} in {version}",
            version=version,
            frag={"parity": mix},
            member={"parity": ParityVariant.V1 if version == 1 else ParityVariant.V2},
            campaign={"max_rounds": 3, "mic_retries": 1, "firmware": FIRMWARE},
            channel={"down_loss": 0.2},
            ends=ends(
                Outcome.CONFIRMED,
                Outcome.MISSING_FRAGMENTS,
                Outcome.MIC_ERROR if version == 2 else Outcome.BAD_IMAGE,
            ),
        )
        for version, mix in ((1, ParityVariant.V2), (2, ParityVariant.V1), (2, LATE))
    ),
    Row(
        words="TS004: one decoder for all sessions",
        version=1,
        frag={"one_decoder": True},
        campaign={"max_rounds": 3},
        drive=another_server_begins_a_session,
        ends=ends(Outcome.MISSING_FRAGMENTS),
    ),
    Row(
        words="TS004: one session only, in a group",
        version=1,
        frag={"one_session": True},
        drive=another_server_has_a_session,
        ends=ends(Outcome.FRAG_INDEX_UNSUPPORTED),
    ),
    Row(
        words="TS004: one session only, by unicast",
        version=1,
        frag={"one_session": True},
        member={"multicast": False},
        drive=another_server_has_a_session,
        ends=TRANSPORTED,
    ),
    Row(
        words="TS004: a small limit of what may be lost",
        unit={"limits": FragLimits(max_lost=2)},
        channel={"down_loss": 0.3},
        ends=ends(Outcome.MEMORY_ERROR),
    ),
    Row(
        words="TS004: the end is noticed with a coded fragment only",
        frag={"needs_coded_fragment": True},
        campaign={"redundancy": 0.0},
        ends=VERIFIED,
    ),
    # TS004, set-up, deletion and framing
    Row(
        words="TS004: SessionCnt compared with a sign",
        frag={"signed_session_cnt": True},
        member={"session_cnt": 0x8000},
        ends=ends(Outcome.SESSION_CNT_REPLAY),
    ),
    Row(
        words="TS004: the last SessionCnt is lost in a reset",
        frag={"stores_session_cnt": False},
        drive=reset_when(Stage.STATUS),
        channel={"down_loss": 0.1},
        unseen=True,
        ends=VERIFIED,
    ),
    Row(
        words="TS004: a refused set-up destroys the session",
        frag={"refusal_destroys": True},
        drive=a_set_up_comes_again,
        ends=VERIFIED,
    ),
    *(
        Row(
            words=f"TS004: an unknown command, {how.name.lower()}",
            device={"on_unknown": how, "sets": None},
            drive=another_server_asks_what_is_unknown,
            ends=VERIFIED,
        )
        for how in (OnUnknown.SILENCE, OnUnknown.NEXT_OCTET)
    ),
    Row(
        words="TS004: the MIC is checked only where a report is wanted",
        frag={"mic_only_with_ack": True, "parity": LATE},
        member={"parity": ParityVariant.V2},
        channel={"down_loss": 0.2},
        ends=ends(Outcome.MIC_ERROR),
    ),
    *(
        Row(
            words=f"TS004: McGroupBitMask is not enforced in version {version}",
            version=version,
            frag={"mask_enforced": False},
            campaign={"firmware": FIRMWARE},
            drive=another_group_feeds_our_session,
            ends=CONFIRMED if version == 2 else ends(Outcome.BAD_IMAGE),
        )
        for version in (1, 2)
    ),
    # TS004, status and completion
    *(
        Row(
            words=f"TS004: NbFragReceived is {count.value}",
            version=1,
            frag={"count": count},
            channel={"down_loss": 0.2, "repeat": 0.3},
            ends=TRANSPORTED,
        )
        for count in (Count.DISTINCT, Count.LAST_N, Count.LAST_N_MINUS_LOST)
    ),
    Row(
        words="TS004: MissingFrag never falls",
        version=1,
        frag={"missing": Missing.LOST, "count": Count.LAST_N},
        channel={"down_loss": 0.2},
        ends=ends(Outcome.LIKELY),
    ),
    Row(
        words="TS004: MissingFrag is what was not received",
        version=1,
        frag={"missing": Missing.NOT_RECEIVED},
        channel={"down_loss": 0.2},
        ends=ends(Outcome.LIKELY),
    ),
    Row(
        words="TS004: MissingFrag cut to 8 bits",
        version=1,
        frag={"missing_truncated": True},
        campaign={"block": BIG, "redundancy": 0.0},
        drive=hears_all_but_256,
        ends=TRANSPORTED,
    ),
    Row(
        words="TS004: one missing after a transfer without loss",
        version=1,
        frag={"lossless_missing_one": True, "count": Count.LAST_N_MINUS_LOST},
        seeds=1,
        ends=ends(Outcome.LIKELY),
    ),
    Row(
        words="TS004: a fresh session looks complete",
        frag={"fresh_reads_complete": True},
        both={"windows_missed": 1},
        ends=VERIFIED,
    ),
    Row(
        words="TS004: a session that stays fresh looks complete",
        frag={"fresh_reads_complete": True},
        campaign={"max_rounds": 3},
        both={"hears_fragments": False},
        ends=ends(Outcome.MISSING_FRAGMENTS, Outcome.NO_ANSWER),
    ),
    Row(
        words="TS004: no session is told in four octets",
        frag={"long_absent_status": True},
        drive=reset_when(Stage.STATUS),
        both={"windows_missed": 1},
        ends=VERIFIED,
    ),
    Row(
        words="TS004: the status of version 2 in the order of version 1",
        frag={"status_as_v1": True},
        channel={"down_loss": 0.2},
        ends=VERIFIED,
    ),
    Row(
        words="TS004: no session of version 1 is told as the last one",
        version=1,
        frag={"stale_status": True},
        campaign={"max_rounds": 3},
        drive=deleted_by_another_server,
        ends=ends(Outcome.MISSING_FRAGMENTS),
    ),
    Row(
        words="TS004: unicast status answers are delayed",
        frag={"delays_unicast_status": True},
        campaign={"status_by_multicast": False, "block_ack_delay": 2},
        channel={"down_loss": 0.3},
        ends=VERIFIED,
    ),
    *(
        Row(
            words=f"TS004: answers delayed by {words}",
            frag={"delays_unicast_status": True, **frag},
            campaign={"block_ack_delay": 1},
            channel={"down_loss": 0.3},
            ends=VERIFIED,
        )
        for words, frag in (
            ("three seconds more", {"extra_delay_seconds": (3.0, 3.0)}),
            ("up to three seconds more", {"extra_delay_seconds": (0.0, 3.0)}),
            ("milliseconds instead of seconds", {"delay_unit_seconds": 0.001}),
        )
    ),
    *(
        Row(
            words=f"TS004: the report is repeated {words}",
            frag=frag,
            channel={"up_loss": 0.3, "down_loss": 0.3},
            seeds=6,
            ends=VERIFIED,
        )
        for words, frag in (
            ("until it is answered", {"reports": None, "report_every_seconds": 1.5}),
            ("with every further fragment", {"reports_on_fragment": True}),
        )
    ),
    Row(
        words="TS004: a complete session is gone",
        version=1,
        frag={"complete_is_gone": True},
        ends=TRANSPORTED,
    ),
    Row(
        words="TS004: the memory bit of an earlier session",
        version=1,
        frag={"sticky_memory_error": True},
        both={"limits": FragLimits(max_lost=5)},
        drive=another_server_lost_too_much,
        ends=TRANSPORTED,
    ),
    # TS005
    Row(
        words="TS005: the root key in the wrong slot",
        unit={"own_key": GenAppKey(bytes(16))},
        campaign={"max_rounds": 3},
        ends=ends(Outcome.NO_ANSWER, Outcome.MISSING_FRAGMENTS),
    ),
    Row(
        words="TS005: StartMissed in version 1",
        version=1,
        mc={"has_start_missed": True},
        campaign={"lead_seconds": 60.0},
        drive=hears_of_the_window_when_it_is_open,
        companions=1,
        ends=TRANSPORTED,
    ),
    Row(
        words="TS005: McGroupUndefined for a start that is missed",
        version=1,
        mc={"joins_late": False},
        campaign={"lead_seconds": 60.0},
        drive=hears_of_the_window_when_it_is_open,
        companions=1,
        ends=TRANSPORTED,
    ),
    Row(
        words="TS005: a refusal with three octets more",
        unit={"rewrite": padded_refusals},
        drive=reset_when(Stage.SESSION),
        ends=VERIFIED,
    ),
    Row(
        words="TS005: class B run as class C",
        mc={"class_b_as_c": True},
        campaign={**CLASS_B, "max_rounds": 4},
        channel={"down_loss": 0.1},
        ends=VERIFIED,
    ),
    Row(
        words="TS005: class B is not known",
        mc={"knows_class_b": False},
        campaign={**CLASS_B, "max_rounds": 4},
        ends=ends(Outcome.MISSING_FRAGMENTS, Outcome.NO_ANSWER),
    ),
    Row(
        words="TS005: three bits for an undefined group",
        mc={"undefined_sets_all": True},
        drive=reset_when(Stage.SESSION),
        ends=VERIFIED,
    ),
    Row(
        words="TS005: a refusal without its status octet",
        mc={"refuses_silently": True},
        both={"mc_limits": NO_FREQUENCY},
        ends=ends(Outcome.NO_ANSWER, Outcome.REFUSED),
    ),
    *(
        Row(
            words=f"TS005: the highest counter is {words} in version {version}",
            version=version,
            mc={"max_inclusive": inclusive},
            campaign={"groups": tuple(dataclasses.replace(one, max_mc_fcnt=30) for one in GROUPS)},
            drive=frames_beyond_the_last_counter,
            ends=TRANSPORTED if version == 1 else VERIFIED,
        )
        for version, words, inclusive in ((1, "accepted", True), (2, "not accepted", False))
    ),
    Row(
        words="TS005: counters above 65535 are not heard",
        mc={"wire_counter_at_start": True},
        campaign={
            "groups": tuple(
                dataclasses.replace(one, first_fcnt=70_000, max_mc_fcnt=80_000) for one in GROUPS
            ),
            "max_rounds": 3,
        },
        ends=VERIFIED,
    ),
    Row(
        words="TS005: the counter is forgotten at each session start",
        mc={"forgets_counter": True, "wire_counter_at_start": True},
        campaign={
            "groups": tuple(
                dataclasses.replace(
                    one, first_fcnt=65_530, max_mc_fcnt=80_000, spacing_seconds=2_000.0
                )
                for one in GROUPS
            ),
            "max_windows": 3,
        },
        ends=VERIFIED,
    ),
    Row(
        words="TS005: a group set up in its window keeps its old key",
        mc={"keeps_group_while_running": True},
        drive=rekeyed_in_the_window,
        unseen=True,
        ends=VERIFIED,
    ),
    Row(
        words="TS005: a refused session request spoils the one before",
        mc={"refusal_cancels": True},
        drive=a_request_of_another_server_is_refused,
        ends=VERIFIED,
    ),
    Row(
        words="TS005: one timer for all groups",
        mc={"one_window": True},
        drive=another_server_has_a_group,
        ends=VERIFIED,
    ),
    Row(
        words="TS005: a window that was confirmed is not opened",
        unit={"windows_missed": 1},
        ends=VERIFIED,
    ),
    Row(
        words="TS005: session answers leave after TimeToStart was taken",
        mc={"answer_delay_seconds": 2.0},
        ends=VERIFIED,
    ),
    Row(
        words="TS005: TimeToStart is cut to 24 bits",
        mc={"truncates_time_to_start": True},
        both={"clock_error": -20_000_000.0},
        ends=VERIFIED,
    ),
    Row(
        words="TS005: four bits of DR",
        mc={"low_dr_bits": True},
        campaign={"groups": tuple(dataclasses.replace(one, dr=21) for one in GROUPS)},
        both={"dr": 21},
        ends=VERIFIED,
    ),
    # TS006
    Row(
        words="TS006: room for nine octets of answers",
        firmware={"answer_octets": 9},
        campaign={"firmware": FIRMWARE},
        unseen=True,
        ends=CONFIRMED,
    ),
    Row(
        words="TS006: a deletion takes any image, whose version is 0",
        firmware={"ignores_versions": True},
        campaign={"firmware": FIRMWARE},
        ends=CONFIRMED,
    ),
    Row(
        words="TS006: reserved bits in the status of an image",
        unit={"rewrite": with_reserved_bits},
        campaign={"firmware": FIRMWARE},
        ends=CONFIRMED,
    ),
    Row(
        words="TS006: commands that no document has",
        unit={"rewrite": with_a_command_of_its_own},
        campaign={"firmware": FIRMWARE},
        ends=CONFIRMED,
    ),
    Row(
        words="TS006: no countdown",
        unit={"rewrite": without_countdown, "boots": False},
        campaign={"firmware": FIRMWARE},
        ends=ends(Outcome.NOT_UPDATED),
    ),
    # All of them
    Row(
        words="one command per uplink",
        device={"one_command_per_uplink": True},
        drive=another_server_asks_two_things,
        ends=VERIFIED,
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_the_campaign_copes(row: Row) -> None:
    differs = False
    for seed in range(row.seeds):
        of, unit = row.fleet(seed, plain=False)
        row.drive(of, unit)
        outcome = of.campaign.record(ONE).outcome
        assert outcome in row.ends, (seed, of.campaign.record(ONE))
        assert false_report(unit, outcome) is None
        spared, other = row.fleet(seed, plain=True)
        row.drive(spared, other)
        differs = differs or unit.trace != other.trace
    assert differs is not row.unseen, "what goes on air"


# What no device is given occasion to get wrong


def whole_campaign(name: str, *, cancelled: bool) -> tuple[Fleet, Whole]:
    profile = device_profile(name)
    frag, firmware = profile.fragmentation, profile.firmware and FIRMWARE
    one = member(1, quirks=quirks_of(profile), parity=frag.parity, multi_package=None)
    unit = Whole(
        one, frag, profile.multicast, limits=profile.frag_limits, profile=profile, right=IMAGE
    )
    check = ClockCheck.IF_ABLE if profile.clock else ClockCheck.OFF
    wanted = config((one,), **{**PATIENTLY, "firmware": firmware, "clock_check": check})
    of = StackFleet(wanted, [unit], channel=Channel(random.Random(7), down_loss=0.1))
    of.start()
    if cancelled:
        of.run(until=lambda of: len(frames(of)) > 3)
        of.cancel()
    return of.run(), unit


stacks = pytest.mark.parametrize("name", DEVICE_PROFILES)
cancels = pytest.mark.parametrize("cancelled", [False, True], ids=["to the end", "cancelled"])


@cancels
@stacks
def test_nothing_but_fragments_and_the_question_goes_to_a_group(name: str, cancelled: bool) -> None:
    """TS003, TS004, TS005, TS006: who executes by multicast what is for unicast only."""
    of, unit = whole_campaign(name, cancelled=cancelled)
    kinds = {one.payload[0] for one in frames(of)}
    assert kinds == {frag_v1.DataFragment.CID} | (
        set() if cancelled else {frag_v1.FragSessionStatusReq.CID}
    )
    assert unit.misread == []


@cancels
@stacks
def test_a_downlink_is_one_known_command_without_reserved_bits(name: str, cancelled: bool) -> None:
    """TS003, TS004, TS005: masks; TS004, TS005, TS006: several commands, unknown ones, and those
    that stacks lose the rest of a payload at."""
    of, _ = whole_campaign(name, cancelled=cancelled)
    sent = [one for one in of.log if isinstance(one, Unicast) and one.fport != 225]
    assert len(sent) >= 4
    for one in sent:
        package = of.campaign._roster.map_of(one.dev_eui).at(one.fport)
        assert package is not None
        [command] = package.parse(one.payload, DOWNLINK, strict=True)
        assert isinstance(command, Command)
        assert command.encode() == one.payload
        assert not isinstance(command, mc_v1.McGroupStatusReq)


@pytest.mark.parametrize("version", [1, 2])
def test_every_fragment_is_as_long_as_was_said_and_padded_with_zeros(version: int) -> None:
    """TS004: who reads FragSize octets whatever arrived, and who checks the length."""
    block = DataBlock.of(IMAGE[:-3], frag_size=10)
    row = Row(words="", version=version, campaign={"block": block}, ends=frozenset())
    of, _ = row.fleet(0, plain=True)
    of.start().run()
    found = [frag_v1.DataFragment.decode(one.payload) for one in frames(of) if one.payload[0] == 8]
    assert {len(one.payload) for one in found} == {10}
    plain = b"".join(one.payload for one in found if one.n <= block.nb_frag)
    assert plain == block.image + bytes(3)
