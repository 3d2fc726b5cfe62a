"""The main job: one megabyte to one device, and a small image to a fleet."""

from __future__ import annotations

import random

from benchmarks.harness import Case
from lorafuota.simulate import DeviceRun, Scenario, Simulation


def _deliver(image: bytes, devices: int, version: int) -> None:
    simulation = Simulation(Scenario(image=image, devices=devices, loss=0.2, version=version))
    results = [DeviceRun(simulation, device).run() for device in range(devices)]
    assert simulation.report(results).success


def cases(once: bool) -> list[Case]:
    small, large = random.Random(1).randbytes(21_334), random.Random(2).randbytes(1_048_576)

    def megabyte_v1() -> None:
        _deliver(large, 1, 1)

    def megabyte_v2() -> None:
        _deliver(large, 1, 2)

    def fleet() -> None:
        _deliver(small, 20, 2)

    return [
        Case("1 MiB, 20 % loss, 1 device", "version 1", megabyte_v1),
        Case("1 MiB, 20 % loss, 1 device", "version 2", megabyte_v2),
        Case("21 kB, 20 % loss, 20 devices", "version 2", fleet),
    ]
