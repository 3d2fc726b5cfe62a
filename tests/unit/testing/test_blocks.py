from __future__ import annotations

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError
from lorafuota.testing.blocks import CORNERS, blocks


@given(block=blocks(nb_frag=st.integers(3, 5), frag_size=7, padding=6, descriptor=b"abcd"))
def test_everything_can_be_pinned(block: DataBlock) -> None:
    assert 3 <= block.nb_frag <= 5
    assert (block.frag_size, block.padding, block.descriptor) == (7, 6, b"abcd")


@given(block=blocks(max_nb_frag=9))
def test_blocks_keep_to_the_largest(block: DataBlock) -> None:
    assert 1 <= block.nb_frag <= 9
    assert 1 <= block.frag_size <= 239


@pytest.mark.parametrize("corner", [one for one in CORNERS if one <= 64])
def test_every_corner_is_found_with_the_simplest_image(corner: int) -> None:
    block = find(blocks(), lambda one: one.nb_frag == corner)
    assert block == DataBlock(bytes(range(corner)), 1)


def test_padding_reaches_all_but_an_octet() -> None:
    block = find(blocks(), lambda one: one.padding >= 5)
    assert block == DataBlock(b"\x00", 6)


def test_the_simplest_image_has_no_two_fragments_alike() -> None:
    block = find(blocks(frag_size=5, nb_frag=50), lambda one: True)
    assert len({block.image[at : at + 5] for at in range(0, 250, 5)}) == 50


@pytest.mark.parametrize(
    "wrong",
    [
        {"nb_frag": 0},
        {"nb_frag": 16384},
        {"frag_size": 256},
        {"max_nb_frag": 0},
        {"frag_size": True},
    ],
)
def test_numbers_out_of_range_are_refused_at_once(wrong: dict[str, int]) -> None:
    [field] = wrong
    with pytest.raises(FieldError, match=f"^blocks.{field} = "):
        blocks(**wrong)  # type: ignore[arg-type]


def test_padding_of_a_whole_fragment_is_refused_when_it_is_drawn() -> None:
    with pytest.raises(FieldError, match=r"^blocks.padding = 4: expected int in 0..3"):
        find(blocks(frag_size=st.just(4), padding=4), lambda one: True)
