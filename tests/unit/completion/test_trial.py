"""Counting and sampling, against the decoder and against each other."""

from __future__ import annotations

import itertools
import math

import pytest

from lorafuota.completion import Losses
from lorafuota.completion.trial import Sample, exact_failure, sampled_failure
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.variant import ParityVariant

BURSTS = Losses.bursty(0.2, burst=3)


def decoded(nb_frag: int, heard: tuple[bool, ...], variant: ParityVariant) -> bool:
    decoder = FragDecoder(nb_frag=nb_frag, frag_size=1, variant=variant)
    for n, ok in enumerate(heard, 1):
        if ok:
            decoder.feed(n, b"\0")
    return decoder.complete


@pytest.mark.parametrize("variant", ParityVariant)
@pytest.mark.parametrize("max_lost", [None, 2])
def test_the_exact_chance_is_the_sum_over_all_ways_the_decoder_fails(
    variant: ParityVariant, max_lost: int | None
) -> None:
    nb_frag, parity = 5, 4
    for losses in (Losses.independent(0.3), BURSTS):
        chances = losses.chances(nb_frag + parity)
        wanted = 0.0
        for heard in itertools.product((False, True), repeat=nb_frag + parity):
            too_many = max_lost is not None and heard[:nb_frag].count(False) > max_lost
            if too_many or not decoded(nb_frag, heard, variant):
                wanted += chances[sum(ok << i for i, ok in enumerate(heard))]
        found = exact_failure(nb_frag, parity, variant, losses, max_lost)
        assert found == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("variant", [ParityVariant.V1, ParityVariant.V2])
@pytest.mark.parametrize("losses", [Losses.independent(0.2), BURSTS], ids=str)
@pytest.mark.parametrize("max_lost", [None, 3])
def test_a_sample_agrees_with_the_exact_chance(
    variant: ParityVariant, losses: Losses, max_lost: int | None
) -> None:
    exact = exact_failure(9, 5, variant, losses, max_lost)
    sample = sampled_failure(9, 5, variant, losses, max_lost, trials=30_000, seed=2)
    spread = math.sqrt(sample.trials * exact * (1 - exact))
    assert abs(sample.failed - sample.trials * exact) < 4.5 * spread


def test_more_parity_never_looks_worse_in_samples_since_they_share_their_luck() -> None:
    failed = [
        sampled_failure(30, parity, ParityVariant.V1, BURSTS, None, trials=2000, seed=0).failed
        for parity in range(70)
    ]
    assert failed == sorted(failed, reverse=True)
    assert failed[0] > failed[-1]


def test_another_seed_is_another_sample_and_the_same_one_the_same() -> None:
    def failed(seed: int) -> int:
        losses = Losses.independent(0.2)
        return sampled_failure(
            40, 12, ParityVariant.V2, losses, None, trials=3000, seed=seed
        ).failed

    assert failed(1) == failed(1)
    assert len({failed(seed) for seed in range(5)}) > 1


def test_the_interval_is_wilsons() -> None:
    low, high = Sample(1000, 100).interval
    # z = 2.5758: (0.1 + 0.003317) / 1.006635 -+ 2.5758 * sqrt(9e-5 + 1.659e-6) / 1.006635
    assert (round(low, 4), round(high, 4)) == (0.0781, 0.1271)
    assert Sample(1000, 0).interval[0] == pytest.approx(0, abs=1e-12)
    assert Sample(1000, 1000).interval[1] == pytest.approx(1)


def test_the_interval_holds_the_truth_about_99_times_in_100() -> None:
    losses = Losses.independent(0.2)
    exact = exact_failure(9, 5, ParityVariant.V1, losses, None)
    inside = 0
    for seed in range(200):
        sample = sampled_failure(9, 5, ParityVariant.V1, losses, None, trials=1000, seed=seed)
        low, high = sample.interval
        inside += low <= exact <= high
    assert 191 <= inside <= 200
