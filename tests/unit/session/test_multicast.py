"""Groups and windows on the device, and the server's messages."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import pickle
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.crypto import derive_mc_ke_key, derive_mc_root_key, root_key, unwrap_mc_key
from lorafuota.errors import FieldError
from lorafuota.fragmentation.v1 import FragSessionDeleteReq
from lorafuota.link import Drop, McFrame, McSender
from lorafuota.multicastsetup import v1, v2
from lorafuota.session.actions import (
    Action,
    Answer,
    Dropped,
    DropReason,
    ListenClassB,
    ListenClassC,
    StopListening,
    Store,
)
from lorafuota.session.multicast import (
    CLOCK_UNKNOWN,
    McDevice,
    McGroupServer,
    McLimits,
    SessionAns,
    SessionReq,
    WindowLimits,
    choose_time_out,
    session_window,
)
from lorafuota.session.profile import mc_profile
from lorafuota.session.saved import SavedState, keep
from lorafuota.types import AppKey, DevAddr, GenAppKey, LorawanVersion, McKey
from tests.support import vectors

TS005 = vectors("ts005")
NOW = 1_300_000_000.0
ROOT = GenAppKey(bytes.fromhex("00112233445566778899aabbccddeeff"))
MC_KEY = McKey(bytes(range(1, 17)))
MC_ADDR = DevAddr(0x01020304)
EU868 = McLimits(frequencies_hz=range(863_000_000, 870_000_001), drs=range(8))
FREQ, DR = 869_525_000, 3
both = pytest.mark.parametrize("version", [1, 2])
either_class = pytest.mark.parametrize("cls", [v1.McClassCSessionReq, v1.McClassBSessionReq])
Result = list[Answer | Action]


def device(version: int, *, limits: McLimits = EU868) -> McDevice:
    return McDevice(mc_profile(version), root_key=ROOT, limits=limits)


def group(*, next_fcnt: int = 0, max_mc_fcnt: int = 1000, mc_key: McKey = MC_KEY) -> McGroupServer:
    return McGroupServer(
        mc_addr=MC_ADDR, mc_key=mc_key, max_mc_fcnt=max_mc_fcnt, next_fcnt=next_fcnt
    )


def said(results: Sequence[Answer | Action]) -> Result:
    """Without what has to be stored; that has tests of its own."""
    return [one for one in results if not isinstance(one, Store)]


def execute(member: McDevice, command: Any, *, now: float = NOW, **options: Any) -> Result:
    return said(member.execute(command, now=now, **{"max_payload": 51, **options}))


def tick(member: McDevice, *, now: float) -> Result:
    return said(member.tick(now=now))


def leave(member: McDevice, mc_group_id: int, *, now: float = NOW) -> Result:
    return said(member.leave(mc_group_id, now=now))


def joined(version: int, *, mc_group_id: int = 0, **options: Any) -> tuple[McDevice, McGroupServer]:
    member = device(version, limits=options.pop("limits", EU868))
    server = group(**options)
    req = server.setup_req(ROOT, mc_group_id=mc_group_id)
    assert execute(member, req) == [set_up_answer(mc_group_id)]
    return member, server


def set_up_answer(mc_group_id: int, *, id_error: bool = False) -> Answer:
    return Answer(v1.McGroupSetupAns(mc_group_id=mc_group_id, id_error=id_error))


def session_req(cls: type = v1.McClassCSessionReq, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "mc_group_id": 0,
        "session_time": int(NOW) + 640,
        "time_out": 8,
        "dl_freq_hz": FREQ,
        "dr": DR,
    }
    if cls is v1.McClassBSessionReq:
        fields["periodicity"] = 4
    return cls(**{**fields, **changes})


def session_ans(version: int, req: SessionReq, errors: int, seconds: int | None) -> Answer:
    name = type(req).__name__.replace("Req", "Ans")
    module = v1 if version == 1 else v2
    flags: Any = module.SessionError
    answer = getattr(module, name)(
        mc_group_id=req.mc_group_id, errors=flags(errors), time_to_start=seconds
    )
    return Answer(answer)


def plain(member: McDevice) -> Any:
    """Everything a device knows about its groups, as plain data."""
    return [
        (
            index,
            one.receiver.to_plain(),
            one.receiver.mc_app_s_key.reveal(),
            one.receiver.mc_nwk_s_key.reveal(),
            member.window(index),
        )
        for index, one in sorted(member._groups.items())
    ]


# The vectors


@pytest.mark.parametrize(
    "vector", TS005["session_windows"], ids=lambda v: f"{v['class']}{v['TimeOut']}"
)
def test_a_window_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    cls = v1.McClassCSessionReq if vector["class"] == "C" else v1.McClassBSessionReq
    req = session_req(cls, session_time=vector["SessionTime"], time_out=vector["TimeOut"])
    window = session_window(req, near=NOW - 1000)
    assert (window.start, window.end) == (vector["start_gps"], vector["end_gps"])


@pytest.mark.parametrize(
    "vector", TS005["timeout_choice"], ids=lambda v: f"{v['class']}{v['needed_s']}"
)
def test_the_time_out_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    unit = 1 if vector["class"] == "C" else 128
    assert choose_time_out(vector["needed_s"], unit_seconds=unit) == vector["TimeOut"]


@pytest.mark.parametrize("unit", [1, 128])
@given(data=st.data())
def test_the_time_out_is_the_smallest_that_suffices(unit: int, data: st.DataObject) -> None:
    seconds = data.draw(st.floats(0, unit << 15))
    time_out = choose_time_out(seconds, unit_seconds=unit)
    assert unit << time_out >= seconds
    assert time_out == 0 or unit << time_out - 1 < seconds


def test_what_no_window_can_hold_has_to_be_split() -> None:
    assert choose_time_out(0, unit_seconds=1) == 0
    for unit, seconds in [(1, 32768.001), (128, 4194304.5)]:
        with pytest.raises(FieldError) as caught:
            choose_time_out(seconds, unit_seconds=unit)
        assert str(caught.value) == (
            f"choose_time_out.seconds = {seconds}: expected at most {unit << 15}; "
            "split what is to be sent"
        )


# Groups


@both
def test_a_group_opens_its_frames_and_no_others(version: int) -> None:
    member, server = joined(version, mc_group_id=2)
    assert member.groups == {2: MC_ADDR}
    phy = server.sender.seal(b"hello", fport=201)
    opened = member.open(phy)
    assert opened == (
        2,
        McFrame(mc_addr=MC_ADDR, fcnt=0, fport=201, payload=b"hello", fpending=False),
    )
    assert member.open(phy) is Drop.FCNT
    assert member.open(b"") is Drop.LENGTH
    stranger = McSender.from_mc_key(MC_KEY, DevAddr(5), next_fcnt=0, max_mc_fcnt=9)
    assert member.open(stranger.seal(b"x", fport=201)) is Drop.ADDRESS
    other = group(mc_key=McKey(bytes(16)), next_fcnt=1)
    assert member.open(other.sender.seal(b"x", fport=201)) is Drop.MIC


@both
def test_the_last_counter_is_inclusive_in_version_2_only(version: int) -> None:
    member, server = joined(version, next_fcnt=10, max_mc_fcnt=20)
    assert server.sender.next_fcnt == 10
    wide = group(max_mc_fcnt=100)
    frames = [wide.sender.seal(bytes((n,)), fport=201) for n in range(30)]
    taken = [n for n, phy in enumerate(frames) if not isinstance(member.open(phy), Drop)]
    assert taken == list(range(10, 20 + (version == 2)))
    assert [n for n, phy in enumerate(frames) if not isinstance(member.open(phy), Drop)] == []


@both
def test_a_window_of_counters_without_a_place_is_an_id_error(version: int) -> None:
    member = device(version)
    req = group(max_mc_fcnt=5).setup_req(ROOT, mc_group_id=1)
    for low, high in [(6, 5), (1, 0), (2**32 - 1, 2**32 - 2)]:
        wrong = dataclasses.replace(req, min_mc_fcnt=low, max_mc_fcnt=high)
        assert execute(member, wrong) == [set_up_answer(1, id_error=True)]
    assert member.groups == {}
    equal = dataclasses.replace(req, min_mc_fcnt=3, max_mc_fcnt=3)
    assert execute(member, equal) == [set_up_answer(1)]
    sender = group().sender
    opened = [member.open(sender.seal(b"x", fport=201)) for _ in range(6)]
    accepted = [n for n, one in enumerate(opened) if not isinstance(one, Drop)]
    assert accepted == ([3] if version == 2 else [])


@both
@pytest.mark.parametrize("max_groups", [1, 2, 3, 4])
def test_a_device_has_as_many_groups_as_it_has(version: int, max_groups: int) -> None:
    member = device(version, limits=McLimits(max_groups=max_groups))
    for index in range(4):
        before = plain(member)
        req = group().setup_req(ROOT, mc_group_id=index)
        refused = index >= max_groups
        assert execute(member, req) == [set_up_answer(index, id_error=refused)]
        assert (plain(member) == before) is refused
    assert list(member.groups) == list(range(max_groups))


@pytest.mark.parametrize("max_groups", [0, 5])
def test_a_device_has_one_to_four_groups(max_groups: int) -> None:
    with pytest.raises(FieldError) as caught:
        McLimits(max_groups=max_groups)
    assert str(caught.value) == f"McLimits.max_groups = {max_groups}: expected int in 1..4"


@both
def test_a_new_set_up_replaces_key_address_and_counters_and_ends_the_window(version: int) -> None:
    member, server = joined(version)
    old = [server.sender.seal(b"old", fport=201) for _ in range(3)]
    assert member.open(old[0]) != Drop.MIC
    execute(member, session_req())
    tick(member, now=NOW + 640)
    new = McGroupServer(mc_addr=DevAddr(7), mc_key=McKey(bytes(16)), max_mc_fcnt=9, next_fcnt=0)
    assert execute(member, new.setup_req(ROOT, mc_group_id=0)) == [
        StopListening(0),
        set_up_answer(0),
    ]
    assert (member.window(0), member.groups) == (None, {0: DevAddr(7)})
    assert member.open(old[1]) is Drop.ADDRESS
    assert not isinstance(member.open(new.sender.seal(b"new", fport=201)), Drop)


@both
def test_a_refused_set_up_leaves_the_scheduled_window(version: int) -> None:
    member, _ = joined(version)
    execute(member, session_req())
    before = plain(member)
    wrong = dataclasses.replace(
        group().setup_req(ROOT, mc_group_id=0), min_mc_fcnt=2, max_mc_fcnt=1
    )
    assert execute(member, wrong) == [set_up_answer(0, id_error=True)]
    assert plain(member) == before


@both
def test_groups_may_share_an_address_and_the_mic_decides(version: int) -> None:
    member, first = joined(version, mc_group_id=0)
    second = group(mc_key=McKey(bytes(16)))
    execute(member, second.setup_req(ROOT, mc_group_id=3))
    found = [member.open(one.sender.seal(b"x", fport=201)) for one in (second, first)]
    assert [one[0] for one in found if not isinstance(one, Drop)] == [3, 0]


@both
def test_deleting_forgets_the_keys_and_ends_the_window(version: int) -> None:
    member, server = joined(version)
    execute(member, session_req())
    tick(member, now=NOW + 640)
    delete = v1.McGroupDeleteReq(mc_group_id=0)
    gone = [Answer(v1.McGroupDeleteAns(mc_group_id=0, mc_group_undefined=True))]
    assert execute(member, delete) == [
        StopListening(0),
        Answer(v1.McGroupDeleteAns(mc_group_id=0, mc_group_undefined=False)),
    ]
    assert execute(member, delete) == gone
    assert (member.groups, member.window(0), member.next_deadline) == ({}, None, None)
    assert member.open(server.sender.seal(b"x", fport=201)) is Drop.ADDRESS
    assert execute(member, session_req()) == [session_ans(version, session_req(), 4, None)]


@both
def test_deleting_a_group_without_a_window_stops_nothing(version: int) -> None:
    member, _ = joined(version)
    assert execute(member, v1.McGroupDeleteReq(mc_group_id=0)) == [
        Answer(v1.McGroupDeleteAns(mc_group_id=0, mc_group_undefined=False))
    ]


@both
def test_every_mask_lists_the_groups_asked_for_that_exist_and_fit(version: int) -> None:
    for defined in range(16):
        member = device(version)
        for index in range(4):
            if defined >> index & 1:
                server = McGroupServer(mc_addr=DevAddr(index), mc_key=MC_KEY, max_mc_fcnt=9)
                execute(member, server.setup_req(ROOT, mc_group_id=index))
        for mask, max_payload in itertools.product(range(16), (2, 6, 7, 11, 12, 17, 21, 22, 242)):
            listed = [index for index in range(4) if (defined & mask) >> index & 1]
            listed = listed[: (max_payload - 2) // 5]
            [answer] = execute(
                member, v1.McGroupStatusReq(req_group_mask=mask), max_payload=max_payload
            )
            assert answer == Answer(
                v1.McGroupStatusAns(
                    ans_group_mask=sum(1 << index for index in listed),
                    nb_total_groups=defined.bit_count(),
                    groups=tuple(
                        v1.McGroup(mc_group_id=index, mc_addr=DevAddr(index)) for index in listed
                    ),
                )
            )
            assert isinstance(answer, Answer)
            assert len(answer.command.encode()) <= max_payload


# Sessions


@both
@either_class
def test_a_session_is_scheduled_announced_and_over_in_time(version: int, cls: type) -> None:
    member, _ = joined(version)
    start = NOW - NOW % 128 + 1280
    req = session_req(cls, session_time=int(start), time_out=3)
    window: ListenClassB | ListenClassC
    if cls is v1.McClassCSessionReq:
        window = ListenClassC(0, start, start + 8, FREQ, DR)
    else:
        window = ListenClassB(0, start, start + 1024, 4, FREQ, DR)
    seconds = int(start - NOW)
    assert execute(member, req) == [session_ans(version, req, 0, seconds)]
    opens = start - (256 if cls is v1.McClassBSessionReq else 0)  # the beacon comes first
    assert (member.window(0), member.next_deadline) == (window, opens)
    before = plain(member)
    for early in (0.0, NOW, opens - 0.001):
        assert tick(member, now=early) == []
    assert plain(member) == before
    assert tick(member, now=opens) == [window]
    assert (member.listening, member.next_deadline) == ((0,), window.end)
    assert tick(member, now=window.end - 0.001) == []
    assert tick(member, now=window.end) == [StopListening(0)]
    assert (member.window(0), member.listening, member.next_deadline) == (None, (), None)
    assert tick(member, now=window.end) == []


@both
def test_the_same_request_again_gets_the_time_that_is_left(version: int) -> None:
    member, _ = joined(version)
    req = session_req()
    for later in (0.0, 0.25, 1.0, 639.0):
        assert execute(member, req, now=NOW + later) == [
            session_ans(version, req, 0, int(640 - later)),
        ]
    assert member.window(0) == ListenClassC(0, NOW + 640, NOW + 896, FREQ, DR)


@both
def test_another_request_replaces_the_window(version: int) -> None:
    member, _ = joined(version)
    execute(member, session_req())
    tick(member, now=NOW + 640)
    other = session_req(v1.McClassBSessionReq, session_time=int(NOW) + 1280)
    window = session_window(other, near=NOW)
    assert execute(member, other, now=NOW + 640) == [
        StopListening(0),
        session_ans(version, other, 0, int(window.start - NOW) - 640),
    ]
    assert (member.window(0), member.listening) == (window, ())


@both
@either_class
def test_every_combination_of_mistakes_has_exactly_its_bits_and_changes_nothing(
    version: int, cls: type
) -> None:
    member, _ = joined(version)
    execute(member, session_req())
    before = plain(member)
    assert before[0][4] is not None
    tried = 0
    for index, freq, dr, late in itertools.product(
        (0, 1, 3), (FREQ, 0, 862_999_900, 915_000_000), (DR, 8, 15, 255), (False, True)
    ):
        expected = (1 if dr > 7 else 0) | (2 if freq != FREQ else 0) | (4 if index else 0)
        session_time = int(NOW) + 6400
        if late:
            session_time = int(NOW) - 6400
            expected |= 8 if version == 2 else 4
        if not expected:
            continue
        req = session_req(
            cls, mc_group_id=index, dl_freq_hz=freq, dr=dr, session_time=session_time, time_out=5
        )
        assert execute(member, req) == [session_ans(version, req, expected, None)]
        assert plain(member) == before
        tried += 1
    assert tried == 3 * 4 * 4 * 2 - 1


def test_a_start_that_is_missed_joins_late_in_version_1_and_is_refused_in_version_2() -> None:
    for late in (0, 1, 200, 255):
        req = session_req(session_time=int(NOW) - late, time_out=8)
        window = ListenClassC(0, NOW - late, NOW - late + 256, FREQ, DR)
        member, _ = joined(1)
        assert execute(member, req) == [session_ans(1, req, 0, 0), window]
        assert execute(member, req, now=NOW + 0.5) == [session_ans(1, req, 0, 0)]
        member, _ = joined(2)
        assert execute(member, req) == [session_ans(2, req, 8, None)]
    over = session_req(session_time=int(NOW) - 256, time_out=8)
    member, _ = joined(1)
    assert execute(member, over) == [session_ans(1, over, 4, None)]


@both
def test_a_start_too_far_away_is_announced_as_a_clock_that_is_off(version: int) -> None:
    for distance, told in [
        (0xFFFFFE, 0xFFFFFE),
        (0xFFFFFF, CLOCK_UNKNOWN),
        (0x1000000, CLOCK_UNKNOWN),
        (2**31 - 1, CLOCK_UNKNOWN),
    ]:
        member, _ = joined(version)
        req = session_req(session_time=int(NOW) + distance)
        assert execute(member, req) == [session_ans(version, req, 0, told)]
        window = member.window(0)
        assert isinstance(window, ListenClassC)
        assert window.start == NOW + distance


@both
def test_session_time_wraps_in_2116_and_the_window_does_not(version: int) -> None:
    now = 2.0**32 - 10
    member, _ = joined(version)
    req = session_req(session_time=90)
    assert execute(member, req, now=now) == [
        session_ans(version, req, 0, 100),
    ]
    assert member.window(0) == ListenClassC(0, 2**32 + 90, 2**32 + 346, FREQ, DR)


@both
@pytest.mark.parametrize("off", [1, 64, 127, 128])
def test_class_b_starts_at_the_next_beacon(version: int, off: int) -> None:
    member, _ = joined(version)
    beacon = int(NOW) // 128 * 128 + 1280
    req = session_req(v1.McClassBSessionReq, session_time=beacon + off, time_out=0)
    start = beacon + 128
    assert execute(member, req) == [
        session_ans(version, req, 0, int(start - NOW)),
    ]
    assert member.window(0) == ListenClassB(0, start, start + 128, 4, FREQ, DR)


@both
def test_a_frequency_of_zero_hops_in_class_b_where_the_region_hops(version: int) -> None:
    beacon = int(NOW) // 128 * 128 + 1280
    class_b = session_req(v1.McClassBSessionReq, session_time=beacon, dl_freq_hz=0)
    class_c = session_req(session_time=beacon, dl_freq_hz=0)
    hopping, _ = joined(version, limits=dataclasses.replace(EU868, hops=True))
    [answer] = execute(hopping, class_b)
    assert (answer, hopping.window(0)) == (
        session_ans(version, class_b, 0, int(beacon - NOW)),
        ListenClassB(0, beacon, beacon + (128 << 8), 4, 0, DR),
    )
    assert execute(hopping, class_c) == [session_ans(version, class_c, 2, None)]
    fixed, _ = joined(version)
    assert execute(fixed, class_b) == [session_ans(version, class_b, 2, None)]


@both
def test_windows_of_different_groups_run_beside_each_other(version: int) -> None:
    member, _ = joined(version, mc_group_id=0)
    execute(member, group().setup_req(ROOT, mc_group_id=1))
    execute(member, session_req(mc_group_id=0, time_out=8))
    execute(member, session_req(mc_group_id=1, time_out=4))
    assert member.next_deadline == NOW + 640
    assert [type(one) for one in tick(member, now=NOW + 640)] == [ListenClassC] * 2
    assert (member.listening, member.class_c_until) == ((0, 1), NOW + 640 + 256)
    assert member.next_deadline == NOW + 640 + 16
    assert tick(member, now=NOW + 640 + 16) == [StopListening(1)]
    assert member.next_deadline == NOW + 640 + 256
    assert tick(member, now=NOW + 1e6) == [StopListening(0)]


@both
def test_leaving_early_stops_once(version: int) -> None:
    member, server = joined(version)
    assert leave(member, 0) == []
    execute(member, session_req())
    tick(member, now=NOW + 700)
    assert leave(member, 0) == [StopListening(0)]
    assert (leave(member, 0), leave(member, 3), member.next_deadline) == ([], [], None)
    assert not isinstance(member.open(server.sender.seal(b"x", fport=201)), Drop)


@both
@either_class
def test_receive_time_is_stored_before_it_is_used_and_given_back_when_it_was_not(
    version: int, cls: type
) -> None:
    """Promise S12, action by action; what is exported is what was stored."""
    windows = WindowLimits(max_session_seconds=300, max_daily_seconds=300)
    member, _ = joined(version, limits=dataclasses.replace(EU868, windows=windows))
    start = int(NOW) // 128 * 128 + 640
    req = session_req(cls, session_time=start, time_out=9)
    state: SavedState = {}

    def kinds(results: Sequence[Answer | Action]) -> list[str]:
        for one in results:
            if not isinstance(one, Answer):
                keep(state, one)
        stored = {name: value for name, value in state.items() if name.startswith("listened")}
        assert {k: v for k, v in member.export().items() if k.startswith("listened")} == stored
        return [one.name if isinstance(one, Store) else type(one).__name__ for one in results]

    listen = "ListenClassC" if cls is v1.McClassCSessionReq else "ListenClassB"
    assert kinds(member.execute(req, now=NOW, max_payload=51)) == ["window/0", "Answer"]
    opened = kinds(member.tick(now=start))
    assert opened == ["listened", "listened/0", listen]
    assert kinds(member.tick(now=start + 1)) == []
    if listen == "ListenClassC":
        assert kinds(member.tick(now=start + 60)) == ["listened", "listened/0"]
    left = kinds(member.leave(0, now=start + 70))
    assert left == ["StopListening", "window/0", "listened", "listened/0"]
    assert state["listened"] == f"{start + 70} {70 if listen == 'ListenClassC' else 1} 0"
    again = session_req(cls, session_time=start + 1280, time_out=9)
    kinds(member.execute(again, now=start + 80, max_payload=51))
    kinds(member.tick(now=start + 1280))
    replaced = session_req(cls, session_time=start + 2560, time_out=4)
    answered = kinds(member.execute(replaced, now=start + 1290, max_payload=51))
    assert answered == ["StopListening", "window/0", "Answer", "listened", "listened/0"]
    if listen == "ListenClassC":
        kinds(member.tick(now=start + 2560))
        over = kinds(member.tick(now=start + 2576))
        assert over == ["StopListening", "window/0", "listened", "listened/0"]
    gone = v1.McGroupDeleteReq(mc_group_id=0)
    assert "Answer" in kinds(member.execute(gone, now=start + 2600, max_payload=51))
    assert [name for name in state if name.startswith("listened")] == ["listened"]


def test_a_device_without_limits_stores_no_receive_time() -> None:
    member, _ = joined(2)
    stored = [
        *member.execute(session_req(), now=NOW, max_payload=51),
        *member.tick(now=NOW + 640),
        *member.leave(0, now=NOW + 700),
    ]
    assert [one.name for one in stored if isinstance(one, Store)] == ["window/0", "window/0"]
    assert member.next_deadline is None


@both
def test_the_counter_outlives_the_session(version: int) -> None:
    member, server = joined(version)
    first = server.sender.seal(b"first", fport=201)
    execute(member, session_req())
    member.open(first)
    tick(member, now=NOW + 1e6)
    execute(member, session_req(session_time=int(NOW) + 7000))
    assert isinstance(member.open(first), Drop)
    assert not isinstance(member.open(server.sender.seal(b"second", fport=201)), Drop)


@both
def test_uplinks_and_commands_of_others_change_nothing(version: int) -> None:
    member, _ = joined(version)
    before = plain(member)
    for command, reason in (
        (v1.McGroupDeleteAns(mc_group_id=0, mc_group_undefined=False), DropReason.DIRECTION),
        (set_up_answer(0).command, DropReason.DIRECTION),
        (session_ans(version, session_req(), 0, 5).command, DropReason.DIRECTION),
        (FragSessionDeleteReq(frag_index=0), DropReason.PACKAGE),
        (session_ans(3 - version, session_req(), 0, 5).command, DropReason.PACKAGE),
    ):
        assert execute(member, command) == [Dropped(reason, type(command).__name__)]
    assert plain(member) == before


@both
def test_the_version_is_told(version: int) -> None:
    assert execute(device(version), v1.PackageVersionReq()) == [
        Answer(v1.PackageVersionAns(package_identifier=2, package_version=version))
    ]


@both
def test_groups_survive_copying_and_refuse_to_be_pickled_with_their_keys(version: int) -> None:
    member, server = joined(version)
    execute(member, session_req())
    twin = copy.deepcopy(member)
    assert plain(twin) == plain(member)
    phy = server.sender.seal(b"x", fport=201)
    assert twin.open(phy) == member.open(phy)
    with pytest.raises(TypeError):
        pickle.dumps(member)


# The server's side


@both
@pytest.mark.parametrize("root", [ROOT, AppKey(bytes(range(16)))], ids=repr)
def test_a_member_of_either_link_layer_gets_the_same_group(
    version: int, root: GenAppKey | AppKey
) -> None:
    member, server = McDevice(mc_profile(version), root_key=root, limits=EU868), group()
    server.sender.seal(b"before", fport=201)
    req = server.setup_req(root, mc_group_id=1)
    assert (req.mc_group_id, req.mc_addr, req.min_mc_fcnt, req.max_mc_fcnt) == (1, MC_ADDR, 1, 1000)
    ke = derive_mc_ke_key(derive_mc_root_key(root))
    assert unwrap_mc_key(ke, req.mc_key_encrypted) == MC_KEY
    assert execute(member, req) == [set_up_answer(1)]
    assert not isinstance(member.open(server.sender.seal(b"after", fport=201)), Drop)


def test_the_wrong_root_key_gives_a_member_that_hears_nothing() -> None:
    server = group()
    member = McDevice(mc_profile(2), root_key=AppKey(ROOT.reveal()), limits=EU868)
    assert execute(member, server.setup_req(ROOT, mc_group_id=0)) == [set_up_answer(0)]
    assert member.open(server.sender.seal(b"x", fport=201)) is Drop.MIC


@pytest.mark.parametrize("key", TS005["keys"], ids=lambda v: v["id"])
def test_the_wrapped_key_is_that_of_the_vector(key: dict[str, Any]) -> None:
    scheme = {"AppKey": LorawanVersion.V1_1, "GenAppKey": LorawanVersion.V1_0}
    root = root_key(bytes.fromhex(key["root_key"]), scheme[key["root_key_name"]])
    server = McGroupServer(
        mc_addr=DevAddr(int(key["McAddr"], 16)),
        mc_key=McKey.from_hex(key["McKey"]),
        max_mc_fcnt=9,
    )
    req = server.setup_req(root, mc_group_id=0)
    assert req.mc_key_encrypted.hex() == key["McKey_encrypted"].lower()


@pytest.mark.parametrize("mc_group_id", [-1, 4])
def test_the_server_refuses_a_group_no_device_has(mc_group_id: int) -> None:
    with pytest.raises(FieldError):
        group().setup_req(ROOT, mc_group_id=mc_group_id)


@both
def test_the_session_the_server_asks_for_is_the_one_the_device_opens(version: int) -> None:
    member, server = joined(version)
    req = server.class_c_session_req(
        mc_group_id=0, start=NOW + 60, seconds=300.5, dl_freq_hz=FREQ, dr=DR
    )
    [answer] = execute(member, req)
    assert member.window(0) == ListenClassC(0, NOW + 60, NOW + 60 + 512, FREQ, DR)
    assert isinstance(answer, Answer)
    assert isinstance(answer.command, SessionAns)
    assert server.refusal(answer.command, req, received=NOW + 1.5) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"mc_group_id": 4},
        {"start": float("nan")},
        {"seconds": 40_000},
        {"dl_freq_hz": 869_525_050},
        {"dr": 256},
    ],
    ids=str,
)
def test_the_server_refuses_a_session_that_does_not_fit_the_message(wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {
        "mc_group_id": 0,
        "start": NOW,
        "seconds": 10,
        "dl_freq_hz": FREQ,
        "dr": DR,
    }
    with pytest.raises(FieldError):
        McGroupServer.class_c_session_req(**{**fields, **wrong})


def answer_to(version: int, req: SessionReq, errors: int, seconds: int | None) -> SessionAns:
    command = session_ans(version, req, errors, seconds).command
    assert isinstance(command, SessionAns)
    return command


@both
@either_class
def test_every_refusal_of_a_device_is_told_by_name(version: int, cls: type) -> None:
    req = session_req(cls)
    names = ["DR_ERROR", "FREQ_ERROR", "MC_GROUP_UNDEFINED"]
    names += ["START_MISSED"] if version == 2 else []
    for bits in range(1, 1 << len(names)):
        told = ", ".join(name for at, name in enumerate(names) if bits >> at & 1)
        answer = answer_to(version, req, bits, None)
        assert McGroupServer.refusal(answer, req, received=NOW) == told


@both
@pytest.mark.parametrize("bit", [5, 6, 7])
def test_a_bit_without_a_name_is_a_refusal_as_well(version: int, bit: int) -> None:
    req = session_req()
    octets = bytes((0x04, 1 << bit))
    answer = (v1 if version == 1 else v2).McClassCSessionAns.decode(octets)
    told = McGroupServer.refusal(answer, req, received=NOW)
    assert told == (
        "START_MISSED" if version == 2 and bit == 5 else f"error bits 0x{1 << bit - 2:02X}"
    )


@both
def test_an_answer_about_another_group_or_from_a_wrong_clock_is_a_refusal(version: int) -> None:
    req = session_req()
    other = dataclasses.replace(req, mc_group_id=2)
    assert McGroupServer.refusal(answer_to(version, other, 0, 5), req, received=NOW) == (
        "the answer is about McGroupID 2"
    )
    unknown = answer_to(version, req, 0, CLOCK_UNKNOWN)
    assert McGroupServer.refusal(unknown, req, received=NOW) == (
        "the device's clock is out of sync"
    )
    for seconds, told in [
        (640, None),
        (637, None),
        (643, None),
        (636, "the device's clock is off by +4 s"),
        (644, "the device's clock is off by -4 s"),
        (0, "the device's clock is off by +640 s"),
    ]:
        answer = answer_to(version, req, 0, seconds)
        assert McGroupServer.refusal(answer, req, received=NOW) == told
    late = answer_to(version, req, 0, 600)
    assert McGroupServer.refusal(late, req, received=NOW, tolerance_seconds=60) is None


def test_a_device_that_joins_late_is_listening() -> None:
    req = session_req(session_time=int(NOW) - 100, time_out=8)
    member, _ = joined(1)
    answer, _ = execute(member, req)
    assert isinstance(answer, Answer)
    assert isinstance(answer.command, SessionAns)
    assert McGroupServer.refusal(answer.command, req, received=NOW + 2) is None
    told = McGroupServer.refusal(answer.command, req, received=NOW + 156)
    assert told == "the window is over"


@both
def test_class_b_may_be_announced_roughly_and_counts_from_the_beacon(version: int) -> None:
    beacon = int(NOW) // 128 * 128 + 1280
    req = session_req(v1.McClassBSessionReq, session_time=beacon - 100)
    member, _ = joined(version)
    [answer] = execute(member, req)
    window = member.window(0)
    assert isinstance(window, ListenClassB)
    assert window.start == beacon
    assert isinstance(answer, Answer)
    assert isinstance(answer.command, SessionAns)
    for off, told in [(0, None), (60, None), (61, "the device's clock is off by -61 s")]:
        found = McGroupServer.refusal(answer.command, req, received=NOW + off)
        assert found == told


def test_a_group_of_no_counters_is_refused() -> None:
    with pytest.raises(FieldError):
        group(next_fcnt=2, max_mc_fcnt=1)
