"""The main job: one megabyte to one device, a small image to a fleet, and a fleet that is large."""

from __future__ import annotations

import random

from benchmarks.harness import Case
from lorafuota.simulate import Scenario, Simulation


def _deliver(image: bytes, devices: int, version: int, *, shared_radio: bool = False) -> None:
    scenario = Scenario(
        image=image, devices=devices, loss=0.2, version=version, shared_radio=shared_radio
    )
    assert Simulation(scenario).run().success


def cases(once: bool) -> list[Case]:
    small, large = random.Random(1).randbytes(21_334), random.Random(2).randbytes(1_048_576)

    def megabyte_v1() -> None:
        _deliver(large, 1, 1)

    def megabyte_v2() -> None:
        _deliver(large, 1, 2)

    def fleet() -> None:
        _deliver(small, 20, 2)

    def many() -> None:
        _deliver(small, 200, 2)

    def many_shared() -> None:
        _deliver(small, 200, 2, shared_radio=True)

    return [
        Case("1 MiB, 20 % loss, 1 device", "version 1", megabyte_v1),
        Case("1 MiB, 20 % loss, 1 device", "version 2", megabyte_v2),
        Case("21 kB, 20 % loss, 20 devices", "version 2", fleet),
        Case("21 kB, 20 % loss, 200 devices", "every device decrypts", many),
        Case("21 kB, 20 % loss, 200 devices", "shared radio", many_shared),
    ]
