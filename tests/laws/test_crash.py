"""R7: nothing is lost at any crash, and no counter comes back; R8: a store that fails says so.

Complete campaigns are cut at every commit, before it is durable, in the middle of its line and
after it, and go on from the store; the referee of the fleet watches the counters all the while.
``LORAFUOTA_LONG=1`` adds scenarios, cuts that come in pairs, and many real kills.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lorafuota.campaign import FileStore, FirmwareStep, RetryPolicy, StoreError
from lorafuota.campaign import store as store_module
from lorafuota.campaign.state import CampaignPhase, Outcome
from lorafuota.wire import JSON
from tests.laws.crash_process import JOURNAL, OUTCOME, read_air
from tests.unit.campaign.fleet import NEW, Channel, Crash, Fleet, Unit, config, member

LONG = bool(os.environ.get("LORAFUOTA_LONG"))
PATIENT = RetryPolicy(10, 20.0)


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
    """A journal whose process ends in the middle of writing one line."""

    def __init__(self, path: pathlib.Path, tear: int | None, share: float) -> None:
        self.path, self.tear, self.share = path, tear, share
        self.journal = FileStore(path, sync=False)
        self.commits = 0

    def load(self) -> dict[str, JSON]:
        return self.journal.load()

    def commit(self, changes: Mapping[str, JSON]) -> None:
        number, self.commits = self.commits, self.commits + 1
        if number == self.tear:
            line = store_module._line(self.journal._number + 1, changes)
            self.journal.close()
            with self.path.open("ab") as file:
                file.write(line[: int(self.share * (len(line) - 1)) + 1][:-1] or line[:1])
            self.journal = FileStore(self.path, sync=False)
            raise Crash
        self.journal.commit(changes)


@each_scenario
def test_a_campaign_cut_at_any_commit_ends_like_one_that_was_not(
    make: Callable[[], Fleet], record_property: Callable[[str, object], None]
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
def test_a_campaign_cut_in_the_middle_of_a_line_ends_like_one_that_was_not(
    make: Callable[[], Fleet], tmp_path: pathlib.Path
) -> None:
    whole = make().start().run()
    for number in range(0, whole.commits, 1 if LONG else 3):
        for share in (0.0, 0.4, 1.0):
            path = tmp_path / f"{number}-{share}"
            cut = make()
            cut.store = TornStore(path, number, share)
            cut.run_despite_crash()
            cut.check_honest()
            assert cut.outcomes == whole.outcomes, (number, share)
            path.unlink()


@pytest.mark.parametrize("seed", range(200 if LONG else 10))
def test_a_campaign_cut_twice_or_more_ends_all_the_same(seed: int) -> None:
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


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_a_disk_that_fails_at_any_operation_stops_the_sending_and_loses_nothing(
    call: str, for_ever: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = SCENARIOS["mixed versions, losses"]
    whole = make().start().run()
    real = getattr(os, call)
    for number in range(0, whole.commits, 1 if LONG else 9):
        path, calls = tmp_path / str(number), 0
        cut = make()
        cut.store = journal = FileStore(path)

        def failing(*args: Any, number: int = number) -> Any:
            nonlocal calls
            calls += 1
            if calls > number if for_ever else calls == number + 1:
                raise OSError(28, "No space left on device")
            return real(*args)

        with monkeypatch.context() as patched:
            patched.setattr(os, call, failing)
            with pytest.raises(StoreError, match="No space left"):
                cut.start().run()
            sent = len(cut.log)
            with pytest.raises(StoreError, match="open the store again"):
                journal.commit({})
            assert len(cut.log) == sent
        journal.close()
        cut.store = journal = FileStore(path, sync=False)
        cut.restart()
        cut.run()
        cut.check_honest()
        assert cut.outcomes == whole.outcomes
        journal.close()
        path.unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("seed", range(30 if LONG else 2))
def test_a_process_that_is_killed_goes_on_from_its_journal(
    seed: int, tmp_path: pathlib.Path
) -> None:
    rng = random.Random(seed)
    command = [sys.executable, "-m", "tests.laws.crash_process", str(tmp_path), str(seed)]
    root = pathlib.Path(__file__).parents[2]
    for _ in range(4):
        process = subprocess.Popen(command, cwd=root)
        while not (tmp_path / JOURNAL).exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.4)
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL)
    subprocess.run(command, cwd=root, check=True)
    frames: dict[tuple[object, object], object] = {}
    for _, _, (group, fcnt, phy) in read_air(tmp_path):
        assert frames.setdefault((group, fcnt), phy) == phy
    report = json.loads((tmp_path / OUTCOME).read_text())
    assert report["outcomes"] == {
        Outcome.TRANSPORTED.value: 2,
        Outcome.VERIFIED.value: 2,
    }
