"""Events are plain values, and are read strictly."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.campaign.events import (
    MILESTONE_KINDS,
    Event,
    EventKind,
    device_subject,
    group_subject,
)
from lorafuota.campaign.state import MILESTONES
from lorafuota.errors import FieldError
from lorafuota.types import DevEUI
from tests.support import nested
from tests.unit.campaign.fleet import fleet

DEVICE = "device/0000000000000001"
EVENT = Event(DEVICE, 5.0, EventKind.REQUESTED, "in stage group", {"attempts": 2, "due": 9.5})


def test_an_event_comes_back_from_json() -> None:
    assert Event.from_json(json.loads(json.dumps(EVENT.to_json()))) == EVENT


def test_an_event_reads_like_a_line_of_a_log() -> None:
    assert str(EVENT) == f"{DEVICE} requested in stage group: attempts=2, due=9.5"
    assert str(Event("campaign", 5.0, EventKind.PAUSED, "", {})) == "campaign paused: "


def test_subjects_are_written_one_way() -> None:
    assert device_subject(DevEUI(0xAB)) == "device/00000000000000AB"
    assert group_subject("v2") == "group/v2"


def test_every_milestone_has_a_kind_of_event() -> None:
    assert tuple(MILESTONE_KINDS) == MILESTONES
    assert {kind for kind in EventKind if kind.milestone} == set(MILESTONE_KINDS.values())
    assert all(MILESTONE_KINDS[kind.milestone] is kind for kind in EventKind if kind.milestone)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("subject", 3),
        ("time", "now"),
        ("time", True),
        ("time", float("nan")),
        ("time", float("inf")),
        ("time", 10**400),
        ("kind", "no such kind"),
        ("kind", None),
        ("kind", []),
        ("kind", nested()),
        ("detail", None),
        ("changes", []),
        ("changes", {"confirmed": 5.0}),
        ("changes", {"attempts": [1]}),
        ("changes", {"attempts": {"x": 1}}),
    ],
)
def test_a_value_that_does_not_fit_is_refused(field: str, wrong: Any) -> None:
    document: dict[str, Any] = EVENT.to_json()
    document[field] = wrong
    with pytest.raises(FieldError, match=rf"^Event\.{field} = "):
        Event.from_json(document)


@pytest.mark.parametrize(
    "document", [None, 3, [], {}, {"subject": "x"}, {**EVENT.to_json(), "x": 1}]
)
def test_something_that_is_no_event_is_refused(document: Any) -> None:
    with pytest.raises(FieldError, match="an object with subject, time, kind, detail, changes"):
        Event.from_json(document)


@pytest.mark.parametrize(("field", "kind"), MILESTONE_KINDS.items())
def test_a_milestone_stands_alone_with_its_time(field: str, kind: EventKind) -> None:
    assert Event.checked(DEVICE, 5.0, kind.value, "", {field: 5.0}).kind is kind
    wrongs: list[Any] = [{}, {field: 6.0}, {field: 5.0, "attempts": 1}, {"attempts": 5.0}]
    for wrong in wrongs:
        with pytest.raises(FieldError, match="changes = "):
            Event.checked(DEVICE, 5.0, kind.value, "", wrong)
    with pytest.raises(FieldError, match=f"changes = '{field}': expected a milestone in an event"):
        Event.checked(DEVICE, 5.0, EventKind.ENTERED.value, "", {"stage": "image", field: 5.0})


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(
    subject=st.just(DEVICE) | values,
    kind=st.sampled_from([one.value for one in EventKind]) | values,
    time=values,
    changes=st.dictionaries(st.sampled_from(MILESTONES) | st.text(max_size=3), values) | values,
)
def test_any_values_at_all_give_an_event_that_comes_back_or_a_field_error(
    subject: Any, kind: Any, time: Any, changes: Any
) -> None:
    with contextlib.suppress(FieldError):
        event = Event.checked(subject, time, kind, "", changes)
        assert Event.from_json(event.to_json()) == event


def test_every_event_of_a_campaign_can_be_read_strictly() -> None:
    done = fleet((1, 2)).start().run()
    events = list(done.store.history())
    assert len(events) > 20
    assert [Event.from_json(json.loads(json.dumps(one.to_json()))) for one in events] == events
