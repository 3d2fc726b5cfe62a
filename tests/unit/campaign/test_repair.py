"""How many coded fragments are enough, against the code itself."""

from __future__ import annotations

import math
import random
import time

import pytest

from lorafuota.campaign.repair import (
    coded_alone_never_suffice,
    completion_probability,
    fragments_needed,
)
from lorafuota.datablock import DataBlock
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.variant import ParityVariant


def by_the_sum(missing: int, sent: int, loss: float) -> float:
    return math.fsum(
        math.comb(sent, heard)
        * (1 - loss) ** heard
        * loss ** (sent - heard)
        * (1 - 2.0 ** (missing - heard))
        for heard in range(missing, sent + 1)
    )


@pytest.mark.parametrize("loss", [0.01, 0.3, 0.9])
def test_the_probability_is_the_sum_it_stands_for(loss: float) -> None:
    for missing in range(1, 12):
        for sent in range(30):
            expected = by_the_sum(missing, sent, loss)
            assert completion_probability(missing, sent, loss) == pytest.approx(expected, abs=1e-12)


def test_who_misses_nothing_is_complete_and_too_few_fragments_complete_nobody() -> None:
    assert completion_probability(0, 0, 0.1) == 1.0
    assert completion_probability(5, 4, 0.1) == 0.0


def test_the_smallest_number_that_reaches_the_wanted_share_is_chosen() -> None:
    missing, loss, completion = [1, 1, 4, 20], 0.2, 0.95
    needed = fragments_needed(missing, loss=loss, completion=completion, most=1000)

    def share(sent: int) -> float:
        return sum(completion_probability(one, sent, loss) for one in missing) / len(missing)

    assert share(needed - 1) < completion <= share(needed)


def test_the_order_of_the_devices_does_not_matter_and_one_who_misses_nothing_counts() -> None:
    assert fragments_needed([0], loss=0.1, completion=0.9, most=9) == 1
    assert fragments_needed([3, 1], loss=0.1, completion=0.9, most=99) == fragments_needed(
        [1, 3], loss=0.1, completion=0.9, most=99
    )


def test_no_more_than_allowed_is_asked_for_and_a_senseless_loss_is_cut() -> None:
    assert fragments_needed([50], loss=0.1, completion=0.9, most=7) == 7
    assert fragments_needed([5], loss=1.0, completion=0.9, most=10_000) == fragments_needed(
        [5], loss=0.9, completion=0.9, most=10_000
    )
    assert fragments_needed([5], loss=0.0, completion=0.9, most=10_000) < 12


def test_a_fleet_in_which_every_device_misses_something_else_costs_no_more_than_one() -> None:
    """Hostile answers must not stall the server (S16)."""
    start = time.process_time()
    fragments_needed(range(1, 16_000), loss=0.5, completion=0.99, most=16_383)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("missing", [3, 12])
def test_the_code_keeps_the_promise_of_the_formula(missing: int) -> None:
    """Real rows of M = 60: at least as often as computed, less three standard deviations."""
    rng, trials = random.Random(missing), 300
    block = DataBlock.of(rng.randbytes(120), frag_size=2)
    encoder = block.encoder(ParityVariant.V2)
    sent = fragments_needed([missing], loss=0.2, completion=0.9, most=1000)
    done = 0
    for _ in range(trials):
        decoder = FragDecoder(nb_frag=60, frag_size=2, variant=ParityVariant.V2)
        lost = set(rng.sample(range(1, 61), missing))
        first = rng.randrange(61, 2000)
        for n in [*range(1, 61), *range(first, first + sent)]:
            if n not in lost and (n <= 60 or rng.random() >= 0.2):
                decoder.feed(n, encoder.fragment(n))
        done += decoder.complete
    expected = completion_probability(missing, sent, 0.2)
    assert done >= trials * expected - 3 * math.sqrt(trials * expected * (1 - expected))


@pytest.mark.parametrize("variant", ParityVariant)
@pytest.mark.parametrize("nb_frag", [1, 2, 4, 5, 6, 20, 21, 22, 24])
def test_coded_fragments_alone_are_told_to_be_too_little_exactly_where_they_are(
    variant: ParityVariant, nb_frag: int
) -> None:
    """With floor(M / 2) even, version 2 lines span a space of M - 1 dimensions, without any
    plain fragment; one plain fragment frees it."""
    block = DataBlock.of(random.Random(0).randbytes(nb_frag), frag_size=1)
    encoder = block.encoder(variant)
    decoder = FragDecoder(nb_frag=nb_frag, frag_size=1, variant=variant)
    for n in range(nb_frag + 1, nb_frag + 800):
        decoder.feed(n, encoder.fragment(n))
    stuck = coded_alone_never_suffice(variant, nb_frag)
    assert (decoder.missing == 1) is stuck or nb_frag == 1
    if stuck:
        decoder.feed(3, encoder.fragment(3))
        assert decoder.complete
