"""Devices that lie, repeat themselves and flood, against the server of others (promise S16)."""

from __future__ import annotations

import dataclasses
import gc
import json
import random
import tracemalloc

import lorafuota
from lorafuota.campaign import FirmwareStep
from lorafuota.campaign.actions import Commit, DeviceEnded, Unicast
from lorafuota.campaign.state import CampaignPhase, Outcome
from lorafuota.fragmentation.v2 import FragDataBlockReceivedAns
from lorafuota.types import UPLINK, DevEUI
from lorafuota.wire import Command
from tests.fuzz import mutation
from tests.fuzz.round_trip import draw
from tests.unit.campaign.fleet import NEW, Channel, Fleet, Unit, config, member

BAD = DevEUI(1)
MOST_REQUESTS = 120
"""Requests to one device in a campaign of 20 fragments, whatever it answers."""

ROW_OCTETS = 600
"""Of a device's record in the store."""

FLOOD = 300
GROWTH_OCTETS = 20_000
"""What ten times as many uplinks may add, caches of the interpreter included."""

PACKAGES = [package for package in lorafuota.PACKAGES if package.identifier]
POOL = mutation.payloads()


def any_octets(rng: random.Random, cls: type[Command]) -> bytes:
    """A message with any content."""
    message = draw(rng, cls)
    assert isinstance(message, cls)
    return message.encode()


def lie(rng: random.Random) -> tuple[int, bytes]:
    """One uplink: an answer with any content, noise, something damaged, much too much."""
    package = rng.choice(PACKAGES)
    uplinks = [cls for cls in package.commands if cls.DIRECTION is UPLINK]
    match rng.randrange(5):
        case 0:
            return rng.choice((0, 1, 200, 201, 202, 203, 225, 255)), rng.randbytes(
                rng.randrange(60)
            )
        case 1:
            return package.fport, mutation.octets(rng, POOL)
        case 2:
            payload = b"".join(any_octets(rng, rng.choice(uplinks)) for _ in range(30))
            return package.fport, payload[: rng.choice((242, 243, 5000))]
        case _:
            return package.fport, any_octets(rng, rng.choice(uplinks))


@dataclasses.dataclass
class Hostile(Unit):
    """A device that answers, and says whatever else comes to its mind, often."""

    honest_too: bool = dataclasses.field(kw_only=True)
    per_answer: int = dataclasses.field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sent = 0
        self.rewrite = self._flood

    def _flood(self, fport: int, payload: bytes) -> list[tuple[int, bytes]]:
        lies = [lie(self.rng) for _ in range(self.rng.randrange(self.per_answer))]
        self.sent += len(lies)
        return [*lies, (fport, payload), *lies[::-3]] if self.honest_too else lies


def _fleet(seed: int, hostile: bool) -> Fleet:
    """The same campaign, with or without the device that means no good."""
    rng = random.Random(f"hostile {seed}")
    honest_too, per_answer = rng.random() < 0.7, rng.choice((2, 20, 100))
    versions = [rng.choice((1, 2)) for _ in range(3)]
    alone = rng.random() < 0.2
    units: list[Unit] = [
        Unit.of(member(at + 2), version) for at, version in enumerate(versions[1:])
    ]
    if hostile:
        bad = member(int(BAD), multicast=not alone)
        units.append(Hostile.of(bad, versions[0], honest_too=honest_too, per_answer=per_answer))
    wanted = config(
        [unit.member for unit in units],
        max_in_flight=rng.choice((1, 2, 1000)),
        lead_seconds=rng.choice((20.0, 600.0)),
        firmware=rng.choice((None, FirmwareStep(version=NEW, boot_seconds=5))),
    )
    return Fleet(wanted, units, channel=Channel(rng))


def _others_end(fleet: Fleet) -> float:
    """Run to the end; return when the last of the others had ended."""
    last = fleet.now
    fleet.start()
    seen = 0
    for _ in range(50_000):
        for action in fleet.log[seen:]:
            if isinstance(action, DeviceEnded) and action.dev_eui != BAD:
                last = fleet.now
        seen = len(fleet.log)
        if fleet.campaign.phase is CampaignPhase.ENDED:
            return last
        assert fleet.step(), f"stuck: {fleet.campaign.report()}"
    raise AssertionError(f"no end: {fleet.campaign.report()}")


def campaign_with_a_liar(seed: int) -> tuple[int, float, int]:
    """Run a campaign of which one device floods the server.

    Returns:
        Uplinks the device sent, seconds by which the others ended later than without it, requests
        it was sent.
    """
    alone, fleet = _fleet(seed, False), _fleet(seed, True)
    usual, late = _others_end(alone), _others_end(fleet)
    wanted = fleet.config
    patience = wanted.setup_seconds + wanted.lead_seconds
    patience += 2 * wanted.retry.attempts * wanted.retry.interval_seconds
    assert late <= usual + patience, f"seed {seed}: {late - usual} s later"
    for number in (2, 3):
        assert fleet.outcomes[number] is alone.outcomes[number], f"seed {seed}: {fleet.outcomes}"
        assert fleet.outcomes[number].success
    requests = 0
    for action in fleet.log:
        if isinstance(action, Unicast) and action.dev_eui == BAD:
            ack = action.payload[0] == FragDataBlockReceivedAns.CID and len(action.payload) == 2
            requests += not (action.fport == 202 or (action.fport == 201 and ack))
        elif isinstance(action, Commit):
            row = sum(
                len(json.dumps(event.to_json()))
                for event in action.events
                if event.subject == f"device/{BAD}"
            )
            assert row <= ROW_OCTETS, f"seed {seed}: events of {row} octets"
    assert requests <= MOST_REQUESTS, f"seed {seed}: {requests} requests"
    bad = fleet.units[BAD]
    assert isinstance(bad, Hostile)
    assert fleet.outcomes[BAD] is not Outcome.PENDING
    return bad.sent, late - usual, requests


@dataclasses.dataclass
class Liars:
    """Figures of many campaigns."""

    campaigns: int = 0
    uplinks: int = 0
    most_requests: int = 0
    most_seconds_later: float = 0.0


def campaigns_with_a_liar(count: int, seed: int = 0) -> Liars:
    found = Liars()
    for number in range(seed, seed + count):
        sent, later, requests = campaign_with_a_liar(number)
        found.campaigns += 1
        found.uplinks += sent
        found.most_requests = max(found.most_requests, requests)
        found.most_seconds_later = max(found.most_seconds_later, later)
    return found


def flood(seed: int, uplinks: int = FLOOD) -> int:
    """Flood a campaign at some moment of its life; return by how many octets it grew.

    Its size after a flood is its size after one ten times as long.
    """
    rng = random.Random(f"flood {seed}")
    fleet = _fleet(seed, False)
    fleet.start()
    moment = rng.randint(0, 120)
    for _ in range(moment):
        if fleet.campaign.phase is CampaignPhase.ENDED or not fleet.step():
            break
    campaign, bad = fleet.campaign, DevEUI(2)
    others = (DevEUI(99), DevEUI(2**64 - 1))

    def pour(many: int) -> None:
        for _ in range(many):
            eui = bad if rng.random() < 0.9 else rng.choice(others)
            fport, payload = lie(rng)
            campaign.receive(eui, fport, payload, now=fleet.now)

    tracemalloc.start()
    try:
        pour(uplinks)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        pour(10 * uplinks)
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert growth <= GROWTH_OCTETS, (
        f"seed {seed}: {growth} octets more after {10 * uplinks} uplinks"
    )
    return growth


def floods(count: int, seed: int = 0) -> int:
    """Return the most octets a campaign grew by."""
    return max(flood(number) for number in range(seed, seed + count))
