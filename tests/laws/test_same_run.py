"""A run is a function of its inputs: it does not depend on the order that sets have in a process.

Python draws that order anew in every process, so each program runs in two, with different seeds of
the hash.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
IMAGE = "tests/data/firmware/app-1.0.0.signed.bin"
PLAYED = """
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.run import run_server_checks
from lorafuota.conformance.server import SERVER_CHECKS
for one in run_server_checks([c for c in SERVER_CHECKS if c.name.startswith("flood")], OwnServer()):
    print(one.check.id, one.outcome, one.transcript)
"""
"""A fleet that lies on every port, and what was said to the last octet."""
PROGRAMS = {
    "simulate": ("-m", "lorafuota", "simulate", IMAGE, "--devices", "4", "--loss", "0.2", "--json"),
    "plan": ("-m", "lorafuota", "plan", IMAGE, "--devices", "100", "--loss", "0.1", "--json"),
    "conform": ("-c", PLAYED),
}


def printed(arguments: tuple[str, ...], hash_seed: int) -> bytes:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


@pytest.mark.parametrize("arguments", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_prints_the_same_whatever_the_order_of_sets(arguments: tuple[str, ...]) -> None:
    first = printed(arguments, 0)
    assert len(first) > 1000
    assert printed(arguments, 1) == first
