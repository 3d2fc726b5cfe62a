"""The store in memory, and what every store has to do."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lorafuota.campaign import CampaignStore, Event, EventKind, MemoryStore, SqliteStore
from lorafuota.campaign.snapshot import fold
from lorafuota.errors import FieldError, StateError
from lorafuota.wire import JSON

ONE, TWO = "device/0000000000000001", "device/0000000000000002"


def event(subject: str, kind: EventKind = EventKind.CHANGED, /, **changes: Any) -> Event:
    return Event(subject, 5.0, kind, "", changes)


BATCHES: list[list[Event]] = [
    [event("campaign", EventKind.STARTED, phase="running", block="ab"), event(ONE, attempts=1)],
    [event(ONE, EventKind.ENTERED, stage="group", detail="\u00e4 \U0001f600 \x00 '\"")],
    [event(TWO, EventKind.ADDED), event("group/v2", next_fcnt=1), event(ONE, attempts=2)],
    [event(TWO, EventKind.TRANSPORT_COMPLETE, transport_complete=5.0)],
]
WHOLE = [one for batch in BATCHES for one in batch]
STATES: list[JSON] = [None]
for _batch in BATCHES:
    STATES.append(fold(_batch, onto=STATES[-1]))
"""What is loaded behind so many batches."""


@pytest.fixture(params=["memory", "sqlite"])
def store(request: Any, tmp_path: pathlib.Path) -> Iterator[CampaignStore]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        with SqliteStore(tmp_path / "store", sync=False) as opened:
            yield opened


def test_a_store_loads_what_its_events_add_up_to(store: CampaignStore) -> None:
    assert store.load() is None
    for events, after in zip(BATCHES, STATES[1:], strict=True):
        store.append(events)
        assert store.load() == after
        assert store.load() == after


def test_a_store_tells_its_history_of_all_or_of_one(store: CampaignStore) -> None:
    assert list(store.history()) == []
    for events in BATCHES:
        store.append(events)
    assert list(store.history()) == WHOLE
    assert list(store.history(ONE)) == [one for one in WHOLE if one.subject == ONE]
    assert list(store.history("nobody")) == []


def test_nothing_appended_is_nothing_done(store: CampaignStore) -> None:
    store.append([])
    assert store.load() is None


def test_what_was_loaded_can_be_changed_without_changing_the_store(store: CampaignStore) -> None:
    store.append(BATCHES[0])
    loaded: Any = store.load()
    loaded["devices"].clear()
    assert store.load() == STATES[1]


def test_a_memory_store_goes_on_from_what_another_one_loaded() -> None:
    for cut, state in enumerate(STATES):
        store = MemoryStore(state)
        assert store.load() == state
        for events in BATCHES[cut:]:
            store.append(events)
        assert store.load() == STATES[-1]
        assert list(store.history()) == [one for batch in BATCHES[cut:] for one in batch]


def test_a_memory_store_need_not_keep_the_log() -> None:
    store = MemoryStore(keep_log=False)
    for events in BATCHES:
        store.append(events)
    assert store.load() == STATES[-1]
    with pytest.raises(StateError, match="the log is not kept"):
        store.history()


def test_a_memory_store_refuses_what_does_not_fit() -> None:
    with pytest.raises(FieldError, match="schema = 3"):
        MemoryStore({"schema": 3})
    store = MemoryStore()
    store.append(BATCHES[0])
    with pytest.raises(FieldError, match="attempts = 'x'"):
        store.append([event(ONE, attempts="x")])
    assert store.load() == STATES[1]
    assert list(store.history()) == BATCHES[0]


_PROTOCOL: tuple[Callable[..., CampaignStore], ...] = (MemoryStore, SqliteStore)  # for the checker
