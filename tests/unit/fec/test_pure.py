"""The kernels in pure Python, held against the reference."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable

import pytest
from bitarray import bitarray

from lorafuota.fec import _pure, _pure_lines, _reference, kernels
from tests.support import LONG

KERNELS: kernels.Kernels = _pure  # the checker holds the module to the protocol

VARIANTS = (0, 1, 3)
POWERS_OF_TWO = [2**k for k in range(14)]
LARGE = (499, 1000, 2499, 2500, 2501, 3333, 4400, 8001, 8191, 8193, 12600, 16000, 16382, 16383)
NUMBERS = 2**14


def flags(rng: random.Random, length: int, share: float) -> bytes:
    bits = bitarray([rng.random() < share for _ in range(length)], endian="little")
    return bits.tobytes()


def some_numbers(rng: random.Random, nb_frag: int, count: int) -> list[int]:
    """Numbers of plain fragments, of the first coded ones, and of any."""
    nearby = min(2 * nb_frag + 20, NUMBERS - 1)
    return [rng.randint(1, rng.choice((nearby, NUMBERS - 1))) for _ in range(count)]


def the_ways_of_drawing() -> list[Callable[[_pure_lines._Drawing, list[int]], list[bytes]]]:
    return [_pure_lines._draw_plainly, _pure_lines._draw_singly, _pure_lines._draw_side_by_side]


# Lines


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


# Products


def test_products_are_those_of_the_reference() -> None:
    rng = random.Random(2)
    for nb_frag in (1, 2, 7, 8, 9, 12, 100, 257):
        for frag_size in (1, 3, 48, 255):
            block = rng.randbytes(nb_frag * frag_size)
            for count in (0, 1, 2, 24, 25, 144, 145, 200):
                lines = b"".join([flags(rng, nb_frag, rng.random()) for _ in range(count)])
                expected = _reference.product(block, frag_size, nb_frag, lines)
                given = block if count % 2 else bytearray(block)
                assert _pure.product(given, frag_size, nb_frag, lines) == expected


# Rank


def rows_of(basis: bytearray, rank: int) -> list[int]:
    width = len(basis) // rank
    return [
        int.from_bytes(basis[start : start + width], "little")
        for start in range(0, len(basis), width)
    ]


def assert_same_ranks(
    rng: random.Random, nb_frag: int, missing: bytes, lines: bytes, parts: int
) -> None:
    """Insert lines in a few parts, and compare what raises the rank, and what stands where."""
    rank = missing_columns(missing).count()
    mine = bytearray(_pure.basis_octets(rank))
    theirs = bytearray(_reference.basis_octets(rank))
    size = (nb_frag + 7) // 8
    cuts = sorted(rng.randint(0, len(lines) // size) * size for _ in range(parts - 1))
    for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        part = lines[start:end]
        expected = _reference.rank_add(theirs, missing, nb_frag, part)
        assert _pure.rank_add(mine, missing, nb_frag, part) == expected
    if not rank:
        return
    filled = [row and row & -row for row in rows_of(mine, rank)]
    assert filled == [row and 1 << i for i, row in enumerate(rows_of(theirs, rank))]


def missing_columns(missing: bytes) -> bitarray:
    columns = bitarray(endian="little")
    columns.frombytes(missing)
    return columns


def test_ranks_are_those_of_the_reference() -> None:
    rng = random.Random(3)
    for _ in range(2000 if LONG else 120):
        nb_frag = rng.choice((1, 2, 5, 8, 40, 64, 65, 130, 200, 300))
        missing = flags(rng, nb_frag, rng.random())
        numbers = some_numbers(rng, nb_frag, rng.choice((0, 1, 3, 40, 41, 100, 144, 145, 200)))
        lines = _pure.lines(nb_frag, numbers, rng.choice(VARIANTS))
        assert_same_ranks(rng, nb_frag, missing, lines, rng.choice((1, 2, 3)))


def test_ranks_of_plain_and_of_repeated_lines_are_those_of_the_reference() -> None:
    """Sparse rows: the pivot of a column stands far down, and most columns have none."""
    rng = random.Random(4)
    for nb_frag in (100, 300):
        numbers = [*range(1, nb_frag, 2), *range(2, nb_frag, 4), *range(1, 50)]
        rng.shuffle(numbers)
        lines = _pure.lines(nb_frag, numbers, 0)
        assert_same_ranks(rng, nb_frag, flags(rng, nb_frag, 1), lines, 1)
        assert_same_ranks(rng, nb_frag, flags(rng, nb_frag, 0.5), lines, 2)


# Solutions


def solution(
    set_of_kernels: kernels.Kernels,
    block: bytes,
    missing: bytes,
    frag_size: int,
    nb_frag: int,
    lines: bytes,
    payloads: bytes,
) -> bytes | None:
    try:
        return set_of_kernels.solve(block, missing, frag_size, nb_frag, lines, payloads)
    except ValueError:
        return None


@pytest.mark.parametrize("nb_missing", [0, 1, 7, 8, 47, 48, 49, 60, 130, 257])
def test_solutions_are_those_of_the_reference(nb_missing: int) -> None:
    """Even where payloads contradict each other, as random ones do."""
    rng = random.Random(nb_missing)
    solved = 0
    for extra in (-1, 0, 1, 3, 12, 20):
        nb_frag = nb_missing + rng.randint(1, 40)
        frag_size = rng.choice((1, 10, 255))
        columns = bitarray(nb_frag, endian="little")
        columns[rng.sample(range(nb_frag), nb_missing)] = 1
        block = bytearray(rng.randbytes(nb_frag * frag_size))
        for i in columns.search(1):
            block[i * frag_size : (i + 1) * frag_size] = bytes(frag_size)
        count = max(nb_missing + extra, 0)
        rows = [flags(rng, nb_frag, 0.5) for _ in range(count)]
        if extra > 10:  # dependent ones, the payloads of which do not matter
            rows[2:2] = [bytes(len(rows[0])), rows[1], rows[0]]
            rows = rows[:count]
        lines = b"".join(rows)
        payloads = rng.randbytes(count * frag_size)
        arguments = (bytes(block), columns.tobytes(), frag_size, nb_frag, lines, payloads)
        mine = solution(_pure, *arguments)
        assert mine == solution(_reference, *arguments)
        solved += mine is not None
    assert solved >= 2


@pytest.mark.parametrize("nb_frag", [20, 200])
def test_lines_without_rank_have_no_solution(nb_frag: int) -> None:
    missing = flags(random.Random(1), nb_frag, 1)
    lines = missing * (nb_frag + 5)
    with pytest.raises(ValueError, match="rank"):
        _pure.solve(bytes(nb_frag), missing, 1, nb_frag, lines, bytes(nb_frag + 5))
    with pytest.raises(ValueError, match="rank"):
        _pure.solve(bytes(nb_frag), missing, 1, nb_frag, b"", b"")


# Fleets


@pytest.mark.parametrize("small_loss", [_pure._SMALL_LOSS, 0])
def test_completions_are_those_of_the_reference(
    small_loss: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pure, "_SMALL_LOSS", small_loss)
    rng = random.Random(small_loss)
    for _ in range(1000 if LONG else 60):
        nb_frag, nb_coded = rng.choice((1, 2, 8, 33, 100, 128)), rng.randint(0, 70)
        numbers = range(nb_frag + 1, nb_frag + nb_coded + 1)
        lines = _pure.lines(nb_frag, numbers, rng.choice(VARIANTS))
        receptions = b"".join(
            [
                flags(rng, nb_frag + nb_coded, rng.choice((0, 0.5, 0.7, 0.8, 0.9, 1)))
                for _ in "fleet"
            ]
        )
        expected = _reference.completions(nb_frag, nb_coded, lines, receptions)
        assert _pure.completions(nb_frag, nb_coded, lines, receptions) == expected


def test_a_large_loss_completes_with_the_same_fragment_as_in_the_reference() -> None:
    rng = random.Random(5)
    nb_frag, nb_coded = 700, 600
    lines = _pure.lines(nb_frag, range(nb_frag + 1, nb_frag + nb_coded + 1), 0)
    columns = bytearray(flags(rng, nb_frag + nb_coded, 0.9))
    columns[: (450 + 7) // 8] = bytes((450 + 7) // 8)
    receptions = bytes(columns) + flags(rng, nb_frag + nb_coded, 0.3)
    expected = _reference.completions(nb_frag, nb_coded, lines, receptions)
    assert _pure.completions(nb_frag, nb_coded, lines, receptions) == expected
    assert expected[:2] != b"\0\0" == expected[2:]
