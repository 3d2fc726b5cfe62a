"""Invariant: whatever devices, time and operators do, a campaign raises nothing and loses nothing.

The octets are a program, as for the device: honest devices behind the campaign go on, any of them
sends any octets, operators pause, cancel, add, remove and change keys, the process crashes and
comes back.  What the store holds is what the campaign knows, no counter is used twice
(:class:`tests.unit.campaign.fleet.Referee`), and the success of a device that told no lies stands
for an image that is there.
"""

from __future__ import annotations

import json
import random
from typing import Final

from lorafuota.campaign import CampaignConfig, FirmwareStep
from lorafuota.campaign.state import CampaignPhase
from lorafuota.errors import FieldError, StateError
from lorafuota.types import DevEUI, McKey
from tests.fuzz import mutation
from tests.fuzz.targets.device import Program
from tests.fuzz.targets.target import Target
from tests.unit.campaign.fleet import NEW, Channel, Crash, Fleet, Unit, config, member

FPORTS: Final = (200, 201, 202, 203, 225, 0, 1, 255)
PAUSES: Final = (1.0, 60.0, 3600.0, 1e6)
LOSSES: Final = (0.0, 0.1, 0.5, 1.0)
MOST_STEPS: Final = 60
MOST_EVENTS: Final = 400
STATE_OCTETS: Final = 8192

GO_ON, UPLINK, OPERATOR, WAIT, RESTART, CHANNEL, REBOOT, CRASH, STRANGER = range(9)


def campaign(settings: int) -> Fleet:
    """Three devices, two groups; some settings differ."""
    units = [Unit.of(member(at + 1), 1 + (settings >> at & 1)) for at in range(3)]
    wanted = config(
        [unit.member for unit in units],
        max_in_flight=1 if settings & 8 else 1000,
        firmware=FirmwareStep(version=NEW, boot_seconds=5) if settings & 16 else None,
        lead_seconds=20.0 if settings & 32 else 600.0,
        max_rounds=0 if settings & 64 else 8,
    )
    return Fleet(wanted, units, channel=Channel(random.Random(settings)))


def step(fleet: Fleet, program: Program, liars: set[DevEUI]) -> int:
    """Do what the program says; return how many events passed."""
    events = 1
    match program.octet() % 9:
        case 0:  # GO_ON
            for _ in range(program.octet()):
                if fleet.campaign.phase is CampaignPhase.ENDED or not fleet.step():
                    break
                events += 1
        case 1:  # UPLINK
            unit = list(fleet.units.values())[program.octet() % len(fleet.units)]
            liars.add(unit.member.dev_eui)
            fleet.uplink(unit, FPORTS[program.octet() % 8], program.payload())
        case 2:  # OPERATOR
            before = fleet.config, dict(fleet.units)
            try:
                operator(fleet, program.octet())
            except (FieldError, StateError):
                fleet.config, fleet.units = before  # refused, so nothing has changed
        case 3:  # WAIT
            fleet.now += PAUSES[program.octet() % 4]
            fleet.act(fleet.campaign.tick(now=fleet.now))
        case 4:  # RESTART
            fleet.restart()
        case 5:  # CHANNEL
            octet = program.octet()
            down, up, twice = (LOSSES[octet >> shift & 3] for shift in (0, 2, 4))
            damage = 0.3 if octet & 64 else 0.0
            fleet.channel = Channel(fleet.channel.rng, down, up, twice, 0.0, 3.0, damage)
        case 6:  # REBOOT
            list(fleet.units.values())[program.octet() % len(fleet.units)].switch_on()
        case 7:  # CRASH
            octet = program.octet()
            fleet.crash_at = fleet.commits + octet % 4, "after" if octet & 4 else "before"
        case _:  # STRANGER
            fleet.act(
                fleet.campaign.receive(
                    DevEUI(99), FPORTS[program.octet() % 8], program.payload(), now=fleet.now
                )
            )
    return events


def operator(fleet: Fleet, octet: int) -> None:
    match octet % 7:
        case 0:
            fleet.pause()
        case 1 | 2:
            fleet.resume()
        case 3 if octet & 8:
            fleet.cancel()
        case 4:
            eui = DevEUI(octet >> 4)
            fleet.act(fleet.campaign.remove_device(eui, now=fleet.now))
        case 5 if len(fleet.units) < 6:
            number = 1 + max(map(int, fleet.units))
            fleet.add(Unit.of(member(number), 1 + (octet >> 4 & 1)))
        case _:
            name = fleet.config.groups[octet >> 4 & 1].name
            fleet.rekey(name, McKey(bytes([octet, fleet.commits & 0xFF] * 8)))


def come_back(fleet: Fleet, former: CampaignConfig) -> None:
    """Restart; the owner keeps the old key of a group until the commit of the new one is safe."""
    try:
        fleet.restart()
    except FieldError:
        fleet.config = former
        fleet.restart()


def one_input(data: bytes) -> str:
    program = Program(data)
    fleet = campaign(program.octet())
    fleet.start()
    liars: set[DevEUI] = set()
    steps = events = 0
    while program.more and steps < MOST_STEPS and events < MOST_EVENTS:
        former = fleet.config
        try:
            events += step(fleet, program, liars)
        except Crash:
            come_back(fleet, former)
        steps += 1
    document = fleet.campaign.snapshot()
    assert document == fleet.stored.to_json()
    size = len(json.dumps(document))
    assert size <= STATE_OCTETS, f"{size} octets to store"
    for eui, unit in fleet.units.items():
        assert all(block.data == fleet.config.block.image for block in unit.blocks)
        assert unit.blocks or eui in liars or not fleet.campaign.record(eui).outcome.success
    return fleet.campaign.phase.value


def seeds() -> list[bytes]:
    rng = random.Random(0)
    payloads = mutation.payloads()
    programs = [bytes((0x57, GO_ON, 255, GO_ON, 255))]
    for settings in range(0, 128, 9):
        parts = [bytes((settings,))]
        for _ in range(8):
            parts.append(bytes((GO_ON, rng.randrange(80))))
            payload = rng.choice(payloads)
            what = rng.choice((UPLINK, UPLINK, OPERATOR, WAIT, RESTART, CHANNEL, REBOOT, CRASH))
            parts.append(bytes((what, rng.randrange(256))))
            if what == UPLINK:
                parts.append(bytes((rng.randrange(5), len(payload))) + payload)
        programs.append(b"".join(parts))
    return programs


TARGETS = (Target(name="campaign", one_input=one_input, seeds=seeds, everyday=20),)
