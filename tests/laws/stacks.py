"""Campaigns for the stacks in the field, and what must not be said of their devices (R9, R10).

A device is one of :data:`lorafuota.session.stacks.DEVICE_PROFILES`, configured with the quirks the
library knows of it.  After a campaign the truth, which blocks the device delivered, is held against
what the server reports.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Sequence

from lorafuota.campaign import FirmwareStep, RetryPolicy
from lorafuota.campaign.quirks import quirks_of
from lorafuota.campaign.state import Outcome, Stage
from lorafuota.datablock import DataBlock
from lorafuota.session.actions import Action, BlockReceived, Store
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragDevice, FragState
from lorafuota.session.multicast import McDevice
from lorafuota.session.profile import FRAG_PROFILES
from lorafuota.session.stacks import DEVICE_PROFILES, DeviceProfile, device_profile
from tests.unit.campaign.fleet import NEW, Channel, Fleet, Unit, config, member

STACKS = tuple(DEVICE_PROFILES)
PATIENT = RetryPolicy(12, 20.0)
NO_BLOCK = (
    Outcome.MISSING_FRAGMENTS,
    Outcome.MEMORY_ERROR,
    Outcome.MIC_ERROR,
    Outcome.BAD_IMAGE,
)
"""Outcomes that say that the block is not there, or is not the right one."""


@dataclasses.dataclass
class StackUnit(Unit):
    """A device of one of the stacks: it reads and writes payloads as that stack does."""

    profile: DeviceProfile = dataclasses.field(kw_only=True)
    right: bytes = b""
    """The image it ought to get."""

    good_news: set[bytes] = dataclasses.field(default_factory=set)
    """What it said of a session whose block it had delivered."""
    server_told: bool = False
    """Some of that arrived before the server had done with the device."""
    earlier: int = 0
    """Blocks it had delivered when the present session was begun again."""

    @property
    def foreign(self) -> bool:
        """Whether it takes fragments for others than they are: its numbers begin with 0."""
        return self.frag.package not in [one.package for one in FRAG_PROFILES.values()]

    @classmethod
    def like(cls, name: str, number: int, *, multicast: bool = True) -> StackUnit:
        """Make a device, and a member that is configured as one should be for this stack."""
        profile = device_profile(name)
        parity = profile.fragmentation.parity
        one = member(number, quirks=quirks_of(profile), parity=parity, multicast=multicast)
        return cls(
            one,
            profile.fragmentation,
            profile.multicast,
            limits=profile.frag_limits,
            profile=profile,
        )

    def _sends(self, actions: Sequence[Action], now: float) -> list[tuple[float, int, bytes]]:
        """Let the boot loader see the signature: a block with other octets is no image."""
        kept = {one.name: one.value for one in actions if isinstance(one, Store)}
        begun_again = any(name.startswith("end/") and value is None for name, value in kept.items())
        if begun_again and not any(name.startswith("setup/") for name in kept):
            self.earlier, self.server_told = len(self.blocks), False
            self.good_news.clear()
        sends = super()._sends(actions, now)
        if any(isinstance(one, BlockReceived) and one.data != self.right for one in actions):
            self.image = None
        return sends

    def _own_way(self, at: float, fport: int, payload: bytes) -> list[tuple[float, int, bytes]]:
        if fport == self.frag.package.fport and self.there and payload[0] in (1, 4):
            self.good_news.add(payload)
        return super()._own_way(at, fport, payload)

    @property
    def there(self) -> bool:
        """Whether a session that is still there has delivered the block, verified if it can be."""
        states = [self.device.fragmentation.state(index) for index in range(4)]
        if FragState.DONE not in states:
            return False
        now = [block for block in self.blocks[self.earlier :] if block.data == self.right]
        return any(block.verified or not self.frag.has_mic for block in now)

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
            sets=self.profile.sets,
            on_unknown=self.profile.on_unknown,
            one_command_per_uplink=self.profile.one_command_per_uplink,
        )
        self.reboot_at = None


def false_report(unit: StackUnit, outcome: Outcome) -> str | None:
    """Say what is wrong with a server's report of a device, None if nothing is.

    No answer, a likely and an unknown transport claim nothing about the block.  Missing fragments
    are a false report only if an answer arrived that was sent when nothing was missing any more,
    and before the device had ended: behind that it could be about any session.  A transport to a
    device that numbers fragments in another way is complete with a wrong block, which no answer of
    version 1 can tell: that is for the signature to find.
    """
    delivered = [block for block in unit.blocks if block.data == unit.right]
    verified = any(block.verified for block in delivered)
    told = outcome is Outcome.TRANSPORTED and unit.foreign and unit.blocks
    if outcome.success and not delivered and not told:
        return f"{outcome.value!r} without the block"
    if outcome is Outcome.VERIFIED and not verified:
        return f"{outcome.value!r} of a block whose MIC was never checked"
    if unit.server_told and outcome in NO_BLOCK:
        return f"{outcome.value!r} although the block is there"
    return None


class StackFleet(Fleet):
    """A fleet that knows who told the server what."""

    def uplink(self, unit: Unit, fport: int, payload: bytes) -> None:
        assert isinstance(unit, StackUnit)
        listens = self.campaign.record(unit.member.dev_eui).stage not in (Stage.DONE, Stage.FAILED)
        news = fport == unit.frag.package.fport and payload in unit.good_news
        unit.server_told |= listens and news
        super().uplink(unit, fport, payload)


def campaign(name: str, seed: int) -> Fleet:
    """A campaign for one or two devices of one stack through a lossy channel, not yet begun."""
    rng = random.Random(f"{seed}/{name}")
    multicast = rng.random() < 0.8
    units = [StackUnit.like(name, at + 1, multicast=multicast) for at in range(rng.choice((1, 2)))]
    loss = rng.choice((0.0, 0.02, 0.05, 0.1, 0.2, 0.3))
    channel = Channel(
        rng,
        loss,
        rng.choice((0.0, loss)),
        rng.choice((0.0, 0.2)),
        rng.choice((0.0, 0.0, 0.2)),
        rng.choice((3.0, 40.0)),
        rng.choice((0.0, 0.1)),
    )
    frag_size = rng.randint(4, 20)
    image = rng.randbytes(rng.randint(1, 25 * frag_size))
    for unit in units:
        unit.right = image
    wanted = config(
        [unit.member for unit in units],
        block=DataBlock.of(image, frag_size=frag_size),
        redundancy=rng.choice((0.0, 0.1, 0.3, 0.6)),
        max_rounds=rng.choice((2, 8, 30)),
        retry=PATIENT,
        status_retry=PATIENT,
        firmware=FirmwareStep(version=NEW, boot_seconds=5) if rng.random() < 0.3 else None,
    )
    return StackFleet(wanted, units, channel=channel)


def honest_reports(name: str, count: int, seed: int = 0) -> tuple[Counter[Outcome], list[str]]:
    """Run *count* campaigns for a stack; return the outcomes, and every false report there was."""
    outcomes: Counter[Outcome] = Counter()
    wrong = []
    for number in range(seed, seed + count):
        fleet = campaign(name, number)
        fleet.start().run()
        for eui, unit in fleet.units.items():
            outcome = fleet.campaign.record(eui).outcome
            outcomes[outcome] += 1
            assert isinstance(unit, StackUnit)
            problem = false_report(unit, outcome)
            if problem is not None:
                wrong.append(f"{name}, seed {number}, device {int(eui)}: {problem}")
    return outcomes, wrong
