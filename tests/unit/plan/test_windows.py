"""The worked examples of the link-layer notes, and what a window has to hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.campaign.config import WindowClass
from lorafuota.plan import PlannedWindow, PlanRequest
from lorafuota.plan.radio import choose_radio
from lorafuota.plan.windows import placeholder_group, plan_windows
from lorafuota.types import McKey

B, C = WindowClass.B, WindowClass.C


def windows(frames: int, *, ready: float = 0.0, lead: float = 0.0, **fields: Any) -> Any:
    request = PlanRequest(image_octets=20_480, **fields)
    return plan_windows(request, choose_radio(request), frames, ready, lead)


@pytest.mark.parametrize(
    ("fields", "frames", "time_out"),
    [
        ({"dr": 5}, 95, 9),
        ({"dr": 0}, 470, 14),
        ({"dr": 5, "dl_freq_hz": 868_100_000}, 95, 12),
        ({"dr": 5, "window_class": B, "periodicity": 4}, 95, 4),
        ({"dr": 5, "window_class": B, "periodicity": 2}, 95, 3),
    ],
)
def test_the_worked_examples_come_out(fields: dict[str, Any], frames: int, time_out: int) -> None:
    """20,480 octets, 10 % more (link-layer notes, section 9)."""
    [window] = windows(frames, **fields)
    assert (window.time_out, window.frames) == (time_out, frames)


def test_one_window_starts_after_set_up_and_announcement() -> None:
    [window] = windows(95, ready=1000.0, lead=500.0)
    assert window == PlannedWindow(
        start=1500.0,
        end=1500.0 + 512,
        time_out=9,
        frames=95,
        first_frame=1502.0,
        last_frame_end=window.last_frame_end,
    )
    assert window.last_frame_end == pytest.approx(1502 + 94 * 3.945 + 0.394496)


def test_what_no_window_holds_is_split_and_each_part_announced() -> None:
    """DR0 at 10 %: 1,173 frames in 32,768 s."""
    found = windows(1500, dr=0, lead=600.0)
    assert [one.frames for one in found] == [1173, 327]
    assert [one.time_out for one in found] == [15, 14]
    assert found[1].start == found[0].end + 600


@given(
    frames=st.integers(1, 700),
    window_class=st.sampled_from([B, C]),
    periodicity=st.integers(0, 5),
    dr=st.sampled_from([0, 3, 5, 7]),
    ready=st.floats(0, 1e6),
)
def test_every_frame_ends_before_its_window_does(
    frames: int, window_class: WindowClass, periodicity: int, dr: int, ready: float
) -> None:
    found = windows(frames, ready=ready, window_class=window_class, periodicity=periodicity, dr=dr)
    unit = 128 if window_class is B else 1
    assert sum(one.frames for one in found) == frames
    for one in found:
        assert ready <= one.start
        assert one.start + 2 <= one.first_frame
        assert one.last_frame_end <= one.end
        assert one.end - one.start == unit << one.time_out


def test_the_placeholder_has_the_plans_pace_and_no_key_of_anybody() -> None:
    request = PlanRequest(image_octets=1000)
    group = placeholder_group(request, choose_radio(request))
    assert (group.frame_seconds, group.spacing_seconds) == (0.394496, 3.945)
    assert group.mc_key == McKey(bytes(16))
