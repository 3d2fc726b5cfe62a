"""TS003 arithmetic: corrections, saturation, tokens, periods; on numbers, without messages."""

from __future__ import annotations

import copy
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lorafuota.errors import FieldError
from lorafuota.session import clocksync
from lorafuota.session.clocksync import DeviceClock, TimeAnswer

VECTORS = Path(__file__).parents[2] / "vectors"
TS003 = json.loads((VECTORS / "ts003.json").read_text())
SEQUENCES = {v["id"]: v for v in TS003["sequences"]}
CLOCKS = st.integers(0, 2**32 - 1)


def request_of(text: str) -> dict[str, Any]:
    """AppTimeReq, read by hand: the codec is tested elsewhere."""
    octets = bytes.fromhex(text)
    assert (octets[0], len(octets)) == (1, 6)
    return {
        "device_time": int.from_bytes(octets[1:5], "little"),
        "token_req": octets[5] & 15,
        "ans_required": bool(octets[5] & 16),
    }


def answer_of(text: str) -> TimeAnswer:
    octets = bytes.fromhex(text)
    assert (octets[0], len(octets)) == (1, 6)
    correction = int.from_bytes(octets[1:5], "little", signed=True)
    return TimeAnswer(time_correction=correction, token_ans=octets[5])


def octets_of(answer: TimeAnswer | None) -> str | None:
    if answer is None:
        return None
    correction = answer.time_correction.to_bytes(4, "little", signed=True)
    return (b"\x01" + correction + bytes((answer.token_ans,))).hex()


@pytest.mark.parametrize("vector", TS003["server_time_correction"], ids=lambda v: v["id"])
def test_the_server_answers_as_in_the_vector(vector: dict[str, Any]) -> None:
    request = request_of(vector["request_hex"])
    assert request == {
        "device_time": vector["device_time"],
        "token_req": vector["token_req"],
        "ans_required": vector["ans_required"],
    }
    answer = clocksync.answer_app_time(
        arrival_gps=vector["arrival_gps_s"], threshold_seconds=vector["threshold_s"], **request
    )
    error = clocksync.clock_error(vector["arrival_gps_s"], vector["device_time"])
    correction = clocksync.time_correction(
        vector["arrival_gps_s"],
        vector["device_time"],
        ans_required=vector["ans_required"],
        threshold_seconds=vector["threshold_s"],
    )
    assert [
        answer is not None,
        octets_of(answer),
        error,
        correction,
        correction is not None and correction != error,
    ] == [
        vector["answer"],
        vector["answer_hex"],
        vector["true_difference"],
        vector.get("time_correction"),
        vector.get("saturated", False),
    ]


@pytest.mark.parametrize("row", TS003["tts_alcsync_leap_second_defect"]["rows"], ids=str)
def test_differences_are_formed_in_gps_seconds(row: dict[str, Any]) -> None:
    assert clocksync.clock_error(row["arrival_gps_s"], row["device_time"]) == row["correct"]


def run(clock: DeviceClock, step: dict[str, Any]) -> list[object]:
    """Apply one answer to a frozen clock."""
    answer = answer_of(step["downlink"])
    applied = clock.correct(answer.time_correction, token_ans=answer.token_ans)
    return [applied, clock.device_time(0), clock.token, clock.request_owed]


def test_the_token_wraps_with_the_sixteenth_correction() -> None:
    sequence = SEQUENCES["token-wrap"]
    clock = DeviceClock(offset_seconds=sequence["start_clock"], token=sequence["start_token"])
    for step in sequence["steps"]:
        request = request_of(step["uplink"])
        assert [clock.device_time(0.9), clock.token] == [
            request["device_time"],
            request["token_req"],
        ]
        answer = clocksync.answer_app_time(
            arrival_gps=request["device_time"] + 1, threshold_seconds=0, **request
        )
        assert octets_of(answer) == step["downlink"]
        assert run(clock, step) == [True, step["clock_after"], step["token_after"], False]


def test_an_answer_with_a_used_token_changes_nothing() -> None:
    sequence = SEQUENCES["stale-answer"]
    clock = DeviceClock(offset_seconds=sequence["start_clock"], token=sequence["start_token"])
    for step in sequence["steps"]:
        before = copy.deepcopy(clock)
        assert run(clock, step) == [
            step["applied"],
            step["clock_after"],
            step["token_after"],
            False,
        ]
        assert step["applied"] or clock == before


@pytest.mark.parametrize("name", ["saturation-two-step-v2", "saturation-min-v2"])
@pytest.mark.parametrize("asks_again", [True, False])
def test_a_clock_beyond_32_bits_signed_takes_two_rounds(name: str, asks_again: bool) -> None:
    steps = SEQUENCES[name]["steps"]
    first = request_of(steps[0]["uplink"])
    start = first["device_time"]
    clock = DeviceClock(
        offset_seconds=start - 2**32 if start > clocksync.MAX_CORRECTION else start,
        token=first["token_req"],
        asks_again=asks_again,
    )
    for step in steps:
        request = request_of(step["uplink"])
        assert [clock.device_time(0), clock.token] == [
            request["device_time"],
            request["token_req"],
        ]
        assert run(clock, step) == [
            True,
            step["clock_after"],
            step["token_after"],
            step["must_request_again"] and asks_again,
        ]


def test_the_server_saturates_and_sends_the_rest_in_the_second_round() -> None:
    for step in SEQUENCES["saturation-two-step-v2"]["steps"]:
        answer = clocksync.answer_app_time(arrival_gps=2208643200, **request_of(step["uplink"]))
        assert octets_of(answer) == step["downlink"]


def test_the_server_folds_a_device_before_the_wrap_instead_of_saturating() -> None:
    """Vector saturation-min-v2, first step, contradicts the fold of TS003 notes, section 4.

    Server at 1000, device at 2**32 - 1: the reference algorithm folds (the difference exceeds
    2**32 - 2**30) and corrects by +1001 at once; the vector sends the minimum and needs two rounds.
    Both end at 1000.  The second step has no fold and agrees.
    """
    first, second = SEQUENCES["saturation-min-v2"]["steps"]
    answer = clocksync.answer_app_time(
        arrival_gps=first["server_now"], **request_of(first["uplink"])
    )
    assert answer == TimeAnswer(time_correction=1001, token_ans=3)
    assert clocksync.apply_correction(2**32 - 1, 1001) == second["clock_after"] == 1000
    answer = clocksync.answer_app_time(
        arrival_gps=second["server_now"], **request_of(second["uplink"])
    )
    assert octets_of(answer) == second["downlink"]


def test_the_captured_exchange_of_2018_runs_as_recorded() -> None:
    frames = [frame["hex"] for frame in SEQUENCES["captured-2018-exchange"]["frames"]]
    decoded = SEQUENCES["captured-2018-exchange"]["decoded"]
    requests = [request_of(frames[n]) for n in (0, 2, 3)]
    assert [(r["device_time"], r["token_req"]) for r in requests] == [
        (decoded[n]["device_time"], decoded[n]["token"]) for n in (0, 2, 3)
    ]
    clock = DeviceClock(offset_seconds=requests[0]["device_time"])
    answers = [answer_of(frames[n]) for n in (1, 4)]
    assert [(a.time_correction, a.token_ans) for a in answers] == [
        (decoded[n]["time_correction"], decoded[n]["token"]) for n in (1, 4)
    ]
    elapsed = requests[1]["device_time"] - requests[0]["device_time"] - answers[0].time_correction
    assert clock.correct(answers[0].time_correction, token_ans=0)
    assert clock.device_time(elapsed) == requests[1]["device_time"]
    assert clock.correct(answers[1].time_correction, token_ans=1)
    assert clock == DeviceClock(offset_seconds=1228827934 + 5466, token=2)


def test_periods_lie_in_the_windows_of_the_vector_and_reach_both_ends() -> None:
    rng = random.Random(3)
    vector = next(v for v in TS003["device_behaviour"] if v["id"] == "periodicity-window")
    for row in vector["table"]:
        drawn = {clocksync.next_interval_seconds(row["period"], rng) for _ in range(1500)}
        assert [
            clocksync.nominal_period_seconds(row["period"]),
            min(drawn),
            max(drawn),
            len(drawn),
        ] == [row["nominal_s"], row["min_s"], row["max_s"], 61]


@given(start=CLOCKS, gps=st.integers(0, 2**34))
@example(start=0, gps=2**31 - 1)
@example(start=0, gps=2**32 - 2**30)
@example(start=2**32 - 1, gps=0)
def test_two_rounds_always_set_a_clock_right(start: int, gps: int) -> None:
    clock = DeviceClock()
    clock.set_from_elsewhere(start, now=0)
    rounds = 0
    while rounds == 0 or clock.request_owed:
        rounds += 1
        answer = clocksync.answer_app_time(
            arrival_gps=gps,
            device_time=clock.device_time(0),
            token_req=clock.token,
            ans_required=True,
        )
        assert answer is not None
        assert clock.correct(answer.time_correction, token_ans=answer.token_ans)
    assert clock.device_time(0) == gps % 2**32
    assert rounds <= 2


@given(
    moments=st.lists(st.floats(-1e10, 1e10), min_size=1),
    corrections=st.lists(st.integers(-(2**31), 2**31 - 1)),
)
def test_a_hostile_clock_breaks_nothing(moments: list[float], corrections: list[int]) -> None:
    """Promise R11: time jumps, stops, runs back; the state stays in its range."""
    clock = DeviceClock()
    for correction in corrections:
        before = clock.device_time(moments[0])
        assert clock.correct(correction, token_ans=clock.token)
        assert clock.device_time(moments[0]) == clocksync.apply_correction(before, correction)
        assert -(2**31) <= clock.offset_seconds < 2**31
    assert all(0 <= clock.device_time(now) < 2**32 for now in moments)


@given(correction=st.integers(-(2**31), 2**31 - 1), late=st.integers(0, 10**6))
def test_a_correction_is_right_however_late_it_comes(correction: int, late: int) -> None:
    clock = DeviceClock(offset_seconds=1000)
    assert clock.correct(correction, token_ans=0)
    assert clock.device_time(late) == (1000 + late + correction) % 2**32


def test_a_clock_set_from_elsewhere_ignores_the_answer_under_way() -> None:
    clock = DeviceClock(token=15, request_owed=True)
    clock.set_from_elsewhere(3_000_000_000.4, now=10.4)
    assert clock == DeviceClock(offset_seconds=3_000_000_000 - 10 - 2**32, token=0)
    assert clock.device_time(10.4) == 3_000_000_000
    before = copy.deepcopy(clock)
    assert not clock.correct(77, token_ans=15)
    assert clock == before


def test_a_device_clock_is_plain_data() -> None:
    clock = DeviceClock(offset_seconds=-5, token=3, request_owed=True)
    assert pickle.loads(pickle.dumps(clock)) == copy.deepcopy(clock) == clock


def test_only_the_two_extremes_are_saturated() -> None:
    seen = [-(2**31), -(2**31) + 1, 0, 2**31 - 2, 2**31 - 1]
    assert [clocksync.is_saturated(c) for c in seen] == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("device_time", lambda: clocksync.clock_error(0, 2**32)),
        ("device_time", lambda: clocksync.clock_error(0, -1)),
        ("gps", lambda: clocksync.clock_error(float("inf"), 0)),
        (
            "threshold_seconds",
            lambda: clocksync.time_correction(
                0, 0, ans_required=True, threshold_seconds=float("nan")
            ),
        ),
        (
            "token_req",
            lambda: clocksync.answer_app_time(
                arrival_gps=0, device_time=0, token_req=16, ans_required=True
            ),
        ),
        ("correction", lambda: clocksync.apply_correction(0, 2**31)),
        ("correction", lambda: DeviceClock().correct(-(2**31) - 1, token_ans=0)),
        ("token", lambda: DeviceClock(token=16)),
        ("offset_seconds", lambda: DeviceClock(offset_seconds=2**31)),
        ("period", lambda: clocksync.nominal_period_seconds(16)),
        ("gps", lambda: DeviceClock().device_time(float("nan"))),
    ],
)
def test_what_does_not_fit_is_refused_by_name(field: str, call: Callable[[], object]) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field
