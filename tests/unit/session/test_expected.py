"""Which answer a request gets, and how long it can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.catalogue import PACKAGES
from lorafuota.clocksync import v1 as clocksync
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation import v2 as fragmentation
from lorafuota.multipackage import v1 as multipackage
from lorafuota.package import Package
from lorafuota.session.expected import answer_kind, answer_room
from lorafuota.testing.strategies import records
from lorafuota.types import DOWNLINK
from lorafuota.wire import Command

NO_ANSWER = {
    "AppTimeAns",
    "ForceDeviceResyncReq",
    "ForceDeviceResyncCmd",
    "FragDataBlockReceivedAns",
    "DataFragment",
}
REQUESTS = [
    (package, cls)
    for package in PACKAGES
    for cls in package.commands
    if cls.DIRECTION is DOWNLINK and cls is not multipackage.MultiPackBufferReq
]
AT_ONCE = (
    firmware.DevRebootTimeReq(reboot_time=0),
    firmware.DevRebootCountdownReq(countdown=0),
)
every_request = pytest.mark.parametrize(
    ("package", "cls"), REQUESTS, ids=lambda one: str(getattr(one, "__name__", one))
)


@every_request
@given(data=st.data())
def test_a_request_is_answered_by_the_message_of_its_name(
    package: Package, cls: type[Command], data: st.DataObject
) -> None:
    command = data.draw(records(cls).filter(lambda one: one not in AT_ONCE))
    kind = answer_kind(package, command)
    if cls.__name__ in NO_ANSWER:
        assert kind is None
    else:
        assert kind is not None
        assert kind.__name__ == cls.__name__.removesuffix("Req") + "Ans"
        assert len(data.draw(records(kind)).encode()) <= answer_room(kind)


@pytest.mark.parametrize("command", AT_ONCE)
def test_a_reboot_at_once_has_no_answer(command: Command) -> None:
    assert answer_kind(firmware.PACKAGE, command) is None


@pytest.mark.parametrize(
    ("kind", "octets"),
    [
        (multipackage.DevPackageAns, 47),
        (firmware.DevUpgradeImageAns, 6),
        (firmware.DevVersionAns, 9),
        (clocksync.DeviceAppTimePeriodicityAns, 6),
        (fragmentation.FragSessionStatusAns, 5),
    ],
)
def test_the_room_is_that_of_the_longest_answer(kind: type[Command], octets: int) -> None:
    assert answer_room(kind) == octets
