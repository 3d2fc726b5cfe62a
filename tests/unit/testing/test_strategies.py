from __future__ import annotations

from hypothesis import find, given
from hypothesis import strategies as st

import lorafuota
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.multicastsetup.v1 import McGroupStatusAns
from lorafuota.testing.strategies import payloads, records
from lorafuota.types import UPLINK


@given(fragment=records(DataFragment, frag_index=2))
def test_fields_can_be_pinned(fragment: DataFragment) -> None:
    assert fragment.frag_index == 2


def test_the_ends_of_a_range_are_found_and_shrink_to_something_small() -> None:
    assert find(records(DataFragment), lambda one: one.n == 16383).payload == b""
    four = find(records(McGroupStatusAns), lambda one: len(one.groups) == 4)
    assert [group.mc_group_id for group in four.groups] == [0, 1, 2, 3]


@given(data=st.data())
def test_payloads_hold_commands_of_one_direction(data: st.DataObject) -> None:
    package = data.draw(st.sampled_from(lorafuota.PACKAGES))
    commands = data.draw(payloads(package, UPLINK))
    assert commands
    assert {one.DIRECTION for one in commands} == {UPLINK}
