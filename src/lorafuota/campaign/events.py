"""What happened in a campaign: events, one after the other, never changed.

The log of events is the truth; records are what they add up to (:mod:`.snapshot`).  An event says
who, when and what, and carries exactly the fields of the record that changed.  A device's
milestones have an event each, and nothing else sets their fields.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final, Self

from ..errors import FieldError
from ..types import DevEUI
from ..wire import JSON

__all__ = ["CAMPAIGN", "MILESTONE_KINDS", "Event", "EventKind", "device_subject", "group_subject"]

CAMPAIGN: Final = "campaign"
"""The subject of what concerns the campaign as a whole."""

_HIGHEST: Final = float(1 << 53)


class EventKind(enum.Enum):
    """What happened; where several things did at once, the one that matters most."""

    ADDED = "added"
    """A device or group appears for the first time."""
    CHANGED = "changed"
    """Book-keeping."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    CANCELLED = "cancelled"
    """The campaign is, by the operator."""
    ENDED = "ended"
    """The update is over, for one device or for all."""

    WINDOW_ANNOUNCED = "window announced"
    COUNTERS_TAKEN = "frame counters taken"
    """Counters below ``next_fcnt`` may go on air from now on."""

    ENTERED = "entered"
    """A device its next stage, a group its next phase."""
    REQUESTED = "requested"
    """A request was sent once more."""
    ANSWERED = "answered"
    """Something became known that moves nobody on."""
    REFUSED = "refused"
    """A device refused a value; it is asked with another."""
    FRAGMENT_SENT = "fragment sent"
    """By unicast."""
    COUNTER_USED = "session counter used"
    """A fragment may have reached the device: its SessionCnt is used up."""
    FAILED = "failed"
    """A device, for the reason in ``outcome``; it may have to be cleaned up yet."""
    REMOVED = "removed"
    """A device, by the operator."""

    TRANSPORT_COMPLETE = "transport complete"
    INTEGRITY_OK = "integrity ok"
    SIGNATURE_OK = "signature ok"
    INSTALLING = "installing"
    """The device acknowledged the reboot."""
    CONFIRMED = "installed and confirmed"

    @property
    def milestone(self) -> str | None:
        """The field of a device's record that this event, and no other, sets to its time."""
        return _MILESTONE.get(self)


MILESTONE_KINDS: Final[Mapping[str, EventKind]] = {  # by the field that holds the time
    "transport_complete": EventKind.TRANSPORT_COMPLETE,
    "integrity_ok": EventKind.INTEGRITY_OK,
    "signature_ok": EventKind.SIGNATURE_OK,
    "installing": EventKind.INSTALLING,
    "confirmed": EventKind.CONFIRMED,
}
_MILESTONE: Final = {kind: name for name, kind in MILESTONE_KINDS.items()}


def device_subject(dev_eui: DevEUI) -> str:
    """Return the subject of a device's events."""
    return f"device/{dev_eui}"


def group_subject(name: str) -> str:
    """Return the subject of a group's events."""
    return f"group/{name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        subject: ``campaign``, ``group/<name>`` or ``device/<DevEUI>``.
        time: GPS seconds.
        kind: What.
        detail: For people; may be empty.
        changes: The fields of the subject's record that changed, and their new values.
    """

    subject: str
    time: float
    kind: EventKind
    detail: str
    changes: Mapping[str, JSON]

    def __str__(self) -> str:
        told = f" {self.detail}" if self.detail else ""
        fields = ", ".join(f"{name}={value}" for name, value in self.changes.items())
        return f"{self.subject} {self.kind.value}{told}: {fields}"

    def to_json(self) -> dict[str, JSON]:
        """Return one JSON object."""
        return {
            "subject": self.subject,
            "time": self.time,
            "kind": self.kind.value,
            "detail": self.detail,
            "changes": dict(self.changes),
        }

    @classmethod
    def from_json(cls, document: JSON) -> Self:
        """Undo :meth:`to_json`.

        Raises:
            FieldError: *document* is not what that returned.
        """
        names = ("subject", "time", "kind", "detail", "changes")
        if not isinstance(document, Mapping) or set(document) != set(names):
            raise FieldError("Event", "document", document, f"an object with {', '.join(names)}")
        return cls.checked(*(document[name] for name in names))

    @classmethod
    def checked(cls, subject: JSON, time: JSON, kind: JSON, detail: JSON, changes: JSON) -> Self:
        """Build an event from values that may be anything.

        Raises:
            FieldError: One does not fit, or a milestone does not stand alone in an event of its
                kind and time.
        """
        if not isinstance(subject, str):
            raise FieldError("Event", "subject", subject, "a str")
        if not isinstance(time, int | float) or isinstance(time, bool):
            raise FieldError("Event", "time", time, "a finite number of seconds")
        if not -_HIGHEST < time < _HIGHEST:
            raise FieldError("Event", "time", time, "a finite number of seconds")
        if not isinstance(kind, str):
            raise FieldError("Event", "kind", kind, "an EventKind")
        try:
            known = EventKind(kind)
        except ValueError:
            raise FieldError("Event", "kind", kind, "an EventKind") from None
        if not isinstance(detail, str):
            raise FieldError("Event", "detail", detail, "a str")
        if not isinstance(changes, Mapping):
            raise FieldError("Event", "changes", changes, "an object")
        if any(isinstance(value, Mapping | list) for value in changes.values()):
            raise FieldError("Event", "changes", changes, "plain values, as records have them")
        alone = {known.milestone: time} if known.milestone else None
        if alone is not None and changes != alone:
            raise FieldError("Event", "changes", changes, str(alone))
        if alone is None and subject.startswith("device/"):
            for name in changes.keys() & MILESTONE_KINDS.keys():
                raise FieldError("Event", "changes", name, "a milestone in an event of its own")
        return cls(subject, time, known, detail, changes)
