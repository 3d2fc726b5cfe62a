from __future__ import annotations

import random
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.losses import Losses
from lorafuota.testing.channel import (
    Arrival,
    Channel,
    Corrupt,
    Cut,
    Delay,
    Effect,
    Loss,
    Path,
    Reorder,
    Repeat,
)

NUMBERED = [n.to_bytes(2, "big") for n in range(4000)]


def channel(*effects: Effect, seed: int = 1) -> Channel:
    return Channel(*effects, chance=random.Random(seed))


def runs(lost: list[bool]) -> list[int]:
    """Lengths of the runs of losses."""
    found, length = [], 0
    for one in [*lost, False]:
        if one:
            length += 1
        elif length:
            found.append(length)
            length = 0
    return found


def losses(one: Channel) -> list[bool]:
    return [not one.send(payload, now=0) for payload in NUMBERED]


def test_without_effects_everything_arrives_at_once_and_in_order() -> None:
    assert Channel().through(NUMBERED) == NUMBERED
    assert Channel().send(bytearray(b"ab"), now=7.5) == [Arrival(7.5, b"ab")]


def test_independent_losses_are_as_many_and_as_short_as_asked_for() -> None:
    lost = losses(channel(Loss(0.25)))
    assert sum(lost) / len(lost) == pytest.approx(0.25, abs=0.03)
    assert sum(runs(lost)) / len(runs(lost)) == pytest.approx(1 / 0.75, abs=0.15)


def test_bursts_are_as_many_and_as_long_as_asked_for_across_what_is_drawn_at_once() -> None:
    lost = losses(channel(Loss(Losses.bursty(0.3, burst=8))))
    assert sum(lost) / len(lost) == pytest.approx(0.3, abs=0.08)
    assert sum(runs(lost)) / len(runs(lost)) == pytest.approx(8, abs=2)


def test_any_model_of_losses_will_do() -> None:
    every_second = Losses(good=0.0, to_bad=1.0, to_good=1.0)
    lost = losses(channel(Loss(every_second)))[:1000]
    assert lost in ([True, False] * 500, [False, True] * 500)


def test_a_delay_keeps_the_order() -> None:
    one = channel(Delay(1.0, 30.0))
    assert one.through(NUMBERED[:100]) == NUMBERED[:100]
    [arrival] = channel(Delay(2.5)).send(b"x", now=10)
    assert arrival == Arrival(12.5, b"x")


def test_reordering_lets_some_be_overtaken_and_loses_none() -> None:
    arrived = channel(Reorder(0.3, 5.0)).through(NUMBERED[:200])
    assert arrived != NUMBERED[:200]
    assert sorted(arrived) == NUMBERED[:200]
    for place, payload in enumerate(arrived):
        assert abs(place - int.from_bytes(payload, "big")) <= 5


def test_repeats_are_as_many_as_asked_for_and_come_later() -> None:
    one = channel(Repeat(0.5, copies=3, longest=4.0))
    counts = []
    for payload in NUMBERED:
        arrivals = one.send(payload, now=1.0)
        counts.append(len(arrivals))
        assert arrivals[0] == (1.0, payload)
        assert all(1.0 <= time <= 5.0 and octets == payload for time, octets in arrivals)
    assert set(counts) == {1, 2, 3, 4}
    assert counts.count(1) / len(counts) == pytest.approx(0.5, abs=0.05)


def test_corruption_flips_as_many_bits_as_asked_for() -> None:
    one = channel(Corrupt(0.5, bits=3))
    flipped = []
    for payload in NUMBERED:
        [(_, octets)] = one.send(payload, now=0)
        change = int.from_bytes(octets, "big") ^ int.from_bytes(payload, "big")
        flipped.append(change.bit_count())
    assert set(flipped) == {0, 1, 2, 3}
    assert flipped.count(0) / len(flipped) == pytest.approx(0.5, abs=0.05)
    assert channel(Corrupt(1.0)).send(b"", now=0) == [Arrival(0, b"")]


def test_cut_messages_are_shorter_perhaps_empty() -> None:
    one = channel(Cut(0.5))
    sizes = [len(one.send(b"abcd", now=0)[0].payload) for _ in NUMBERED]
    assert set(sizes) == {0, 1, 2, 3, 4}
    assert sizes.count(4) / len(sizes) == pytest.approx(0.5, abs=0.05)


def test_a_channel_is_a_function_of_its_seed() -> None:
    effects = Loss(0.2), Delay(0, 3), Reorder(0.2, 9), Repeat(0.2), Corrupt(0.2), Cut(0.1)
    first = channel(*effects, seed=5).through(NUMBERED)
    assert channel(*effects, seed=5).through(NUMBERED) == first
    assert channel(*effects, seed=6).through(NUMBERED) != first


def test_an_effect_does_the_same_whatever_stands_behind_it() -> None:
    lost = set(channel(Loss(0.3)).through(NUMBERED))
    assert set(channel(Loss(0.3), Repeat(0.5), Reorder(0.5, 9.0)).through(NUMBERED)) == lost


def test_effects_work_one_after_the_other() -> None:
    twice = channel(Repeat(1.0), Loss(0.5))
    counts = [len(twice.send(payload, now=0)) for payload in NUMBERED]
    assert set(counts) == {0, 1, 2}  # lost copy by copy
    together = channel(Loss(0.5), Repeat(1.0))
    counts = [len(together.send(payload, now=0)) for payload in NUMBERED]
    assert set(counts) == {0, 2}


def test_an_effect_of_ones_own_joins_in() -> None:
    class Backwards:
        def start(self, chance: random.Random, /) -> Path:
            return lambda arrival: [Arrival(arrival.time, arrival.payload[::-1])]

    assert Channel(Backwards()).through([b"abc"]) == [b"cba"]


def test_the_repr_shows_the_effects() -> None:
    assert repr(Channel(Loss(0.1), Repeat(0.5, longest=2))) == (
        "Channel(Loss(model=0.1), Repeat(share=0.5, copies=1, longest=2))"
    )


@pytest.mark.parametrize(
    ("effect", "arguments", "field"),
    [
        (Loss, (1.1,), "model"),
        (Delay, (-1.0,), "shortest"),
        (Delay, (2.0, 1.0), "longest"),
        (Delay, (0.0, float("inf")), "longest"),
        (Reorder, (-0.1, 1.0), "share"),
        (Reorder, (0.1, -1.0), "longest"),
        (Repeat, (2.0,), "share"),
        (Repeat, (0.5, 0), "copies"),
        (Repeat, (0.5, 1, -1.0), "longest"),
        (Corrupt, (0.5, 0), "bits"),
        (Corrupt, (-0.5,), "share"),
        (Cut, (float("nan"),), "share"),
    ],
)
def test_numbers_out_of_range_are_refused(effect: Any, arguments: Any, field: str) -> None:
    with pytest.raises(FieldError, match=f"^{effect.__name__}.{field} = "):
        effect(*arguments)


def test_the_toolbox_needs_no_hypothesis() -> None:
    import subprocess
    import sys

    code = "import sys, lorafuota.testing.channel; print('hypothesis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
