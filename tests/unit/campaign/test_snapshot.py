"""What events add up to, and the document of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lorafuota.campaign.events import Event, EventKind
from lorafuota.campaign.snapshot import SCHEMA, Snapshot, fold
from lorafuota.campaign.state import CampaignPhase, Stage
from lorafuota.errors import FieldError
from lorafuota.types import DevEUI
from lorafuota.wire import JSON
from tests.unit.campaign.fleet import fleet

DEVICE = "device/0000000000000001"


def event(subject: str, kind: EventKind = EventKind.CHANGED, /, **changes: Any) -> Event:
    return Event(subject, 5.0, kind, "", changes)


EVENTS = [
    event("campaign", EventKind.STARTED, phase="running", block="ab"),
    event("group/v2", EventKind.ADDED, next_fcnt=1),
    event(DEVICE, EventKind.ADDED, attempts=1, due=9.0),
    event(DEVICE, EventKind.ENTERED, stage="group", due=None),
    event("group/v2", EventKind.COUNTERS_TAKEN, next_fcnt=3),
    event(DEVICE, EventKind.TRANSPORT_COMPLETE, transport_complete=5.0),
]
DOCUMENT: dict[str, JSON] = {
    "schema": 1,
    "campaign": {"phase": "running", "block": "ab"},
    "groups": {"v2": {"next_fcnt": 3}},
    "devices": {
        "0000000000000001": {"stage": "group", "attempts": 1, "transport_complete": 5.0},
    },
}


def test_events_add_up_one_after_the_other() -> None:
    assert fold(EVENTS) == DOCUMENT
    for cut in range(len(EVENTS) + 1):
        assert fold(EVENTS[cut:], onto=fold(EVENTS[:cut])) == DOCUMENT


def test_no_events_are_a_campaign_that_has_not_begun() -> None:
    assert fold([]) == {"schema": SCHEMA, "campaign": {}, "groups": {}, "devices": {}}


def test_a_snapshot_comes_back_from_its_document_and_goes_on() -> None:
    found = Snapshot.from_json(json.loads(json.dumps(DOCUMENT)))
    assert found.to_json() == DOCUMENT
    assert found.campaign.phase is CampaignPhase.RUNNING
    assert found.devices[DevEUI(1)].stage is Stage.GROUP
    found.apply(event(DEVICE, attempts=2))
    assert found.devices[DevEUI(1)].attempts == 2


@pytest.mark.parametrize(
    "wrong",
    [
        event("nobody", attempts=1),
        event("device/1", attempts=1),
        event("device/000000000000000a", attempts=1),
        event("device/", attempts=1),
        event(DEVICE, no_such_field=1),
        event("device/0000000000000002", no_such_field=1),
        event("group/v1", no_such_field=1),
        event(DEVICE, attempts="often"),
        event(DEVICE, transport_complete=6.0),
        event("campaign", block="cd"),
        event("group/v2", phase="asleep"),
    ],
)
def test_an_event_that_does_not_fit_what_stood_before_is_refused(wrong: Event) -> None:
    state = Snapshot.from_json(DOCUMENT)
    with pytest.raises(FieldError):
        state.apply(wrong)
    assert state.to_json() == DOCUMENT


@pytest.mark.parametrize("schema", [0, 2, "1", None, True, 1.5])
def test_another_schema_is_refused_by_its_number(schema: Any) -> None:
    with pytest.raises(FieldError, match=r"^Snapshot.schema = .*: expected 1$"):
        Snapshot.from_json({**DOCUMENT, "schema": schema})


@pytest.mark.parametrize("part", ["campaign", "groups", "devices"])
def test_a_part_that_is_missing_or_of_another_kind_is_refused(part: str) -> None:
    with pytest.raises(FieldError, match="expected"):
        Snapshot.from_json({name: value for name, value in DOCUMENT.items() if name != part})
    with pytest.raises(FieldError, match=r"an? (JSON )?object"):
        Snapshot.from_json({**DOCUMENT, part: [1]})


def test_the_document_holds_no_key() -> None:
    done = fleet((1, 2)).start().run()
    text = json.dumps(done.campaign.snapshot())
    keys = [unit.member.root_key.reveal() for unit in done.units.values()]
    keys += [group.mc_key.reveal() for group in done.config.groups]
    assert not any(key.hex() in text.lower() for key in keys)
