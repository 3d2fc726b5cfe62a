"""Signature, target, version, in that order, on the stored octets: what fails is not installed."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import (
    DecodeError,
    FieldError,
    IntegrityError,
    RefusedError,
    RollbackError,
    TargetError,
    TruncatedError,
)
from lorafuota.firmwaremanagement.v1 import UpImageStatus
from lorafuota.image import mcuboot, raw
from lorafuota.image.delta import DeltaLimits, DeltaUpdate, create_delta
from lorafuota.image.detools import DetoolsCodec
from lorafuota.image.install import Check, ImageGate, Verdict
from lorafuota.image.keys import Scheme, SigningKey
from lorafuota.image.version import ImageVersion
from lorafuota.session.actions import Answer, Reboot
from lorafuota.session.firmware import FirmwareDevice
from lorafuota.session.firmwareserver import FirmwareServer
from lorafuota.session.retries import Retries
from lorafuota.session.serveractions import (
    Downlink,
    FirmwareEnded,
    FirmwareOutcome,
    RebootExpected,
    ServerAction,
    VersionsRead,
)
from lorafuota.wire import Command
from tests.support import LONG
from tests.unit.image.support import (
    HARDWARE,
    NEW,
    OLD,
    PEM,
    SampleCodec,
    delta,
    image,
    key,
    sample,
    wrapped,
)

CORRUPT = UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE
WRONG_HARDWARE = UpImageStatus.WRONG_HARDWARE
NONE = UpImageStatus.NO_IMAGE
VALID = UpImageStatus.VALID
GATE = ImageGate(
    key=key().public,
    hw_version=HARDWARE,
    running=OLD,
    base=image(OLD),
    codecs=(DetoolsCodec(),),
)
SMALL = mcuboot.sign(b"program", key=key(), version=NEW, hardware=HARDWARE, header_size=32)
SMALL_RAW = raw.join(b"program", raw.sign(b"program", key=key(), version=NEW, hardware=HARDWARE))
REFUSALS = (DecodeError, IntegrityError, RefusedError)


def gate(**changes: object) -> ImageGate:
    replaced: Callable[..., ImageGate] = dataclasses.replace
    return replaced(GATE, **changes)


def refused(found: Verdict, status: UpImageStatus, failed: Check, reason: str) -> None:
    """The verdict is this refusal and nothing can be installed from it."""
    assert (found.status, found.failed) == (status, failed)
    assert reason in found.reason
    assert (found.image, found.version, found.fw_version) == (None, None, None)


def test_a_valid_image_is_let_in_and_installed() -> None:
    found = GATE.check(image(NEW))
    assert found == Verdict(VALID, NEW, image(NEW))
    assert found.fw_version == 0x01010000
    assert found.image is not None
    assert GATE.install(found.image) == image(NEW)


def test_a_valid_delta_is_applied_and_what_it_gives_is_installed() -> None:
    found = GATE.check(delta())
    assert found == Verdict(VALID, NEW, image(NEW))
    assert found.image is not None
    assert GATE.install(found.image) == image(NEW)


def test_an_image_without_mcuboot_is_let_in_too_and_so_is_its_delta() -> None:
    assert GATE.check(SMALL_RAW) == Verdict(VALID, NEW, SMALL_RAW)
    assert GATE.install(SMALL_RAW) == SMALL_RAW
    payload = create_delta(image(OLD), SMALL_RAW, SampleCodec()).encode()
    signed = raw.sign(payload, key=key(), version=NEW, hardware=HARDWARE, is_delta=True)
    assert GATE.check(raw.join(payload, signed)) == Verdict(VALID, NEW, SMALL_RAW)


@pytest.mark.parametrize("block", [SMALL, SMALL_RAW, delta()], ids=["mcuboot", "raw", "delta"])
def test_wrong_signer_truncated_or_longer_than_announced_ends_as_corrupt(block: bytes) -> None:
    for scheme in Scheme:
        other = gate(key=SigningKey.generate(scheme).public)
        refused(other.check(block), CORRUPT, Check.SIGNATURE, "")
    for end in range(0, len(block), 1 if LONG or len(block) < 1000 else 29):
        refused(GATE.check(block[:end]), CORRUPT, Check.SIGNATURE, "")
    refused(GATE.check(block + b"\0"), CORRUPT, Check.SIGNATURE, "")


@pytest.mark.parametrize("block", [SMALL, SMALL_RAW, delta()], ids=["mcuboot", "raw", "delta"])
def test_every_octet_that_changed_ends_as_corrupt(block: bytes) -> None:
    for at in range(len(block)):
        bad = bytearray(block)
        bad[at] ^= 1 << at % 8
        refused(GATE.check(bad), CORRUPT, Check.SIGNATURE, "")


@pytest.mark.parametrize("block", [SMALL, SMALL_RAW, delta()], ids=["mcuboot", "raw", "delta"])
def test_another_device_type_ends_as_wrong_hardware(block: bytes) -> None:
    found = gate(hw_version=HARDWARE + 1).check(block)
    refused(found, WRONG_HARDWARE, Check.TARGET, "it is for hardware 0x01070002")


def test_an_image_that_names_no_hardware_is_wrong_unless_allowed() -> None:
    block = image(NEW, None)
    refused(GATE.check(block), WRONG_HARDWARE, Check.TARGET, "does not say")
    assert gate(allow_any_hardware=True).check(block) == Verdict(VALID, NEW, block)
    wrong = gate(allow_any_hardware=True, hw_version=1).check(image(NEW))
    refused(wrong, WRONG_HARDWARE, Check.TARGET, "it is for hardware")


@pytest.mark.parametrize("block", [SMALL, SMALL_RAW, delta()], ids=["mcuboot", "raw", "delta"])
@pytest.mark.parametrize("running", [NEW, ImageVersion(1, 1, 0, 7), ImageVersion(1, 1, 1)])
def test_an_older_or_equal_version_is_dropped_unless_allowed(
    block: bytes, running: ImageVersion
) -> None:
    refused(gate(running=running).check(block), NONE, Check.VERSION, f"the running {running}")
    assert gate(running=running, allow_older=True).check(block).status is VALID


def test_build_numbers_decide_only_for_boot_loaders_that_let_them() -> None:
    block = mcuboot.sign(b"x", key=key(), version=ImageVersion(1, 0, 0, 2), hardware=HARDWARE)
    refused(GATE.check(block), NONE, Check.VERSION, "the same as")
    assert gate(compare_build=True).check(block).status is VALID


@pytest.mark.parametrize(("counter", "good"), [(0, False), (4, False), (5, True), (6, True)])
def test_a_security_counter_below_the_devices_is_dropped(counter: int, good: bool) -> None:
    strict = gate(security_counter=5)
    for block in (image(NEW, counter=counter), delta(counter=counter)):
        found = strict.check(block)
        if good:
            assert found.status is VALID
        else:
            failed = Check.VERSION if block == image(NEW, counter=counter) else Check.RESULT
            refused(found, NONE, failed, f"security counter {counter}, and 5 is asked for")


def test_the_checks_come_in_their_order() -> None:
    """An image that fails all of them fails the first, and so on."""
    other = SigningKey.generate(Scheme.ED25519).public
    worst = {"hw_version": 1, "running": NEW}
    refused(gate(key=other, **worst).check(delta()), CORRUPT, Check.SIGNATURE, "another key")
    refused(gate(base=None, **worst).check(delta()), WRONG_HARDWARE, Check.TARGET, "hardware")
    refused(gate(base=None, running=NEW).check(delta()), NONE, Check.VERSION, "the same as")
    refused(gate(base=None).check(delta()), CORRUPT, Check.DELTA, "no base")


def test_a_delta_from_another_base_ends_as_corrupt() -> None:
    for base in (None, b"", image(NEW), image(OLD)[:-1]):
        refused(gate(base=base).check(delta()), CORRUPT, Check.DELTA, "delta: ")


def test_a_signed_delta_that_is_broken_ends_as_corrupt() -> None:
    update = create_delta(image(OLD), image(NEW), SampleCodec())
    broken = [
        b"no delta at all",
        dataclasses.replace(update, codec=9).encode(),
        dataclasses.replace(update, patch=update.patch[:-1]).encode(),
        dataclasses.replace(update, patch=update.patch + b"\1").encode(),
        dataclasses.replace(update, sha256=bytes(32)).encode(),
        dataclasses.replace(update, size=update.size - 1).encode(),
    ]
    for payload in broken:
        refused(GATE.check(wrapped(payload)), CORRUPT, Check.DELTA, "")
    small = gate(limits=DeltaLimits(output=len(image(NEW)) - 1))
    refused(small.check(delta()), CORRUPT, Check.DELTA, "have room")
    narrow = gate(limits=DeltaLimits(window_bits=9))
    refused(narrow.check(delta()), CORRUPT, Check.DELTA, "it looks back")
    refused(gate(codecs=()).check(delta()), CORRUPT, Check.DELTA, "codec 1 is not known")


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        (sample("1.1.0", "raw"), CORRUPT, "neither an MCUboot image"),
        (sample("1.1.0", "signed"), CORRUPT, "outside the signature"),
        (image(NEW, HARDWARE + 1), WRONG_HARDWARE, "it is for hardware"),
        (image(NEW, None), WRONG_HARDWARE, "it does not say"),
        (image(OLD), NONE, "the same as"),
        (image(ImageVersion(1, 0, 5)), CORRUPT, "it gives version 1.0.5+0"),
        (wrapped(b"x"), CORRUPT, "or a delta again"),
    ],
)
def test_what_a_delta_gives_has_to_pass_itself(
    target: bytes, status: UpImageStatus, reason: str
) -> None:
    payload = create_delta(image(OLD), target, SampleCodec()).encode()
    refused(GATE.check(wrapped(payload)), status, Check.RESULT, reason)


def test_a_delta_in_the_slot_is_not_installed() -> None:
    with pytest.raises(IntegrityError, match="a delta does not run"):
        GATE.install(delta())


def test_a_slot_that_changed_after_the_check_is_not_installed() -> None:
    slot = bytearray(image(NEW))
    assert GATE.check(slot).status is VALID
    for at in range(0, len(slot), 1 if LONG else 97):
        slot[at] ^= 0x10
        with pytest.raises(REFUSALS):
            GATE.install(slot)
        slot[at] ^= 0x10
    with pytest.raises(TruncatedError):
        GATE.install(slot[:-1])
    with pytest.raises(DecodeError, match="1 octets follow"):
        GATE.install(slot + b"\0")
    assert GATE.install(slot) == slot


def test_what_is_installed_does_not_change_with_the_slot() -> None:
    slot = bytearray(SMALL)
    found, installed = GATE.check(slot), GATE.install(slot)
    slot[:] = bytes(len(slot))
    assert found.image == installed == SMALL


def test_the_boot_loader_makes_every_check_again() -> None:
    with pytest.raises(IntegrityError):
        gate(key=key("signed").public).install(SMALL)
    with pytest.raises(TargetError):
        gate(hw_version=1).install(SMALL)
    with pytest.raises(RollbackError):
        gate(running=NEW).install(SMALL)


@given(tail=st.binary(max_size=300))
def test_whatever_is_stored_raises_nothing_and_is_not_let_in(tail: bytes) -> None:
    for head in (b"", mcuboot.MAGIC, raw.MAGIC, SMALL[:40]):
        refused(GATE.check(head + tail), CORRUPT, Check.SIGNATURE, "")
    found = GATE.check(wrapped(b"LFD1" + tail))
    refused(found, CORRUPT, Check.DELTA, "")


@given(patch=st.binary(max_size=300))
def test_whatever_patch_its_maker_signed_raises_nothing(patch: bytes) -> None:
    told = create_delta(image(OLD), image(NEW), SampleCodec())
    update = DeltaUpdate(1, told.base_size, told.base_sha256, told.size, told.sha256, patch + b"!")
    refused(GATE.check(wrapped(update.encode())), CORRUPT, Check.DELTA, "")


def test_the_verdict_is_what_ts006_reports() -> None:
    for block, expected in ((SMALL, (VALID, 0x01010000)), (SMALL[:-1], (CORRUPT, None))):
        firmware = FirmwareDevice(fw_version=OLD.fw_version, hw_version=HARDWARE)
        found = GATE.check(block)
        firmware.store_image(found.status, version=found.fw_version)
        assert (firmware.image_status, firmware.next_firmware_version) == expected


def test_notices_come_with_the_verdict() -> None:
    block = mcuboot.sign(b"x", key=key(), version=NEW, hardware=HARDWARE, dependencies=[(1, OLD)])
    assert GATE.check(block).notices == ("needs version 1.0.0+0 of image 1: not checked",)


@pytest.mark.parametrize("kind", sorted(PEM))
def test_both_algorithms_are_let_in_by_their_keys(kind: str) -> None:
    block = mcuboot.sign(b"x", key=key(kind), version=NEW, hardware=HARDWARE)
    assert gate(key=key(kind).public).check(block).status is VALID


def test_arguments_out_of_range_are_refused() -> None:
    for changes in ({"hw_version": 1 << 32}, {"security_counter": -1}):
        with pytest.raises(FieldError, match=r"ImageGate\."):
            gate(**changes)


# A reboot at a time, with the gate in between


AT = 1_400_003_600.0
"""GPS time of the reboot: an hour after the image is there."""

BOOTED = AT - 1_000_000.0
"""GPS time at which the device's own seconds began."""


def rebooted_at_a_time(
    tamper: Callable[[bytes], bytes],
) -> tuple[list[ServerAction], list[float], bytes]:
    """Have a delta installed at AT, by a device that counts seconds since it was switched on.

    Returns:
        What the server reports, when the device rebooted, and the octets that run in the end.
    """
    device = FirmwareDevice(fw_version=OLD.fw_version, hw_version=HARDWARE)
    device.set_offset(BOOTED, now=5.0)
    server = FirmwareServer(
        NEW.fw_version,
        hw_versions={HARDWARE},
        from_versions={OLD.fw_version},
        reboot_at=AT,
        boot_seconds=30.0,
        retries=Retries(seconds=60, tries=2),
    )
    found = GATE.check(delta())
    assert found.image is not None
    device.store_image(found.status, version=found.fw_version)
    slot, runs = tamper(found.image), image(OLD)
    reports: list[ServerAction] = []
    reboots: list[float] = []
    now = AT - 3_600
    waiting = deque(server.start(now=now))
    while server.next_deadline is not None or waiting:
        while waiting:
            action = waiting.popleft()
            if not isinstance(action, Downlink):
                reports.append(action)
                continue
            assert isinstance(action.command, Command)
            for one in device.execute(action.command, now=now - BOOTED):
                if isinstance(one, Answer):
                    waiting += server.take(one.command, now=now)
        due = device.next_deadline
        times = [server.next_deadline, None if due is None else due + BOOTED]
        now = max(now, min((time for time in times if time is not None), default=now))
        for one in device.tick(now=now - BOOTED):
            if isinstance(one, Reboot):
                reboots.append(now)
                try:
                    runs = GATE.install(slot)
                    device.booted(NEW.fw_version)
                except REFUSALS:
                    device.booted(OLD.fw_version)
                    device.store_image(CORRUPT)
        waiting += server.tick(now=now)
    return reports, reboots, runs


def test_a_delta_is_installed_at_the_time_that_was_asked_for() -> None:
    reports, reboots, runs = rebooted_at_a_time(lambda slot: slot)
    assert (reboots, runs) == ([AT], image(NEW))
    assert reports == [
        VersionsRead(OLD.fw_version, HARDWARE),
        RebootExpected(AT),
        VersionsRead(NEW.fw_version, HARDWARE),
        FirmwareEnded(FirmwareOutcome.CONFIRMED, ""),
    ]


def test_what_was_changed_while_it_waited_for_the_time_is_not_installed() -> None:
    reports, reboots, runs = rebooted_at_a_time(lambda slot: slot[:-1] + bytes((slot[-1] ^ 1,)))
    assert (reboots, runs) == ([AT], image(OLD))
    assert reports[:2] == [VersionsRead(OLD.fw_version, HARDWARE), RebootExpected(AT)]
    ended = reports[-1]
    assert isinstance(ended, FirmwareEnded)
    assert ended.outcome is FirmwareOutcome.NOT_UPDATED
