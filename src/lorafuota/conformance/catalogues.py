"""Every catalogue of checks, by the role of the subject."""

from __future__ import annotations

from typing import Any, Final

from .check import Catalogue
from .device import DEVICE_CHECKS
from .server import SERVER_CHECKS

__all__ = ["CATALOGUES"]

CATALOGUES: Final[dict[str, Catalogue[Any]]] = {
    "device": DEVICE_CHECKS,
    "server": SERVER_CHECKS,
}
"""``device`` and the checks against one, and so on."""
