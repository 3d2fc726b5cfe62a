"""Hypothesis profiles, and a header that says which kernels run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from lorafuota.fec import kernels as fec_kernels
from lorafuota.fec import matrix

QUIET = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
settings.register_profile("everyday", deadline=None, max_examples=30, suppress_health_check=QUIET)
settings.register_profile("long", deadline=None, max_examples=20_000, suppress_health_check=QUIET)
settings.load_profile("long" if os.environ.get("LORAFUOTA_LONG") else "everyday")


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
