"""Clocks: what AppTimeReq, TimeToStart, TimeCorrection and SessionTime give away."""

from __future__ import annotations

import dataclasses

import pytest

from lorafuota.clocksync.v1 import AppTimeAns, AppTimeReq, DeviceAppTimePeriodicityAns
from lorafuota.dissect.hypothesis import Symptom
from lorafuota.dissect.symptoms.clock import named_difference
from lorafuota.multicastsetup.v1 import McClassBSessionReq
from tests.unit.dissect.support import CLOCK, FRAG, MC, START, Log, class_c, setup1, status1


def asked(error: float, *, token: int = 0, log: Log | None = None) -> Log:
    log = log or Log()
    time = int(log.now + error) % (1 << 32)
    return log.up(CLOCK, AppTimeReq(device_time=time, token_req=token, ans_required=False))


def corrected(log: Log, correction: int, *, token: int = 0) -> Log:
    return log.down(CLOCK, AppTimeAns(time_correction=correction, token_ans=token))


@pytest.mark.parametrize(
    ("seconds", "symptom"),
    [
        (18, Symptom.CLOCK_LEAP_SECONDS),
        (-18.9, Symptom.CLOCK_LEAP_SECONDS),
        (37, Symptom.CLOCK_LEAP_SECONDS),
        (315_964_782, Symptom.CLOCK_EPOCH),
        (-315_964_800, Symptom.CLOCK_EPOCH),
        (25, None),
        (0, None),
    ],
)
def test_some_differences_have_a_name(seconds: float, symptom: Symptom | None) -> None:
    named = named_difference(seconds)
    assert (named and named[0]) == symptom


def test_a_clock_that_is_off_and_not_corrected() -> None:
    assert asked(0).names() == []
    assert asked(4).names() == []
    assert asked(100).names() == ["clock-off"]
    assert asked(-18).names() == ["clock-off-by-leap-seconds"]
    assert asked(-315_964_800).names() == ["clock-of-another-epoch"]
    assert not asked(-18).diagnose().found  # it asks because it may be off
    log = asked(-18, log=asked(-18, log=asked(-18)))
    assert log.find(Symptom.CLOCK_LEAP_SECONDS).score == 0.744
    log = asked(-315_964_800, log=asked(-315_964_800, log=asked(-315_964_800)))
    assert log.find(Symptom.CLOCK_EPOCH).score == 0.898
    time = int(START) + 100
    log = Log().up(CLOCK, DeviceAppTimePeriodicityAns(not_supported=False, device_time=time))
    assert log.names() == ["clock-off"]


def test_a_correction_settles_it_and_a_wrong_one_does_not() -> None:
    assert corrected(asked(100), -100).names() == []
    assert "clock-off" in corrected(asked(100), -100, token=3).names()  # an answer to another
    log = corrected(asked(0), 18)
    found = asked(18, token=1, log=log).find(Symptom.CLOCK_LEAP_SECONDS)
    assert "the server sets the device's clock wrong" in found.says
    assert corrected(asked(0), 200).names()[0] == "server-clock-off"
    assert corrected(asked(0), (1 << 31) - 1).names() == []  # an extreme says "or more"


def test_a_server_that_was_right_once_is_not_blamed() -> None:
    log = corrected(asked(100), -100)
    log = corrected(asked(0, token=1, log=log), 60, token=1)
    assert "server-clock-off" not in log.names()


def accepted(left: int, *, ahead: float = 600.0) -> Log:
    start = START + 2 + ahead
    return Log().down(MC, class_c(start)).up(MC, "0400" + left.to_bytes(3, "little").hex())


def test_time_to_start_tells_the_clock() -> None:
    assert accepted(600).names() == []
    assert accepted(597).names() == []
    assert accepted(618).find(Symptom.CLOCK_LEAP_SECONDS).score == 0.9
    assert accepted(400).find(Symptom.CLOCK_OFF).score == 0.8
    assert accepted(0, ahead=-100).names() == []  # joins late, says nothing of its clock


def test_a_device_without_the_time_says_so() -> None:
    found = accepted(0xFFFFFF).find(Symptom.CLOCK_OFF)
    assert found.says == "the device does not know the time when it is asked to listen"
    assert corrected(asked(0, log=accepted(0xFFFFFF)), 0).names() == []
    log = accepted(0xFFFFFF).down(FRAG, setup1()).up(FRAG, "0200").down(FRAG, "0101")
    assert log.up(FRAG, status1(10, 0)).names() == []  # it was reached all the same


def test_class_b_is_only_roughly_right() -> None:
    start = (int(START) // 128 + 20) * 128
    fields = {"mc_group_id": 0, "time_out": 2, "periodicity": 3, "dl_freq_hz": 0, "dr": 3}
    for off, names in ((50, []), (90, ["clock-off"])):
        left = start - int(START) - 2 + off
        log = Log().down(MC, McClassBSessionReq(session_time=start, **fields))
        assert log.up(MC, "0500" + left.to_bytes(3, "little").hex()).names() == names


@pytest.mark.parametrize("shift", [315_964_782, -315_964_782])
def test_session_time_of_another_epoch(shift: int) -> None:
    log = Log().down(MC, class_c(START + 600 + shift)).up(MC, "0400ffffff")
    found = log.find(Symptom.CLOCK_EPOCH)
    assert found.says.startswith("SessionTime is not in GPS seconds")
    assert log.names()[0] == "clock-of-another-epoch"


def test_the_log_of_the_device_counts() -> None:
    log = Log().up(FRAG, "00")
    assert log.names(device_times=((START + 1, START),)) == []
    found = log.find(Symptom.CLOCK_LEAP_SECONDS, device_times=((START - 18, START),))
    assert found.evidence[0].text == "the device's log: -18.0 s off"


def test_a_log_without_times_tells_nothing_about_clocks() -> None:
    log = accepted(0xFFFFFF)
    asked(500, log=log)
    log.frames = [dataclasses.replace(one, time=None) for one in log.frames]
    assert log.names() == []
