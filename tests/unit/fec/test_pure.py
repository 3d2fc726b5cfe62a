"""The kernels in pure Python, held against the reference."""

from __future__ import annotations

import random

import pytest
from bitarray import bitarray

from lorafuota.fec import _pure, _reference, kernels
from tests.support import LONG

VARIANTS = (0, 1, 3)
NUMBERS = 2**14


def flags(rng: random.Random, length: int, share: float) -> bytes:
    bits = bitarray([rng.random() < share for _ in range(length)], endian="little")
    return bits.tobytes()


def some_numbers(rng: random.Random, nb_frag: int, count: int) -> list[int]:
    """Numbers of plain fragments, of the first coded ones, and of any."""
    nearby = min(2 * nb_frag + 20, NUMBERS - 1)
    return [rng.randint(1, rng.choice((nearby, NUMBERS - 1))) for _ in range(count)]


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
