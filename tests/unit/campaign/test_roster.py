"""Records, turns and changes of one campaign, without a campaign."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lorafuota.campaign.roster import Roster
from lorafuota.campaign.state import DeviceRecord, Stage
from lorafuota.errors import FieldError
from lorafuota.fec.variant import ParityVariant
from lorafuota.types import DevEUI, McKey
from tests.unit.campaign.fleet import GROUPS, config, member

ONE, TWO = DevEUI(1), DevEUI(2)


def roster(**changes: Any) -> Roster:
    return Roster(config([member(1), member(2)], **changes), {})


def test_stages_are_counted_in_all_and_by_group() -> None:
    of = roster()
    group = of.groups["v2"]
    of.enter(ONE, Stage.GROUP)
    of.join(ONE, group)
    of.enter(ONE, Stage.READY)
    assert of.stages == {Stage.READY: 1, Stage.NEGOTIATE: 1, Stage.GROUP: 0}
    assert group.stages == {Stage.READY: 1, Stage.GROUP: 0}
    assert of.in_group(group, Stage.READY, Stage.LISTENING) == [ONE]
    assert of.in_group(group, Stage.LISTENING) == []


def test_who_is_due_first_comes_first_and_a_time_that_was_replaced_does_not_count() -> None:
    of = roster()
    of.wake(ONE, 5.0)
    of.wake(TWO, 7.0)
    of.wake(ONE, 9.0)
    assert of.next_wake == 7.0
    assert of.next_due(6.9) is None
    assert of.next_due(9.0) == TWO
    assert of.next_due(9.0) == ONE
    assert of.next_due(9.0) is None
    assert of.next_wake is None


def test_who_gets_no_turn_is_due_as_soon_as_another_one_owes_no_answer() -> None:
    of = roster(max_in_flight=1)
    assert of.take_turn(ONE)
    assert of.take_turn(ONE)
    assert not of.take_turn(TWO)
    assert of.next_due(0.0) is None
    of.enter(ONE, Stage.READY)
    assert of.next_due(0.0) == TWO


def test_the_matrix_is_the_operators_word_or_what_the_version_says() -> None:
    of = Roster(config([member(1, frag_version=2), member(2, parity=ParityVariant.V2_ANNEX)]), {})
    assert of.parity_of(ONE) is ParityVariant.V2
    assert of.parity_of(TWO) is ParityVariant.V2_ANNEX


def test_what_was_touched_is_dirty() -> None:
    of = roster()
    of.touch(ONE)
    of.touch_group(of.groups["v1"])
    assert of.dirty == {
        f"device/{ONE}": of.devices[ONE],
        "group/v1": of.groups["v1"].record,
    }


def test_a_saved_record_of_a_group_that_is_gone_is_refused() -> None:
    row = DeviceRecord(group="gone").to_json()
    with pytest.raises(FieldError, match="group = 'gone'"):
        Roster(config([member(1)]), {f"device/{ONE}": row})


def test_after_a_restart_who_owes_an_answer_is_asked_when_due_and_who_rests_is_not() -> None:
    asked = DeviceRecord(stage=Stage.STATUS, due=50.0).to_json()
    rests = DeviceRecord(stage=Stage.LISTENING).to_json()
    saved = {f"device/{ONE}": asked, f"device/{TWO}": rests}
    of = Roster(config([member(1), member(2)]), saved)
    of.wake_again()
    assert of.next_due(49.0) is None
    assert of.next_due(50.0) == ONE
    assert of.next_wake is None


def test_the_budget_counts_what_groups_and_single_devices_were_sent() -> None:
    of = roster(airtime_budget_seconds=3.0)
    of.unicast_airtime = 1.0
    of.groups["v1"].record.airtime = 1.5
    assert not of.over_budget()
    of.groups["v2"].record.airtime = 0.5
    assert of.over_budget()


def test_a_group_in_the_store_is_taken_up_with_the_key_its_counters_are_of_and_no_other() -> None:
    row = roster().groups["v2"].record.to_json()
    other = McKey(bytes([77] * 16))
    groups = (GROUPS[0], dataclasses.replace(GROUPS[1], mc_key=other))
    Roster(config([]), {"group/v2": row})
    with pytest.raises(FieldError, match="the key the group was given last") as caught:
        Roster(config([], groups=groups), {"group/v2": row})
    assert other.reveal().hex() not in str(caught.value)


def test_members_of_a_group_are_found_after_a_restart_and_those_of_others_are_not() -> None:
    rows = {
        f"device/{ONE}": DeviceRecord(stage=Stage.READY, group="v1").to_json(),
        f"device/{TWO}": DeviceRecord(stage=Stage.READY, group="v2").to_json(),
    }
    of = Roster(config([member(1), member(2)]), rows)
    assert of.in_group(of.groups["v1"], Stage.READY) == [ONE]
    assert of.in_group(of.groups["v2"], Stage.READY) == [TWO]
