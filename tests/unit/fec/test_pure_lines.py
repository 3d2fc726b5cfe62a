"""Lines drawn in big integers, held against the reference."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable

import pytest

from lorafuota.fec import _pure, _pure_lines, _reference
from tests.support import LONG

VARIANTS = (0, 1, 3)
POWERS_OF_TWO = [2**k for k in range(14)]
LARGE = (499, 1000, 2499, 2500, 2501, 3333, 4400, 8001, 8191, 8193, 12600, 16000, 16382, 16383)
NUMBERS = 2**14


def some_numbers(rng: random.Random, nb_frag: int, count: int) -> list[int]:
    """Numbers of plain fragments, of the first coded ones, and of any."""
    nearby = min(2 * nb_frag + 20, NUMBERS - 1)
    return [rng.randint(1, rng.choice((nearby, NUMBERS - 1))) for _ in range(count)]


def the_ways_of_drawing() -> list[Callable[[_pure_lines._Drawing, list[int]], list[bytes]]]:
    return [_pure_lines._draw_plainly, _pure_lines._draw_singly, _pure_lines._draw_side_by_side]


@pytest.mark.parametrize("variant", VARIANTS)
def test_lines_of_every_small_block_are_those_of_the_reference(variant: int) -> None:
    rng = random.Random(variant)
    for nb_frag in range(1, 301):
        for count in (1, 10, 30):
            numbers = some_numbers(rng, nb_frag, count)
            expected = _reference.lines(nb_frag, numbers, variant)
            assert _pure.lines(nb_frag, numbers, variant) == expected, (nb_frag, numbers)


@pytest.mark.parametrize("variant", VARIANTS)
def test_lines_of_every_class_of_block_are_those_of_the_reference(variant: int) -> None:
    rng = random.Random(variant)
    for nb_frag in (*POWERS_OF_TWO, *LARGE):
        numbers = some_numbers(rng, nb_frag, 2000 if LONG else 25)
        expected = _reference.lines(nb_frag, numbers, variant)
        assert _pure.lines(nb_frag, numbers, variant) == expected, (nb_frag, numbers)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("nb_frag", [1, 2, 3, 62, 64, 100, 256, 1000, 2048, 4400, 8000])
def test_every_way_of_drawing_copes_with_seeds_of_24_bits(nb_frag: int, variant: int) -> None:
    last = NUMBERS - 1 - nb_frag
    positions = [*range(min(8376, last), min(8401, last + 1)), last]
    if variant & 2:
        positions = [position + nb_frag for position in positions]
    seeds = [1 + 1001 * position for position in positions]
    assert any(seed >= 2**23 for seed in seeds) or nb_frag == 8000
    drawing = _pure_lines._Drawing(nb_frag, distinct=bool(variant & 1))
    numbers = [position + (0 if variant & 2 else nb_frag) for position in positions]
    expected = [_reference.lines(nb_frag, [n], variant) for n in numbers]
    assert _pure.lines(nb_frag, numbers, variant) == b"".join(expected)
    for draw in the_ways_of_drawing()[: 3 if nb_frag >= 64 else 1]:
        assert draw(drawing, seeds) == expected, draw.__name__


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("nb_frag", [64, 65, 255, 256, 257, 1024, 1025, 3001, 4096])
def test_every_way_of_drawing_gives_the_same_lines(nb_frag: int, distinct: bool) -> None:
    drawing = _pure_lines._Drawing(nb_frag, distinct=distinct)
    rng = random.Random(nb_frag)
    seeds = [1 + 1001 * rng.randint(1, NUMBERS - 1) for _ in range(2000 if LONG else 40)]
    plainly, singly, side_by_side = [draw(drawing, seeds) for draw in the_ways_of_drawing()]
    assert singly == plainly
    assert side_by_side == plainly


def test_more_lines_than_lanes_are_drawn_in_batches() -> None:
    numbers = list(range(501, 501 + 2 * 128 + 3))
    random.Random(1).shuffle(numbers)
    assert _pure.lines(500, numbers, 0) == _reference.lines(500, numbers, 0)


def test_no_numbers_have_no_lines() -> None:
    assert _pure.lines(100, [], 0) == b""


def test_a_word_that_two_others_seem_to_contain_is_counted_once() -> None:
    words = array("H", [0x0001, 0x0001, 0x0100, 0x0101, 0x0100])
    assert _pure_lines._occurrences(words, 0x0100) == 2
    assert _pure_lines._occurrences(words, 0x0101) == 1


def remainder_bounds(nb_frag: int) -> tuple[int, int]:
    """The largest product in a lane, and the largest remainder, found by trying every quotient.

    With the quotient the same, the remainder grows with the state, so for each value of the upper
    bits only the largest state counts.  The smallest shows that nothing is borrowed.
    """
    drawing = _pure_lines._Drawing(nb_frag, distinct=False)
    low, factor, shift, modulus = drawing.low, drawing.factor, drawing.shift, drawing.modulus
    uppers = range(1 << 23 - low)
    assert all((h << low) >= (h * factor >> shift) * modulus for h in uppers)
    largest = max((h << low) - (h * factor >> shift) * modulus for h in uppers) + (1 << low) - 1
    assert largest < drawing.segments * modulus
    assert drawing.segments * modulus < 2**16  # which itself stands for no column
    assert uppers[-1] * factor < 2**32
    return uppers[-1] * factor, largest


def test_remainders_stay_within_their_bounds_for_every_block() -> None:
    step = 1 if LONG else 97
    for nb_frag in {*range(2, NUMBERS, step), *range(2, 130), *POWERS_OF_TWO[1:], *LARGE}:
        remainder_bounds(nb_frag)
