"""Running the command line inside the test's own process."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import io
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from lorafuota.cli import main

ROOT = "a9f1c2d3e4b5968778695a4b3c2d1e0f"
MC_KEY = "5e4d3c2b1a09f8e7d6c5b4a392817061"


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


def call(*argv: str) -> Outcome:
    """Run one command, as in a pipe."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    assert type(status) is int
    return Outcome(status, out.getvalue(), err.getvalue())


def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no key in the environment and nothing on standard input."""
    for name in os.environ:
        if name.startswith("LORAFUOTA_") and ("KEY" in name or "MC" in name):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))


def derived(outcome: Outcome) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(outcome.out)["derived"]}


def spellings(octets: bytes, *, parts: bool) -> Iterator[str]:
    """Every form in which a key must not be found: hex, base64, raw, repr, whole and in part."""
    for part in (octets, octets[:8], octets[8:]) if parts else (octets,):
        yield part.hex()
        yield part.hex(" ")
        yield base64.b64encode(part).decode().rstrip("=")
        yield part.decode("latin-1")
        yield repr(part)[2:-1]


def assert_secret(outcome: Outcome, *keys: str, parts: bool = True) -> None:
    text = outcome.out + outcome.err
    for key in keys:
        for spelling in spellings(bytes.fromhex(key), parts=parts):
            assert spelling not in text
            assert spelling.upper() not in text.upper()
