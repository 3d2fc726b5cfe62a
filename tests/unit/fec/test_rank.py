"""The rank is counted late, in lumps, and is what counting at once would give."""

from __future__ import annotations

import copy
import pickle
import random

import pytest
from bitarray import bitarray

from lorafuota.fec._rank import RankCount
from lorafuota.fec.matrix import parity_lines
from lorafuota.fec.variant import ParityVariant

M = 40


def plain_rank(received: bitarray, coded: list[int], variant: ParityVariant) -> int:
    """Gaussian elimination on integers, over all columns at once."""
    rows = [1 << i for i in received.search(1)]
    rows += [int.from_bytes(line.tobytes(), "little") for line in parity_lines(coded, M, variant)]
    pivots: dict[int, int] = {}
    for row in rows:
        while row and row.bit_length() in pivots:
            row ^= pivots[row.bit_length()]
        if row:
            pivots[row.bit_length()] = row
    return len(pivots)


@pytest.mark.parametrize("variant", ParityVariant)
@pytest.mark.parametrize("seed", range(20))
def test_however_fragments_come_and_whenever_it_is_counted_the_rank_is_the_same(
    seed: int, variant: ParityVariant
) -> None:
    rng = random.Random(seed)
    count, received = RankCount(M, variant.code), bitarray(M, endian="little")
    coded: list[int] = []
    for n in rng.sample(range(1, 2 * M), 60):
        if n > M:
            coded.append(n)
        else:
            received[n - 1] = 1
        if n > M or coded:
            count.pend(n, received.count(0))
        if coded and rng.random() < 0.3:
            count.count(received, coded, rng.choice((1, 5, 1_000)))
    count.count(received, coded)
    assert count.value == plain_rank(received, coded, variant)
    assert count.waiting == []


def test_a_basis_is_over_what_was_lost_when_it_began_until_it_is_forgotten() -> None:
    count, received = RankCount(M, 1), bitarray(M, endian="little")
    received[:30] = 1
    count.pend(50, 10)
    count.count(received, [50])
    assert count.is_over(received)
    assert (count.value, count.independent) == (31, {50})
    received[35] = 1
    count.pend(36, 9)
    count.count(received, [50])
    assert not count.is_over(received)
    assert (count.value, count.independent) == (32, {36, 50})
    count.forget()
    count.count(received, [50])
    assert count.is_over(received)
    assert (count.value, count.independent) == (32, {50})


def test_more_than_a_lump_of_lines_never_waits_once_the_rank_can_be_full() -> None:
    count, received = RankCount(M, 1), bitarray(M, endian="little")
    coded: list[int] = []
    due = 0
    for n in range(M + 1, M + 1 + 3 * 52_428):
        coded.append(n % 16_000 + M + 1)
        if count.pend(coded[-1], M):
            due += 1
            count.count(received, coded[:1], count.lump + 1)
        assert len(count.waiting) <= count.lump + 1
    assert due >= 1


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_count_can_be_copied(duplicate: object) -> None:
    count, received = RankCount(M, 0), bitarray(M, endian="little")
    count.pend(M + 1, M)
    count.count(received, [M + 1])
    assert callable(duplicate)
    other = duplicate(count)
    assert (other.value, other.independent, other.lump) == (1, {M + 1}, count.lump)
