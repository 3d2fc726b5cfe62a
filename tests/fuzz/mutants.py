"""Invariant: a change of what the code does is noticed by the tests of the module it is in.

Changes one thing in one module at a time (a comparison, a constant, an operator, a condition; a
statement or a result left out), runs the module's own test file, and if that notices nothing the
tests of the whole area.  What survives is printed with its line; look at each: either the change
alters nothing that anybody could notice, or a test is missing.

    python -m tests.fuzz.mutants --sample 50
    python -m tests.fuzz.mutants --only crypto --sample 1000 --seed 7 --json survivors.json

Works on a copy of the package, on one core.  Needs fork (Linux, macOS).
"""

from __future__ import annotations

import argparse
import ast
import builtins
import compileall
import contextlib
import dataclasses
import importlib.util
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pytest

ROOT: Final = pathlib.Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "lorafuota"
UNIT: Final = "tests/unit"
LAWS: Final = "tests/laws"
MEMORY: Final = 4 << 30
"""Octets a test may ask for; a changed loop may want all there is."""

AREAS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "wire": (
        ("wire.py", "_kinds.py"),
        (
            f"{UNIT}/test_wire.py",
            f"{UNIT}/test_kinds.py",
            f"{LAWS}/test_message_laws.py",
            *(f"{UNIT}/{name}" for name in ("fragmentation", "multicastsetup", "clocksync")),
        ),
    ),
    "package": (
        ("package.py",),
        (
            *(f"{UNIT}/{name}" for name in ("test_package.py", "test_catalogue.py")),
            *(f"{UNIT}/{name}" for name in ("fragmentation", "multipackage")),
            f"{LAWS}/test_message_laws.py",
        ),
    ),
    "crypto": (
        ("crypto.py",),
        tuple(f"{UNIT}/test_{name}.py" for name in ("crypto", "key_arguments", "secrecy", "link")),
    ),
    "fec": (("fec/*.py",), (f"{UNIT}/fec", f"{LAWS}/test_kernel_laws.py")),
    "session": (("session/*.py",), (f"{UNIT}/session",)),
}
"""Modules of each area, and the tests that may notice."""

COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.Pow: ast.Mult,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module."""

    area: str
    path: str
    """Of the module, below the package."""
    line: int
    column: int
    change: str
    place: int
    """Which node of the module, counted as :func:`places` yields them."""
    which: int
    """Which of the changes of that node."""

    def __str__(self) -> str:
        text = (SOURCE / self.path).read_text().splitlines()[self.line - 1].strip()
        return f"{self.path}:{self.line}:{self.column} {self.change}: {text}"

    def source(self) -> str:
        """The whole module, changed."""
        tree = ast.parse((SOURCE / self.path).read_text())
        parent, field, at = next(itertools.islice(places(tree), self.place, None))
        node = _child(parent, field, at)
        _set(parent, field, list(changes(node))[self.which][1](node), at)
        return ast.unparse(ast.fix_missing_locations(tree))


# What can be changed


Change = tuple[str, Callable[[ast.AST], ast.AST]]
"""What it is called, and how it is done to a node of a fresh tree."""


def changes(node: ast.AST) -> Iterator[Change]:
    """Yield what can be changed at this node alone."""
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARISONS:
            other = COMPARISONS[type(op)]
            yield f"{_name(op)} to {other.__name__}", _setter("ops", other(), 0)
        case ast.BoolOp(op=op):
            swapped = ast.Or if isinstance(op, ast.And) else ast.And
            yield f"{_name(op)} to {swapped.__name__}", _setter("op", swapped())
        case ast.BinOp(left=left, op=ast.BitOr()) if _is_type(left):
            pass
        case ast.BinOp(op=op) | ast.AugAssign(op=op):
            opposite = OPERATORS[type(op)]
            yield f"{_name(op)} to {opposite.__name__}", _setter("op", opposite())
        case ast.UnaryOp(op=ast.Not()):
            yield "not left out", lambda one: one.operand  # type: ignore[attr-defined]
        case ast.Constant(value=bool() as value):
            yield f"{value} to {not value}", _setter("value", not value)
        case ast.Constant(value=int() | float() as number):
            for step in (1, -1):
                yield f"{number} to {number + step}", _setter("value", number + step)
        case ast.If() | ast.IfExp() | ast.While():
            yield "condition negated", lambda one: _set(one, "test", _negated(one))
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "result left out", _setter("value", ast.Constant(None))
        case _:
            pass
    match node:
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue():
            yield "statement left out", lambda one: ast.copy_location(ast.Pass(), one)
        case _:
            pass


def _name(op: ast.AST) -> str:
    return type(op).__name__


def _set(node: ast.AST, field: str, value: object, at: int | None = None) -> ast.AST:
    if at is None:
        setattr(node, field, value)
    else:
        getattr(node, field)[at] = value
    return node


def _setter(field: str, value: object, at: int | None = None) -> Callable[[ast.AST], ast.AST]:
    return lambda node: _set(node, field, value, at)


def _negated(node: ast.AST) -> ast.expr:
    test: ast.expr = node.test  # type: ignore[attr-defined]
    return ast.UnaryOp(ast.Not(), test)


def _is_type(node: ast.expr) -> bool:
    """Whether it is a class, to the left of a union of them."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr()):
            return _is_type(left)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return not name.isupper() and (name[:1].isupper() or name in dir(builtins))
        case _:
            return False


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Yield parent, field and index of every node that may be changed; annotations may not."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield tree, field, at
                yield from places(child)


def _child(parent: ast.AST, field: str, at: int | None) -> Any:
    value = getattr(parent, field)
    return value if at is None else value[at]


def mutants(area: str, path: str) -> list[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse((SOURCE / path).read_text())
    return [
        Mutant(area, path, node.lineno, node.col_offset + 1, name, number, which)
        for number, place in enumerate(places(tree))
        for node in [_child(*place)]
        for which, (name, _) in enumerate(changes(node))
    ]


# Running the tests


class Copy:
    """The package once more, for one change at a time."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.src = folder / "src"
        self.package = self.src / "lorafuota"
        shutil.copytree(SOURCE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(self.package, quiet=1)

    def write(self, path: str, text: str) -> None:
        module = self.package / path
        module.write_text(text)
        pathlib.Path(importlib.util.cache_from_source(str(module))).unlink(missing_ok=True)

    def test(self, tests: Sequence[str], seconds: int = 600) -> tuple[str, float]:
        """Run tests in a child of this process, for so much of the processor's time.

        Returns:
            "noticed", "survived" or "too slow", and the seconds it took.
        """
        child = os.fork()
        if child == 0:
            code = 70
            with contextlib.suppress(BaseException):
                code = self._run(tests, seconds)
            os._exit(code)
        _, status, used = os.wait4(child, 0)
        code = os.waitstatus_to_exitcode(status)
        taken = used.ru_utime + used.ru_stime
        if code == pytest.ExitCode.OK:
            return "survived", taken
        return "too slow" if code in (-signal.SIGXCPU, -signal.SIGALRM) else "noticed", taken

    def _run(self, tests: Sequence[str], seconds: int) -> int:
        import resource  # not everywhere, and nor is fork

        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        os.chdir(ROOT)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        signal.alarm(30 * seconds)  # should it wait for something
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(self.src))
        return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))


def own_tests(path: str) -> str:
    """Return the test file of a module."""
    module = pathlib.PurePath(path)
    name = module.name.removeprefix("_")
    return str(pathlib.PurePath(UNIT) / module.parent / f"test_{name}")


def judge(copy: Copy, mutant: Mutant, limits: Mapping[str, int]) -> str:
    """Return what became of a mutant."""
    own, area = own_tests(mutant.path), AREAS[mutant.area][1]
    copy.write(mutant.path, mutant.source())
    try:
        found, _ = copy.test([own], limits[own])
        return found if found != "survived" else copy.test(area, limits[mutant.area])[0]
    finally:
        copy.write(mutant.path, (SOURCE / mutant.path).read_text())


def measure(copy: Copy, mutants: Sequence[Mutant]) -> dict[str, int]:
    """Run all tests on what nobody changed; return how long they may take.

    Raises:
        SystemExit: One fails as it is.
    """
    wanted = {own_tests(one.path): [own_tests(one.path)] for one in mutants}
    wanted |= {one.area: list(AREAS[one.area][1]) for one in mutants}
    limits = {}
    for name, tests in wanted.items():
        result, seconds = copy.test(tests)
        if result != "survived":
            raise SystemExit(f"{' '.join(tests)} fails without any change: {result}")
        limits[name] = 5 + round(4 * seconds)
    return limits


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(AREAS), help="areas, with commas between them")
    parser.add_argument("--sample", type=int, default=20, help="mutants of each area")
    parser.add_argument("--seed", type=int, default=0, help="chooses them")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no more after so long")
    parser.add_argument("--json", type=pathlib.Path, help="file for the survivors")
    args = parser.parse_args()
    began = time.monotonic()
    modules = {
        area: [
            str(path.relative_to(SOURCE))
            for pattern in AREAS[area][0]
            for path in sorted(SOURCE.glob(pattern))
            if path.name != "__init__.py"
        ]
        for area in args.only.split(",")
    }
    chosen: list[Mutant] = []
    for area, paths in modules.items():
        every = [one for path in paths for one in mutants(area, path)]
        rng = random.Random(f"{args.seed} {area}")
        chosen += rng.sample(every, min(args.sample, len(every)))
        print(f"{area}: {len(every)} mutants of {len(paths)} modules", flush=True)
    random.Random(args.seed).shuffle(chosen)  # so that an early end leaves out some of each
    tally = {area: Counter[str]() for area in modules}
    survivors: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{folder}/hypothesis"
        copy = Copy(pathlib.Path(folder))
        limits = measure(copy, chosen)
        for number, mutant in enumerate(chosen):
            if time.monotonic() - began > args.seconds:
                print(f"time is up: {len(chosen) - number} mutants left out")
                break
            result = judge(copy, mutant, limits)
            tally[mutant.area][result] += 1
            if result == "survived":
                survivors.append(str(mutant))
                print(f"SURVIVED {mutant}", flush=True)
    for area, counts in tally.items():
        shown = ", ".join(f"{count} {result}" for result, count in counts.most_common())
        print(f"{area}: {counts.total()} mutants, {shown}")
    if args.json:
        args.json.write_text(json.dumps(survivors, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
