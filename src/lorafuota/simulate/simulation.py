"""The loop: the campaign's deadlines and the fleet's events, whichever comes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never, final

from ..campaign.actions import (
    CampaignAction,
    Commit,
    Multicast,
    Unicast,
    WindowAnnounced,
)
from ..campaign.engine import FuotaCampaign
from ..campaign.snapshot import Snapshot
from ..campaign.state import CampaignPhase
from ..campaign.store import CampaignStore, MemoryStore
from ..fragmentation.v1 import PACKAGE, FragSessionStatusReq
from ..image.install import ImageGate
from ..types import AppKey, GenAppKey
from .airlog import AirLog, AirLogError, Entry, Pause
from .fleet import Fleet, Joined, Uplink
from .plan import Plan
from .report import Report, Tally, make_report
from .scenario import START, Scenario

__all__ = ["Simulation"]

_STATUS_REQ: Final = (FragSessionStatusReq.CID, 2)

_LONGEST: Final = 10 * 365 * 86_400.0
"""A campaign that has not ended after so many seconds is stuck, and the report says so."""


@final
class Simulation:
    """A campaign, its store, and the fleet it is for, in virtual time."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        store: CampaignStore | None = None,
        air: AirLog | None = None,
        gates: Callable[[int], ImageGate] | None = None,
    ) -> None:
        """Make everything ready; go on where the store and the log stand, if they hold anything.

        Args:
            scenario: What is simulated; the same as before, when going on.
            store: Where the campaign keeps its records; in memory if not given.
            air: The downlinks so far; a store that is kept needs one that is kept beside it.
            gates: What a device lets in, by its index, for images and deltas that are signed;
                without, a device takes the image that was sent for valid.

        Raises:
            FieldError: The scenario makes no sense (:class:`.plan.Plan`), or the store is of
                another campaign.
            AirLogError: The log does not belong to the store.
        """
        self.scenario = scenario
        self.plan = Plan(scenario, gates)
        self.fleet = Fleet(self.plan)
        self._store = MemoryStore(keep_log=False) if store is None else store
        self._air = AirLog() if air is None else air
        self.tally = Tally()
        self.now = float(START)
        saved = self._store.load()
        begun = saved is not None
        if not begun and self._air.entries:
            raise AirLogError("the log of the air is of a campaign the store does not know")
        late = self.fleet.late
        first = {at for at in range(scenario.devices) if at not in late}
        if begun:
            known = Snapshot.from_json(saved).devices
            first |= {at for at in late if self.plan.dev_eui(at) in known}
        self.campaign = FuotaCampaign(self.plan.config(first), saved=saved)
        self._replay()
        for at, when in sorted(late.items(), key=lambda item: item[1]):
            if begun and at not in first and when <= self.now:
                self._join(at)

    def root_key(self, device: int) -> GenAppKey | AppKey:
        """Return one device's root key."""
        return self.plan.root_key(device)

    @property
    def ended(self) -> bool:
        """Whether the campaign has ended."""
        return self.campaign.phase is CampaignPhase.ENDED

    def step(self) -> bool:
        """Let the next thing happen; return whether anything is left to happen."""
        if self.ended:
            return False
        if self.campaign.phase is CampaignPhase.NEW:
            self._do(self.campaign.start(now=self.now))
            return not self.ended
        upcoming = self.next_time
        if upcoming is None or upcoming > START + _LONGEST:
            return False
        self.now = max(self.now, upcoming)
        if upcoming == self.fleet.next_time:
            self._step_fleet()
        else:
            self._do(self.campaign.tick(now=self.now))
        return not self.ended

    @property
    def next_time(self) -> float | None:
        """When the next thing happens, in GPS seconds; None when nothing is left to happen."""
        match self.campaign.phase:
            case CampaignPhase.NEW:
                return self.now
            case CampaignPhase.PAUSED | CampaignPhase.ENDED:
                return None
            case _:
                pass
        campaign, fleet = self.campaign.next_deadline, self.fleet.next_time
        return min((time for time in (campaign, fleet) if time is not None), default=None)

    def run(self, *, watch: Callable[[Simulation], None] | None = None) -> Report:
        """Run to the end; *watch* is called after every step."""
        while self.step():
            if watch is not None:
                watch(self)
        return self.report()

    def stop(self) -> None:
        """Write down how far the time has come; call it before an orderly end."""
        if self.campaign.phase is not CampaignPhase.NEW:
            self._air.write(Entry(self.fleet.events, self.now, Pause()))

    def pause(self) -> None:
        """Pause the campaign.

        Raises:
            StateError: It does not run.
        """
        self._do(self.campaign.pause(now=self.now))

    def resume(self) -> None:
        """Go on after a pause.

        Raises:
            StateError: The campaign is not paused.
        """
        self._do(self.campaign.resume(now=self.now))

    def cancel(self) -> None:
        """Cancel the campaign; it ends when the devices have cleaned up, or do not answer.

        Raises:
            StateError: It has not begun, or has ended.
        """
        self._do(self.campaign.cancel(now=self.now))

    def report(self) -> Report:
        """Sum up, at any time."""
        return make_report(self.plan, self.fleet, self.campaign, self.tally, now=self.now)

    # How

    def _step_fleet(self) -> None:
        for arrival in self.fleet.step():
            match arrival:
                case Uplink():
                    self.tally.take(arrival, self.now)
                    # TS003 wants the time the uplink began, however long it took from there
                    began = max(arrival.began, float(START))
                    self._do(
                        self.campaign.receive(
                            arrival.dev_eui, arrival.fport, arrival.payload, now=began
                        )
                    )
                case Joined(device=device):
                    self._join(device)

    def _join(self, device: int) -> None:
        if self.campaign.phase in (CampaignPhase.RUNNING, CampaignPhase.PAUSED):
            self._do(self.campaign.add_device(self.plan.member(device), now=self.now))

    def _do(self, actions: list[CampaignAction]) -> None:
        for action in actions:
            match action:
                case Commit(events=events):
                    self._store.append(events)
                    self.tally.commits += 1
                case Unicast() | Multicast() | WindowAnnounced():
                    self._air.write(Entry(self.fleet.events, self.now, action))
                    self._send(action)
                case _:
                    pass

    def _send(self, action: Unicast | Multicast | WindowAnnounced) -> None:
        match action:
            case Unicast():
                self.tally.unicasts += 1
                self.tally.asked += _asks(action)
                self.fleet.unicast(action, self.now)
            case Multicast():
                if _asks(action):
                    self.tally.questions[action.group] += 1
                else:
                    self.tally.frames[action.group] += 1
                self.fleet.multicast(action, self.now)
            case WindowAnnounced():
                self.tally.windows[action.group] += 1
            case _:
                assert_never(action)

    def _replay(self) -> None:
        """Bring a fresh fleet to where the log stands; its uplinks have been dealt with."""
        for entry in self._air.entries:
            while self.fleet.events < entry.events:
                when = self.fleet.next_time
                if when is None or when > entry.now:
                    raise AirLogError("the log of the air does not fit the scenario")
                for arrival in self.fleet.step():
                    if isinstance(arrival, Uplink):
                        self.tally.take(arrival, when)
            self.now = max(self.now, entry.now)
            if not isinstance(entry.sent, Pause):
                if not self._can_send(entry.sent):
                    raise AirLogError("the log of the air does not fit the scenario")
                self._send(entry.sent)

    def _can_send(self, action: Unicast | Multicast | WindowAnnounced) -> bool:
        """Whether there is such a device or group, and something to send."""
        if isinstance(action, Unicast):
            known = 0 <= self.plan.index(action.dev_eui) < self.scenario.devices
        else:
            known = action.group in [parity.value for parity in self.plan.parities]
        return known and (isinstance(action, WindowAnnounced) or bool(action.payload))


def _asks(action: Unicast | Multicast) -> bool:
    """Whether a downlink is FragSessionStatusReq; DevPackageReq of TS007 has the same octets."""
    ours = action.fport == PACKAGE.fport
    return ours and (action.payload[0], len(action.payload)) == _STATUS_REQ
