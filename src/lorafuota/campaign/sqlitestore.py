"""The events of a campaign in one SQLite file.

The table ``event`` is the log.  It is append-only, and every row has a checksum over itself and the
row before; the one row of ``head`` says which is the last and is written in the same transaction.
So whatever happens to the file, a flipped bit, a row missing, moved or cut off at the end, is
noticed when it is opened, and never taken for an earlier state: counters from a damaged log might
be used twice, so there is no guess.

What the log adds up to is kept as a snapshot now and then, which saves folding all of it at the
next opening.  The log stays whole.  Documents (the configuration of the campaign, say) can be put
beside it.

The file works with a rollback journal and full synchronisation.  A write-ahead log would be faster
and is not used: SQLite drops a damaged frame of it in silence, and with it commits that were
acknowledged.

No key is written here, unless somebody puts a document with keys in it
(:mod:`.document` wraps them).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn, final

from ..errors import FieldError
from ..wire import JSON
from .events import Event
from .lockedfile import LockedFile
from .snapshot import Snapshot
from .store import StoreError

__all__ = ["SqliteStore"]

_APPLICATION_ID: Final = 0x4C46554F
_VERSION: Final = 1
_START: Final = bytes(8)
"""Checksum before the first event."""
_BUSY_SECONDS: Final = 60.0
"""How long a commit waits for a reader; a reader for a commit."""
_SNAPSHOT_EVERY: Final = 5_000
"""Events since the last snapshot from which opening makes another."""

_TABLES: Final = {
    "event": (
        "CREATE TABLE event(sequence INTEGER PRIMARY KEY, subject TEXT NOT NULL, "
        "time REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL, changes TEXT NOT NULL, "
        "checksum BLOB NOT NULL)"
    ),
    "head": (
        "CREATE TABLE head(one INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, "
        "checksum BLOB NOT NULL, documents BLOB NOT NULL)"
    ),
    "snapshot": (
        "CREATE TABLE snapshot(sequence INTEGER PRIMARY KEY, state TEXT NOT NULL, "
        "checksum BLOB NOT NULL)"
    ),
    "document": "CREATE TABLE document(name TEXT NOT NULL, content TEXT NOT NULL)",
}


def _hash(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()


_text: Final = json.JSONEncoder(separators=(",", ":")).encode


@final
class SqliteStore:
    """A campaign's log in a file.  One process at a time writes; others may read meanwhile."""

    def __init__(
        self, path: str | os.PathLike[str], *, sync: bool = True, readonly: bool = False
    ) -> None:
        """Open the file, or begin one; check all of it.

        Args:
            path: The file.  Beside it, ``<path>-journal`` belongs to it while it is there.
            sync: Wait for the disk at every append.  Without, a crash of the process loses nothing;
                a crash of the machine may lose the last appends, or damage the file, which is
                noticed.
            readonly: Look only, while another process may write.  The file has to exist.

        Raises:
            StoreError: The file is no store, is damaged, cannot be opened, or another process
                writes in it.
        """
        self._path = pathlib.Path(path)
        self._sync = sync
        self._readonly = readonly
        self._broken = False
        self._file: LockedFile | None = None
        self._connection: sqlite3.Connection | None = None
        self._sequence, self._checksum, self._documents = 0, _START, _START
        try:
            self._file = LockedFile(self._path, create=not readonly, sync=sync)
            self._connect()
            with self._database() as database:
                self._prepare(database, self._file)
            self._file.require_same()
            self._state: Snapshot | None = self._check()
        except BaseException:
            self.close()
            raise

    def load(self) -> JSON:
        """Return what all events add up to, None if there was none yet.

        Raises:
            StoreError: The file was damaged meanwhile, or cannot be read.
        """
        self._require_open()
        state = self._state if self._state is not None else self._check()
        self._state = None  # an owner loads once; the next time it is read again
        return state.to_json() if self._sequence else None

    def append(self, events: Sequence[Event]) -> None:
        """Add the events in one transaction, and wait until they are safe.

        Raises:
            StoreError: The disk refused, the file was replaced, or another process wrote in it.
                The store takes no further events: what the failed append left behind is only known
                after opening it again.
        """
        self._require_writable()
        sequence, checksum, rows = self._sequence, self._checksum, []
        for one in events:
            sequence += 1
            values = (one.subject, float(one.time), one.kind.value, one.detail, _text(one.changes))
            checksum = _hash(checksum, sequence, *values)
            rows.append((sequence, *values, checksum))
        if not rows:
            return
        self._broken = True  # until it is known to have gone well
        with self._transaction() as database:
            self._move_head(database, sequence, checksum, self._documents)
            database.executemany("INSERT INTO event VALUES(?,?,?,?,?,?,?)", rows)
        self._sequence, self._checksum = sequence, checksum
        self._broken, self._state = False, None

    def history(self, subject: str | None = None) -> Iterator[Event]:
        """Yield the events from the first on, of one subject or of all, checked as they come.

        Raises:
            StoreError: The file is damaged, or cannot be read.
        """
        self._require_open()
        after, checksum, upto = 0, _START, self._sequence
        while after < upto:  # in pieces, so that nothing is locked while the caller looks
            with self._database() as database:
                rows = database.execute(
                    "SELECT * FROM event WHERE sequence > ? ORDER BY sequence LIMIT 1000", (after,)
                ).fetchall()
            if not rows:
                self._damaged(after)
            for row in rows:
                checksum = self._follows(row, after, checksum)
                after += 1
                if after <= upto and subject in (None, row[1]):
                    yield self._event(row)

    def put_document(self, name: str, content: JSON) -> None:
        """Keep a document beside the log, in place of one of the same name.

        The store writes what it is given.  Keys belong in here only when they are wrapped.

        Raises:
            StoreError: As for :meth:`append`.
        """
        self._require_writable()
        text = _text(content)
        self._broken = True
        with self._transaction() as database:
            database.execute("DELETE FROM document WHERE name = ?", (name,))
            database.execute("INSERT INTO document VALUES(?,?)", (name, text))
            documents = _hash(*self._all_documents(database))
            self._move_head(database, self._sequence, self._checksum, documents)
        self._documents, self._broken = documents, False

    def document(self, name: str) -> JSON:
        """Return the document of that name, None if there is none.

        Raises:
            StoreError: The file is damaged, or cannot be read.
        """
        self._require_open()
        with self._database() as database:
            documents = self._all_documents(database)
        if _hash(*documents) != self._documents and not self._readonly:
            raise StoreError(f"{self._path}: the documents are damaged")
        found = dict(documents).get(name)
        return None if found is None else self._json(found)

    def close(self) -> None:
        """Close the file; another process may open it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if self._file is not None:
            self._file.close()
        self._broken = True

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Opening

    def _connect(self) -> None:
        try:
            self._connection = sqlite3.connect(
                f"{self._path.resolve().as_uri()}?mode=rw",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        except (sqlite3.Error, OSError) as error:
            self._refused(error)

    def _prepare(self, database: sqlite3.Connection, file: LockedFile) -> None:
        """Set the file up, or see that it is one of ours."""
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        if self._readonly:
            database.execute("PRAGMA query_only = ON")
        else:
            mode = database.execute("PRAGMA journal_mode").fetchone()[0]
            if mode == "wal":
                raise StoreError(f"{self._path} is not a store of ours")
            database.execute("PRAGMA journal_mode = TRUNCATE")
            database.execute(f"PRAGMA synchronous = {'EXTRA' if self._sync else 'OFF'}")
        tables = dict(database.execute("SELECT name, sql FROM sqlite_master"))
        if not tables and file.is_empty() and not self._readonly:
            with self._transaction() as database:
                database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {_VERSION}")
                for statement in _TABLES.values():
                    database.execute(statement)
                head = (1, 0, _START, _hash())
                database.execute("INSERT INTO head VALUES(?,?,?,?)", head)
            return
        own = database.execute("PRAGMA application_id").fetchone()[0]
        if own != _APPLICATION_ID or tables != _TABLES:
            raise StoreError(f"{self._path} is not a store of ours")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version != _VERSION:
            raise StoreError(f"{self._path} is a store of version {version}: expected {_VERSION}")

    # Checking

    def _check(self) -> Snapshot:
        """Read and check everything; return the state."""
        with self._database() as database:
            database.execute("BEGIN")
            try:
                state, folded = self._read(database)
            finally:
                if database.in_transaction:
                    database.execute("ROLLBACK")
        if self._sequence - folded >= _SNAPSHOT_EVERY and not self._readonly:
            self._keep_snapshot(state)
        return state

    def _read(self, database: sqlite3.Connection) -> tuple[Snapshot, int]:
        """Return the state, and how many events the snapshot it began from had."""
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{self._path} is damaged: {found}")
        heads = database.execute("SELECT * FROM head").fetchall()
        if len(heads) != 1 or heads[0][0] != 1:
            raise StoreError(f"{self._path} is damaged: its head")
        _, self._sequence, self._checksum, self._documents = heads[0]
        if _hash(*self._all_documents(database)) != self._documents:
            raise StoreError(f"{self._path} is damaged: its documents")
        state, folded, expected = self._snapshot(database)
        after, checksum = 0, _START
        for row in database.execute("SELECT * FROM event ORDER BY sequence"):
            checksum = self._follows(row, after, checksum)
            after += 1
            if after > folded:
                self._apply(state, row)
            elif after == folded and checksum != expected:
                raise StoreError(f"{self._path} is damaged: its snapshot")
        if (after, checksum) != (self._sequence, self._checksum) or folded > after:
            self._damaged(after)
        return state, folded

    def _snapshot(self, database: sqlite3.Connection) -> tuple[Snapshot, int, bytes]:
        rows = database.execute("SELECT * FROM snapshot").fetchall()
        if not rows:
            return Snapshot(), 0, _START
        sequence, text, checksum = rows[0]
        if len(rows) != 1 or not isinstance(checksum, bytes) or len(checksum) != 16:
            raise StoreError(f"{self._path} is damaged: its snapshot")
        own, chained = checksum[:8], checksum[8:]
        if own != _hash(sequence, text, chained):
            raise StoreError(f"{self._path} is damaged: its snapshot")
        try:
            return Snapshot.from_json(self._json(text)), sequence, chained
        except FieldError as error:
            raise StoreError(f"{self._path}: {error}") from error

    def _keep_snapshot(self, state: Snapshot) -> None:
        text = _text(state.to_json())
        own = _hash(self._sequence, text, self._checksum)
        with self._transaction() as database:
            database.execute("DELETE FROM snapshot")
            row = (self._sequence, text, own + self._checksum)
            database.execute("INSERT INTO snapshot VALUES(?,?,?)", row)

    def _follows(self, row: tuple[Any, ...], after: int, checksum: bytes) -> bytes:
        """Return the checksum of a row, if it is the one to come."""
        sequence, *values, own = row
        if sequence != after + 1 or own != _hash(checksum, sequence, *values):
            self._damaged(after)
        found: bytes = own
        return found

    def _event(self, row: tuple[Any, ...]) -> Event:
        _, subject, time, kind, detail, changes, _ = row
        try:
            return Event.checked(subject, time, kind, detail, self._json(changes))
        except FieldError as error:
            raise StoreError(f"{self._path}, event {row[0]}: {error}") from error

    def _apply(self, state: Snapshot, row: tuple[Any, ...]) -> None:
        try:
            state.apply(self._event(row))
        except FieldError as error:
            raise StoreError(f"{self._path}, event {row[0]}: {error}") from error

    def _json(self, text: str) -> JSON:
        try:
            found: JSON = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise StoreError(f"{self._path} holds something that is no JSON") from error
        return found

    def _all_documents(self, database: sqlite3.Connection) -> list[tuple[str, str]]:
        return database.execute("SELECT name, content FROM document ORDER BY name").fetchall()

    # Writing

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """Turn what the database raises into a StoreError."""
        assert self._connection is not None
        try:
            yield self._connection
        except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
            self._refused(error)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all of it or nothing."""
        with self._database() as database:
            assert self._file is not None
            self._file.require_same()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
                raise

    def _move_head(
        self, database: sqlite3.Connection, sequence: int, checksum: bytes, documents: bytes
    ) -> None:
        """Write the head, if it still is where this store left it."""
        moved = database.execute(
            "UPDATE head SET sequence = ?, checksum = ?, documents = ? "
            "WHERE one = 1 AND sequence = ? AND checksum = ? AND documents = ?",
            (sequence, checksum, documents, self._sequence, self._checksum, self._documents),
        )
        if moved.rowcount != 1:
            raise StoreError(f"{self._path}: another process wrote in it")

    def _require_open(self) -> None:
        if self._connection is None:
            raise StoreError(f"{self._path} is closed; open the store again")

    def _require_writable(self) -> None:
        if self._readonly:
            raise StoreError(f"{self._path} was opened to be read only")
        if self._broken:
            raise StoreError(f"{self._path}: an earlier append failed; open the store again")

    def _damaged(self, after: int) -> NoReturn:
        raise StoreError(f"{self._path} is damaged behind event {after}")

    def _refused(self, error: Exception) -> NoReturn:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreError(f"{self._path}: {reason}") from error
