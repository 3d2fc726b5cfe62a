"""The loop of a group: windows that are common to its members.

::

    GATHER   until its members are set up, or long enough
    ANNOUNCE tell each the next window; whoever confirms listens
    SEND     fragments, paced; plain ones first, then coded ones, numbers only rise; behind the last
             one, while they still listen, the question what is missing
    POLL     wait for the answers, spread as they are, and ask by unicast who stays silent
             nothing: REST.  Something: as many coded fragments as that takes (:mod:`.repair`),
             in another window, or by unicast where that is cheaper
    REKEY    the counters are used up: wait for another key, then set up again whoever is left

Silence is never taken for success: a device that said nothing is asked, and all are to answer when
it is asked by unicast.

What a member does in between, it does on its own (:mod:`.engine`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from ..fec.variant import ParityVariant
from ..types import DevEUI
from .actions import CampaignAction, NewKeyWanted
from .completion import given_up
from .config import CampaignConfig, GroupConfig
from .group import MAX_N, MAY_HEAR, SETTING_UP, Group
from .repair import coded_alone_never_suffice, fragments_needed
from .roster import Roster
from .state import DeviceRecord, GroupPhase, Outcome, Stage
from .step import Step

__all__ = ["Rounds"]

_UNKNOWN_MISSING: Final = 8
"""What a group is assumed to miss of which nobody answered."""

_MARGIN_SECONDS: Final = 10.0
"""Behind the spread of answers: stacks add up to 3 s of their own (TS004 reference, status), and an
uplink takes its time through the network."""

_HAVE_THE_KEY: Final = (
    *SETTING_UP[1:],
    Stage.READY,
    Stage.SESSION,
    Stage.LISTENING,
    Stage.STATUS,
    Stage.UNICAST,
)
"""Stages in which a device needs the group's key, now or later."""


@final
class Rounds:
    """Moves the groups of a campaign on."""

    def __init__(
        self,
        config: CampaignConfig,
        roster: Roster,
        *,
        act: Callable[[CampaignAction], None],
        step: Callable[[DevEUI, Step, float], None],
    ) -> None:
        """Begin where the groups of *roster* stand.

        Args:
            config: The operator's wishes.
            roster: Records of devices and groups.
            act: Takes what the owner has to do.
            step: Puts one device into another stage.
        """
        self._config, self._roster = config, roster
        self._act, self._step = act, step

    def due(self, group: Group, now: float) -> None:
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
                case GroupPhase.REKEY:
                    moved = self._await_key(group, now)
                case GroupPhase.REST:
                    moved = False

    def settle(self, dev_eui: DevEUI, record: DeviceRecord, now: float) -> None:
        """Tell a device that just became ready of its group's window, or wake the group."""
        group = self._roster.groups[record.group or ""]
        if group.record.phase is GroupPhase.REST:
            self._go(group, GroupPhase.GATHER, now)
        elif group.record.phase is GroupPhase.ANNOUNCE and record.told != group.record.window:
            self._step(dev_eui, Step(Stage.SESSION), now)

    def _go(self, group: Group, phase: GroupPhase, now: float) -> bool:
        group.record.phase, group.record.since = phase, now
        self._roster.touch_group(group)
        return True

    def _gather(self, group: Group, now: float) -> bool:
        """Announce a window when everybody is ready, or enough are, or it has been long enough."""
        ready = group.stages[Stage.READY]
        if not ready:
            return False
        coming = group.setting_up + group.stages[Stage.STATUS]
        coming += self._roster.stages[Stage.NEGOTIATE] + self._roster.stages[Stage.BASE]
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
        asks = self._asks(group, group.stages[Stage.READY])
        self._act(group.announce(now + self._config.lead_seconds, question=asks))
        self._go(group, GroupPhase.ANNOUNCE, now)
        for dev_eui in self._roster.in_group(group, Stage.READY):
            self._step(dev_eui, Step(Stage.SESSION), now)
        return True

    def _await_start(self, group: Group, now: float) -> bool:
        """Begin to send when the window opens; without a listener, try another window."""
        if now < group.opening:
            return False
        for dev_eui in self._roster.in_group(group, Stage.SESSION):
            self._step(dev_eui, Step(Stage.READY, detail="the window was not confirmed"), now)
        if not group.stages[Stage.LISTENING]:
            return self._no_listener(group, now)
        for dev_eui in self._roster.in_group(group, *MAY_HEAR):
            record = self._roster.devices[dev_eui]
            set_up = record.restarts > 0 or (
                record.attempts > 0
                if record.stage is Stage.FRAGMENTATION
                else record.stage not in SETTING_UP
            )
            if set_up and not record.cnt_used:  # it may hear the very next frame
                record.cnt_used = True
                self._roster.touch(dev_eui)
        group.open_window()
        return self._go(group, GroupPhase.SEND, now)

    def _no_listener(self, group: Group, now: float) -> bool:
        own = group.record
        own.rounds += 1
        if own.rounds > self._config.max_rounds or not group.stages[Stage.READY]:
            silent = Step(Stage.CLEANUP, Outcome.NO_ANSWER)
            return self._give_up(group, now, silent)
        return self._announce(group, now)

    def _send_due(self, group: Group, now: float) -> bool:
        """Send the frames that are due; go on when the pass or the window is over."""
        while not self._roster.over_budget() and (
            group.stages[Stage.LISTENING] or group.stages[Stage.READY]
        ):
            if not group.reserved:
                group.reserve()
                self._roster.touch_group(
                    group
                )  # and with it the commit that stands before the frame
            frame = group.frame_due(now)
            if frame is None:
                break
            self._act(frame)
        else:
            group.end_pass()
        if not group.pass_over and not group.window_over:
            return False
        if group.pass_over and self._asks_now(group) and group.next_due > now:
            return False
        listeners = self._roster.in_group(group, Stage.LISTENING)
        for dev_eui in listeners:
            self._roster.devices[dev_eui].sent += group.record.sent
        if not group.pass_over:  # another window for the rest of this pass
            for dev_eui in listeners:
                self._step(dev_eui, Step(Stage.READY), now)
            return self._announce(group, now)
        first = self._ask(group, listeners) if self._asks_now(group) else group.last_end
        wait = max(first - now, 0.0)
        self._go(group, GroupPhase.POLL, now)
        for place, dev_eui in enumerate(self._to_ask(group)):  # one after the other: no storm
            delay = wait + place / self._config.answers_per_second
            self._step(dev_eui, Step(Stage.STATUS, delay_seconds=delay), now)
        group.record.asked = group.stages[Stage.STATUS]
        return True

    def _to_ask(self, group: Group) -> list[DevEUI]:
        """Return who may have heard the window; of the others nothing new is to be learnt."""
        devices, window = self._roster.devices, group.record.window
        return [
            dev_eui
            for dev_eui in self._roster.in_group(group, Stage.LISTENING, Stage.READY)
            if devices[dev_eui].stage is Stage.LISTENING or devices[dev_eui].told == window
        ]

    def _asks(self, group: Group, devices: int) -> bool:
        """Say whether so many devices are asked by one frame: no more than gateways can take."""
        config = self._config
        bearable = devices <= config.answers_per_second * config.spread_seconds
        return config.status_by_multicast and devices > 0 and bearable

    def _asks_now(self, group: Group) -> bool:
        """Say whether the question can be asked in the window that is open."""
        possible = not group.window_over and group.frames_left > 0
        return (
            possible
            and self._asks(group, group.stages[Stage.LISTENING])
            and not self._roster.over_budget()
        )

    def _ask(self, group: Group, listeners: list[DevEUI]) -> float:
        """Ask all listeners with one frame; return when who was silent is asked by unicast.

        The answers are spread from the frame on.  A device that keeps silent in class C waits for
        the end of the window first (TR002 reference, section 4).
        """
        participants = self._config.status_participants
        if participants is None:
            devices = self._roster.devices
            participants = any(devices[dev_eui].frag_version != 2 for dev_eui in listeners)
        if not group.reserved:
            group.reserve()
            self._roster.touch_group(group)
        self._act(group.ask(participants=participants))
        begin = max(group.last_end, group.record.end)
        return begin + self._config.spread_seconds + _MARGIN_SECONDS

    def _poll(self, group: Group, now: float) -> bool:
        """When every status is in, or given up: rest, or repair."""
        silent = group.stages[Stage.STATUS]
        if group.stages[Stage.UNICAST]:
            return False
        if silent:
            answered = group.record.asked - silent
            enough = self._config.answer_share < 1 and group.stages[Stage.READY]
            if not enough or answered < self._config.answer_share * group.record.asked:
                return False
        if group.stages[Stage.READY]:
            return self._repair(group, now)
        self._go(group, GroupPhase.REST, now)
        return False

    def _repair(self, group: Group, now: float, *, waited: bool = False) -> bool:
        """Choose how many coded fragments come next, and how they travel.

        Args:
            group: Whose members miss something.
            now: GPS seconds.
            waited: Whether no new key has come for counters that are used up.
        """
        own = group.record
        incomplete = self._roster.in_group(group, Stage.READY)
        rounds = own.rounds + 1
        if rounds > self._config.max_rounds or own.next_n > MAX_N or self._roster.over_budget():
            own.rounds = rounds
            return self._give_up(group, now)
        missing = self._missing(incomplete)
        needed = fragments_needed(
            missing,
            loss=self._loss(incomplete),
            completion=self._config.completion,
            most=MAX_N - own.next_n + 1,
        )
        cheaper = len(missing) == len(incomplete) and sum(missing) + 2 * len(missing) < needed
        if not cheaper and needed > group.frames_left:
            self._want_key(group)
            if group.frames_left < 1 and self._config.rekey_seconds and not waited:
                return self._go(group, GroupPhase.REKEY, now)
        own.rounds = rounds
        if cheaper or group.frames_left < 1:
            self._repair_by_unicast(group, incomplete)
            for dev_eui in incomplete:
                self._step(dev_eui, Step(Stage.UNICAST), now)
            self._go(group, GroupPhase.POLL, now)
            return False
        own.until_n = own.next_n + min(needed, group.frames_left) - 1
        records = [self._roster.devices[dev_eui] for dev_eui in incomplete]
        own.plain_n = self.plain_n(group.config.parity, records, own.rounds)
        return self._announce(group, now)

    def _want_key(self, group: Group) -> None:
        """Tell the owner, once, that the counters do not last."""
        if not group.key_wanted:
            group.key_wanted = True
            self._act(NewKeyWanted(group.config.name, group.frames_left))

    def _await_key(self, group: Group, now: float) -> bool:
        """Go on without a new key when it has been long enough, or nobody needs it any more."""
        self._want_key(group)  # once more after a restart
        if not any(group.stages[stage] for stage in (*_HAVE_THE_KEY, Stage.NEGOTIATE)):
            self._go(group, GroupPhase.REST, now)
            return False
        if now < group.record.since + self._config.rekey_seconds:
            return False
        if group.stages[Stage.READY]:
            return self._repair(group, now, waited=True)
        return self._go(group, GroupPhase.POLL, now)

    def rekey(self, group: Group, config: GroupConfig, now: float) -> None:
        """Go on under another key: whoever needs the group is set up again.

        A device that listens may keep its old key whatever it answers (TS005 reference, section 10,
        row 17), so it is asked when its window is over.  So is one that owes the answer to an
        earlier set-up, a while later: that answer is about the old key.
        """
        own = group.record
        open_until = own.end if own.phase in (GroupPhase.SEND, GroupPhase.POLL) else now
        for dev_eui in self._roster.in_group(group, *_HAVE_THE_KEY):
            record = self._roster.devices[dev_eui]
            if record.stage is Stage.LISTENING and own.phase is GroupPhase.SEND:
                record.sent += own.sent
            wait = max(open_until - now, 0.0)
            if record.stage is Stage.GROUP and record.attempts:
                wait = max(wait, self._config.retry.interval_seconds)
            again = Step(Stage.GROUP, detail="the group has a new key", delay_seconds=wait)
            self._step(dev_eui, again, now)
        group.rekey(config)
        if own.phase is GroupPhase.REST:
            self._roster.touch_group(group)
        else:
            self._go(group, GroupPhase.GATHER, now)

    def plain_n(self, parity: ParityVariant, records: list[DeviceRecord], rounds: int) -> int:
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
            record = self._roster.devices[dev_eui]
            if record.missing is not None:
                known.append(record.missing)
            elif record.sent == 0:  # it joined late and has nothing
                known.append(nb_frag)
        return known or [_UNKNOWN_MISSING]

    def _loss(self, dev_euis: list[DevEUI]) -> float:
        """Return the share of frames these devices lost, as far as their answers tell."""
        heard = sent = 0
        for dev_eui in dev_euis:
            record = self._roster.devices[dev_eui]
            if record.received and record.sent:
                heard += min(record.received, record.sent)
                sent += record.sent
        return 1 - heard / sent if sent else 0.1

    def _repair_by_unicast(self, group: Group, incomplete: list[DevEUI]) -> None:
        """Give each device the next numbers for itself; the group goes on behind them."""
        first = group.record.next_n
        for dev_eui in incomplete:
            record = self._roster.devices[dev_eui]
            record.unicast_n = max(record.unicast_n, first - 1)
            record.unicast_left = (record.missing or 0) + 2
            record.plain_n = self.plain_n(group.config.parity, [record], group.record.rounds)
            group.skip_to(record.unicast_n + record.unicast_left)

    def _give_up(self, group: Group, now: float, step: Step | None = None) -> bool:
        """End whoever waits for a window: with *step*, or each with what is known of it."""
        for dev_eui in self._roster.in_group(group, Stage.READY):
            known = given_up(self._config, self._roster.devices[dev_eui])
            self._step(dev_eui, step or known, now)
        self._go(group, GroupPhase.REST, now)
        return False
