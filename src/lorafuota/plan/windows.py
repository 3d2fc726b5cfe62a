"""The windows of a plan, made with the campaign's own arithmetic, so that both agree."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, final

from ..campaign.config import GroupConfig, WindowClass
from ..campaign.windows import LEAD_SECONDS, frames_that_fit, next_frame_time, plan_window
from ..link import BEACON_PERIOD_SECONDS
from ..types import DevAddr, McKey
from .radio import Radio
from .request import PlanRequest

__all__ = ["PlannedWindow", "group_config", "placeholder_group", "plan_windows"]

_NOBODY: Final = DevAddr(0)
_NO_KEY: Final = McKey(bytes(16))  # when windows are depends on no key


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWindow:
    """One window of the first pass.

    Attributes:
        start: When it opens, in GPS seconds or from the start of the set-up.
        end: When it closes: 2**time_out seconds later, in class B 128 times that.
        time_out: TimeOut of TS005.
        frames: Frames in it.
        first_frame: When the first begins.
        last_frame_end: When the last ends, at the latest.
    """

    start: float
    end: float
    time_out: int
    frames: int
    first_frame: float
    last_frame_end: float


def group_config(
    request: PlanRequest, radio: Radio, mc_addr: DevAddr, mc_key: McKey, **settings: Any
) -> GroupConfig:
    """Return the multicast group that a plan comes to; *settings* replace the plan's.

    Raises:
        FieldError: A setting does not fit.
    """
    planned: dict[str, Any] = {
        "name": "group",
        "mc_addr": mc_addr,
        "mc_key": mc_key,
        "parity": request.variant,
        "dl_freq_hz": radio.dl_freq_hz or 0,
        "dr": radio.rate.dr,
        "frame_seconds": radio.frame_us / 1e6,
        "spacing_seconds": radio.spacing_us / 1e6,
        "window_class": request.window_class,
        "periodicity": request.periodicity,
        "max_mc_fcnt": request.max_mc_fcnt,
    }
    return GroupConfig(**{**planned, **settings})


def placeholder_group(request: PlanRequest, radio: Radio) -> GroupConfig:
    """Return the group without its address and key: enough to know what windows hold."""
    return group_config(request, radio, _NOBODY, _NO_KEY)


def plan_windows(
    request: PlanRequest, radio: Radio, frames: int, ready: float, lead: float
) -> tuple[PlannedWindow, ...]:
    """Return the windows for so many frames.

    Where class B slots lie depends on the group's address, which a plan does not know yet: they are
    those of address 0.

    Args:
        request: What is planned.
        radio: What goes on air.
        frames: How many, 1 or more.
        ready: When the set-up is over.
        lead: From announcing a window to its start.
    """
    group = placeholder_group(request, radio)
    unit = BEACON_PERIOD_SECONDS if request.window_class is WindowClass.B else 1
    fits, windows, earliest = max(frames_that_fit(group), 1), [], ready + lead
    while frames > 0:
        now = min(frames, fits)
        start, end = plan_window(group, earliest, now)
        first = when = next_frame_time(group, start + LEAD_SECONDS)
        for _ in range(now - 1):
            when = next_frame_time(group, when + radio.spacing_us / 1e6)
        windows.append(
            PlannedWindow(
                start=start,
                end=end,
                time_out=(round(end - start) // unit).bit_length() - 1,
                frames=now,
                first_frame=first,
                last_frame_end=when + radio.frame_us / 1e6,
            )
        )
        frames -= now
        earliest = end + lead
    return tuple(windows)
