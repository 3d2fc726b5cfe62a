from __future__ import annotations

import random

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from lorafuota._kinds import Int
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.multicastsetup.v1 import McClassCSessionAns
from lorafuota.testing._values import LONGEST_REST, edges, filled, numbers, octets, possible

RANGES = [(0, 255), (1, 16383), (0, 65535), (0, (1 << 32) - 1), (-(1 << 31), (1 << 31) - 1)]


def test_the_edges_are_ends_next_to_ends_and_around_powers_of_two() -> None:
    assert edges(0, 9) == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert edges(1, 16383)[:3] == [1, 2, 3]
    assert edges(1, 16383)[-4:] == [8192, 8193, 16382, 16383]
    assert edges(-128, 127)[:3] == [-128, -127, -65]


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_every_end_is_found(low: int, high: int) -> None:
    for one in (low, low + 1, high - 1, high):
        assert find(numbers(low, high), one.__eq__) == one


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_numbers_shrink_to_the_smallest_that_will_do(low: int, high: int) -> None:
    seeded = random.Random(1)
    assert find(numbers(low, high), lambda number: number > 100, random=seeded) == 101
    assert find(numbers(low, high), lambda number: True) == max(low, 0)


@pytest.mark.parametrize(("low", "high"), RANGES[1:])
def test_many_numbers_are_edges_and_all_are_in_range(low: int, high: int) -> None:
    at_edges = set(edges(low, high))
    seen = []

    @settings(max_examples=400, database=None, derandomize=True)
    @given(number=numbers(low, high))
    def collect(number: int) -> None:
        assert low <= number <= high
        seen.append(number in at_edges)

    collect()
    assert sum(seen) > len(seen) / 5


def test_octets_reach_the_longest_and_shrink_to_zeros() -> None:
    assert find(octets(0, 239), lambda one: len(one) == 239) == bytes(239)
    assert find(octets(0, 239), lambda one: len(one) > 3) == bytes(4)


def test_reserved_bits_of_a_field_are_never_set() -> None:
    kind = McClassCSessionAns.KINDS["errors"]
    assert isinstance(kind, Int)
    assert [int(one) for one in possible(kind)] == list(range(8))


@given(data=st.data(), longest=st.integers(0, LONGEST_REST))
def test_a_greedy_field_keeps_to_the_length_given(data: st.DataObject, longest: int) -> None:
    fragment = data.draw(filled(DataFragment, {}, longest=longest))
    assert len(fragment.payload) <= longest
