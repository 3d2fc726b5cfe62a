"""R7: nothing is lost at any crash, and no counter comes back; R8: a store that fails says so.

Complete campaigns are cut at every commit, before it is durable, in the middle of its transaction
and after it, and go on from the store; the referee of the fleet watches the counters all the while.
``LORAFUOTA_LONG=1`` adds scenarios, cuts that come in pairs, bits to flip, and many real kills.
"""

from __future__ import annotations

import json
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from lorafuota.campaign import (
    Event,
    EventKind,
    FirmwareStep,
    RetryPolicy,
    SqliteStore,
    StoreError,
    sqlitestore,
)
from lorafuota.campaign.state import CampaignPhase, Outcome
from lorafuota.wire import JSON
from tests.laws.crash_process import OUTCOME, STORE, read_air
from tests.support import LONG, Record
from tests.unit.campaign.fleet import NEW, Channel, Crash, Fleet, Unit, config, member
from tests.unit.campaign.test_sqlitestore import Failing, failing

__all__ = ["failing"]  # a fixture

PATIENT = RetryPolicy(10, 20.0)
PAGE = 4096


def scenario(
    versions: tuple[int, ...],
    *,
    loss: float = 0.0,
    alone: tuple[int, ...] = (),
    seed: int = 0,
    **changes: Any,
) -> Callable[[], Fleet]:
    def make() -> Fleet:
        units = [
            Unit.of(member(at + 1, multicast=at not in alone), version)
            for at, version in enumerate(versions)
        ]
        defaults = {"retry": PATIENT, "status_retry": PATIENT, "max_rounds": 30}
        wanted = config([unit.member for unit in units], **{**defaults, **changes})
        return Fleet(wanted, units, channel=Channel(random.Random(seed), loss, loss))

    return make


SCENARIOS: dict[str, Callable[[], Fleet]] = {
    "mixed versions, losses": scenario((1, 2, 2), loss=0.15),
    "unicast, one at a time, firmware": scenario(
        (1, 2),
        alone=(0,),
        max_in_flight=1,
        firmware=FirmwareStep(version=NEW, countdown_seconds=5, boot_seconds=5),
    ),
}
if LONG:
    SCENARIOS |= {
        f"random {seed}": scenario(
            tuple(random.Random(seed).choices((1, 2), k=1 + seed % 5)),
            loss=seed % 4 * 0.08,
            alone=(0,) if seed % 3 == 0 else (),
            seed=seed,
            max_in_flight=1 + seed % 3,
            redundancy=seed % 2 * 0.3,
            firmware=FirmwareStep(version=NEW, boot_seconds=5) if seed % 2 else None,
        )
        for seed in range(18)
    }
each_scenario = pytest.mark.parametrize("make", SCENARIOS.values(), ids=SCENARIOS)


class TornStore:
    """A store whose process ends in the middle of one transaction.

    What the disk has then is the undo journal and a part of the pages.
    """

    def __init__(self, path: pathlib.Path, tear: int, share: float) -> None:
        self.path, self.tear, self.share = path, tear, share
        self.store = SqliteStore(path, sync=False)
        self.appends = 0

    def load(self) -> JSON:
        return self.store.load()

    def history(self, subject: str | None = None) -> Iterator[Event]:
        return self.store.history(subject)

    def append(self, events: Sequence[Event]) -> None:
        number, self.appends = self.appends, self.appends + 1
        if number != self.tear:
            self.store.append(events)
            return
        journal_path = pathlib.Path(f"{self.path}-journal")
        before, journal = self.path.read_bytes(), b""

        def trace(statement: str) -> None:
            nonlocal journal
            if statement == "COMMIT":
                journal = journal_path.read_bytes()

        connection = self.store._connection
        assert connection is not None
        connection.set_trace_callback(trace)
        self.store.append(events)
        self.store.close()
        after = self.path.read_bytes()
        assert journal
        assert before != after
        pages = [before[at : at + PAGE] for at in range(0, len(before), PAGE)]
        fresh = [after[at : at + PAGE] for at in range(0, len(after), PAGE)]
        changed = [at for at, page in enumerate(fresh) if at >= len(pages) or pages[at] != page]
        pages += [bytes(PAGE)] * (len(fresh) - len(pages))
        for at in changed[: round(self.share * len(changed))]:
            pages[at] = fresh[at]
        self.path.write_bytes(b"".join(pages) if self.share else before)
        journal_path.write_bytes(journal)
        self.store = SqliteStore(self.path, sync=False)
        raise Crash


@each_scenario
def test_a_campaign_cut_at_any_commit_ends_like_one_that_was_not(
    make: Callable[[], Fleet], record_property: Record
) -> None:
    whole = make().start().run()
    whole.check_honest()
    assert all(outcome.success for outcome in whole.outcomes.values())
    for number in range(whole.commits):
        for side in ("before", "after"):
            cut = make()
            cut.crash_at = number, side
            cut.run_despite_crash()
            cut.check_honest()
            assert cut.outcomes == whole.outcomes, (number, side)
    record_property("crash points", 2 * whole.commits)


@each_scenario
def test_a_campaign_cut_in_the_middle_of_a_transaction_ends_like_one_that_was_not(
    make: Callable[[], Fleet], tmp_path: pathlib.Path, record_property: Record
) -> None:
    whole, cuts = make().start().run(), 0
    for number in range(0, whole.commits, 1 if LONG else 3):
        for share in (0.0, 0.5, 1.0):
            path = tmp_path / f"{number}-{share}"
            cut = make()
            cut.store = torn = TornStore(path, number, share)
            cut.run_despite_crash()
            cut.check_honest()
            assert cut.outcomes == whole.outcomes, (number, share)
            torn.store.close()
            path.unlink()
            cuts += 1
    record_property("cuts in a transaction", cuts)


@pytest.mark.parametrize("seed", range(200 if LONG else 10))
def test_a_campaign_cut_twice_or_more_ends_all_the_same(seed: int, record_property: Record) -> None:
    rng = random.Random(seed)
    make = rng.choice(list(SCENARIOS.values()))
    whole, cut = make().start().run(), make()
    for _ in range(rng.randint(2, 5)):
        cut.crash_at = cut.commits + rng.randrange(40), rng.choice(("before", "after"))
        try:
            if cut.campaign.phase is CampaignPhase.NEW:
                cut.start()
            cut.run()
        except Crash:
            cut.restart()
    cut.run()
    cut.check_honest()
    assert cut.outcomes == whole.outcomes
    record_property("campaigns cut again and again", 1)


STATEMENTS = 4
"""What one append asks of the database."""


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_a_disk_that_fails_at_any_operation_stops_the_sending_and_loses_nothing(
    side: str,
    for_ever: bool,
    tmp_path: pathlib.Path,
    failing: type[Failing],
    record_property: Record,
) -> None:
    make = SCENARIOS["mixed versions, losses"]
    whole = make().start().run()
    numbers = range(0, STATEMENTS * whole.commits, 1 if LONG else 23)
    for number in numbers:
        path = tmp_path / str(number)
        cut = make()
        cut.store = store = SqliteStore(path, sync=False)
        failing.at, failing.side, failing.for_ever = number, side, for_ever
        with pytest.raises(StoreError, match="disk I/O error"):
            cut.start().run()
        sent = len(cut.log)
        with pytest.raises(StoreError, match="open the store again"):
            store.append([Event("campaign", 1.0, EventKind.CHANGED, "", {})])
        assert len(cut.log) == sent
        failing.at = 1 << 30
        store.close()
        cut.store = store = SqliteStore(path, sync=False)
        cut.restart()
        cut.run()
        cut.check_honest()
        assert cut.outcomes == whole.outcomes
        store.close()
        path.unlink()
    record_property("failing operations", len(numbers))


def test_a_flipped_bit_in_the_store_of_a_campaign_is_noticed_or_changes_nothing(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Record,
) -> None:
    monkeypatch.setattr(sqlitestore, "_SNAPSHOT_EVERY", 50)
    path, cut = tmp_path / "store", SCENARIOS["mixed versions, losses"]()
    for _ in range(2):
        with SqliteStore(path, sync=False) as store:
            cut.store = store
            cut.restart()
            cut.run(until=lambda of: of.commits > 60)
    with SqliteStore(path, sync=False) as store:
        store.put_document("config", {"some": "thing"})
        right = store.load(), list(store.history()), store.document("config")
    octets, rng, noticed = path.read_bytes(), random.Random(3), 0
    bits = rng.sample(range(8 * len(octets)), 20_000 if LONG else 300)
    for bit in bits:
        changed = bytearray(octets)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            with SqliteStore(path, sync=False) as store:
                found = store.load(), list(store.history()), store.document("config")
        except StoreError:
            noticed += 1
        else:
            assert found == right, bit
    assert noticed > len(bits) // 5
    record_property("bits flipped", len(bits))
    record_property("of them noticed", noticed)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("seed", range(30 if LONG else 2))
def test_a_process_that_is_killed_goes_on_from_its_store(
    seed: int, tmp_path: pathlib.Path, record_property: Record
) -> None:
    rng = random.Random(seed)
    command = [sys.executable, "-m", "tests.laws.crash_process", str(tmp_path), str(seed)]
    root = pathlib.Path(__file__).parents[2]
    killed = 0
    for _ in range(4):
        process = subprocess.Popen(command, cwd=root)
        while not (tmp_path / STORE).exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.4)
        process.send_signal(signal.SIGKILL)
        status = process.wait()
        assert status in (0, -signal.SIGKILL)
        killed += status != 0
    subprocess.run(command, cwd=root, check=True)
    frames: dict[tuple[object, object], object] = {}
    for _, _, (group, fcnt, phy) in read_air(tmp_path):
        assert frames.setdefault((group, fcnt), phy) == phy
    report = json.loads((tmp_path / OUTCOME).read_text())
    assert report["outcomes"] == {
        Outcome.TRANSPORTED.value: 2,
        Outcome.VERIFIED.value: 2,
    }
    record_property("processes killed", killed)
