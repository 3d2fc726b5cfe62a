"""Hypothesis profiles, a header that says which kernels run, and an ear for keys in the output."""

from __future__ import annotations

import base64
import json
import os
import pathlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from lorafuota.fec import kernels as fec_kernels
from lorafuota.fec import matrix
from lorafuota.testing import _entry

QUIET = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
settings.register_profile("everyday", deadline=None, max_examples=30, suppress_health_check=QUIET)
settings.register_profile("long", deadline=None, max_examples=20_000, suppress_health_check=QUIET)
settings.load_profile("long" if os.environ.get("LORAFUOTA_LONG") else "everyday")
_entry.register()  # an installation from before the entry point does not do it by itself


def pytest_report_header() -> str:
    return f"lorafuota kernels: {fec_kernels.NAME} {fec_kernels.SIMD}"


@pytest.fixture(scope="module", params=fec_kernels.available())
def kernels(request: pytest.FixtureRequest) -> Iterator[fec_kernels.Kernels]:
    """Every set of kernels that loads, one after the other, in the place of the active one.

    For a whole module: ``pytestmark = pytest.mark.usefixtures("kernels")``.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fec_kernels, "ACTIVE", fec_kernels.available()[request.param])
        patch.setattr(matrix, "_CACHE", matrix.LineCache(matrix.CACHE_OCTETS))
        yield fec_kernels.ACTIVE


def _spellings() -> frozenset[str]:
    """Every key of the vectors, the way it would look if it got into text."""
    path = pathlib.Path(__file__).parent / "vectors" / "ts005.json"
    chains = json.loads(path.read_text())["keys"]
    names = ("root_key", "McRootKey", "McKEKey", "McKey", "McAppSKey", "McNwkSKey")
    keys = {bytes.fromhex(chain[name]) for chain in chains for name in names}
    return frozenset(
        text
        for key in keys
        for text in (key.hex(), key.hex().upper(), base64.b64encode(key).decode(), repr(key)[2:-1])
    )


SPELLINGS = _spellings()
leaks: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Search what a test printed, logged or warned about for the keys it worked with (S13)."""
    for name, text in report.sections:
        if any(spelling in text for spelling in SPELLINGS):
            leaks.append(f"{report.nodeid}: a key in its {name}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if leaks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for leak in leaks:
        terminalreporter.write_line(f"LEAK {leak}", red=True)
