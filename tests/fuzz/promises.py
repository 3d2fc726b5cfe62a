"""Invariant: every promise R1 to R11 and S1 to S16 is kept, in numbers that tests cannot afford.

Runs the long version of what proves each promise, and ends with one table.  Hours for everything;
a few minutes with ``--scale 0.01``:

    python -m tests.fuzz.promises --jobs 2 --keep promises.json --page docs/reference/promises.md
    python -m tests.fuzz.promises --only R9,S16 --scale 0.1

What is kept in a file is not run again while the sources are the same: a run that was cut off
goes on where it was.  With ``--stale`` it is not run again at all, but for ``--again``.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from benchmarks.page import replace
from tests.fuzz import proving
from tests.fuzz.proving import BROKEN, Law, Promise, Selection, Tool
from tests.laws import (
    counters,
    hostile_clock,
    hostile_devices,
    installs,
    plans,
    receive_time,
    set_ups,
    stacks,
    walk,
    work,
)

# Laws as text


def _named(outcomes: Iterable[tuple[object, int]]) -> str:
    return ", ".join(f"{count:,} {getattr(what, 'value', what)}" for what, count in outcomes)


def _walks(steps: int) -> str:
    made, campaigns, outcomes = walk.walks(steps)
    return f"{made:,} steps in {campaigns:,} campaigns, 0 stuck ({_named(outcomes.most_common())})"


def _reports(name: str, count: int) -> str:
    outcomes, wrong = stacks.honest_reports(name, count)
    if wrong:
        raise AssertionError(f"{len(wrong)} false of {outcomes.total()} reports: {wrong[0]}")
    return f"{name}: {outcomes.total():,} reports, 0 false ({_named(outcomes.most_common())})"


def _device_clocks(count: int) -> str:
    kinds = hostile_clock.device_schedules(count)
    return f"{kinds.total():,} schedules for devices of {len(kinds)} kinds, 0 broken"


def _campaign_clocks(count: int) -> str:
    outcomes = hostile_clock.campaign_schedules(count)
    return f"{count:,} schedules for campaigns, 0 stuck ({_named(outcomes.most_common())})"


def _memory(count: int) -> str:
    found = set_ups.hostile_sessions(count)
    return (
        f"{found.accepted:,} set-ups accepted, at most {found.worst:.2f} of the bound; "
        f"{found.refused:,} refused, nothing left"
    )


def _work(count: int) -> str:
    return str(work.worst(count))


def _mixtures(count: int) -> str:
    return f"{_named(sorted(set_ups.mixtures(count).items()))}; 0 mixtures"


def _replays(count: int) -> str:
    return f"{_named(sorted(set_ups.replays(count).items()))}; 0 replays accepted"


def _sends(frames: int) -> str:
    done = counters.sends(frames)
    return f"{done.frames:,} frames of {done.groups:,} groups, {done.crashes:,} crashes, 0 twice"


def _both_ends(count: int) -> str:
    sent, taken = counters.groups_of_both_ends(count)
    return f"{count:,} groups: {sent:,} frames played thrice, {taken:,} accepted, all once"


def _liars(count: int) -> str:
    found = hostile_devices.campaigns_with_a_liar(count)
    return (
        f"{found.campaigns:,} campaigns, {found.uplinks:,} hostile uplinks, at most "
        f"{found.most_requests} requests; others {found.most_seconds_later:.0f} s later at most"
    )


def _floods(count: int) -> str:
    growth = hostile_devices.floods(count)
    return f"{count:,} floods of {11 * hostile_devices.FLOOD:,} uplinks, {growth:,} octets at most"


def _receive_time(count: int) -> str:
    return str(receive_time.schedules(count))


def _plans(trials: int) -> str:
    points = plans.POINTS if trials >= _TELLING else plans.POINTS[::53]
    found = plans.plans(trials, points)
    sizes, losses = sorted({one[0] for one in points}), sorted({one[2] for one in points})
    return (
        f"{found.points} plans, M {sizes[0]} to {sizes[-1]:,}, loss {losses[0]:.0%} to "
        f"{losses[-1]:.0%}, {trials:,} devices each: {found.failed:,} failed, planned for "
        f"{found.planned:,.0f}; the worst plan by {found.worst:+.1f} standard deviations"
    )


def _installs(count: int) -> str:
    found = installs.attempts(count)
    sound = found.pop("sound", 0)
    told = f": {_named(found.most_common())}" if found else ""
    return f"{found.total():,} unsound blocks, 0 installed{told}; {sound:,} sound ones installed"


_TELLING: Final = 1_000
"""Devices below which a plan for each point would take longer than they are worth."""

FUZZ: Final = "tests.fuzz"
LAWS: Final = "tests/laws"
UNIT: Final = "tests/unit"
SESSION: Final = f"{UNIT}/session/test_promises.py"

PROMISES: Final = (
    Promise(
        "R1",
        "Any octets given to any decoder give commands or the one decode error",
        (
            Tool(f"{FUZZ}.inputs", ("--only", "decoders", "--count"), 10_000_000),
            Tool(
                f"{FUZZ}.inputs", ("--without", "decoders", "--seconds", "30", "--count"), 100_000
            ),
            Selection((f"{LAWS}/test_message_laws.py",), "octets"),
            Selection((f"{LAWS}/test_inputs.py",)),
        ),
    ),
    Promise(
        "R2", "Same meaning as other implementations", (Selection((UNIT,), "vector or vectors"),)
    ),
    Promise(
        "R3",
        "decode(encode(x)) = x; encode(decode(b)) = b",
        (
            Tool(f"{FUZZ}.round_trip", ("--messages",), 1_000_000),
            Selection((f"{LAWS}/test_message_laws.py",), "not octets"),
        ),
    ),
    Promise(
        "R4",
        "Pure Python and C agree",
        (
            Selection((f"{LAWS}/test_kernel_laws.py",), long=True),
            Tool(f"{FUZZ}.sanitize", least_scale=1.0),
        ),
    ),
    Promise(
        "R5",
        "The decoder finishes exactly at full rank, with the right data",
        (
            Selection((f"{LAWS}/test_fec_laws.py",), "exactly", long=True),
            Selection((f"{LAWS}/test_fec_laws.py",), "not exactly"),
        ),
    ),
    Promise(
        "R6",
        "The planner keeps its word",
        (
            Law(_plans, 10_000),
            Selection((f"{UNIT}/completion/test_predict.py",)),
            Selection((f"{UNIT}/campaign/test_repair.py",)),
        ),
    ),
    Promise(
        "R7",
        "Nothing lost at any crash",
        (
            Selection((f"{LAWS}/test_crash.py",), "cut or killed", long=True),
            Selection((f"{LAWS}/test_device_crash.py",), long=True),
            Selection((f"{UNIT}/session/test_saved.py",), "reset or resets or cut"),
        ),
    ),
    Promise(
        "R8",
        "Storage that fails is reported, never taken as success",
        (
            Selection((f"{LAWS}/test_crash.py",), "fails or flipped", long=True),
            Selection((f"{UNIT}/campaign/test_sqlitestore.py",), long=True),
            Selection((f"{UNIT}/campaign/test_store.py",)),
            Selection((f"{UNIT}/session/test_saved.py",), "refused or damaged"),
        ),
    ),
    Promise(
        "R9",
        "The end or a named failure is reached, whatever happens to messages",
        (
            Law(_walks, 1_000_000),
            Selection((f"{LAWS}/test_campaign_laws.py",)),
            Selection((SESSION,), "r9"),
        ),
    ),
    Promise(
        "R10",
        "No success reported without the verified block, no failure for a verified one",
        (
            *(Law(functools.partial(_reports, name), 1_500) for name in stacks.STACKS),
            Selection((f"{LAWS}/test_end_to_end.py",)),
        ),
    ),
    Promise(
        "R11",
        "Time comes from the caller and may jump, stop, go back, wrap",
        (
            Law(_device_clocks, 100_000),
            Law(_campaign_clocks, 20_000),
            Selection((UNIT,), "r11 or clock or time_does"),
        ),
    ),
    Promise(
        "S1",
        "Memory per session is bounded before set-up; refusal instead of allocation",
        (
            Law(_memory, 1_000),
            Tool(f"{FUZZ}.memory"),
            Selection((SESSION,), "s1_"),
            Selection((f"{UNIT}/fec/test_decoder.py",), "memory or larger"),
        ),
    ),
    Promise("S2", "Work per received fragment is bounded", (Law(_work, 200),)),
    Promise(
        "S3",
        "Refused without a state change",
        (
            Selection(
                (f"{UNIT}/session/test_device.py",),
                "changes_nothing or refused_fragment or snapshot",
            ),
        ),
    ),
    Promise(
        "S4",
        "Refused with the bits of the text, all combinations",
        (Selection((f"{UNIT}/session/test_fragmentation.py",), "combination or too_many"),),
    ),
    Promise(
        "S5",
        "The same set-up keeps, another replaces completely, never a mixture",
        (Law(_mixtures, 100_000), Selection((UNIT,), "s5_ or same_set_up or another_set_up")),
    ),
    Promise(
        "S6",
        "A used SessionCnt is never accepted again; stored first; no wrap",
        (
            Law(_replays, 100_000),
            Selection((f"{UNIT}/session",), "s6_ or session_counter or counter_is_stored"),
        ),
    ),
    Promise(
        "S7",
        "A v2 block only with the right MIC; a v1 block only as not verified",
        (
            Selection(
                (f"{UNIT}/session/test_fragmentation.py", f"{UNIT}/test_crypto.py"),
                "flip or damaged or verified or failed_block or another_device or another_matrix",
            ),
        ),
    ),
    Promise(
        "S8",
        "Install only after signature, target and version checks, in that order",
        (
            Law(_installs, 100_000),
            Selection((f"{UNIT}/image",), "changed or refused or corrupt or wrong or older"),
            Selection((f"{UNIT}/simulate/test_gates.py",)),
        ),
    ),
    Promise(
        "S9",
        "One (McKey, McAddr, frame counter) is used once, inside its range",
        (
            Law(_sends, 1_000_000),
            Law(_both_ends, 20_000),
            Selection((UNIT,), "s9_ or counter"),
        ),
    ),
    Promise(
        "S10",
        "What must not come by multicast is ignored when it does",
        (
            Selection((SESSION,), "s10_"),
            Selection((f"{UNIT}/session/test_device.py",), "multicast"),
        ),
    ),
    Promise(
        "S11",
        "Forged or damaged fragments are noticed",
        (
            Selection((f"{LAWS}/test_fec_laws.py",), "forged", long=True),
            Selection((f"{LAWS}/test_end_to_end.py",), "betray", long=True),
            Selection((LAWS,), "contradiction or wrong_variant or hostile_member"),
            Selection((f"{UNIT}/fec", f"{UNIT}/session"), "forged or conflict or disagrees"),
        ),
    ),
    Promise(
        "S12",
        "Receive time is bounded; answers are spread over BlockAckDelay",
        (
            Law(_receive_time, 10_000),
            Selection((f"{LAWS}/test_promises_receive_time.py",), "resets or every_day", long=True),
            Selection((f"{UNIT}/session/test_fragmentation.py",), "spread_evenly", long=True),
            Selection((f"{UNIT}/session",), "s12_ or test_windows or test_receivetime"),
        ),
    ),
    Promise(
        "S13",
        "Keys never appear unasked; MICs compare in constant time",
        (
            Selection((f"{UNIT}/test_secrecy.py",)),
            Selection((UNIT,), "secret or no_key or compare_digest or shows or pickle"),
        ),
    ),
    Promise("S14", "AES and CMAC are right", (Selection((f"{UNIT}/test_crypto.py",)),)),
    Promise(
        "S15",
        "Keys come from the operating system's generator",
        (Selection((f"{LAWS}/test_promises_source.py",)),),
    ),
    Promise(
        "S16",
        "A hostile device cannot stall or bloat the server",
        (
            Law(_liars, 5_000),
            Law(_floods, 200),
            Selection((f"{UNIT}/campaign",), "everything_with_everything or misses_something_else"),
        ),
    ),
)


def main(arguments: Sequence[str] | None = None, promises: Sequence[Promise] = PROMISES) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="ids, with commas between them")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of runs")
    parser.add_argument("--jobs", type=int, default=1, help="proofs at a time")
    parser.add_argument("--keep", type=pathlib.Path, help="file for the rows, to go on from")
    parser.add_argument("--stale", action="store_true", help="keep rows of other sources as well")
    parser.add_argument("--again", default="", help="ids to prove again, with commas between them")
    parser.add_argument("--json", type=pathlib.Path, help="file for the table")
    parser.add_argument("--markdown", type=pathlib.Path, help="file for the table")
    parser.add_argument("--page", type=pathlib.Path, help="page that has room for the table")
    given = parser.parse_args(arguments)
    wanted, again = ({one for one in ids.split(",") if one} for ids in (given.only, given.again))
    if unknown := (wanted | again) - {promise.id for promise in promises}:
        parser.error(f"no such promise: {', '.join(sorted(unknown))}")
    chosen = [one for one in promises if not wanted or one.id in wanted]
    shelf = proving.Shelf(given.keep, stale=given.stale, again=again)
    table = proving.rows(chosen, given.scale, jobs=given.jobs, shelf=shelf)
    if given.json:
        given.json.write_text(json.dumps([dataclasses.asdict(row) for row in table], indent=1))
    if given.markdown:
        given.markdown.write_text(proving.markdown(table))
    if given.page:
        replace(given.page, "promises", proving.markdown(table).rstrip())
    print(proving.markdown(table), end="")
    return 1 if any(row.result == BROKEN for row in table) else 0


if __name__ == "__main__":
    sys.exit(main())
