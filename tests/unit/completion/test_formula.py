"""The formula against counting, and against what is known of random matrices."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.completion import Losses
from lorafuota.completion.formula import estimate, random_lines_fail
from lorafuota.completion.trial import exact_failure, sampled_failure
from lorafuota.fec.variant import ParityVariant

variants = st.sampled_from(list(ParityVariant))


def full_rank(unknowns: int, lines: int, rng: random.Random) -> bool:
    basis: list[int] = []
    for _ in range(lines):
        line = rng.getrandbits(unknowns)
        for one in basis:
            line = min(line, line ^ one)
        if line:
            basis.append(line)
    return len(basis) == unknowns


@pytest.mark.parametrize("spare", [0, 1, 3])
def test_random_lines_fail_as_often_as_random_matrices_do(spare: int) -> None:
    rng, trials = random.Random(spare), 4000
    failed = sum(not full_rank(30, 30 + spare, rng) for _ in range(trials))
    expected = random_lines_fail(2.0**-spare)
    spread = math.sqrt(trials * expected * (1 - expected))
    assert abs(failed - trials * expected) < 4.5 * spread


def test_random_lines_too_few_always_fail_and_very_many_never() -> None:
    assert random_lines_fail(2.0) == 1.0
    assert random_lines_fail(0.0) == 0.0
    assert random_lines_fail(1.0) == pytest.approx(1 - 0.2887880950866)


@given(
    nb_frag=st.integers(2, 10),
    parity=st.integers(0, 6),
    loss=st.floats(0.01, 0.8),
    variant=variants,
    max_lost=st.none() | st.integers(0, 10),
)
def test_the_true_chance_lies_between_the_bounds(
    nb_frag: int, parity: int, loss: float, variant: ParityVariant, max_lost: int | None
) -> None:
    """Proven up to M = 18 where losses are independent."""
    losses = Losses.independent(loss)
    exact = exact_failure(nb_frag, parity, variant, losses, max_lost)
    found = estimate(nb_frag, parity, variant, losses, max_lost)
    assert found.least <= exact + 1e-9
    assert exact <= found.most + 1e-9
    assert found.least <= found.failure <= found.most + 1e-12


@pytest.mark.parametrize("variant", [ParityVariant.V1, ParityVariant.V2])
@pytest.mark.parametrize(("nb_frag", "parity"), [(20, 9), (50, 12), (100, 18), (300, 42)])
def test_the_estimate_is_what_a_sample_says(
    nb_frag: int, parity: int, variant: ParityVariant
) -> None:
    losses = Losses.independent(0.1)
    sample = sampled_failure(nb_frag, parity, variant, losses, None, trials=20_000, seed=3)
    found = estimate(nb_frag, parity, variant, losses, None)
    share = sample.failed / sample.trials
    spread = math.sqrt(share * (1 - share) / sample.trials)
    assert abs(found.failure - share) < 0.005 + 3 * spread
    assert share < found.most + 3 * spread


@given(
    nb_frag=st.integers(17, 90),
    parity=st.integers(0, 30),
    loss=st.floats(0.01, 0.5),
    variant=variants,
)
def test_more_loss_never_helps_and_more_parity_never_hurts(
    nb_frag: int, parity: int, loss: float, variant: ParityVariant
) -> None:
    def most(coded: int, share: float) -> float:
        return estimate(nb_frag, coded, variant, Losses.independent(share), None).most

    assert most(parity + 1, loss) <= most(parity, loss) + 1e-3
    assert most(parity, loss) <= most(parity, loss + 0.02) + 1e-9


def test_a_large_block_is_no_different_where_lines_are_taken_for_random() -> None:
    """M = 200 has both: devices that lost 64 and more are treated as with random lines."""
    losses = Losses.independent(0.33)
    sample = sampled_failure(200, 110, ParityVariant.V2, losses, None, trials=20_000, seed=1)
    found = estimate(200, 110, ParityVariant.V2, losses, None)
    assert abs(found.failure - sample.failed / sample.trials) < 0.012
