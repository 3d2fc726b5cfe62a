from __future__ import annotations

import json

import pytest

from lorafuota.simulate.fleet import Uplink
from lorafuota.simulate.report import Tally
from lorafuota.types import DevEUI

from .support import run


def test_figures_of_groups_add_up_to_those_of_the_fleet() -> None:
    report = run(devices=7, version=None, loss=0.2, unicast=0.2)
    assert {group.name for group in report.groups} == {"v1", "v2"}
    assert sum(group.devices for group in report.groups) == 6
    assert sum(group.windows for group in report.groups) == report.windows
    assert report.frames >= sum(group.frames for group in report.groups)
    asked = report.questions * report.question_airtime_seconds
    on_air = report.frames * report.frame_airtime_seconds + asked
    assert report.airtime_seconds == pytest.approx(on_air)
    assert sum(report.outcomes.values()) == sum(report.kinds.values()) == report.devices == 7
    assert all(group.highest_n >= group.frames for group in report.groups)


def test_a_report_is_json_and_says_whether_it_went_well() -> None:
    report = run(devices=2)
    fields = json.loads(json.dumps(report.to_json()))
    assert fields["success"] is report.success is True
    assert [one["sha256"] for one in fields["results"]] == [fields["image_sha256"]] * 2
    assert fields["groups"][0]["name"] == "v2"


def test_each_device_tells_what_it_had() -> None:
    report = run(devices=3, loss=0.3, frag_size=48)
    for at, one in enumerate(report.results):
        assert (one.device, one.complete, one.missing, one.problem) == (at, True, 0, None)
        assert one.fragments_used == report.nb_frag <= one.frames_heard
        assert one.completed_by is not None
        assert one.unicasts > 0
        assert one.uplinks > 0
    worst = max(one.completed_by or 0 for one in report.results)
    assert report.parity_needed == worst - report.nb_frag
    lost = sum(one.frames_lost for one in report.results)
    heard = sum(one.frames_heard for one in report.results)
    assert report.frames_lost_share == lost / (lost + heard)


def test_a_tally_starts_from_nothing() -> None:
    tally = Tally()
    assert (tally.unicasts, tally.uplinks, tally.commits, tally.frames["v1"]) == (0, 0, 0, 0)
    assert (tally.asked, tally.answers, tally.peak, tally.questions["v1"]) == (0, 0, 0, 0)


def test_a_tally_knows_the_busiest_second_of_answers_and_reports() -> None:
    tally = Tally()
    for payload, fport, when in (
        (b"\x01\x00\x05\x00\x00", 201, 10.0),
        (b"\x04\x00", 201, 10.9),
        (b"\x02\x00", 201, 10.9),  # a set-up answer
        (b"\x01\x00", 200, 10.9),  # another package
        (b"", 201, 10.9),
        (b"\x04\x00", 201, 11.0),
    ):
        tally.take(Uplink(DevEUI(1), fport, payload, when), when)
    assert (tally.uplinks, tally.answers, tally.peak) == (6, 3, 2)


@pytest.mark.parametrize("version", [1, 2])
def test_asking_by_multicast_costs_fewer_downlinks_and_makes_no_storm(version: int) -> None:
    common = {"devices": 100, "version": version, "uplink_loss": 0.05, "redundancy": 0.1}
    each = run(**common, shared_radio=True, status_by_multicast=False)
    group = run(**common, shared_radio=True)
    assert each.success
    assert group.success
    assert each.questions == 0 < group.questions
    assert group.status_downlinks + group.questions < each.status_downlinks
    assert group.status_uplinks >= (100 if version == 1 else 90)
    assert group.status_peak <= 8  # two in a second on average


def test_devices_that_left_when_they_were_complete_are_asked_by_unicast() -> None:
    """Version 1 reports nothing, and a device that has everything need not listen any more."""
    report = run(devices=20, version=1, loss=0.0)
    assert (report.questions, report.devices_known) == (1, 20)
    assert report.status_downlinks == 20
