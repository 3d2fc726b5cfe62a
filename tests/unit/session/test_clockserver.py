"""The server's clock synchronisation: the vectors of TS003, what is asked, and bounds."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.clocksync import v1, v2
from lorafuota.errors import FieldError, StateError
from lorafuota.fragmentation.v1 import FragSessionDeleteAns
from lorafuota.package import PackageVersionAns, PackageVersionReq
from lorafuota.session.actions import Dropped, DropReason, Rejected
from lorafuota.session.clockserver import ClockSyncServer
from lorafuota.session.retries import Retries
from lorafuota.session.serveractions import (
    ClockChecked,
    Downlink,
    PeriodAnswered,
    ServerAction,
    Unanswered,
    VersionAnswered,
)
from lorafuota.types import DevEUI
from tests.support import vectors

TS003 = vectors("ts003")
SEQUENCES = {one["id"]: one for one in TS003["sequences"]}
NOW = 1_400_000_000.0
ONE, TWO = DevEUI(1), DevEUI(2)
TIGHT = Retries(seconds=100, tries=2)


def request(
    error: int, token: int = 0, *, at: float = NOW, required: bool = False
) -> v1.AppTimeReq:
    """AppTimeReq of a clock that is late by so many seconds."""
    time = (int(at) - error) % 2**32
    return v1.AppTimeReq(device_time=time, token_req=token, ans_required=required)


def answer(correction: int, token: int, device: DevEUI = ONE) -> Downlink:
    ans = v1.AppTimeAns(time_correction=correction, token_ans=token)
    return Downlink(202, ans, device)


@pytest.mark.parametrize("vector", TS003["server_time_correction"], ids=lambda v: v["id"])
def test_the_server_answers_as_in_the_vector(vector: dict[str, Any]) -> None:
    server = ClockSyncServer(threshold_seconds=vector["threshold_s"])
    actions = server.receive(
        ONE, bytes.fromhex(vector["request_hex"]), arrival=vector["arrival_gps_s"]
    )
    error = vector["true_difference"]
    assert actions[0] == ClockChecked(ONE, error, abs(error) <= vector["threshold_s"])
    sent = [one.payload.hex() for one in actions[1:] if isinstance(one, Downlink)]
    assert sent == ([vector["answer_hex"]] if vector["answer"] else [])
    assert len(actions) == 1 + len(sent)


@pytest.mark.parametrize(
    ("name", "clock"),
    [("token-wrap", None), ("saturation-two-step-v2", 2208643200)],
)
def test_a_dialogue_goes_as_in_the_vector(name: str, clock: int | None) -> None:
    """Every request but the first shows that the answer before it was applied."""
    server = ClockSyncServer(threshold_seconds=0)
    for number, step in enumerate(SEQUENCES[name]["steps"]):
        uplink = bytes.fromhex(step["uplink"])
        shown = int.from_bytes(uplink[1:5], "little")
        arrival = shown + 1 if clock is None else clock
        checked, sent = server.receive(ONE, uplink, arrival=arrival)
        assert checked == ClockChecked(ONE, arrival - shown, False, True if number else None)
        assert isinstance(sent, Downlink)
        assert sent.payload.hex() == step["downlink"]


def test_clocks_on_either_side_of_the_wrap_need_one_round() -> None:
    """The vector saturation-min-v2 takes two, and ends at the same time: 1000."""
    first = SEQUENCES["saturation-min-v2"]["steps"][0]
    server = ClockSyncServer()
    actions = server.receive(ONE, bytes.fromhex(first["uplink"]), arrival=first["server_now"])
    assert actions == [ClockChecked(ONE, 1001, False), answer(1001, 3)]
    assert first["server_now"] == (0xFFFFFFFF + 1001) % 2**32


def test_the_captured_exchange_is_answered_as_it_was() -> None:
    frames = SEQUENCES["captured-2018-exchange"]["frames"]
    uplinks = [bytes.fromhex(one["hex"]) for one in frames if one["direction"] == "uplink"]
    downlinks = [one["hex"] for one in frames if one["direction"] == "downlink"]
    server = ClockSyncServer(threshold_seconds=0)
    first, second, third = (int.from_bytes(one[1:5], "little") for one in uplinks)
    checked, sent = server.receive(ONE, uplinks[0], arrival=first + 5466)
    assert (checked, isinstance(sent, Downlink) and sent.payload.hex()) == (
        ClockChecked(ONE, 5466, False),
        downlinks[0],
    )
    for uplink, shown, corrected in ((uplinks[1], second, True), (uplinks[2], third, None)):
        assert server.receive(ONE, uplink, arrival=shown) == [ClockChecked(ONE, 0, True, corrected)]


# Repeats


def test_every_request_of_one_token_is_answered_for_its_own_time() -> None:
    server = ClockSyncServer()
    for seconds, error in ((0, 30), (100, 30), (200, 31)):
        at = NOW + seconds
        expected = [ClockChecked(ONE, error, False, False if seconds else None), answer(error, 3)]
        assert server.take(ONE, request(error, 3, at=at), arrival=at) == expected


@pytest.mark.parametrize("delay", [0.0, 4.0, 10.0])
def test_a_copy_gets_the_answer_of_the_earliest(delay: float) -> None:
    server = ClockSyncServer()
    uplink = request(30, 3)
    first = server.take(ONE, uplink, arrival=NOW)
    assert first == [ClockChecked(ONE, 30, False), answer(30, 3)]
    assert server.take(ONE, uplink, arrival=NOW + delay) == first
    assert server.take(ONE, uplink, arrival=NOW - delay) == [
        ClockChecked(ONE, 30 - int(delay), False),
        answer(30 - int(delay), 3),
    ]


def test_the_same_request_after_a_reset_is_no_copy() -> None:
    server = ClockSyncServer()
    boot = v1.AppTimeReq(device_time=5, token_req=0, ans_required=True)
    server.take(ONE, boot, arrival=1000)
    assert server.take(ONE, boot, arrival=1011) == [
        ClockChecked(ONE, 1006, False, False),
        answer(1006, 0),
    ]


def test_whether_the_answer_was_applied_is_told_by_the_token() -> None:
    server = ClockSyncServer()
    server.take(ONE, request(30, 15), arrival=NOW)
    later = NOW + 100
    assert server.take(ONE, request(0, 0, at=later), arrival=later) == [
        ClockChecked(ONE, 0, True, True)
    ]
    later += 100
    assert server.take(ONE, request(0, 0, at=later), arrival=later) == [
        ClockChecked(ONE, 0, True, None)  # no answer was owed
    ]
    server.take(ONE, request(9, 0, at=later + 50), arrival=later + 50)
    later += 100
    assert server.take(ONE, request(9, 7, at=later), arrival=later) == [
        ClockChecked(ONE, 9, False, None),  # the token has jumped
        answer(9, 7),
    ]
    assert server.checked(ONE) == ClockChecked(ONE, 9, False, None)


def test_two_devices_have_nothing_to_do_with_each_other() -> None:
    server = ClockSyncServer()
    server.take(ONE, request(30, 3), arrival=NOW)
    assert server.take(TWO, request(2, 4), arrival=NOW) == [
        ClockChecked(TWO, 2, False, None),
        answer(2, 4, TWO),
    ]
    assert [server.checked(one) for one in (ONE, TWO, DevEUI(3))] == [
        ClockChecked(ONE, 30, False),
        ClockChecked(TWO, 2, False),
        None,
    ]


# What the server asks


def test_a_resynchronisation_is_answered_by_the_request_it_causes() -> None:
    server = ClockSyncServer(retries=TIGHT)
    force = Downlink(202, v2.ForceDeviceResyncCmd(nb_transmissions=3), ONE)
    assert server.resync(ONE, now=NOW) == [force]
    assert server.next_deadline == NOW + 100
    assert server.tick(now=NOW + 99) == []
    assert server.tick(now=NOW + 100) == [force]
    server.take(ONE, request(0, at=NOW + 150), arrival=NOW + 150)
    assert [server.next_deadline, server.tick(now=NOW + 1000)] == [None, []]


def test_version_1_gets_the_name_of_version_1() -> None:
    server = ClockSyncServer()
    ask = Downlink(202, PackageVersionReq(), ONE)
    assert server.ask_version(ONE, now=NOW) == [ask]
    found = server.receive(ONE, bytes.fromhex("000101"), arrival=NOW)
    assert (found, server.version(ONE)) == ([VersionAnswered(ONE, 1)], 1)
    assert server.next_deadline is None
    force = Downlink(202, v1.ForceDeviceResyncReq(nb_transmissions=7), ONE)
    assert server.resync(ONE, now=NOW, nb_transmissions=7) == [force]
    assert server.resync(ONE, now=NOW + 5, nb_transmissions=7) == [force]
    assert server.next_deadline == NOW + 5 + 300  # the newer one replaces


@pytest.mark.parametrize("refused", [False, True])
def test_an_answer_about_the_period_is_a_reading_of_the_clock_too(refused: bool) -> None:
    server = ClockSyncServer()
    ask = Downlink(202, v1.DeviceAppTimePeriodicityReq(period=5), ONE)
    assert server.set_period(ONE, 5, now=NOW) == [ask]
    ans = v1.DeviceAppTimePeriodicityAns(not_supported=refused, device_time=int(NOW) + 40)
    checked = ClockChecked(ONE, -40, False)
    assert server.take(ONE, ans, arrival=NOW) == [checked, PeriodAnswered(ONE, 5, not refused)]
    assert server.take(ONE, ans, arrival=NOW) == [checked]  # nobody asked
    assert server.next_deadline is None


def test_who_never_answers_is_named() -> None:
    server = ClockSyncServer(retries=TIGHT)
    server.set_period(ONE, 5, now=NOW)
    server.ask_version(ONE, now=NOW + 1)
    period, version = v1.DeviceAppTimePeriodicityReq(period=5), PackageVersionReq()
    asked: list[ServerAction] = [Downlink(202, period, ONE), Downlink(202, version, ONE)]
    assert server.tick(now=NOW + 101) == asked
    assert server.tick(now=NOW + 201) == [Unanswered(ONE, period), Unanswered(ONE, version)]
    assert server.next_deadline is None


def test_time_may_run_back() -> None:
    server = ClockSyncServer(retries=TIGHT)
    server.resync(ONE, now=NOW)
    assert server.tick(now=0) == []
    assert server.next_deadline == 100


def test_several_commands_of_one_uplink_are_taken_in_order() -> None:
    server = ClockSyncServer()
    server.set_period(ONE, 5, now=NOW)
    uplink = bytes.fromhex("0001010200120b9f5501120b9f5509")
    checked = ClockChecked(ONE, 2, False)
    assert server.receive(ONE, uplink, arrival=1436486420) == [
        VersionAnswered(ONE, 1),
        checked,
        PeriodAnswered(ONE, 5, True),
        checked,
        answer(2, 9),
    ]


# Where it ends


def test_memory_is_bounded_and_who_was_not_heard_for_longest_goes_first() -> None:
    server = ClockSyncServer(max_devices=2)
    for number in (1, 2, 1, 3):
        server.take(DevEUI(number), request(30), arrival=NOW)
    assert server.devices == 2
    assert [server.checked(DevEUI(one)) is not None for one in (1, 2, 3)] == [True, False, True]
    for number in (1, 2):
        server.resync(DevEUI(number), now=NOW)
    with pytest.raises(StateError) as caught:
        server.resync(DevEUI(3), now=NOW)
    assert str(caught.value) == "ClockSyncServer.resync: 2 devices owe an answer already"
    server.set_period(DevEUI(1), 3, now=NOW)
    server.forget(DevEUI(1))
    assert (server.devices, server.checked(DevEUI(1))) == (1, None)
    assert server.tick(now=NOW + 300) == [
        Downlink(202, v2.ForceDeviceResyncCmd(nb_transmissions=3), TWO)
    ]


def test_what_is_not_for_a_server_is_dropped_or_rejected() -> None:
    server = ClockSyncServer()
    found = server.receive(ONE, bytes.fromhex("0103"), arrival=NOW)
    [rejected] = found
    assert isinstance(rejected, Rejected)
    assert (rejected.fport, rejected.payload) == (202, bytes.fromhex("0103"))
    assert server.receive(ONE, b"\x00\x03\x02", arrival=NOW) == [
        Dropped(DropReason.PACKAGE, "package 3")
    ]
    for command in (
        v1.AppTimeAns(time_correction=0, token_ans=0),
        FragSessionDeleteAns(frag_index=0, session_does_not_exist=False),
    ):
        name = type(command).__name__
        assert server.take(ONE, command, arrival=NOW) == [Dropped(DropReason.DIRECTION, name)]
    assert server.devices == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold_seconds": -1},
        {"threshold_seconds": math.nan},
        {"copy_seconds": -0.5},
        {"max_devices": 0},
        {"fport": 225},
    ],
)
def test_a_wrong_number_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        ClockSyncServer(**wrong)
    [name] = wrong
    assert (caught.value.message, caught.value.field) == ("ClockSyncServer", name)


def test_wrong_requests_are_refused_and_nothing_is_asked() -> None:
    server = ClockSyncServer()
    with pytest.raises(FieldError, match="nb_transmissions = 0: expected int in 1"):
        server.resync(ONE, now=NOW, nb_transmissions=0)
    with pytest.raises(FieldError, match="period = 16"):
        server.set_period(ONE, 16, now=NOW)
    calls: list[Callable[[], object]] = [
        lambda: server.ask_version(ONE, now=math.nan),
        lambda: server.tick(now=math.inf),
        lambda: server.receive(ONE, b"", arrival=math.nan),
        lambda: server.take(ONE, request(0), arrival=math.inf),
    ]
    for call in calls:
        with pytest.raises(FieldError):
            call()
    assert (server.next_deadline, server.devices) == (None, 0)


@given(payload=st.binary(max_size=30), arrival=st.floats(-1e12, 1e12), later=st.floats(-1e12, 1e12))
def test_nothing_that_arrives_raises(payload: bytes, arrival: float, later: float) -> None:
    server = ClockSyncServer(max_devices=3)
    server.set_period(ONE, 1, now=0)
    for at in (arrival, later):
        for action in server.receive(ONE, payload, arrival=at):
            if isinstance(action, Downlink):
                assert len(action.payload) == 6
    assert server.devices <= 1


def test_it_survives_copying_and_pickling() -> None:
    server = ClockSyncServer()
    server.take(ONE, request(30, 3), arrival=NOW)
    server.resync(ONE, now=NOW)
    for twin in (copy.deepcopy(server), pickle.loads(pickle.dumps(server))):
        later = NOW + 400
        assert twin.tick(now=later) == [
            Downlink(202, v2.ForceDeviceResyncCmd(nb_transmissions=3), ONE)
        ]
        assert twin.take(ONE, request(0, 4, at=later), arrival=later) == [
            ClockChecked(ONE, 0, True, True)
        ]
    assert server.receive(
        ONE, PackageVersionAns(package_identifier=1, package_version=2).encode(), arrival=NOW
    ) == [VersionAnswered(ONE, 2)]
