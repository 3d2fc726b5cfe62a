"""When windows open and close, who waits for whom, and how long a device listens (S12, R11)."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import FieldError
from lorafuota.multicastsetup import v1
from lorafuota.session.actions import (
    Action,
    Dropped,
    DropReason,
    ListenClassB,
    ListenClassC,
    StopListening,
)
from lorafuota.session.windows import SessionReq, WindowLimits, Windows

START = 1_300_000_000 // 128 * 128 + 1280
NOW = float(START - 600)
FREQ = 869_525_000


def class_c(group: int = 0, start: int = START, time_out: int = 8, **changes: int) -> SessionReq:
    fields = {"dl_freq_hz": FREQ, "dr": 3, **changes}
    return v1.McClassCSessionReq(
        mc_group_id=group, session_time=start % 2**32, time_out=time_out, **fields
    )


def class_b(group: int = 0, start: int = START, time_out: int = 1, **changes: int) -> SessionReq:
    fields = {"dl_freq_hz": FREQ, "dr": 3, "periodicity": 4, **changes}
    return v1.McClassBSessionReq(
        mc_group_id=group, session_time=start % 2**32, time_out=time_out, **fields
    )


def windows(*requests: SessionReq, now: float = NOW, **limits: Any) -> Windows:
    found = Windows(WindowLimits(**limits))
    for request in requests:
        assert found.schedule(request, now=now) == []
    return found


def run(one: Windows, until: float, now: float = NOW) -> list[tuple[float, Action]]:
    """What happens at every deadline; each one has to bring something, or to be the last."""
    happened: list[tuple[float, Action]] = []
    for _ in range(100):
        deadline = one.next_deadline
        if deadline is None or deadline > until:
            return happened
        now = max(now, deadline)
        happened += [(now, action) for action in one.tick(now=now)]
    raise AssertionError("deadlines that never end")


def c_listen(group: int = 0, start: float = START, seconds: float = 256) -> ListenClassC:
    return ListenClassC(group, start, start + seconds, FREQ, 3)


def test_the_beacon_is_looked_for_two_periods_before_class_b_starts() -> None:
    assert run(windows(class_b()), START + 1e6) == [
        (START - 256, ListenClassB(0, START, START + 256, 4, FREQ, 3)),
        (START + 256, StopListening(0)),
    ]


def test_a_margin_opens_class_c_early() -> None:
    assert run(windows(class_c(), class_c_margin_seconds=2.5), START + 1e6) == [
        (START - 2.5, c_listen()),
        (START + 256, StopListening(0)),
    ]


# One receiver


def test_windows_that_want_the_same_of_the_receiver_overlap() -> None:
    one = windows(class_c(0), class_c(1, START + 100))
    assert run(one, START + 1e6) == [
        (START, c_listen(0)),
        (START + 100, c_listen(1, START + 100)),
        (START + 256, StopListening(0)),
        (START + 356, StopListening(1)),
    ]


@pytest.mark.parametrize("other", [{"dl_freq_hz": 868_100_000}, {"dr": 5}], ids=str)
def test_of_two_that_do_not_the_first_keeps_it_and_the_other_waits(other: dict[str, int]) -> None:
    late = class_c(1, START + 100, **other)
    freq, dr = other.get("dl_freq_hz", FREQ), other.get("dr", 3)
    assert run(windows(late, class_c(0)), START + 1e6) == [
        (START, c_listen(0)),
        (START + 256, StopListening(0)),
        (START + 256, ListenClassC(1, START + 100, START + 356, freq, dr)),
        (START + 356, StopListening(1)),
    ]


def test_one_that_waits_until_its_own_end_never_opens() -> None:
    short = class_c(1, START + 10, time_out=4, dr=5)
    assert run(windows(class_c(0), short), START + 1e6) == [
        (START, c_listen(0)),
        (START + 256, StopListening(0)),
    ]


def test_class_b_windows_overlap_freely_and_class_c_keeps_class_b_waiting() -> None:
    both = windows(class_b(0), class_b(1, dr=5, dl_freq_hz=0))
    assert [type(action) for _, action in run(both, START)] == [ListenClassB] * 2
    mixed = windows(class_c(0), class_b(1, START + 128))
    happened = run(mixed, START + 1e6)
    assert [(now - START, type(action)) for now, action in happened] == [
        (-128, ListenClassB),  # two periods before its start, it was first
        (384, StopListening),
    ]


# The clock


def test_a_window_without_the_time_waits_for_it() -> None:
    one = Windows(WindowLimits())
    one.set_offset(None, now=5.0)
    assert one.schedule(class_c(), now=5.0) == []
    assert (one.waiting, one.get(0), one.next_deadline, one.tick(now=1e9)) == (True, None, None, [])
    one.set_offset(float(START) - 1000, now=6.0)
    assert (one.waiting, one.get(0)) == (False, c_listen(0, 1000.0))
    assert run(one, 1e6, now=6.0) == [(1000.0, c_listen(0, 1000.0)), (1256.0, StopListening(0))]


def test_a_time_that_comes_too_late_ends_a_waiting_window_without_a_word() -> None:
    one = Windows(WindowLimits())
    one.set_offset(None, now=0.0)
    one.schedule(class_c(), now=0.0)
    one.set_offset(float(START) + 256, now=0.0)
    assert (one.tick(now=0.0), one.groups) == ([], ())


def test_a_clock_that_forgets_the_time_leaves_an_open_window_open() -> None:
    one = windows(class_c())
    assert one.tick(now=START) == [c_listen()]
    one.set_offset(None, now=START + 1)
    assert (one.running, one.waiting, one.next_deadline) == ((0,), False, None)
    assert one.tick(now=START + 500) == []
    one.set_offset(0.0, now=START + 500)
    assert one.tick(now=START + 500) == [StopListening(0)]


@pytest.mark.parametrize("step", [-100, -1, 1, 100])
def test_a_correction_moves_a_scheduled_window(step: int) -> None:
    one = windows(class_c())
    one.set_offset(float(step), now=NOW)
    assert [now for now, _ in run(one, START + 1e6)] == [START - step, START + 256 - step]


def test_a_correction_closes_a_window_that_is_over_or_not_yet_open() -> None:
    for step, later in ((300.0, []), (-100.0, [c_listen(0, START + 100)])):
        one = windows(class_c())
        one.tick(now=START + 5)
        one.set_offset(step, now=START + 6)
        assert one.tick(now=START + 6) == [StopListening(0)]
        assert one.tick(now=START + 105) == later


def test_a_correction_across_the_wrap_of_the_offset_moves_nothing_else() -> None:
    one = windows(class_c())
    one.set_offset(-(2.0**32), now=NOW)
    assert one.get(0) == c_listen()


# Receive time (S12)


def test_a_session_listens_no_longer_than_it_may() -> None:
    """Promise S12: a bound per session."""
    assert run(windows(class_c(time_out=15), max_session_seconds=100), START + 1e6) == [
        (START, c_listen(0, START, 32768)),
        (START + 100, StopListening(0)),
    ]


def test_a_day_listens_no_longer_than_it_may_whatever_is_asked_for() -> None:
    """Promise S12: a server that asks for window after window."""
    one = windows(max_daily_seconds=300)
    listened, now, opened = 0.0, NOW, None
    for start in range(START, START + 80_000, 400):
        one.schedule(class_c(0, start), now=now)
        for at, action in run(one, start + 399, now):
            if isinstance(action, ListenClassC):
                opened = at
            elif isinstance(action, StopListening):
                assert opened is not None
                listened += at - opened
            else:
                assert action == Dropped(DropReason.RECEIVE_TIME, "window of group 0")
        now = start + 399.0
    assert listened == pytest.approx(300)


def test_a_server_that_sets_the_clock_back_gains_no_receive_time() -> None:
    """Promise S12: the bound counts the owner's seconds."""
    one = windows(class_c(time_out=15), max_session_seconds=100)
    one.tick(now=START)
    for second in range(1, 1000):
        one.set_offset(-float(second), now=START + second)
        if StopListening(0) in one.tick(now=START + second):
            assert second == 100
            return
    raise AssertionError("it listens on")


def test_class_b_counts_its_slots_only() -> None:
    """Periodicity 7: one slot of 30 ms in 128 s."""
    one = windows(class_b(time_out=15, periodicity=7), max_session_seconds=0.3)
    [(opened, _), (closed, _)] = run(one, START + 1e7)
    assert closed - opened == pytest.approx(1280, abs=5)


def test_the_next_day_has_its_own_receive_time() -> None:
    one = windows(class_c(), max_daily_seconds=100)
    assert [now - START for now, _ in run(one, START + 1e6)] == [0, 100]
    one.schedule(class_c(0, START + 86_400), now=START + 500)
    assert [now - START - 86_400 for now, _ in run(one, START + 1e6, START + 500)] == [0, 100]


@pytest.mark.parametrize(
    "limits",
    [
        {"class_b_margin_seconds": -1},
        {"class_c_margin_seconds": float("nan")},
        {"max_session_seconds": -0.1},
        {"max_daily_seconds": -1},
    ],
    ids=str,
)
def test_limits_that_mean_nothing_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(FieldError):
        WindowLimits(**limits)


def test_a_window_nobody_needs_does_not_open() -> None:
    one = windows(class_c())
    assert one.tick(now=START, useless=frozenset({0})) == [
        Dropped(DropReason.COMPLETE, "window of group 0")
    ]
    assert one.groups == ()


# Clocks that misbehave (R11)

steps = st.lists(
    st.tuples(
        st.one_of(
            st.floats(-1e10, 1e10),
            st.floats(NOW - 1000, NOW + 5000),
            st.sampled_from([NOW, START, START + 256.0, 2.0**32 - 1, 2.0**32]),
        ),
        st.sampled_from(["tick", "C0", "C1", "B1", "B2", "cancel", "none", "offset"]),
        st.integers(-3000, 3000),
    ),
    max_size=25,
)


@given(steps=steps, limited=st.booleans())
def test_whatever_time_does_a_receiver_is_open_only_inside_its_window(
    steps: list[tuple[float, str, int]], limited: bool
) -> None:
    """Promise R11: time jumps, stops, runs back and wraps."""
    limits = WindowLimits(max_session_seconds=50, max_daily_seconds=80) if limited else None
    one = Windows(limits or WindowLimits())
    open_now: set[int] = set()
    for now, what, number in steps:
        start = START + number
        requests = {
            "C0": class_c(0, start),
            "C1": class_c(1, start, dr=4),
            "B1": class_b(1, start),
            "B2": class_b(2, start),
        }
        actions: list[Action] = []
        if what in requests:
            actions += one.schedule(requests[what], now=now)
        elif what == "cancel":
            actions += one.cancel(number % 3, now=now)
        elif what == "none":
            one.set_offset(None, now=now)
        elif what == "offset":
            one.set_offset(float(number), now=now)
        actions += one.tick(now=now)
        for action in actions:
            if isinstance(action, StopListening):
                open_now.remove(action.mc_group_id)
            elif isinstance(action, ListenClassB | ListenClassC):
                margin = 256 if isinstance(action, ListenClassB) else 0
                assert action.start - margin - 1e-3 <= now < action.end + 1e-3
                assert action.mc_group_id not in open_now
                open_now.add(action.mc_group_id)
        assert open_now == set(one.running)
        deadline = one.next_deadline
        assert deadline is None or deadline > now or one.gps(0.0) is None


def test_windows_are_plain_data() -> None:
    one = windows(class_c(), class_b(1))
    one.tick(now=START)
    for twin in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert run(twin, START + 1e6, START) == run(copy.deepcopy(one), START + 1e6, START)
