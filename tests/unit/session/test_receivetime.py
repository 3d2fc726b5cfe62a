"""What of a day's receive time is left, against a plain count of every second (S12)."""

from __future__ import annotations

import copy
import math
import pickle
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.session.receivetime import (
    DAY_SECONDS,
    MAX_SPANS,
    NOTHING_LEFT,
    ReceiveTime,
    Span,
)


def listened(one: ReceiveTime, *pieces: tuple[float, float]) -> ReceiveTime:
    """So many seconds of receiving, then so many without."""
    for on, off in pieces:
        one.advance(on, 1.0)
        one.settle()
        one.advance(off, 0.0)
    return one


def test_fresh_time_lasts_as_long_as_the_limit() -> None:
    assert DAY_SECONDS == 24 * 60 * 60
    one = ReceiveTime(600)
    assert (one.used, one.lasts(1.0), one.lasts(0.25), one.opens_in) == (0, 600, 2400, 0)
    assert (one.spans, one.clears_in) == ([], 0)


def test_what_is_used_is_missing_for_a_day_and_then_comes_back_second_by_second() -> None:
    one = listened(ReceiveTime(600), (200, 1000))
    assert (one.used, one.lasts(1.0), one.clears_in) == (200, 400, DAY_SECONDS - 1000)
    one.advance(DAY_SECONDS - 1000 - 200, 0.0)
    assert (one.used, one.lasts(1.0)) == (200, 600)  # as fast as it is used, it comes back
    one.advance(150, 0.0)
    assert (one.used, one.clears_in) == (50, 50)
    one.advance(50, 0.0)
    assert (one.used, one.clears_in) == (0, 0)
    one.advance(100, 0.0)
    assert (one.used, one.lasts(1.0)) == (0, 600)
    one.settle()
    assert one.spans == []
    one = listened(ReceiveTime(600), (200, DAY_SECONDS + 1000))
    assert (one.used, one.lasts(1.0), one.clears_in) == (0, 600, 0)


def test_what_was_used_before_a_pause_is_as_old_as_the_pause() -> None:
    one = ReceiveTime(600)
    one.advance(100, 1.0)
    one.advance(50, 0.0)
    assert (one.spans, one.used, one.clears_in) == ([Span(100, 50)], 100, DAY_SECONDS - 50)


def test_a_day_later_to_the_second_there_is_as_much_again() -> None:
    one = listened(ReceiveTime(600), (600, DAY_SECONDS - 600))
    assert (one.opens_in, one.lasts(1.0)) == (0, 600)
    late = listened(ReceiveTime(600), (600, DAY_SECONDS - 610))
    assert (late.opens_in, late.lasts(1.0)) == (10, 0)


def test_what_comes_back_meanwhile_can_be_used_as_well() -> None:
    one = listened(ReceiveTime(600), (200, DAY_SECONDS - 300))
    assert one.lasts(0.5) == 100 + 200 + (400 - 50 + 200 - 100) / 0.5
    one.restore([Span(200, DAY_SECONDS - 300), Span(100, DAY_SECONDS - 600)])
    assert one.lasts(0.5) == 600 + (300 - 300 + 300) / 0.5


def test_no_midnight_lets_two_days_follow_each_other() -> None:
    """One second in the evening does not begin a day that ends in the middle of the next."""
    one = listened(ReceiveTime(600), (1, DAY_SECONDS - 700), (599, 100))
    assert one.lasts(1.0) == 1.0
    assert one.opens_in == 0
    assert listened(one, (1, 0)).lasts(1.0) == 0
    assert one.opens_in == DAY_SECONDS - 599 - 100 - 1


def test_more_than_the_limit_leaves_nothing_until_it_is_less() -> None:
    one = ReceiveTime(100)
    one.restore([Span(300, 0)])
    assert (one.used, one.lasts(1.0), one.opens_in) == (300, 0, DAY_SECONDS - 300 + 200)
    one.advance(one.opens_in, 0.0)
    assert (one.used, one.lasts(1.0)) == (100, 100)
    two = ReceiveTime(100)
    two.restore([Span(150, 10_000), Span(150, 0)])
    assert two.opens_in == DAY_SECONDS - 150 + 50  # the first, and a third of the second


def test_a_rounding_error_closes_nothing_and_more_than_that_does() -> None:
    for beyond, lasts in ((5e-5, 100), (0.5, 0), (-0.5, 100)):
        one = ReceiveTime(100)
        one.restore([Span(100 + beyond, 0)])
        one.advance(DAY_SECONDS - 100 - beyond, 0.0)
        assert one.lasts(1.0) == pytest.approx(lasts, abs=1e-3)
        assert one.opens_in == pytest.approx(max(beyond, 0), abs=1e-3)
    one = listened(ReceiveTime(100), (99.5, 1000))
    assert one.lasts(1.0) == 0.5


def test_where_nothing_is_allowed_nothing_ever_opens() -> None:
    for limit in (0, NOTHING_LEFT / 2):
        assert (ReceiveTime(limit).lasts(1.0) < NOTHING_LEFT, ReceiveTime(limit).opens_in) == (
            True,
            math.inf,
        )


def test_without_a_limit_nothing_is_counted() -> None:
    one = ReceiveTime(math.inf)
    one.advance(1e6, 1.0)
    one.settle()
    assert (one.spans, one.lasts(1.0), one.opens_in) == ([], math.inf, 0)


def test_pauses_of_class_b_come_first() -> None:
    """Used later than it was, never free too early."""
    one = ReceiveTime(600)
    one.advance(1000, 0.1)
    one.settle()
    [span] = one.spans
    assert span.seconds == pytest.approx(100)
    assert span.ago == 0
    one.advance(DAY_SECONDS - 100, 0.0)
    assert one.used == pytest.approx(100)


def test_stretches_that_follow_each_other_are_one_span() -> None:
    assert listened(ReceiveTime(9000), (900, 0), (900, 0.5), (900, 10)).spans == [Span(2700, 10)]


def test_spans_stay_few_and_the_shortest_pauses_go() -> None:
    one = listened(ReceiveTime(9000), *[(10, 100 + 10 * at) for at in range(20)])
    assert len(one.spans) == MAX_SPANS
    assert one.used == 200
    assert [span.seconds for span in one.spans] == [130, 10, 10, 10, 10, 10, 10, 10]
    last = sum(100 + 10 * at for at in range(12, 20))
    assert one.spans[0].ago == last + 7 * 10
    assert one.spans[-1].ago == 290
    long = listened(ReceiveTime(90_000), *[(10, 500)] * 4, (10, 400), (2000, 500), *[(10, 500)] * 3)
    assert [span.seconds for span in long.spans] == [10] * 4 + [2010] + [10] * 3


def test_what_may_have_gone_on_has_ended_by_the_time_of_a_restore() -> None:
    one = ReceiveTime(9000)
    one.restore([Span(100, 500), Span(900, -880), Span(5, DAY_SECONDS)])
    assert one.spans == [Span(1000, 0)]  # 900 to now run into the other; a day ago is over
    one.restore([Span(10, 100), Span(10, 1000), Span(10, 110.5)])
    assert one.spans == [Span(10, 1000), Span(20, 100)]
    one.restore([Span(DAY_SECONDS, 0), Span(DAY_SECONDS, 3)])
    assert one.spans == [Span(DAY_SECONDS, 0)]


def test_it_is_plain_data() -> None:
    one = listened(ReceiveTime(600), (100, 100))
    for twin in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert (twin.spans, twin.lasts(1.0)) == (one.spans, one.lasts(1.0))


pieces = st.lists(
    st.tuples(
        st.sampled_from([1, 7, 60, 300, 3600]),
        st.sampled_from([0, 1, 50, 600, 7200, 40_000, 86_000]),
        st.sampled_from([1.0, 1.0, 0.5]),
        st.booleans(),
    ),
    max_size=12,
)


@given(pieces=pieces, limit=st.sampled_from([30, 600, 5000]), resets=st.booleans())
def test_in_any_24_hours_no_more_is_used_than_the_limit(
    pieces: list[tuple[int, int, float, bool]], limit: int, resets: bool
) -> None:
    """Whoever goes by ``lasts`` and ``opens_in`` keeps to it, and is not kept waiting for more."""
    one = ReceiveTime(limit)
    last_day: deque[tuple[float, float, float]] = deque()
    now = 0.0

    def used(until: float) -> float:
        since = until - DAY_SECONDS
        return sum(
            share * max(min(end, until) - max(begin, since), 0) for begin, end, share in last_day
        )

    exact = len(pieces) <= MAX_SPANS and all(
        share == 1 and settles for _, _, share, settles in pieces
    )
    for wanted, pause, share, settles in pieces:
        wait = one.opens_in
        if wait < pause:
            if wait and exact:
                assert used(now + wait) >= limit - 0.01
            one.advance(wait, 0.0)
            now += wait
            length = min(wanted, one.lasts(share))
            assert length > 0
            one.advance(length, share)
            last_day.append((now, now + length, share))
            now += length
        edges = [edge + DAY_SECONDS for begin, end, _ in last_day for edge in (begin, end)]
        for until in (now, *(edge for edge in edges if edge <= now)):
            assert used(until) <= limit + 0.01
        if settles:
            one.settle()
        if resets:
            one.settle()
            again = ReceiveTime(limit)
            again.restore(one.spans)
            one = again
        one.advance(pause, 0.0)
        now += pause
