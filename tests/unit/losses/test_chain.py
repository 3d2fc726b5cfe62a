"""The two-state chain against what it means, frame by frame."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import FieldError
from lorafuota.losses import Losses

MODELS = [
    Losses.independent(0.0),
    Losses.independent(0.3),
    Losses.bursty(0.2, burst=3),
    Losses(good=0.05, bad=0.7, to_bad=0.1, to_good=0.4),
]
every_model = pytest.mark.parametrize("losses", MODELS, ids=str)


def by_hand(losses: Losses, heard: tuple[bool, ...]) -> float:
    """The chance of one way to hear frames, as a sum over all states the chain may be in."""
    total = 0.0
    for states in itertools.product((False, True), repeat=len(heard)):
        chance = losses.in_bad if states[0] else 1 - losses.in_bad
        for at, (bad, ok) in enumerate(zip(states, heard, strict=True)):
            lose = losses.bad if bad else losses.good
            chance *= 1 - lose if ok else lose
            if at + 1 < len(states):
                leave = losses.to_good if bad else losses.to_bad
                chance *= leave if states[at + 1] is not bad else 1 - leave
        total += chance
    return total


@every_model
def test_every_way_to_hear_frames_has_the_chance_the_chain_gives_it(losses: Losses) -> None:
    chances = losses.chances(5)
    for way in range(32):
        heard = tuple(bool(way >> i & 1) for i in range(5))
        assert chances[way] == pytest.approx(by_hand(losses, heard), abs=1e-12)


@every_model
def test_the_joint_numbers_are_the_sums_over_all_ways(losses: Losses) -> None:
    plain, coded = 4, 3
    wanted: Counter[tuple[int, int]] = Counter()
    for way, chance in enumerate(losses.chances(plain + coded)):
        lost = (plain - (way & 15).bit_count(), coded - (way >> plain).bit_count())
        wanted[lost] += chance  # type: ignore[assignment]  # a counter of shares
    pairs = losses.joint(plain, coded)
    for i, j in itertools.product(range(plain + 1), range(coded + 1)):
        found = sum(first.chance(i) * then.chance(j) for first, then in pairs)
        assert found == pytest.approx(wanted[i, j], abs=1e-12)


@given(
    loss=st.floats(0, 0.9),
    burst=st.floats(10, 50),
    plain=st.integers(0, 60),
    coded=st.integers(0, 40),
)
def test_the_joint_numbers_add_up_to_one_and_have_the_right_mean(
    loss: float, burst: float, plain: int, coded: int
) -> None:
    for losses in (Losses.independent(loss), Losses.bursty(loss, burst=burst)):
        total = mean = 0.0
        for first, then in losses.joint(plain, coded):
            share = math.fsum(then.at)
            total += math.fsum(first.at) * share
            mean += share * math.fsum(
                chance * lost for lost, chance in enumerate(first.at, first.lowest)
            )
        assert total == pytest.approx(1, abs=1e-9)
        assert mean == pytest.approx(plain * loss, abs=1e-6)


@every_model
def test_what_is_drawn_has_the_shares_of_the_model(losses: Losses) -> None:
    devices, frames = 40_000, 4
    rng = random.Random(1)
    drawn = list(losses.draw(rng, frames, devices))
    assert len(drawn) == frames
    together = Counter(
        sum((column >> device & 1 ^ 1) << at for at, column in enumerate(drawn))
        for device in range(devices)
    )
    one_by_one = Counter(15 ^ losses.lost(frames, rng) for _ in range(devices))
    for ways in (together, one_by_one):
        for way, chance in enumerate(losses.chances(frames)):
            spread = math.sqrt(devices * chance * (1 - chance))
            assert abs(ways[way] - devices * chance) <= 4.5 * spread + 1e-6


def test_the_same_generator_draws_the_same() -> None:
    losses = Losses.bursty(0.2, burst=3)
    first, second = (list(losses.draw(random.Random(5), 10, 100)) for _ in range(2))
    assert first == second


def runs(lost: int) -> list[int]:
    """The lengths of the runs of ones."""
    return [len(run) for run in f"{lost:b}".split("0") if run]


@pytest.mark.parametrize(("loss", "burst"), [(0.15, 5.0), (0.3, 2.0), (0.15, 1.0)])
def test_what_one_device_loses_comes_in_runs_of_the_mean_length(loss: float, burst: float) -> None:
    found = runs(Losses.bursty(loss, burst=burst).lost(200_000, random.Random(6)))
    spread = max(statistics.stdev(found), 1e-9)
    assert abs(statistics.mean(found) - burst) < max(4 * spread / len(found) ** 0.5, 1e-9)


def test_a_burst_of_the_length_chance_has_is_independent_loss() -> None:
    chance = random.Random(7)
    losses = Losses.bursty(0.2, burst=1.25)
    spread = statistics.variance(losses.lost(400, chance).bit_count() for _ in range(3000))
    assert 0.9 * 64 < spread < 1.1 * 64  # 400 * 0.2 * 0.8, as for a binomial distribution


def test_the_first_frame_is_lost_as_often_as_any_other() -> None:
    chance = random.Random(8)
    losses = Losses.bursty(0.3, burst=10)
    first = sum(losses.lost(20, chance) & 1 for _ in range(4000))
    assert abs(first - 1200) < 4 * (4000 * 0.3 * 0.7) ** 0.5


def test_the_shortest_bursts_there_can_be_are_a_lost_frame_after_every_heard_one() -> None:
    for loss, burst in ((0.5, 1), (0.75, 3), (0.9, 0.9 / (1 - 0.9))):
        losses = Losses.bursty(loss, burst=burst)
        assert losses.to_bad == pytest.approx(1)
        assert "00" not in f"{losses.lost(2000, random.Random(2)):b}"
    assert Losses.bursty(0, burst=3).lost(100, random.Random(1)) == 0


def test_bursts_have_the_length_and_the_share_asked_for() -> None:
    losses = Losses.bursty(0.25, burst=5)
    assert losses.loss == pytest.approx(0.25)
    assert 1 / losses.to_good == pytest.approx(5)
    assert not losses.are_independent
    assert Losses.bursty(0.0, burst=5).are_independent
    assert str(losses) == "0.25 lost, in bursts of 5 frames"
    assert str(Losses.independent(0.1)) == "0.1 lost at random"


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("loss", lambda: Losses.independent(1.0)),
        ("loss", lambda: Losses.independent(-0.1)),
        ("loss", lambda: Losses.independent(math.nan)),
        ("loss", lambda: Losses.bursty(1.0, burst=3)),
        ("burst", lambda: Losses.bursty(0.1, burst=0.5)),
        ("burst", lambda: Losses.bursty(0.1, burst=math.inf)),
        ("burst", lambda: Losses.bursty(0.8, burst=2)),
        ("good", lambda: Losses(good=1.0)),
        ("bad", lambda: Losses(good=0.1, bad=1.1)),
        ("bad", lambda: Losses(good=0.1, bad=math.nan)),
        ("to_bad", lambda: Losses(good=0.1, to_bad=1.1)),
        ("to_good", lambda: Losses(good=0.1, to_good=0.0)),
    ],
)
def test_what_is_no_probability_is_refused_by_name(field: str, call: Callable[[], object]) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field
