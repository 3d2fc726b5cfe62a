from __future__ import annotations

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from lorafuota.errors import FieldError
from lorafuota.fec.matrix import parity_lines
from lorafuota.fec.variant import ParityVariant
from lorafuota.testing.arrivals import Arrivals, Pattern, arrivals

every_pattern = pytest.mark.parametrize("pattern", list(Pattern), ids=lambda one: one.name)
variants = st.sampled_from(ParityVariant)


def rank(numbers: tuple[int, ...], m: int, variant: ParityVariant) -> int:
    """By elimination, line by line."""
    rows: dict[int, int] = {}
    for n in numbers:
        line = 1 << (n - 1)
        if n > m:
            [bits] = parity_lines([n], nb_frag=m, variant=variant)
            line = sum(1 << at for at, one in enumerate(bits) if one)
        while line:
            top = line.bit_length()
            if top not in rows:
                rows[top] = line
                break
            line ^= rows[top]
    return len(rows)


@every_pattern
@given(data=st.data(), m=st.integers(1, 20), coded=st.integers(0, 20), variant=variants)
def test_what_arrives_was_sent_and_its_rank_is_right(
    pattern: Pattern, data: st.DataObject, m: int, coded: int, variant: ParityVariant
) -> None:
    one = data.draw(arrivals(m, variant, coded=coded, patterns=[pattern]))
    assert (one.pattern, one.nb_frag) == (pattern, m)
    assert set(one.numbers) <= set(range(1, m + coded + 1))
    assert one.rank == rank(one.numbers, m, variant)
    assert one.enough is (one.missing == 0)
    match pattern:
        case Pattern.NONE:
            assert one.numbers == tuple(range(1, m + coded + 1))
        case Pattern.FIRST:
            assert 1 not in one.numbers
        case Pattern.LAST:
            assert m + coded not in one.numbers
        case Pattern.ALL_PLAIN:
            assert one.numbers == tuple(range(m + 1, m + coded + 1))
        case Pattern.ENOUGH:
            assert one.enough
            assert rank(one.numbers[:-1], m, variant) == m - 1
        case Pattern.ONE_SHORT:
            assert one.missing == 1
        case Pattern.ORDER:
            assert set(one.numbers) == set(range(1, m + coded + 1))
        case _:
            assert sorted(one.numbers) == list(one.numbers)


@pytest.mark.parametrize(
    ("pattern", "simplest"),
    [
        (Pattern.NONE, "Arrivals(NONE: 1-15 of M = 5, enough)"),
        (Pattern.FIRST, "Arrivals(FIRST: 2-15 of M = 5, enough)"),
        (Pattern.LAST, "Arrivals(LAST: 1-14 of M = 5, enough)"),
        (Pattern.ALL_PLAIN, "Arrivals(ALL_PLAIN: 6-15 of M = 5, 1 missing)"),
        (Pattern.ENOUGH, "Arrivals(ENOUGH: 1-5 of M = 5, enough)"),
        (Pattern.ONE_SHORT, "Arrivals(ONE_SHORT: 1-4 of M = 5, 1 missing)"),
        (Pattern.BURST, "Arrivals(BURST: 2-15 of M = 5, enough)"),
    ],
)
def test_the_simplest_case_of_a_pattern_reads_well(pattern: Pattern, simplest: str) -> None:
    one = find(arrivals(5, ParityVariant.V2, patterns=[pattern]), lambda one: True)
    assert repr(one) == simplest


def test_the_trap_of_even_lines_is_found() -> None:
    """All plain fragments lost, floor(M / 2) even: no number of coded ones is enough."""
    strategy = arrivals(8, ParityVariant.V2, coded=100, patterns=[Pattern.ALL_PLAIN])
    trap = find(strategy, lambda one: not one.enough)
    assert trap == Arrivals(Pattern.ALL_PLAIN, tuple(range(9, 109)), 8, 7)


def test_nothing_at_all_reads_well() -> None:
    assert repr(Arrivals(Pattern.LAST, (), 3, 0)) == "Arrivals(LAST: nothing of M = 3, 3 missing)"
    assert repr(Arrivals(Pattern.KTH, (1, 3, 4, 6, 7, 8), 9, 6)) == (
        "Arrivals(KTH: 1, 3, 4, 6-8 of M = 9, 3 missing)"
    )


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(FieldError, match=r"^arrivals.nb_frag = 0"):
        arrivals(0, ParityVariant.V1)
    with pytest.raises(FieldError, match=r"^arrivals.coded = 1: expected int in 0..0"):
        arrivals(16383, ParityVariant.V1, coded=1)
    with pytest.raises(FieldError, match=r"^arrivals.patterns = \[\]"):
        arrivals(5, ParityVariant.V1, patterns=[])
