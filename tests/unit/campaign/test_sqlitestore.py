"""The file: what it keeps, what it refuses, and that a failure is never taken for success."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lorafuota.campaign import EventKind, SqliteStore, StoreError, sqlitestore
from lorafuota.campaign.lockedfile import LockedFile
from lorafuota.wire import JSON
from tests.support import LONG, Record
from tests.unit.campaign.fleet import fleet, group, member
from tests.unit.campaign.test_store import BATCHES, ONE, STATES, WHOLE, event

AGAIN = "open the store again"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "store"


def load(path: pathlib.Path) -> JSON:
    with SqliteStore(path, sync=False) as store:
        return store.load()


def written(path: pathlib.Path, batches: int = len(BATCHES)) -> bytes:
    with SqliteStore(path, sync=False) as store:
        for events in BATCHES[:batches]:
            store.append(events)
    return path.read_bytes()


@contextlib.contextmanager
def raw(path: pathlib.Path) -> Iterator[sqlite3.Connection]:
    """The file, without us."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def altered(path: pathlib.Path, *statements: str) -> None:
    with raw(path) as database:
        for statement in statements:
            database.execute(statement)


def test_a_store_gives_back_what_was_appended_and_goes_on(path: pathlib.Path) -> None:
    for events, before, after in zip(BATCHES, STATES, STATES[1:], strict=False):
        with SqliteStore(path) as store:
            assert store.load() == before
            store.append(events)
            assert store.load() == after


def test_the_log_can_be_read_with_any_sqlite(path: pathlib.Path) -> None:
    written(path)
    with raw(path) as database:
        rows = database.execute(f"SELECT time, kind, changes FROM event WHERE subject = '{ONE}'")
        assert [row[:2] for row in rows] == [(5.0, "changed"), (5.0, "entered"), (5.0, "changed")]
        assert database.execute("PRAGMA journal_mode").fetchone()[0] in ("delete", "truncate")


# What is damaged


def test_a_flipped_bit_is_noticed_or_changes_nothing(
    path: pathlib.Path, record_property: Record
) -> None:
    """Every bit of the pages in use, in the long run; a sample of them always."""
    octets = written(path)
    rng = random.Random(1)
    bits = range(8 * len(octets))
    used = [bit for bit in bits if octets[bit // 8] or LONG]
    chosen = used if LONG else rng.sample(used, 1_500)
    noticed = 0
    for bit in chosen:
        changed = bytearray(octets)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            with SqliteStore(path, sync=False) as store:
                found, history = store.load(), list(store.history())
        except StoreError:
            noticed += 1
        else:
            assert found == STATES[-1], bit
            assert history == WHOLE, bit
    assert noticed > len(chosen) // 5 or LONG
    record_property("bits flipped", len(chosen))
    record_property("of them noticed", noticed)
    print(f"{len(chosen)} bits flipped, {noticed} noticed, the others without effect")


def test_a_file_that_was_cut_is_noticed_or_lost_nothing(path: pathlib.Path) -> None:
    octets = written(path)
    for size in range(512 if LONG else 1_000, len(octets), 1 if LONG else 1_000):
        path.write_bytes(octets[:size])
        try:
            with SqliteStore(path, sync=False) as store:
                found = store.load(), list(store.history())
        except StoreError:
            continue
        assert found == (STATES[-1], WHOLE), size
        assert not any(octets[size:])
    path.write_bytes(b"")
    assert load(path) is None  # nothing can tell that it was another file


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM event WHERE sequence = 1",
        "DELETE FROM event WHERE sequence = 3",
        "DELETE FROM event WHERE sequence = (SELECT max(sequence) FROM event)",
        "DELETE FROM event",
        "UPDATE event SET sequence = 100 WHERE sequence = 2",
        "UPDATE event SET sequence = 100 - sequence",
        "UPDATE event SET changes = replace(changes, '2', '1')",
        "UPDATE event SET time = 6.0 WHERE sequence = 2",
        "UPDATE event SET subject = 'campaign' WHERE sequence = 2",
        "UPDATE event SET kind = 'entered' WHERE sequence = 2",
        "UPDATE event SET detail = 'x' WHERE sequence = 2",
        "UPDATE event SET checksum = x'00' WHERE sequence = 2",
        "UPDATE event SET checksum = 'text' WHERE sequence = 7",
        "INSERT INTO event SELECT 8, subject, time, kind, detail, changes, checksum FROM event "
        "WHERE sequence = 7",
        "UPDATE head SET sequence = 6",
        "UPDATE head SET checksum = x'0011223344556677'",
        "UPDATE head SET sequence = 'x'",
        "UPDATE head SET documents = x'00'",
        "UPDATE head SET one = 2",
        "DELETE FROM head",
        "INSERT INTO head SELECT 2, sequence, checksum, documents FROM head",
        "INSERT INTO document VALUES('more', '1')",
        "INSERT INTO snapshot VALUES(3, '{}', x'00')",
        "INSERT INTO snapshot VALUES(3, '{}', 'text')",
        "CREATE TABLE more(x)",
        "CREATE INDEX more ON event(subject)",
        "DROP TABLE document",
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 2",
    ],
)
def test_what_does_not_fit_is_refused_and_left_alone(statement: str, path: pathlib.Path) -> None:
    written(path)
    altered(path, statement)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"damaged|not a store of ours|a store of version 2"):
        SqliteStore(path, sync=False)
    assert path.read_bytes() == before


def test_the_last_events_cannot_be_dropped_with_their_head_put_back(path: pathlib.Path) -> None:
    """The head alone put back is noticed; head and events together are a copy from before."""
    written(path, 2)
    with raw(path) as database:
        [head] = database.execute("SELECT * FROM head").fetchall()
    with SqliteStore(path, sync=False) as store:
        store.append(BATCHES[2])
    with raw(path) as database:
        database.execute("UPDATE head SET sequence = ?, checksum = ?", head[1:3])
    with pytest.raises(StoreError, match="is damaged behind event"):
        SqliteStore(path, sync=False)


@pytest.mark.parametrize(
    "values",
    [
        ("nobody", 5.0, "entered", "", "{}"),
        (ONE, 5.0, "no such kind", "", "{}"),
        (ONE, 5.0, "entered", "", "["),
        (ONE, 5.0, "entered", "", "[]"),
        (ONE, 5.0, "entered", "", '{"stage":"nowhere"}'),
        (ONE, float("inf"), "entered", "", "{}"),
        (ONE, 5.0, "entered", "", '{"confirmed":5.0}'),
    ],
)
def test_an_event_with_a_checksum_that_is_none_is_refused(
    values: tuple[Any, ...], path: pathlib.Path
) -> None:
    with SqliteStore(path, sync=False):
        pass
    checksum = sqlitestore._hash(bytes(8), 1, *values)
    with raw(path) as database:
        database.execute("INSERT INTO event VALUES(1,?,?,?,?,?,?)", (*values, checksum))
        database.execute("UPDATE head SET sequence = 1, checksum = ?", (checksum,))
    with pytest.raises(StoreError, match=r"event 1|no JSON"):
        SqliteStore(path, sync=False)


@pytest.mark.parametrize(
    "content", [b"\n", b"hello\n", b"SQLite format 3\0", bytes(5_000), b"SQLite format 3\0" * 400]
)
def test_a_file_that_is_something_else_is_refused_and_left_alone(
    content: bytes, path: pathlib.Path
) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match="store"):
        SqliteStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_of_somebody_else_is_refused_and_left_alone(
    mode: str, path: pathlib.Path
) -> None:
    altered(path, f"PRAGMA journal_mode = {mode}", "CREATE TABLE things(x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is not a store of ours"):
        SqliteStore(path)
    assert path.read_bytes() == before


# Crashes in the middle


def torn(path: pathlib.Path, target: pathlib.Path) -> None:
    """Copy the store as it is in the middle of a transaction that changes many pages."""
    with SqliteStore(path, sync=False) as store:
        store.append([event(ONE, EventKind.ENTERED, detail="x" * 3_000) for _ in range(16)])
    with raw(path) as database:
        database.execute("PRAGMA cache_size = 1")  # pages are written before the commit
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE head SET sequence = sequence + 1")
        database.execute("UPDATE event SET changes = upper(changes)")
        shutil.copyfile(path, target)
        shutil.copyfile(f"{path}-journal", f"{target}-journal")
        database.execute("ROLLBACK")


def test_a_transaction_cut_in_the_middle_is_undone(
    path: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    written(path)
    target = tmp_path / "torn"
    torn(path, target)
    before, after = path.read_bytes(), target.read_bytes()
    assert before != after[: len(before)]  # what had been there was written over
    assert load(target) == load(path)
    with SqliteStore(target, sync=False) as store:
        store.append(BATCHES[0][1:])
        assert len(list(store.history(ONE))) == 20


def test_a_flipped_bit_in_what_undoes_a_transaction_is_noticed_or_changes_nothing(
    path: pathlib.Path, tmp_path: pathlib.Path, record_property: Record
) -> None:
    written(path)
    first = tmp_path / "first"
    torn(path, first)
    database, journal = first.read_bytes(), pathlib.Path(f"{first}-journal").read_bytes()
    right = load(path)
    rng, noticed = random.Random(2), 0
    bits = [bit for bit in range(8 * len(journal)) if journal[bit // 8] or bit < 512]
    chosen = bits if LONG else rng.sample(bits, 400) + bits[:224]
    for bit in chosen:
        target = tmp_path / "flipped"
        changed = bytearray(journal)
        changed[bit // 8] ^= 1 << bit % 8
        target.write_bytes(database)
        pathlib.Path(f"{target}-journal").write_bytes(changed)
        try:
            assert load(target) == right, bit
        except StoreError:
            noticed += 1
    assert noticed > 100
    record_property("bits flipped in a journal", len(chosen))


def test_a_file_whose_journal_was_lost_in_the_middle_is_noticed(
    path: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    written(path)
    target = tmp_path / "torn"
    torn(path, target)
    os.unlink(f"{target}-journal")
    with pytest.raises(StoreError):
        SqliteStore(target, sync=False)


# What fails


class Failing(sqlite3.Connection):
    """Fails at the nth statement, before or after it was carried out, once or from then on."""

    at = 1 << 30
    side = "before"
    for_ever = False

    def _due(self) -> bool:
        Failing.at -= 1
        return Failing.at == -1 or (Failing.at < 0 and Failing.for_ever)

    def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        due = self._due()
        if due and Failing.side == "before":
            raise sqlite3.OperationalError("disk I/O error")
        done = method(*args)
        if due:
            raise sqlite3.OperationalError("disk I/O error")
        return done

    def execute(self, *args: Any) -> Any:
        return self._call(super().execute, *args)

    def executemany(self, *args: Any) -> Any:
        return self._call(super().executemany, *args)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Failing]]:
    real = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **named: real(*args, factory=Failing, **named)
    )
    yield Failing
    Failing.at, Failing.side, Failing.for_ever = 1 << 30, "before", False


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_statement_that_fails_is_reported_and_ends_the_store(
    side: str, for_ever: bool, path: pathlib.Path, failing: type[Failing]
) -> None:
    statements = 0
    for at in range(60):
        failing.at, failing.side, failing.for_ever = at, side, for_ever
        done, failed = 0, False
        with contextlib.suppress(StoreError):
            failed = True
            with SqliteStore(path, sync=False) as store:
                for events in BATCHES:
                    try:
                        store.append(events)
                    except StoreError:
                        with pytest.raises(StoreError, match=AGAIN):
                            store.append(events)
                        raise
                    done += 1
            failed = False
        statements += failed
        failing.at = 1 << 30
        if not failed:
            assert done == len(BATCHES)
        # What was acknowledged is there; the one that failed may be.
        assert load(path) in STATES[done : done + 2], at
        path.unlink()
    assert statements > 30


class Disk:
    """Fails at the nth call of one of os's functions, once or from then on."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str, at: int, *, for_ever: bool) -> None:
        self.real, self.left, self.for_ever = getattr(os, name), at, for_ever
        patch.setattr(os, name, self)

    def __call__(self, *args: Any, **named: Any) -> Any:
        self.left -= 1
        if self.left == -1 or (self.left < 0 and self.for_ever):
            raise OSError(28, "No space left on device")
        return self.real(*args, **named)


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("name", ["open", "fsync", "stat", "fstat"])
@pytest.mark.parametrize("at", range(9))
def test_an_operation_that_fails_is_reported_too(
    name: str, at: int, for_ever: bool, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, failed = 0, False
    with monkeypatch.context() as patch:
        Disk(patch, name, at, for_ever=for_ever)
        try:
            with SqliteStore(path, sync=name != "stat") as store:
                for events in BATCHES:
                    store.append(events)
                    done += 1
        except (StoreError, OSError) as error:
            assert isinstance(error, StoreError)
            failed = True
    assert failed or done == len(BATCHES)
    assert load(path) in STATES[done : done + 2]


def test_a_disk_that_is_full_is_reported_and_loses_nothing(path: pathlib.Path) -> None:
    """The real thing, by a limit on the pages of the file."""
    done = 0
    with SqliteStore(path, sync=False) as store:
        store.append(BATCHES[0])
        store._connection.execute("PRAGMA max_page_count = 8")  # type: ignore[union-attr]
        with contextlib.suppress(StoreError):
            for done in range(100):
                store.append([event(ONE, EventKind.ENTERED, attempts=done, detail="x" * 1_000)])
        assert 0 < done < 20
        with pytest.raises(StoreError, match=AGAIN):
            store.append(BATCHES[1])
        assert len(list(store.history())) == 2 + done
    with SqliteStore(path, sync=False) as store:
        saved: Any = store.load()
        assert saved["devices"][ONE.removeprefix("device/")]["attempts"] == done - 1
        store.append(BATCHES[1])


@pytest.mark.skipif(os.name == "nt", reason="no such limit")
def test_a_file_that_may_not_grow_is_reported_and_loses_nothing(path: pathlib.Path) -> None:
    import resource
    import signal

    with SqliteStore(path) as store:
        store.append(BATCHES[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
        try:
            with pytest.raises(StoreError):
                store.append([event(ONE, EventKind.ENTERED, detail="x" * 50_000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, old)
    assert load(path) == STATES[1]


def test_a_value_no_database_takes_is_refused_and_changes_nothing(path: pathlib.Path) -> None:
    with SqliteStore(path) as store:
        store.append(BATCHES[0])
        with pytest.raises(StoreError):
            store.append([event(ONE, EventKind.ENTERED), event("device/\ud800")])
    assert load(path) == STATES[1]


# Who else has it


def test_a_store_that_is_open_cannot_be_opened_again(path: pathlib.Path) -> None:
    pytest.importorskip("fcntl")
    with SqliteStore(path), pytest.raises(StoreError, match="is in use by another process"):
        SqliteStore(path)
    SqliteStore(path).close()


def test_without_locks_the_second_to_append_is_refused(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LockedFile, "_lock", lambda self: None)
    with SqliteStore(path, sync=False) as one, SqliteStore(path, sync=False) as two:
        one.append(BATCHES[0])
        with pytest.raises(StoreError, match="another process wrote in it"):
            two.append(BATCHES[1])
        with pytest.raises(StoreError, match=AGAIN):
            two.append(BATCHES[1])
        one.append(BATCHES[1])
    assert load(path) == STATES[2]


def test_others_can_look_while_one_writes(path: pathlib.Path) -> None:
    with SqliteStore(path, sync=False) as store:
        for events, before, after in zip(BATCHES, STATES, STATES[1:], strict=False):
            with SqliteStore(path, readonly=True) as reader:
                assert reader.load() == before
                store.append(events)
                assert reader.load() == after
                history = list(reader.history())
                with pytest.raises(StoreError, match="was opened to be read only"):
                    reader.append(events)
                with pytest.raises(StoreError, match="was opened to be read only"):
                    reader.put_document("x", 1)
            assert history == list(store.history())


def test_looking_makes_no_file_and_changes_none(path: pathlib.Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        SqliteStore(path, readonly=True)
    assert not path.exists()
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="is not a store of ours"):
        SqliteStore(path, readonly=True)
    assert path.read_bytes() == b""


def test_a_store_in_a_folder_that_is_not_there_is_an_error_of_ours(path: pathlib.Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        SqliteStore(path / "store")


def test_a_store_that_was_closed_does_nothing_more(path: pathlib.Path) -> None:
    store = SqliteStore(path)
    store.close()
    store.close()
    calls: list[Callable[[], object]] = [
        store.load,
        lambda: store.append(BATCHES[0]),
        lambda: list(store.history()),
        lambda: store.document("x"),
        lambda: store.put_document("x", 1),
    ]
    for call in calls:
        with pytest.raises(StoreError, match=AGAIN):
            call()


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be replaced there")
@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_stale_handle_is_noticed_before_anything_is_written_that_nobody_would_find(
    how: str, path: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with SqliteStore(path) as store:
        store.append(BATCHES[0])
        path.unlink()
        if how == "replaced":
            written(path, 0)
        with pytest.raises(StoreError, match="was replaced or removed"):
            store.append(BATCHES[1])
        with pytest.raises(StoreError, match=AGAIN):
            store.append(BATCHES[1])


def test_a_file_replaced_between_opening_and_locking_is_noticed(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path)

    def replaced(*_: Any) -> None:
        other = path.with_name("other")
        shutil.copyfile(path, other)
        os.replace(other, path)

    monkeypatch.setattr(LockedFile, "_lock", replaced)
    with pytest.raises(StoreError, match="was replaced or removed"):
        SqliteStore(path)


# Snapshots


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlitestore, "_SNAPSHOT_EVERY", 3)


@pytest.mark.usefixtures("often")
def test_a_snapshot_saves_folding_and_leaves_the_log_whole(path: pathlib.Path) -> None:
    kept = []
    for events, after in zip(BATCHES, STATES[1:], strict=False):
        with SqliteStore(path, sync=False) as store:
            store.append(events)
        assert load(path) == after
        with raw(path) as database:
            kept += [row[0] for row in database.execute("SELECT sequence FROM snapshot")]
    assert kept == [3, 6, 6]
    with SqliteStore(path, sync=False) as store:
        assert list(store.history()) == WHOLE


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE snapshot SET sequence = sequence - 1",
        "UPDATE snapshot SET sequence = sequence + 1",
        "UPDATE snapshot SET sequence = 1000",
        "UPDATE snapshot SET state = replace(state, 'running', 'paused')",
        "UPDATE snapshot SET checksum = zeroblob(16)",
        "UPDATE snapshot SET checksum = x'00'",
        "INSERT INTO snapshot VALUES(1, '{}', zeroblob(16))",
        "DELETE FROM event WHERE sequence = 1",
        "UPDATE event SET detail = 'x' WHERE sequence = 1",
    ],
)
def test_a_snapshot_that_does_not_fit_its_log_is_refused(
    statement: str, path: pathlib.Path
) -> None:
    written(path)
    load(path)
    altered(path, statement)
    with pytest.raises(StoreError, match="is damaged"):
        SqliteStore(path, sync=False)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("statement", ["UPDATE", "DELETE"])
def test_a_snapshot_is_no_truth_of_its_own(statement: str, path: pathlib.Path) -> None:
    written(path)
    load(path)
    altered(path, "DELETE FROM snapshot")
    assert load(path) == STATES[-1]


# Documents


def test_documents_are_kept_beside_the_log(path: pathlib.Path) -> None:
    with SqliteStore(path, sync=False) as store:
        assert store.document("config") is None
        store.put_document("config", {"a": [1, None, "\u00e4"]})
        store.put_document("other", None)
        store.append(BATCHES[0])
        store.put_document("config", {"a": 2})
        assert store.document("config") == {"a": 2}
    with SqliteStore(path, sync=False) as store:
        assert store.document("config") == {"a": 2}
        assert store.document("other") is None
        assert store.load() == STATES[1]
    with SqliteStore(path, readonly=True) as store:
        assert store.document("config") == {"a": 2}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE document SET content = '3'",
        "UPDATE document SET name = 'other'",
        "DELETE FROM document",
        "INSERT INTO document SELECT * FROM document",
    ],
)
def test_a_document_that_changed_is_noticed(statement: str, path: pathlib.Path) -> None:
    with SqliteStore(path, sync=False) as store:
        store.put_document("config", 2)
        altered(path, statement)
        with pytest.raises(StoreError, match="the documents are damaged"):
            store.document("config")
    with pytest.raises(StoreError, match="is damaged: its documents"):
        SqliteStore(path, sync=False)


def test_something_that_is_not_json_is_refused_and_the_store_goes_on(path: pathlib.Path) -> None:
    with SqliteStore(path, sync=False) as store:
        with pytest.raises(TypeError):
            store.put_document("x", b"octets")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            store.append([event(ONE, detail=b"octets")])
        store.append(BATCHES[0])
    assert load(path) == STATES[1]


# What campaigns put in


def test_no_key_of_a_campaign_is_ever_in_its_store(path: pathlib.Path) -> None:
    one = fleet((1, 2))
    with SqliteStore(path, sync=False) as store:
        one.store = store
        one.start().run()
        journal = pathlib.Path(f"{path}-journal").read_bytes()
    octets = path.read_bytes() + journal
    for key in (member(1).root_key, member(2).root_key, group().mc_key):
        for shown in (
            key.reveal(),
            key.reveal().hex().encode(),
            key.reveal().hex().upper().encode(),
        ):
            assert shown not in octets


def test_a_store_is_readable_by_its_owner_only(path: pathlib.Path) -> None:
    with SqliteStore(path, sync=False) as store:
        store.append(BATCHES[0])
        if os.name != "nt":
            for one in (path, pathlib.Path(f"{path}-journal")):
                assert one.stat().st_mode & 0o077 == 0
