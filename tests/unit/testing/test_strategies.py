from __future__ import annotations

from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import lorafuota
from lorafuota.errors import FieldError
from lorafuota.firmwaremanagement.v1 import DevUpgradeImageAns, UpImageStatus
from lorafuota.fragmentation.v1 import DataFragment, FragSessionSetupReq
from lorafuota.fragmentation.v2 import FragSessionStatusAns
from lorafuota.multicastsetup.v1 import McClassCSessionAns, McGroup, McGroupStatusAns
from lorafuota.package import MAX_PAYLOAD, Package
from lorafuota.testing.strategies import dev_addrs, dev_euis, keys, payloads, records
from lorafuota.types import DOWNLINK, UPLINK, DevAddr, DevEUI, Direction, GenAppKey
from lorafuota.wire import Record

FRAGMENTATION = lorafuota.package("fragmentation", 2)
GROUPS = tuple(McGroup(mc_group_id=at, mc_addr=DevAddr(at)) for at in (1, 3))


@given(fragment=records(DataFragment, frag_index=2, n=st.integers(5, 6)))
def test_fields_can_be_pinned_to_values_and_strategies(fragment: DataFragment) -> None:
    assert fragment.frag_index == 2
    assert fragment.n in (5, 6)


@given(answer=records(McGroupStatusAns, groups=GROUPS))
def test_what_counts_a_pinned_field_follows_it(answer: McGroupStatusAns) -> None:
    assert answer.ans_group_mask == 0b1010


@given(
    there=records(FragSessionStatusAns, missing_frag=7),
    absent=records(FragSessionStatusAns, missing_frag=None),
    joining=records(McClassCSessionAns, time_to_start=60),
    image=records(DevUpgradeImageAns, next_firmware_version=5),
)
def test_what_decides_whether_a_pinned_field_is_there_follows_it(
    there: FragSessionStatusAns,
    absent: FragSessionStatusAns,
    joining: McClassCSessionAns,
    image: DevUpgradeImageAns,
) -> None:
    assert not there.session_does_not_exist
    assert absent.session_does_not_exist
    assert absent.frag_index is None
    assert joining.errors == 0
    assert image.up_image_status is UpImageStatus.VALID


@pytest.mark.parametrize(
    ("cls", "pinned", "said"),
    [
        (
            DataFragment,
            {"m": 1},
            "DataFragment.pinned = 'm': expected one of n, frag_index, ",
        ),
        (DataFragment, {"n": 0}, "DataFragment.n = 0: expected int in 1..16383"),
        (DataFragment, {"payload": "ab"}, "DataFragment.payload = 'ab'"),
        (FragSessionStatusAns, {"missing_frag": 256}, "FragSessionStatusAns.missing_frag = 256"),
        (
            FragSessionStatusAns,
            {"session_does_not_exist": True, "missing_frag": 1},
            "FragSessionStatusAns.pinned = session_does_not_exist, missing_frag: ",
        ),
        (
            FragSessionStatusAns,
            {"frag_index": None, "missing_frag": 1},
            "FragSessionStatusAns.pinned = frag_index, missing_frag: expected what fits",
        ),
        (
            McGroupStatusAns,
            {"groups": 3},
            "McGroupStatusAns.groups = 3: expected a tuple of ",
        ),
    ],
)
def test_what_cannot_be_pinned_is_refused_at_once(
    cls: type[Record], pinned: dict[str, Any], said: str
) -> None:
    with pytest.raises(FieldError) as caught:
        records(cls, **pinned)
    assert str(caught.value).startswith(said)


def test_messages_shrink_to_something_small() -> None:
    assert find(records(DataFragment), lambda one: one.n == 16383).payload == b""
    four = find(records(McGroupStatusAns), lambda one: len(one.groups) == 4)
    assert [group.mc_group_id for group in four.groups] == [0, 1, 2, 3]
    assert find(records(FragSessionSetupReq), lambda one: one.nb_frag > 300) == (
        FragSessionSetupReq(
            mc_group_bit_mask=0,
            frag_index=0,
            nb_frag=301,
            frag_size=0,
            block_ack_delay=0,
            frag_algo=0,
            padding=0,
            descriptor=bytes(4),
        )
    )


@pytest.mark.parametrize("package", lorafuota.PACKAGES, ids=str)
@pytest.mark.parametrize("direction", list(Direction), ids=lambda one: one.value)
@given(data=st.data(), octets=st.integers(11, MAX_PAYLOAD), size=st.integers(1, 6))
def test_payloads_hold_commands_of_one_direction_and_fit(
    package: Package, direction: Direction, data: st.DataObject, octets: int, size: int
) -> None:
    commands = data.draw(payloads(package, direction, max_size=size, max_octets=octets))
    assert 1 <= len(commands) <= size
    assert {one.DIRECTION for one in commands} == {direction}
    assert len(package.join(commands)) <= octets


def test_payloads_shrink_to_the_shortest_commands() -> None:
    three = find(payloads(FRAGMENTATION, DOWNLINK), lambda one: len(one) == 3)
    assert FRAGMENTATION.join(three) == bytes(3)
    longest = find(payloads(FRAGMENTATION, DOWNLINK), lambda one: len(one[0].encode()) == 242)
    assert longest == [DataFragment(n=1, frag_index=0, payload=bytes(239))]


@given(data=st.data())
def test_the_version_in_a_payload_is_the_packages(data: st.DataObject) -> None:
    package = data.draw(st.sampled_from(lorafuota.PACKAGES))
    for one in data.draw(payloads(package, UPLINK)):
        if one.CID == 0:
            assert one == package.version_ans()


def test_payloads_of_nothing_are_refused() -> None:
    with pytest.raises(FieldError, match=r"^payloads.max_size = 0"):
        payloads(FRAGMENTATION, UPLINK, max_size=0)
    for octets in (10, 243):
        said = rf"^payloads.max_octets = {octets}: expected int in 11..242"
        with pytest.raises(FieldError, match=said):
            payloads(FRAGMENTATION, UPLINK, max_octets=octets)


def test_addresses_and_keys_reach_their_ends() -> None:
    assert find(dev_addrs(), lambda one: one > 0xFFFFFFFE) == DevAddr(0xFFFFFFFF)
    assert find(dev_euis(), lambda one: one == 2**64 - 1) == DevEUI(2**64 - 1)
    assert find(keys(GenAppKey), lambda one: True) == GenAppKey(bytes(16))
