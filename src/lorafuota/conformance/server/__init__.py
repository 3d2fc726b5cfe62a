"""The checks of a server: what each has to do, from the documents and from public reports."""

from __future__ import annotations

from typing import Final

from ..check import Catalogue
from ..serverpeer import ServerPeer
from . import (
    abuse,
    answers,
    clock,
    firmware,
    fragments,
    multicast,
    multipackage,
    negotiation,
    operator,
    repair,
    restart,
    setup,
    stacks,
    status,
    windows,
)

__all__ = ["SERVER_CHECKS"]

SERVER_CHECKS: Final[Catalogue[ServerPeer]] = Catalogue(
    setup.CHECKS,
    fragments.CHECKS,
    multicast.CHECKS,
    windows.CHECKS,
    answers.CHECKS,
    status.CHECKS,
    negotiation.CHECKS,
    repair.CHECKS,
    clock.CHECKS,
    firmware.CHECKS,
    multipackage.CHECKS,
    operator.CHECKS,
    restart.CHECKS,
    abuse.CHECKS,
    stacks.CHECKS,
)
"""Every check, in the order in which it is played: what a server does first stands first."""
