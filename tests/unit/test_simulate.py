from __future__ import annotations

import hashlib
import json
import pathlib
import random

import pytest

from lorafuota.errors import FieldError
from lorafuota.simulate import DeviceRun, Report, Scenario, Simulation, parity_for
from lorafuota.types import LorawanVersion

FIRMWARE = pathlib.Path(__file__).parents[1] / "data" / "firmware"
IMAGE = random.Random(5).randbytes(3000)


def run(**fields: object) -> Report:
    simulation = Simulation(Scenario(**{"image": IMAGE, **fields}))  # type: ignore[arg-type]
    devices = range(simulation.scenario.devices)
    return simulation.report([DeviceRun(simulation, device).run() for device in devices])


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["app-1.0.0.signed.bin", "app-1.1.0.signed.bin"])
def test_the_sample_firmware_reaches_every_device(name: str, version: int) -> None:
    image = (FIRMWARE / name).read_bytes()
    report = run(image=image, version=version, devices=5, loss=0.25, frag_size=100)
    assert report.success
    assert {one.sha256 for one in report.results} == {hashlib.sha256(image).hexdigest()}
    assert all(one.verified is (version == 2) for one in report.results)
    assert all(one.fragments_used == report.nb_frag for one in report.results)


@pytest.mark.parametrize("lorawan", list(LorawanVersion))
@pytest.mark.parametrize("version", [1, 2])
def test_both_link_layers_derive_their_keys(lorawan: LorawanVersion, version: int) -> None:
    assert run(lorawan=lorawan, version=version, devices=2).success


@pytest.mark.parametrize("size", [1, 48, 49, 96, 97, 144, 48 * 8, 48 * 16])
@pytest.mark.parametrize("version", [1, 2])
def test_tiny_blocks_and_powers_of_two_arrive(size: int, version: int) -> None:
    report = run(image=IMAGE[:size], frag_size=48, version=version, loss=0.3, devices=3, seed=2)
    assert report.success
    assert report.nb_frag == -(-size // 48)


def test_too_little_redundancy_is_reported_honestly() -> None:
    report = run(loss=0.4, redundancy=0.1, frag_size=20)
    assert not report.success
    assert report.devices_complete == 0
    assert report.parity_needed is None
    [result] = report.results
    assert result.problem == f"not enough fragments: {result.missing} missing"
    assert result.missing == report.nb_frag - result.fragments_used > 0
    assert (result.sha256, result.completed_by, result.verified) == (None, None, False)


def test_a_run_is_a_function_of_its_scenario() -> None:
    first, second = run(devices=3, loss=0.3, seed=4), run(devices=3, loss=0.3, seed=4)
    assert first == second
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())
    other = run(devices=3, loss=0.3, seed=5)
    assert [one.frames_lost for one in other.results] != [one.frames_lost for one in first.results]


def test_devices_run_in_any_order_and_in_any_steps() -> None:
    simulation = Simulation(Scenario(image=IMAGE, devices=3, loss=0.3, frag_size=30))
    whole = [DeviceRun(simulation, device).run() for device in range(3)]
    steps = []
    for device in (2, 0, 1):
        one = DeviceRun(simulation, device)
        passed = 0
        while one.result is None:
            passed += one.advance(7)
        assert passed == simulation.nb_frames
        steps.append(one.result)
    assert simulation.report(steps) == simulation.report(whole)


def test_airtime_and_duration_follow_the_data_rate_and_the_duty_cycle() -> None:
    fast, slow = run(loss=0.0, frag_size=48), run(loss=0.0, frag_size=48, dr=0)
    assert fast.frames == slow.frames == 63 + 1
    assert slow.frame_airtime_seconds == 2.793472
    assert slow.airtime_seconds == pytest.approx(64 * 2.793472)
    assert slow.duration_seconds == pytest.approx(2 + 63 * 27.93472 + 2.793472, abs=0.01)
    free = run(loss=0.0, frag_size=48, dr=0, duty_cycle=1.0)
    assert free.duration_seconds == pytest.approx(2 + 64 * 2.793472)
    assert fast.airtime_seconds < slow.airtime_seconds


def test_what_does_not_fit_one_window_takes_several() -> None:
    image = random.Random(1).randbytes(100_000)
    report = run(image=image, loss=0.1, dr=0, frag_size=48)
    assert report.success
    assert report.windows == 3


@pytest.mark.parametrize("name", ["US915", "AU915", "AS923", "IN865", "KR920", "CN470"])
def test_every_region_has_a_data_rate_to_send_at(name: str) -> None:
    report = run(region=name)
    assert report.success
    assert report.windows == 1


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"image": b""}, "image = 0 octets"),
        ({"image": bytes(16384), "frag_size": 1}, r"expected 1\.\.16383 octets"),
        ({"frag_size": 49, "dr": 0}, r"frag_size = 49: expected 1\.\.48 octets at EU868 DR0"),
        ({"frag_size": 0}, "frag_size = 0"),
        ({"dr": 9}, "a rate for multicast in EU868: 0, 1, 2, 3, 4, 5, 6, 7"),
        ({"region": "MARS"}, "MARS"),
        ({"version": 3}, "version = 3"),
        ({"loss": 1.0}, "loss = 1.0"),
        ({"loss": float("nan")}, "loss = nan"),
        ({"devices": 0}, "devices = 0"),
        ({"redundancy": -1.0}, "redundancy = -1.0"),
        ({"redundancy": 16000.0}, "coded fragments beside 13 plain"),
        ({"duty_cycle": 0.0}, "duty_cycle = 0.0"),
    ],
)
def test_scenarios_that_cannot_be_are_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(FieldError, match=match):
        run(**fields)


def test_parity_grows_with_loss_and_fleet() -> None:
    assert parity_for(100, loss=0, devices=1) == 1
    few, more = parity_for(100, loss=0.1, devices=1), parity_for(100, loss=0.3, devices=1)
    assert 20 <= few < more < parity_for(100, loss=0.3, devices=1000)
    assert parity_for(1, loss=0.5, devices=1) == 14
    assert parity_for(16000, loss=0.9, devices=1) == 383


def test_a_refused_set_up_ends_the_run_with_its_reason() -> None:
    simulation = Simulation(Scenario(image=IMAGE))
    simulation.dr = 99
    result = DeviceRun(simulation, 0).run()
    assert result.problem == "class C session: DR_ERROR"
    assert not result.complete
