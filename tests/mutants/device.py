"""Every mutant of our device, the stacks in the field among them."""

from __future__ import annotations

import contextlib
from typing import Final

from . import clock, firmware, fragmentation, framing, multicast, sets
from .mutant import Mutant

_STACKS: Final = {
    "LoRaMac-node": "ts005-v1/status-empty",
    "LoRa Basics Modem 4.8": "ts004-v2/status-lossless",
    "LoRa Basics Modem 4.8 v1": "ts004-v1/status-lossless",
    "Zephyr 2025": "ts004-v1/status-delay-7",
    "ST middleware v2": "ts004-v2/report-mic-without-ack",
    "Renesas": "ts004-v2/cnt-32768",
    "MultiTech Conduit": "ts004-v1/n-zero",
}

STACKS: Final = tuple(
    Mutant(name, "Our imitation of the stack.", killer, contextlib.nullcontext, name)
    for name, killer in _STACKS.items()
)

DEVICE_MUTANTS: Final = (
    *framing.MUTANTS,
    *clock.MUTANTS,
    *multicast.MUTANTS,
    *fragmentation.MUTANTS,
    *firmware.MUTANTS,
    *sets.MUTANTS,
    *STACKS,
)
