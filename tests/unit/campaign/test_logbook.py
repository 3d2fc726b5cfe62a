"""What the log tells of a campaign, and what it costs: what changed, and nothing else."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lorafuota.campaign import EventKind, FirmwareStep
from lorafuota.campaign.logbook import Logbook
from lorafuota.campaign.snapshot import fold
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
from lorafuota.types import DevEUI
from tests.unit.campaign.fleet import NEW, Channel, fleet

ONE = DevEUI(1)


def told(record: DeviceRecord, **changes: Any) -> list[tuple[EventKind, dict[str, Any]]]:
    """The events that a change of one device makes."""
    book = Logbook(CampaignRecord(), committed=True)
    book.add_device(ONE, record, committed=True)
    for name, value in changes.items():
        setattr(record, name, value)
    book.touch(ONE)
    return [(event.kind, dict(event.changes)) for event in book.take(5.0)]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"stage": Stage.GROUP, "attempts": 1}, EventKind.ENTERED),
        ({"stage": Stage.DONE}, EventKind.ENDED),
        ({"stage": Stage.FAILED, "outcome": Outcome.NO_ANSWER}, EventKind.FAILED),
        ({"stage": Stage.CLEANUP, "outcome": Outcome.MEMORY_ERROR}, EventKind.FAILED),
        ({"stage": Stage.CLEANUP, "outcome": Outcome.CANCELLED}, EventKind.ENTERED),
        ({"stage": Stage.CLEANUP, "outcome": Outcome.LIKELY}, EventKind.ENTERED),
        ({"attempts": 2, "due": 7.0}, EventKind.REQUESTED),
        ({"attempts": 2, "tries": 1}, EventKind.REFUSED),
        ({"frag_version": 2}, EventKind.ANSWERED),
        ({"missing": 3, "received": 9}, EventKind.ANSWERED),
        ({"unicasts": 1, "unicast_n": 1, "cnt_used": True}, EventKind.FRAGMENT_SENT),
        ({"cnt_used": True}, EventKind.COUNTER_USED),
        ({"due": 7.0}, EventKind.CHANGED),
    ],
)
def test_the_kind_is_what_matters_most(changes: dict[str, Any], kind: EventKind) -> None:
    plain = {name: getattr(value, "value", value) for name, value in changes.items()}
    assert told(DeviceRecord(), **changes) == [(kind, plain)]


def test_a_milestone_has_an_event_of_its_own_and_its_time() -> None:
    changes = {"transport_complete": 4.0, "integrity_ok": 4.0, "stage": Stage.CLEANUP}
    assert told(DeviceRecord(stage=Stage.STATUS), **changes) == [
        (EventKind.TRANSPORT_COMPLETE, {"transport_complete": 4.0}),
        (EventKind.INTEGRITY_OK, {"integrity_ok": 4.0}),
        (EventKind.ENTERED, {"stage": "cleanup"}),
    ]
    assert told(DeviceRecord(), installing=4.0) == [(EventKind.INSTALLING, {"installing": 4.0})]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"window": 1, "phase": GroupPhase.ANNOUNCE}, EventKind.WINDOW_ANNOUNCED),
        ({"next_fcnt": 4, "next_n": 3}, EventKind.COUNTERS_TAKEN),
        ({"phase": GroupPhase.POLL}, EventKind.ENTERED),
        ({"airtime": 1.5}, EventKind.CHANGED),
    ],
)
def test_the_kind_for_a_group(changes: dict[str, Any], kind: EventKind) -> None:
    book, record = Logbook(CampaignRecord(), committed=True), GroupRecord()
    book.add_group("all", record, committed=True)
    for name, value in changes.items():
        setattr(record, name, value)
    book.touch("all")
    [event] = book.take(5.0)
    assert (event.subject, event.time, event.kind) == ("group/all", 5.0, kind)


def test_the_kind_for_the_campaign_tells_a_start_from_going_on() -> None:
    own = CampaignRecord()
    book, kinds = Logbook(own, committed=False), []
    for phase in (
        CampaignPhase.NEW,
        CampaignPhase.RUNNING,
        CampaignPhase.PAUSED,
        CampaignPhase.RUNNING,
        CampaignPhase.CANCELLING,
        CampaignPhase.ENDED,
    ):
        own.phase = phase
        book.touch(None)
        kinds += [event.kind for event in book.take(1.0)]
    assert kinds == [
        EventKind.CHANGED,
        EventKind.STARTED,
        EventKind.PAUSED,
        EventKind.RESUMED,
        EventKind.CANCELLED,
        EventKind.ENDED,
    ]


def test_who_was_touched_and_did_not_change_makes_no_event() -> None:
    assert told(DeviceRecord(session_cnt=7)) == []


def test_who_is_new_is_added_even_if_nothing_is_known_of_it() -> None:
    book = Logbook(CampaignRecord(), committed=True)
    book.add_device(ONE, DeviceRecord(), committed=False)
    book.touch(ONE)
    [event] = book.take(5.0)
    assert (event.kind, event.changes) == (EventKind.ADDED, {})
    assert book.snapshot()["devices"] == {str(ONE): {}}


def test_the_snapshot_has_what_was_taken_and_not_what_only_changed() -> None:
    record = DeviceRecord()
    book = Logbook(CampaignRecord(), committed=True)
    book.add_device(ONE, record, committed=False)
    assert book.snapshot()["devices"] == {}
    record.session_cnt = 7
    book.touch(ONE)
    events = book.take(5.0)
    record.session_cnt = 8
    assert book.snapshot() == fold(events)
    assert book.snapshot()["devices"] == {str(ONE): {"session_cnt": 7}}


def test_a_commit_is_as_large_as_what_changed_however_many_devices_there_are() -> None:
    sizes = []
    for devices in (4, 40):
        done = fleet((2,) * devices, channel=Channel(random.Random(1), 0.1)).start().run()
        events = list(done.store.history())
        sizes.append(sum(len(event.changes) for event in events) / devices)
    assert sizes[1] <= sizes[0] * 1.1


def test_the_log_tells_how_an_update_went_one_device_at_a_time() -> None:
    done = fleet((2,), firmware=FirmwareStep(version=NEW, countdown_seconds=5, boot_seconds=5))
    done.start().run()
    told = [
        (event.kind, event.changes.get("stage"))
        for event in done.store.history("device/0000000000000001")
    ]
    assert told == [
        (EventKind.ADDED, None),
        (EventKind.ANSWERED, None),
        (EventKind.ANSWERED, None),
        (EventKind.ENTERED, "group"),
        (EventKind.ENTERED, "fragmentation"),
        (EventKind.ENTERED, "session"),
        (EventKind.REQUESTED, None),
        (EventKind.ENTERED, "listening"),
        (EventKind.COUNTER_USED, None),
        (EventKind.TRANSPORT_COMPLETE, None),
        (EventKind.INTEGRITY_OK, None),
        (EventKind.ENTERED, "image"),
        (EventKind.SIGNATURE_OK, None),
        (EventKind.ENTERED, "reboot"),
        (EventKind.INSTALLING, None),
        (EventKind.ENTERED, "confirm"),
        (EventKind.REQUESTED, None),
        (EventKind.CONFIRMED, None),
        (EventKind.ENTERED, "cleanup"),
        (EventKind.ANSWERED, None),
        (EventKind.ENDED, "done"),
    ]
    [of_group] = [one for one in done.store.history("group/v2") if one.kind is EventKind.ADDED]
    assert of_group.changes["until_n"] == 24
    kinds = {event.kind for event in done.store.history("group/v2")}
    assert kinds >= {EventKind.WINDOW_ANNOUNCED, EventKind.COUNTERS_TAKEN, EventKind.ENTERED}
    [one] = done.campaign.report().devices
    assert list(one.milestones) == list(MILESTONES)
    assert sorted(one.milestones.values()) == list(one.milestones.values())


def test_what_the_operator_does_is_in_the_log() -> None:
    done = fleet((2, 2)).start().run_for(60)
    done.pause()
    done.resume()
    done.act(done.campaign.remove_device(DevEUI(2), now=done.now))
    done.cancel()
    done.run()
    kinds = [event.kind for event in done.store.history("campaign")]
    assert kinds == [
        EventKind.STARTED,
        EventKind.PAUSED,
        EventKind.RESUMED,
        EventKind.CANCELLED,
        EventKind.ENDED,
    ]
    *_, last = done.store.history("device/0000000000000002")
    assert (last.kind, last.changes["outcome"]) == (EventKind.REMOVED, "cancelled")


def test_a_failure_after_the_transport_leaves_what_was_reached() -> None:
    firmware = FirmwareStep(version=NEW, countdown_seconds=5, boot_seconds=5)
    done = fleet((2, 2), firmware=firmware)
    unit = done.units[DevEUI(2)]
    unit.boots = False
    done.start().run()
    report = {int(one.dev_eui): one for one in done.campaign.report().devices}
    assert report[1].outcome is Outcome.CONFIRMED
    assert report[2].outcome is Outcome.NOT_UPDATED
    assert list(report[2].milestones) == [
        "transport_complete",
        "integrity_ok",
        "signature_ok",
        "installing",
    ]
