"""Declares the optional kernels in C; everything else is in pyproject.toml.

LORAFUOTA_BUILD says whether they are built: ``auto`` (if it can be done: the default), ``require``
(or fail), ``forbid`` (a wheel for every platform comes out).
"""

from __future__ import annotations

import os
import sysconfig
from typing import Any

from setuptools import Extension, setup


def options(wish: str, free_threaded: bool) -> dict[str, Any]:
    """Return the arguments of ``setup`` for what is wished."""
    if wish not in ("auto", "require", "forbid"):
        raise SystemExit(f"LORAFUOTA_BUILD = {wish!r}: expected auto, require or forbid")
    if free_threaded:  # there is no stable ABI for these interpreters yet
        if wish == "require":
            raise SystemExit("LORAFUOTA_BUILD = 'require': no C kernels for free-threaded Python")
        wish = "forbid"
    if wish == "forbid":
        return {}
    kernels = Extension(
        "lorafuota.fec._speedups",
        sources=["src/lorafuota/fec/_speedups.c"],
        depends=["src/lorafuota/fec/_speedups_shared.h", "src/lorafuota/fec/_speedups_kernels.h"],
        py_limited_api=True,
        optional=wish == "auto",
    )
    return {
        "ext_modules": [kernels],
        "options": {"bdist_wheel": {"py_limited_api": "cp311"}},
    }


if __name__ == "__main__":
    setup(
        **options(
            os.environ.get("LORAFUOTA_BUILD", "auto"),
            bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        )
    )
