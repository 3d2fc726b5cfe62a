from __future__ import annotations

import pytest

from lorafuota import DOWNLINK, UPLINK, package
from lorafuota.catalogue import PackageMap
from lorafuota.dissect.explain import MULTIPACKAGE, explain
from lorafuota.dissect.versions import hints, rank, readings, same_reading, versions_of
from lorafuota.types import Direction

SETUP = "02 01 1400 32 00 05 00000000"
FACES = {
    "0100": (
        "reads FragSessionSetupReq, FragSessionStatusReq, then cannot read 4 octets from octet 13: "
        "unknown command identifier 0x4D"
    ),
    "0200": (
        "reads FragSessionSetupReq, then cannot read 6 octets from octet 11: "
        "needs 10 octets here, has 5"
    ),
    "3000": (
        "reads FragSessionSetupReq, then cannot read 6 octets from octet 11: "
        "unknown command identifier 0x30"
    ),
}


@pytest.mark.parametrize("session_cnt", FACES)
def test_the_three_faces_of_a_version_2_set_up_have_one_cause(session_cnt: str) -> None:
    payload = bytes.fromhex(f"{SETUP} {session_cnt} 4d6d1790")
    best, other = readings(package("fragmentation", 1), DOWNLINK, payload)
    assert [(one.name, [reason.sentence for reason in one.reasons]) for one in (best, other)] == [
        ("fragmentation/2", ["reads all of 17 octets: FragSessionSetupReq"]),
        ("fragmentation/1", [FACES[session_cnt]]),
    ]
    assert best.weight > other.weight
    assert other.to_json() == {
        "name": "fragmentation/1",
        "weight": other.weight,
        "complete": False,
        "commands": [type(one).__name__ for one in other.explanation.commands],
        "reasons": [FACES[session_cnt]],
    }


@pytest.mark.parametrize(
    ("name", "way", "text", "best"),
    [
        ("fragmentation", UPLINK, "01 1400 00 00", "fragmentation/1"),  # v2: reserved bits, stale
        ("fragmentation", UPLINK, "01 00 1400 00", "fragmentation/1"),  # v2 reads it as well
        ("fragmentation", UPLINK, "04 00", "fragmentation/2"),
        ("fragmentation", UPLINK, "02 10", "fragmentation/2"),  # SESSION_CNT_REPLAY
        ("fragmentation", DOWNLINK, f"{SETUP}", "fragmentation/1"),
        ("multicastsetup", UPLINK, "04 20", "multicastsetup/2"),  # START_MISSED
        ("clocksync", DOWNLINK, "03 01", "clocksync/2"),
    ],
)
def test_the_version_that_explains_a_payload_best_comes_first(
    name: str, way: Direction, text: str, best: str
) -> None:
    found = readings(package(name, 1), way, bytes.fromhex(text))
    weights = [one.weight for one in found]
    assert weights == sorted(weights, reverse=True)
    if text == "01 00 1400 00":  # both read it completely: v1 as 5120 received, v2 as 20
        assert [one.explanation.complete for one in found] == [True, True]
        assert weights[0] == weights[1]
    else:
        assert found[0].name == best


def test_among_equals_the_newest_comes_first_and_equality_is_said() -> None:
    one, other = readings(package("fragmentation", 1), DOWNLINK, bytes.fromhex("0100"))
    assert (one.name, other.name, one.weight == other.weight) == (
        "fragmentation/2",
        "fragmentation/1",
        True,
    )
    assert same_reading(one, other)
    one, other = readings(package("fragmentation", 1), UPLINK, bytes.fromhex("0100140000"))
    assert not same_reading(one, other)


def test_reserved_bits_and_odd_values_speak_against_a_reading() -> None:
    read = explain(package("fragmentation", 1), DOWNLINK, bytes.fromhex("0201140032003200000000"))
    assert [reason.weight < 0 for reason in rank(read, "x").reasons] == [False, True]
    read = explain(package("fragmentation", 1), DOWNLINK, bytes.fromhex("03f1"))
    reasons = rank(read, "x").reasons
    assert reasons[1].weight < 0
    assert reasons[1].sentence.startswith("reserved bits are set: FragSessionDeleteReq has")


def test_a_command_set_is_read_with_every_combination_that_differs() -> None:
    payload = bytes.fromhex(f"83 {SETUP} 0100 4d6d1790 01")
    found = readings(MULTIPACKAGE, DOWNLINK, payload)
    assert [one.name for one in found] == [
        "multipackage/1",
        "multipackage/1 --speaks fragmentation/1",
    ]
    assert found[0].explanation.complete


def test_hints_name_the_other_version_or_the_other_direction() -> None:
    payload = bytes.fromhex(f"{SETUP} 0100 4d6d1790")
    assert hints(explain(package("fragmentation", 1), DOWNLINK, payload)) == [
        "reads completely as fragmentation/2: FragSessionSetupReq"
    ]
    wrong_way = explain(package("clocksync", 2), DOWNLINK, bytes.fromhex("020078563412"))
    assert hints(wrong_way) == [
        "reads completely as clocksync/2, uplink: DeviceAppTimePeriodicityAns"
    ]
    assert hints(explain(package("fragmentation", 1), DOWNLINK, b"\xff")) == []
    whole = bytes.fromhex(f"83 {SETUP} 0100 4d6d1790 01")
    speaks = PackageMap({"fragmentation": 1, "clocksync": 1})
    assert hints(explain(MULTIPACKAGE, DOWNLINK, whole, speaks=speaks))[0] == (
        "reads completely as multipackage/1 --speaks fragmentation/2: FragSessionSetupReq"
    )


def test_versions_are_found_by_name_and_by_document() -> None:
    assert [versions_of(name) for name in ("fragmentation", "TS006", "x")] == [[1, 2], [1], []]
