"""The server's sessions and a whole device, back to back over octets, on a channel that misbehaves.

Payloads are lost, repeated and overtaken in both directions.  Whatever happens, each session ends,
with the truth or with a name for what went wrong; nothing lost means that it ends well.
``LORAFUOTA_LONG=1`` runs many more.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation import v2 as fragmentation
from lorafuota.multicastsetup import v1 as multicastsetup
from lorafuota.multipackage import v1 as multipackage
from lorafuota.package import Package, PackageVersionReq
from lorafuota.session.actions import Action, Answer, DeleteImage, Reboot, Send
from lorafuota.session.clockserver import ClockSyncServer
from lorafuota.session.device import FuotaDevice
from lorafuota.session.firmware import UpImageStatus
from lorafuota.session.firmwareserver import FirmwareServer
from lorafuota.session.multipackageserver import MultiPackageServer
from lorafuota.session.retries import Retries
from lorafuota.session.serveractions import (
    ClockChecked,
    Downlink,
    FirmwareEnded,
    FirmwareOutcome,
    PeriodAnswered,
    ServerAction,
    SetAnswered,
    SetFailed,
    Unanswered,
)
from lorafuota.session.stacks import device_profile
from lorafuota.testing.channel import Channel, Loss, Reorder, Repeat
from lorafuota.testing.sessions import channels
from lorafuota.types import DevEUI, GenAppKey
from lorafuota.wire import Command
from tests.support import LONG

NOW = 1_400_000_000.0
OLD, NEW, HARDWARE = 0x0100, 0x0101, 7
EUI = DevEUI(0xA1)
RETRIES = Retries(seconds=100, tries=6)
MOST_EVENTS = 5_000
runs = settings(max_examples=2_000 if LONG else 60, deadline=None)


kinds = channels((Loss, Reorder, Repeat), longest=90.0)


def loses(channel: Channel) -> bool:
    return any(isinstance(one, Loss) for one in channel.effects)


class Air:
    """Time, and what is under way."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.now, self._count = NOW, 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, time: float, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (time, self._count, what))

    def carry(self, deliver: Callable[[], None]) -> None:
        for arrival in self.channel.send(b"", now=self.now):
            self.at(arrival.time, deliver)

    def run(self, deadline: Callable[[], float | None], tick: Callable[[], None]) -> None:
        """Go on until nothing is under way and nobody waits for anything."""
        for _ in range(MOST_EVENTS):
            due = deadline()
            if self._queue and (due is None or self._queue[0][0] <= due):
                time, _, what = heapq.heappop(self._queue)
                self.now = max(self.now, time)
                what()
            elif due is not None:
                self.now = max(self.now, due)
                tick()
            else:
                return
        pytest.fail("it never ends")


def device(name: str = "documents v2", *, clock_known: bool = True, seed: int = 1) -> FuotaDevice:
    return FuotaDevice.from_profile(
        device_profile(name),
        root_key=GenAppKey(bytes(16)),
        rng=random.Random(seed),
        fw_version=OLD,
        hw_version=HARDWARE,
        period_seconds=None,
        clock_known=clock_known,
    )


# Clock synchronisation


@runs
@given(
    channel=kinds,
    seed=st.integers(0, 1 << 32),
    skew=st.floats(-1.3e9, 1.3e9).filter(lambda one: abs(one) > 10),
    name=st.sampled_from(["documents v1", "documents v2", "LoRa Basics Modem 4.8", "Renesas"]),
)
def test_a_correction_makes_a_clock_right_whenever_it_arrives(
    channel: Channel, seed: int, skew: float, name: str
) -> None:
    air, server = Air(channel), ClockSyncServer(retries=RETRIES)
    one = device(name, clock_known=False, seed=seed)
    found: list[ServerAction] = []

    def error() -> float:
        shown = one.gps(air.now - skew)
        return 0.0 if shown is None else (shown - air.now + 2**31) % 2**32 - 2**31

    def down(actions: list[ServerAction]) -> None:
        found.extend(actions)
        for action in actions:
            if isinstance(action, Downlink):
                assert (action.fport, action.device) == (202, EUI)
                fall(action.payload)

    def up(actions: list[Action]) -> None:
        assert abs(error()) <= 1.0
        for action in actions:
            if isinstance(action, Send):
                rise(action.payload, air.now)

    def fall(payload: bytes) -> None:
        air.carry(lambda: up(one.receive(202, payload, now=air.now - skew)))

    def rise(payload: bytes, began: float) -> None:
        """Deliver an uplink, however late, with the time the gateway stamped."""
        air.carry(lambda: down(server.receive(EUI, payload, arrival=began)))

    down(server.set_period(EUI, 3, now=air.now))
    ends = NOW + 20_000.0

    def deadline() -> float | None:
        own = None if one.next_deadline is None else max(one.next_deadline + skew + 0.001, air.now)
        dues = [due for due in (own, server.next_deadline) if due is not None]
        return min(dues, default=None) if air.now < ends else None

    def tick() -> None:
        down(server.tick(now=air.now))
        up(one.tick(now=air.now - skew))

    air.run(deadline, tick)
    readings = [each for each in found if isinstance(each, ClockChecked)]
    answered = [each for each in found if isinstance(each, PeriodAnswered | Unanswered)]
    assert len(answered) == 1
    if not loses(channel):
        assert isinstance(answered[0], PeriodAnswered)
        assert any(each.corrected for each in readings)
        assert (readings[-1].in_sync, abs(error()) <= 1.0) == (True, True)
    if any(each.corrected for each in readings):
        assert abs(error()) <= 1.0
    assert server.devices <= 1


# Firmware


@runs
@given(
    channel=kinds,
    seed=st.integers(0, 1 << 32),
    stored=st.sampled_from([None, NEW, NEW, NEW, NEW + 1]),
    installs=st.sampled_from([True, True, True, False]),
    reboot=st.sampled_from(["now", "soon", "later", "at a time", "at a time, clock unknown"]),
    cancelled_after=st.none() | st.floats(0, 900),
)
def test_an_update_ends_with_what_the_device_runs_or_with_a_name(
    channel: Channel,
    seed: int,
    stored: int | None,
    installs: bool,
    reboot: str,
    cancelled_after: float | None,
) -> None:
    air = Air(channel)
    timed = reboot.startswith("at a time")
    server = FirmwareServer(
        NEW,
        hw_versions={HARDWARE},
        reboot_at=NOW + 2_000 if timed else None,
        countdown_seconds={"now": 0, "soon": 30}.get(reboot, 600),
        boot_seconds=60.0,
        retries=RETRIES,
    )
    one = device(clock_known=reboot != "at a time, clock unknown")
    assert one.firmware is not None
    own, found, away_until = one.firmware, list[ServerAction](), NOW
    if stored is not None:
        own.store_image(UpImageStatus.VALID, version=stored)

    def booted() -> None:
        runs_now = own.next_firmware_version if installs else None
        own.booted(own.fw_version if runs_now is None else runs_now)

    def down(actions: list[ServerAction]) -> None:
        found.extend(actions)
        for action in actions:
            if isinstance(action, Downlink):
                assert action.command == server.asked
                fall(action.payload)

    def fall(payload: bytes) -> None:
        air.carry(lambda: arrive(payload))

    def rise(payload: bytes) -> None:
        air.carry(lambda: down(server.receive(payload, now=air.now)))

    def arrive(payload: bytes) -> None:
        if air.now >= away_until:
            up(one.receive(203, payload, now=air.now))

    def up(actions: list[Action]) -> None:
        nonlocal away_until
        for action in actions:
            match action:
                case Send(fport=203, payload=payload):
                    rise(payload)
                case Reboot():
                    away_until = air.now + 20
                    air.at(away_until, booted)
                case DeleteImage(version=version):
                    assert version == NEW
                case _:
                    pass

    def cancel() -> None:
        if server.next_deadline is not None:
            down(server.cancel(now=air.now))

    down(server.start(now=NOW))
    if cancelled_after is not None:
        air.at(NOW + cancelled_after, cancel)

    def deadline() -> float | None:
        dues = (own.next_deadline, server.next_deadline)
        return min((due for due in dues if due is not None), default=None)

    def tick() -> None:
        down(server.tick(now=air.now))
        if air.now >= away_until:
            up([each for each in own.tick(now=air.now) if not isinstance(each, Answer)])

    air.run(deadline, tick)
    [end] = [each for each in found if isinstance(each, FirmwareEnded)]
    assert own.fw_version == NEW or end.outcome is not FirmwareOutcome.CONFIRMED
    if end.outcome is FirmwareOutcome.CANCELLED:
        assert (own.fw_version, own.reboot_at, own.next_firmware_version == NEW) == (
            OLD,
            None,
            False,
        )
    if not loses(channel) and cancelled_after is None:
        expected = {None: FirmwareOutcome.NO_IMAGE, NEW + 1: FirmwareOutcome.OTHER_IMAGE}
        right = FirmwareOutcome.CONFIRMED if installs else FirmwareOutcome.NOT_UPDATED
        assert end.outcome is expected.get(stored, right)


# Command sets


COMMANDS: dict[str, tuple[int, Command]] = {
    "packages": (0, multipackage.DevPackageReq()),
    "version 0": (0, PackageVersionReq()),
    "version 1": (1, PackageVersionReq()),
    "version 4": (4, PackageVersionReq()),
    "versions": (4, firmware.DevVersionReq()),
    "image": (4, firmware.DevUpgradeImageReq()),
    "groups": (2, multicastsetup.McGroupStatusReq(req_group_mask=15)),
    "no group": (2, multicastsetup.McGroupDeleteReq(mc_group_id=1)),
    "no session": (3, fragmentation.FragSessionDeleteReq(frag_index=2)),
}


def told(one: FuotaDevice, package: Package, command: Command) -> Command:
    """What a device says to a command that alters nothing, asked on a good day."""
    server = MultiPackageServer([package] if package.identifier else [])
    [sent] = server.submit([(package, command)], now=NOW)
    assert isinstance(sent, Downlink)
    one.max_payload = 242
    [uplink] = [each for each in one.receive(225, sent.payload, now=NOW) if isinstance(each, Send)]
    answered = server.receive(uplink.payload, now=NOW)[0]
    assert isinstance(answered, SetAnswered)
    [answer] = answered.answers
    return answer.command


@runs
@given(
    channel=kinds,
    seed=st.integers(0, 1 << 32),
    name=st.sampled_from(["documents v2", "LoRa Basics Modem 4.8", "Renesas"]),
    wanted=st.lists(st.sampled_from(sorted(COMMANDS)), min_size=1, max_size=25),
    max_down=st.sampled_from([11, 51, 242]),
    max_up=st.sampled_from([11, 14, 51, 242]),
)
def test_every_command_of_a_set_gets_its_own_answer_or_the_set_fails_by_name(
    channel: Channel, seed: int, name: str, wanted: list[str], max_down: int, max_up: int
) -> None:
    air, one = Air(channel), device(name, seed=seed)
    assert one.firmware is not None
    one.firmware.store_image(UpImageStatus.VALID, version=NEW)
    server = MultiPackageServer(max_payload=max_down, retries=RETRIES)
    found: list[ServerAction] = []

    def down(actions: list[ServerAction]) -> None:
        found.extend(actions)
        for action in actions:
            if isinstance(action, Downlink):
                assert (action.fport, len(action.payload) <= max_down) == (225, True)
                fall(action.payload)

    def up(actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                rise(action.payload)

    def fall(payload: bytes) -> None:
        air.carry(lambda: up(one.receive(225, payload, now=air.now)))

    def rise(payload: bytes) -> None:
        air.carry(lambda: down(server.receive(payload, now=air.now)))

    one.max_payload = max_up
    down(server.discover(now=air.now))
    air.run(lambda: server.next_deadline, lambda: down(server.tick(now=air.now)))
    known = server.packages
    if len(known) == 1:
        assert loses(channel)
        return
    commands = [(known[number], command) for number, command in (COMMANDS[each] for each in wanted)]
    found.clear()
    down(server.submit(commands, now=air.now))
    air.run(lambda: server.next_deadline, lambda: down(server.tick(now=air.now)))
    assert (server.under_way, server.waiting) == (None, ())
    ends = [each for each in found if isinstance(each, SetAnswered | SetFailed)]
    over = [command for end in ends for command in end.commands]
    assert [(each.package, each.command) for each in over] == [
        (package.identifier, command) for package, command in commands
    ]
    for end in ends:
        if isinstance(end, SetFailed):
            assert loses(channel)
            continue
        answers = [each.command for each in end.answers]
        expected = [told(one, known[each.package], each.command) for each in end.commands]
        if end.unanswered:  # the buffer of a set long ago, under the same token
            assert loses(channel)
            expected = expected[: -len(end.unanswered)]
        assert answers == expected
