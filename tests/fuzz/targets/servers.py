"""Invariant: whatever a device answers, each server alone raises nothing and comes to an end.

The octets are a program: pauses, answers that are honest, answers that are anything.  What a server
sends fits a frame and can be read; left alone afterwards, it ends within its retries.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, Final

import lorafuota
from lorafuota.errors import StateError
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.package import PackageVersionReq, UnknownCommand
from lorafuota.session.clockserver import ClockSyncServer
from lorafuota.session.firmwareserver import FirmwareServer
from lorafuota.session.multipackageserver import MultiPackageServer
from lorafuota.session.retries import Retries
from lorafuota.session.serveractions import (
    Downlink,
    FirmwareEnded,
    ServerAction,
    SetAnswered,
    SetFailed,
)
from lorafuota.types import DOWNLINK, DevEUI
from lorafuota.wire import Command
from tests.fuzz import mutation
from tests.fuzz.targets.device import Program
from tests.fuzz.targets.target import Target

START: Final = 1_400_000_000.0
DEVICES: Final = (DevEUI(1), DevEUI(2), DevEUI(3))
OWN: Final = [lorafuota.package(name, 2) for name in ("clocksync", "multicastsetup")]
OWN.append(lorafuota.package("firmwaremanagement", 1))
PAUSES: Final = (0.0, 1.0, 100.0, 1e5, -50.0, -1e9, 1e10)
MOST_STEPS: Final = 200
MOST_TICKS: Final = 400

UPLINK, PAUSE, TICK, WISH = range(4)


class Clocks:
    """Asks three devices for everything, and answers what they ask."""

    def __init__(self) -> None:
        self.one = ClockSyncServer(retries=Retries(seconds=100, tries=3), max_devices=2)

    def start(self, now: float) -> list[ServerAction]:
        return self.wish(0, now) + self.wish(1, now)

    def wish(self, what: int, now: float) -> list[ServerAction]:
        device = DEVICES[what % 3]
        match what % 4:
            case 0:
                return self.one.ask_version(device, now=now)
            case 1:
                return self.one.set_period(device, what % 16, now=now)
            case 2:
                return self.one.resync(device, now=now)
            case _:
                self.one.forget(device)
                return []

    def receive(self, payload: bytes, now: float) -> list[ServerAction]:
        return self.one.receive(DEVICES[len(payload) % 3], payload, arrival=now)


class Firmware:
    """Installs an image, and may be told to give up."""

    def __init__(self) -> None:
        self.one = FirmwareServer(0x17011973, retries=Retries(seconds=100, tries=3))

    def start(self, now: float) -> list[ServerAction]:
        return self.one.start(now=now)

    def wish(self, what: int, now: float) -> list[ServerAction]:
        return self.one.cancel(now=now) if what % 16 == 0 and self.one.asked else []

    def receive(self, payload: bytes, now: float) -> list[ServerAction]:
        return self.one.receive(payload, now=now)


class Sets:
    """Sends command sets, and packs new ones."""

    def __init__(self) -> None:
        self.one = MultiPackageServer(OWN, retries=Retries(seconds=100, tries=3))

    def start(self, now: float) -> list[ServerAction]:
        return self.wish(0, now) + self.one.discover(now=now)

    def wish(self, what: int, now: float) -> list[ServerAction]:
        if len(self.one.waiting) > 5 or any(one not in self.known for one in OWN):
            return []
        wanted = [(package, PackageVersionReq()) for package in OWN[: 1 + what % 3]]
        return self.one.submit([*wanted, (OWN[2], firmware.DevVersionReq())], now=now)

    @property
    def known(self) -> list[Any]:
        return list(self.one.packages.values())

    def receive(self, payload: bytes, now: float) -> list[ServerAction]:
        return self.one.receive(payload, now=now)


Kind = Clocks | Firmware | Sets


def one_input(make: Callable[[], Kind], data: bytes) -> str:
    server, program, now = make(), Program(data), START
    found = check(server.start(now))
    steps = 0
    while program.more and steps < MOST_STEPS:
        steps += 1
        match program.octet() % 4:
            case 0:  # UPLINK
                found += check(server.receive(program.payload(), now))
            case 1:  # PAUSE
                now = min(max(now + PAUSES[program.octet() % 7], -1e12), 1e12)
                found += check(server.one.tick(now=now))
            case 2:  # TICK
                now = max(now, server.one.next_deadline or now)
                found += check(server.one.tick(now=now))
            case _:  # WISH
                with contextlib.suppress(StateError):  # not now
                    found += check(server.wish(program.octet(), now))
    for _ in range(MOST_TICKS):
        due = server.one.next_deadline
        if due is None:
            break
        now = max(now, due)
        found += check(server.one.tick(now=now))
    assert server.one.next_deadline is None, "it never ends"
    ends = [one for one in found if isinstance(one, FirmwareEnded | SetAnswered | SetFailed)]
    last = ends[-1] if ends else found[-1]
    return last.outcome.value if isinstance(last, FirmwareEnded) else type(last).__name__


def check(actions: list[ServerAction]) -> list[ServerAction]:
    """Look at what is sent."""
    for action in actions:
        if isinstance(action, Downlink):
            assert 1 <= len(action.payload) <= 242
            parsed = lorafuota.PackageMap().parse(action.fport, DOWNLINK, action.payload)
            assert not isinstance(parsed[-1], UnknownCommand), action
    return actions


def installation() -> bytes:
    """The answers of a device that installs what it was sent."""
    new = 0x17011973
    answers: tuple[Command, ...] = (
        firmware.DevVersionAns(fw_version=1, hw_version=2),
        firmware.DevUpgradeImageAns(
            up_image_status=firmware.UpImageStatus.VALID, next_firmware_version=new
        ),
        firmware.DevRebootCountdownAns(countdown=55),
    )
    over = firmware.DevVersionAns(fw_version=new, hw_version=2).encode()
    told = [bytes((UPLINK, len(one.encode()))) + one.encode() for one in answers]
    return b"".join((*told, bytes((TICK, UPLINK, len(over))), over))


def seeds(fport: int) -> list[bytes]:
    """Answers from the vectors, with pauses and wishes between them."""
    found = [installation()] * (60 if fport == firmware.PACKAGE.fport else 0)
    payloads = [bytes((UPLINK, len(one))) + one for one in mutation.payloads()]
    for at in range(fport % 5, len(payloads), 5):
        some = payloads[at : at + 4]
        found.append(b"".join((*some[:2], bytes((TICK, WISH, at % 256)), *some[2:])))
        found.append(bytes((TICK,)).join(some) + bytes((PAUSE, at % 7, TICK)))
    return found


TARGETS = tuple(
    Target(
        name=name,
        one_input=functools.partial(one_input, make),
        seeds=functools.partial(seeds, fport),
    )
    for name, make, fport in (
        ("clock-server", Clocks, 202),
        ("firmware-server", Firmware, 203),
        ("set-server", Sets, 225),
    )
)
