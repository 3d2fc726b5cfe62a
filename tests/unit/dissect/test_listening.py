"""Windows: the request, the answer to it, start and end."""

from __future__ import annotations

from typing import Any

from lorafuota.dissect.case import Case, DeviceLog, Known
from lorafuota.dissect.listening import Window, windows_of
from lorafuota.multicastsetup.v1 import McClassBSessionReq
from tests.unit.dissect.support import GROUP, MC, START, Log, class_c, group_setup


def windows(log: Log) -> list[Window]:
    [device] = Case(log.frames, Known()).devices.values()
    assert isinstance(device, DeviceLog)
    return [*windows_of(device)]


def shown(window: Window) -> tuple[Any, ...]:
    return window.start, window.end, window.accepted, window.mc_addr


def test_a_window_has_its_group_its_answer_and_its_span() -> None:
    log = Log().down(MC, group_setup()).down(MC, class_c(START + 600)).up(MC, "0400500200")
    assert [shown(one) for one in windows(log)] == [(START + 600, START + 856, True, GROUP)]


def test_class_b_counts_beacon_periods() -> None:
    start = int(START) // 128 * 128 + 1280
    fields = {"mc_group_id": 0, "time_out": 2, "periodicity": 3, "dl_freq_hz": 0, "dr": 3}
    req = McClassBSessionReq(session_time=start, **fields)
    [one] = windows(Log().down(MC, req))
    assert shown(one) == (start, start + 512, False, None)


def test_repeats_count_once_and_each_request_has_its_own_answer() -> None:
    log = Log().down(MC, class_c(START + 600)).down(MC, class_c(START + 600)).up(MC, "0420")
    log.down(MC, class_c(START + 900)).up(MC, "0400000300")
    assert [(one.start, one.accepted) for one in windows(log)] == [
        (START + 600, False),
        (START + 900, True),
    ]
