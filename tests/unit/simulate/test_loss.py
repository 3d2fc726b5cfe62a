from __future__ import annotations

import pickle
import random
import statistics

import pytest

from lorafuota.errors import FieldError
from lorafuota.simulate.loss import (
    Bursts,
    Independent,
    LossModel,
    TwoState,
    Varied,
    draw_share,
)

MODELS: list[LossModel] = [
    Independent(0.15),
    Bursts(loss=0.15, length=5.0),
    TwoState(to_bad=0.05, to_good=0.2, loss_good=0.02, loss_bad=0.6),
    Varied(mean=0.15, deviation=0.05),
    Varied(mean=0.15, deviation=0.05, burst=3.0),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=repr)


def runs(lost: int) -> list[int]:
    """The lengths of the runs of ones."""
    return [len(run) for run in f"{lost:b}".split("0") if run]


@pytest.mark.parametrize("share", [0.01, 0.15, 1 / 3, 0.5, 0.75, 0.999])
def test_so_many_bits_are_one_as_the_share_says(share: float) -> None:
    bits = 200_000
    ones = draw_share(share, bits, random.Random(1)).bit_count()
    assert abs(ones - share * bits) < 4 * (bits * share * (1 - share)) ** 0.5


def test_bits_do_not_depend_on_their_neighbours() -> None:
    """Pairs of neighbours are as frequent as chance has it, near and far."""
    bits = 200_000
    drawn = draw_share(0.3, bits, random.Random(2))
    for distance in (1, 2, 31, 32, 64, 1000):
        pairs = (drawn & drawn >> distance).bit_count()
        assert abs(pairs - 0.09 * bits) < 4 * (bits * 0.09) ** 0.5


def test_the_ends_of_the_scale_draw_nothing() -> None:
    chance = random.Random(3)
    before = chance.getstate()
    assert (draw_share(0.0, 9, chance), draw_share(1.0, 9, chance)) == (0, 0b1_1111_1111)
    assert draw_share(0.5, 0, chance) == 0
    assert chance.getstate() == before


def test_the_smallest_shares_there_are_end_too() -> None:
    assert draw_share(5e-324, 1000, random.Random(4)) == 0
    assert draw_share(1 - 2**-53, 1000, random.Random(4)) == (1 << 1000) - 1


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
        (Bursts(loss=0.15, length=5.0), 0.15),
        (Bursts(loss=0.6, length=1.5), 0.6),
        (TwoState(to_bad=0.05, to_good=0.2, loss_good=0.02, loss_bad=0.6), 0.136),
        (TwoState(to_bad=0.5, to_good=0.5, loss_good=0.2, loss_bad=0.2), 0.2),
        (Varied(mean=0.15, deviation=0.05), 0.15),
        (Varied(mean=0.15, deviation=0.05, burst=3.0), 0.15),
    ],
    ids=repr,
)
def test_the_fleet_loses_the_share_that_was_asked_for(model: LossModel, loss: float) -> None:
    chance = random.Random(5)
    shares = [model.lost(500, chance).bit_count() / 500 for _ in range(2000)]
    assert abs(statistics.mean(shares) - loss) < 4 * statistics.stdev(shares) / 2000**0.5


@pytest.mark.parametrize(("loss", "length"), [(0.15, 5.0), (0.3, 2.0), (0.15, 1.0)])
def test_losses_come_in_runs_of_the_mean_length(loss: float, length: float) -> None:
    found = runs(Bursts(loss=loss, length=length).lost(200_000, random.Random(6)))
    spread = max(statistics.stdev(found), 1e-9)
    assert abs(statistics.mean(found) - length) < max(4 * spread / len(found) ** 0.5, 1e-9)


def test_a_burst_of_the_length_chance_has_is_independent_loss() -> None:
    chance = random.Random(7)
    spread = statistics.variance(
        Bursts(loss=0.2, length=1.25).lost(400, chance).bit_count() for _ in range(3000)
    )
    assert 0.9 * 64 < spread < 1.1 * 64  # 400 * 0.2 * 0.8, as for a binomial distribution


def test_the_first_frame_is_lost_as_often_as_any_other() -> None:
    chance = random.Random(8)
    model = Bursts(loss=0.3, length=10.0)
    first = sum(model.lost(20, chance) & 1 for _ in range(4000))
    assert abs(first - 1200) < 4 * (4000 * 0.3 * 0.7) ** 0.5


def test_devices_differ_by_the_deviation() -> None:
    chance = random.Random(9)
    model = Varied(mean=0.2, deviation=0.1)
    shares = [model.lost(5000, chance).bit_count() / 5000 for _ in range(2000)]
    assert 0.09 < statistics.stdev(shares) < 0.11


def test_no_loss_and_no_deviation_are_the_simpler_models() -> None:
    assert Bursts(loss=0, length=3.0).lost(100, random.Random(1)) == 0
    alike = Varied(mean=0.2, deviation=0).lost(100, random.Random(1))
    assert alike == Independent(0.2).lost(100, random.Random(1))
    assert TwoState(to_bad=1, to_good=0).lost(9, random.Random(1)) == 0b1_1111_1111
    with_every_loss = Varied(mean=0.999, deviation=0.03, burst=2.0)
    assert with_every_loss.lost(1000, random.Random(1)).bit_count() > 900


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_shares_out_of_range_are_refused(value: float) -> None:
    with pytest.raises(FieldError, match=r"Independent\.loss"):
        Independent(value)
    with pytest.raises(FieldError, match=r"draw_share\.share"):
        draw_share(value, 1, random.Random(0))
    for field in ("to_bad", "to_good", "loss_good", "loss_bad"):
        fields = {"to_bad": 0.1, "to_good": 0.1, field: value}
        with pytest.raises(FieldError, match=rf"TwoState\.{field}"):
            TwoState(**fields)
    with pytest.raises(FieldError, match=r"Bursts\.loss"):
        Bursts(loss=value, length=2.0)
    with pytest.raises(FieldError, match=r"Varied\.mean"):
        Varied(mean=value, deviation=0.1)


def test_channels_that_cannot_be_are_refused() -> None:
    with pytest.raises(FieldError, match=r"draw_share\.length = -1"):
        draw_share(0.5, -1, random.Random(0))
    with pytest.raises(FieldError, match=r"TwoState\.to_good = 0"):
        TwoState(to_bad=0, to_good=0)
    for loss, length in ((0.1, 0.9), (0.8, 3.9), (0.1, float("inf")), (0.1, float("nan"))):
        with pytest.raises(FieldError, match=r"Bursts\.length"):
            Bursts(loss=loss, length=length)
    for deviation in (-0.1, 0.3, float("nan")):
        with pytest.raises(FieldError, match=r"Varied\.deviation"):
            Varied(mean=0.1, deviation=deviation)
    for burst in (0.5, float("inf"), float("nan")):
        with pytest.raises(FieldError, match=r"Varied\.burst"):
            Varied(mean=0.1, deviation=0.1, burst=burst)
