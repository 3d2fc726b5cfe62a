import random

import pytest

from lorafuota.conformance.check import Failed
from lorafuota.conformance.device.spread import (
    TRIALS,
    chi_square,
    expect_random,
    expect_uniform,
    without_latency,
)


def drawn(seed: int, count: int = TRIALS) -> list[float]:
    rng = random.Random(seed)
    return [16 * rng.random() for _ in range(count)]


def test_chi_square_is_pearsons_over_eight_parts() -> None:
    assert chi_square([0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5], 0.0, 16.0) == 0.0
    assert chi_square([0.0] * 8, 0.0, 16.0) == 56.0
    assert chi_square([-1.0] * 4 + [99.0] * 4, 0.0, 16.0) == 24.0


def test_what_is_drawn_evenly_passes_whatever_the_seed() -> None:
    for seed in range(2_000):
        expect_uniform(drawn(seed), 0.0, 16.0)
        expect_random(drawn(seed, 24), 0.0, 16.0)


def test_what_is_not_drawn_or_from_half_of_the_window_fails() -> None:
    with pytest.raises(Failed, match="24 delays have only 1 different lengths"):
        expect_random([8.0] * 24, 0.0, 16.0)
    for seed in range(1_000):
        half = [one / 2 for one in drawn(seed, 24)]
        with pytest.raises(Failed, match=r"24 delays are spread over .* s of 16 s"):
            expect_random(half, 0.0, 16.0)


def test_what_is_drawn_unevenly_fails() -> None:
    unnoticed = 0
    for seed in range(1_000):
        try:
            expect_uniform([one * one / 16 for one in drawn(seed)], 0.0, 16.0)
        except Failed as failure:
            assert "not spread evenly over 0 to 16 s: chi-square" in str(failure)
        else:
            unnoticed += 1
    assert unnoticed < 20


def test_three_seconds_that_all_have_in_common_are_no_unevenness() -> None:
    for seed in range(1_000):
        expect_uniform(without_latency([3 + one for one in drawn(seed)], 10.0), 0.0, 16.0)
    assert without_latency([3.0, 4.0, 5.0], 2.0) == [1.0, 2.0, 3.0]
    assert without_latency([-1.0, 4.0], 2.0) == [-1.0, 4.0]


def test_delays_from_the_late_half_of_the_window_fail_with_the_latency_taken_off() -> None:
    for seed in range(1_000):
        late = without_latency([8 + one / 2 for one in drawn(seed)], 10.0)
        with pytest.raises(Failed, match="not spread evenly over 0 to 16 s"):
            expect_uniform(late, 0.0, 16.0)
