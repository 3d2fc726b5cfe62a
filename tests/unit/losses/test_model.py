"""What devices of a fleet lose: of one model all, or each its own."""

from __future__ import annotations

import pickle
import random
import statistics

import pytest

from lorafuota.errors import FieldError
from lorafuota.losses import Losses, LossModel, Varied

MODELS: list[LossModel] = [
    Losses.independent(0.15),
    Losses.bursty(0.15, burst=5),
    Losses(to_bad=0.05, to_good=0.2, good=0.02, bad=0.6),
    Varied(mean=0.15, deviation=0.05),
    Varied(mean=0.15, deviation=0.05, burst=3.0),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=repr)


@every_model
def test_a_model_is_a_function_of_its_arguments_and_survives_pickling(model: LossModel) -> None:
    again = pickle.loads(pickle.dumps(model))
    for sent in (1, 7, 8, 1300):
        lost = model.lost(sent, random.Random(sent))
        assert 0 <= lost < 1 << sent
        assert again.lost(sent, random.Random(sent)) == lost


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        (Losses.bursty(0.15, burst=5), 0.15),
        (Losses.bursty(0.6, burst=1.5), 0.6),
        (Losses(to_bad=0.05, to_good=0.2, good=0.02, bad=0.6), 0.136),
        (Losses(to_bad=0.5, to_good=0.5, good=0.2, bad=0.2), 0.2),
        (Varied(mean=0.15, deviation=0.05), 0.15),
        (Varied(mean=0.15, deviation=0.05, burst=3.0), 0.15),
    ],
    ids=repr,
)
def test_the_fleet_loses_the_share_that_was_asked_for(model: LossModel, loss: float) -> None:
    chance = random.Random(5)
    shares = [model.lost(500, chance).bit_count() / 500 for _ in range(2000)]
    assert abs(statistics.mean(shares) - loss) < 4 * statistics.stdev(shares) / 2000**0.5


def test_devices_differ_by_the_deviation() -> None:
    chance = random.Random(9)
    model = Varied(mean=0.2, deviation=0.1)
    shares = [model.lost(5000, chance).bit_count() / 5000 for _ in range(2000)]
    assert 0.09 < statistics.stdev(shares) < 0.11


def test_no_deviation_is_the_simpler_model_and_the_longest_bursts_are_drawn_too() -> None:
    alike = Varied(mean=0.2, deviation=0).lost(100, random.Random(1))
    assert alike == Losses.independent(0.2).lost(100, random.Random(1))
    with_every_loss = Varied(mean=0.999, deviation=0.03, burst=2.0)
    assert with_every_loss.lost(1000, random.Random(1)).bit_count() > 900


def test_a_device_whose_loss_is_drawn_as_everything_loses_everything() -> None:
    class Full(random.Random):
        def betavariate(self, alpha: float, beta: float) -> float:
            return 1.0

    for burst in (None, 3.0):
        model = Varied(mean=0.9, deviation=0.2, burst=burst)
        assert model.lost(9, Full(1)) == 0b1_1111_1111


def test_a_fleet_is_told_in_words() -> None:
    assert str(Varied(mean=0.2, deviation=0.1)) == (
        "0.2 lost on average, 0.1 between devices, at random"
    )
    assert str(Varied(mean=0.2, deviation=0.1, burst=3)) == (
        "0.2 lost on average, 0.1 between devices, in bursts of 3 frames"
    )


def test_fleets_that_cannot_be_are_refused() -> None:
    for mean in (-0.1, 0.0, 1.0, float("nan")):
        with pytest.raises(FieldError, match=r"Varied\.mean"):
            Varied(mean=mean, deviation=0.1)
    for deviation in (-0.1, 0.3, float("nan")):
        with pytest.raises(FieldError, match=r"Varied\.deviation"):
            Varied(mean=0.1, deviation=deviation)
    for burst in (0.5, float("inf"), float("nan")):
        with pytest.raises(FieldError, match=r"Varied\.burst"):
            Varied(mean=0.1, deviation=0.1, burst=burst)
