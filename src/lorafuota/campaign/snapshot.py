"""What the events of a campaign add up to, and the JSON document that holds it.

``fold(events)`` is the state.  The document is what a campaign goes on from
(``FuotaCampaign(config, saved=document)``), whether a store made it of its log or an owner keeps it
in a database.  It holds no key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Self, final

from ..errors import Described, FieldError
from ..types import DevEUI
from ..wire import JSON
from .events import CAMPAIGN, Event, device_subject, group_subject
from .records import Record
from .state import CampaignRecord, DeviceRecord, GroupRecord

__all__ = ["SCHEMA", "Snapshot", "document_of", "fold"]

SCHEMA: Final = 1
"""Version of the document; one that a release does not know is refused."""

_PARTS: Final = ("schema", "campaign", "groups", "devices")


def document_of(
    campaign: JSON, groups: Mapping[str, JSON], devices: Mapping[str, JSON]
) -> dict[str, JSON]:
    """Return the document with these records, each as JSON."""
    return {
        "schema": SCHEMA,
        "campaign": campaign,
        "groups": dict(groups),
        "devices": dict(devices),
    }


@final
class Snapshot:
    """Records of everybody who had an event."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.campaign = CampaignRecord()
        self.groups: dict[str, GroupRecord] = {}
        self.devices: dict[DevEUI, DeviceRecord] = {}
        self._by_subject: dict[str, Record] = {CAMPAIGN: self.campaign}

    def apply(self, event: Event) -> None:
        """Take one more event, or nothing of it.

        Raises:
            FieldError: The subject is of no kind we know, or the changes do not fit its record.
        """
        record = self._by_subject.get(event.subject)
        if record is not None:
            record.apply(event.changes)
            return
        kind, _, name = event.subject.partition("/")
        if kind == "group":
            group = GroupRecord()
            group.apply(event.changes)
            self._add_group(name, group)
        elif kind == "device":
            dev_eui, device = _dev_eui(name), DeviceRecord()
            device.apply(event.changes)
            self._add_device(dev_eui, device)
        else:
            expected = "campaign, group/NAME or device/DEVEUI"
            raise FieldError("Event", "subject", event.subject, expected)

    def _add_group(self, name: str, record: GroupRecord) -> None:
        self.groups[name] = self._by_subject[group_subject(name)] = record

    def _add_device(self, dev_eui: DevEUI, record: DeviceRecord) -> None:
        self.devices[dev_eui] = self._by_subject[device_subject(dev_eui)] = record

    def to_json(self) -> dict[str, JSON]:
        """Return the document: records without the fields that are as in a fresh one."""
        return document_of(
            self.campaign.to_json(),
            {name: record.to_json() for name, record in self.groups.items()},
            {str(dev_eui): record.to_json() for dev_eui, record in self.devices.items()},
        )

    @classmethod
    def from_json(cls, document: JSON) -> Self:
        """Undo :meth:`to_json`.

        Raises:
            FieldError: The schema is unknown, or something does not fit.
        """
        if not isinstance(document, Mapping) or "schema" not in document:
            given = Described(f"a {type(document).__name__}")
            raise FieldError("Snapshot", "document", given, f"an object with schema {SCHEMA}")
        schema = document["schema"]
        if schema != SCHEMA or isinstance(schema, bool):
            raise FieldError("Snapshot", "schema", schema, f"{SCHEMA}")
        if set(document) != set(_PARTS):
            raise FieldError("Snapshot", "document", sorted(document), f"{sorted(_PARTS)}")
        found = cls()
        found.campaign = CampaignRecord.from_json(document["campaign"])
        found._by_subject[CAMPAIGN] = found.campaign
        groups, devices = (_object(part, document[part]) for part in ("groups", "devices"))
        for name, fields in groups.items():
            found._add_group(name, GroupRecord.from_json(fields))
        for text, fields in devices.items():
            found._add_device(_dev_eui(text), DeviceRecord.from_json(fields))
        return found


def _object(part: str, value: JSON) -> Mapping[str, JSON]:
    if isinstance(value, Mapping):
        return value
    raise FieldError("Snapshot", part, value, "an object")


def _dev_eui(text: str) -> DevEUI:
    dev_eui = DevEUI.from_hex(text)
    if str(dev_eui) != text:  # another way to write it would be another subject
        raise FieldError("Event", "subject", f"device/{text}", device_subject(dev_eui))
    return dev_eui


def fold(events: Iterable[Event], *, onto: JSON = None) -> dict[str, JSON]:
    """Return the document that events add up to, begun from nothing or from another one.

    Raises:
        FieldError: *onto* is no such document, or an event does not fit what stood before it.
    """
    state = Snapshot() if onto is None else Snapshot.from_json(onto)
    for event in events:
        state.apply(event)
    return state.to_json()
