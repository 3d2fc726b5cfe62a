"""The campaign: devices advance on their own, windows are common to a group.

:class:`FuotaCampaign` has the inputs of a session (octets, time, the operator's wishes) and one
output, a list of actions.  Whatever must survive a crash is in the :class:`Commit` that stands
first in the list; a campaign restored from the store goes on where the last commit left it, and at
worst asks a device a second time, sends a fragment again under a new counter, or takes one that
never left for lost.  What only told the owner something is not told again, except the windows that
are still to come; :meth:`FuotaCampaign.report` has the rest.

The loop of a group::

    GATHER   until its members are set up, or long enough
    ANNOUNCE tell each the next window; whoever confirms listens
    SEND     fragments, paced; plain ones first, then coded ones, numbers only rise
    POLL     ask each what is missing
             nothing: REST.  Something: as many coded fragments as that takes (:mod:`.repair`),
             in another window, or by unicast where that is cheaper
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import Counter, deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

from ..catalogue import PackageMap
from ..clocksync.v1 import AppTimeAns, AppTimeReq, ForceDeviceResyncReq
from ..errors import FieldError, StateError
from ..fec.encoder import FragEncoder
from ..fec.variant import ParityVariant
from ..fragmentation import v1 as frag_v1
from ..fragmentation import v2 as frag_v2
from ..session.clocksync import answer_app_time
from ..session.profile import FRAG_PROFILES, MC_PROFILES
from ..types import UPLINK, BytesLike, DevEUI
from ..wire import JSON, Command
from .actions import (
    CampaignAction,
    CampaignEnded,
    Commit,
    DeviceEnded,
    Unicast,
    UplinkRejected,
)
from .config import (
    CampaignConfig,
    Member,
    RetryPolicy,
    StatusQuirk,
)
from .exchange import Step, answer, requests, silence
from .group import MAX_N, MAY_HEAR, SETTING_UP, Group
from .repair import coded_alone_never_suffice, fragments_needed
from .report import CampaignReport, make_report
from .state import CampaignPhase, DeviceRecord, GroupPhase, GroupRecord, Outcome, Stage
from .windows import frames_that_fit

__all__ = ["FuotaCampaign"]

_ENDED: Final = (Stage.DONE, Stage.FAILED)
_AT_REST: Final = (*_ENDED, Stage.READY, Stage.LISTENING)
"""Stages in which a device owes no answer and is sent nothing of its own."""
_STATUS_CID: Final = frag_v1.FragSessionStatusAns.CID.to_bytes()
_MAX_SESSION_CNT: Final = 0xFFFF
_CLEANUP_ATTEMPTS: Final = 2
_RESYNC_TRANSMISSIONS: Final = 3
_UNKNOWN_MISSING: Final = 8
"""What a group is assumed to miss of which nobody answered."""


@final
class FuotaCampaign:
    """One update for many devices.  Knows no network, no clock, no database."""

    def __init__(self, config: CampaignConfig, *, saved: Mapping[str, JSON] | None = None) -> None:
        """Begin, or go on from what was stored.

        Args:
            config: The operator's wishes, keys included; the same as when the campaign began.
            saved: What the store holds; None, or nothing in it, for a campaign that has not begun.
                Devices that were added later have to be among the members by now.

        Raises:
            FieldError: The first pass does not fit the windows allowed or the fragment number, or
                *saved* is not of this campaign.
        """
        self._config = config
        self._members: dict[DevEUI, Member] = {}
        self._maps: dict[tuple[int | None, int | None, str], PackageMap] = {}
        self._devices: dict[DevEUI, DeviceRecord] = {}
        self._groups: dict[str, Group] = {}
        self._encoders: dict[ParityVariant, FragEncoder] = {}
        self._phase = CampaignPhase.NEW
        self._unicast_airtime = 0.0
        self._heap: list[tuple[float, int]] = []
        self._in_flight: set[DevEUI] = set()
        self._waiting: deque[DevEUI] = deque()
        self._stages: Counter[Stage] = Counter()
        head = f"{config.block.frag_size} {config.block.descriptor.hex()} ".encode()
        self._fingerprint = hashlib.sha256(head + config.block.image).hexdigest()
        self._dirty: dict[str, DeviceRecord | GroupRecord | None] = {}
        self._actions: list[CampaignAction] = []
        nb_frag, parity = config.block.nb_frag, math.ceil(config.redundancy * config.block.nb_frag)
        if nb_frag + parity > MAX_N:
            expected = f"at most {config.block.max_parity} coded beside {nb_frag}"
            raise FieldError("CampaignConfig", "redundancy", config.redundancy, expected)
        # ST's decoder notices the end only with a coded fragment (TS004 reference, section 9.1).
        self._first_pass = min(nb_frag + max(parity, 1), MAX_N)
        saved = saved or {}
        self._make_groups(saved)
        for member in config.members:
            self._admit(member, saved.get(f"device/{member.dev_eui}"))
        if saved:
            self._load(saved)

    # What the owner calls

    def start(self, *, now: float) -> list[CampaignAction]:
        """Begin with every device.

        Raises:
            StateError: It has begun already.
        """
        if self._phase is not CampaignPhase.NEW:
            raise StateError("FuotaCampaign.start", f"the campaign is {self._phase.value}")
        self._set_phase(CampaignPhase.RUNNING)
        for group in self._groups.values():
            group.record.since = now
            self._touch_group(group)
        for dev_eui in self._devices:
            self._wake(dev_eui, now)
        return self.tick(now=now)

    def receive(
        self, dev_eui: DevEUI, fport: int, payload: BytesLike, *, now: float
    ) -> list[CampaignAction]:
        """Take one application uplink.

        Args:
            dev_eui: Who sent it; a device that is no member is ignored.
            fport: The port it came on; ports of no package are ignored.
            payload: FRMPayload in the clear.
            now: GPS seconds at which the uplink began.
        """
        record = self._devices.get(dev_eui)
        if record is None or self._phase is CampaignPhase.NEW:
            return []
        package = self._map(dev_eui).at(fport)
        if package is None or package.identifier == 0:
            return []
        payload = bytes(payload)
        quirks = self._members[dev_eui].quirks
        old_order = StatusQuirk.VERSION_1_LAYOUT in quirks and payload.startswith(_STATUS_CID)
        if package.name == "fragmentation" and old_order:
            package = FRAG_PROFILES[1].package
        for parsed in package.parse(payload, UPLINK):
            if isinstance(parsed, Command):
                self._take(dev_eui, parsed, now)
            else:
                self._actions.append(UplinkRejected(dev_eui, fport, payload, parsed.error))
        return self.tick(now=now)

    def tick(self, *, now: float) -> list[CampaignAction]:
        """Let time pass.  Harmless when called too early or too often."""
        if self._phase in (CampaignPhase.RUNNING, CampaignPhase.CANCELLING):
            while (dev_eui := self._next_due(now)) is not None:
                self._device_due(dev_eui, self._devices[dev_eui], now)
        if self._phase is CampaignPhase.RUNNING:
            for group in self._groups.values():
                self._group_due(group, now)
        return self._finish(now)

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, in GPS seconds."""
        if self._phase not in (CampaignPhase.RUNNING, CampaignPhase.CANCELLING):
            return None
        while self._heap:
            due, number = self._heap[0]
            if self._devices[DevEUI(number)].due == due:
                break
            heapq.heappop(self._heap)
        times = [self._heap[0][0]] if self._heap else []
        if self._phase is CampaignPhase.RUNNING:
            patience = self._config.setup_seconds
            deadlines = (group.deadline(patience) for group in self._groups.values())
            times += [time for time in deadlines if time is not None]
        return min(times, default=None)

    def pause(self, *, now: float) -> list[CampaignAction]:
        """Ask and send nothing more until :meth:`resume`.

        What arrives is still taken, and a device that asks for the time or reports by itself gets
        its answer.

        Raises:
            StateError: The campaign does not run.
        """
        if self._phase is not CampaignPhase.RUNNING:
            raise StateError("FuotaCampaign.pause", f"the campaign is {self._phase.value}")
        self._set_phase(CampaignPhase.PAUSED)
        return self._finish(now)

    def resume(self, *, now: float) -> list[CampaignAction]:
        """Go on after :meth:`pause`; a window that was missed is announced anew.

        Raises:
            StateError: The campaign is not paused.
        """
        if self._phase is not CampaignPhase.PAUSED:
            raise StateError("FuotaCampaign.resume", f"the campaign is {self._phase.value}")
        self._set_phase(CampaignPhase.RUNNING)
        return self.tick(now=now)

    def cancel(self, *, now: float) -> list[CampaignAction]:
        """Stop: cancel reboots, delete images, sessions and groups, as far as devices answer.

        Raises:
            StateError: The campaign has not begun or has ended.
        """
        if self._phase not in (CampaignPhase.RUNNING, CampaignPhase.PAUSED):
            raise StateError("FuotaCampaign.cancel", f"the campaign is {self._phase.value}")
        self._set_phase(CampaignPhase.CANCELLING)
        for dev_eui, record in self._devices.items():
            if record.stage in _ENDED or record.stage is Stage.CLEANUP:
                continue
            if record.stage is Stage.NEGOTIATE:
                self._end(dev_eui, Stage.FAILED, Outcome.CANCELLED, "")
            else:
                self._step(dev_eui, Step(Stage.CLEANUP, Outcome.CANCELLED), now)
        return self.tick(now=now)

    def add_device(self, member: Member, *, now: float) -> list[CampaignAction]:
        """Take in one more device; coded fragments make up for what it missed.

        Raises:
            FieldError: The device is a member already.
            StateError: The campaign has ended.
        """
        if member.dev_eui in self._devices:
            raise FieldError("FuotaCampaign", "member", member.dev_eui, "a device not yet in it")
        if self._phase in (CampaignPhase.CANCELLING, CampaignPhase.ENDED):
            raise StateError("FuotaCampaign.add_device", f"the campaign is {self._phase.value}")
        self._admit(member, None)
        self._touch(member.dev_eui)
        self._set_phase(self._phase)  # what is stored has to have it
        if self._phase is not CampaignPhase.NEW:
            self._wake(member.dev_eui, now)
        return self.tick(now=now)

    def remove_device(self, dev_eui: DevEUI, *, now: float) -> list[CampaignAction]:
        """Leave one device out from now on; nothing more is sent to it.

        Raises:
            FieldError: The device is no member.
        """
        if dev_eui not in self._devices:
            raise FieldError("FuotaCampaign", "dev_eui", dev_eui, "a member")
        record = self._devices[dev_eui]
        if record.stage not in _ENDED:
            self._end(dev_eui, Stage.FAILED, Outcome.CANCELLED, "removed")
        return self.tick(now=now)

    @property
    def phase(self) -> CampaignPhase:
        """Where the campaign stands."""
        return self._phase

    @property
    def progress(self) -> Mapping[Stage, int]:
        """How many devices stand where; costs nothing however many there are."""
        return MappingProxyType(self._stages)

    def record(self, dev_eui: DevEUI) -> DeviceRecord:
        """Return what is known of a device; look, do not change.

        Raises:
            FieldError: The device is no member.
        """
        if dev_eui not in self._devices:
            raise FieldError("FuotaCampaign", "dev_eui", dev_eui, "a member")
        return self._devices[dev_eui]

    def report(self) -> CampaignReport:
        """Return how things stand."""
        groups = {name: group.record for name, group in self._groups.items()}
        return make_report(self._phase, self._devices, groups, self._unicast_airtime)

    # Beginning and going on

    def _make_groups(self, saved: Mapping[str, JSON]) -> None:
        for config in self._config.groups:
            row = saved.get(f"group/{config.name}")
            record = (
                GroupRecord(next_fcnt=config.first_fcnt, until_n=self._first_pass)
                if row is None
                else GroupRecord.from_json(row)
            )
            windows = math.ceil(self._first_pass / frames_that_fit(config))
            if windows > self._config.max_windows:
                fit = frames_that_fit(config)
                expected = f"{windows} or more: {self._first_pass} frames, {fit} fit one window"
                raise FieldError(
                    "CampaignConfig", "max_windows", self._config.max_windows, expected
                )
            if row is None and config.max_mc_fcnt - config.first_fcnt < self._first_pass:
                least = config.first_fcnt + self._first_pass
                expected = f"{least} or more, for {self._first_pass} frames"
                raise FieldError("GroupConfig", "max_mc_fcnt", config.max_mc_fcnt, expected)
            self._groups[config.name] = Group(config, record, self._encoder(config.parity))

    def _encoder(self, parity: ParityVariant) -> FragEncoder:
        if parity not in self._encoders:
            self._encoders[parity] = self._config.block.encoder(parity)
        return self._encoders[parity]

    def _admit(self, member: Member, row: JSON) -> None:
        record = (
            DeviceRecord(
                frag_version=member.frag_version,
                mc_version=member.mc_version,
                frag_index=member.frag_index,
                mc_group_id=member.mc_group_id,
                session_cnt=member.session_cnt,
            )
            if row is None
            else DeviceRecord.from_json(row)
        )
        if record.group is not None and record.group not in self._groups:
            raise FieldError("DeviceRecord", "group", record.group, "a group of the campaign")
        for version, known in (
            (record.frag_version, FRAG_PROFILES),
            (record.mc_version, MC_PROFILES),
        ):
            if version is not None and version not in known:
                raise FieldError("DeviceRecord", "version", version, "1, 2 or None")
        self._members[member.dev_eui] = member
        self._devices[member.dev_eui] = record
        self._count(record, 1)

    def _load(self, saved: Mapping[str, JSON]) -> None:
        own = saved.get("campaign")
        if not isinstance(own, list) or len(own) != 3 or own[1] != self._fingerprint:
            raise FieldError("FuotaCampaign", "saved", "a store", "one of this campaign and block")
        expected = {f"device/{dev_eui}" for dev_eui in self._devices}
        expected |= {f"group/{name}" for name in self._groups} | {"campaign"}
        if unknown := saved.keys() - expected:
            raise FieldError("FuotaCampaign", "saved", min(unknown), "a member or group configured")
        phase, _, airtime = own
        try:
            self._phase = CampaignPhase(phase)
        except ValueError:
            raise FieldError("FuotaCampaign", "phase", phase, "a phase") from None
        if isinstance(airtime, int | float):
            self._unicast_airtime = float(airtime)
        if self._phase is CampaignPhase.NEW:
            return
        for dev_eui, record in self._devices.items():
            # What was in flight is asked again when it is due; what waited for its turn now.
            if record.stage not in _AT_REST:
                self._wake(dev_eui, 0.0 if record.due is None else record.due)
        for group in self._groups.values():
            if group.record.phase in (GroupPhase.ANNOUNCE, GroupPhase.SEND):
                self._actions.append(group.announcement)

    # Book-keeping

    def _touch(self, dev_eui: DevEUI) -> None:
        self._dirty[f"device/{dev_eui}"] = self._devices[dev_eui]

    def _touch_group(self, group: Group) -> None:
        self._dirty[f"group/{group.config.name}"] = group.record

    def _set_phase(self, phase: CampaignPhase) -> None:
        self._phase = phase
        self._dirty["campaign"] = None

    def _count(self, record: DeviceRecord, by: int) -> None:
        self._stages[record.stage] += by
        if record.group is not None:
            self._groups[record.group].stages[record.stage] += by

    def _wake(self, dev_eui: DevEUI, when: float) -> None:
        self._devices[dev_eui].due = when
        heapq.heappush(self._heap, (when, int(dev_eui)))

    def _finish(self, now: float) -> list[CampaignAction]:
        """Return the actions, the commit that covers them first."""
        ended = sum(self._stages[stage] for stage in _ENDED) == len(self._devices)
        if self._phase in (CampaignPhase.RUNNING, CampaignPhase.CANCELLING) and ended:
            self._set_phase(CampaignPhase.ENDED)
            for group in self._groups.values():
                self._touch_group(group)  # a window cut short has frames that were not counted
            self._actions.append(CampaignEnded())
        actions, self._actions = self._actions, []
        if self._dirty:
            changes: dict[str, JSON] = {}
            for name, record in self._dirty.items():
                if record is None:
                    changes[name] = [self._phase.value, self._fingerprint, self._unicast_airtime]
                else:
                    changes[name] = record.to_json()
            self._dirty = {}
            actions.insert(0, Commit(changes))
        return actions

    # One device

    def _map(self, dev_eui: DevEUI) -> PackageMap:
        """Return which versions and ports the device has, as far as that is known."""
        member, record = self._members[dev_eui], self._devices[dev_eui]
        key = record.frag_version, record.mc_version, repr(sorted(member.fports.items()))
        if key not in self._maps:
            versions = {"fragmentation": record.frag_version, "multicastsetup": record.mc_version}
            known = {name: version for name, version in versions.items() if version is not None}
            self._maps[key] = PackageMap(versions=known, fports=member.fports)
        return self._maps[key]

    def _policy(self, stage: Stage) -> RetryPolicy:
        if stage in (Stage.STATUS, Stage.IMAGE):
            return self._config.status_retry
        if stage is Stage.CLEANUP:
            return RetryPolicy(_CLEANUP_ATTEMPTS, self._config.retry.interval_seconds)
        return self._config.retry

    def _next_due(self, now: float) -> DevEUI | None:
        """Return a device that waits for its turn and can have it, or one that is due."""
        while self._waiting and len(self._in_flight) < self._config.max_in_flight:
            dev_eui = self._waiting.popleft()
            record = self._devices[dev_eui]
            if record.due is None and record.stage not in _AT_REST:
                return dev_eui
        while self._heap and self._heap[0][0] <= now:
            due, number = heapq.heappop(self._heap)
            dev_eui = DevEUI(number)
            if self._devices[dev_eui].due == due:
                return dev_eui
        return None

    def _device_due(self, dev_eui: DevEUI, record: DeviceRecord, now: float) -> None:
        """Send what the device's stage asks for, or give the stage up."""
        record.due = None
        if record.stage is Stage.UNICAST:
            self._send_fragment(dev_eui, record, now)
            return
        if record.stage is Stage.NEGOTIATE and self._versions_known(dev_eui):
            self._step(dev_eui, Step(Stage.GROUP), now)
            return
        policy = self._policy(record.stage)
        if record.attempts >= policy.attempts:
            self._step(dev_eui, silence(self._config, record), now)
            return
        if dev_eui not in self._in_flight:
            if len(self._in_flight) >= self._config.max_in_flight:
                self._waiting.append(dev_eui)
                return
            self._in_flight.add(dev_eui)
        if record.stage is Stage.FRAGMENTATION and not self._counter_fresh(record):
            self._step(dev_eui, Step(Stage.CLEANUP, Outcome.SESSION_CNT_REPLAY), now)
            return
        group = self._groups.get(record.group or "")
        session = group.session_req(record.mc_group_id) if group else None
        server = group.server if group else None
        member, map_ = self._members[dev_eui], self._map(dev_eui)
        for name, command in requests(self._config, member, record, server, session):
            self._actions.append(Unicast(dev_eui, map_.fport(name), command.encode()))
        answerable = now
        if group is not None and record.stage is Stage.FRAGMENTATION:
            record.cnt_used = group.record.phase is GroupPhase.SEND  # it may hear the next frame
        polled = group is not None and group.record.phase is GroupPhase.POLL
        if group is not None and polled and record.stage is Stage.STATUS and not record.attempts:
            answerable = max(now, group.record.end)  # while it listens it may not transmit
        record.attempts += 1
        self._touch(dev_eui)
        self._wake(dev_eui, answerable + policy.interval_seconds)

    def _versions_known(self, dev_eui: DevEUI) -> bool:
        member, record = self._members[dev_eui], self._devices[dev_eui]
        known = record.mc_version is not None or not member.multicast
        return known and record.frag_version is not None

    def _counter_fresh(self, record: DeviceRecord) -> bool:
        """Take another SessionCnt if a fragment may have used this one up; say if there is one.

        A session under another counter begins with nothing.
        """
        if record.cnt_used:
            record.cnt_used = False
            record.session_cnt += 1
            record.missing = record.received = None
            record.sent = record.unicast_n = 0
        return record.session_cnt <= _MAX_SESSION_CNT or record.frag_version == 1

    def _send_fragment(self, dev_eui: DevEUI, record: DeviceRecord, now: float) -> None:
        """Send the next fragment by unicast, or go on to the status when there is none left."""
        parity = self._parity(dev_eui)
        if record.unicast_left == 0 or record.unicast_n >= MAX_N or self._over_budget():
            self._step(dev_eui, Step(Stage.STATUS), now)
            return
        n, record.plain_n = record.plain_n, 0
        if n == 0:
            record.unicast_n += 1
            record.unicast_left -= 1
            n = 1 if self._config.block.nb_frag == 1 else record.unicast_n
        record.sent += 1
        record.cnt_used = True
        self._unicast_airtime += self._config.unicast_frame_seconds
        self._dirty["campaign"] = None
        fragment = frag_v1.DataFragment(
            n=n, frag_index=record.frag_index, payload=self._encoder(parity).fragment(n)
        )
        fport = self._map(dev_eui).fport("fragmentation")
        self._actions.append(Unicast(dev_eui, fport, fragment.encode()))
        self._touch(dev_eui)
        self._wake(dev_eui, now + self._config.unicast_seconds)

    def _parity(self, dev_eui: DevEUI) -> ParityVariant:
        own = self._members[dev_eui].parity
        return own or FRAG_PROFILES[self._devices[dev_eui].frag_version or 1].parity

    def _take(self, dev_eui: DevEUI, command: Command, now: float) -> None:
        """Take one command of an uplink."""
        member, record = self._members[dev_eui], self._devices[dev_eui]
        if isinstance(command, AppTimeReq):
            self._tell_time(dev_eui, command, now)
            return
        if isinstance(command, frag_v2.FragDataBlockReceivedReq):  # each time, or it repeats
            ack = frag_v2.FragDataBlockReceivedAns(frag_index=command.frag_index)
            fport = self._map(dev_eui).fport("fragmentation")
            self._actions.append(Unicast(dev_eui, fport, ack.encode()))
        if record.stage in _ENDED:
            return
        group = self._groups.get(record.group or "")
        session = group.session_req(record.mc_group_id) if group else None
        before = record.to_json()
        step = answer(self._config, member, record, command, now=now, session=session)
        if record.to_json() != before:
            self._touch(dev_eui)
        if step is not None:
            self._step(dev_eui, step, now)

    def _tell_time(self, dev_eui: DevEUI, req: AppTimeReq, now: float) -> None:
        found = answer_app_time(
            arrival_gps=now,
            device_time=req.device_time,
            token_req=req.token_req,
            ans_required=req.ans_required,
            threshold_seconds=self._config.clock_threshold_seconds,
        )
        if found is not None:
            ans = AppTimeAns(time_correction=found.time_correction, token_ans=found.token_ans)
            fport = self._map(dev_eui).fport("clocksync")
            self._actions.append(Unicast(dev_eui, fport, ans.encode()))

    def _step(self, dev_eui: DevEUI, step: Step, now: float) -> None:
        """Put a device into a stage, and see to what that stage needs first."""
        record = self._devices[dev_eui]
        stage = step.stage
        if step.outcome is not None:
            record.outcome = step.outcome
        record.detail = step.detail
        if stage in _ENDED:
            self._end(dev_eui, stage, record.outcome, step.detail)
            return
        if stage is Stage.GROUP and record.group is None:
            stage = self._assign(dev_eui, record)
            if stage is Stage.FAILED:
                fport = self._map(dev_eui).fport("fragmentation")
                detail = f"parity variant {self._parity(dev_eui).value}, FPort {fport}"
                self._end(dev_eui, stage, Outcome.NO_GROUP, detail)
                return
        if stage is Stage.READY and record.group is None:
            stage = self._next_unicast(dev_eui, record)
            if stage is Stage.CLEANUP:
                record.outcome = Outcome.MISSING_FRAGMENTS
        self._enter(dev_eui, record, stage)
        if step.resync:
            force = ForceDeviceResyncReq(nb_transmissions=_RESYNC_TRANSMISSIONS)
            fport = self._map(dev_eui).fport("clocksync")
            self._actions.append(Unicast(dev_eui, fport, force.encode()))
        if stage is Stage.READY:
            self._settle(dev_eui, record, now)
        elif stage is not Stage.LISTENING:
            self._wake(dev_eui, now + step.delay_seconds)

    def _enter(self, dev_eui: DevEUI, record: DeviceRecord, stage: Stage) -> None:
        self._count(record, -1)
        record.stage, record.attempts, record.due = stage, 0, None
        if stage is Stage.SESSION and record.group is not None:
            record.told = self._groups[record.group].record.window
        self._count(record, 1)
        self._touch(dev_eui)
        self._release(dev_eui)

    def _end(self, dev_eui: DevEUI, stage: Stage, outcome: Outcome, detail: str) -> None:
        record = self._devices[dev_eui]
        record.outcome, record.detail = outcome, detail
        self._enter(dev_eui, record, stage)
        self._actions.append(DeviceEnded(dev_eui, outcome, detail))

    def _release(self, dev_eui: DevEUI) -> None:
        """Let somebody who waits for a turn have this device's."""
        self._in_flight.discard(dev_eui)

    def _assign(self, dev_eui: DevEUI, record: DeviceRecord) -> Stage:
        """Choose the group with the device's matrix and port, or unicast."""
        after_group = Stage.DELETE if record.frag_version == 1 else Stage.FRAGMENTATION
        if not self._members[dev_eui].multicast:
            return after_group
        parity, fport = self._parity(dev_eui), self._map(dev_eui).fport("fragmentation")
        for name, group in self._groups.items():
            if group.config.parity is parity and group.config.fport == fport:
                self._count(record, -1)
                record.group, record.frag_index = name, group.config.frag_index
                self._count(record, 1)
                return Stage.GROUP
        return Stage.FAILED

    def _next_unicast(self, dev_eui: DevEUI, record: DeviceRecord) -> Stage:
        """Say what a device that is served by unicast gets next: fragments, or the end."""
        if self._over_budget() or record.unicast_n >= MAX_N:
            return Stage.CLEANUP
        if record.unicast_n == 0:
            record.unicast_left = self._first_pass
        elif record.told >= self._config.max_rounds:
            return Stage.CLEANUP
        else:
            record.told += 1
            record.unicast_left = (record.missing or 0) + 2
            record.plain_n = self._plain_n(self._parity(dev_eui), [record], record.told)
        return Stage.UNICAST

    def _over_budget(self) -> bool:
        budget = self._config.airtime_budget_seconds
        if budget is None:
            return False
        used = self._unicast_airtime + sum(g.record.airtime for g in self._groups.values())
        return used >= budget

    # One group

    def _settle(self, dev_eui: DevEUI, record: DeviceRecord, now: float) -> None:
        """Tell a device that just became ready of its group's window, or wake the group."""
        group = self._groups[record.group or ""]
        if group.record.phase is GroupPhase.REST:
            self._go(group, GroupPhase.GATHER, now)
        elif group.record.phase is GroupPhase.ANNOUNCE and record.told != group.record.window:
            self._step(dev_eui, Step(Stage.SESSION), now)

    def _group_due(self, group: Group, now: float) -> None:
        """Move a group on as far as it can go at this moment."""
        moved = True
        while moved:
            match group.record.phase:
                case GroupPhase.GATHER:
                    moved = self._gather(group, now)
                case GroupPhase.ANNOUNCE:
                    moved = self._await_start(group, now)
                case GroupPhase.SEND:
                    moved = self._send_due(group, now)
                case GroupPhase.POLL:
                    moved = self._poll(group, now)
                case GroupPhase.REST:
                    moved = False

    def _go(self, group: Group, phase: GroupPhase, now: float) -> bool:
        group.record.phase, group.record.since = phase, now
        self._touch_group(group)
        return True

    def _gather(self, group: Group, now: float) -> bool:
        """Announce a window when everybody is ready, or enough are, or it has been long enough."""
        ready = group.stages[Stage.READY]
        if not ready:
            return False
        coming = group.setting_up + self._stages[Stage.NEGOTIATE]
        early = self._config.ready_share < 1 and ready >= self._config.ready_share * (
            ready + coming
        )
        late = now >= group.record.since + self._config.setup_seconds
        if coming and not early and not late:
            return False
        if group.pass_over:
            return self._repair(group, now)
        return self._announce(group, now)

    def _announce(self, group: Group, now: float) -> bool:
        """Choose the next window and tell every device that is ready."""
        self._actions.append(group.announce(now + self._config.lead_seconds))
        self._go(group, GroupPhase.ANNOUNCE, now)
        for dev_eui in self._members_in(group, Stage.READY):
            self._step(dev_eui, Step(Stage.SESSION), now)
        return True

    def _members_in(self, group: Group, *stages: Stage) -> list[DevEUI]:
        name = group.config.name
        return [
            dev_eui
            for dev_eui, record in self._devices.items()
            if record.group == name and record.stage in stages
        ]

    def _await_start(self, group: Group, now: float) -> bool:
        """Begin to send when the window opens; without a listener, try another window."""
        if now < group.record.start:
            return False
        for dev_eui in self._members_in(group, Stage.SESSION):
            self._step(dev_eui, Step(Stage.READY, detail="the window was not confirmed"), now)
        if not group.stages[Stage.LISTENING]:
            return self._no_listener(group, now)
        for dev_eui in self._members_in(group, *MAY_HEAR):
            record = self._devices[dev_eui]
            set_up = record.restarts > 0 or (
                record.attempts > 0
                if record.stage is Stage.FRAGMENTATION
                else record.stage not in SETTING_UP
            )
            if set_up and not record.cnt_used:  # it may hear the very next frame
                record.cnt_used = True
                self._touch(dev_eui)
        group.open_window()
        return self._go(group, GroupPhase.SEND, now)

    def _no_listener(self, group: Group, now: float) -> bool:
        own = group.record
        own.rounds += 1
        if own.rounds > self._config.max_rounds or not group.stages[Stage.READY]:
            return self._give_up(group, now, Outcome.NO_ANSWER)
        return self._announce(group, now)

    def _send_due(self, group: Group, now: float) -> bool:
        """Send the frames that are due; go on when the pass or the window is over."""
        while not self._over_budget() and (
            group.stages[Stage.LISTENING] or group.stages[Stage.READY]
        ):
            if not group.reserved:
                group.reserve()
                self._touch_group(group)  # and with it the commit that stands before the frame
            frame = group.frame_due(now)
            if frame is None:
                break
            self._actions.append(frame)
        else:
            group.end_pass()
        if not group.pass_over and not group.window_over:
            return False
        listeners = self._members_in(group, Stage.LISTENING)
        for dev_eui in listeners:
            self._devices[dev_eui].sent += group.record.sent
        if not group.pass_over:  # another window for the rest of this pass
            for dev_eui in listeners:
                self._step(dev_eui, Step(Stage.READY), now)
            return self._announce(group, now)
        self._go(group, GroupPhase.POLL, now)
        for dev_eui in self._members_in(group, Stage.LISTENING, Stage.READY):
            self._step(dev_eui, Step(Stage.STATUS), now)
        return True

    def _poll(self, group: Group, now: float) -> bool:
        """When every status is in, or given up: rest, or repair."""
        if group.stages[Stage.STATUS] or group.stages[Stage.UNICAST]:
            return False
        if group.stages[Stage.READY]:
            return self._repair(group, now)
        self._go(group, GroupPhase.REST, now)
        return False

    def _repair(self, group: Group, now: float) -> bool:
        """Choose how many coded fragments come next, and how they travel."""
        own = group.record
        incomplete = self._members_in(group, Stage.READY)
        own.rounds += 1
        if own.rounds > self._config.max_rounds or own.next_n > MAX_N or self._over_budget():
            return self._give_up(group, now, Outcome.MISSING_FRAGMENTS)
        missing = self._missing(incomplete)
        needed = fragments_needed(
            missing,
            loss=self._loss(incomplete),
            completion=self._config.completion,
            most=MAX_N - own.next_n + 1,
        )
        cheaper = len(missing) == len(incomplete) and sum(missing) + 2 * len(missing) < needed
        if cheaper or group.frames_left < 1:
            self._repair_by_unicast(group, incomplete)
            for dev_eui in incomplete:
                self._step(dev_eui, Step(Stage.UNICAST), now)
            self._go(group, GroupPhase.POLL, now)
            return False
        own.until_n = own.next_n + min(needed, group.frames_left) - 1
        records = [self._devices[dev_eui] for dev_eui in incomplete]
        own.plain_n = self._plain_n(group.config.parity, records, own.rounds)
        return self._announce(group, now)

    def _plain_n(self, parity: ParityVariant, records: list[DeviceRecord], rounds: int) -> int:
        """Return a plain fragment that frees devices no coded one may complete, 0 for none."""
        nb_frag = self._config.block.nb_frag
        if not coded_alone_never_suffice(parity, nb_frag):
            return 0
        stuck = any(one.missing in (1, nb_frag) or one.sent == 0 for one in records)
        return 1 + (rounds - 1) % nb_frag if stuck else 0

    def _missing(self, dev_euis: list[DevEUI]) -> list[int]:
        """Return what each device misses; one that kept silent is left out, if others spoke."""
        nb_frag = self._config.block.nb_frag
        known = []
        for dev_eui in dev_euis:
            record = self._devices[dev_eui]
            if record.missing is not None:
                known.append(record.missing)
            elif record.sent == 0:  # it joined late and has nothing
                known.append(nb_frag)
        return known or [_UNKNOWN_MISSING]

    def _loss(self, dev_euis: list[DevEUI]) -> float:
        """Return the share of frames these devices lost, as far as their answers tell."""
        heard = sent = 0
        for dev_eui in dev_euis:
            record = self._devices[dev_eui]
            if record.received and record.sent:
                heard += min(record.received, record.sent)
                sent += record.sent
        return 1 - heard / sent if sent else 0.1

    def _repair_by_unicast(self, group: Group, incomplete: list[DevEUI]) -> None:
        """Give each device the next numbers for itself; the group goes on behind them."""
        first = group.record.next_n
        for dev_eui in incomplete:
            record = self._devices[dev_eui]
            record.unicast_n = max(record.unicast_n, first - 1)
            record.unicast_left = (record.missing or 0) + 2
            record.plain_n = self._plain_n(group.config.parity, [record], group.record.rounds)
            group.skip_to(record.unicast_n + record.unicast_left)

    def _give_up(self, group: Group, now: float, outcome: Outcome) -> bool:
        for dev_eui in self._members_in(group, Stage.READY):
            self._step(dev_eui, Step(Stage.CLEANUP, outcome), now)
        self._go(group, GroupPhase.REST, now)
        return False
