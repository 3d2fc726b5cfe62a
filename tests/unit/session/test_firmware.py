"""Firmware management on the device: versions, the image store, one reboot (vectors of TS006)."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import FieldError
from lorafuota.firmwaremanagement import v1
from lorafuota.session.actions import (
    Action,
    Answer,
    DeleteImage,
    Dropped,
    DropReason,
    Reboot,
    Send,
    Store,
)
from lorafuota.session.device import FuotaDevice
from lorafuota.session.firmware import FirmwareDevice, UpImageStatus
from lorafuota.session.profile import FirmwareProfile
from lorafuota.session.stacks import DeviceProfile, device_profile
from lorafuota.types import GenAppKey
from tests.support import vectors

TS006 = vectors("ts006")
FIRMWARE = 203
NOW = 1_356_566_418
DOCUMENTS = device_profile("documents v2")
BASICS_MODEM = device_profile("LoRa Basics Modem 4.8")


def device(profile: DeviceProfile = DOCUMENTS, *, clock_known: bool = True) -> FuotaDevice:
    return FuotaDevice.from_profile(
        profile,
        root_key=GenAppKey(bytes(16)),
        rng=random.Random(1),
        fw_version=0x11223344,
        hw_version=0x12345678,
        period_seconds=None,
        clock_known=clock_known,
    )


def firmware(one: FuotaDevice) -> FirmwareDevice:
    assert one.firmware is not None
    return one.firmware


def in_state(state: dict[str, Any], profile: DeviceProfile = DOCUMENTS) -> FuotaDevice:
    one = device(profile, clock_known=state.get("gps_now", NOW) is not None)
    status, *version = state.get("image", [0])
    firmware(one).store_image(
        UpImageStatus(status), version=int(version[0], 16) if version else None
    )
    return one


def receive(one: FuotaDevice, downlink: str, now: float) -> list[Action]:
    return one.receive(FIRMWARE, bytes.fromhex(downlink), now=now)


def uplinks(actions: list[Action]) -> list[str]:
    return [action.payload.hex() for action in actions if isinstance(action, Send)]


@pytest.mark.parametrize("vector", TS006["device_behaviour"], ids=lambda v: v["id"])
def test_a_device_answers_as_in_the_vector(vector: dict[str, Any]) -> None:
    one = in_state(vector["state"])
    now = vector["state"].get("gps_now") or NOW
    actions = receive(one, vector["downlink"], now)
    assert uplinks(actions) == ([] if vector["uplink"] is None else [vector["uplink"]])
    rebooting = vector["id"] in ("reboot-now", "countdown-now")
    assert [action for action in actions if isinstance(action, Reboot)] == (
        [Reboot(None)] if rebooting else []
    )


@pytest.mark.parametrize("vector", TS006["device_behaviour"], ids=lambda v: v["id"])
def test_lora_basics_modem_answers_as_in_the_vector(vector: dict[str, Any]) -> None:
    one = in_state(vector["state"], BASICS_MODEM)
    now = vector["state"].get("gps_now") or NOW
    expected = vector.get("lora_basics_modem_sends", vector["uplink"])
    assert uplinks(receive(one, vector["downlink"], now)) == ([expected] if expected else [])


SEQUENCES = {vector["id"]: vector for vector in TS006["sequences"]}


def test_the_last_valid_command_programs_the_only_reboot() -> None:
    one = device()
    for step in SEQUENCES["single-slot"]["steps"]:
        actions = receive(one, step["downlink"], step["gps_now"])
        assert uplinks(actions) == [step["uplink"]]
        assert firmware(one).reboot_at == step["programmed_reboot_gps"]
        assert one.next_deadline == step["programmed_reboot_gps"]


def test_the_answer_is_sent_at_once_and_so_repeats_the_countdown() -> None:
    """A device that answers without delay has no latency to subtract; an owner may add some."""
    vector = SEQUENCES["answer-latency"]
    [_, answer] = receive(device(), vector["downlink"], NOW)
    assert answer == Send(FIRMWARE, bytes.fromhex(vector["uplink_common"]), NOW)


def test_an_update_goes_round_as_in_the_vector() -> None:
    one = device()
    firmware(one).store_image(UpImageStatus.VALID, version=0x17011973)
    for step in SEQUENCES["update-cycle"]["steps"]:
        if "event" in step:
            firmware(one).booted(0x17011973)
            continue
        actions = receive(one, step["downlink"], NOW)
        assert uplinks(actions) == ([] if step["uplink"] is None else [step["uplink"]])
        if step["uplink"] is None:
            assert actions == [Reboot(0x17011973)]


# Reboots and the clock


def test_a_reboot_comes_when_it_is_due_and_once() -> None:
    one = device()
    receive(one, "033c0000", NOW)
    assert one.tick(now=NOW + 59.9) == []
    assert firmware(one).reboot_at == NOW + 60
    assert one.tick(now=NOW + 60) == [Store("reboot", None), Reboot(None)]
    assert one.tick(now=NOW + 61) == []
    deadline: float | None = one.next_deadline
    assert deadline is None


@pytest.mark.parametrize("step", [-500, -1, 1, 500])
def test_a_reboot_at_a_time_moves_with_the_clock_and_a_countdown_does_not(step: int) -> None:
    at_time, countdown = device(), device()
    receive(at_time, f"02{(NOW + 1000).to_bytes(4, 'little').hex()}", NOW)
    receive(countdown, "03e80300", NOW)
    for one in (at_time, countdown):
        one.set_time(NOW + 100 + step, now=NOW + 100)
    assert firmware(at_time).reboot_at == NOW + 1000 - step
    assert firmware(countdown).reboot_at == NOW + 1000


def test_a_device_without_the_time_refuses_asks_for_it_and_can_then() -> None:
    one = device(clock_known=False)
    one.tick(now=5.0)  # the first request, unanswered
    request = f"02{(NOW + 1000).to_bytes(4, 'little').hex()}"
    assert uplinks(receive(one, request, 6.0)) == ["0200000000"]
    assert firmware(one).wants_time
    one.set_time(NOW, now=7.0)
    assert not firmware(one).wants_time
    assert uplinks(receive(one, request, 7.0)) == ["02e8030000"]
    assert one.next_deadline == 1007.0


def test_the_answers_before_a_reboot_leave_and_what_follows_is_lost() -> None:
    one = device()
    actions = receive(one, "01" + "03000000" + "04", NOW)
    assert actions == [
        Send(FIRMWARE, bytes.fromhex("014433221178563412"), NOW),
        Reboot(None),
    ]


def test_reboot_times_wrap_in_2116_and_beyond_2_31_seconds_are_past() -> None:
    one = device()
    assert uplinks(receive(one, "0264000000", 2.0**32 - 100)) == ["02c8000000"]
    assert firmware(one).reboot_at == 2**32 + 100
    far = (NOW + 2**31) % 2**32
    assert uplinks(receive(device(), f"02{far.to_bytes(4, 'little').hex()}", NOW)) == ["0200000000"]


def test_a_late_request_is_at_least_a_second_away() -> None:
    [_, answer] = receive(device(), f"02{(NOW + 1).to_bytes(4, 'little').hex()}", NOW + 0.5)
    assert answer == Send(FIRMWARE, bytes.fromhex("0201000000"), NOW + 0.5)


# Resets


def after_reset(one: FuotaDevice, *, now: float, clock_known: bool = True) -> FuotaDevice:
    fresh = device(clock_known=clock_known)
    fresh.restore(one.export(), now=now)
    return fresh


def test_a_programmed_reboot_is_stored_before_it_is_promised() -> None:
    one = device()
    at = NOW + 1000
    time = f"02{at.to_bytes(4, 'little').hex()}"
    assert receive(one, time, NOW)[0] == Store("reboot", f"time {at} {0x11223344}")
    assert uplinks(receive(one, time, NOW + 5)) == ["02e3030000"]  # the same: nothing to write
    assert not any(isinstance(action, Store) for action in receive(one, time, NOW + 5))
    assert receive(one, "03e80300", NOW + 0.5)[0] == Store("reboot", f"time {at + 1} {0x11223344}")
    assert receive(one, "03ffffff", NOW)[0] == Store("reboot", None)
    assert "reboot" not in one.export()
    assert uplinks(receive(one, "03ffffff", NOW)) == ["03ffffff"]
    receive(one, time, NOW)
    assert receive(one, "0200000000", NOW) == [Store("reboot", None), Reboot(None)]


@pytest.mark.parametrize("downlink", ["02{}", "03e80300"], ids=["time", "countdown"])
@pytest.mark.parametrize("clock_known", [True, False])
def test_a_programmed_reboot_comes_at_its_moment_despite_a_reset(
    downlink: str, clock_known: bool
) -> None:
    one = device()
    receive(one, downlink.format((NOW + 1000).to_bytes(4, "little").hex()), NOW)
    if clock_known:
        fresh = after_reset(one, now=NOW + 300)
        assert fresh.next_deadline == NOW + 1000
        assert fresh.tick(now=NOW + 1000) == [Store("reboot", None), Reboot(None)]
        return
    fresh = after_reset(one, now=7.0, clock_known=False)  # seconds from the start of the device
    assert firmware(fresh).wants_time
    assert firmware(fresh).reboot_at is None
    assert fresh.export()["reboot"] == one.export()["reboot"]
    fresh.set_time(NOW + 300, now=17.0)
    assert not firmware(fresh).wants_time
    assert fresh.next_deadline == 717.0


def test_a_moment_that_passed_while_the_device_was_off_is_spent() -> None:
    one = device()
    receive(one, "03e80300", NOW)
    fresh = device()
    assert fresh.restore(one.export(), now=NOW + 1000) == [Store("reboot", None)]
    assert (fresh.next_deadline, firmware(fresh).reboot_at) == (None, None)
    late = after_reset(one, now=7.0, clock_known=False)
    assert late.set_time(NOW + 1010, now=17.0) == [Store("reboot", None)]  # it was NOW + 1000 at 7
    late = after_reset(one, now=7.0, clock_known=False)
    assert late.set_time(NOW + 1005, now=17.0) == []  # it came between the reset and the time
    assert Reboot(None) in late.tick(now=17.0)


def test_a_countdown_without_the_time_starts_again_and_is_a_time_as_soon_as_there_is_one() -> None:
    one = device(clock_known=False)
    assert receive(one, "03e80300", 50.0)[0] == Store("reboot", f"countdown 1000 {0x11223344}")
    fresh = after_reset(one, now=3.0, clock_known=False)
    assert firmware(fresh).reboot_at == 1003.0
    stored = Store("reboot", f"time {NOW + 1000} {0x11223344}")
    assert fresh.set_time(NOW, now=3.0) == [stored]
    assert fresh.export()["reboot"] == stored.value
    assert firmware(fresh).reboot_at == 1003.0
    known = device()
    assert known.restore(one.export(), now=float(NOW)) == [stored]


def test_a_reboot_for_firmware_that_does_not_run_any_more_is_spent() -> None:
    one = device()
    receive(one, "03e80300", NOW)
    state = one.export()
    updated = FirmwareDevice(fw_version=5, hw_version=6)
    assert updated.restore(state, now=NOW) == [Store("reboot", None)]
    assert (updated.reboot_at, updated.export()) == (None, {})
    assert firmware(one).booted(0x11223344) == []
    assert firmware(one).reboot_at == NOW + 1000  # an unplanned reset: it is still to come
    assert firmware(one).booted(5) == [Store("reboot", None)]
    assert firmware(one).reboot_at is None


@pytest.mark.parametrize(
    "value",
    [5, "time 5", "time 4294967296 1", "time 1 4294967296", "later 1 1", "countdown -1 1", ["x"]],
)
def test_a_stored_reboot_that_cannot_be_is_refused(value: object) -> None:
    with pytest.raises(FieldError, match="reboot"):
        device().restore({"reboot": value}, now=NOW)


@given(
    moments=st.lists(st.floats(-1e10, 1e10), min_size=2, max_size=8),
    time=st.integers(0, 2**32 - 1),
    known=st.booleans(),
)
def test_r11_a_stored_reboot_survives_any_clock(
    moments: list[float], time: int, known: bool
) -> None:
    state: dict[str, object] = {"reboot": f"time {time} 1"}
    for now in moments:
        one = FirmwareDevice(fw_version=1, hw_version=2)
        one.set_offset(0.0 if known else None, now=now)
        actions = [*one.restore(state, now=now), *one.tick(now=now)]
        assert not any(isinstance(action, Reboot) for action in actions)  # it has just rebooted
        one.set_offset(now / 3, now=now)
        state = {**one.export()} or state


# Images


def test_an_image_is_deleted_by_its_version_only_and_the_owner_is_told() -> None:
    one = device()
    firmware(one).store_image(UpImageStatus.VALID, version=7)
    receive(one, "03100e00", NOW)
    assert uplinks(receive(one, "0508000000", NOW)) == ["0502"]
    assert receive(one, "0507000000", NOW) == [
        DeleteImage(7),
        Send(FIRMWARE, bytes.fromhex("0500"), NOW),
    ]
    assert uplinks(receive(one, "0507000000", NOW)) == ["0501"]
    assert firmware(one).reboot_at == NOW + 3600  # deleting does not cancel it


@pytest.mark.parametrize(
    ("status", "version"),
    [
        (UpImageStatus.VALID, None),
        (UpImageStatus.NO_IMAGE, 1),
        (UpImageStatus.WRONG_HARDWARE, 1),
        (UpImageStatus.VALID, 1 << 32),
    ],
)
def test_an_image_has_a_version_exactly_if_it_is_valid(
    status: UpImageStatus, version: int | None
) -> None:
    one = FirmwareDevice(fw_version=1, hw_version=2)
    with pytest.raises(FieldError):
        one.store_image(status, version=version)


@pytest.mark.parametrize("versions", [(-1, 0), (1 << 32, 0), (0, -1), (0, 1 << 32)])
def test_versions_have_32_bits(versions: tuple[int, int]) -> None:
    with pytest.raises(FieldError):
        FirmwareDevice(fw_version=versions[0], hw_version=versions[1])


def test_after_a_rollback_the_image_is_still_reported() -> None:
    one = FirmwareDevice(fw_version=1, hw_version=2)
    one.store_image(UpImageStatus.VALID, version=3)
    one.booted(1)
    assert (one.fw_version, one.next_firmware_version) == (1, 3)


# What is ignored


@pytest.mark.parametrize("octets", ["00", "01", "0200000000", "03000000", "04", "0507000000"])
def test_nothing_is_executed_by_multicast(octets: str) -> None:
    one = device()
    firmware(one).store_image(UpImageStatus.VALID, version=7)
    before = copy.deepcopy(vars(firmware(one)))
    actions = one.receive(FIRMWARE, bytes.fromhex(octets), now=NOW, mc_group_id=0)
    assert [action.reason for action in actions if isinstance(action, Dropped)] == [
        DropReason.UNICAST_ONLY
    ]
    assert len(actions) == 1
    assert vars(firmware(one)) == before


def test_an_answer_and_a_command_of_another_package_are_ignored() -> None:
    one = FirmwareDevice(fw_version=1, hw_version=2)
    answer = v1.DevVersionAns(fw_version=1, hw_version=1)
    assert one.execute(answer, now=0) == [Dropped(DropReason.DIRECTION, "DevVersionAns")]
    from lorafuota.clocksync.v1 import ForceDeviceResyncReq

    other = ForceDeviceResyncReq(nb_transmissions=1)
    assert one.execute(other, now=0) == [Dropped(DropReason.PACKAGE, "ForceDeviceResyncReq")]


# Stacks that differ


def test_renesas_cancels_before_it_judges_and_takes_now_for_the_future() -> None:
    one = device(device_profile("Renesas"))
    receive(one, "03100e00", NOW)
    assert uplinks(receive(one, f"02{(NOW - 1).to_bytes(4, 'little').hex()}", NOW)) == [
        "0200000000"
    ]
    assert firmware(one).reboot_at is None
    assert uplinks(receive(one, f"02{NOW.to_bytes(4, 'little').hex()}", NOW)) == ["0200000000"]
    assert firmware(one).reboot_at == NOW


def test_st_deletes_whatever_is_there_tells_version_0_and_listens_to_multicast() -> None:
    one = device(device_profile("ST middleware v2"))
    firmware(one).store_image(UpImageStatus.VALID, version=7)
    assert uplinks(receive(one, "04", NOW)) == ["040300000000"]
    actions = one.receive(FIRMWARE, bytes.fromhex("0509000000"), now=NOW, mc_group_id=0)
    assert actions == [DeleteImage(7), Send(FIRMWARE, bytes.fromhex("0500"), NOW)]


@given(
    moments=st.lists(st.floats(-1e10, 1e10), min_size=1, max_size=8),
    time=st.integers(0, 2**32 - 1),
    seconds=st.integers(0, 2**24 - 1),
    profile=st.sampled_from([FirmwareProfile(), FirmwareProfile(now_is_future=True)]),
)
def test_a_clock_that_jumps_never_raises_and_never_promises_a_reboot_in_the_past(
    moments: list[float], time: int, seconds: int, profile: FirmwareProfile
) -> None:
    """Promise R11 for reboots."""
    one = FirmwareDevice(profile, fw_version=1, hw_version=2)
    for now in moments:
        one.tick(now=now)
        for command in (
            v1.DevRebootTimeReq(reboot_time=time),
            v1.DevRebootCountdownReq(countdown=seconds),
        ):
            for result in one.execute(command, now=now):
                if isinstance(result, Answer) and one.reboot_at is not None:
                    assert one.reboot_at >= now
        one.set_offset(now, now=now)


def test_a_session_is_plain_data() -> None:
    one = FirmwareDevice(fw_version=1, hw_version=2)
    one.execute(v1.DevRebootCountdownReq(countdown=9), now=5.0)
    twin = pickle.loads(pickle.dumps(one))
    assert vars(twin) == vars(copy.deepcopy(one)) == vars(one)
    assert dataclasses.replace(one.profile) == twin.profile
