"""Hypothesis profiles, and a header that says which kernels run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from lorafuota.fec import kernels

QUIET = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
settings.register_profile("everyday", deadline=None, max_examples=30, suppress_health_check=QUIET)
settings.register_profile("long", deadline=None, max_examples=20_000, suppress_health_check=QUIET)
settings.load_profile("long" if os.environ.get("LORAFUOTA_LONG") else "everyday")


def pytest_report_header() -> str:
    return f"lorafuota kernels: {kernels.NAME}"
