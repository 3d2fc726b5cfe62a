"""A campaign and its devices under a rule-based machine: whatever happens, it is honest and ends.

Messages are lost, delayed, repeated, overtaken and damaged in both directions; devices reboot, go
deaf, have wrong clocks and send nonsense; the operator pauses, resumes, cancels, adds and removes;
the process crashes on either side of any commit.  :class:`tests.unit.campaign.fleet.Referee` fails
the run when a counter comes back.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from lorafuota.campaign import FirmwareStep
from lorafuota.campaign.state import CampaignPhase
from tests.unit.campaign.fleet import NEW, Channel, Crash, Fleet, Unit, config, member

LONG = bool(os.environ.get("LORAFUOTA_LONG"))
MOST_STEPS = 20_000
"""Events in which a campaign has to end once the channel is fair."""

numbers = st.integers(0, 7)


class CampaignMachine(RuleBasedStateMachine):
    fleet: Fleet

    @initialize(
        versions=st.lists(st.sampled_from([1, 2]), min_size=1, max_size=4),
        alone=st.sets(numbers, max_size=2),
        seed=st.integers(0, 1000),
        at_a_time=st.sampled_from([1, 2, 1000]),
        install=st.booleans(),
        lead=st.sampled_from([10.0, 600.0]),
        budget=st.sampled_from([None, None, 4.0]),
        rounds=st.sampled_from([0, 2, 8]),
    )
    def begin(
        self,
        versions: list[int],
        alone: set[int],
        seed: int,
        at_a_time: int,
        install: bool,
        lead: float,
        budget: float | None,
        rounds: int,
    ) -> None:
        units = [
            Unit.of(member(at + 1, multicast=at not in alone), version)
            for at, version in enumerate(versions)
        ]
        wanted = config(
            [unit.member for unit in units],
            max_in_flight=at_a_time,
            lead_seconds=lead,
            max_rounds=rounds,
            airtime_budget_seconds=budget,
            firmware=FirmwareStep(version=NEW, boot_seconds=10) if install else None,
        )
        self.liars: set[int] = set()
        self.reached: dict[int, dict[str, float]] = {}
        self.fleet = Fleet(wanted, units, channel=Channel(random.Random(seed)))
        self.guarded(self.fleet.start)

    def guarded(self, what: Callable[[], object]) -> None:
        """Do something, and come back from the store when the process crashes in it."""
        try:
            what()
        except Crash:
            self.fleet.restart()

    @property
    def phase(self) -> CampaignPhase:
        return self.fleet.campaign.phase

    def unit(self, number: int) -> Unit:
        units = list(self.fleet.units.values())
        return units[number % len(units)]

    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            self.guarded(self.fleet.step)

    @rule(steps=st.integers(1, 60))
    def time_passes(self, steps: int) -> None:
        self.go_on(steps)

    @rule(
        down=st.sampled_from([0.0, 0.1, 0.4, 1.0]),
        up=st.sampled_from([0.0, 0.1, 0.4, 1.0]),
        repeat=st.sampled_from([0.0, 0.5]),
        delay=st.sampled_from([0.0, 0.5]),
        seconds=st.sampled_from([3.0, 60.0, 5000.0]),
        corrupt=st.sampled_from([0.0, 0.3]),
    )
    def the_channel_changes(
        self, down: float, up: float, repeat: float, delay: float, seconds: float, corrupt: float
    ) -> None:
        rng = self.fleet.channel.rng
        self.fleet.channel = Channel(rng, down, up, repeat, delay, seconds, corrupt)

    @rule(
        number=numbers,
        fport=st.sampled_from([0, 1, 200, 201, 202, 203, 225]),
        payload=st.binary(max_size=12),
    )
    def a_device_talks_nonsense(self, number: int, fport: int, payload: bytes) -> None:
        unit = self.unit(number)
        self.liars.add(int(unit.member.dev_eui))
        self.guarded(lambda: self.fleet.uplink(unit, fport, payload))

    @rule(number=numbers)
    def a_device_reboots(self, number: int) -> None:
        self.unit(number).switch_on()

    @rule(number=numbers)
    def a_device_hears_nothing_or_again(self, number: int) -> None:
        unit = self.unit(number)
        unit.deaf = not unit.deaf

    @rule(number=numbers, error=st.sampled_from([-4000.0, -20.0, 20.0, 4000.0]))
    def a_clock_is_wrong(self, number: int, error: float) -> None:
        self.unit(number).clock_error = error

    @precondition(lambda self: self.phase is CampaignPhase.RUNNING)
    @rule()
    def pause(self) -> None:
        self.guarded(self.fleet.pause)

    @precondition(lambda self: self.phase is CampaignPhase.PAUSED)
    @rule(seconds=st.sampled_from([0.0, 1000.0, 100_000.0]))
    def resume(self, seconds: float) -> None:
        self.guarded(lambda: self.fleet.run_for(seconds))
        if self.phase is CampaignPhase.PAUSED:
            self.guarded(self.fleet.resume)

    @precondition(lambda self: self.phase in (CampaignPhase.RUNNING, CampaignPhase.PAUSED))
    @rule(sure=st.integers(0, 3))
    def cancel(self, sure: int) -> None:
        if sure == 0:
            self.guarded(self.fleet.cancel)

    @precondition(lambda self: self.phase in (CampaignPhase.RUNNING, CampaignPhase.PAUSED))
    @precondition(lambda self: len(self.fleet.units) < 6)
    @rule(version=st.sampled_from([1, 2]))
    def a_device_joins(self, version: int) -> None:
        number = max(map(int, self.fleet.units)) + 1
        self.guarded(lambda: self.fleet.add(Unit.of(member(number), version)))

    @rule(number=numbers, sure=st.integers(0, 3))
    def a_device_is_removed(self, number: int, sure: int) -> None:
        if sure == 0:
            eui, fleet = self.unit(number).member.dev_eui, self.fleet
            self.guarded(lambda: fleet.act(fleet.campaign.remove_device(eui, now=fleet.now)))

    @rule(later=st.integers(0, 5), side=st.sampled_from(["before", "after"]))
    def the_process_will_crash_at_a_commit(self, later: int, side: str) -> None:
        self.fleet.crash_at = self.fleet.commits + later, side

    @rule()
    def the_process_restarts(self) -> None:
        self.fleet.restart()

    @invariant()
    def memory_is_bounded(self) -> None:
        if not hasattr(self, "fleet"):
            return
        campaign, devices = self.fleet.campaign, len(self.fleet.units)
        assert len(campaign._roster._in_flight) <= self.fleet.config.max_in_flight
        assert len(campaign._roster._heap) <= 64 * devices
        assert len(campaign._roster._waiting) <= 16 * devices
        assert not campaign._roster.log._touched
        assert not campaign._actions or self.phase is CampaignPhase.NEW

    @invariant()
    def nobody_has_a_wrong_image_and_no_success_is_invented(self) -> None:
        if not hasattr(self, "fleet"):
            return
        fleet = self.fleet
        for eui, unit in fleet.units.items():
            assert all(block.data == fleet.config.block.image for block in unit.blocks)
            record = fleet.campaign.record(eui)
            if record.outcome.success and eui not in self.liars:
                assert unit.blocks, record

    @invariant()
    def milestones_have_their_evidence_and_stay(self) -> None:
        if not hasattr(self, "fleet"):
            return
        for eui, unit in self.fleet.units.items():
            now = self.fleet.campaign.record(eui).milestones
            if now and eui not in self.liars:
                assert unit.blocks, now
            before = self.reached.get(eui, {})
            if self.fleet.stored.devices.get(eui):  # a crash may forget what nobody acted upon
                self.reached[eui] = self.fleet.stored.devices[eui].milestones
            assert before.items() <= now.items()

    def teardown(self) -> None:
        if not hasattr(self, "fleet"):
            return
        fleet = self.fleet
        fleet.crash_at = None
        fleet.channel = Channel(fleet.channel.rng)
        for unit in fleet.units.values():
            unit.deaf = False
        if self.phase is CampaignPhase.PAUSED:
            fleet.resume()
        fleet.run(steps=MOST_STEPS)
        assert fleet.campaign.next_deadline is None
        self.nobody_has_a_wrong_image_and_no_success_is_invented()
        assert fleet.campaign.report().devices == FleetReport.of(fleet)


class FleetReport:
    """What a campaign restored from the store reports."""

    @staticmethod
    def of(fleet: Fleet) -> object:
        report = fleet.campaign.report()
        fleet.restart()
        assert fleet.campaign.report() == report
        return report.devices


TestCampaign = CampaignMachine.TestCase
TestCampaign.settings = settings(
    max_examples=2_000 if LONG else 40,
    stateful_step_count=200 if LONG else 30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
