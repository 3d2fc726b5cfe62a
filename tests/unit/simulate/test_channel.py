from __future__ import annotations

from lorafuota.simulate.channel import Channel

from .support import scenario


def test_shares_are_met_and_directions_differ() -> None:
    channel = Channel(scenario(loss=0.3, uplink_loss=0.1), 0)
    frames = [channel.frames() for _ in range(2000)]
    uplinks = [len(channel.uplinks()) for _ in range(2000)]
    assert 0.25 < frames.count(0) / 2000 < 0.35
    assert 0.07 < uplinks.count(0) / 2000 < 0.13
    assert set(frames) == set(uplinks) == {0, 1}


def test_repeats_and_delays_are_drawn() -> None:
    channel = Channel(scenario(loss=0.0, repeat=0.5, delay_seconds=4.0), 0)
    copies = [channel.downlinks() for _ in range(500)]
    assert {len(one) for one in copies} == {1, 2}
    delays = [delay for one in copies for delay in one]
    assert 0 <= min(delays) < 1 < 3 < max(delays) <= 4
    assert {channel.frames() for _ in range(100)} == {1, 2}


def test_devices_have_luck_of_their_own_that_comes_from_the_seed() -> None:
    def luck(device: int, seed: int) -> list[int]:
        channel = Channel(scenario(loss=0.5, seed=seed), device)
        return [channel.frames() for _ in range(50)]

    assert luck(0, 1) == luck(0, 1)
    assert len({tuple(luck(0, 1)), tuple(luck(1, 1)), tuple(luck(0, 2))}) == 3
