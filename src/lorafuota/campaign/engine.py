"""The campaign: devices advance on their own, windows are common to a group.

:class:`FuotaCampaign` has the inputs of a session (octets, time, the operator's wishes) and one
output, a list of actions.  Whatever must survive a crash is in the :class:`Commit` that stands
first in the list; a campaign restored from the store goes on where the last commit left it, and at
worst asks a device a second time, sends a fragment again under a new counter, or takes one that
never left for lost.  What only told the owner something is not told again, except the windows that
are still to come; :meth:`FuotaCampaign.report` has the rest.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

from ..clocksync.v1 import AppTimeAns, AppTimeReq
from ..errors import Described, FieldError, StateError, require_time
from ..fragmentation import v1 as frag_v1
from ..fragmentation import v2 as frag_v2
from ..multicastsetup.v1 import McGroupSetupAns
from ..session.clocksync import answer_app_time
from ..session.profile import FRAG_PROFILES
from ..types import UPLINK, BytesLike, DevAddr, DevEUI, McKey
from ..wire import JSON, Command
from .actions import (
    CampaignAction,
    CampaignEnded,
    Commit,
    DeviceEnded,
    Unicast,
    UplinkRejected,
)
from .completion import given_up
from .config import CampaignConfig, Member
from .events import EventKind
from .exchange import answer, requests, silence
from .group import MAX_N
from .negotiation import app_time, negotiated, versions_known
from .packing import CommandSets
from .quirks import StatusQuirk
from .report import CampaignReport, make_report
from .roster import ENDED, Roster
from .rounds import Rounds
from .snapshot import Snapshot
from .state import CampaignPhase, DeviceRecord, GroupPhase, Outcome, Stage
from .step import Step

__all__ = ["FuotaCampaign"]

_STATUS_CID: Final = frag_v1.FragSessionStatusAns.CID.to_bytes()
_MAX_SESSION_CNT: Final = 0xFFFF


@final
class FuotaCampaign:
    """One update for many devices.  Knows no network, no clock, no database."""

    def __init__(self, config: CampaignConfig, *, saved: JSON = None) -> None:
        """Begin, or go on from what was stored.

        Args:
            config: The operator's wishes, keys included; the same as when the campaign began.
            saved: The document of :meth:`snapshot`, or what a store loads; None for a campaign
                that has not begun.  Devices that were added later have to be among the members by
                now.

        Raises:
            FieldError: The first pass does not fit the windows allowed or the fragment number;
                *saved* has another schema or is not of this campaign: another block, another key or
                address under the name of a group, or a device or group that *config* lacks.
        """
        self._config = config
        self._actions: list[CampaignAction] = []
        self._sets = CommandSets()
        self._roster = Roster(config, None if saved is None else Snapshot.from_json(saved))
        self._own = self._roster.own
        self._rounds = Rounds(config, self._roster, act=self._act, step=self._step)
        head = f"{config.block.frag_size} {config.block.descriptor.hex()} ".encode()
        block = hashlib.sha256(head + config.block.image).hexdigest()
        if saved is None:
            self._own.block = block
        elif self._own.block != block:
            given = Described("a campaign with another block")
            raise FieldError("FuotaCampaign", "saved", given, "one with the block of the config")
        else:
            self._go_on()

    # What the owner calls

    def start(self, *, now: float) -> list[CampaignAction]:
        """Begin with every device.

        Raises:
            FieldError: *now* is no time.
            StateError: It has begun already.
        """
        require_time("FuotaCampaign", "now", now)
        if self._own.phase is not CampaignPhase.NEW:
            raise StateError("FuotaCampaign.start", f"the campaign is {self._own.phase.value}")
        self._set_phase(CampaignPhase.RUNNING)
        for group in self._roster.groups.values():
            group.record.since = now
            self._roster.touch_group(group)
        for dev_eui in self._roster.devices:
            self._roster.wake(dev_eui, now)
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

        Raises:
            FieldError: *now* is no time.
        """
        require_time("FuotaCampaign", "now", now)
        record = self._roster.devices.get(dev_eui)
        if record is None or self._own.phase is CampaignPhase.NEW:
            return []
        package = self._roster.map_of(dev_eui).at(fport)
        if package is None or (
            package.identifier == 0 and self._roster.members[dev_eui].multi_package is False
        ):
            return []
        payload = bytes(payload)
        quirks = self._roster.members[dev_eui].quirks
        old_order = StatusQuirk.VERSION_1_LAYOUT in quirks and payload.startswith(_STATUS_CID)
        if package.name == "fragmentation" and old_order:
            package = FRAG_PROFILES[1].package
        if package.identifier == 0:
            self._take_set(dev_eui, fport, payload, now)
            return self.tick(now=now)
        for parsed in package.parse(payload, UPLINK):
            if isinstance(parsed, Command):
                self._take(dev_eui, parsed, now)
            else:
                self._act(UplinkRejected(dev_eui, fport, payload, parsed.error))
        return self.tick(now=now)

    def tick(self, *, now: float) -> list[CampaignAction]:
        """Let time pass.  Harmless when called too early or too often.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("FuotaCampaign", "now", now)
        if self._own.phase in (CampaignPhase.RUNNING, CampaignPhase.CANCELLING):
            while (dev_eui := self._roster.next_due(now)) is not None:
                self._device_due(dev_eui, self._roster.devices[dev_eui], now)
        if self._own.phase is CampaignPhase.RUNNING:
            for group in self._roster.groups.values():
                self._rounds.due(group, now)
        return self._finish(now)

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, in GPS seconds."""
        if self._own.phase not in (CampaignPhase.RUNNING, CampaignPhase.CANCELLING):
            return None
        times = [self._roster.next_wake]
        if self._own.phase is CampaignPhase.RUNNING:
            patience = self._config.setup_seconds, self._config.rekey_seconds
            deadlines = (group.deadline(*patience) for group in self._roster.groups.values())
            times += deadlines
        return min((time for time in times if time is not None), default=None)

    def pause(self, *, now: float) -> list[CampaignAction]:
        """Ask and send nothing more until :meth:`resume`.

        What arrives is still taken, and a device that asks for the time or reports by itself gets
        its answer.

        Raises:
            FieldError: *now* is no time.
            StateError: The campaign does not run.
        """
        require_time("FuotaCampaign", "now", now)
        if self._own.phase is not CampaignPhase.RUNNING:
            raise StateError("FuotaCampaign.pause", f"the campaign is {self._own.phase.value}")
        self._set_phase(CampaignPhase.PAUSED)
        return self._finish(now)

    def resume(self, *, now: float) -> list[CampaignAction]:
        """Go on after :meth:`pause`; a window that was missed is announced anew.

        Raises:
            FieldError: *now* is no time.
            StateError: The campaign is not paused.
        """
        require_time("FuotaCampaign", "now", now)
        if self._own.phase is not CampaignPhase.PAUSED:
            raise StateError("FuotaCampaign.resume", f"the campaign is {self._own.phase.value}")
        self._set_phase(CampaignPhase.RUNNING)
        return self.tick(now=now)

    def cancel(self, *, now: float) -> list[CampaignAction]:
        """Stop: cancel reboots, delete images, sessions and groups, as far as devices answer.

        Raises:
            FieldError: *now* is no time.
            StateError: The campaign has not begun or has ended.
        """
        require_time("FuotaCampaign", "now", now)
        if self._own.phase not in (CampaignPhase.RUNNING, CampaignPhase.PAUSED):
            raise StateError("FuotaCampaign.cancel", f"the campaign is {self._own.phase.value}")
        self._set_phase(CampaignPhase.CANCELLING)
        for dev_eui, record in self._roster.devices.items():
            if record.stage in ENDED or record.stage is Stage.CLEANUP:
                continue
            if record.stage in (Stage.NEGOTIATE, Stage.BASE):  # it has been given nothing
                self._end(dev_eui, Stage.FAILED, Outcome.CANCELLED, "")
            else:
                self._step(dev_eui, Step(Stage.CLEANUP, Outcome.CANCELLED), now)
        return self.tick(now=now)

    def add_device(self, member: Member, *, now: float) -> list[CampaignAction]:
        """Take in one more device; coded fragments make up for what it missed.

        Raises:
            FieldError: The device is a member already, or *now* is no time.
            StateError: The campaign has ended.
        """
        require_time("FuotaCampaign", "now", now)
        if member.dev_eui in self._roster.devices:
            raise FieldError("FuotaCampaign", "member", member.dev_eui, "a device not yet in it")
        if self._own.phase in (CampaignPhase.CANCELLING, CampaignPhase.ENDED):
            raise StateError("FuotaCampaign.add_device", f"the campaign is {self._own.phase.value}")
        self._roster.admit(member)
        self._roster.touch(member.dev_eui)
        self._set_phase(self._own.phase)  # what is stored has to have it
        if self._own.phase is not CampaignPhase.NEW:
            self._roster.wake(member.dev_eui, now)
        return self.tick(now=now)

    def remove_device(self, dev_eui: DevEUI, *, now: float) -> list[CampaignAction]:
        """Leave one device out from now on; nothing more is sent to it.

        Raises:
            FieldError: The device is no member, or *now* is no time.
        """
        require_time("FuotaCampaign", "now", now)
        if dev_eui not in self._roster.devices:
            raise FieldError("FuotaCampaign", "dev_eui", dev_eui, "a member")
        record = self._roster.devices[dev_eui]
        if record.stage not in ENDED:
            self._end(dev_eui, Stage.FAILED, Outcome.CANCELLED, "removed")
            self._roster.touch(dev_eui, EventKind.REMOVED)
        return self.tick(now=now)

    def rekey_group(
        self, name: str, mc_key: McKey, *, now: float, mc_addr: DevAddr | None = None
    ) -> list[CampaignAction]:
        """Have a group go on under a fresh key, from counter 0 on.

        For counters that are used up (:class:`.actions.NewKeyWanted`), or a key that may be known
        to others.  Whoever still needs the group is set up again; what was received stays.  After a
        restart the group has to be configured with the new key; keep the old one too until the
        commit is safe.

        Args:
            name: Which group.
            mc_key: The key; never used before.
            now: GPS seconds.
            mc_addr: Another address for the group, or None to keep it.

        Raises:
            FieldError: There is no such group, the key was used before, another group has the
                address, or *now* is no time.
            StateError: The campaign has not begun, is being cancelled, or has ended.
        """
        require_time("FuotaCampaign", "now", now)
        if name not in self._roster.groups:
            raise FieldError("FuotaCampaign", "name", name, "a group of the campaign")
        if self._own.phase not in (CampaignPhase.RUNNING, CampaignPhase.PAUSED):
            raise StateError(
                "FuotaCampaign.rekey_group", f"the campaign is {self._own.phase.value}"
            )
        group = self._roster.groups[name]
        address = group.config.mc_addr if mc_addr is None else DevAddr(mc_addr)
        self._roster.check_key(group, mc_key, address)
        fresh = dataclasses.replace(group.config, mc_key=mc_key, mc_addr=address, first_fcnt=0)
        self._rounds.rekey(group, fresh, now)
        return self.tick(now=now)

    @property
    def phase(self) -> CampaignPhase:
        """Where the campaign stands."""
        return self._own.phase

    @property
    def progress(self) -> Mapping[Stage, int]:
        """How many devices stand where; costs nothing however many there are."""
        return MappingProxyType(self._roster.stages)

    def record(self, dev_eui: DevEUI) -> DeviceRecord:
        """Return what is known of a device; look, do not change.

        Raises:
            FieldError: The device is no member.
        """
        if dev_eui not in self._roster.devices:
            raise FieldError("FuotaCampaign", "dev_eui", dev_eui, "a member")
        return self._roster.devices[dev_eui]

    def snapshot(self) -> dict[str, JSON]:
        """Return the document that the events of all commits so far add up to.

        A network server can keep it in its own database in place of the events: it writes the
        document where it would have appended them, before it sends anything.
        """
        return self._roster.log.snapshot()

    def report(self) -> CampaignReport:
        """Return how things stand."""
        groups = {name: group.record for name, group in self._roster.groups.items()}
        return make_report(
            self._own.phase, self._roster.devices, groups, self._roster.unicast_airtime
        )

    # Beginning and going on

    def _go_on(self) -> None:
        if self._own.phase is CampaignPhase.NEW:
            return
        self._roster.wake_again()
        for group in self._roster.groups.values():
            if group.record.phase in (GroupPhase.ANNOUNCE, GroupPhase.SEND):
                self._act(group.announcement)

    # Book-keeping

    def _act(self, action: CampaignAction) -> None:
        self._actions.append(action)

    def _set_phase(self, phase: CampaignPhase) -> None:
        self._own.phase = phase
        self._roster.log.touch(None)

    def _finish(self, now: float) -> list[CampaignAction]:
        """Return the actions, the commit that covers them first."""
        ended = sum(self._roster.stages[stage] for stage in ENDED) == len(self._roster.devices)
        if self._own.phase in (CampaignPhase.RUNNING, CampaignPhase.CANCELLING) and ended:
            self._set_phase(CampaignPhase.ENDED)
            for group in self._roster.groups.values():
                self._roster.touch_group(
                    group
                )  # a window cut short has frames that were not counted
            self._act(CampaignEnded())
        actions, self._actions = self._actions, []
        if events := self._roster.log.take(now):
            actions.insert(0, Commit(events))
        return actions

    # One device

    def _device_due(self, dev_eui: DevEUI, record: DeviceRecord, now: float) -> None:
        """Send what the device's stage asks for, or give the stage up."""
        record.due = None
        if record.stage is Stage.UNICAST:
            self._send_fragment(dev_eui, record, now)
            return
        member, map_ = self._roster.members[dev_eui], self._roster.map_of(dev_eui)
        if record.stage is Stage.NEGOTIATE and versions_known(self._config, member, record):
            self._step(dev_eui, negotiated(self._config, member, record), now)
            return
        policy = self._config.retry_of(record.stage)
        if record.attempts >= policy.attempts:
            self._step(dev_eui, silence(self._config, member, record, now=now), now)
            return
        if not self._roster.take_turn(dev_eui):
            return
        if record.stage is Stage.FRAGMENTATION and not self._counter_fresh(record):
            self._step(dev_eui, Step(Stage.CLEANUP, Outcome.SESSION_CNT_REPLAY), now)
            return
        group = self._roster.groups.get(record.group or "")
        session = group.session_req(record.mc_group_id) if group else None
        server = group.server if group else None
        asked = requests(self._config, member, record, server, session, now=now)
        for fport, payload in self._sets.send(dev_eui, asked, map_, ports=record.ports, now=now):
            self._act(Unicast(dev_eui, fport, payload))
        answerable = now
        if group is not None and record.stage is Stage.FRAGMENTATION:
            record.cnt_used = group.record.phase is GroupPhase.SEND  # it may hear the next frame
        polled = group is not None and group.record.phase is GroupPhase.POLL
        if group is not None and polled and record.stage is Stage.STATUS and not record.attempts:
            answerable = max(now, group.record.end)  # while it listens it may not transmit
        record.attempts += 1
        patience = policy.interval_seconds
        if record.stage is Stage.STATUS:  # most stacks spread that answer too, not only a group's
            patience = max(patience, self._config.spread_seconds)
        self._roster.touch(dev_eui)
        self._roster.wake(dev_eui, answerable + patience)

    def _counter_fresh(self, record: DeviceRecord) -> bool:
        """Take another SessionCnt if a fragment may have used this one up; say if there is one.

        A session under another counter begins with nothing.
        """
        if record.cnt_used:
            record.cnt_used = False
            record.session_cnt += 1
            record.missing = record.received = None
            record.sent = record.sent_before = record.unicast_n = 0
            record.unclear = False
        return record.session_cnt <= _MAX_SESSION_CNT or record.frag_version == 1

    def _send_fragment(self, dev_eui: DevEUI, record: DeviceRecord, now: float) -> None:
        """Send the next fragment by unicast, or go on to the status when there is none left."""
        parity = self._roster.parity_of(dev_eui)
        if record.unicast_left == 0 or record.unicast_n >= MAX_N or self._roster.over_budget():
            self._step(dev_eui, Step(Stage.STATUS), now)
            return
        n, record.plain_n = record.plain_n, 0
        if n == 0:
            record.unicast_n += 1
            record.unicast_left -= 1
            n = 1 if self._config.block.nb_frag == 1 else record.unicast_n
        record.sent += 1
        record.cnt_used = True
        record.unicasts += 1
        self._roster.unicasts += 1
        fragment = frag_v1.DataFragment(
            n=n, frag_index=record.frag_index, payload=self._roster.encoder_of(parity).fragment(n)
        )
        fport = self._roster.map_of(dev_eui).fport("fragmentation")
        self._act(Unicast(dev_eui, fport, fragment.encode()))
        self._roster.touch(dev_eui)
        self._roster.wake(dev_eui, now + self._config.unicast_seconds)

    def _take_set(self, dev_eui: DevEUI, fport: int, payload: bytes, now: float) -> None:
        """Take an uplink with the answers of several packages, or a piece of one (TS007)."""
        map_ = self._roster.map_of(dev_eui)
        answers, downlinks, error = self._sets.receive(dev_eui, payload, map_, now=now)
        if error is not None:
            self._act(UplinkRejected(dev_eui, fport, payload, error))
        for command in answers:
            self._take(dev_eui, command, now)
        if self._own.phase is not CampaignPhase.PAUSED:  # else it is asked again after the pause
            for port, request in downlinks:
                self._act(Unicast(dev_eui, port, request))

    def _take(self, dev_eui: DevEUI, command: Command, now: float) -> None:
        """Take one command of an uplink."""
        member, record = self._roster.members[dev_eui], self._roster.devices[dev_eui]
        if isinstance(command, AppTimeReq):
            self._tell_time(dev_eui, command, now)
        if isinstance(command, frag_v2.FragDataBlockReceivedReq):  # each time, or it repeats
            ack = frag_v2.FragDataBlockReceivedAns(frag_index=command.frag_index)
            fport = self._roster.map_of(dev_eui).fport("fragmentation")
            self._act(Unicast(dev_eui, fport, ack.encode()))
        if record.stage in ENDED:
            return
        unasked = record.stage is Stage.GROUP and not record.attempts
        if unasked and isinstance(command, McGroupSetupAns):
            return  # it is about the key the group had before
        group = self._roster.groups.get(record.group or "")
        session = group.session_req(record.mc_group_id) if group else None
        if isinstance(command, AppTimeReq):
            step = app_time(self._config, record, command, now)
        else:
            step = answer(self._config, member, record, command, now=now, session=session)
        record.reach(record.outcome, now)
        self._roster.touch(dev_eui)
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
            fport = self._roster.map_of(dev_eui).fport("clocksync")
            self._act(Unicast(dev_eui, fport, ans.encode()))

    def _step(self, dev_eui: DevEUI, step: Step, now: float) -> None:
        """Put a device into a stage, and see to what that stage needs first."""
        record = self._roster.devices[dev_eui]
        stage = step.stage
        if step.outcome is not None:
            record.outcome = step.outcome
            record.reach(step.outcome, now)
        record.detail = step.detail
        if stage in ENDED:
            self._end(dev_eui, stage, record.outcome, step.detail)
            return
        if stage in (Stage.CLOCK, Stage.GROUP) and record.group is None:
            stage = self._assign(dev_eui, record, stage)
            if stage is Stage.FAILED:
                fport = self._roster.map_of(dev_eui).fport("fragmentation")
                detail = f"parity variant {self._roster.parity_of(dev_eui).value}, FPort {fport}"
                self._end(dev_eui, stage, Outcome.NO_GROUP, detail)
                return
        if stage is Stage.READY and record.group is None:
            end = self._next_unicast(dev_eui, record)
            if end is not None:
                self._step(dev_eui, end, now)
                return
            stage = Stage.UNICAST
        self._sets.forget(dev_eui)
        self._roster.enter(dev_eui, stage)
        if stage is Stage.READY:
            self._rounds.settle(dev_eui, record, now)
        elif stage is not Stage.LISTENING:
            self._roster.wake(dev_eui, now + step.delay_seconds)

    def _end(self, dev_eui: DevEUI, stage: Stage, outcome: Outcome, detail: str) -> None:
        record = self._roster.devices[dev_eui]
        record.outcome, record.detail = outcome, detail
        self._sets.forget(dev_eui)
        self._roster.enter(dev_eui, stage)
        self._act(DeviceEnded(dev_eui, outcome, detail))

    def _assign(self, dev_eui: DevEUI, record: DeviceRecord, stage: Stage) -> Stage:
        """Choose the group with the device's matrix and port, or unicast."""
        after_group = Stage.DELETE if record.frag_version == 1 else Stage.FRAGMENTATION
        if not self._roster.members[dev_eui].multicast:
            return after_group
        parity = self._roster.parity_of(dev_eui)
        fport = self._roster.map_of(dev_eui).fport("fragmentation")
        for group in self._roster.groups.values():
            if group.config.parity is parity and group.config.fport == fport:
                self._roster.join(dev_eui, group)
                return stage
        return Stage.FAILED

    def _next_unicast(self, dev_eui: DevEUI, record: DeviceRecord) -> Step | None:
        """Say what a device that is served by unicast gets next: None for fragments, or the end."""
        if self._roster.over_budget() or record.unicast_n >= MAX_N:
            return given_up(self._config, record)
        if record.unicast_n == 0:
            record.unicast_left = self._roster.first_pass
        elif record.unicast_rounds >= self._config.max_rounds:
            return given_up(self._config, record)
        else:
            record.unicast_rounds += 1
            record.unicast_left = (record.missing or 0) + 2
            parity = self._roster.parity_of(dev_eui)
            record.plain_n = self._rounds.plain_n(parity, [record], record.unicast_rounds)
        return None
