"""The run of all promises: every one is in it, what it selects exists, a broken one is shown."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from tests.fuzz import promises, proving
from tests.fuzz.promises import PROMISES
from tests.fuzz.proving import (
    BROKEN,
    KEPT,
    LEFT_OUT,
    OPEN,
    Law,
    Promise,
    Row,
    Selection,
    Shelf,
    Tool,
)

ALL = [*(f"R{number}" for number in range(1, 12)), *(f"S{number}" for number in range(1, 17))]


def test_every_promise_is_in_the_table_once_and_in_order() -> None:
    assert [promise.id for promise in PROMISES] == ALL


def test_every_promise_has_something_that_proves_it() -> None:
    assert [promise.id for promise in PROMISES if not promise.proofs] == []


def test_every_selection_of_tests_selects_tests() -> None:
    """One process collects everything; the selections are applied to the names it prints."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/laws", "tests/unit"],
        cwd=proving.ROOT,
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

    table = proving.rows([Promise("R9", "It ends", (Law(law, 1000),))], 0.01)
    assert counts == [10]
    command = "python -m tests.fuzz.promises --only R9 --scale 0.01"
    of = proving.commit(), proving.sources()
    assert table == [Row("R9", "It ends", command, "10 runs", KEPT, 0, *of)]


def test_laws_of_this_file_run_at_the_smallest_scale() -> None:
    """Every law of the real table but the stacks known to misreport, and the slow one."""
    for promise in PROMISES:
        if promise.id in ("R10", "S2"):
            continue
        laws = tuple(proof for proof in promise.proofs if isinstance(proof, Law))
        for row in proving.rows([Promise(promise.id, promise.text, laws)] if laws else [], 1e-9):
            assert row.result == KEPT, row
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
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- promises -->\n\nold\n\n<!-- end of promises -->\n\nAfter.\n")
    files["--page"] = page
    arguments = [word for option, path in files.items() for word in (option, str(path))]
    assert promises.main([*arguments, "--scale", "0.5"], table) == 1
    shown = json.loads(files["--json"].read_text())
    on_page = page.read_text()
    assert [(row["id"], row["result"]) for row in shown] == [
        ("R1", BROKEN),
        ("R2", BROKEN),
        ("R2", KEPT),
        ("R3", BROKEN),
        ("R4", BROKEN),
        ("R4", LEFT_OUT),
        ("S8", OPEN),
    ]
    assert shown[0]["figures"] == "AssertionError: seed 7: it does not end"
    assert shown[2]["figures"] == "1 passed, 1 deselected"
    assert all(row["seconds"] >= 0 for row in shown)
    text = files["--markdown"].read_text()
    assert "| R1 | a law | `python -m tests.fuzz.promises --only R1 --scale 0.5` |" in text
    assert on_page.startswith("Before.\n\n<!-- promises -->\n\n| id |")
    assert on_page.endswith(f"\n\n{text}\n<!-- end of promises -->\n\nAfter.\n")
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


def test_what_the_tests_of_a_selection_count_are_its_figures(tmp_path: pathlib.Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(
        "import pytest\n"
        "from hypothesis import given, settings, strategies\n"
        "@pytest.mark.parametrize('n', [1000, 500])\n"
        "def test_one(n, record_property): record_property('bits', n)\n"
        "def test_two(record_property): record_property('kernels', 'c')\n"
        "@settings(max_examples=7)\n"
        "@given(strategies.integers())\n"
        "def test_three(x): pass\n"
    )
    # Beside the project's conftest.py, as its own tests are.
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    [row] = proving.rows([Promise("R8", "It is noticed", (Selection((str(test),)),))], 1)
    assert row.figures == "4 passed; 1,500 bits, 7 examples"


def law(count: int) -> str:
    """A law that another process can be asked for."""
    if count < 0:
        raise AssertionError("less than nothing")
    return f"{count} runs"


def test_several_proofs_at_a_time_give_the_same_table_in_the_same_order() -> None:
    many = [
        Promise("R1", "one", (Law(law, 10), Law(law, 20), Tool("pydoc", least_scale=2))),
        Promise("R2", "two", (Law(law, 30),)),
        Promise("R3", "three", ()),
    ]
    assert proving.rows(many, 1, jobs=2) == proving.rows(many, 1)


def test_what_was_proved_is_not_proved_again_while_the_sources_are_the_same(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(proving, "commit", lambda: "one")
    counts: list[int] = []

    def counted(count: int) -> str:
        counts.append(count)
        if len(counts) == 2:
            raise AssertionError("the second time")
        return f"{count} runs"

    kept, table = tmp_path / "kept.json", [Promise("R1", "one", (Law(counted, 1), Law(counted, 2)))]
    arguments = ["--keep", str(kept)]
    assert promises.main(arguments, table) == 1
    assert promises.main(arguments, table) == 0  # what was broken is run again, and it alone
    assert counts == [1, 2, 2]
    first = capsys.readouterr().out
    assert promises.main(arguments, table) == 0
    assert counts == [1, 2, 2]
    assert capsys.readouterr().out == proving.markdown(proving.rows(table, 1, shelf=Shelf(kept)))
    assert first.endswith(
        "|  |  | `python -m tests.fuzz.promises --only R1` | 2 runs | 0 s | one | kept |\n"
    )
    assert promises.main([*arguments, "--scale", "2"], table) == 0  # other numbers
    table = [Promise("R1", "one", (Law(counted, 9), Law(counted, 2)))]
    assert promises.main(arguments, table) == 0
    assert counts == [1, 2, 2, 2, 4, 9]
    monkeypatch.setattr(proving, "sources", lambda: "others")
    monkeypatch.setattr(proving, "commit", lambda: "newer")
    capsys.readouterr()
    assert promises.main([*arguments, "--stale"], table) == 0
    assert counts == [1, 2, 2, 2, 4, 9]
    assert "newer" not in capsys.readouterr().out
    two = Promise("R2", "two", (Law(counted, 5),))
    assert promises.main([*arguments, "--stale", "--again", "R1"], [*table, two]) == 0
    assert counts == [1, 2, 2, 2, 4, 9, 9, 2, 5]
    assert capsys.readouterr().out.count("| newer | kept |") == 3
    assert promises.main(arguments, table) == 0
    assert counts == [1, 2, 2, 2, 4, 9, 9, 2, 5]


def test_the_sources_are_those_octets_and_no_others(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "lorafuota"
    (package / "__pycache__").mkdir(parents=True)
    one = package / "one.py"
    one.write_text("1")
    monkeypatch.setattr(proving, "ROOT", tmp_path)
    digests = [proving.sources()]
    for name in ("built.so", "__pycache__/one.pyc"):
        (package / name).write_text("x")
        assert proving.sources() == digests[0]
    one.write_text("2")
    digests.append(proving.sources())
    one.rename(package / "other.py")
    digests.append(proving.sources())
    assert len(set(digests)) == 3


def test_the_page_has_every_row_and_all_are_kept() -> None:
    page = (proving.ROOT / "docs" / "reference" / "promises.md").read_text("utf-8")
    rows = [row.split(" | ") for row in page.splitlines() if row.startswith("| ") and "`" in row]
    assert [row[0].strip("| ") for row in rows if row[0].strip("| ")] == ALL
    commands = [proof.command(one.id, 1) for one in PROMISES for proof in one.proofs]
    assert [row[2].strip("`") for row in rows] == commands
    assert {row[-1].strip("| ") for row in rows} == {KEPT}
