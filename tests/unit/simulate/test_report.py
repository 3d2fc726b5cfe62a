from __future__ import annotations

import json

import pytest

from lorafuota.simulate.report import Tally

from .support import run


def test_figures_of_groups_add_up_to_those_of_the_fleet() -> None:
    report = run(devices=7, version=None, loss=0.2, unicast=0.2)
    assert {group.name for group in report.groups} == {"v1", "v2"}
    assert sum(group.devices for group in report.groups) == 6
    assert sum(group.windows for group in report.groups) == report.windows
    assert report.frames >= sum(group.frames for group in report.groups)
    assert report.airtime_seconds == pytest.approx(report.frames * report.frame_airtime_seconds)
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
