"""What is remembered: milestones, counters, and which outcomes are successes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lorafuota.campaign.state import (
    MILESTONES,
    CampaignPhase,
    CampaignRecord,
    DeviceRecord,
    GroupPhase,
    GroupRecord,
    Outcome,
    Stage,
)
from lorafuota.errors import FieldError

DEVICE = DeviceRecord(
    stage=Stage.STATUS, outcome=Outcome.VERIFIED, detail="x", due=1.5, group="v2", frag_version=2
)
GROUP = GroupRecord(phase=GroupPhase.SEND, next_fcnt=7, start=1.0, end=9)
CAMPAIGN = CampaignRecord(phase=CampaignPhase.RUNNING, block="00")


@pytest.mark.parametrize("record", [DeviceRecord(), DEVICE, GroupRecord(), GROUP, CAMPAIGN])
def test_a_record_comes_back_from_json(record: Any) -> None:
    text = json.dumps(record.to_json())
    assert type(record).from_json(json.loads(text)) == record


@pytest.mark.parametrize("field", ["frag_index", "mc_group_id"])
@pytest.mark.parametrize("value", [-1, 4])
def test_a_number_no_message_can_carry_is_refused(field: str, value: int) -> None:
    with pytest.raises(FieldError, match=field):
        DeviceRecord.from_json({field: value})


@pytest.mark.parametrize(
    ("outcome", "reached"),
    [
        (Outcome.PENDING, {}),
        (Outcome.LIKELY, {}),
        (Outcome.TRANSPORTED, {"transport_complete": 7.0}),
        (Outcome.VERIFIED, {"transport_complete": 7.0, "integrity_ok": 7.0}),
        (Outcome.IMAGE_VALID, {"signature_ok": 7.0}),
        (Outcome.CONFIRMED, {"confirmed": 7.0}),
        (Outcome.MIC_ERROR, {}),
        (Outcome.CANCELLED, {}),
    ],
)
def test_an_outcome_proves_what_the_device_said_and_no_more(
    outcome: Outcome, reached: dict[str, float]
) -> None:
    record = DeviceRecord()
    record.reach(outcome, 7.0)
    assert record.milestones == reached
    record.reach(outcome, 8.0)  # said again
    assert record.milestones == reached


def test_every_milestone_is_a_field_and_is_set_once() -> None:
    for name in MILESTONES:
        record = DeviceRecord.from_json({name: 1.0})
        record.apply({name: 1.0})
        for other in (2.0, None):
            with pytest.raises(FieldError, match=rf"\.{name} = {other}: expected 1.0, as before"):
                record.apply({name: other})
        assert record.milestones == {name: 1.0}


@pytest.mark.parametrize(
    ("fields", "following"),
    [
        ({}, 0),
        ({"session_cnt": 5}, 5),
        ({"session_cnt": 5, "stage": Stage.DELETE}, 5),
        ({"session_cnt": 5, "stage": Stage.FRAGMENTATION}, 6),
        ({"session_cnt": 5, "stage": Stage.FAILED}, 6),
        ({"session_cnt": 5, "stage": Stage.GROUP, "cnt_used": True}, 6),
        ({"session_cnt": 5, "stage": Stage.GROUP, "restarts": 1}, 6),
        ({"session_cnt": 0xFFFF, "stage": Stage.DONE}, 65_536),
        ({"session_cnt": 65_536, "stage": Stage.FAILED}, 65_536),
    ],
)
def test_the_next_session_counter_is_one_no_set_up_has_carried(
    fields: dict[str, Any], following: int
) -> None:
    assert DeviceRecord(**fields).next_session_cnt == following


def test_only_outcomes_that_know_the_block_arrived_are_successes() -> None:
    assert [outcome for outcome in Outcome if outcome.success] == [
        Outcome.TRANSPORTED,
        Outcome.VERIFIED,
        Outcome.IMAGE_VALID,
        Outcome.CONFIRMED,
    ]
