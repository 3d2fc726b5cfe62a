"""A small image, the sample firmware, and a run in one line."""

from __future__ import annotations

import pathlib
import random
from typing import Any

from lorafuota.simulate import Report, Scenario, Simulation

FIRMWARE = pathlib.Path(__file__).parents[2] / "data" / "firmware"
SAMPLE = FIRMWARE / "app-1.0.0.signed.bin"
IMAGE = random.Random(5).randbytes(3000)


def scenario(**fields: Any) -> Scenario:
    return Scenario(**{"image": IMAGE, **fields})


def run(**fields: Any) -> Report:
    return Simulation(scenario(**fields)).run()
