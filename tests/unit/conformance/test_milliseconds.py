import math

from hypothesis import given
from hypothesis import strategies as st

from lorafuota.conformance.milliseconds import not_before, whole


def test_steps_of_a_tenth_stay_whole() -> None:
    now = 1_400_000_000.0
    for _ in range(500):
        now = whole(now + 0.1)
        assert f"{now:.3f}" == f"{now:.6f}"[:-3]
    assert now == 1_400_000_050.0


@given(st.floats(0, 4e9))
def test_a_time_is_never_met_too_early_and_hardly_too_late(time: float) -> None:
    met = not_before(time)
    assert time <= met < time + 0.001001
    assert met == whole(met)


def test_a_whole_time_stays_and_forever_stays_forever() -> None:
    assert not_before(1_400_000_016.7) == 1_400_000_016.7
    assert not_before(1_400_000_016.7000003) == 1_400_000_016.701
    assert not_before(math.inf) == math.inf
