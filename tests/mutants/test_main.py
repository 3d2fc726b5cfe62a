"""The table, with families that are made up."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

import pytest

from . import __main__ as command
from .families import Family


@dataclasses.dataclass(frozen=True)
class Fake:
    name: str
    killer: str = ""
    survives: str = ""
    sentence: str = "It is broken."
    subject: str = "module"


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """Two families; a check notices the mutants whose name has its own.  What was played."""
    calls: list[tuple[str, tuple[str, ...]]] = []

    def killers(mutant: Fake, checks: Sequence[str]) -> Mapping[str, str]:
        calls.append((mutant.name, tuple(checks)))
        return {id: f"{id} says no" for id in checks if id in mutant.name}

    device = Family([Fake("a-and-b", "a"), Fake("nothing", survives="it is sound")], "abc", killers)
    server = Family([Fake("missed", "x"), Fake("x-found", survives="?")], "xy", killers)
    monkeypatch.setattr(command, "FAMILIES", {"device": device, "server": server})
    return calls


def test_one_role_is_played_with_the_whole_catalogue(
    played: list[tuple[str, tuple[str, ...]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["device", "--say"]) == 0
    assert played == [("a-and-b", ("a", "b", "c")), ("nothing", ("a", "b", "c"))]
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "   2  a-and-b  (module)  It is broken.  [a]",
        "          a: a says no",
        "          b: b says no",
        "   0  nothing  (module)  It is broken.  [it is sound]",
    ]
    assert lines[5].startswith("device: 1 of 2 mutants noticed, 0 not as expected, ")
    assert lines[6] == "2 of 3 checks notice a mutant"


def test_quickly_only_the_check_that_is_there_for_it_is_played_where_there_is_one(
    played: list[tuple[str, tuple[str, ...]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["device", "--quick"]) == 0
    assert played == [("a-and-b", ("a",)), ("nothing", ("a", "b", "c"))]
    assert "checks notice" not in capsys.readouterr().out


def test_a_survivor_and_one_noticed_that_should_not_be_are_not_as_expected(
    played: list[tuple[str, tuple[str, ...]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["server"]) == 1
    missed, found, _, last, _, _ = capsys.readouterr().out.splitlines()
    assert missed == "SURVIVES  missed  (module)  It is broken.  [x]"
    assert found == "   1, and none should  x-found  (module)  It is broken.  [?]"
    assert last.startswith("server: 1 of 2 mutants noticed, 2 not as expected, ")
    for name in ("missed", "x-found"):
        assert command.main(["server", "--only", name]) == 1


def test_all_is_both_and_one_that_is_wrong_in_either_counts(
    played: list[tuple[str, tuple[str, ...]]], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "matrix.json"
    assert command.main(["all", "--json", str(path)]) == 1
    assert len(played) == 4
    assert json.loads(path.read_text()) == {
        "device/a-and-b": ["a", "b"],
        "device/nothing": [],
        "server/missed": [],
        "server/x-found": ["x"],
    }


def test_a_role_has_to_be_named() -> None:
    for wrong in ([], ["gateway"]):
        with pytest.raises(SystemExit):
            command.main(wrong)
