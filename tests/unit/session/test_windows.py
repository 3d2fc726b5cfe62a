"""When windows open and close, who waits for whom, and how long a device listens (S12, R11)."""

from __future__ import annotations

import copy
import math
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


def test_a_session_whose_time_is_used_up_does_not_begin_again_when_asked_for_again() -> None:
    one = windows(class_c(time_out=15), max_session_seconds=100)
    assert len(run(one, START + 200)) == 2
    assert one.schedule(class_c(time_out=15), now=START + 200) == []
    assert run(one, START + 1e6, START + 200) == []
    assert one.groups == ()
    assert one.schedule(class_c(start=START + 40_000, time_out=15), now=START + 40_000) == []
    assert [now - START for now, _ in run(one, START + 1e6, START + 40_000)] == [40_000, 40_100]


def test_a_window_without_any_receive_time_is_dropped_once_and_known_to_its_end() -> None:
    dropped = (START, Dropped(DropReason.RECEIVE_TIME, "window of group 0"))
    for limits in ({"max_session_seconds": 0}, {"max_daily_seconds": 0}):
        one = windows(class_c(), **limits)
        assert run(one, START + 100) == [dropped]
        assert (one.groups, one.running, one.next_deadline) == ((0,), (), START + 256)
        assert run(one, START + 1e6, START + 100) == []
        assert one.groups == ()


def test_a_window_waits_for_the_receive_time_of_yesterday_to_be_a_day_ago() -> None:
    """Ten seconds early, after a correction of the clock: that is no reason to miss it."""
    for early in (10, 1, 0.5):
        one = windows(class_c(), max_daily_seconds=256)
        run(one, START + 1000)
        one.schedule(class_c(0, START + 86_400 - math.ceil(early)), now=START + 1000)
        one.set_offset(early - math.ceil(early), now=START + 1000)
        assert one.tick(now=START + 86_400 - 0.25) == []
        happened = [now - START for now, _ in run(one, START + 1e6, START + 86_400 - 0.25)]
        assert happened == [86_400, 86_400 + 256 - early]


def test_a_window_that_has_used_up_what_there_was_goes_on_when_there_is_more() -> None:
    one = windows(class_c(), max_daily_seconds=300)
    run(one, START + 1000)
    late = [START + 86_400 - 200, START + 86_400 + 56]
    one.schedule(class_c(0, START + 86_400 - 200, time_out=9), now=START + 1000)
    happened = run(one, START + 1e6, START + 1000)
    assert [now - late[0] for now, _ in happened] == [0, 44, 200, 456]
    assert [type(action) for _, action in happened] == [ListenClassC, StopListening] * 2


def test_what_was_listened_to_counts_when_a_window_is_cancelled_or_replaced() -> None:
    for replaced in (False, True):
        one = windows(class_c(time_out=15), max_daily_seconds=100)
        one.tick(now=START)
        if replaced:
            assert one.schedule(class_c(1, START + 90), now=START) == []
            assert one.schedule(class_c(0, START + 90), now=START + 90) == [StopListening(0)]
        else:
            assert one.cancel(0, now=START + 90) == [StopListening(0)]
            one.schedule(class_c(0, START + 90), now=START + 90)
        assert [
            now - START for now, _ in run(one, START + 150, START + 90) if now > START + 90
        ] == ([100, 100] if replaced else [100])


def test_receive_time_ends_a_window_even_if_the_time_was_forgotten() -> None:
    for limits in ({"max_session_seconds": 100}, {"max_daily_seconds": 100}):
        one = windows(class_c(), **limits)
        one.tick(now=START)
        one.set_offset(None, now=START + 1)
        assert run(one, START + 1000, START + 1) == [(START + 100, StopListening(0))]
        assert one.waiting
        assert one.schedule(class_c(), now=START + 110) == []  # the same: not a new session
        one.set_offset(0.0, now=START + 120)
        assert run(one, START + 1e6, START + 120) == []


def test_class_b_windows_use_the_receiver_beside_each_other() -> None:
    """Twice the slots, half as long."""
    alone = windows(class_b(0, time_out=15, periodicity=0), max_daily_seconds=100)
    both = windows(
        class_b(0, time_out=15, periodicity=0),
        class_b(1, time_out=15, periodicity=0),
        max_daily_seconds=100,
    )
    lengths = []
    for one in (alone, both):
        happened = run(one, START + 10_000)
        stops = [now for now, action in happened if isinstance(action, StopListening)]
        lengths.append(stops[0] - happened[0][0])
    assert lengths == [pytest.approx(100 / (128 * 0.03 / 128)), pytest.approx(lengths[0] / 2)]


# What is stored of it (S12)


def test_receive_time_is_set_aside_before_it_is_used_and_told_truly_afterwards() -> None:
    one = windows(class_c(), max_session_seconds=200, max_daily_seconds=3600)
    assert (one.limits.stretch_seconds, one.export()) == (60, {})
    one.tick(now=START)
    assert one.export() == {"listened": f"{START} 60 -60", "listened/0": 60}
    one.tick(now=START + 59)
    assert one.export() == {"listened": f"{START} 60 -60", "listened/0": 60}
    assert one.next_deadline == START + 60
    one.tick(now=START + 60)
    stretch = f"{START + 60} 60 0 60 -60"
    assert one.export() == {"listened": stretch, "listened/0": 120}
    assert one.cancel(0, now=START + 70.5) == [StopListening(0)]
    assert one.export() == {"listened": f"{START + 71} 71 0"}


def test_no_more_is_set_aside_than_the_window_and_the_limits_leave() -> None:
    short = windows(class_c(time_out=4), max_daily_seconds=86_400)
    short.tick(now=START)
    assert short.export() == {"listened": f"{START} 16 -16"}
    tight = windows(class_c(), max_session_seconds=30.5, max_daily_seconds=1000)
    tight.tick(now=START)
    assert tight.export() == {"listened": f"{START} 31 -31", "listened/0": 31}
    day = windows(class_c(), max_daily_seconds=10)
    day.tick(now=START)
    assert day.export() == {"listened": f"{START} 10 -10"}


def test_a_stretch_is_a_sixteenth_of_the_smaller_limit_a_minute_to_a_quarter_of_an_hour() -> None:
    inf = math.inf
    for session, day, stretch in (
        (inf, inf, inf),
        (inf, 86_400, 900),
        (3200, 86_400, 200),
        (3200, 1600, 100),
        (1, inf, 60),
    ):
        limits = WindowLimits(max_session_seconds=session, max_daily_seconds=day)
        assert limits.stretch_seconds == stretch


def test_class_b_sets_aside_what_its_slots_take_for_a_quarter_of_a_day_at_most() -> None:
    one = windows(class_b(time_out=15, periodicity=7), max_session_seconds=1000)
    one.tick(now=START)
    assert one.next_deadline == START + 21_600
    assert one.export() == {"listened/0": math.ceil(21_600 * 0.03 / 128)}


def test_each_further_window_sets_aside_its_own() -> None:
    one = windows(class_c(0), class_c(1, START + 10), max_session_seconds=200)
    one.tick(now=START)
    assert one.export() == {"listened/0": 60}
    one.tick(now=START + 10)
    assert one.export() == {"listened/0": 70, "listened/1": 60}
    assert one.cancel(0, now=START + 20.5) == [StopListening(0)]
    assert one.export() == {"listened/1": 71}
    uneven = windows(class_c(0), class_c(1, START + 80), max_session_seconds=100)
    run(uneven, START + 80)
    assert uneven.export() == {"listened/0": 100, "listened/1": 60}  # 20 are left of the one


def test_how_long_ago_it_was_is_stored_four_times_a_day_until_it_does_not_matter() -> None:
    one = windows(class_c(), max_daily_seconds=3600)
    stored = []
    assert run(one, START + 300)[-1] == (START + 256, StopListening(0))
    now: float = START + 256
    while (deadline := one.next_deadline) is not None:
        now = deadline
        assert one.tick(now=now) == []
        stored.append((now - START - 256, one.export().get("listened")))
    assert stored == [
        (21_600, f"{START + 21_856} 256 21600"),
        (43_200, f"{START + 43_456} 256 43200"),
        (64_800, f"{START + 65_056} 256 64800"),
        (86_400, None),
    ]


def again(state: Any, now: float, *requests: SessionReq, **limits: Any) -> Windows:
    """After a reset."""
    one = windows(*requests, now=now, **limits)
    assert one.restore(state, range(4), now=now) == state
    return one


def test_after_a_reset_what_was_set_aside_is_used() -> None:
    limits = {"max_session_seconds": 200, "max_daily_seconds": 3600}
    one = windows(class_c(), **limits)
    one.tick(now=START)
    fresh = again(one.export(), START + 5, class_c(), **limits)
    assert fresh.export() == one.export()
    assert run(fresh, START + 1e6, START + 5)[:2] == [
        (START + 5, c_listen()),
        (START + 145, StopListening(0)),
    ]


@pytest.mark.parametrize(
    ("now", "left", "what"),
    [
        (START + 10, 40, "the day goes on, and the stretch has ended by now"),
        (START + 60 + 86_340, 100, "as fast as it is used, it comes back"),
        (START + 60 + 86_400, 100, "a day later"),
        (1e10, 100, "far beyond"),
        (0.0, 40, "the clock restarted: now is when it was used"),
        (-1e6, 40, "the clock restarted below"),
    ],
)
def test_a_day_goes_on_after_a_reset_as_far_as_the_clock_can_tell(
    now: float, left: float, what: str
) -> None:
    one = windows(class_c(), max_daily_seconds=100)
    one.tick(now=START)
    fresh = again(one.export(), now, max_daily_seconds=100)
    fresh.set_offset(START + 1000 - now, now=now)
    fresh.schedule(class_c(start=START + 1000), now=now)
    happened = run(fresh, now + 300, now)
    assert [then - now for then, _ in happened] == [0, pytest.approx(left)], what


def test_a_clock_that_restarts_leaves_everything_as_old_as_it_was_stored() -> None:
    one = again({"listened": "1000 50 300 20 0"}, 0.0, max_daily_seconds=100)
    assert one.next_deadline == 21_600
    one.tick(now=21_600)
    assert one.export() == {"listened": "21600 50 21900 20 21600"}


def test_the_same_beacon_announced_roughly_is_the_same_session() -> None:
    one = windows(class_b(), max_session_seconds=100)
    one.tick(now=START - 256)
    assert one.schedule(class_b(0, START - 5), now=START - 250) == []
    assert one.running == (0,)


def test_a_clock_that_restarts_every_few_hours_does_not_keep_receive_time_for_ever() -> None:
    one = windows(class_c(), max_daily_seconds=256)
    run(one, START + 300)
    state: Any = one.export()
    for _ in range(5):
        one = again(state, 0.0, max_daily_seconds=256)
        run(one, 30_000.0, 0.0)
        state = one.export()
    assert state == {}


def test_entries_of_limits_that_are_no_more_are_taken_and_then_forgotten() -> None:
    state = {"listened": f"{START} 60 0", "listened/0": 60, "listened/3": 7}
    one = again(state, NOW, class_c())
    one.tick(now=NOW)
    assert one.export() == {}
    assert run(one, START + 1e6) == [(START, c_listen()), (START + 256, StopListening(0))]


def test_numbers_beyond_the_limit_leave_nothing() -> None:
    for state, limits in (
        ({"listened/0": 2**32 - 1}, {"max_session_seconds": 100}),
        ({"listened": f"{int(NOW)} 86400 0"}, {"max_daily_seconds": 100}),
    ):
        one = again(state, NOW, class_c(), **limits)
        [(_, action)] = run(one, START + 100)
        assert action == Dropped(DropReason.RECEIVE_TIME, "window of group 0")


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
    one = windows(class_c(), class_b(1), max_session_seconds=100, max_daily_seconds=150)
    one.tick(now=START)
    for twin in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert run(twin, START + 1e6, START) == run(copy.deepcopy(one), START + 1e6, START)
