"""Whole campaigns with signed images and deltas: each ends as TS006 says, and in the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.image import mcuboot
from lorafuota.image.detools import DetoolsCodec
from lorafuota.image.install import ImageGate
from lorafuota.image.keys import Scheme, SigningKey
from lorafuota.image.version import ImageVersion
from lorafuota.simulate import Scenario, Simulation
from lorafuota.simulate.plan import Plan
from tests.unit.image.support import HARDWARE, NEW, OLD, delta, image, key

GATE = ImageGate(
    key=key().public,
    hw_version=HARDWARE,
    running=OLD,
    base=image(OLD),
    codecs=(DetoolsCodec(),),
)
STRANGER = SigningKey.generate(Scheme.ED25519).public
NEWER = ImageVersion(2)


def simulation(block: bytes, gates: Callable[[int], ImageGate], **changes: Any) -> Simulation:
    scenario = Scenario(
        image=block, devices=3, loss=0.1, seed=5, firmware_version=NEW.fw_version, **changes
    )
    return Simulation(scenario, gates=gates)


def ended(block: bytes, **changes: object) -> tuple[dict[str, int], set[str | None]]:
    replaced: Callable[..., ImageGate] = dataclasses.replace
    report = simulation(block, lambda _: replaced(GATE, **changes)).run()
    assert report.devices_complete == 3  # all of them rebuilt what was sent
    return report.outcomes, {one.problem for one in report.results}


@pytest.mark.parametrize("block", [image(NEW), delta()], ids=["image", "delta"])
def test_a_signed_image_or_delta_is_installed_and_confirmed(block: bytes) -> None:
    run = simulation(block, lambda _: GATE)
    assert {one.fw_version for one in run.report().results} == {OLD.fw_version}
    report = run.run()
    assert report.outcomes == {"installed and confirmed": 3}
    assert report.devices_confirmed == 3
    assert {one.fw_version for one in report.results} == {NEW.fw_version}
    for device in run.fleet.devices:
        assert device.gate == dataclasses.replace(GATE, running=NEW, base=image(NEW))
        assert device.slot is None
        assert device.session.firmware is not None
        assert device.session.firmware.fw_version == NEW.fw_version
        assert device.session.firmware.hw_version == HARDWARE


def test_a_delta_takes_less_than_half_of_the_air() -> None:
    full, small = (simulation(block, lambda _: GATE).run() for block in (image(NEW), delta()))
    assert small.airtime_seconds < full.airtime_seconds / 2


@pytest.mark.parametrize(
    ("block", "changes", "outcome", "problem"),
    [
        (
            image(NEW),
            {"key": STRANGER},
            "image corrupt or signature wrong",
            "MCUboot image: another key signed it",
        ),
        (
            image(NEW),
            {"hw_version": 1},
            "image for other hardware",
            "image: it is for hardware 0x01070002, this is 0x00000001",
        ),
        (
            delta(),
            {"base": image(NEW)},
            "image corrupt or signature wrong",
            "delta: it starts from another firmware than the one that runs",
        ),
        (
            image(NEW),
            {"running": NEWER},
            "image corrupt or signature wrong",
            "image: version 1.1.0+0 is older than the running 2.0.0+0",
        ),
        (
            delta(),
            {"running": NEW},
            "image corrupt or signature wrong",
            "image: version 1.1.0+0 is the same as the running 1.1.0+0",
        ),
    ],
    ids=["wrong-key", "wrong-hardware", "wrong-base", "older", "equal"],
)
def test_what_is_refused_is_not_installed_and_stands_in_the_report(
    block: bytes, changes: dict[str, object], outcome: str, problem: str
) -> None:
    assert ended(block, **changes) == ({outcome: 3}, {problem})


def test_a_campaign_with_a_base_leaves_other_devices_out_before_a_frame_is_sent() -> None:
    """The second runs another version, the third says that it runs the base, and does not."""
    gates = {
        0: GATE,
        1: dataclasses.replace(GATE, running=NEWER),
        2: dataclasses.replace(GATE, base=image(NEW)),
    }
    run = simulation(delta(), gates.__getitem__, base_version=OLD.fw_version)
    report = run.run()
    assert [one.outcome for one in report.results] == [
        "installed and confirmed",
        "another firmware than the delta starts from",
        "image corrupt or signature wrong",
    ]
    left_out = report.results[1]
    assert left_out.problem == (
        "another firmware than the delta starts from: runs version 0x02000000"
    )
    assert (left_out.frames_heard, left_out.frames_lost, left_out.complete) == (0, 0, False)
    nobody = simulation(delta(), lambda _: gates[1], base_version=OLD.fw_version).run()
    assert (nobody.frames, nobody.airtime_seconds, nobody.windows) == (0, 0.0, 0)
    assert nobody.outcomes == {"another firmware than the delta starts from": 3}


def test_one_device_that_differs_does_not_keep_the_others() -> None:
    gates = {0: GATE, 1: dataclasses.replace(GATE, hw_version=1), 2: GATE}
    report = simulation(image(NEW), gates.__getitem__).run()
    assert [one.outcome for one in report.results] == [
        "installed and confirmed",
        "image for other hardware",
        "installed and confirmed",
    ]


def test_an_image_that_changes_in_the_slot_is_not_started() -> None:
    run = simulation(image(NEW), lambda _: GATE)
    while run.step():
        for device in run.fleet.devices:
            if device.index == 1 and device.slot is not None:
                bad = bytearray(image(NEW))
                bad[1000] ^= 1
                device.slot = bytes(bad)
    report = run.report()
    assert [one.outcome for one in report.results] == [
        "installed and confirmed",
        "old firmware after the reboot",
        "installed and confirmed",
    ]
    versions = [NEW.fw_version, OLD.fw_version, NEW.fw_version]
    assert [one.fw_version for one in report.results] == versions
    assert report.devices_confirmed == 2
    device = run.fleet.devices[1]
    assert device.gate == GATE
    assert device.reason == "MCUboot image: sha256 does not fit: it has been changed"
    assert device.session.firmware is not None
    assert device.session.firmware.fw_version == OLD.fw_version


def test_an_image_of_another_version_than_the_campaigns_is_a_bad_image() -> None:
    other = mcuboot.sign(b"x" * 500, key=key(), version=ImageVersion(1, 2), hardware=HARDWARE)
    outcomes, _ = ended(other)
    assert outcomes == {"image corrupt or signature wrong": 3}


def test_without_a_version_to_confirm_nobody_is_asked_what_runs() -> None:
    report = Simulation(Scenario(image=image(NEW), devices=2, seed=5)).run()
    assert report.success
    assert report.devices_confirmed is None
    assert {one.fw_version for one in report.results} == {None}


def test_gates_need_a_version_to_confirm() -> None:
    with pytest.raises(FieldError, match=r"Scenario\.firmware_version"):
        Plan(Scenario(image=b"x"), lambda _: GATE)
