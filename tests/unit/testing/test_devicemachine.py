from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from lorafuota.datablock import DataBlock
from lorafuota.session.stacks import DEVICE_PROFILES, device_profile
from lorafuota.testing._violation import Violation
from lorafuota.testing.channel import Channel
from lorafuota.testing.devicemachine import DeviceMachine, _counts
from lorafuota.testing.peers import Block, DeviceUnderTest, ReferenceDevice, Uplink
from lorafuota.types import AppKey, GenAppKey
from tests.support import LONG
from tests.unit.testing.broken_devices import BROKEN, COMMON, Broken

RUN = settings(
    max_examples=1_000 if LONG else 15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
USUAL = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    derandomize=True,
    database=None,
)
"""As many examples and steps as Hypothesis tries if nothing is said."""
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

    with pytest.raises((AssertionError, IndexError), match=BROKEN[wrong]):
        run_state_machine_as_test(Machine, settings=HUNT)


@pytest.mark.parametrize("wrong", COMMON, ids=lambda one: one.__name__)
def test_a_common_fault_is_found_by_a_usual_run(wrong: type[Broken]) -> None:
    class Machine(DeviceMachine):
        def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
            return wrong(root_key)

    with pytest.raises(AssertionError, match=COMMON[wrong]):
        run_state_machine_as_test(Machine, settings=USUAL)


@pytest.mark.parametrize("name", [one for one in DEVICE_PROFILES if "documents" not in one])
def test_every_stack_that_differs_from_the_documents_is_found_out(name: str) -> None:
    package = device_profile(name).fragmentation.package

    class Machine(DeviceMachine):
        version = package.version

        def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
            return ReferenceDevice(root_key, profile=name)

    with pytest.raises(Violation):
        run_state_machine_as_test(Machine, settings=HUNT)


def test_a_violation_is_not_hidden_by_what_follows_it() -> None:
    class Wrong(Broken):
        """Delivers another block, and then falls over."""

        failed = False

        def take_blocks(self) -> list[Block]:
            found = [Block(index, data[::-1] + b"!") for index, data in super().take_blocks()]
            self.failed |= bool(found)
            return found

        def tick(self, now: float) -> Iterable[tuple[int, bytes]]:
            assert not self.failed, "it was called after it had failed"
            return super().tick(now)

    class Machine(DeviceMachine):
        def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
            return Wrong(root_key)

    with pytest.raises(Violation, match="that is not the one that was sent"):
        run_state_machine_as_test(Machine, settings=HUNT)


def test_a_subclass_can_have_rules_of_its_own() -> None:
    class Machine(DeviceMachine):
        def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
            return ReferenceDevice(root_key)

        @rule()
        def ask_in_a_way_of_its_own(self) -> None:
            """Ask for the version and a session that the device cannot have."""
            self.deliver(b"\x00")
            assert isinstance(self.device, ReferenceDevice)
            assert self.device.receive(201, b"\x03\x03", self.now) == [Uplink(201, b"\x03\x07")], (
                "there is a session 3"
            )

    with pytest.raises(AssertionError, match="there is a session 3"):
        run_state_machine_as_test(Machine, settings=HUNT)


def test_what_wraps_the_broken_devices_is_not_broken() -> None:
    class Machine(DeviceMachine):
        def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
            return Broken(root_key)

    run_state_machine_as_test(Machine, settings=RUN)


@pytest.mark.parametrize("most", [1, 9, 10, 200, 256, 300])
@given(data=st.data())
def test_blocks_keep_to_what_the_device_takes(most: int, data: st.DataObject) -> None:
    assert 1 <= data.draw(_counts(most)) <= most


def test_some_blocks_have_more_fragments_than_an_octet_counts() -> None:
    assert find(_counts(300), lambda count: count > 255) in (256, 257, 300)
    assert find(_counts(300), lambda count: True) == 1


class Drawn:
    """Draws what it is told to."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def draw(self, strategy: Any, label: object = None) -> Any:
        return self.values.pop(0)


def test_no_fragment_has_a_number_there_is_none_of() -> None:
    heard: list[int] = []

    class Listens(Broken):
        def receive(self, fport: int, payload: bytes, now: float) -> Iterable[tuple[int, bytes]]:
            heard.extend([int.from_bytes(payload[1:3], "little")] if payload[0] == 0x08 else [])
            return super().receive(fport, payload, now)

    class Machine(DeviceMachine):
        def new_device(self, root_key: GenAppKey | AppKey) -> DeviceUnderTest:
            return Listens(root_key)

    machine: Any = Machine()
    machine.switch_on(root_key=GenAppKey(bytes(16)), channel=Channel(chance=random.Random(1)))
    machine.set_up(index=0, data=Drawn(DataBlock(bytes(5), 1)), delay=0, report=False)
    [setup] = machine._open()
    machine._sent[0] = 16_380
    machine.send_fragments(data=Drawn(setup), many=12)
    machine.send_fragments(data=Drawn(setup), many=12)
    assert heard == [16_381, 16_382, 16_383]
    heard.clear()
    machine.send_most(data=Drawn(setup, {1, 2, 3, 4}), far=16_374, spare=8, twice=0)
    assert heard == [5, 16_380, 16_381, 16_382, 16_383]
