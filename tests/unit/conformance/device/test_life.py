import dataclasses

import pytest

from lorafuota.conformance.check import Failed
from lorafuota.conformance.device.life import expect_version
from lorafuota.conformance.devicepeer import DevicePeer
from tests.mutants.mutant import V2, own_device
from tests.mutants.silent import SilentDevice

from .support import peer


def test_a_device_that_answers_is_alive_whatever_it_asks_by_itself() -> None:
    device = peer()
    device.power_on(factory=True, clock_known=False)
    expect_version(device, device.package("clocksync"))


def test_a_device_that_is_silent_or_of_another_version_is_not() -> None:
    silent = DevicePeer(SilentDevice(own_device(V2).about), seed="unit")
    wanted = "expected PackageVersionAns(package_identifier=3, package_version=2); came nothing"
    with pytest.raises(Failed) as caught:
        expect_version(silent, silent.package("fragmentation"))
    assert str(caught.value) == wanted
    device = peer()
    other = dataclasses.replace(device.package("fragmentation"), version=1)
    with pytest.raises(Failed, match=r"package_version=1\); came \[.*package_version=2\)\]"):
        expect_version(device, other)
