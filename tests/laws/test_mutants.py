"""Mutants change one thing each, what the code does and nothing else."""

from __future__ import annotations

import ast
import pathlib
import random
from collections import Counter

import pytest

from tests.fuzz import mutants

MODULE = '''
"""A module."""

Alias = int | None
WIDTH: "int" = 3


@decorated(7)
def f(a: "int" = 2, *rest: str) -> "int | None":
    if not a < WIDTH and a is not None:
        return a + 1
    print(a)
    raise ValueError
'''


def changed(module: str) -> list[str]:
    """Every mutant of a module, as the line that changed."""
    before = ast.unparse(ast.parse(module)).splitlines()
    found = []
    for one in mutants.mutants("area", "module.py"):
        after = one.source().splitlines()
        lines = [line.strip() for line in after if line not in before]
        found.append(" ".join(lines) or "nothing new")
    return found


def test_every_change_is_made_alone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module.py").write_text(MODULE)
    monkeypatch.setattr(mutants, "SOURCE", tmp_path)
    assert Counter(changed(MODULE)) == Counter(
        [
            "WIDTH: 'int' = 2",
            "WIDTH: 'int' = 4",
            "def f(a: 'int'=1, *rest: str) -> 'int | None':",
            "def f(a: 'int'=3, *rest: str) -> 'int | None':",
            "if a < WIDTH and a is not None:",
            "if not a < WIDTH and a is None:",
            "if not a < WIDTH or a is not None:",
            "if not a <= WIDTH and a is not None:",
            "if not (not a < WIDTH and a is not None):",
            "pass",
            "pass",
            "return None",
            "return a + 0",
            "return a + 2",
            "return a - 1",
        ]
    )


@pytest.mark.parametrize("path", ["crypto.py", "wire.py", "session/windows.py", "fec/_rank.py"])
def test_every_mutant_is_another_program(path: str) -> None:
    rng = random.Random(1)
    every = mutants.mutants("area", path)
    original = ast.unparse(ast.parse((mutants.SOURCE / path).read_text()))
    for one in rng.sample(every, 20):
        source = one.source()
        compile(source, path, "exec")
        assert source != original
        assert str(one).startswith(f"{path}:{one.line}:")


def test_every_module_of_every_area_has_its_tests() -> None:
    for patterns, tests in mutants.AREAS.values():
        for pattern in patterns:
            paths = [one for one in mutants.SOURCE.glob(pattern) if one.name != "__init__.py"]
            assert paths
            for path in paths:
                own = mutants.own_tests(str(path.relative_to(mutants.SOURCE)))
                assert (mutants.ROOT / own).exists(), own
        assert all((mutants.ROOT / one).exists() for one in tests)
