"""The journal: what it keeps, what it refuses, and that a failure is never taken for success."""

from __future__ import annotations

import json
import os
import pathlib
import zlib
from typing import Any

import pytest

from lorafuota.campaign import FileStore, MemoryStore, StoreError
from lorafuota.campaign import store as store_module
from lorafuota.wire import JSON
from tests.unit.campaign.fleet import fleet, group, member

CHANGES: list[dict[str, JSON]] = [
    {"campaign": ["running"], "device/1": [1, 2.5, None]},
    {"device/1": [2, "x", True]},
    {"device/2": {"deep": [1, {"er": 2}]}},
    {"device/1": None},
]
STATES: list[dict[str, JSON]] = [
    {},
    {"campaign": ["running"], "device/1": [1, 2.5, None]},
    {"campaign": ["running"], "device/1": [2, "x", True]},
    {"campaign": ["running"], "device/1": [2, "x", True], "device/2": {"deep": [1, {"er": 2}]}},
    {"campaign": ["running"], "device/2": {"deep": [1, {"er": 2}]}},
]


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "journal"


def load(path: pathlib.Path) -> dict[str, JSON]:
    with FileStore(path, sync=False) as store:
        return store.load()


def written(path: pathlib.Path) -> bytes:
    with FileStore(path, sync=False) as store:
        for changes in CHANGES:
            store.commit(changes)
    return path.read_bytes()


def test_a_journal_gives_back_what_was_committed_and_goes_on(path: pathlib.Path) -> None:
    for changes, before, after in zip(CHANGES, STATES, STATES[1:], strict=False):
        with FileStore(path) as store:
            assert store.load() == before
            store.commit(changes)
            assert store.load() == after


def test_a_memory_store_does_the_same() -> None:
    store = MemoryStore()
    for changes, after in zip(CHANGES, STATES[1:], strict=True):
        store.commit(changes)
        assert store.load() == after
        assert MemoryStore(store.load()).load() == after
    assert store.commits == len(CHANGES)


@pytest.mark.parametrize("kind", [FileStore, MemoryStore])
def test_what_was_loaded_or_committed_can_be_changed_without_changing_the_store(
    kind: Any, path: pathlib.Path
) -> None:
    store = kind(path) if kind is FileStore else kind()
    store.commit({"device/1": [1, [2]]})
    loaded: Any = store.load()
    loaded["device/1"].append(3)
    assert store.load() == {"device/1": [1, [2]]}
    if kind is FileStore:
        store.close()


def test_a_journal_cut_anywhere_opens_with_the_commits_that_were_whole(path: pathlib.Path) -> None:
    octets = written(path)
    for end in range(len(octets) + 1):
        path.write_bytes(octets[:end])
        whole = max(octets[:end].count(b"\n") - 1, 0)
        assert load(path) == STATES[whole], end
        assert load(path) == STATES[whole], f"{end}, opened again"


def test_a_cut_journal_goes_on_behind_what_was_whole(path: pathlib.Path) -> None:
    octets = written(path)
    path.write_bytes(octets[:-3])
    with FileStore(path) as store:
        store.commit({"device/3": [3]})
    assert load(path) == {**STATES[3], "device/3": [3]}


def test_every_flipped_bit_is_noticed(path: pathlib.Path) -> None:
    """Of acknowledged lines, that is; see the next test for what follows them."""
    octets = written(path)
    for bit in range(8 * len(octets)):
        changed = bytearray(octets)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(StoreError):
            FileStore(path, sync=False)
        assert path.read_bytes() == changed  # left for whoever wants to look


def test_a_flipped_bit_in_a_line_that_was_never_acknowledged_does_no_harm(
    path: pathlib.Path,
) -> None:
    octets = written(path)
    last = octets.rstrip(b"\n").rindex(b"\n") + 1
    for bit in range(8 * (len(octets) - 1 - last)):
        changed = bytearray(octets[:-1])
        changed[last + bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert load(path) == STATES[3]
        except StoreError:
            assert b"\n" in changed[last:]  # it made two lines of one


@pytest.mark.parametrize("gone", range(len(CHANGES) - 1))
def test_a_line_that_is_missing_is_noticed_even_if_it_is_the_first(
    gone: int, path: pathlib.Path
) -> None:
    lines = written(path).splitlines(keepends=True)
    del lines[1 + gone]
    path.write_bytes(b"".join(lines))
    with pytest.raises(StoreError, match="is damaged behind commit"):
        FileStore(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\n",
        b"hello\n",
        b"lorafuota campaign 2\n",
        b"SQLite format 3\0",
        b"lorafuota campaign 1 \n",
        bytes(100),
    ],
)
def test_a_file_that_is_something_else_is_refused_and_left_alone(
    content: bytes, path: pathlib.Path
) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is not a journal of ours"):
        FileStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"7", b"[1]", b"[1,{},false,0]", b'["1",{},false]', b"[1,[],false]", b"[1,{},3]"],
)
def test_a_line_with_a_checksum_that_is_no_commit_is_refused(
    body: bytes, path: pathlib.Path
) -> None:
    path.write_bytes(b"lorafuota campaign 1\n%08x %s\n" % (zlib.crc32(body), body))
    with pytest.raises(StoreError, match="is damaged behind commit 0"):
        FileStore(path)


def test_a_journal_that_is_open_cannot_be_opened_again(path: pathlib.Path) -> None:
    pytest.importorskip("fcntl")
    with FileStore(path), pytest.raises(StoreError, match="is in use by another process"):
        FileStore(path)
    FileStore(path).close()


def test_a_store_that_was_closed_takes_no_commits(path: pathlib.Path) -> None:
    store = FileStore(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="open the store again"):
        store.commit({})


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be replaced there")
@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_stale_handle_is_noticed_before_anything_is_written_that_nobody_would_find(
    how: str, path: pathlib.Path
) -> None:
    with FileStore(path) as store:
        store.commit(CHANGES[0])
        path.unlink()
        if how == "replaced":
            path.write_bytes(b"lorafuota campaign 1\n")
        with pytest.raises(StoreError, match="was replaced or removed"):
            store.commit(CHANGES[1])
        with pytest.raises(StoreError, match="open the store again"):
            store.commit(CHANGES[1])


def test_a_file_replaced_between_opening_and_locking_is_noticed(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path)

    def replaced(*_: Any) -> None:
        other = path.with_name("other")
        other.write_bytes(b"")
        os.replace(other, path)

    monkeypatch.setattr(FileStore, "_lock", replaced)
    with pytest.raises(StoreError, match="was replaced or removed"):
        FileStore(path)


class Disk:
    """Fails at the nth call of one of os's functions, once or from then on."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str, at: int, *, for_ever: bool) -> None:
        self.real, self.left, self.for_ever = getattr(os, name), at, for_ever
        patch.setattr(store_module.__dict__["os"], name, self)

    def __call__(self, *args: Any) -> Any:
        self.left -= 1
        if self.left == -1 or (self.left < 0 and self.for_ever):
            raise OSError(28, "No space left on device")
        return self.real(*args)


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("name", ["write", "fsync", "stat", "fstat"])
@pytest.mark.parametrize("at", range(9))
def test_an_operation_that_fails_is_reported_and_ends_the_store(
    name: str, at: int, for_ever: bool, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, failed = 0, False
    with monkeypatch.context() as patch:
        Disk(patch, name, at, for_ever=for_ever)
        try:
            store = FileStore(path, sync=name == "fsync")
        except (StoreError, OSError):
            failed = True
        else:
            for changes in CHANGES:
                try:
                    store.commit(changes)
                except StoreError:
                    failed = True
                    with pytest.raises(StoreError, match="open the store again"):
                        store.commit(changes)
                    break
                done += 1
            store.close()
    assert failed or done == len(CHANGES)
    # What was acknowledged is there; the one that failed may be.
    assert load(path) in STATES[done : done + 2]


def test_a_write_that_takes_only_part_is_finished(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, octets: real(fd, octets[:3]))
    with FileStore(path) as store:
        store.commit(CHANGES[0])
    assert load(path) == STATES[1]


def test_something_that_is_not_json_is_refused_and_the_store_goes_on(path: pathlib.Path) -> None:
    with FileStore(path) as store:
        with pytest.raises(TypeError):
            store.commit({"device/1": b"octets"})  # type: ignore[dict-item]
        store.commit(CHANGES[0])
    assert load(path) == STATES[1]


# Compaction


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_COMPACT_FROM", 400)


@pytest.mark.usefixtures("small")
def test_a_journal_that_is_mostly_history_is_written_anew(path: pathlib.Path) -> None:
    with FileStore(path, sync=False) as store:
        for number in range(200):
            store.commit({f"device/{number % 3}": [number]})
            assert path.stat().st_size < 600
        store.commit({"device/0": None})
        assert store.load() == {"device/1": [199], "device/2": [197]}
    assert load(path) == {"device/1": [199], "device/2": [197]}
    assert [one.name for one in path.parent.iterdir()] == ["journal"]


@pytest.mark.usefixtures("small")
def test_a_journal_that_is_large_because_much_is_in_it_is_left_alone(path: pathlib.Path) -> None:
    inodes = set()
    with FileStore(path, sync=False) as store:
        for number in range(200):
            store.commit({f"device/{number}": ["x" * 20]})
            inodes.add(path.stat().st_ino)
    assert len(inodes) <= 8
    assert len(load(path)) == 200


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("at", range(28))
def test_a_disk_that_fails_while_the_journal_is_written_anew_loses_nothing(
    name: str, at: int, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: dict[str, JSON] = {}
    tried: dict[str, JSON] = {}
    with FileStore(path, sync=name == "fsync") as store, monkeypatch.context() as patch:
        Disk(patch, name, at, for_ever=at % 2 == 0)
        for number in range(16):
            tried = {"a": [number, "x" * 40]}
            try:
                store.commit(tried)
            except StoreError:
                break
            acknowledged = tried
    assert load(path) in (acknowledged, tried)


@pytest.mark.usefixtures("small")
def test_a_crash_before_the_new_journal_is_in_place_leaves_the_old_one(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    store = FileStore(path, sync=False)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        number = 0
        while store._size + 40 < 400:
            number += 1
            store.commit({"a": number})
        last: dict[str, JSON] = {"a": number + 1, "b": "x" * 100}
        with pytest.raises(Killed):
            store.commit(last)
    store.close()
    assert load(path) == last  # the commit itself was durable
    with FileStore(path, sync=False) as store:
        for number in range(100):
            store.commit({"a": number, "b": None})
    assert load(path) == {"a": 99}


@pytest.mark.usefixtures("small")
def test_nobody_can_take_a_journal_while_it_is_written_anew(path: pathlib.Path) -> None:
    pytest.importorskip("fcntl")
    with FileStore(path, sync=False) as store:
        for number in range(100):
            store.commit({"a": number})
            with pytest.raises(StoreError, match="in use"):
                FileStore(path)


# What campaigns put in


def test_no_key_of_a_campaign_is_ever_in_its_journal(path: pathlib.Path) -> None:
    one = fleet((1, 2))
    with FileStore(path, sync=False) as store:
        one.store = store
        one.start().run()
    text = path.read_text()
    for key in (member(1).root_key, member(2).root_key, group().mc_key):
        octets = key.reveal()
        assert octets.hex() not in text.lower()
        assert octets.decode("latin-1") not in text
        assert json.dumps(list(octets)) not in text


def test_a_journal_is_readable_by_its_owner_only(path: pathlib.Path) -> None:
    FileStore(path).close()
    if os.name != "nt":
        assert path.stat().st_mode & 0o077 == 0
