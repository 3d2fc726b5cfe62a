"""The checks of a server: what each has to do, from the documents, public reports and promises."""

from __future__ import annotations

from typing import Final

from ..check import Check
from ..serverpeer import ServerPeer
from . import fragments, multicast, setup, status

__all__ = ["CHECKS"]

CHECKS: Final[tuple[Check[ServerPeer], ...]] = (
    *fragments.CHECKS,
    *setup.CHECKS,
    *status.CHECKS,
    *multicast.CHECKS,
)
"""Every check, in the order in which it is played."""
