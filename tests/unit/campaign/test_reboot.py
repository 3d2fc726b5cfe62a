"""The reboot at a time for all, and the countdown for who is late or does not know the time."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from lorafuota.campaign import FirmwareStep, RetryPolicy
from lorafuota.campaign.reboot import over_after, reboot_answered, reboot_req
from lorafuota.campaign.state import DeviceRecord, Outcome, Stage
from lorafuota.campaign.step import Step
from lorafuota.firmwaremanagement.v1 import (
    PACKAGE,
    DevRebootCountdownAns,
    DevRebootCountdownReq,
    DevRebootTimeAns,
    DevRebootTimeReq,
)
from lorafuota.types import DevEUI
from tests.unit.campaign.fleet import NEW, START, Channel, Fleet, Unit, config, member

NOW = START
SOON = FirmwareStep(version=NEW, countdown_seconds=60, boot_seconds=30.0)
AT = dataclasses.replace(SOON, reboot_at=NOW + 9000)


def record(**changes: Any) -> DeviceRecord:
    return DeviceRecord(stage=Stage.REBOOT, **changes)


def test_without_a_time_every_device_gets_the_countdown() -> None:
    assert reboot_req(SOON, record(), NOW) == DevRebootCountdownReq(countdown=60)
    assert over_after(SOON, NOW) == 90.0


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOW, DevRebootTimeReq(reboot_time=int(NOW + 9000))),
        (NOW + 8939, DevRebootTimeReq(reboot_time=int(NOW + 9000))),
        (NOW + 8940, DevRebootCountdownReq(countdown=60)),
        (NOW + 9_000_000, DevRebootCountdownReq(countdown=60)),
    ],
)
def test_who_is_ready_in_time_gets_the_time_and_who_is_late_the_countdown(
    now: float, expected: object
) -> None:
    assert reboot_req(AT, record(), now) == expected


def test_a_time_that_is_confirmed_is_waited_for() -> None:
    about = record()
    step = reboot_answered(AT, about, DevRebootTimeAns(reboot_time=8990), NOW + 5)
    assert step == Step(Stage.CONFIRM, delay_seconds=8995 + 30.0)
    assert (about.reboot_eta, about.installing, about.no_time) == (NOW + 8995, NOW + 5, False)


@pytest.mark.parametrize("seconds", [0, 1, 8939, 9061, 0xFFFFFFFE])
def test_who_cannot_or_is_wrong_about_the_time_gets_the_seconds_that_are_left(seconds: int) -> None:
    about = record()
    assert reboot_answered(AT, about, DevRebootTimeAns(reboot_time=seconds), NOW) is None
    assert about == record(no_time=True)
    assert reboot_req(AT, about, NOW + 900) == DevRebootCountdownReq(countdown=8100)
    step = reboot_answered(AT, about, DevRebootCountdownAns(countdown=8100), NOW + 901)
    assert step == Step(Stage.CONFIRM, delay_seconds=8099 + 30.0)
    assert about.reboot_eta == NOW + 901 + 8100


def test_a_time_too_far_for_a_countdown_stays_a_time() -> None:
    far = dataclasses.replace(AT, reboot_at=NOW + 20_000_000)
    assert reboot_req(far, record(no_time=True), NOW) == DevRebootTimeReq(
        reboot_time=int(NOW + 20_000_000)
    )


@pytest.mark.parametrize(
    "answer",
    [
        DevRebootCountdownAns(countdown=0),
        DevRebootCountdownAns(countdown=0xFFFFFF),
        DevRebootTimeAns(reboot_time=0xFFFFFFFF),
    ],
)
def test_a_refusal_and_an_answer_to_a_cancellation_promise_nothing(answer: Any) -> None:
    about = record()
    assert reboot_answered(AT, about, answer, NOW) is None
    assert about == record()


# Whole campaigns


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_all_devices_reboot_at_the_time_whatever_their_clocks_show(loss: float) -> None:
    """One knows the time, one is an hour behind, one refuses times."""
    at = START + 20_000
    members = [member(n) for n in (1, 2, 3)]

    def no_times(fport: int, payload: bytes) -> list[tuple[int, bytes]]:
        if (fport, payload[0]) == (PACKAGE.fport, DevRebootTimeAns.CID):
            payload = DevRebootTimeAns(reboot_time=0).encode()
        return [(fport, payload)]

    units = [Unit.of(one) for one in members]
    units[1].clock_error = -3600.0
    units[2].rewrite = no_times
    step = dataclasses.replace(SOON, reboot_at=at)
    channel = Channel(random.Random(3), loss, loss)
    wanted = config(members, firmware=step, retry=RetryPolicy(12, 20.0))
    run = Fleet(wanted, units, channel=channel).start()
    seen: dict[DevEUI, float] = {}
    while run.step():
        for unit in units:
            if unit.fw_version == NEW:
                seen.setdefault(unit.member.dev_eui, run.now)
    run.check_honest()
    assert run.outcomes == dict.fromkeys((1, 2, 3), Outcome.CONFIRMED)
    assert all(abs(when - at) <= 25 for when in seen.values()), seen
    assert len(seen) == 3
