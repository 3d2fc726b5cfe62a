"""What changed since the last commit, as events.

Whoever changes a record notes its subject; the events are made of the difference to the row that
was committed last.  So nothing that changed can be missing from an event, and a commit costs what
changed, not what there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

from ..types import DevEUI
from ..wire import JSON
from .events import CAMPAIGN, MILESTONE_KINDS, Event, EventKind, device_subject, group_subject
from .records import Record
from .snapshot import document_of
from .state import CampaignPhase, CampaignRecord, DeviceRecord, GroupRecord, Outcome, Stage

__all__ = ["Logbook"]

_PHASES: Final[Mapping[JSON, EventKind]] = {
    CampaignPhase.RUNNING.value: EventKind.STARTED,
    CampaignPhase.PAUSED.value: EventKind.PAUSED,
    CampaignPhase.CANCELLING.value: EventKind.CANCELLED,
    CampaignPhase.ENDED.value: EventKind.ENDED,
}
_NO_FAILURE: Final = frozenset(
    outcome.value
    for outcome in Outcome
    if outcome.success or outcome in (Outcome.PENDING, Outcome.LIKELY, Outcome.CANCELLED)
)
_TOLD: Final = frozenset(
    {
        "clock_version",
        "cleaned",
        "fm_version",
        "frag_version",
        "mc_version",
        "missing",
        "received",
        "silent",
    }
)
"""Fields that a device's answers set."""

Whose = DevEUI | str | None
"""A device, a group by its name, or the campaign."""


def _device_kind(record: DeviceRecord, changes: Mapping[str, JSON]) -> EventKind:
    if changes.get("outcome", Outcome.PENDING.value) not in _NO_FAILURE:
        return EventKind.FAILED
    if record.tries and "tries" in changes:
        return EventKind.REFUSED
    if "stage" in changes:
        ended = record.stage in (Stage.DONE, Stage.FAILED)
        return EventKind.ENDED if ended else EventKind.ENTERED
    if "unicasts" in changes:
        return EventKind.FRAGMENT_SENT
    if record.attempts and "attempts" in changes:
        return EventKind.REQUESTED
    if not _TOLD.isdisjoint(changes):
        return EventKind.ANSWERED
    if changes.get("cnt_used"):
        return EventKind.COUNTER_USED
    return EventKind.CHANGED


def _device_detail(record: DeviceRecord, kind: EventKind) -> str:
    """Return what the changes alone would not tell."""
    if kind is EventKind.FRAGMENT_SENT:
        return f"{record.unicasts} in all"
    asked = kind in (EventKind.REQUESTED, EventKind.ANSWERED, EventKind.REFUSED)
    return f"in stage {record.stage.value}" if asked else ""


def _group_kind(changes: Mapping[str, JSON]) -> EventKind:
    if "window" in changes:
        return EventKind.WINDOW_ANNOUNCED
    if "next_fcnt" in changes:
        return EventKind.COUNTERS_TAKEN
    return EventKind.ENTERED if "phase" in changes else EventKind.CHANGED


def _campaign_kind(before: CampaignPhase, changes: Mapping[str, JSON]) -> EventKind:
    kind = _PHASES.get(changes.get("phase"), EventKind.CHANGED)
    resumed = kind is EventKind.STARTED and before is CampaignPhase.PAUSED
    return EventKind.RESUMED if resumed else kind


@final
class _Page:
    """A record and its row as of the last commit; None if it never was in one."""

    __slots__ = ("record", "row", "subject")

    def __init__(self, subject: str, record: Record, row: tuple[Any, ...] | None) -> None:
        self.subject, self.record, self.row = subject, record, row


@final
class Logbook:
    """The rows committed last, and who has changed since."""

    def __init__(self, campaign: CampaignRecord, *, committed: bool) -> None:
        """Begin with the campaign's own record, which was in a commit already or not."""
        self._pages: dict[Whose, _Page] = {}
        self._touched: dict[Whose, EventKind | None] = {}
        self._open(None, CAMPAIGN, campaign, committed)

    def add_device(self, dev_eui: DevEUI, record: DeviceRecord, *, committed: bool) -> None:
        """Open a page for a device."""
        self._open(dev_eui, device_subject(dev_eui), record, committed)

    def add_group(self, name: str, record: GroupRecord, *, committed: bool) -> None:
        """Open a page for a group."""
        self._open(name, group_subject(name), record, committed)

    def _open(self, key: Whose, subject: str, record: Record, committed: bool) -> None:
        self._pages[key] = _Page(subject, record, record.row() if committed else None)

    def touch(self, key: Whose, kind: EventKind | None = None) -> None:
        """Note that a record changed; *kind* says why, where the difference would not tell."""
        self._touched[key] = kind or self._touched.get(key)

    def take(self, now: float) -> tuple[Event, ...]:
        """Return what changed since the last call, at a time in GPS seconds."""
        if not self._touched:
            return ()
        events: list[Event] = []
        for key, kind in self._touched.items():
            self._write(self._pages[key], kind, now, events)
        self._touched = {}
        return tuple(events)

    def _write(self, page: _Page, kind: EventKind | None, now: float, events: list[Event]) -> None:
        record, before, after = page.record, page.row, page.record.row()
        first = before is None
        changes = record.between(record.fresh() if before is None else before, after)
        if not changes and not first:
            return
        page.row = after
        detail = ""
        if isinstance(record, DeviceRecord):
            reached = [name for name in MILESTONE_KINDS if name in changes]
            for name in reached:
                at: Any = changes.pop(name)
                events.append(Event(page.subject, at, MILESTONE_KINDS[name], "", {name: at}))
            if reached and not changes:
                return
            kind = kind or _device_kind(record, changes)
            detail = _device_detail(record, kind)
        elif isinstance(record, GroupRecord):
            kind = kind or _group_kind(changes)
        else:
            phase = CampaignPhase.NEW if before is None else before[0]
            kind = kind or _campaign_kind(phase, changes)
        if first and page.subject != CAMPAIGN:
            kind = EventKind.ADDED
        events.append(Event(page.subject, now, kind, detail, changes))

    def snapshot(self) -> dict[str, JSON]:
        """Return the document that all events so far add up to."""
        groups: dict[str, JSON] = {}
        devices: dict[str, JSON] = {}
        campaign: JSON = {}
        for key, page in self._pages.items():
            if page.row is None:
                continue
            fields = page.record.between(page.record.fresh(), page.row)
            if isinstance(key, DevEUI):
                devices[str(key)] = fields
            elif key is None:
                campaign = fields
            else:
                groups[key] = fields
        return document_of(campaign, groups, devices)
