"""Names of the stacks whose quirks checks know, as :mod:`lorafuota.session.stacks` has them."""

from __future__ import annotations

from typing import Final

__all__ = ["CONDUIT", "LBM", "LBM1", "LORAMAC", "RENESAS", "ST", "ZEPHYR"]

LORAMAC: Final = "LoRaMac-node"
LBM: Final = "LoRa Basics Modem 4.8"
LBM1: Final = "LoRa Basics Modem 4.8 v1"
ZEPHYR: Final = "Zephyr 2025"
ST: Final = "ST middleware v2"
RENESAS: Final = "Renesas"
CONDUIT: Final = "MultiTech Conduit"
