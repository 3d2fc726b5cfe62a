"""Who takes part: records, groups, and whose turn it is.

The campaign's two halves share it: :mod:`.engine`, where devices advance on their own, and
:mod:`.rounds`, where windows are common to a group.  Records are changed by both, and whoever
changes one touches it here, so that the next commit has it (:mod:`.logbook`).
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from typing import Final, final

from ..catalogue import PACKAGES, PackageMap
from ..errors import Described, FieldError
from ..fec.encoder import FragEncoder
from ..fec.variant import ParityVariant
from ..session.profile import FRAG_PROFILES
from ..types import DevAddr, DevEUI, McKey
from .config import CampaignConfig, GroupConfig, Member
from .events import EventKind
from .group import MAX_N, Group, key_check
from .logbook import Logbook
from .negotiation import VERSION_FIELDS, device_fports
from .snapshot import Snapshot
from .state import DeviceRecord, GroupRecord, Stage
from .windows import frames_that_fit

__all__ = ["ENDED", "Roster"]

ENDED: Final = (Stage.DONE, Stage.FAILED)
_VERSIONS: Final = {
    *((one.name, one.version) for one in PACKAGES),
    ("clocksync", 0),
    ("firmwaremanagement", 0),
}
"""What can be known of a package; 0 is that it is not there."""
_AT_REST: Final = (*ENDED, Stage.READY, Stage.LISTENING)
"""Stages in which a device owes no answer and is sent nothing of its own."""


@final
class Roster:
    """Devices and groups of one campaign.

    Attributes:
        members: What the operator told of each device.
        devices: What is known of each device.
        groups: The multicast groups by name.
        stages: How many devices stand where.
        first_pass: Fragments of the first pass, plain and coded.
        unicasts: Fragments sent by unicast.
        own: What is known of the campaign as a whole.
        log: What changed since the last commit.
    """

    def __init__(self, config: CampaignConfig, saved: Snapshot | None) -> None:
        """Take in the groups and members of *config*, each with what was saved of it.

        Raises:
            FieldError: The first pass does not fit the windows allowed or the fragment number, or
                *saved* is of other groups or devices.
        """
        self._config = config
        self._saved = Snapshot() if saved is None else saved
        self.own = self._saved.campaign
        self.log = Logbook(self.own, committed=saved is not None)
        self.members: dict[DevEUI, Member] = {}
        self.devices: dict[DevEUI, DeviceRecord] = {}
        self.groups: dict[str, Group] = {}
        self._joined: dict[str, list[DevEUI]] = {one.name: [] for one in config.groups}
        self.stages: Counter[Stage] = Counter()
        self.unicasts = 0
        self._maps: dict[tuple[tuple[int | None, ...], str, str], PackageMap] = {}
        self._encoders: dict[ParityVariant, FragEncoder] = {}
        self._heap: list[tuple[float, int]] = []
        self._in_flight: set[DevEUI] = set()
        self._waiting: deque[DevEUI] = deque()
        nb_frag, parity = config.block.nb_frag, math.ceil(config.redundancy * config.block.nb_frag)
        if nb_frag + parity > MAX_N:
            expected = f"at most {config.block.max_parity} coded beside {nb_frag}"
            raise FieldError("CampaignConfig", "redundancy", config.redundancy, expected)
        # ST's decoder notices the end only with a coded fragment (TS004 reference, section 9.1).
        self.first_pass = min(nb_frag + max(parity, 1), MAX_N)
        for group in config.groups:
            self._add_group(group)
        for member in config.members:
            self.admit(member)
        self._require_known()

    def _add_group(self, config: GroupConfig) -> None:
        saved = self._saved.groups.get(config.name)
        record = saved or GroupRecord(
            next_fcnt=config.first_fcnt,
            until_n=self.first_pass,
            keys=key_check(config.mc_key),
            mc_addr=int(config.mc_addr),
        )
        same_key = record.keys.split(",")[-1] == key_check(config.mc_key)
        if not same_key or record.mc_addr != config.mc_addr:
            where, other = f"group {config.name}", Described("another key or address")
            expected = "the key the group was given last, by rekey_group if that was called"
            raise FieldError("GroupConfig", where, other, expected)
        windows = math.ceil(self.first_pass / frames_that_fit(config))
        if windows > self._config.max_windows:
            fit = frames_that_fit(config)
            expected = f"{windows} or more: {self.first_pass} frames, {fit} fit one window"
            raise FieldError("CampaignConfig", "max_windows", self._config.max_windows, expected)
        if saved is None and config.max_mc_fcnt - config.first_fcnt < self.first_pass:
            least = config.first_fcnt + self.first_pass
            expected = f"{least} or more, for {self.first_pass} frames"
            raise FieldError("GroupConfig", "max_mc_fcnt", config.max_mc_fcnt, expected)
        self.groups[config.name] = Group(config, record, self.encoder_of(config.parity))
        self.log.add_group(config.name, record, committed=saved is not None)

    def _require_known(self) -> None:
        unknown: list[str] = sorted(self._saved.groups.keys() - self.groups.keys())
        unknown += [str(one) for one in sorted(self._saved.devices.keys() - self.devices.keys())]
        if unknown:
            expected = "a member or group configured"
            raise FieldError("FuotaCampaign", "saved", unknown[0], expected)

    def admit(self, member: Member) -> None:
        """Take in one device, with what was saved of it.

        Raises:
            FieldError: That does not fit the campaign.
        """
        saved = self._saved.devices.get(member.dev_eui)
        record = saved or DeviceRecord(
            frag_version=member.frag_version,
            mc_version=member.mc_version,
            clock_version=member.clock_version,
            fm_version=member.fm_version,
            frag_index=member.frag_index,
            mc_group_id=member.mc_group_id,
            session_cnt=member.session_cnt,
        )
        if record.group is not None and record.group not in self.groups:
            raise FieldError("DeviceRecord", "group", record.group, "a group of the campaign")
        for name, field in VERSION_FIELDS.items():
            version = getattr(record, field)
            if version is not None and (name, version) not in _VERSIONS:
                raise FieldError("DeviceRecord", field, version, "a version of that package")
        self.members[member.dev_eui] = member
        self.devices[member.dev_eui] = record
        self.unicasts += record.unicasts
        self.log.add_device(member.dev_eui, record, committed=saved is not None)
        self._count(record, 1)
        if record.group is not None:
            self._joined[record.group].append(member.dev_eui)

    # Looking

    def encoder_of(self, parity: ParityVariant) -> FragEncoder:
        """Return the encoder of the block for one matrix."""
        if parity not in self._encoders:
            self._encoders[parity] = self._config.block.encoder(parity)
        return self._encoders[parity]

    def map_of(self, dev_eui: DevEUI) -> PackageMap:
        """Return which versions and ports the device has, as far as that is known."""
        member, record = self.members[dev_eui], self.devices[dev_eui]
        versions = tuple(getattr(record, field) for field in VERSION_FIELDS.values())
        key = versions, record.ports, repr(sorted(member.fports.items()))
        if key not in self._maps:
            known = {name: one for name, one in zip(VERSION_FIELDS, versions, strict=True) if one}
            fports = device_fports(record.ports, member.fports) if record.ports else member.fports
            self._maps[key] = PackageMap(versions=known, fports=fports)
        return self._maps[key]

    def parity_of(self, dev_eui: DevEUI) -> ParityVariant:
        """Return the matrix a device decodes with."""
        own = self.members[dev_eui].parity
        return own or FRAG_PROFILES[self.devices[dev_eui].frag_version or 1].parity

    def in_group(self, group: Group, *stages: Stage) -> list[DevEUI]:
        """Return the members of a group that are in one of these stages, as they joined it."""
        devices = self.devices
        return [
            dev_eui
            for dev_eui in self._joined[group.config.name]
            if devices[dev_eui].stage in stages
        ]

    def check_key(self, group: Group, mc_key: McKey, mc_addr: DevAddr) -> None:
        """See that a key was never used in this campaign, and an address by no other group.

        Raises:
            FieldError: It was, or is.
        """
        for name, other in self.groups.items():
            if key_check(mc_key) in other.record.keys.split(","):
                used = Described(f"a key of group {name!r}")
                raise FieldError("FuotaCampaign", "mc_key", used, "one that was never used")
            if other is not group and other.config.mc_addr == mc_addr:
                raise FieldError("FuotaCampaign", "mc_addr", mc_addr, "no other group's address")

    @property
    def unicast_airtime(self) -> float:
        """Seconds on air of all fragments sent by unicast."""
        return self.unicasts * self._config.unicast_frame_seconds

    def over_budget(self) -> bool:
        """Say whether no more may be sent."""
        budget = self._config.airtime_budget_seconds
        if budget is None:
            return False
        used = self.unicast_airtime + sum(g.record.airtime for g in self.groups.values())
        return used >= budget

    # Changing

    def touch(self, dev_eui: DevEUI, kind: EventKind | None = None) -> None:
        """Note that a device's record changed."""
        self.log.touch(dev_eui, kind)

    def touch_group(self, group: Group) -> None:
        """Note that a group's record changed."""
        self.log.touch(group.config.name)

    def enter(self, dev_eui: DevEUI, stage: Stage) -> None:
        """Put a device into a stage; it owes no answer any more."""
        record = self.devices[dev_eui]
        self._count(record, -1)
        record.stage, record.attempts, record.due = stage, 0, None
        if stage is Stage.SESSION and record.group is not None:
            record.told = self.groups[record.group].record.window
        self._count(record, 1)
        self.touch(dev_eui)
        self._in_flight.discard(dev_eui)

    def join(self, dev_eui: DevEUI, group: Group) -> None:
        """Put a device into a group."""
        record = self.devices[dev_eui]
        self._count(record, -1)
        record.group, record.frag_index = group.config.name, group.config.frag_index
        self._count(record, 1)
        self._joined[record.group].append(dev_eui)

    def _count(self, record: DeviceRecord, by: int) -> None:
        self.stages[record.stage] += by
        if record.group is not None:
            self.groups[record.group].stages[record.stage] += by

    # Taking turns

    def wake(self, dev_eui: DevEUI, when: float) -> None:
        """Have a device be due at a time."""
        self.devices[dev_eui].due = when
        heapq.heappush(self._heap, (when, int(dev_eui)))

    def wake_again(self) -> None:
        """After a restart: ask again what was asked when it is due, and who waited now."""
        for dev_eui, record in self.devices.items():
            if record.stage not in _AT_REST:
                self.wake(dev_eui, 0.0 if record.due is None else record.due)

    @property
    def next_wake(self) -> float | None:
        """When the next device is due, in GPS seconds."""
        while self._heap:
            due, number = self._heap[0]
            if self.devices[DevEUI(number)].due == due:
                return due
            heapq.heappop(self._heap)
        return None

    def take_turn(self, dev_eui: DevEUI) -> bool:
        """Let a device owe an answer, or have it wait until another one owes none."""
        if dev_eui not in self._in_flight:
            if len(self._in_flight) >= self._config.max_in_flight:
                self._waiting.append(dev_eui)
                return False
            self._in_flight.add(dev_eui)
        return True

    def next_due(self, now: float) -> DevEUI | None:
        """Return a device that waits for its turn and can have it, or one that is due."""
        while self._waiting and len(self._in_flight) < self._config.max_in_flight:
            dev_eui = self._waiting.popleft()
            record = self.devices[dev_eui]
            if record.due is None and record.stage not in _AT_REST:
                return dev_eui
        while self._heap and self._heap[0][0] <= now:
            due, number = heapq.heappop(self._heap)
            dev_eui = DevEUI(number)
            if self.devices[dev_eui].due == due:
                return dev_eui
        return None
