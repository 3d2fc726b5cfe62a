"""Records become JSON and come back, or are refused."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.campaign.records import Record
from lorafuota.campaign.state import CampaignRecord, DeviceRecord, GroupRecord, Outcome, Stage
from lorafuota.errors import FieldError
from tests.support import nested

RECORDS = (DeviceRecord, GroupRecord, CampaignRecord)
every_record = pytest.mark.parametrize("kind", RECORDS)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass(slots=True)
class Example(Record):
    ONCE = frozenset({"once"})

    colour: Colour = Colour.RED
    flag: bool = False
    count: int = 0
    seconds: float = 0.0
    name: str = ""
    maybe: int | None = None
    once: float | None = None


def test_json_has_what_differs_from_a_fresh_record_enumerations_by_value() -> None:
    assert Example().to_json() == {}
    one = Example(colour=Colour.BLUE, count=3, maybe=0)
    assert one.to_json() == {"colour": "blue", "count": 3, "maybe": 0}
    assert Example.from_json(one.to_json()) == one


def test_the_difference_of_two_rows_is_what_leads_from_one_to_the_other() -> None:
    one = Example(name="x", maybe=4)
    before = one.row()
    one.colour, one.maybe = Colour.BLUE, None
    changes = Example.between(before, one.row())
    assert changes == {"colour": "blue", "maybe": None}
    other = Example(name="x", maybe=4)
    other.apply(changes)
    assert other == one


@pytest.mark.parametrize(
    ("name", "wrongs"),
    [
        ("colour", ["green", None, 3, [], {}, nested()]),
        ("flag", [0, 1, None, "true"]),
        ("count", [-1, 1.0, True, None, "1", 1 << 53, []]),
        ("seconds", [float("nan"), float("inf"), True, "1", None, 1 << 2000, {}]),
        ("name", [1, None, b"x", []]),
        ("maybe", ["", -1, 0.5, False]),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(name: str, wrongs: list[Any]) -> None:
    for wrong in wrongs:
        with pytest.raises(FieldError, match=rf"^Example\.{name} = "):
            Example.from_json({name: wrong})


def test_changes_are_taken_whole_or_not_at_all() -> None:
    one = Example()
    with pytest.raises(FieldError, match="name = 5"):
        one.apply({"count": 3, "name": 5})
    assert one == Example()


def test_a_field_that_is_set_once_stays() -> None:
    one = Example()
    one.apply({"once": None})
    one.apply({"once": 1.5})
    one.apply({"once": 1.5})
    with pytest.raises(FieldError, match=r"once = 2.5: expected 1.5, as before"):
        one.apply({"once": 2.5})


@every_record
@pytest.mark.parametrize("fields", [None, 3, "x", [], [1, 2]])
def test_something_that_is_no_object_is_refused(kind: Any, fields: Any) -> None:
    with pytest.raises(FieldError, match=r"fields = .*: expected a JSON object"):
        kind.from_json(fields)


@every_record
def test_a_field_nobody_knows_is_refused(kind: Any) -> None:
    with pytest.raises(FieldError, match="fields = 'new': expected names of fields"):
        kind.from_json({"new": 1})


@every_record
def test_every_field_refuses_what_no_field_holds(kind: Any) -> None:
    for field in dataclasses.fields(kind):
        wrongs: list[Any] = [[], {}, [1]]
        for wrong in wrongs:
            with pytest.raises(FieldError, match=rf"\.{field.name} = "):
                kind.from_json({field.name: wrong})


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
words = st.sampled_from([one.value for one in (*Stage, *Outcome)])
fields = st.sampled_from([field.name for kind in RECORDS for field in dataclasses.fields(kind)])


@every_record
@given(changes=st.dictionaries(fields | st.text(max_size=3), values | words, max_size=4))
def test_any_object_at_all_gives_a_record_that_comes_back_or_a_field_error(
    kind: Any, changes: dict[str, Any]
) -> None:
    with contextlib.suppress(FieldError):
        record = kind.from_json(changes)
        assert kind.from_json(json.loads(json.dumps(record.to_json()))) == record
