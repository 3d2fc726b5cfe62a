"""``lorafuota info``: what is installed here, for a bug report or a first look."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from typing import Final

from ..catalogue import PACKAGES
from ..fec import kernels
from ..version import VERSION
from ..wire import JSON
from .arguments import Status, Subparsers, subcommand
from .output import strong, table, write_json

__all__ = ["EXTRAS", "add", "run"]

EXTRAS: Final = {
    "delta": ("detools", "creating deltas of images; applying them needs nothing"),
    "dask": ("distributed", "spreading simulated fleets over machines"),
    "plot": ("matplotlib", "the plots of lorafuota plan"),
    "serial": ("pyserial", "a board on a serial port as the device of lorafuota conform"),
    "testing": ("hypothesis", "strategies for property-based tests of your own code"),
}
"""The extras that add something to the library, with the distribution each needs and why."""

_REQUIRED: Final = ("bitarray", "cryptography")

_DESCRIPTION: Final = """\
Show the version, the kernels of the parity code and why they were chosen, the
packages with their documents and ports, and which optional parts are there."""


def add(subparsers: Subparsers) -> None:
    """Declare the arguments."""
    parser = subcommand(
        subparsers,
        "info",
        run,
        summary="show versions, kernels and packages",
        description=_DESCRIPTION,
        example="lorafuota info",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")


def run(args: argparse.Namespace) -> int:
    """Print what is here."""
    if args.json:
        write_json(_document())
    else:
        print(_text())
    return Status.GOOD


def _document() -> dict[str, JSON]:
    packages: list[JSON] = [
        {
            "name": one.name,
            "version": one.version,
            "document": one.document,
            "title": one.title,
            "identifier": one.identifier,
            "fport": one.fport,
            "commands": len(one.commands),
        }
        for one in PACKAGES
    ]
    return {
        "version": VERSION,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "kernels": {"name": kernels.NAME, "reason": _reason()},
        "requirements": {name: _installed(name) for name in _REQUIRED},
        "extras": {extra: _installed(needs) for extra, (needs, _) in EXTRAS.items()},
        "packages": packages,
    }


def _text() -> str:
    facts = [
        ("lorafuota", VERSION),
        ("Python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("", sys.executable),
        ("platform", platform.platform()),
        ("kernels", f"{kernels.NAME}: {_reason()}"),
        *((name, _installed(name) or "missing") for name in _REQUIRED),
    ]
    width = max(len(name) for name, _ in facts)
    lines = [f"{name:<{width}}  {value}" for name, value in facts]
    rows = [
        (str(one), one.document, one.title, str(one.identifier), str(one.fport)) for one in PACKAGES
    ]
    head = ("package", "document", "title", "identifier", "port")
    lines += ["", table(head, rows, right=(3, 4)), "", strong("optional parts")]
    for extra, (needs, why) in EXTRAS.items():
        version = _installed(needs)
        have = f"{needs} {version}" if version else f"missing; pip install 'lorafuota[{extra}]'"
        lines.append(f"{extra}: {have} ({why})")
    return "\n".join(lines)


def _reason() -> str:
    """Say why these kernels run; each set is passed over only when it cannot be loaded."""
    wish = os.environ.get("LORAFUOTA_KERNELS", "auto")
    if wish == kernels.NAME:
        return f"asked for with LORAFUOTA_KERNELS={wish}"
    missing = {"c": "", "python": "no C kernels here", "reference": "no faster kernels here"}
    reason = missing[kernels.NAME] or "the fastest there are"
    return reason if wish == "auto" else f"{reason}; LORAFUOTA_KERNELS={wish}"


def _installed(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
