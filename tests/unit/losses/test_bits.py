"""Bits that are one with a given probability, each on its own."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import FieldError
from lorafuota.losses.bits import draw_share, to_bitarray


@pytest.mark.parametrize("share", [0.01, 0.15, 1 / 3, 0.5, 0.75, 0.999])
def test_so_many_bits_are_one_as_the_share_says(share: float) -> None:
    bits = 200_000
    ones = draw_share(share, bits, random.Random(1)).bit_count()
    assert abs(ones - share * bits) < 4 * (bits * share * (1 - share)) ** 0.5


def test_bits_do_not_depend_on_their_neighbours() -> None:
    """Pairs of neighbours are as frequent as chance has it, near and far."""
    bits = 200_000
    drawn = draw_share(0.3, bits, random.Random(2))
    for distance in (1, 2, 31, 32, 64, 1000):
        pairs = (drawn & drawn >> distance).bit_count()
        assert abs(pairs - 0.09 * bits) < 4 * (bits * 0.09) ** 0.5


def test_the_ends_of_the_scale_draw_nothing() -> None:
    chance = random.Random(3)
    before = chance.getstate()
    assert (draw_share(0.0, 9, chance), draw_share(1.0, 9, chance)) == (0, 0b1_1111_1111)
    assert draw_share(0.5, 0, chance) == 0
    assert chance.getstate() == before


def test_the_smallest_shares_there_are_end_too() -> None:
    assert draw_share(5e-324, 1000, random.Random(4)) == 0
    assert draw_share(1 - 2**-53, 1000, random.Random(4)) == (1 << 1000) - 1


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_share_or_length_is_refused(value: float) -> None:
    with pytest.raises(FieldError, match=r"draw_share\.share"):
        draw_share(value, 1, random.Random(0))
    with pytest.raises(FieldError, match=r"draw_share\.length = -1"):
        draw_share(0.5, -1, random.Random(0))


@given(number=st.integers(0, 1 << 70), length=st.integers(0, 70))
def test_a_number_as_bits_has_its_lowest_bit_first(number: int, length: int) -> None:
    number &= (1 << length) - 1
    bits = to_bitarray(number, length)
    assert len(bits) == length
    assert sum(bit << at for at, bit in enumerate(bits)) == number
