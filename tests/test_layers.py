"""Reads the imports from the source and holds them against the picture of the layers."""

from __future__ import annotations

import ast
import pathlib

import pytest

SOURCE = pathlib.Path(__file__).parents[1] / "src" / "lorafuota"
MESSAGES = {
    "clocksync",
    "firmwaremanagement",
    "fragmentation",
    "multicastsetup",
    "multipackage",
}

MAY_IMPORT: dict[str, set[str]] = {
    "version": set(),
    "errors": set(),
    "_columns": set(),
    "types": {"errors"},
    "gpstime": {"errors"},
    "_kinds": {"errors", "types"},
    "wire": {"errors", "_kinds", "types"},
    "package": {"errors", "_kinds", "types", "wire"},
    "messages": {"errors", "_kinds", "types", "wire", "package"},
    "catalogue": {"errors", "types", "package", "messages"},
    "fec": {"errors"},
    "crypto": {"errors", "types"},
    "link": {"crypto", "errors", "gpstime", "types"},
    "region": {"errors"},
    "image": {"errors", "messages", "types"},
    "losses": {"errors"},
    "completion": {"errors", "fec", "losses"},
    "datablock": {"crypto", "errors", "fec", "types"},
    "session": {
        "catalogue",
        "crypto",
        "datablock",
        "errors",
        "fec",
        "gpstime",
        "link",
        "messages",
        "package",
        "types",
        "wire",
    },
    "plan": {
        "campaign",
        "completion",
        "datablock",
        "errors",
        "fec",
        "image",
        "link",
        "region",
        "types",
        "wire",
    },
    "campaign": {
        "catalogue",
        "datablock",
        "errors",
        "fec",
        "gpstime",
        "link",
        "messages",
        "package",
        "session",
        "types",
        "wire",
    },
    "simulate": {
        "campaign",
        "catalogue",
        "datablock",
        "errors",
        "fec",
        "image",
        "link",
        "losses",
        "messages",
        "package",
        "region",
        "session",
        "types",
        "wire",
    },
    "testing": {
        "_kinds",
        "catalogue",
        "crypto",
        "datablock",
        "errors",
        "fec",
        "losses",
        "messages",
        "package",
        "session",
        "types",
        "wire",
    },
    "dissect": {
        "_columns",
        "_kinds",
        "catalogue",
        "crypto",
        "datablock",
        "errors",
        "fec",
        "gpstime",
        "link",
        "messages",
        "package",
        "types",
        "wire",
    },
    "conformance": {
        "campaign",
        "catalogue",
        "crypto",
        "datablock",
        "errors",
        "fec",
        "gpstime",
        "link",
        "messages",
        "package",
        "session",
        "types",
        "version",
        "wire",
    },
    "top": {"catalogue", "errors", "package", "types", "version"},
    "cli": {
        "_columns",
        "campaign",
        "catalogue",
        "completion",
        "conformance",
        "crypto",
        "datablock",
        "dissect",
        "errors",
        "fec",
        "gpstime",
        "image",
        "_kinds",
        "losses",
        "messages",
        "package",
        "plan",
        "region",
        "session",
        "simulate",
        "top",
        "types",
        "version",
        "wire",
    },
}
OUTSIDE: dict[str, set[str]] = {
    "crypto": {"cryptography"},
    "completion": {"bitarray"},
    "losses": {"bitarray"},
    "dissect": {"bitarray"},
    "fec": {"bitarray"},
    "image": {"cryptography"},
    "simulate": {"bitarray"},
    "testing": {"hypothesis"},
}


def layer(module: str) -> str:
    """The layer of a dotted module name below lorafuota, ``""`` for the package itself."""
    head = module.split(".")[0]
    if head in ("", "__main__"):
        return "top" if head == "" else "cli"
    return "messages" if head in MESSAGES else head


def modules() -> dict[str, pathlib.Path]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = list(path.relative_to(SOURCE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


def imports(module: str, path: pathlib.Path) -> tuple[set[str], set[str]]:
    """What a module imports: modules of ours, and top-level packages of others."""
    ours, others = set(), set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    package = [part for part in package if part]
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            dotted = base + (node.module.split(".") if node.module else [])
            names = [".".join(["lorafuota", *dotted, alias.name]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            head, _, tail = name.partition(".")
            if head == "lorafuota":
                ours.add(tail)
            else:
                others.add(head)
    return ours, others


def is_module(name: str) -> bool:
    """Whether a name imported from us is a module, and not something in the package itself."""
    head = name.split(".")[0]
    return (SOURCE / f"{head}.py").exists() or (SOURCE / head / "__init__.py").exists()


EVERY = modules()


@pytest.mark.parametrize("module", EVERY, ids=lambda m: m or "lorafuota")
def test_a_module_imports_only_the_layers_below_it(module: str) -> None:
    ours, _ = imports(module, EVERY[module])
    here = layer(module)
    used = {layer(name) if is_module(name) else "top" for name in ours} - {here}
    assert used <= MAY_IMPORT[here]


@pytest.mark.parametrize("module", EVERY, ids=lambda m: m or "lorafuota")
def test_a_module_imports_only_the_libraries_its_layer_is_for(module: str) -> None:
    import sys

    _, others = imports(module, EVERY[module])
    foreign = {name for name in others if name not in sys.stdlib_module_names}
    assert foreign <= OUTSIDE.get(layer(module), set())


@pytest.mark.parametrize("module", EVERY, ids=lambda m: m or "lorafuota")
def test_the_library_reads_no_clock_and_draws_no_chance_of_its_own(module: str) -> None:
    """Clock, randomness, environment and logging live in the command line, but for a few."""
    if layer(module) == "cli":
        return
    _, others = imports(module, EVERY[module])
    exceptions = {
        "fec.kernels": {"os"},
        "types": {"secrets"},
        "campaign.lockedfile": {"os"},
        "campaign.sqlitestore": {"os"},
        "conformance.transports.clock": {"time"},
        "conformance.transports.device": {"time"},
        "conformance.transports.example": {"subprocess"},
        "conformance.transports.link": {"time"},
        "conformance.transports.process": {"os", "subprocess", "time"},
        "conformance.transports.serial": {"time"},
        "conformance.transports.tcp": {"socket", "time"},
    }
    allowed = exceptions.get(module, set())
    assert others & {"os", "time", "secrets", "logging", "socket", "subprocess"} <= allowed
    if "random" in others:  # an owner's generator is passed in; none is asked for globally
        tree = ast.parse(EVERY[module].read_text())
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "random"
        }
        assert used == {"Random"}


def test_a_codec_user_never_loads_the_cryptography_package() -> None:
    import subprocess
    import sys

    code = "import sys, lorafuota; print('cryptography' in sys.modules, 'bitarray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_module_has_a_test_file_where_the_source_has_the_module() -> None:
    unit = pathlib.Path(__file__).parent / "unit"
    missing = []
    for module, path in EVERY.items():
        if path.name in ("__init__.py", "__main__.py"):
            continue
        parts = module.split(".")
        stem = parts[-1].lstrip("_")
        if not (unit.joinpath(*parts[:-1]) / f"test_{stem}.py").exists():
            missing.append(module)
    assert missing == ["version"]  # a constant
