from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from lorafuota.testing.devicemachine import DeviceMachine
from lorafuota.testing.peers import DeviceUnderTest, ReferenceDevice
from lorafuota.types import AppKey, GenAppKey
from tests.support import LONG
from tests.unit.testing.broken_devices import BROKEN, Broken

RUN = settings(
    max_examples=2_000 if LONG else 15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
HUNT = settings(RUN, max_examples=1_000, phases=[Phase.generate], derandomize=True, database=None)


@pytest.mark.parametrize("number", [1, 2])
def test_our_device_of_either_version_passes(number: int) -> None:
    class Machine(DeviceMachine):
        version = number

        def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
            return ReferenceDevice(root_key, profile=f"documents v{number}")

    run_state_machine_as_test(Machine, settings=RUN)


@pytest.mark.parametrize("wrong", BROKEN, ids=lambda one: one.__name__)
def test_a_device_that_is_wrong_in_one_way_fails(wrong: type[Broken]) -> None:
    class Machine(DeviceMachine):
        def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
            return wrong(root_key)

    with pytest.raises((AssertionError, IndexError)):
        run_state_machine_as_test(Machine, settings=HUNT)


def test_what_wraps_the_broken_devices_is_not_broken() -> None:
    class Machine(DeviceMachine):
        def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
            return Broken(root_key)

    run_state_machine_as_test(Machine, settings=RUN)
