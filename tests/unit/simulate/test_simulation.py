from __future__ import annotations

import contextlib
import hashlib
import json
import pathlib
import random
from collections.abc import Iterator

import pytest

from lorafuota.campaign import MemoryStore
from lorafuota.campaign.config import WindowClass
from lorafuota.errors import StateError
from lorafuota.simulate import Report, Simulation
from lorafuota.simulate.airlog import AirLog, AirLogError
from lorafuota.types import LorawanVersion

from .support import FIRMWARE, IMAGE, SAMPLE, run, scenario


@pytest.mark.parametrize("version", [1, 2, None])
@pytest.mark.parametrize("name", ["app-1.0.0.signed.bin", "app-1.1.0.signed.bin"])
def test_the_sample_firmware_reaches_every_device(name: str, version: int | None) -> None:
    image = (FIRMWARE / name).read_bytes()
    report = run(image=image, version=version, lorawan=None, devices=6, loss=0.25, frag_size=100)
    assert report.success
    assert report.devices_known == 6
    assert {one.sha256 for one in report.results} == {hashlib.sha256(image).hexdigest()}
    assert all(one.verified is (one.kind == "v2") for one in report.results)
    assert all(one.fragments_used == report.nb_frag for one in report.results)
    assert {one.kind for one in report.results} == (
        {"v1", "v2"} if version is None else {f"v{version}"}
    )


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


def test_unicast_alone_delivers_and_counts_its_fragments() -> None:
    report = run(unicast=1.0, devices=3, loss=0.2, uplink_loss=0.1, version=None)
    assert report.success
    assert report.groups == ()
    assert report.windows == 0
    assert report.frames >= 3 * report.nb_frag
    assert report.airtime_seconds == pytest.approx(report.frames * report.frame_airtime_seconds)


def test_class_a_devices_hear_unicast_only_after_an_uplink() -> None:
    soon, late = run(devices=3, loss=0.1), run(devices=3, loss=0.1, uplink_seconds=1800.0)
    assert soon.success
    assert late.success
    assert late.duration_seconds > soon.duration_seconds + 3600
    slow = run(devices=2, loss=0.1, uplink_seconds=600.0, unicast=1.0)
    assert slow.success


@pytest.mark.parametrize("periodicity", [0, 2, 5])
def test_class_b_windows_deliver_in_ping_slots(periodicity: int) -> None:
    report = run(devices=4, loss=0.2, window_class=WindowClass.B, periodicity=periodicity)
    assert report.success
    assert report.window_class == "B"
    assert report.frames_lost_share < 0.4  # no frame falls between the slots


def test_uplink_loss_delay_and_repetition_are_survived() -> None:
    report = run(devices=8, loss=0.3, uplink_loss=0.3, repeat=0.3, delay_seconds=20.0, version=None)
    assert report.success
    assert report.devices_known == 8


def test_clocks_that_start_wrong_are_corrected() -> None:
    right, wrong = run(devices=5, loss=0.1), run(devices=5, loss=0.1, clock_error=900.0)
    assert wrong.success
    assert wrong.uplinks > right.uplinks  # AppTimeReq


def test_devices_that_join_late_get_everything() -> None:
    report = run(image=SAMPLE.read_bytes(), devices=6, late=0.5, loss=0.1, seed=3)
    assert report.success
    assert report.rounds >= 1


def test_devices_that_vanish_do_not_stop_the_others() -> None:
    report = run(devices=8, vanish=0.25, loss=0.1, seed=2)
    assert report.devices_complete >= 6
    assert report.outcomes.get("no answer", 0) + report.devices_known == 8
    assert any(one.problem == "vanished" for one in report.results)
    assert report.phase == "ended"


def test_devices_that_reboot_go_on_where_they_were() -> None:
    report = run(image=SAMPLE.read_bytes(), devices=6, reboot=1.0, loss=0.1, version=None)
    assert report.success


def test_the_firmware_is_installed_and_confirmed() -> None:
    report = run(devices=4, loss=0.2, firmware_version=0x0100_0000)
    assert report.outcomes == {"installed and confirmed": 4}


def test_repair_completes_what_a_small_first_pass_left() -> None:
    closed = run(devices=10, loss=0.3, redundancy=0.1, frag_size=48)
    assert closed.success
    assert closed.rounds >= 1
    assert closed.parity_needed is not None
    assert closed.parity_needed > closed.parity_planned


def test_the_open_loop_is_reported_honestly() -> None:
    report = run(loss=0.4, redundancy=0.1, frag_size=20, rounds=0)
    assert not report.success
    assert report.devices_complete == report.rounds == 0
    assert report.windows == 1
    assert report.parity_needed is None
    assert report.outcomes == {"fragments missing": 1}
    [result] = report.results
    assert result.problem == f"not enough fragments: {result.missing} missing"
    assert result.missing == report.nb_frag - result.fragments_used > 0
    assert (result.sha256, result.completed_by, result.verified) == (None, None, False)


@pytest.mark.parametrize("name", ["renesas", "zephyr-2025", "lora-basics-modem-4.8"])
def test_fleets_of_known_stacks_are_updated_too(name: str) -> None:
    report = run(devices=3, loss=0.1, profiles={name: 1.0})
    assert report.phase == "ended"
    assert all(one.sha256 in (None, report.image_sha256) for one in report.results)
    assert report.devices_complete == 3


def test_a_stack_too_small_for_the_losses_is_reported_and_the_others_go_on() -> None:
    """LoRaMac-node as delivered makes good five lost fragments and no more."""
    report = run(devices=4, loss=0.2, frag_size=48, profiles={"v2": 1.0, "loramac-node": 1.0})
    assert report.devices_complete == 2
    assert report.outcomes == {"integrity ok": 2, "memory error": 2}
    problems = {one.problem for one in report.results if not one.complete}
    assert problems == {"more than max_lost = 5 fragments were lost"}


def test_a_run_is_a_function_of_its_scenario() -> None:
    fields = {"devices": 6, "loss": 0.3, "uplink_loss": 0.1, "late": 0.2, "reboot": 0.2}
    first, second = run(**fields, seed=4), run(**fields, seed=4)
    assert first == second
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())
    other = run(**fields, seed=5)
    assert [one.frames_lost for one in other.results] != [one.frames_lost for one in first.results]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"version": None, "lorawan": None},
        {"redundancy": 0.1, "uplink_loss": 0.2},
        {"late": 0.3, "vanish": 0.2, "seed": 1},
        {"unicast": 0.3, "window_class": WindowClass.B},
    ],
)
def test_a_shared_radio_changes_nothing_but_the_time_it_takes(fields: dict[str, object]) -> None:
    common = {"devices": 10, "loss": 0.25, **fields}
    assert run(**common, shared_radio=True) == run(**common)


def test_airtime_and_duration_follow_the_data_rate_and_the_duty_cycle() -> None:
    common = {"loss": 0.0, "frag_size": 48, "version": 1}
    fast, slow = run(**common), run(**common, dr=0)
    assert fast.frames == slow.frames == 63 + 1
    assert slow.frame_airtime_seconds == 2.793472
    asked = slow.questions * slow.question_airtime_seconds
    assert slow.airtime_seconds == pytest.approx(64 * 2.793472 + asked)
    assert slow.question_airtime_seconds < 1.2
    free = run(**common, dr=0, duty_cycle=1.0)
    assert slow.duration_seconds - free.duration_seconds > 63 * 0.9 * 27.9 - 60
    assert fast.airtime_seconds < slow.airtime_seconds


def test_what_does_not_fit_one_window_takes_several() -> None:
    image = random.Random(1).randbytes(100_000)
    report = run(image=image, loss=0.1, dr=0, frag_size=48)
    assert report.success
    assert report.windows >= 2


@pytest.mark.parametrize("name", ["US915", "AU915", "AS923", "IN865", "KR920", "CN470"])
def test_every_region_has_a_data_rate_to_send_at(name: str) -> None:
    report = run(region=name)
    assert report.success


# Going on after the process ended


@contextlib.contextmanager
def kept(path: pathlib.Path, store: MemoryStore, **fields: object) -> Iterator[Simulation]:
    """A simulation whose process ends with the block, orderly or not."""
    with AirLog(path) as air:
        yield Simulation(scenario(**fields), store=store, air=air)


def steps(simulation: Simulation, count: int) -> bool:
    return all(simulation.step() for _ in range(count))


@pytest.mark.parametrize("every", [31, 50, 211])
def test_a_process_that_dies_again_and_again_still_gets_there(
    tmp_path: pathlib.Path, every: int
) -> None:
    fields = {"devices": 4, "loss": 0.2, "late": 0.25, "reboot": 0.25, "frag_size": 100}
    store = MemoryStore()
    for _ in range(400):
        with kept(tmp_path / "air", store, **fields) as simulation:
            before = simulation.now
            alive = steps(simulation, every)  # and then nothing: no orderly end
            assert simulation.now >= before
        if not alive:
            break
    with kept(tmp_path / "air", store, **fields) as simulation:
        report = simulation.report()
    assert report.phase == "ended"
    assert report.success
    assert report.devices_known == 4


def test_the_fleet_comes_back_exactly_as_it_was(tmp_path: pathlib.Path) -> None:
    fields = {"devices": 5, "loss": 0.2, "uplink_loss": 0.1, "frag_size": 100}
    store = MemoryStore()
    with kept(tmp_path / "air", store, **fields) as first:
        steps(first, 120)
        first.stop()
    with kept(tmp_path / "air", store, **fields) as again:
        pass
    heard = [one.frames_heard for one in again.report().results]
    assert heard == [one.frames_heard for one in first.report().results]
    assert (again.now, again.fleet.events) == (first.now, first.fleet.events)
    assert again.fleet.next_time == first.fleet.next_time


def test_pause_stops_everything_and_resume_goes_on() -> None:
    simulation = Simulation(scenario(devices=3))
    steps(simulation, 30)
    simulation.pause()
    assert simulation.next_time is None
    assert not simulation.step()
    simulation.resume()
    assert simulation.run().success


def test_cancel_cleans_up_and_ends() -> None:
    simulation = Simulation(scenario(devices=3, frag_size=48))
    steps(simulation, 60)
    simulation.cancel()
    assert simulation.run().outcomes == {"cancelled": 3}
    with pytest.raises(StateError):
        simulation.cancel()


def test_a_log_without_its_store_is_refused(tmp_path: pathlib.Path) -> None:
    with kept(tmp_path / "air", MemoryStore()) as simulation:
        steps(simulation, 5)
    with (
        pytest.raises(AirLogError, match="the store does not know"),
        kept(tmp_path / "air", MemoryStore()),
    ):
        pass


def test_a_log_of_another_scenario_is_refused(tmp_path: pathlib.Path) -> None:
    store = MemoryStore()
    with kept(tmp_path / "air", store, devices=2) as simulation:
        simulation.run()
        simulation.stop()
    with (
        pytest.raises(AirLogError, match="does not fit the scenario"),
        kept(tmp_path / "air", store, devices=2, loss=0.9, vanish=1.0),
    ):
        pass


def test_a_log_that_asks_for_steps_behind_its_own_time_is_refused(tmp_path: pathlib.Path) -> None:
    store, path = MemoryStore(), tmp_path / "air"
    with kept(path, store, clock_error=5.0) as simulation:
        steps(simulation, 5)
    with path.open("ab") as log:
        log.write(b'[1000000000000, 1400000001.0, "Pause", {}]\n')
    with (
        pytest.raises(AirLogError, match="does not fit the scenario"),
        kept(path, store, clock_error=5.0),
    ):
        pass


@pytest.mark.parametrize(
    "sent",
    [
        '"Unicast", {"dev_eui": 1, "fport": 201, "payload": "00"}',
        '"Unicast", {"dev_eui": 18446744073709551615, "fport": 201, "payload": "00"}',
        '"Multicast", {"group": "x", "time": 1, "fcnt": 0, "fport": 201, "payload": "00", '
        '"phy": "00"}',
        '"Multicast", {"group": "v2", "time": 1, "fcnt": 0, "fport": 201, "payload": "", '
        '"phy": ""}',
    ],
)
def test_a_log_of_a_device_or_group_that_is_not_there_is_refused(
    tmp_path: pathlib.Path, sent: str
) -> None:
    store, path = MemoryStore(), tmp_path / "air"
    with kept(path, store) as simulation:
        steps(simulation, 5)
    with path.open("a") as log:
        log.write(f"[0, 1400000001.0, {sent}]\n")
    with pytest.raises(AirLogError, match="does not fit the scenario"), kept(path, store):
        pass


def test_every_key_and_loss_depends_on_the_seed() -> None:
    one, other = Simulation(scenario()), Simulation(scenario(seed=1))
    assert one.root_key(0).reveal() != other.root_key(0).reveal()


def test_a_report_can_be_had_at_any_time() -> None:
    simulation = Simulation(scenario(devices=2))
    first: Report = simulation.report()
    assert (first.phase, first.devices_complete, first.frames_lost_share) == ("new", 0, 0.0)
    assert {one.outcome for one in first.results} == {"pending"}
