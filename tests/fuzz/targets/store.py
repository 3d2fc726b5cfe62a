"""Invariant: a file is a store with one meaning, or a StoreError; it is never guessed at.

What opens is the sum of its events, goes on, and is the same when it is opened again.
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
import random
import sqlite3
from collections.abc import Sequence

from lorafuota.campaign import Event, EventKind, SqliteStore, StoreError
from lorafuota.campaign.snapshot import fold
from lorafuota.campaign.sqlitestore import _hash
from tests.fuzz import mutation
from tests.fuzz.targets.target import MiB, Target, folder
from tests.unit.campaign.test_store import BATCHES

COLUMNS = {
    "event": ("sequence", "subject", "time", "kind", "detail", "changes", "checksum"),
    "head": ("one", "sequence", "checksum", "documents"),
    "snapshot": ("sequence", "state", "checksum"),
    "document": ("name", "content"),
}
MORE = [Event("campaign", 9.0, EventKind.CHANGED, "", {})]


def one_input(data: bytes) -> str:
    path = folder() / "store"
    path.write_bytes(data)
    try:
        with SqliteStore(path, sync=False) as store:
            loaded, events = store.load(), list(store.history())
            document = store.document("simulation")
            if not _has_snapshot(path):  # one whose checksum is right may say anything
                assert loaded == (fold(events) if events else None)
            store.append(MORE)
            store.put_document("simulation", document)
            after = store.load()
        with SqliteStore(path, sync=False, readonly=True) as store:
            assert store.load() == after
            assert list(store.history()) == [*events, *MORE]
    except StoreError as error:
        assert str(error)
        return "StoreError"
    finally:
        for name in (path, path.with_name(f"{path.name}-journal")):
            name.unlink(missing_ok=True)
    return "a store"


def _has_snapshot(path: pathlib.Path) -> bool:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return bool(database.execute("SELECT count(*) FROM snapshot").fetchone()[0])


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """An empty store, one with events and a document, one with a snapshot too, and no store."""
    path, found = folder() / "store", [b"", b"SQLite format 3\0"]
    for batches, documents, snapshot in ((0, 0, 0), (4, 1, 0), (3, 2, 1)):
        path.unlink(missing_ok=True)
        with SqliteStore(path, sync=False) as store:
            for events in BATCHES[:batches]:
                store.append(events)
            for name in ("simulation", "config")[:documents]:
                store.put_document(name, {"a": [1, "x"], "b": None})
            if snapshot:
                store._keep_snapshot(store._check())
        found.append(path.read_bytes())
    path.unlink()
    return tuple(found)


def mutate(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    """Change octets of the file, or values in it; then, now and then, make the checksums fit."""
    data = rng.choice(pool)
    if len(data) < 100 or rng.random() < 0.4:
        return mutation.octets(rng, pool)
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        database.deserialize(data)
        for _ in range(rng.randrange(1, 3)):
            _alter(rng, database)
        if rng.random() < 0.7:
            sign(database)
        return database.serialize()
    except (sqlite3.Error, OverflowError, UnicodeEncodeError):
        return data
    finally:
        database.close()


def _alter(rng: random.Random, database: sqlite3.Connection) -> None:
    table = rng.choice(list(COLUMNS))
    column = rng.choice(COLUMNS[table])
    numbers = [edge for edge in mutation.EDGES if -(2**63) <= edge < 2**63]
    text = rng.choice(['{"a":1}', "[" * 5000, '{"time":1e999}', "1" * 5000, "NaN", '{"phase":[]}'])
    value = rng.choice([*numbers, *mutation.ODD[:11], text, b"", bytes(8), bytes(100_000)])
    match rng.randrange(8):
        case 0:
            database.execute(f"DELETE FROM {table} WHERE rowid % 2 = ?", (rng.randrange(2),))
        case 1:
            database.execute(f"INSERT INTO {table} SELECT * FROM {table} LIMIT 1")
        case 2:
            application = rng.choice(("application_id", "user_version"))
            database.execute(f"PRAGMA {application} = {rng.choice(numbers) & 0x7FFFFFFF}")
        case 3:
            database.execute("CREATE VIEW more AS SELECT * FROM event")
        case _:
            where = rng.choice(("", "WHERE rowid = 1", "WHERE rowid = 3"))
            database.execute(f"UPDATE {table} SET {column} = ? {where}", (value,))


def sign(database: sqlite3.Connection) -> None:
    """Make the chain of checksums right, as somebody who knows it could."""
    checksum, sequence = bytes(8), 0
    for sequence, *values, _ in database.execute(
        "SELECT * FROM event ORDER BY sequence"
    ).fetchall():
        checksum = _hash(checksum, sequence, *values)
        database.execute("UPDATE event SET checksum = ? WHERE sequence = ?", (checksum, sequence))
    documents = database.execute("SELECT name, content FROM document ORDER BY name").fetchall()
    head = (sequence, checksum, _hash(*documents))
    database.execute("UPDATE head SET sequence = ?, checksum = ?, documents = ?", head)
    for at, text in database.execute("SELECT sequence, state FROM snapshot").fetchall():
        found = database.execute("SELECT checksum FROM event WHERE sequence = ?", (at,)).fetchone()
        chained = found[0] if found else bytes(8)
        own = _hash(at, text, chained)
        database.execute("UPDATE snapshot SET checksum = ?", (own + chained,))


TARGETS = (Target(name="store", one_input=one_input, seeds=seeds, mutate=mutate, memory=8 * MiB),)
