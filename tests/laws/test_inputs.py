"""The entry points for fuzzing: the everyday number of inputs, any octets, and what was found."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import pathlib
import random
import signal
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lorafuota
from lorafuota.errors import DecodeError, FieldError
from tests.fuzz import inputs, mutation
from tests.fuzz.targets import MODULES, TARGETS, documents
from tests.fuzz.targets.target import Target
from tests.support import LONG, nested

every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@every_target
def test_no_input_is_more_than_an_entry_point_can_bear(target: Target) -> None:
    count = 10_000 if LONG else min(len(target.seeds()), 100) + target.everyday
    found = inputs.run(target, count=count, seed=1)
    assert found.failures == {}
    assert found.tried == found.outcomes.total() == count
    assert 0 < found.peak <= target.memory


@every_target
@given(data=st.binary(max_size=200))
@settings(max_examples=10_000 if LONG else 20)
def test_any_octets_at_all_do_no_harm(target: Target, data: bytes) -> None:
    assert target.one_input(data)


@every_target
def test_seeds_lead_inside(target: Target) -> None:
    """Some are good, so that what lies behind the first check is reached."""
    refused = {"", "FieldError", "no JSON", "StoreError", "AirLogError", "silent"}
    kinds = {target.one_input(seed) for seed in target.seeds()}
    good = {kind for kind in kinds - refused if not kind.endswith("Error")}
    assert good, kinds


def test_every_entry_point_has_its_name_and_every_module_its_invariant() -> None:
    names = [target.name for target in TARGETS]
    assert len(set(names)) == len(names)
    for module in MODULES:
        assert (inspect.getdoc(module) or "").startswith("Invariant: ")


def test_every_decoder_is_an_entry_point() -> None:
    ways = {f"{one}/{way.value}" for one in lorafuota.PACKAGES for way in lorafuota.Direction}
    assert ways <= {target.name for target in TARGETS}


def test_inputs_depend_on_the_seed_alone() -> None:
    for target in TARGETS:
        first, again, other = (inputs.inputs(target, seed) for seed in (3, 3, 4))
        some = [next(first) for _ in range(len(target.seeds()) + 20)]
        assert some == [next(again) for _ in some]
        assert some != [next(other) for _ in some]


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("fragmentation/2/uplink", "0105000000"),  # stale octets that strict reading can read
        ("frames", "4260da1b01260071 11c9" + 507 * "00"),  # more than a MIC can be made for
    ],
)
def test_what_was_found_is_taken(name: str, octets: str) -> None:
    [target] = [one for one in TARGETS if one.name == name]
    assert target.one_input(bytes.fromhex(octets))


@pytest.mark.parametrize("name", documents.READERS)
def test_every_value_of_a_document_may_be_nested_too_deep_to_be_shown(name: str) -> None:
    read, seeds = documents.READERS[name]
    for seed in list(seeds())[:30:10]:
        for at in range(len(list(mutation.places(json.loads(seed))))):
            whole = json.loads(seed)
            inside, key = list(mutation.places(whole))[at]
            inside[key] = nested(2_000)
            with contextlib.suppress(FieldError):
                read(whole)


# The driver itself


def _of(data: bytes) -> str:
    if b"!" in data and b"?" in data:
        raise KeyError("both")
    if data[:1] == b"d":
        return DecodeError.__name__
    if data[:1] == b"m":
        assert len(bytearray(1 << 20)) > 0
    return "fine"


BAD = Target(
    name="bad",
    one_input=_of,
    seeds=lambda: [b"aaaa", b"d", b"not ! in the seeds", b"nor ? alone"],
    memory=1 << 16,
)


def test_an_undocumented_error_is_reported_once_with_its_smallest_input() -> None:
    found = inputs.run(BAD, count=2000)
    assert found.tried == 2000
    assert found.escapes > 1
    assert found.outcomes["fine"] > 100
    assert found.outcomes["DecodeError"] > 100
    [kind] = found.failures
    assert kind.startswith("KeyError in _of:")
    assert sorted(found.failures[kind]) == sorted(b"!?")
    assert f"bad: 2,000 inputs, {found.escapes} escapes" in found.line()


def test_a_failure_that_does_not_come_again_is_reported_all_the_same() -> None:
    calls: list[bytes] = []

    def once(data: bytes) -> str:
        calls.append(data)
        if len(calls) == 1:
            raise FieldError("X", "y", nested(), "less")
        return "fine"

    found = inputs.run(Target(name="once", one_input=once, seeds=lambda: [b"abc"]), count=1)
    assert (found.escapes, found.failures) == (1, {"FieldError, but not again": b"abc"})


def test_an_input_that_takes_too_much_memory_is_a_failure() -> None:
    target = dataclasses.replace(BAD, seeds=lambda: [b"m", b"mmm"])
    found = inputs.run(target, count=1)
    assert found.escapes == 1
    [(kind, data)] = found.failures.items()
    assert kind.startswith("MemoryUse")
    assert data == b"m"
    assert inputs.peak_of(dataclasses.replace(target, memory=2 << 20), b"m") >= 1 << 20


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="no alarms here")
def test_an_input_that_never_ends_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(data: bytes) -> str:
        end = time.monotonic() + 30
        while data == b"for ever" and time.monotonic() < end:
            pass
        return "fine"

    monkeypatch.setattr(inputs, "PATIENCE", 1)
    monkeypatch.setattr(inputs, "SMALLEST_TRIES", 0)
    target = Target(name="endless", one_input=endless, seeds=lambda: [b"for ever"])
    found = inputs.run(target, count=1)
    [kind] = found.failures
    assert kind.startswith("HangError")


def test_failures_are_written_and_can_be_replayed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inputs, "TARGETS", (BAD,))
    words = ["--failures", str(tmp_path / "failures"), "--json", str(tmp_path / "figures.json")]
    assert inputs.main([*words, "--count", "2000", "--seed", "5"]) == 1
    [path] = (tmp_path / "failures").iterdir()
    out = capsys.readouterr().out
    assert f"python -m tests.fuzz.inputs --replay bad {path}" in out
    assert path.read_bytes().hex() in out
    assert out.splitlines()[-1].startswith("2,000 inputs for 1 entry points, ")
    [figures] = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["name"], figures["inputs"]) == ("bad", 2000)
    with pytest.raises(KeyError):
        inputs.main(["--replay", "bad", str(path)])
    path.write_bytes(b"d")
    assert inputs.main(["--replay", "bad", str(path)]) == 0
    assert capsys.readouterr().out.startswith("DecodeError, peak ")


def test_only_what_is_asked_for_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert inputs.main(["--only", "names,gps", "--count", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:-1]] == ["names", "gps-time"]
    assert inputs.main(["--only", "names", "--seconds", "0"]) == 0
    decoders = len(inputs.named("decoders"))
    assert decoders == 2 * len(lorafuota.PACKAGES)
    assert inputs.main(["--without", "decoders,campaign", "--count", "1"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{len(TARGETS) - decoders - 1} inputs for")
    with pytest.raises(SystemExit, match="no such entry point: nothing"):
        inputs.main(["--only", "nothing"])


def test_documents_are_changed_in_every_way_and_stay_documents() -> None:
    rng = random.Random(1)
    pool = [b'{"a": [1, 2.5, "text", null], "b": {"c": true}}']
    made = {mutation.document(rng, pool) for _ in range(3000)}
    assert len(made) > 1500
    whole = 0
    for one in made:
        try:
            json.loads(one)
        except (ValueError, RecursionError):
            continue
        whole += 1
    assert whole > 0.8 * len(made)
    assert any(len(one) > 10_000 for one in made)


def test_octets_stay_within_bounds() -> None:
    rng = random.Random(2)
    pool = [bytes(50_000), b"", b"abc"]
    lengths = {len(mutation.octets(rng, pool)) for _ in range(500)}
    assert 0 in lengths
    assert 65_536 < max(lengths) <= 100_000
