"""Every public module's ``__all__`` against a checked-in list, so that it grows by decision only.

To accept a change: ``LORAFUOTA_WRITE_API=1 python -m pytest tests/test_public_api.py``.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib

from tests.test_layers import EVERY

LIST = pathlib.Path(__file__).parent / "public_api.json"


def public() -> dict[str, list[str]]:
    found = {}
    for module in EVERY:
        parts = module.split(".")
        if any(part.startswith("_") for part in parts) or parts[0] == "cli":
            continue
        loaded = importlib.import_module(".".join(["lorafuota", *parts]).rstrip("."))
        if hasattr(loaded, "__all__"):
            found[loaded.__name__] = sorted(loaded.__all__)
    return found


def test_the_public_names_are_the_ones_on_the_list() -> None:
    names = public()
    if os.environ.get("LORAFUOTA_WRITE_API"):
        LIST.write_text(json.dumps(names, indent=1, sort_keys=True) + "\n")
    assert names == json.loads(LIST.read_text())


def test_every_public_name_exists_and_is_documented() -> None:
    for module, names in public().items():
        loaded = importlib.import_module(module)
        for name in names:
            thing = getattr(loaded, name)
            if callable(thing) and not isinstance(thing, type | int | str | tuple):
                assert thing.__doc__, f"{module}.{name}"


def test_every_module_says_in_its_first_line_what_it_is_for() -> None:
    for module, path in EVERY.items():
        first = path.read_text().splitlines()[0]
        assert first.startswith(('"""', 'r"""')), module
        assert len(first) > 20, module


def test_every_module_with_code_has_an_all() -> None:
    for module, path in EVERY.items():
        parts = module.split(".")
        if path.name == "__init__.py" or parts[0] == "cli" or parts[-1].startswith("_"):
            continue
        loaded = importlib.import_module(".".join(["lorafuota", *parts]).rstrip("."))
        assert hasattr(loaded, "__all__") or module == "version", module
