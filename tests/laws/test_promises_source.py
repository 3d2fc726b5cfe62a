"""What the source says of chance: keys come from the operating system's generator (promise S15)."""

from __future__ import annotations

import ast
import pathlib

import pytest

import lorafuota
from lorafuota import types

PACKAGE = pathlib.Path(lorafuota.__file__).parent
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
SEEDED = ("simulate/", "testing/", "conformance/")
"""Where keys are made from a seed: for tests, never for a device in the field."""

KEYS = {name for name in types.__all__ if name.endswith("Key")}
DRAWS = {
    "random",
    "randbytes",
    "getrandbits",
    "randrange",
    "randint",
    "choice",
    "choices",
    "sample",
}
SYSTEM = {"secrets", "os.urandom"}


def from_seeds(source: str) -> list[str]:
    """Name every place in a module where a pseudo-random number can become a key.

    In a scope (a function or the module's own) that has to do with keys, nothing is drawn from
    a generator of the random module, and no such generator is made or passed on.
    """
    tree = ast.parse(source)
    scopes: list[ast.AST] = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    found = [
        f"line {scope.lineno}: {scope.name}"
        for scope in scopes
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
        and _makes_key(scope)
        and _draws(scope)
    ]
    top = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    found += [
        f"line {node.lineno}: the module" for node in top if _makes_key(node) and _draws(node)
    ]
    return found


def _makes_key(scope: ast.AST) -> bool:
    """Whether a key is constructed, or made by generate()."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            last = name.rpartition(".")[2]
            if last in KEYS or (last == "generate") or last.startswith("derive_"):
                return True
    return False


def _draws(scope: ast.AST) -> bool:
    """Whether it draws from a generator that can have a seed."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Attribute) and node.attr in DRAWS:
            owner = ast.unparse(node.value)
            if owner not in SYSTEM and owner != "os":
                return True
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("random.Random", "Random"):
            return True
    return False


@pytest.mark.parametrize("module", [one for one in MODULES if not one.startswith(SEEDED)])
def test_s15_no_key_is_made_where_a_seeded_generator_is_used(module: str) -> None:
    assert from_seeds((PACKAGE / module).read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "def f(rng):\n    return McKey(rng.randbytes(16))",
        "def f():\n    return AppKey(random.getrandbits(128).to_bytes(16))",
        "def f(seed):\n    rng = random.Random(seed)\n    return make(rng, McKey(x))",
        "class A:\n    def f(self):\n        return McKey(bytes(self._rng.choices(range(256))))",
        "KEY = McKey(random.randbytes(16))",
    ],
)
def test_s15_the_rule_finds_a_key_from_a_seed(source: str) -> None:
    assert from_seeds(source)


def test_s15_the_rule_allows_the_operating_systems_generator() -> None:
    assert from_seeds("def f():\n    return McKey(secrets.token_bytes(16))") == []
    assert from_seeds("def f():\n    return McKey(os.urandom(16))") == []


def test_s15_every_key_class_generates_from_the_operating_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A generate() that asked anything else would not give these octets."""
    octets = bytes(range(16))
    monkeypatch.setattr("secrets.token_bytes", lambda count: octets[:count])
    kinds = [getattr(types, name) for name in sorted(KEYS)]
    generating = [kind for kind in kinds if hasattr(kind, "generate")]
    assert generating
    for kind in generating:
        assert kind.generate().reveal() == octets


def test_s15_only_one_place_asks_for_chance_of_the_operating_system() -> None:
    """Everything that generates a key goes through it."""
    asking = [
        module
        for module in MODULES
        if any(
            isinstance(node, ast.Import | ast.ImportFrom) and "secrets" in ast.unparse(node)
            for node in ast.walk(ast.parse((PACKAGE / module).read_text()))
        )
    ]
    assert asking == ["types.py"]
