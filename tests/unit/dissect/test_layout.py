from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota import PACKAGES
from lorafuota.dissect.layout import Line, lay_out, reserved_bits
from lorafuota.fragmentation import v1, v2
from lorafuota.multicastsetup import v1 as multicast_v1
from lorafuota.multicastsetup.v1 import McGroup, McGroupStatusAns
from lorafuota.testing.strategies import records
from lorafuota.types import DevAddr
from lorafuota.wire import Command

EVERY = sorted({cls for one in PACKAGES for cls in one.commands}, key=lambda cls: str(cls))


def places(lines: list[Line]) -> list[tuple[str, str, int, int, str]]:
    return [(one.octets, one.bits, one.start, one.stop, one.name) for one in lines]


def test_bits_of_a_run_stand_where_the_document_has_them() -> None:
    status = v1.FragSessionStatusAns(
        nb_frag_received=1, frag_index=3, missing_frag=200, not_enough_matrix_memory=False
    )
    lines = list(lay_out(status, b"\x01" + status.encode_body(), 1))
    assert places(lines) == [
        ("0-1", "13:0", 1, 3, "NbFragReceived"),
        ("1", "7:6", 2, 3, "FragIndex"),
        ("2", "", 3, 4, "MissingFrag"),
        ("3", "0", 4, 5, "NotEnoughMatrixMemory"),
    ]


def test_a_field_that_is_not_there_has_no_place() -> None:
    gone = v2.FragSessionStatusAns.decode(bytes.fromhex("0104"))
    lines = list(lay_out(gone, bytes.fromhex("0104"), 1))
    assert [(one.octets, one.shown) for one in lines[3:]] == [("", "not there")] * 3
    assert all(one.start == one.stop for one in lines[3:])


def test_records_of_a_list_have_their_number_and_their_place() -> None:
    groups = (
        McGroup(mc_group_id=1, mc_addr=DevAddr(1)),
        McGroup(mc_group_id=3, mc_addr=DevAddr(2)),
    )
    ans = McGroupStatusAns(ans_group_mask=0b1010, nb_total_groups=2, groups=groups)
    lines = list(lay_out(ans, ans.encode(), 1))
    assert places(lines)[2:] == [
        ("1-10", "", 2, 12, "Groups"),
        ("1", "1:0", 2, 3, "Groups[0].McGroupID"),
        ("2-5", "", 3, 7, "Groups[0].McAddr"),
        ("6", "1:0", 7, 8, "Groups[1].McGroupID"),
        ("7-10", "", 8, 12, "Groups[1].McAddr"),
    ]
    assert (lines[2].shown, lines[2].value) == ("2 records", 2)


def test_reserved_bits_have_a_line_only_if_they_are_set() -> None:
    payload = bytes.fromhex("03f5")
    delete = v1.FragSessionDeleteReq.decode(payload)
    lines = list(lay_out(delete, payload, 1))
    assert [(one.name, one.field, one.bits, one.value) for one in lines] == [
        ("FragIndex", "frag_index", "1:0", 1),
        ("RFU", "", "7:2", 0x3D),
    ]
    assert len(list(lay_out(delete, delete.encode(), 1))) == 1


def test_bits_of_the_field_itself_may_be_reserved() -> None:
    ans = multicast_v1.McClassCSessionAns.decode(bytes.fromhex("0420"))
    assert list(reserved_bits(ans)) == [("errors", 8)]
    assert list(reserved_bits(multicast_v1.McClassCSessionAns.decode(bytes.fromhex("0404")))) == []


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
@given(data=st.data())
def test_the_lines_of_any_command_cover_it_once_and_hold_its_json(
    cls: type[Command], data: st.DataObject
) -> None:
    message = data.draw(records(cls))
    octets = b"\xee\xee" + message.encode()
    lines = list(lay_out(message, octets, 3))
    named = {one.field: one.value for one in lines if "." not in one.name}
    plain = message.to_json()
    assert named == {
        field: len(value) if isinstance(value, list) and named[field] == len(value) else value
        for field, value in plain.items()
    }
    covered: set[int] = set()
    for one in lines:
        covered |= set(range(one.start, one.stop))
    assert covered == set(range(3, len(octets)))
    assert all(one.to_json()["name"] == one.name for one in lines)
