"""Records become JSON and come back, or are refused."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.campaign.state import DeviceRecord, GroupPhase, GroupRecord, Outcome, Stage
from lorafuota.errors import FieldError
from lorafuota.wire import JSON

DEVICE = DeviceRecord(
    stage=Stage.STATUS, outcome=Outcome.VERIFIED, detail="x", due=1.5, group="v2", frag_version=2
)
GROUP = GroupRecord(phase=GroupPhase.SEND, next_fcnt=7, start=1.0, end=9)


@pytest.mark.parametrize("record", [DeviceRecord(), DEVICE, GroupRecord(), GROUP])
def test_a_record_comes_back_from_json(record: Any) -> None:
    text = json.dumps(record.to_json())
    assert type(record).from_json(json.loads(text)) == record


@pytest.mark.parametrize("kind", [DeviceRecord, GroupRecord])
@pytest.mark.parametrize("row", [None, 3, "x", {}, [], [1, 2]])
def test_something_that_is_no_row_is_refused(kind: Any, row: JSON) -> None:
    with pytest.raises(FieldError, match=r"row = .*: expected \d+ values"):
        kind.from_json(row)


@pytest.mark.parametrize("record", [DEVICE, GROUP])
def test_a_value_of_the_wrong_kind_is_refused_in_every_field(record: Any) -> None:
    for at, field in enumerate(dataclasses.fields(record)):
        text: JSON = "no such stage" if "str" not in str(field.type) else 5
        wrongs: list[JSON] = [[], {}, text, True]
        for wrong in wrongs:
            row = record.to_json()
            if wrong is True and field.type == "bool":
                continue
            row[at] = wrong
            with pytest.raises(FieldError, match=rf"\.{field.name} = "):
                type(record).from_json(row)


def test_nothing_is_allowed_only_where_nothing_may_stand() -> None:
    for at, field in enumerate(dataclasses.fields(DEVICE)):
        row: Any = DEVICE.to_json()
        row[at] = None
        if "None" in str(field.type):
            assert getattr(DeviceRecord.from_json(row), field.name) is None
        else:
            with pytest.raises(FieldError):
                DeviceRecord.from_json(row)


@pytest.mark.parametrize("field", ["frag_index", "mc_group_id"])
@pytest.mark.parametrize("value", [-1, 4])
def test_a_number_no_message_can_carry_is_refused(field: str, value: int) -> None:
    with pytest.raises(FieldError, match=field):
        DeviceRecord.from_json(dataclasses.replace(DEVICE, **{field: value}).to_json())  # type: ignore[arg-type]


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(row=st.lists(values | st.lists(values, max_size=2), min_size=24, max_size=26))
def test_any_row_at_all_gives_a_record_or_a_field_error(row: Any) -> None:
    with contextlib.suppress(FieldError):
        DeviceRecord.from_json(row)


def test_only_outcomes_that_know_the_block_arrived_are_successes() -> None:
    assert [outcome for outcome in Outcome if outcome.success] == [
        Outcome.TRANSPORTED,
        Outcome.VERIFIED,
        Outcome.IMAGE_VALID,
        Outcome.CONFIRMED,
    ]
