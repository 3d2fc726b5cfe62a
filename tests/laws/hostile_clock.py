"""Clocks that jump, stop, go back and wrap, for a device and for a campaign (promise R11)."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Sequence

from lorafuota.campaign import FirmwareStep, FuotaCampaign
from lorafuota.campaign.actions import CampaignAction, Multicast
from lorafuota.campaign.state import CampaignPhase, Outcome
from lorafuota.session.actions import (
    Action,
    ListenClassB,
    ListenClassC,
    Send,
    StopListening,
)
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragLimits
from lorafuota.session.multicast import McLimits, WindowLimits
from lorafuota.session.stacks import DEVICE_PROFILES, device_profile
from lorafuota.types import DOWNLINK, GenAppKey
from tests.laws.hostile_devices import any_octets
from tests.unit.campaign.fleet import NEW, Channel, Fleet, Unit, config, member

NOW = 1_300_000_000.0
WRAP = float(1 << 32)
ROOT = GenAppKey(bytes(range(16)))
MOST_TICKS = 400
MOST_AT_ONCE = 16
"""Ticks in a row without time between them: some stacks send what they repeat without a pause."""
MOST_STEPS = 20_000
ROUNDING = 1e-4
LIMITED = McLimits(windows=WindowLimits(max_session_seconds=300, max_daily_seconds=1000))


def next_time(rng: random.Random, now: float) -> float:
    """What a clock shows next: time that passes, stops, jumps, goes back or wraps."""
    match rng.randrange(8):
        case 0:
            return now
        case 1:
            return now - rng.choice((1e-3, 1.0, 100.0, 1e5, 1e9))
        case 2:
            return now + rng.choice((1e5, 1e7, 1e9))
        case 3:
            return rng.choice((0.0, -1.0, 2.0**31, WRAP - 1, WRAP, WRAP + 5, -1e10, 1e10))
        case 4:
            return now % WRAP
        case _:
            return now + rng.choice((0.0, 0.01, 1.0, 10.0, 130.0, 3000.0)) * rng.random()


# The device


def device_schedule(seed: int) -> str:
    """Put one device of some stack through one schedule; return which stack.

    Whatever its clock does nothing is raised, answers leave in the time their delay allows,
    windows open and close in turn; and once time passes evenly every deadline leads on.
    """
    rng = random.Random(f"clock {seed}")
    name = rng.choice(list(DEVICE_PROFILES))
    profile = device_profile(name)
    one = FuotaDevice.from_profile(
        profile,
        root_key=ROOT,
        rng=rng,
        period_seconds=rng.choice((None, 86_400.0)),
        clock_known=rng.random() < 0.5,
        frag_limits=FragLimits(max_memory=400_000),
        mc_limits=rng.choice((None, LIMITED)),
    )
    packages = [profile.multicast.package, profile.fragmentation.package]
    packages += [part.profile.package for part in (one.clock, one.firmware) if part is not None]
    latest = 2048 + 3 + profile.multicast.answer_delay_seconds
    listening: set[int] = set()

    def check(actions: Sequence[Action], now: float) -> None:
        for action in actions:
            match action:
                case Send():
                    assert now <= action.not_before <= now + latest, f"seed {seed}: {action}"
                    assert 1 <= len(action.payload) <= one.max_payload
                case ListenClassB() | ListenClassC():
                    assert now < action.end, f"seed {seed}: {action} at {now}"
                    listening.add(action.mc_group_id)
                case StopListening():
                    assert action.mc_group_id in listening, f"seed {seed}: {action}"
                    listening.remove(action.mc_group_id)
                case _:
                    pass
        assert listening == set(one.multicast.listening), f"seed {seed}"

    now = NOW
    for _ in range(rng.randint(1, 16)):
        now = next_time(rng, now)
        what = rng.randrange(6)
        if what == 0:
            check(one.tick(now=now), now)
        elif what == 1 and one.clock is not None:
            check(one.set_time(rng.choice((now, NOW, rng.uniform(0, 2 * WRAP))), now=now), now)
        else:
            package = rng.choice(packages)
            downlinks = [cls for cls in package.commands if cls.DIRECTION is DOWNLINK]
            cids = b"".join(any_octets(rng, rng.choice(downlinks)) for _ in range(2))
            group = rng.choice((None, None, None, 0, 2))
            check(one.receive(package.fport, cids[:242], now=now, mc_group_id=group), now)
    at_once = 0
    for _ in range(MOST_TICKS):
        due = one.next_deadline
        if due is None or due > now + 1e6:
            break
        at_once = 0 if due > now else at_once + 1
        assert at_once <= MOST_AT_ONCE, f"seed {seed}: {name} is due for ever and does nothing"
        now = max(now, due)
        check(one.tick(now=now), now)
    return name


def device_schedules(count: int, seed: int = 0) -> Counter[str]:
    """Run schedules for devices; return how many of each stack."""
    return Counter(device_schedule(number) for number in range(seed, seed + count))


# The campaign


class Warped:
    """A campaign whose owner's clock is off by an error that changes."""

    def __init__(self, real: FuotaCampaign, fleet: WarpedFleet) -> None:
        self.real, self._fleet = real, fleet

    def __getattr__(self, name: str) -> object:
        """Pass on what has no time in it, and turn the time of what has."""
        found = getattr(self.real, name)
        if name in ("start", "tick", "receive", "pause", "resume", "cancel", "add_device"):
            return self._at_the_owners_time(found)
        return found

    def _at_the_owners_time(
        self, method: Callable[..., list[CampaignAction]]
    ) -> Callable[..., list[CampaignAction]]:
        def call(*args: object, now: float) -> list[CampaignAction]:
            actions = method(*args, now=self._fleet.reading(now))
            return [
                dataclasses.replace(one, time=one.time - self._fleet.error)
                if isinstance(one, Multicast)
                else one
                for one in actions
            ]

        return call

    @property
    def next_deadline(self) -> float | None:
        due = self.real.next_deadline
        return None if due is None else due - self._fleet.error


class LateUnit(Unit):
    """A device whose timer fires a moment late, and not a rounding error too early."""

    @property
    def deadline(self) -> float | None:
        own = super().deadline
        return None if own is None else own + ROUNDING


class WarpedFleet(Fleet):
    """A fleet whose server has a clock of its own."""

    error = 0.0
    stopped: float | None = None

    @property
    def campaign(self) -> FuotaCampaign:
        return self._warped  # type: ignore[return-value]

    @campaign.setter
    def campaign(self, real: FuotaCampaign) -> None:
        self._warped = Warped(real, self)

    def reading(self, now: float) -> float:
        """What the server's clock shows; a timer does not fire a rounding error too early."""
        if self.stopped is not None:
            return self.stopped
        shown, due = now + self.error, self._warped.real.next_deadline
        return due if due is not None and due - ROUNDING < shown < due else shown


def campaign_schedule(seed: int) -> dict[Outcome, int]:
    """Run one campaign whose server's clock is hostile for a while; return how it ended.

    The referee of the fleet sees that no counter comes back; the campaign ends once time passes
    evenly again, and its success is true.
    """
    rng = random.Random(f"warp {seed}")
    units = [LateUnit.of(member(at + 1), rng.choice((1, 2))) for at in range(rng.randint(1, 2))]
    loss = rng.choice((0.0, 0.0, 0.2))
    wanted = config(
        [unit.member for unit in units],
        lead_seconds=rng.choice((10.0, 600.0)),
        max_rounds=rng.choice((1, 8)),
        firmware=rng.choice((None, FirmwareStep(version=NEW, boot_seconds=10))),
    )
    fleet = WarpedFleet(wanted, units, channel=Channel(rng, loss, loss))
    fleet.error = next_time(rng, fleet.now) - fleet.now
    fleet.start()
    for _ in range(rng.randint(1, 8)):
        for _ in range(rng.randint(1, 40)):
            if fleet.campaign.phase is CampaignPhase.ENDED:
                break
            fleet.step()
        shown = fleet.reading(fleet.now)
        fleet.stopped = shown if rng.random() < 0.2 else None
        if fleet.stopped is None:
            fleet.error = next_time(rng, shown) - fleet.now
        fleet.act(fleet.campaign.tick(now=fleet.now))
    fleet.stopped = None
    fleet.run(steps=MOST_STEPS)
    fleet.check_honest()
    assert fleet.campaign.next_deadline is None, f"seed {seed}"
    return Counter(fleet.outcomes.values())


def campaign_schedules(count: int, seed: int = 0) -> Counter[Outcome]:
    """Run schedules for campaigns; return how they ended."""
    outcomes: Counter[Outcome] = Counter()
    for number in range(seed, seed + count):
        outcomes += Counter(campaign_schedule(number))
    return outcomes
