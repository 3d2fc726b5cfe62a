"""Where a campaign keeps its events: appended before what they justify is sent, never changed.

A campaign asks for a commit *before* the sends it justifies.  A store promises that after
:meth:`CampaignStore.append` returns the events survive, and that after a crash in the middle of it
either all of them are there or none.  If it raises, nothing may be sent.

:class:`~.sqlitestore.SqliteStore` is the one to use; a network server can write its own against the
protocol, or keep one document instead of a log (``FuotaCampaign.snapshot``).

What no store can tell is that it is an old copy of itself, put back by somebody: a campaign that
goes on from a backup uses its counters a second time.  Throw the group keys away instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, final

from ..errors import FuotaError, StateError
from ..wire import JSON
from .events import Event
from .snapshot import Snapshot

__all__ = ["CampaignStore", "MemoryStore", "StoreError"]


class StoreError(FuotaError):
    """What is stored cannot be trusted, is in use elsewhere, or cannot be written."""


class CampaignStore(Protocol):
    """An append-only log of events that survives crashes."""

    def load(self) -> JSON:
        """Return what all events add up to, for ``FuotaCampaign(config, saved=...)``.

        None if there was no event yet.

        Raises:
            StoreError: It cannot be trusted.
        """

    def append(self, events: Sequence[Event]) -> None:
        """Make all of *events* durable, or none of them.

        Raises:
            StoreError: They could not be made durable; nothing may be sent.
        """

    def history(self, subject: str | None = None) -> Iterator[Event]:
        """Yield the events from the first on, of one subject or of all.

        Raises:
            StoreError: They cannot be trusted; some may have been yielded before.
        """


@final
class MemoryStore:
    """A store for simulations and tests.  Crash-safe only as long as the process lives."""

    def __init__(self, saved: JSON = None, *, keep_log: bool = True) -> None:
        """Begin empty, or from what another store loaded.

        Args:
            saved: What :meth:`CampaignStore.load` returned.
            keep_log: Keep the events and not only what they add up to; they grow without end.

        Raises:
            FieldError: *saved* is not such a document.
        """
        self._state = Snapshot() if saved is None else Snapshot.from_json(saved)
        self._log: list[Event] | None = [] if keep_log else None
        self._empty = saved is None

    def load(self) -> JSON:
        """Return what all events add up to, None before the first."""
        return None if self._empty else self._state.to_json()

    def append(self, events: Sequence[Event]) -> None:
        """Take the events.

        Raises:
            FieldError: One does not fit what stood before it; those before it are taken.
        """
        for event in events:
            self._state.apply(event)
            self._empty = False
            if self._log is not None:
                self._log.append(event)

    def history(self, subject: str | None = None) -> Iterator[Event]:
        """Yield the events since this store was made.

        Raises:
            StateError: The store does not keep them.
        """
        if self._log is None:
            raise StateError("MemoryStore.history", "the log is not kept")
        return iter([one for one in self._log if subject in (None, one.subject)])
