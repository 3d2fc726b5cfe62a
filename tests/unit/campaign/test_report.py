"""How a campaign ended, in our words and in those of a big platform."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter

import pytest

from lorafuota.campaign.report import CampaignReport, DeviceReport, aws_status
from lorafuota.campaign.state import CampaignPhase, Outcome, Stage
from lorafuota.datablock import DataBlock
from lorafuota.types import DevEUI
from tests.unit.campaign.fleet import IMAGE, Channel, Fleet, fleet

AWS = {
    "Initial",
    "Package_Not_Supported",
    "FragAlgo_unsupported",
    "Not_enough_memory",
    "FragIndex_unsupported",
    "Wrong_descriptor",
    "SessionCnt_replay",
    "MissingFrag",
    "MemoryError",
    "MICError",
    "Device_exist_in_conflict_fuota_task",
    "Successful",
}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_word_of_the_platform(outcome: Outcome) -> None:
    assert aws_status(outcome) in AWS


def test_every_success_and_only_what_followed_the_transport_reads_successful() -> None:
    after = {Outcome.BAD_IMAGE, Outcome.WRONG_HARDWARE, Outcome.NOT_UPDATED}
    for outcome in Outcome:
        expected = outcome.success or outcome in after
        assert (aws_status(outcome) == "Successful") is expected, outcome


def test_every_word_of_the_platform_is_used() -> None:
    assert {aws_status(outcome) for outcome in Outcome} == AWS


def test_a_report_becomes_json() -> None:
    one = DeviceReport(
        dev_eui=DevEUI(1),
        stage=Stage.DONE,
        outcome=Outcome.VERIFIED,
        detail="",
        group="v2",
        missing=0,
        received=20,
        frag_index=1,
        next_session_cnt=8,
        milestones={"transport_complete": 5.0, "integrity_ok": 6.5},
    )
    report = CampaignReport(
        phase=CampaignPhase.ENDED,
        devices=(one,),
        airtime_seconds=2.5,
        fragments_sent={"v2": 24},
        rounds={"v2": 0},
        next_fcnt={"v2": 32},
    )
    assert json.loads(json.dumps(report.to_json())) == {
        "phase": "ended",
        "success": True,
        "outcomes": {"integrity ok": 1},
        "airtime_seconds": 2.5,
        "fragments_sent": {"v2": 24},
        "rounds": {"v2": 0},
        "next_fcnt": {"v2": 32},
        "devices": [
            {
                "dev_eui": "0000000000000001",
                "stage": "done",
                "outcome": "integrity ok",
                "success": True,
                "detail": "",
                "group": "v2",
                "missing": 0,
                "received": 20,
                "frag_index": 1,
                "next_session_cnt": 8,
                "milestones": {"transport_complete": 5.0, "integrity_ok": 6.5},
                "aws_status": "Successful",
            }
        ],
    }


def test_a_report_counts_what_really_was_sent() -> None:
    done = fleet((1, 2, 2), channel=Channel(random.Random(1), 0.1)).start()
    assert done.campaign.report().outcomes == Counter({Outcome.PENDING: 3})
    assert not done.campaign.report().success
    done.run()
    report = done.campaign.report()
    assert report.success
    assert report.phase is CampaignPhase.ENDED
    assert report.outcomes == Counter({Outcome.VERIFIED: 2, Outcome.TRANSPORTED: 1})
    assert report.airtime_seconds > 4
    assert min(report.fragments_sent.values()) >= 20


def test_the_counters_for_the_next_campaign_are_in_the_report() -> None:
    first = fleet((1, 2)).start().run()
    report = first.campaign.report()
    groups = tuple(
        dataclasses.replace(one, first_fcnt=report.next_fcnt[one.name])
        for one in first.config.groups
    )
    members = tuple(
        dataclasses.replace(first.units[one.dev_eui].member, session_cnt=one.next_session_cnt)
        for one in report.devices
    )
    block = DataBlock.of(IMAGE[::-1], frag_size=10)
    wanted = dataclasses.replace(first.config, block=block, members=members, groups=groups)
    second = Fleet(wanted, first.units.values())
    second.referee, second.now = first.referee, first.now
    for unit in first.units.values():
        unit.blocks.clear()
    second.start().run()
    second.check_honest()
    assert all(outcome.success for outcome in second.outcomes.values())
    assert report.devices[1].next_session_cnt == 1
    assert second.campaign.report().devices[1].next_session_cnt == 2
