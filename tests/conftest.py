"""Hypothesis profiles, a header that says which kernels run, an ear for keys, and figures.

What a test counts and gives to ``record_property`` as a number is added up over the tests that
passed, and told in one line at the end, with the examples of Hypothesis; the table of promises
(tests.fuzz.promises) takes its figures from there.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from lorafuota.fec import kernels as fec_kernels
from lorafuota.fec import matrix
from lorafuota.testing import _entry
from tests.fuzz.proving import FIGURES

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
figures: Counter[str] = Counter()
_counting: set[int] = set()
"""The wrappers put around tests of Hypothesis."""


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Count the examples that Hypothesis tries."""
    for item in items:
        handle = getattr(getattr(item, "obj", None), "hypothesis", None)
        if handle is not None and id(handle.inner_test) not in _counting:
            handle.inner_test = _counted(handle.inner_test)
            _counting.add(id(handle.inner_test))


def _counted(test: Any) -> Any:
    @functools.wraps(test)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        figures["examples"] += 1
        return test(*args, **kwargs)

    return wrapper


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what the test counted, and search what it printed, logged or warned about (S13).

    The search is for the keys it worked with.
    """
    if report.when == "call" and report.passed:
        figures.update({name: n for name, n in report.user_properties if isinstance(n, int)})
    for name, text in report.sections:
        if any(spelling in text for spelling in SPELLINGS):
            leaks.append(f"{report.nodeid}: a key in its {name}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if leaks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if figures:
        told = ", ".join(f"{count:,} {name}" for name, count in figures.items())
        terminalreporter.write_line(f"{FIGURES}{told}")
    for leak in leaks:
        terminalreporter.write_line(f"LEAK {leak}", red=True)
