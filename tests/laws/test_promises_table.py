"""The run of all promises: every one is in it, what it selects exists, a broken one is shown."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from tests.fuzz import promises
from tests.fuzz.promises import PROMISES, Law, Promise, Row, Selection, Tool

ALL = [*(f"R{number}" for number in range(1, 12)), *(f"S{number}" for number in range(1, 17))]


def test_every_promise_is_in_the_table_once_and_in_order() -> None:
    assert [promise.id for promise in PROMISES] == ALL


def test_every_promise_has_something_that_proves_it() -> None:
    assert [promise.id for promise in PROMISES if not promise.proofs] == []


def test_every_selection_of_tests_selects_tests() -> None:
    """One process collects everything; the selections are applied to the names it prints."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/laws", "tests/unit"],
        cwd=promises.ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for promise in PROMISES:
        for proof in promise.proofs:
            if isinstance(proof, Selection):
                words = [word.lower() for word in proof.named.split(" or ")]
                for path in proof.paths:
                    mine = [line.lower() for line in listed if line.startswith(path)]
                    assert mine, (promise.id, path)
                mine = [line.lower() for line in listed if line.startswith(proof.paths)]
                if not proof.named.startswith("not "):
                    for word in words:
                        assert any(word in line for line in mine), (promise.id, word)


def test_laws_run_as_often_as_the_scale_says_and_their_figures_stand_in_the_table() -> None:
    counts: list[int] = []

    def law(count: int) -> str:
        counts.append(count)
        return f"{count} runs"

    table = promises.rows([Promise("R9", "It ends", (Law(law, 1000),))], 0.01)
    assert counts == [10]
    command = "python -m tests.fuzz.promises --only R9 --scale 0.01"
    assert table == [Row("R9", "It ends", command, "10 runs", promises.KEPT)]


def test_laws_of_this_file_run_at_the_smallest_scale() -> None:
    """Every law of the real table but the stacks known to misreport, and the slow one."""
    for promise in PROMISES:
        if promise.id in ("R10", "S2"):
            continue
        laws = tuple(proof for proof in promise.proofs if isinstance(proof, Law))
        for row in promises.rows([Promise(promise.id, promise.text, laws)] if laws else [], 1e-9):
            assert row.result == promises.KEPT, row
            assert any(char.isdigit() for char in row.figures)


def test_a_broken_promise_is_shown_as_broken_and_the_rest_is_run(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(count: int) -> str:
        raise AssertionError("seed 7: it does not end")

    test = tmp_path / "test_it.py"
    test.write_text("def test_good(): pass\ndef test_bad(): assert False\n")
    table = [
        Promise("R1", "a law", (Law(broken, 1),)),
        Promise("R2", "tests", (Selection((str(test),)), Selection((str(test),), "good"))),
        Promise("R3", "no tests", (Selection((str(test),), "nothing_like_it"),)),
        Promise("R4", "a tool", (Tool("tests.fuzz.no_such_tool"), Tool("pydoc", least_scale=1))),
        Promise("S8", "nothing", ()),
    ]
    files = {"--json": tmp_path / "table.json", "--markdown": tmp_path / "table.md"}
    arguments = [word for option, path in files.items() for word in (option, str(path))]
    assert promises.main([*arguments, "--scale", "0.5"], table) == 1
    shown = json.loads(files["--json"].read_text())
    assert [(row["id"], row["result"]) for row in shown] == [
        ("R1", promises.BROKEN),
        ("R2", promises.BROKEN),
        ("R2", promises.KEPT),
        ("R3", promises.BROKEN),
        ("R4", promises.BROKEN),
        ("R4", promises.LEFT_OUT),
        ("S8", promises.OPEN),
    ]
    assert shown[0]["figures"] == "AssertionError: seed 7: it does not end"
    assert shown[2]["figures"] == "1 passed, 1 deselected"
    text = files["--markdown"].read_text()
    assert "| R1 | a law | `python -m tests.fuzz.promises --only R1 --scale 0.5` |" in text
    printed = capsys.readouterr().out
    assert printed.endswith(text)
    assert "R1: BROKEN: AssertionError: seed 7" in printed


def test_what_is_kept_ends_well_and_only_what_is_asked_for_is_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = [
        Promise("R1", "one", (Law(lambda count: "1 run", 1),)),
        Promise("R2", "two", (Law(lambda count: "2 runs", 1),)),
    ]
    assert promises.main(["--only", "R2"], table) == 0
    assert "1 run" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        promises.main(["--only", "R3"], table)
