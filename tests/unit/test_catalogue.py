from __future__ import annotations

import pytest

import lorafuota
from lorafuota import DOWNLINK, UPLINK, FieldError, PackageMap, package, parse
from lorafuota.firmwaremanagement.v1 import DevVersionReq
from lorafuota.fragmentation import v1, v2
from lorafuota.multipackage.v1 import MultiPackBufferReq


def test_packages_are_found_by_name_or_document() -> None:
    assert package("fragmentation", 2) is v2.PACKAGE
    assert package("TS004", 1) is v1.PACKAGE


def test_default_ports_are_the_documents() -> None:
    ports = PackageMap()
    found = {fport: str(ports.at(fport)) for fport in (200, 201, 202, 203, 225)}
    assert found == {
        200: "multicastsetup/2",
        201: "fragmentation/2",
        202: "clocksync/2",
        203: "firmwaremanagement/1",
        225: "multipackage/1",
    }
    assert ports.at(1) is None
    assert ports.fport("fragmentation") == 201


def test_packages_come_in_the_order_of_the_catalogue() -> None:
    mapped = PackageMap(versions={"fragmentation": 1}, fports={"clocksync": 9, "fragmentation": 7})
    assert list(PackageMap().packages) == list(mapped.packages) == [0, 1, 2, 3, 4]


def test_versions_and_ports_can_be_mapped_anew() -> None:
    ports = PackageMap(versions={"fragmentation": 1}, fports={"fragmentation": 7})
    assert ports.at(7) is v1.PACKAGE
    assert ports.at(201) is None
    assert ports.fport("fragmentation") == 7
    assert ports.parse(7, UPLINK, b"\x02\x40") == v1.PACKAGE.parse(b"\x02\x40", UPLINK)


@pytest.mark.parametrize(
    ("versions", "fports", "match"),
    [
        ({"fragmentation": 3}, {}, "version = 3: expected 1 or 2 for fragmentation"),
        ({"nothing": 1}, {}, "name = 'nothing': expected one of multipackage, clocksync"),
        ({}, {"fragmentation": 200}, "a port of its own"),
        ({}, {"fragmentation": 0}, "int in 1..224"),
        ({}, {"fragmentation": 225}, "int in 1..224"),
        ({}, {"multipackage": 201}, "expected 225"),
    ],
)
def test_maps_that_cannot_be_are_refused(
    versions: dict[str, int], fports: dict[str, int], match: str
) -> None:
    with pytest.raises(FieldError, match=match.replace(".", r"\.")):
        PackageMap(versions=versions, fports=fports)


def test_a_port_without_a_package_is_the_callers_mistake() -> None:
    with pytest.raises(FieldError, match=r"fport = 1: expected one of \[200, 201, 202, 203, 225\]"):
        PackageMap().parse(1, UPLINK, b"")


def test_port_225_gives_the_commands_of_all_packages() -> None:
    octets = bytes.fromhex("8401048100800103")
    names = [type(one).__name__ for one in parse("multipackage", 1, DOWNLINK, octets)]
    assert names == ["DevVersionReq", "DevUpgradeImageReq", "PackageVersionReq", "DevPackageReq"]
    assert PackageMap().parse(225, DOWNLINK, b"\x02\x00\x7f") == [
        MultiPackBufferReq(start_byte=0, stop_byte=127)
    ]
    known, unknown = PackageMap().parse(225, DOWNLINK, bytes.fromhex("84017000"))
    assert known == DevVersionReq()
    assert isinstance(unknown, lorafuota.UnknownCommand)


def test_json_finds_its_package() -> None:
    message = v2.FragDataBlockReceivedAns(frag_index=2)
    assert lorafuota.from_json(v2.PACKAGE.to_json(message)) == message
    for data in (None, {}, {"package": "fragmentation"}, {"package": 1, "version": 1}):
        with pytest.raises(FieldError):
            lorafuota.from_json(data)
