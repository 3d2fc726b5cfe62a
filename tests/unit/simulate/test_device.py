from __future__ import annotations

import random

import pytest

from lorafuota.firmwaremanagement.v1 import UpImageStatus
from lorafuota.simulate import START
from lorafuota.simulate.device import OLD_FIRMWARE, SimDevice, fragment_number, make_device
from lorafuota.simulate.plan import Plan

from .support import IMAGE, scenario


def device(**fields: object) -> SimDevice:
    return SimDevice(Plan(scenario(**fields)), 0)


def test_fragments_are_told_from_other_commands() -> None:
    assert fragment_number(b"\x08\x05\x80data") == 5
    assert fragment_number(b"\x08\x05\x80") is None
    assert fragment_number(b"\x01\x00\x00\x00") is None
    assert fragment_number(b"") is None


def test_a_device_is_made_of_the_session_classes_its_kind_has() -> None:
    both = Plan(scenario(devices=2, profiles={"v2": 1.0, "loramac-node": 1.0}))
    made = [make_device(both, at, rng=random.Random(1), clock_known=True) for at in range(2)]
    assert made[0].firmware is not None
    assert made[1].firmware is None
    assert made[0].fragmentation.profile.has_mic
    assert not made[1].fragmentation.profile.has_mic


def test_a_clock_is_wrong_by_no_more_than_the_scenario_says() -> None:
    assert device().skew == 0
    wrong = device(clock_error=30.0)
    assert 0 < abs(wrong.skew) <= 30
    assert wrong.world(wrong.local(START)) == START
    assert wrong.local(START) - START == pytest.approx(wrong.skew, abs=1e-6)


def test_only_the_image_itself_is_taken_for_valid() -> None:
    good, other = device(firmware_version=5), device(firmware_version=5)
    good.finish(IMAGE, verified=True, n=17)
    other.finish(IMAGE[:-1] + b"!", verified=False, n=17)
    assert (good.image_ok, good.rebuilt, good.completed_by, good.reason) == (True, None, 17, None)
    assert other.reason == "the block rebuilt is not the image"
    assert other.rebuilt is not None
    assert good.session.firmware is not None
    assert good.session.firmware.image_status is UpImageStatus.VALID
    assert other.session.firmware is not None
    assert other.session.firmware.image_status is UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE


def test_a_reboot_installs_a_valid_image_whatever_caused_it() -> None:
    one = device(firmware_version=5)
    assert one.session.firmware is not None
    assert one.session.firmware.fw_version == OLD_FIRMWARE
    one.finish(IMAGE, verified=True, n=17)
    one.switch_off()
    one.boot(START + 60.0, fw_version=None)
    assert one.awake
    assert one.session.firmware.fw_version == 5
    assert one.session.firmware.image_status is UpImageStatus.NO_IMAGE
