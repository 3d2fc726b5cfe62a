from __future__ import annotations

import pytest

from lorafuota.dissect.devicepackages import Declared, declared, port_map
from lorafuota.errors import FieldError

ANS = bytes.fromhex("01 03 0001e1 03014d 7f0901 02")


def test_a_device_declares_versions_and_ports() -> None:
    said = declared(ANS)
    assert said == Declared(
        {"multipackage": 1, "fragmentation": 1}, {"multipackage": 225, "fragmentation": 77}
    )
    own = Declared({"multipackage": 1}, {})
    assert declared(bytes.fromhex("00000102")) == own
    assert declared(bytes.fromhex("000001 83 000301 02")) == Declared(
        {"multipackage": 1, "fragmentation": 1}, {}
    )
    assert declared(bytes.fromhex("83 000101 02")) is None  # of another package than its own
    assert declared(b"") is None


def test_ports_are_the_devices_then_the_callers_then_the_documents() -> None:
    ports = port_map({"clocksync": 5, "fragmentation": 6}, declared(ANS))
    names = [one and one.name for one in map(ports.at, (5, 6, 77, 200, 201))]
    assert names == ["clocksync", None, "fragmentation", "multicastsetup", None]
    assert port_map({}, None).fport("fragmentation") == 201


def test_ports_that_cannot_be_are_not_believed_of_a_device_and_refused_of_a_caller() -> None:
    twice = Declared({}, {"fragmentation": 200})
    assert port_map({}, twice).fport("fragmentation") == 201
    with pytest.raises(FieldError):
        port_map({"fragmentation": 200}, None)
