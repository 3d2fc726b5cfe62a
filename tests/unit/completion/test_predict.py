"""What the planner says, and that it keeps its word (promise R6)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import planner
from lorafuota.completion import Losses, Method, parity_needed, predict
from lorafuota.completion.trial import exact_failure, sampled_failure
from lorafuota.errors import FieldError
from lorafuota.fec.matrix import MAX_N
from lorafuota.fec.variant import ParityVariant

LONG = bool(os.environ.get("LORAFUOTA_LONG"))
TENTH = Losses.independent(0.1)
V1, V2 = ParityVariant.V1, ParityVariant.V2


def test_ten_percent_redundancy_for_ten_percent_loss_is_not_enough() -> None:
    """The finding that users meet first: M = 500, 0.20 for one device."""
    one = predict(500, 50, variant=V2, losses=TENTH)
    assert round(1 - one.failure, 2) == 0.20
    assert one.method is Method.FORMULA
    assert one.all_complete(100) < 1e-9
    needed = parity_needed(500, variant=V2, losses=TENTH, devices=1000)
    assert needed is not None
    assert 0.18 < needed / 500 < 0.20


def test_seven_extra_fragments_are_not_enough_for_a_small_version_1_block() -> None:
    """M = 50, 5 lost, 7 more: 0.85 and not the 0.99 of random lines."""
    found = predict(50, 12, variant=V1, losses=TENTH)
    assert found.method is Method.SIMULATED
    assert 0.70 < 1 - found.failure < 0.80


def test_few_fragments_are_counted_and_the_answer_says_so() -> None:
    found = predict(10, 5, variant=V1, losses=TENTH)
    assert found.method is Method.EXACT
    assert found.failure == found.low == found.high == exact_failure(10, 5, V1, TENTH, None)
    assert str(found).endswith("(exact)")


def test_a_sample_says_how_sure_it_is() -> None:
    found = predict(60, 12, variant=V2, losses=TENTH)
    assert (found.method, found.trials) == (Method.SIMULATED, 20_000)
    assert found.low < found.failure < found.high
    assert "simulated, 20000 trials: " in str(found)


def test_a_chance_too_small_for_a_sample_comes_from_the_formula() -> None:
    found = predict(60, 40, variant=V2, losses=TENTH)
    assert found.method is Method.FORMULA
    assert 0 < found.failure <= found.high < 1e-6
    assert "(formula: at most " in str(found)


def test_bursts_in_a_small_block_are_given_a_margin_where_no_sample_can_tell() -> None:
    losses = Losses.bursty(0.02, burst=2)
    found = predict(40, 40, variant=V2, losses=losses)
    assert found.method is Method.FORMULA
    assert found.high > 1.4 * found.failure > 0


def test_without_losses_everything_arrives_and_without_parity_every_loss_counts() -> None:
    assert predict(300, 0, variant=V1, losses=Losses.independent(0)).failure == 0
    assert predict(300, 0, variant=V1, losses=TENTH).failure == pytest.approx(1 - 0.9**300)
    assert parity_needed(300, variant=V1, losses=Losses.independent(0)) == 0


@pytest.mark.parametrize("losses", [TENTH, Losses.bursty(0.1, burst=2)], ids=str)
def test_a_block_of_one_fragment_is_repeated(losses: Losses) -> None:
    for repeats in range(4):
        lost_each_time = losses.chances(1 + repeats)[0]
        found = predict(1, repeats, variant=V1, losses=losses)
        assert found.failure == pytest.approx(lost_each_time)
    assert parity_needed(1, variant=V1, losses=TENTH, probability=0.9995) == 3


def test_a_device_that_can_lose_few_is_helped_by_no_parity() -> None:
    limited = predict(200, 150, variant=V2, losses=TENTH, max_lost=10)
    assert limited.failure > 0.9
    assert parity_needed(200, variant=V2, losses=TENTH, max_lost=10) is None
    assert parity_needed(200, variant=V2, losses=TENTH, max_lost=60) is not None


def test_a_device_that_loses_all_plain_fragments_is_helped_by_none_where_lines_are_even() -> None:
    """M = 4: 0.25**4 is 0.004."""
    quarter = Losses.independent(0.25)
    assert parity_needed(4, variant=V2, losses=quarter, probability=0.999) is None
    assert parity_needed(4, variant=V2, losses=quarter, probability=0.99) is not None
    assert parity_needed(4, variant=V1, losses=quarter, probability=0.999) is not None


def test_a_block_that_leaves_no_room_for_parity_has_no_answer() -> None:
    assert parity_needed(16_380, variant=V2, losses=Losses.independent(0.01)) is None
    assert parity_needed(12_000, variant=V2, losses=Losses.independent(0.01)) is not None


@settings(max_examples=10, deadline=None)
@given(
    nb_frag=st.integers(2, 400),
    loss=st.floats(0.0, 0.4),
    variant=st.sampled_from(list(ParityVariant)),
    probability=st.floats(0.5, 0.999),
    devices=st.sampled_from([1, 10, 1000]),
)
def test_the_inverse_is_the_smallest_that_is_enough(
    nb_frag: int, loss: float, variant: ParityVariant, probability: float, devices: int
) -> None:
    losses = Losses.independent(loss)
    needed = parity_needed(
        nb_frag, variant=variant, losses=losses, probability=probability, devices=devices
    )
    assert needed is not None

    def sure(parity: int) -> float:
        found = predict(nb_frag, parity, variant=variant, losses=losses)
        return found.all_complete_at_least(devices)

    assert sure(needed) >= probability - 1e-9
    assert needed == 0 or sure(needed - 1) < probability + 1e-9


@settings(max_examples=10, deadline=None)
@given(
    nb_frag=st.sampled_from([4, 30, 300, 700]),
    loss=st.floats(0.01, 0.4),
    variant=st.sampled_from(list(ParityVariant)),
)
def test_more_devices_more_loss_and_more_certainty_take_more_parity(
    nb_frag: int, loss: float, variant: ParityVariant
) -> None:
    def needed(share: float, probability: float, devices: int) -> int:
        found = parity_needed(
            nb_frag,
            variant=variant,
            losses=Losses.independent(share),
            probability=probability,
            devices=devices,
        )
        return MAX_N if found is None else found

    base = needed(loss, 0.9, 1)
    assert base <= needed(loss, 0.9, 100)
    assert base <= needed(loss, 0.999, 1)
    assert base <= needed(min(1.5 * loss + 0.05, 0.6), 0.9, 1)


def test_the_planner_keeps_its_word() -> None:
    """Promise R6; LORAFUOTA_LONG=1: 10,000 trials for every point, M 10 to 1,000, loss 5 to 30 %.

    A sample scatters: a plan is not broken by what happens to a right one in a thousand tests.
    """
    sizes, trials = ((10, 20, 50, 100, 250, 1000), 10_000) if LONG else ((10, 50, 300), 2_000)
    losses = [Losses.independent(p) for p in ((0.05, 0.1, 0.2, 0.3) if LONG else (0.05, 0.3))]
    seeds = range(3) if LONG else range(1)
    for seed in seeds:
        for one in planner.kept(sizes, losses, (V1, V2), trials, seed=100 + seed):
            assert one.planned <= one.allowed
            assert one.sigmas < 4, one


def test_chances_too_small_for_a_sample_are_not_too_small() -> None:
    """What a thousand devices depend on; LORAFUOTA_LONG=1: 16 points, a million trials each.

    Sets of three lost fragments that are looked at one by one made a fifth of it at M = 100.
    """
    sizes, batches = ((10, 20, 50, 100), 5) if LONG else ((50,), 1)
    for nb_frag in sizes:
        for variant in (V1, V2):
            for loss in (0.05, 0.2) if LONG else (0.05,):
                losses = Losses.independent(loss)
                parity = parity_needed(nb_frag, variant=variant, losses=losses, devices=100)
                assert parity is not None
                found = predict(nb_frag, parity, variant=variant, losses=losses)
                assert found.method is Method.FORMULA
                samples = [
                    sampled_failure(
                        nb_frag, parity, variant, losses, None, trials=200_000, seed=900 + seed
                    )
                    for seed in range(batches)
                ]
                expected = found.high * 200_000 * batches
                failed = sum(one.failed for one in samples)
                assert failed < expected + 4 * math.sqrt(expected) + 1, (nb_frag, variant, loss)
                assert failed > expected - 4 * math.sqrt(expected) - 1, (nb_frag, variant, loss)


def test_the_planner_keeps_its_word_in_bursts() -> None:
    sizes, trials = ((10, 20, 50, 100, 250), 10_000) if LONG else ((10, 100), 2_000)
    losses = [Losses.bursty(p, burst=4) for p in ((0.05, 0.1, 0.2, 0.3) if LONG else (0.1,))]
    for one in planner.kept(sizes, losses, (V1, V2), trials, seed=100):
        assert one.planned <= one.allowed
        assert one.sigmas < 4, one


def test_the_tables_of_the_planner_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    points, promises = planner.main(["6", "300", "--trials", "500"])
    assert {one.nb_frag for one in points} == {one.nb_frag for one in promises} == {6, 300}
    assert all(abs(one.error) < 0.01 + 4.5 * one.spread for one in points)
    printed = capsys.readouterr().out
    assert "The largest error, of the planner and of the formula alone" in printed
    assert "Promise R6" in printed


def test_the_chance_of_a_fleet_is_that_of_nobody_failing() -> None:
    found = predict(10, 5, variant=V2, losses=TENTH)
    assert found.all_complete(1) == pytest.approx(1 - found.failure)
    assert found.all_complete(7) == pytest.approx((1 - found.failure) ** 7)
    hopeless = predict(200, 1, variant=V2, losses=TENTH, max_lost=0)
    assert hopeless.all_complete(1_000_000) == 0.0
    assert math.isclose(found.all_complete_at_least(3), (1 - found.high) ** 3)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("nb_frag", lambda: predict(0, 1, variant=V1, losses=TENTH)),
        ("nb_frag", lambda: parity_needed(16_384, variant=V1, losses=TENTH)),
        ("parity", lambda: predict(10, -1, variant=V1, losses=TENTH)),
        ("parity", lambda: predict(10, 16_374, variant=V1, losses=TENTH)),
        ("variant", lambda: predict(10, 1, variant="v1", losses=TENTH)),  # type: ignore[arg-type]
        ("max_lost", lambda: predict(10, 1, variant=V1, losses=TENTH, max_lost=-1)),
        ("devices", lambda: parity_needed(10, variant=V1, losses=TENTH, devices=0)),
        ("probability", lambda: parity_needed(10, variant=V1, losses=TENTH, probability=1.0)),
        ("devices", lambda: predict(10, 1, variant=V1, losses=TENTH).all_complete(0)),
    ],
)
def test_what_does_not_fit_is_refused_by_name(field: str, call: Callable[[], object]) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field
