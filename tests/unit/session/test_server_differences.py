"""The server's sessions and devices that differ from the documents in one way, as stacks do."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

import lorafuota
from lorafuota.clocksync import v1 as clock_v1
from lorafuota.clocksync import v2 as clock_v2
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.multicastsetup import v2 as multicastsetup
from lorafuota.multipackage import v1 as multipackage
from lorafuota.multipackage.commandset import CommandSet
from lorafuota.package import Package, PackageVersionAns, PackageVersionReq
from lorafuota.session.actions import Answer, Reboot, Rejected, Send
from lorafuota.session.clockserver import ClockSyncServer
from lorafuota.session.device import FuotaDevice
from lorafuota.session.firmware import FirmwareDevice
from lorafuota.session.firmwareserver import FirmwareServer
from lorafuota.session.multipackageserver import MultiPackageServer
from lorafuota.session.profile import FirmwareProfile, SetProfile
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
    VersionAnswered,
)
from lorafuota.session.stacks import device_profile
from lorafuota.types import DevEUI, GenAppKey
from lorafuota.wire import Command

NOW = 1_400_000_000.0
ONE = DevEUI(1)
OLD, NEW, HARDWARE = 0x100, 0x200, 7


# TS003


def clock_request(
    error: int, token: int, *, at: float = NOW, required: bool = False
) -> clock_v1.AppTimeReq:
    """AppTimeReq of a clock that is late by so many seconds."""
    return clock_v1.AppTimeReq(device_time=int(at) - error, token_req=token, ans_required=required)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_ts003_answers_come_in_any_order(order: tuple[int, ...]) -> None:
    server = ClockSyncServer()
    server.ask_version(ONE, now=NOW)
    server.set_period(ONE, 4, now=NOW)
    server.resync(ONE, now=NOW)
    answers: list[Command] = [
        PackageVersionAns(package_identifier=1, package_version=2),
        clock_v1.DeviceAppTimePeriodicityAns(not_supported=False, device_time=int(NOW)),
        clock_request(30, 0),
    ]
    payload = b"".join(answers[at].encode() for at in order)
    found = server.receive(ONE, payload, arrival=NOW)
    assert VersionAnswered(ONE, 2) in found
    assert PeriodAnswered(ONE, 4, True) in found
    ans = clock_v1.AppTimeAns(time_correction=30, token_ans=0)
    assert Downlink(202, ans, ONE) in found
    assert server.next_deadline is None


def test_ts003_a_period_that_is_refused_with_time_0_corrects_nothing() -> None:
    """LoRaMac-node refuses every period, Mbed with a time of 0."""
    server = ClockSyncServer()
    server.set_period(ONE, 4, now=NOW)
    ans = clock_v1.DeviceAppTimePeriodicityAns(not_supported=True, device_time=0)
    checked, answered = server.receive(ONE, ans.encode(), arrival=NOW)
    assert isinstance(checked, ClockChecked)
    assert (checked.in_sync, checked.corrected) == (False, None)
    assert answered == PeriodAnswered(ONE, 4, False)
    assert server.next_deadline is None


def test_ts003_reserved_bits_are_never_set() -> None:
    """RadioLib and brocaar/lorawan read some of them as part of the number."""
    server = ClockSyncServer()
    asked = [server.resync(ONE, now=NOW, nb_transmissions=n) for n in range(1, 8)]
    asked += [server.set_period(ONE, period, now=NOW) for period in range(16)]
    asked += [server.take(ONE, clock_request(30, token), arrival=NOW)[1:] for token in range(16)]
    sent = [one for [one] in asked]
    payloads = [one.payload for one in sent if isinstance(one, Downlink)]
    assert [one[-1] for one in payloads] == [*range(1, 8), *range(16), *range(16)]


@pytest.mark.parametrize("required", [False, True])
def test_ts003_a_clock_that_was_set_otherwise_keeps_its_token(required: bool) -> None:
    """LoRaMac-node: DeviceTimeAns in the same frame, and AppTimeAns is ignored."""
    server = ClockSyncServer()
    server.take(ONE, clock_request(30, 3), arrival=NOW)
    later = NOW + 100
    checked, *answers = server.take(
        ONE, clock_request(0, 3, at=later, required=required), arrival=later
    )
    assert checked == ClockChecked(ONE, 0, True, False)
    ans = clock_v1.AppTimeAns(time_correction=0, token_ans=3)
    assert answers == ([Downlink(202, ans, ONE)] if required else [])


@pytest.mark.parametrize("gap", [0.0, 1.0, 10.0, 59.0])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_ts003_each_of_several_forced_requests_gets_an_answer_that_is_right(
    gap: float, count: int
) -> None:
    """However many a device sends, and however close; the gap and number differ by stack."""
    server = ClockSyncServer()
    server.resync(ONE, now=NOW)
    for number in range(count):
        at = NOW + number * gap
        # whichever answer arrives first sets this clock right: 30 s, one token
        found = server.take(ONE, clock_request(30, 5, at=at), arrival=at)
        ans = clock_v1.AppTimeAns(time_correction=30, token_ans=5)
        assert found[-1] == Downlink(202, ans, ONE)
    assert server.next_deadline is None


def test_ts003_a_device_without_jitter_or_period_is_answered_whenever_it_asks() -> None:
    server = ClockSyncServer()
    rng = random.Random(3)
    at = NOW
    for token in range(40):
        at += rng.choice((0.0, 98.0, 128.0, 158.0, 86_400.0 * 30))
        found = server.take(ONE, clock_request(30, token % 16, at=at), arrival=at)
        ans = clock_v1.AppTimeAns(time_correction=30, token_ans=token % 16)
        assert found[-1] == Downlink(202, ans, ONE)


def test_ts003_a_clock_at_an_extreme_is_right_without_another_request() -> None:
    """Zephyr, LoRaMac-node: none follows a correction of -2**31."""
    server = ClockSyncServer()
    device_time = (int(NOW) + 2**31) % 2**32
    request = clock_v1.AppTimeReq(device_time=device_time, token_req=0, ans_required=False)
    _, sent = server.take(ONE, request, arrival=NOW)
    assert isinstance(sent, Downlink)
    assert isinstance(sent.command, clock_v1.AppTimeAns)
    assert (device_time + sent.command.time_correction) % 2**32 == int(NOW)


# TS006


class Installation:
    """A server and one device, their downlinks and uplinks, in virtual time."""

    def __init__(self, profile: FirmwareProfile, *, offset: float = 0.0, **options: Any) -> None:
        self.device = FirmwareDevice(profile, fw_version=OLD, hw_version=HARDWARE)
        self.device.store_image(firmware.UpImageStatus.VALID, version=NEW)
        self.device.set_offset(offset, now=NOW)
        retries = Retries(seconds=100, tries=3)
        self.server = FirmwareServer(NEW, retries=retries, **options)
        self.reboots: list[float] = []
        self.now = NOW
        self.lose: Callable[[Command], bool] = lambda _: False
        self.rewrite: Callable[[bytes], bytes] = lambda payload: payload

    def carry(self, actions: list[ServerAction]) -> FirmwareEnded | None:
        """Bring downlinks to the device and its answers back; return the end, if it came."""
        for one in actions:
            if isinstance(one, FirmwareEnded):
                return one
            if isinstance(one, Downlink):
                assert isinstance(one.command, Command)
                results = self.device.execute(one.command, now=self.now)
                self.boot(any(isinstance(each, Reboot) for each in results))
                for each in results:
                    if isinstance(each, Answer) and not self.lose(each.command):
                        payload = self.rewrite(each.command.encode())
                        end = self.carry(self.server.receive(payload, now=self.now))
                        if end is not None:
                            return end
        return None

    def boot(self, reboots: bool) -> None:
        if reboots:
            self.reboots.append(self.now)
            self.device.booted(self.device.next_firmware_version or OLD)

    def run(self) -> FirmwareEnded:
        end = self.carry(self.server.start(now=self.now))
        for _ in range(200):
            if end is not None:
                return end
            due = [self.server.next_deadline, self.device.next_deadline]
            self.now = min(one for one in due if one is not None)
            self.boot(bool(self.device.tick(now=self.now)))
            end = self.carry(self.server.tick(now=self.now))
        raise AssertionError("no end")


def lost(count: int, kind: type[Command]) -> Callable[[Command], bool]:
    """The first *count* answers of a kind are lost."""
    left = [None] * count

    def lose(command: Command) -> bool:
        gone = isinstance(command, kind) and bool(left)
        if gone:
            left.pop()
        return gone

    return lose


@pytest.mark.parametrize("offset", [0.0, 90.0, 450.0])
def test_ts006_a_refusal_that_cancels_the_running_reboot_is_made_good(offset: float) -> None:
    """Renesas, whose clock is so far ahead that a repeated time is in the past."""
    one = Installation(FirmwareProfile(refusal_cancels=True), offset=offset, reboot_at=NOW + 250)
    one.lose = lost(1, firmware.DevRebootTimeAns)
    assert one.run().outcome is FirmwareOutcome.CONFIRMED
    assert len(one.reboots) == 1


def test_ts006_a_reboot_due_now_is_answered_as_an_error_and_found_out() -> None:
    """Renesas: 0 s, which reads as an error; the reboot takes place."""
    one = Installation(FirmwareProfile(now_is_future=True), offset=250.0, reboot_at=NOW + 250)
    assert one.run().outcome is FirmwareOutcome.CONFIRMED
    assert len(one.reboots) == 1


def test_ts006_a_time_base_off_by_an_epoch_is_given_the_seconds_that_are_left() -> None:
    """ST's example: a delay 315964800 s too long."""
    one = Installation(FirmwareProfile(), offset=-315_964_800.0, reboot_at=NOW + 1_000)
    assert one.run().outcome is FirmwareOutcome.CONFIRMED
    assert one.reboots == [NOW + 1_000]


def test_ts006_a_time_that_is_unknown_is_not_programmed_later() -> None:
    one = Installation(FirmwareProfile(), reboot_at=NOW + 1_000)
    one.device.set_offset(None, now=NOW)
    assert one.run().outcome is FirmwareOutcome.CONFIRMED
    assert one.reboots == [NOW + 1_000]


@pytest.mark.parametrize("returns", [False, True])
def test_ts006_a_reboot_at_once_may_be_answered_with_0(returns: bool) -> None:
    """ST, Actility: when the reset returns."""
    server = FirmwareServer(NEW, countdown_seconds=0, boot_seconds=60.0)
    server.start(now=NOW)
    versions = firmware.DevVersionAns(fw_version=OLD, hw_version=HARDWARE)
    server.take(versions, now=NOW)
    valid = firmware.DevUpgradeImageAns(
        up_image_status=firmware.UpImageStatus.VALID, next_firmware_version=NEW
    )
    [sent] = server.take(valid, now=NOW)
    assert sent == Downlink(203, firmware.DevRebootCountdownReq(countdown=0))
    server.take(firmware.DevRebootCountdownAns(countdown=0), now=NOW)
    assert server.next_deadline == NOW + 60
    [asked] = server.tick(now=NOW + 60)
    assert asked == Downlink(203, firmware.DevVersionReq())
    running = dataclasses.replace(versions, fw_version=OLD if returns else NEW)
    last = server.take(running, now=NOW + 60)[-1]
    if returns:  # it did not reboot: it is asked again
        assert last == Downlink(203, firmware.DevRebootCountdownReq(countdown=0))
    else:
        assert last == FirmwareEnded(FirmwareOutcome.CONFIRMED, "")


def test_ts006_answers_fit_nine_octets_since_nothing_is_asked_together() -> None:
    one = Installation(FirmwareProfile(answer_octets=9))
    sizes: list[int] = []

    def measured(payload: bytes) -> bytes:
        sizes.append(len(payload))
        return payload

    one.rewrite = measured
    assert one.run().outcome is FirmwareOutcome.CONFIRMED
    assert max(sizes) == 9


@pytest.mark.parametrize("octets", ["0500", "0501", "0502", "0503", "05fc"])
def test_ts006_a_deletion_that_was_refused_in_any_bits_ends(octets: str) -> None:
    """brocaar/lorawan writes both bits for no image, and none for another version."""
    server = FirmwareServer(NEW)
    server.start(now=NOW)
    server.cancel(now=NOW)
    server.take(firmware.DevRebootCountdownAns(countdown=0xFFFFFF), now=NOW)
    [asked] = server.receive(bytes.fromhex(octets), now=NOW)
    assert asked == Downlink(203, firmware.DevVersionReq())
    versions = firmware.DevVersionAns(fw_version=OLD, hw_version=HARDWARE)
    ended = server.take(versions, now=NOW)[-1]
    assert isinstance(ended, FirmwareEnded)
    assert ended.outcome is FirmwareOutcome.CANCELLED


def test_ts006_commands_that_no_document_has_are_told_and_change_nothing() -> None:
    """An Actility variant registers itself on the same port."""
    one = Installation(FirmwareProfile())
    stage = one.server.stage
    [rejected] = one.server.receive(bytes.fromhex("800102"), now=NOW)
    assert isinstance(rejected, Rejected)
    assert one.server.stage is stage
    assert one.run().outcome is FirmwareOutcome.CONFIRMED


def test_ts006_a_device_without_countdown_is_not_called_updated() -> None:
    one = Installation(FirmwareProfile())
    one.device.execute = lambda command, **_: (  # type: ignore[method-assign]
        []
        if isinstance(command, firmware.DevRebootCountdownReq)
        else FirmwareDevice.execute(one.device, command, now=one.now)
    )
    assert one.run().outcome is not FirmwareOutcome.CONFIRMED
    assert one.reboots == []


# TS007

PACKAGES = [
    lorafuota.package("clocksync", 2),
    lorafuota.package("multicastsetup", 2),
    lorafuota.package("fragmentation", 2),
    lorafuota.package("firmwaremanagement", 1),
]
CLOCK, MULTICAST, _, FIRMWARE = PACKAGES
ASKED: list[tuple[Package, Command]] = [
    (FIRMWARE, firmware.DevVersionReq()),
    (FIRMWARE, firmware.DevUpgradeImageReq()),
    (CLOCK, PackageVersionReq()),
    (multipackage.PACKAGE, multipackage.DevPackageReq()),
    (MULTICAST, multicastsetup.McGroupStatusReq(req_group_mask=15)),
    (CLOCK, clock_v2.DeviceAppTimePeriodicityReq(period=4)),
    *[(FIRMWARE, firmware.DevVersionReq())] * 14,
]
Rewrite = Callable[[bytes], bytes]


def dialogue(
    sets: SetProfile, *, seed: int, loss: float, rewrite: Rewrite | None = None, room: int = 51
) -> tuple[list[ServerAction], list[bytes]]:
    """Ask one device everything through a lossy channel; return what came of it and the uplinks."""
    rng = random.Random(seed)
    profile = dataclasses.replace(device_profile("documents v2"), sets=sets)
    device = FuotaDevice.from_profile(
        profile,
        root_key=GenAppKey(bytes(16)),
        rng=rng,
        fw_version=OLD,
        hw_version=HARDWARE,
        period_seconds=None,
        clock_known=True,
        max_payload=room,
    )
    server = MultiPackageServer(PACKAGES, retries=Retries(tries=12, seconds=600.0))
    now, uplinks = NOW, list[bytes]()
    found: list[ServerAction] = []
    todo = server.submit(ASKED, now=now)
    for _ in range(2_000):
        while todo:
            one = todo.pop(0)
            if not isinstance(one, Downlink):
                found.append(one)
            elif rng.random() >= loss:
                up = [a for a in device.receive(225, one.payload, now=now) if isinstance(a, Send)]
                todo += arrive(server, up, uplinks, rng, loss, now, rewrite)
        if server.under_way is None and not server.waiting:
            return found, uplinks
        due = [one for one in (server.next_deadline, device.next_deadline) if one is not None]
        now = max(now, min(due))
        up = [one for one in device.tick(now=now) if isinstance(one, Send)]
        todo += arrive(server, up, uplinks, rng, loss, now, rewrite)
        todo += server.tick(now=now)
    raise AssertionError("no end")


def arrive(
    server: MultiPackageServer,
    sends: list[Send],
    uplinks: list[bytes],
    rng: random.Random,
    loss: float,
    now: float,
    rewrite: Rewrite | None,
) -> list[ServerAction]:
    actions: list[ServerAction] = []
    for one in sends:
        payload = rewrite(one.payload) if rewrite else one.payload
        uplinks.append(payload)
        if one.fport == 225 and rng.random() >= loss:
            actions += server.receive(payload, now=now)
    return actions


def check_answers(found: list[ServerAction]) -> int:
    """Check that what was answered is true; return how many commands have an answer."""
    versions = firmware.DevVersionAns(fw_version=OLD, hw_version=HARDWARE)
    answered = 0
    for one in found:
        if isinstance(one, SetAnswered):
            answered += len(one.commands) - len(one.unanswered)
        if isinstance(one, SetAnswered | SetFailed):
            for each in one.answers:
                if isinstance(each.command, firmware.DevVersionAns):
                    assert each.command == versions
                if isinstance(each.command, PackageVersionAns):
                    assert each.command.package_version == 2
    return answered


@dataclasses.dataclass(frozen=True)
class SetRow:
    """How a device answers sets; and whether this server gives it occasion to show it."""

    words: str
    flags: dict[str, Any]
    shows: bool
    room: int = 51
    answers: int = len(ASKED)


SETS = (
    SetRow("the buffer has 125 octets, and no set has more", {"buffer_octets": 125}, False),
    SetRow(
        "what does not fit is left out, in a buffer smaller than known ones",
        {"buffer_octets": 100, "skips_what_does_not_fit": True},
        True,
        answers=len(ASKED) - 1,
    ),
    SetRow("pieces where one frame would do", {"cuts_early": True}, True, room=65),
    SetRow("StopByte is exclusive, and always past the end", {"stop_exclusive": True}, False),
    SetRow("the error has a token", {"error_has_token": True}, True),
    SetRow(
        "a command without answer ends all, and is never among others",
        {"silence_ends_all": True},
        False,
    ),
)


@pytest.mark.parametrize("row", SETS, ids=lambda row: f"TS007: {row.words}")
def test_every_set_is_answered_truly_whatever_the_stack(row: SetRow) -> None:
    differs = False
    for seed, loss in itertools.product(range(5), (0.0, 0.3)):
        sets = dataclasses.replace(SetProfile(), **row.flags)
        found, uplinks = dialogue(sets, seed=seed, loss=loss, room=row.room)
        assert check_answers(found) == row.answers
        spared = dialogue(SetProfile(), seed=seed, loss=loss, room=row.room)[1]
        differs = differs or uplinks != spared
    assert differs is row.shows


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_ts007_a_last_octet_that_is_lost_is_asked_for(loss: float) -> None:
    """Renesas leaves it out where it would be alone in its piece."""

    def short(payload: bytes) -> bytes:
        alone = payload[:1] == b"\x02" and len(payload) == 4
        return b"" if alone else payload

    for seed in range(5):
        found, uplinks = dialogue(SetProfile(), seed=seed, loss=loss, rewrite=short, room=34)
        assert check_answers(found) == len(ASKED)
        assert b"" in uplinks


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_ts007_reserved_bits_of_a_token_are_ignored(loss: float) -> None:
    """Renesas, RadioLib echo them; here a device sets them by itself."""
    for seed in range(5):
        found, uplinks = dialogue(
            SetProfile(),
            seed=seed,
            loss=loss,
            rewrite=lambda one: (
                one if one[:2] == b"\x02\xff" else one[:-1] + bytes((one[-1] | 0xFC,))
            ),
        )
        assert check_answers(found) == len(ASKED)
        assert any(one[-1] >= 0xFC for one in uplinks)


def test_ts007_reserved_bits_are_never_set_and_a_buffer_request_travels_alone() -> None:
    """LoRa Basics Modem takes a token behind it, and executes what else there is."""
    server = MultiPackageServer(PACKAGES, retries=Retries(tries=4, seconds=100.0))
    sent = server.submit(ASKED[:3], now=NOW)
    for deadline in range(1, 12):
        sent += server.tick(now=NOW + 100.0 * deadline)
    payloads = [one.payload for one in sent if isinstance(one, Downlink)]
    requests = [one for one in payloads if one[0] == multipackage.MultiPackBufferReq.CID]
    assert requests
    assert {len(one) for one in requests} == {3}
    sets = [one for one in payloads if one not in requests]
    assert sets
    assert all(one[-1] < 4 for one in sets)


def test_ts007_a_device_that_is_busy_is_asked_again() -> None:
    """Renesas rejects a new set until its uplink is out: to the server, a set that was lost."""
    server = MultiPackageServer(PACKAGES, retries=Retries(tries=6, seconds=100.0))
    [first] = server.submit([(CLOCK, PackageVersionReq())], now=NOW)
    assert isinstance(first, Downlink)
    [asked] = server.tick(now=NOW + 100)
    assert isinstance(asked, Downlink)
    assert isinstance(asked.command, multipackage.MultiPackBufferReq)
    [again] = server.receive(bytes.fromhex("02ff"), now=NOW + 101)  # no buffer: never executed
    assert isinstance(again, Downlink)
    assert isinstance(again.command, CommandSet)
    [done] = server.receive(bytes((0x81, 0x00, 1, 2, again.command.token)), now=NOW + 102)
    assert isinstance(done, SetAnswered)
    assert done.unanswered == ()


def test_ts007_eight_packages_told_as_none_are_no_package_and_no_exception() -> None:
    """LoRa Basics Modem masks NbTotalPackages with 7."""
    server = MultiPackageServer(retries=Retries(tries=2, seconds=100.0))
    server.discover(now=NOW)
    listed = b"".join(bytes((number, 1, 201)) for number in range(8))
    found = server.receive(bytes((1, 0)) + listed + b"\x00", now=NOW)
    for deadline in range(1, 8):
        found += server.tick(now=NOW + 100.0 * deadline)
    assert server.under_way is None
    assert set(server.packages) == {0}
    assert any(isinstance(one, Rejected | SetFailed | SetAnswered) for one in found)
