"""Frame counters of multicast groups: each once with a key, and inside its range (promise S9)."""

from __future__ import annotations

import dataclasses
import random

from lorafuota.campaign.actions import CampaignAction, Multicast, Unicast
from lorafuota.campaign.state import CampaignPhase
from lorafuota.datablock import DataBlock
from lorafuota.errors import StateError
from lorafuota.link import McSender
from lorafuota.multicastsetup.v1 import McGroupSetupReq
from lorafuota.session.actions import Action, Dropped, DropReason
from lorafuota.session.multicast import McGroupServer
from lorafuota.session.profile import mc_profile
from lorafuota.session.saved import SavedState, keep
from lorafuota.types import DevAddr, McKey
from tests.laws.set_ups import NOW, ROOT, device
from tests.laws.stacks import PATIENT
from tests.unit.campaign.fleet import GROUPS, Channel, Crash, Fleet, Unit, config, member

MOST = 0xFFFFFFFF


# The server


@dataclasses.dataclass
class Sends:
    """What groups sent, and what happened to the processes that sent."""

    frames: int = 0
    crashes: int = 0
    groups: int = 0


class Witness(Fleet):
    """Writes down every counter that leaves, whether or not anybody hears it."""

    left: dict[DevAddr, list[int]]
    ranges: dict[str, tuple[DevAddr, int, int]]

    def act(self, actions: list[CampaignAction]) -> None:  # type: ignore[override]
        for action in actions:
            if isinstance(action, Multicast):
                mc_addr, first, end = self.ranges[action.group]
                assert first <= action.fcnt < end, f"{action.fcnt} is not in {first}..{end - 1}"
                wire = int.from_bytes(action.phy[6:8], "little")
                assert wire == action.fcnt & 0xFFFF
                self.left.setdefault(mc_addr, []).append(action.fcnt)
            elif isinstance(action, Unicast) and action.fport == 200:
                self.check_range(action)
            super().act([action])

    def check_range(self, action: Unicast) -> None:
        """What a device is told lies inside the group's range, and nothing before it was sent."""
        if action.payload[0] != McGroupSetupReq.CID:
            return
        req = McGroupSetupReq.decode(action.payload)
        [(first, end)] = [
            (low, high) for at, low, high in self.ranges.values() if at == req.mc_addr
        ]
        assert first <= req.min_mc_fcnt <= req.max_mc_fcnt == end
        assert req.min_mc_fcnt > max(self.left.get(req.mc_addr, [-1])), "a counter came back"


def group_campaign(seed: int, sends: Sends) -> None:
    """Run a campaign whose process crashes again and again; every counter leaves at most once."""
    rng = random.Random(f"counters {seed}")
    units = [Unit.of(member(at + 1), rng.choice((1, 2))) for at in range(2)]
    first = rng.choice((0, 1, 65_500, 0xFFFE, 1 << 20, MOST - 3000))
    groups = tuple(
        dataclasses.replace(
            one, first_fcnt=first, max_mc_fcnt=rng.choice((min(first + 2900, MOST), MOST))
        )
        for one in GROUPS
    )
    frag_size = rng.randint(1, 4)
    wanted = config(
        [unit.member for unit in units],
        block=DataBlock.of(rng.randbytes(frag_size * rng.randint(50, 500)), frag_size=frag_size),
        groups=groups,
        redundancy=rng.choice((0.0, 1.0, 2.0)),
        max_rounds=6,
        max_windows=50,
        retry=PATIENT,
        status_retry=PATIENT,
    )
    loss = rng.choice((0.1, 0.4, 0.6))
    fleet = Witness(wanted, units, channel=Channel(rng, loss, 0.0))
    fleet.left = {}
    fleet.ranges = {one.name: (one.mc_addr, one.first_fcnt, one.max_mc_fcnt) for one in groups}
    left = rng.randint(0, 12)
    while True:
        if left:
            left -= 1
            later = rng.choice((rng.randrange(4), rng.randrange(60)))
            fleet.crash_at = fleet.commits + later, rng.choice(("before", "after"))
        try:
            if fleet.campaign.phase is CampaignPhase.NEW:
                fleet.start()
            fleet.run()
            break
        except Crash:
            sends.crashes += 1
            fleet.restart()
    for mc_addr, counters in fleet.left.items():
        assert counters == sorted(set(counters)), f"seed {seed}: {mc_addr} sent a counter twice"
        sends.frames += len(counters)
        sends.groups += 1


def sends(frames: int, seed: int = 0) -> Sends:
    """Run campaigns until their groups have sent so many frames."""
    done, number = Sends(), seed
    while done.frames < frames:
        group_campaign(number, done)
        number += 1
    return done


# Both ends of one group


def both_ends(seed: int) -> tuple[int, int]:
    """Let a sender run into its end, and play everything to a device, twice and in any order.

    Returns:
        Frames sent, frames accepted.  None is accepted twice, none outside what the device was
        told, resets included.
    """
    rng = random.Random(f"ends {seed}")
    version, key, mc_addr = (
        rng.choice((1, 2)),
        McKey(rng.randbytes(16)),
        DevAddr(rng.getrandbits(32)),
    )
    low = rng.choice((0, 1, 0xFFF0, 0x1FFF8, MOST - 40, rng.randrange(MOST - 100)))
    told_low, told_high = low + rng.randint(0, 10), low + rng.randint(11, 30)
    high = min(low + 38, MOST)
    sender = McSender.from_mc_key(key, mc_addr, next_fcnt=low, max_mc_fcnt=high)
    frames: list[tuple[int, bytes]] = []
    while True:
        fcnt = sender.next_fcnt
        try:
            frames.append((fcnt, sender.seal(b"x", fport=201)))
        except StateError:
            break
    assert [fcnt for fcnt, _ in frames] == list(range(low, high))
    server = McGroupServer(mc_addr=mc_addr, mc_key=key, max_mc_fcnt=told_high, next_fcnt=told_low)
    one, state = device(version), SavedState()

    def taken(actions: list[Action]) -> bool:
        for action in actions:
            keep(state, action)
        [*_, last] = actions
        return not (isinstance(last, Dropped) and last.reason is DropReason.FRAME)

    setup = server.setup_req(ROOT, mc_group_id=1)
    assert taken(one.receive(200, setup.encode(), now=NOW))
    accepted: list[int] = []
    air = [frame for frame in frames for _ in range(2)]
    for at in range(len(air)):  # mostly in order
        swap = min(at + rng.choice((0, 0, 1, 5)), len(air) - 1)
        air[at], air[swap] = air[swap], air[at]
    for fcnt, phy in air + frames:
        if taken(one.receive_frame(phy, now=NOW)):
            accepted.append(fcnt)
        if rng.random() < 0.02:
            one = device(version)
            one.restore(dict(state), now=NOW)
    end = told_high + mc_profile(version).max_inclusive
    assert accepted == sorted(set(accepted)), f"seed {seed}: {accepted}"
    assert all(told_low <= fcnt < end for fcnt in accepted), f"seed {seed}: {accepted}"
    return len(frames), len(accepted)


def groups_of_both_ends(count: int, seed: int = 0) -> tuple[int, int]:
    found = [both_ends(number) for number in range(seed, seed + count)]
    return sum(sent for sent, _ in found), sum(taken for _, taken in found)
