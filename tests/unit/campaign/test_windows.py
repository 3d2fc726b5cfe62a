"""Windows hold the frames they are planned for, whatever the class."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.campaign.config import GroupConfig, WindowClass
from lorafuota.campaign.windows import (
    LEAD_SECONDS,
    TAIL_SECONDS,
    frames_that_fit,
    next_frame_time,
    plan_window,
)
from lorafuota.link import BEACON_PERIOD_SECONDS, ping_slots_ms
from lorafuota.types import DevAddr
from tests.unit.campaign.fleet import START, group


@st.composite
def groups(draw: st.DrawFn) -> GroupConfig:
    frame = draw(st.floats(0.05, 3.0))
    return group(
        window_class=draw(st.sampled_from(WindowClass)),
        periodicity=draw(st.integers(0, 7)),
        mc_addr=DevAddr(draw(st.integers(0, 0xFFFFFFFF))),
        frame_seconds=frame,
        spacing_seconds=frame * draw(st.floats(1.0, 200.0)),
        duty_cycle=draw(st.none() | st.floats(0.01, 1.0)),
    )


def send_times(of: GroupConfig, start: float, frames: int) -> list[float]:
    times = [next_frame_time(of, start + LEAD_SECONDS)]
    while len(times) < frames:
        times.append(next_frame_time(of, times[-1] + of.pace_seconds))
    return times


@given(of=groups(), earliest=st.floats(START, START + 1e6), share=st.floats(0, 1))
def test_the_last_frame_ends_in_the_window_that_was_planned_for_it(
    of: GroupConfig, earliest: float, share: float
) -> None:
    frames = max(1, min(int(share * frames_that_fit(of)), 400))
    start, end = plan_window(of, earliest, frames)
    times = send_times(of, start, frames)
    assert earliest <= start <= times[0] - LEAD_SECONDS
    assert times[-1] + of.frame_seconds + TAIL_SECONDS <= end
    assert all(b - a >= of.pace_seconds - 1e-6 for a, b in itertools.pairwise(times))


@pytest.mark.parametrize("window_class", WindowClass)
def test_the_longest_window_holds_what_is_said_to_fit(window_class: WindowClass) -> None:
    of = group(window_class=window_class, spacing_seconds=7.0, frame_seconds=2.5)
    most = frames_that_fit(of)
    start, end = plan_window(of, START, most)
    unit = BEACON_PERIOD_SECONDS if window_class is WindowClass.B else 1
    assert end - start == unit << 15
    assert send_times(of, start, most)[-1] + of.frame_seconds + TAIL_SECONDS <= end


def test_a_class_c_window_is_the_next_power_of_two_and_starts_at_a_whole_second() -> None:
    of = group(spacing_seconds=1.0, frame_seconds=0.1)
    assert plan_window(of, START + 0.25, 61) == (START + 1, START + 1 + 64)
    assert plan_window(of, START + 0.25, 62) == (START + 1, START + 1 + 128)


def test_a_class_b_window_starts_at_a_beacon_and_frames_take_its_ping_slots() -> None:
    of = group(window_class=WindowClass.B, periodicity=3, spacing_seconds=10.0)
    start, end = plan_window(of, START, 40)
    assert start % BEACON_PERIOD_SECONDS == 0
    slots = {
        slot
        for beacon in range(int(start), int(end), BEACON_PERIOD_SECONDS)
        for slot in ping_slots_ms(beacon, of.mc_addr, of.periodicity)
    }
    assert {round(time * 1000) for time in send_times(of, start, 40)} <= slots


def test_a_class_b_frame_never_runs_into_the_next_beacon() -> None:
    of = group(window_class=WindowClass.B, periodicity=0, frame_seconds=3.6, spacing_seconds=4.0)
    for time in send_times(of, START, 300):
        assert time % BEACON_PERIOD_SECONDS + of.frame_seconds < BEACON_PERIOD_SECONDS
