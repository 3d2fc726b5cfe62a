from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lorafuota.dissect.maccommands import MacCommand, read_mac_commands
from lorafuota.types import DOWNLINK, UPLINK, Direction


def test_commands_are_named_by_direction_and_cut_by_their_length() -> None:
    up = list(read_mac_commands(bytes.fromhex("0307 0d 02"), UPLINK, 8))
    assert [(one.at, one.name, one.octets.hex()) for one in up] == [
        (8, "LinkADRAns", "07"),
        (10, "DeviceTimeReq", ""),
        (11, "LinkCheckReq", ""),
    ]
    down = list(read_mac_commands(bytes.fromhex("0d8877665544 0350ff0001"), DOWNLINK, 0))
    assert [(one.name, one.octets.hex()) for one in down] == [
        ("DeviceTimeAns", "8877665544"),
        ("LinkADRReq", "50ff0001"),
    ]


def test_an_unknown_or_short_command_ends_the_list_with_a_reason() -> None:
    [unknown] = read_mac_commands(bytes.fromhex("8001"), UPLINK, 5)
    assert unknown == MacCommand(
        at=5,
        cid=0x80,
        name="",
        octets=b"\x01",
        purpose="proprietary or encrypted",
        problem="there is no MAC command 0x80 in this direction",
    )
    [short] = read_mac_commands(bytes.fromhex("0350"), DOWNLINK, 0)
    assert short.problem == "LinkADRReq needs 4 octets, has 1"
    [wrong_way] = read_mac_commands(bytes.fromhex("0e"), UPLINK, 0)
    assert wrong_way.problem == "there is no MAC command 0x0E in this direction"
    assert short.to_json() == {
        "at": 0,
        "cid": 3,
        "name": "LinkADRReq",
        "octets": "50",
        "purpose": "data rate, power, channels",
        "problem": "LinkADRReq needs 4 octets, has 1",
    }


@given(st.binary(max_size=40), st.sampled_from([UPLINK, DOWNLINK]))
def test_all_octets_are_accounted_for(octets: bytes, way: Direction) -> None:
    found = list(read_mac_commands(octets, way, 0))
    assert b"".join(bytes((one.cid,)) + one.octets for one in found) == octets
    assert not any(one.problem for one in found[:-1])
