"""Random walks of whole campaigns: whatever happens on the way, each comes to an end (promise R9).

Like the rule-based machine of :mod:`tests.laws.test_campaign_laws`, with devices of every stack and
without shrinking, which makes it fast enough for a million steps.  A step is one thing that happens
in the fleet: a message arrives, a deadline comes, somebody does something.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable

from lorafuota.campaign import FirmwareStep
from lorafuota.campaign.state import CampaignPhase, Outcome
from lorafuota.datablock import DataBlock
from tests.laws.stacks import PATIENT, STACKS, StackUnit
from tests.unit.campaign.fleet import NEW, Channel, Crash, Fleet, config

MOST_STEPS = 20_000
"""Steps in which a campaign has to end once the channel is fair."""

RUNNING = (CampaignPhase.RUNNING, CampaignPhase.PAUSED)


class Stuck(AssertionError):
    """Neither the end nor a named failure was reached."""


@dataclasses.dataclass
class Walk:
    """One campaign and what befalls it."""

    seed: int

    def __post_init__(self) -> None:
        self.rng = rng = random.Random(f"walk {self.seed}")
        self.steps = 0
        frag_size = rng.randint(4, 12)
        self.image = rng.randbytes(rng.randint(1, 20 * frag_size))
        units = [self.unit(at + 1) for at in range(rng.randint(1, 4))]
        wanted = config(
            [unit.member for unit in units],
            block=DataBlock.of(self.image, frag_size=frag_size),
            max_in_flight=rng.choice((1, 2, 1000)),
            lead_seconds=rng.choice((10.0, 600.0)),
            max_rounds=rng.choice((0, 2, 8)),
            airtime_budget_seconds=rng.choice((None, None, 4.0)),
            firmware=rng.choice((None, FirmwareStep(version=NEW, boot_seconds=10))),
            retry=PATIENT,
            status_retry=PATIENT,
        )
        self.fleet = Fleet(wanted, units, channel=Channel(rng))

    def unit(self, number: int) -> StackUnit:
        unit = StackUnit.like(self.rng.choice(STACKS), number, multicast=self.rng.random() < 0.8)
        unit.right = self.image
        return unit

    def run(self) -> Counter[Outcome]:
        """Go the whole way; return how it ended for the devices.

        Raises:
            Stuck: It never ends.
        """
        self.guarded(self.fleet.start)
        for _ in range(self.rng.randint(1, 25)):
            self.step()
            self.guarded(self.rng.choice(_HAPPENINGS).__get__(self))
        self.finish()
        return Counter(self.fleet.outcomes.values())

    def guarded(self, what: Callable[[], object]) -> None:
        """Do something, and come back from the store when the process crashes in it."""
        self.steps += 1
        try:
            what()
        except Crash:
            self.fleet.restart()

    def step(self) -> None:
        for _ in range(self.rng.randint(1, 60)):
            self.guarded(self.fleet.step)

    def finish(self) -> None:
        fleet = self.fleet
        fleet.crash_at = None
        fleet.channel = Channel(self.rng)
        for unit in fleet.units.values():
            unit.deaf = False
        if fleet.campaign.phase is CampaignPhase.PAUSED:
            fleet.resume()
        for _ in range(MOST_STEPS):
            if fleet.campaign.phase is CampaignPhase.ENDED:
                break
            self.steps += 1
            if not fleet.step():
                raise Stuck(
                    f"seed {self.seed}: nothing will ever happen: {fleet.campaign.report()}"
                )
        else:
            raise Stuck(f"seed {self.seed}: no end in {MOST_STEPS} steps")
        if fleet.campaign.next_deadline is not None or Outcome.PENDING in fleet.outcomes.values():
            raise Stuck(f"seed {self.seed}: ended with something left: {fleet.campaign.report()}")
        for unit in fleet.units.values():
            assert isinstance(unit, StackUnit)
            wrong = any(block.data != self.image for block in unit.blocks)
            assert unit.foreign or not wrong, f"seed {self.seed}: a wrong image"

    # What happens

    def any_unit(self) -> StackUnit:
        unit = self.rng.choice(list(self.fleet.units.values()))
        assert isinstance(unit, StackUnit)
        return unit

    def channel_changes(self) -> None:
        rng, losses = self.rng, (0.0, 0.1, 0.4, 1.0)
        self.fleet.channel = Channel(
            rng,
            rng.choice(losses),
            rng.choice(losses),
            rng.choice((0.0, 0.5)),
            rng.choice((0.0, 0.5)),
            rng.choice((3.0, 60.0, 5000.0)),
            rng.choice((0.0, 0.3)),
        )

    def device_talks_nonsense(self) -> None:
        fport = self.rng.choice((0, 1, 200, 201, 202, 203, 225))
        self.fleet.uplink(self.any_unit(), fport, self.rng.randbytes(self.rng.randint(0, 12)))

    def device_reboots(self) -> None:
        self.any_unit().switch_on()

    def device_is_deaf_or_hears_again(self) -> None:
        unit = self.any_unit()
        unit.deaf = not unit.deaf

    def clock_is_wrong(self) -> None:
        self.any_unit().clock_error = self.rng.choice((-4000.0, -20.0, 20.0, 4000.0))

    def operator_pauses(self) -> None:
        if self.fleet.campaign.phase is CampaignPhase.RUNNING:
            self.fleet.pause()
            self.fleet.run_for(self.rng.choice((0.0, 1000.0, 100_000.0)))
            self.fleet.resume()

    def operator_cancels(self) -> None:
        if self.fleet.campaign.phase in RUNNING and self.rng.random() < 0.2:
            self.fleet.cancel()

    def device_joins(self) -> None:
        if self.fleet.campaign.phase in RUNNING and len(self.fleet.units) < 6:
            self.fleet.add(self.unit(max(map(int, self.fleet.units)) + 1))

    def device_is_removed(self) -> None:
        if self.rng.random() < 0.2:
            eui, fleet = self.any_unit().member.dev_eui, self.fleet
            fleet.act(fleet.campaign.remove_device(eui, now=fleet.now))

    def process_will_crash(self) -> None:
        later = self.fleet.commits + self.rng.randint(0, 5)
        self.fleet.crash_at = later, self.rng.choice(("before", "after"))

    def process_restarts(self) -> None:
        self.fleet.restart()


_HAPPENINGS: tuple[Callable[[Walk], None], ...] = (
    Walk.channel_changes,
    Walk.channel_changes,
    Walk.device_talks_nonsense,
    Walk.device_reboots,
    Walk.device_is_deaf_or_hears_again,
    Walk.clock_is_wrong,
    Walk.operator_pauses,
    Walk.operator_cancels,
    Walk.device_joins,
    Walk.device_is_removed,
    Walk.process_will_crash,
    Walk.process_restarts,
)


def walks(steps: int, seed: int = 0) -> tuple[int, int, Counter[Outcome]]:
    """Walk until *steps* have been made; return steps, walks and outcomes.

    Raises:
        Stuck: One of the campaigns never ends.
    """
    made, number = 0, 0
    outcomes: Counter[Outcome] = Counter()
    while made < steps:
        walk = Walk(seed + number)
        outcomes += walk.run()
        made, number = made + walk.steps, number + 1
    return made, number, outcomes
