"""Invariant: a document is what was written, or a FieldError; JSON that is none never gets so far.

For each reader of JSON in the library: messages, events, snapshots and configurations of campaigns,
saved devices, saved decoders, scenarios.  What is accepted works, and is written as it was read.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import lorafuota
from lorafuota.campaign import Event, FuotaCampaign, config_from_json, config_to_json
from lorafuota.campaign.config import CampaignConfig
from lorafuota.campaign.snapshot import Snapshot, fold
from lorafuota.errors import FieldError, IntegrityError
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.variant import ParityVariant
from lorafuota.simulate import Scenario
from lorafuota.simulate.plan import Plan
from lorafuota.types import DOWNLINK
from lorafuota.wire import Command
from tests.fuzz import mutation
from tests.fuzz.round_trip import draw
from tests.fuzz.targets import device
from tests.fuzz.targets.target import MiB, Target
from tests.unit.campaign.fleet import START, fleet
from tests.unit.campaign.test_document import FULL, mask, unmask


def reader(read: Callable[[Any], str], data: bytes) -> str:
    """Read JSON and hand it on; say what became of it."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return "no JSON"
    try:
        return read(found)
    except FieldError as error:
        assert str(error)
        return "FieldError"


# Messages


def message(found: Any) -> str:
    one = lorafuota.from_json(found)
    package = lorafuota.package(found["package"], found["version"])
    assert lorafuota.from_json(json.loads(json.dumps(package.to_json(one)))) == one
    if isinstance(one, Command):
        assert type(one).decode(one.encode()) == one
    return "a message"


def messages() -> list[bytes]:
    rng = random.Random(0)
    found = []
    for package in lorafuota.PACKAGES:
        for cls in package.commands:
            one = draw(rng, cls)
            assert isinstance(one, Command)
            found.append(package.to_json(one))
        for payload in (b"\xee\x01", b"\x02"):
            found += [package.to_json(one) for one in package.parse(payload, DOWNLINK)]
    return [json.dumps(one).encode() for one in found]


# Campaigns


@functools.cache
def campaigns() -> tuple[CampaignConfig, tuple[Event, ...], tuple[Any, ...]]:
    """A configuration, the events of its campaign, and snapshots taken on the way."""
    one = fleet()
    one.start()
    snapshots = []
    for _ in range(8):
        for _ in range(40):
            one.step()
        snapshots.append(one.campaign.snapshot())
    return one.config, tuple(one.store.history()), tuple(snapshots)


def event(found: Any) -> str:
    one = Event.from_json(found)
    assert Event.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert str(one)
    state = fold([one])
    assert fold([], onto=json.loads(json.dumps(state))) == state
    return "an event"


def events() -> list[bytes]:
    return [json.dumps(one.to_json()).encode() for one in campaigns()[1][::9]]


def snapshot(found: Any) -> str:
    text = json.dumps(Snapshot.from_json(found).to_json())
    assert json.dumps(Snapshot.from_json(json.loads(text)).to_json()) == text
    config = campaigns()[0]
    campaign = FuotaCampaign(config, saved=found)
    campaign.report()
    before = campaign.snapshot()
    assert FuotaCampaign(config, saved=before).snapshot() == before
    for now in (START, START + 1e4, START + 1e6):
        campaign.tick(now=now)
    campaign.receive(config.members[0].dev_eui, 201, b"\x01\x05\x40\x00", now=START + 2e6)
    campaign.cancel(now=START + 2e6) if campaign.phase.value in ("running", "paused") else None
    json.dumps(campaign.snapshot())
    return "a campaign"


def snapshots() -> list[bytes]:
    return [json.dumps(one).encode() for one in campaigns()[2]]


def configuration(found: Any) -> str:
    config = config_from_json(found, unwrap=unmask_or_not)
    assert config_from_json(config_to_json(config, wrap=mask), unwrap=unmask) == config
    FuotaCampaign(config).start(now=START)
    return "a configuration"


def unmask_or_not(octets: bytes) -> bytes:
    """The caller's; it gives nonsense for nonsense."""
    return unmask(octets) if octets.endswith(b"tag") else octets


def configurations() -> list[bytes]:
    return [json.dumps(config_to_json(one, wrap=mask)).encode() for one in (FULL, campaigns()[0])]


def scenario(found: Any) -> str:
    one = Scenario.from_json(found, image=b"firmware" * 30)
    json.dumps(one.to_json())
    if one.devices <= 10_000:  # a plan has a line for each
        Plan(one)
    return "a scenario"


def scenarios() -> list[bytes]:
    image = b"firmware" * 30
    kinds = (
        Scenario(image=image),
        Scenario(image=image, devices=5, version=None, region="US915", dr=10, late=0.5, vanish=1),
        Scenario(image=image, profiles={"v1": 1, "v2": 2.5}, redundancy=0.3, firmware_version=7),
    )
    return [json.dumps(one.to_json()).encode() for one in kinds]


# Devices


def saved_device(found: Any) -> str:
    owner = device.Owner(device.Program(b"\x00\x0f"))
    owner.take(owner.device.restore(found, now=owner.now))
    for step in (device.receive(201, b"\x01\x01"), bytes((device.DUE, device.TICK, 4))):
        program = device.Program(step)
        while program.more:
            owner.step(program)
    owner.restart(owner.device.export(progress=True))
    return "a device"


def saved_devices() -> list[bytes]:
    found = []
    for data in device.seeds()[:8]:
        program = device.Program(data)
        owner = device.Owner(program)
        while program.more:
            owner.step(program)
            found.append(json.dumps(owner.device.export(progress=True)).encode())
    return sorted(set(found))[::5]


def saved_decoder(found: Any) -> str:
    one = FragDecoder.restore(found)
    if one.nb_frag * one.frag_size > 100_000:
        return "a large decoder"
    for n in (1, one.nb_frag, min(one.nb_frag + 3, 16_383)):
        one.feed(n, bytes(one.frag_size))
    assert one.missing >= 0
    try:
        one.check()
        if one.complete:
            assert len(one.block()) == one.nb_frag * one.frag_size
    except IntegrityError:
        pass
    again = FragDecoder.restore(json.loads(json.dumps(one.save())))
    assert again.save() == one.save()
    return "a decoder"


def saved_decoders() -> list[bytes]:
    rng, found = random.Random(0), []
    for variant in ParityVariant:
        for solved in (False, True):
            one = FragDecoder(nb_frag=12, frag_size=5, variant=variant)
            for n in range(1, 40 if solved else 14, 2):
                one.feed(n, rng.randbytes(5))
            if solved:
                one.check()
            found.append(json.dumps(one.save()).encode())
    return found


READERS: dict[str, tuple[Callable[[Any], str], Callable[[], Sequence[bytes]]]] = {
    "message": (message, messages),
    "event": (event, events),
    "snapshot": (snapshot, snapshots),
    "configuration": (configuration, configurations),
    "scenario": (scenario, scenarios),
    "saved-device": (saved_device, saved_devices),
    "saved-decoder": (saved_decoder, saved_decoders),
}

TARGETS = tuple(
    Target(
        name=name,
        one_input=functools.partial(reader, read),
        seeds=functools.cache(seeds),
        mutate=mutation.document,
        memory=16 * MiB,
    )
    for name, (read, seeds) in READERS.items()
)
