"""Sets of lost fragments, against the matrix itself."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest

from lorafuota.completion.weights import even_chance, even_lines
from lorafuota.fec.matrix import parity_lines
from lorafuota.fec.variant import ParityVariant


@pytest.mark.parametrize("variant", ParityVariant)
def test_sets_are_counted_as_the_lines_have_them(variant: ParityVariant) -> None:
    nb_frag, parity = 7, 5
    lines = parity_lines(range(nb_frag + 1, nb_frag + parity + 1), nb_frag, variant)
    wanted = [
        Counter(
            sum(sum(line[i] for i in chosen) % 2 for line in lines)
            for chosen in itertools.combinations(range(nb_frag), size)
        )
        for size in range(1, nb_frag + 1)
    ]
    assert list(even_lines(nb_frag, parity, variant)) == wanted


def test_all_sets_are_looked_at_up_to_18_fragments_and_none_of_a_huge_matrix() -> None:
    assert len(even_lines(18, 4, ParityVariant.V1)) == 18
    assert len(even_lines(19, 4, ParityVariant.V1)) < 19
    assert len(even_lines(1000, 100, ParityVariant.V1)) == 1
    assert even_lines(12_000, 1000, ParityVariant.V1) == ()


@pytest.mark.parametrize("nb_frag", [4, 7, 10])
def test_the_chance_of_an_even_share_is_that_of_a_random_line_of_half_the_weight(
    nb_frag: int,
) -> None:
    ones = nb_frag // 2
    found = even_chance(nb_frag, nb_frag, ParityVariant.V2)
    for size in range(nb_frag + 1):
        ways = sum(
            math.comb(size, both) * math.comb(nb_frag - size, ones - both)
            for both in range(0, min(size, ones) + 1, 2)
        )
        assert found[size] == pytest.approx(ways / math.comb(nb_frag, ones))


def test_version_1_counts_draws_that_hit_a_column_again() -> None:
    """M = 4: two draws, one column with probability 1/4, two with 3/4."""
    found = even_chance(4, 1, ParityVariant.V1)
    assert found == pytest.approx((1.0, 1 - (1 / 4 * 1 / 4 + 3 / 4 * 2 / 4)))


def test_all_fragments_together_have_an_even_share_where_lines_have_an_even_weight() -> None:
    assert even_chance(8, 8, ParityVariant.V2)[8] == pytest.approx(1.0)
    assert even_chance(10, 10, ParityVariant.V2)[10] == pytest.approx(0.0)
