"""When a device asks for the time, and what it does with the answer (vectors of TS003)."""

from __future__ import annotations

import copy
import itertools
import pickle
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.clocksync import v1, v2
from lorafuota.errors import FieldError
from lorafuota.session.actions import Action, Answer, Dropped, DropReason, Send, Store
from lorafuota.session.clock import ClockDevice
from lorafuota.session.clocksync import answer_app_time
from lorafuota.session.device import FuotaDevice
from lorafuota.session.profile import clock_profile
from lorafuota.session.stacks import device_profile
from lorafuota.types import GenAppKey
from tests.support import vectors

TS003 = vectors("ts003")
BEHAVIOUR = {vector["id"]: vector for vector in TS003["device_behaviour"]}
SEQUENCES = {vector["id"]: vector for vector in TS003["sequences"]}
CLOCK = 202
NOW = 1_300_000_000.0
both = pytest.mark.parametrize("version", [1, 2])


def device(
    version: int = 2, *, known: bool = False, period: float | None = None, **options: Any
) -> FuotaDevice:
    return FuotaDevice.from_profile(
        device_profile(options.pop("name", f"documents v{version}")),
        root_key=GenAppKey(bytes(16)),
        rng=random.Random(options.pop("seed", 1)),
        clock_known=known,
        period_seconds=period,
        **options,
    )


def clock(one: FuotaDevice) -> ClockDevice:
    assert one.clock is not None
    return one.clock


def receive(one: FuotaDevice, downlink: str, now: float = 0.0) -> list[Action]:
    actions = one.receive(CLOCK, bytes.fromhex(downlink), now=now)
    return [action for action in actions if not isinstance(action, Store)]


def requests(actions: list[Action]) -> list[v1.AppTimeReq]:
    return [
        v1.AppTimeReq.decode(action.payload, strict=True)
        for action in actions
        if isinstance(action, Send) and action.fport == CLOCK and action.payload[0] == 1
    ]


def ask(one: FuotaDevice, now: float) -> v1.AppTimeReq:
    [request] = requests(one.tick(now=now))
    return request


def run(one: FuotaDevice, now: float, until: float) -> list[tuple[float, v1.AppTimeReq]]:
    """Every request up to a time, with the time it was made at."""
    found = []
    while (deadline := one.next_deadline) is not None and deadline <= until:
        now = max(now, deadline)
        found += [(now, request) for request in requests(one.tick(now=now))]
    return found


# The vectors


@both
def test_a_forced_resynchronisation_goes_as_in_the_vector(version: int) -> None:
    vector = BEHAVIOUR["force-3-until-answered"]
    never = device(version, known=True)
    assert receive(never, vector["downlink"], NOW) == []
    sent = run(never, NOW, NOW + 1e9)
    assert len(sent) == vector["uplinks_if_never_answered"]
    assert {request.ans_required for _, request in sent} == {bool(vector["ans_required_bit"])}
    assert {request.token_req for _, request in sent} == {0}
    assert [request.device_time for _, request in sent] == [int(now) for now, _ in sent]
    gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(sent)]
    assert all(10 <= gap <= 60 for gap in gaps)
    answered = device(version, known=True)
    receive(answered, vector["downlink"], NOW)
    ask(answered, NOW)
    now = answered.next_deadline
    assert now is not None
    assert ask(answered, now).token_req == 0
    assert receive(answered, "010500000001", now) == [Dropped(DropReason.TOKEN, "token 1")]
    assert clock(answered).forced_left == 1
    assert receive(answered, "010500000000", now) == []
    assert run(answered, now, NOW + 1e9) == []


@both
def test_a_forced_resynchronisation_of_none_is_discarded(version: int) -> None:
    one = device(version, known=True)
    name = "ForceDeviceResyncReq" if version == 1 else "ForceDeviceResyncCmd"
    assert receive(one, BEHAVIOUR["force-0"]["downlink"]) == [
        Dropped(DropReason.NO_TRANSMISSIONS, name)
    ]
    assert one.next_deadline is None


@both
@pytest.mark.parametrize("downlink", ["00", "010500000000", "0205", "0303"])
def test_nothing_is_executed_by_multicast(version: int, downlink: str) -> None:
    one = device(version, known=True)
    assert BEHAVIOUR["multicast-drop"]["downlink"] == "00"
    before = copy.deepcopy((clock(one).clock, clock(one).forced_left, one.next_deadline))
    [dropped] = one.receive(CLOCK, bytes.fromhex(downlink), now=NOW, mc_group_id=0)
    assert isinstance(dropped, Dropped)
    assert dropped.reason is DropReason.UNICAST_ONLY
    assert (clock(one).clock, clock(one).forced_left, one.next_deadline) == before


@both
@pytest.mark.parametrize("row", BEHAVIOUR["periodicity-window"]["table"], ids=str)
def test_a_period_of_the_server_is_kept_as_in_the_vector(version: int, row: dict[str, int]) -> None:
    one = device(version, known=True)
    receive(one, f"02{row['period']:02x}", NOW)
    assert clock(one).period == row["period"]
    sent = [NOW, *(now for now, _ in run(one, NOW, NOW + 100 * row["nominal_s"]))]
    gaps = {round(later - earlier) for earlier, later in itertools.pairwise(sent)}
    assert row["min_s"] <= min(gaps) < row["nominal_s"] < max(gaps) <= row["max_s"]


@both
def test_answers_come_in_the_order_of_the_requests_as_in_the_vector(version: int) -> None:
    vector = BEHAVIOUR["ack-order"]
    refusing = "LoRaMac-node" if version == 1 else None
    one = device(name=refusing or "documents v2", known=True)
    [send] = receive(one, vector["downlink"], 0x493E8279 + 0.5)
    assert isinstance(send, Send)
    accepted = f"00010{version}" + "0200" + "79823e49"
    expected = vector["uplink_hex_example_v1_time_0x493e8279_notsupported"]
    assert send.payload.hex() == (expected if refusing else accepted)


@pytest.mark.parametrize("name", ["token-wrap", "stale-answer"])
@both
def test_the_token_goes_as_in_the_vector(version: int, name: str) -> None:
    """The device's clock stands still: ``now`` does, and only corrections move the time."""
    sequence = SEQUENCES[name]
    one = device(version, known=True)
    clock(one).clock.offset_seconds = sequence["start_clock"]
    clock(one).clock.token = sequence["start_token"]
    for step in sequence["steps"]:
        if "uplink" in step:
            assert clock(one).request(now=0.0).encode().hex() == step["uplink"]
        actions = receive(one, step["downlink"])
        dropped = [Dropped(DropReason.TOKEN, f"token {int(step['downlink'][10:], 16)}")]
        assert actions == ([] if step.get("applied", True) else dropped)
        assert one.gps(0.0) == step["clock_after"]
        assert clock(one).clock.token == step["token_after"]


@pytest.mark.parametrize("name", ["saturation-two-step-v2", "saturation-min-v2"])
@both
def test_an_extreme_correction_is_followed_by_another_request(version: int, name: str) -> None:
    one = device(version)
    steps = SEQUENCES[name]["steps"]
    first = v1.AppTimeReq.decode(bytes.fromhex(steps[0]["uplink"]))
    clock(one).clock.offset_seconds = first.device_time - (1 << 32) * (first.device_time >> 31)
    clock(one).clock.token = first.token_req
    assert ask(one, 0.0) == first
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        assert receive(one, step["downlink"]) == []
        assert (one.gps(0.0) or 0) % 2**32 == step["clock_after"]
        again = requests(one.tick(now=0.0))
        if version == 1 or following is None:
            assert again == []
            return
        assert [request.encode().hex() for request in again] == [following["uplink"]]


def test_the_captured_exchange_of_2018_runs_as_recorded() -> None:
    sequence = SEQUENCES["captured-2018-exchange"]
    frames = [frame["hex"] for frame in sequence["frames"]]
    one = device(1, known=True)
    clock(one).clock.offset_seconds = sequence["decoded"][0]["device_time"]
    assert clock(one).request(now=0.0).encode().hex() == frames[0]
    receive(one, frames[1], 1.0)
    elapsed = sequence["decoded"][2]["device_time"] - clock(one).clock.offset_seconds
    assert clock(one).request(now=elapsed).encode().hex() == frames[2]
    assert clock(one).request(now=elapsed + 33).encode().hex() == frames[3]
    receive(one, frames[4], elapsed + 34)
    assert clock(one).clock.token == 2


# By itself


@both
def test_a_fresh_device_insists_with_one_token_and_longer_and_longer_pauses(version: int) -> None:
    one = device(version)
    sent = run(one, 100.0, 100_000.0)
    assert sent[0][0] == 100.0
    assert all(request.ans_required and request.token_req == 0 for _, request in sent)
    gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(sent)]
    for at, gap in enumerate(gaps):
        assert 60 * 2 ** min(at, 10) <= gap <= 120 * 2 ** min(at, 10)
    assert one.gps(0.0) is None


@both
def test_once_it_knows_the_time_it_asks_at_its_own_period_without_insisting(version: int) -> None:
    one = device(version, period=3600.0)
    ask(one, 10.0)
    receive(one, "0100286b4d00", 12.0)
    assert one.gps(12.0) == 12 + 0x4D6B2800
    sent = run(one, 12.0, 12.0 + 100 * 3600)
    assert 97 <= len(sent) <= 103
    assert not any(request.ans_required for _, request in sent)
    gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(sent)]
    assert all(3570 <= gap <= 3630 for gap in gaps)


@both
def test_without_a_period_a_device_in_sync_is_silent(version: int) -> None:
    one = device(version)
    ask(one, 10.0)
    receive(one, "0100286b4d00", 12.0)
    assert one.next_deadline is None


@both
def test_an_owner_who_could_not_send_in_time_gets_a_fresh_request(version: int) -> None:
    one = device(version, known=True, period=3600.0)
    old = ask(one, NOW)
    fresh = clock(one).request(now=NOW + 40)
    assert (fresh.device_time - old.device_time, fresh.token_req) == (40, old.token_req)


@both
def test_time_from_elsewhere_makes_the_answer_under_way_worthless(version: int) -> None:
    one = device(version)
    request = ask(one, 5.0)
    assert one.set_time(NOW, now=6.0) == []
    assert one.gps(6.0) == NOW
    assert receive(one, f"010a0000000{request.token_req}", 7.0) == [
        Dropped(DropReason.TOKEN, "token 0")
    ]
    assert one.gps(6.0) == NOW


@both
def test_a_request_waits_for_the_end_of_a_class_c_window(version: int) -> None:
    from tests.unit.session.test_device import MULTICAST, group, window_req

    one = device(version, known=True)
    root = GenAppKey(bytes(16))
    one.receive(MULTICAST, group().setup_req(root, mc_group_id=0).encode(), now=NOW)
    one.receive(MULTICAST, window_req().encode(), now=NOW)
    one.tick(now=NOW + 600)
    receive(one, "0303", NOW + 601)
    assert (one.next_deadline, requests(one.tick(now=NOW + 700))) == (NOW + 856, [])
    assert len(requests(one.tick(now=NOW + 856))) == 1


def test_a_period_is_stored_when_it_changes_and_survives_a_reset() -> None:
    one = device(known=True)
    assert one.receive(CLOCK, b"\x02\x05", now=NOW)[0] == Store("period", 5)
    again = one.receive(CLOCK, b"\x02\x05", now=NOW)
    assert not [action for action in again if isinstance(action, Store)]
    fresh = device()
    fresh.restore(one.export(), now=0.0)
    assert (clock(fresh).period, clock(fresh).clock.token, fresh.gps(0.0)) == (5, 0, None)


def test_a_device_that_knows_the_time_goes_on_with_the_servers_period_after_a_reset() -> None:
    one = device(known=True)
    one.receive(CLOCK, v1.DeviceAppTimePeriodicityReq(period=3).encode(), now=NOW)
    fresh = device(known=True)
    before = fresh.next_deadline
    fresh.restore(one.export(), now=NOW)
    due = fresh.next_deadline
    assert before is None
    assert due is not None
    assert NOW + 1024 - 30 <= due <= NOW + 1024 + 30


@pytest.mark.parametrize("period", [0.0, 60.0, -1.0, float("inf"), float("nan")])
def test_a_period_within_the_jitter_is_refused(period: float) -> None:
    with pytest.raises(FieldError):
        ClockDevice(clock_profile(2), rng=random.Random(1), period_seconds=period)


def test_uplinks_and_commands_of_the_other_version_are_ignored() -> None:
    one = ClockDevice(clock_profile(2), rng=random.Random(1))
    request = one.request(now=0.0)
    assert one.execute(request, now=0.0) == [Dropped(DropReason.DIRECTION, "AppTimeReq")]
    old = v1.ForceDeviceResyncReq(nb_transmissions=1)
    assert one.execute(old, now=0.0) == [Dropped(DropReason.PACKAGE, "ForceDeviceResyncReq")]
    new = v2.ForceDeviceResyncCmd(nb_transmissions=1)
    assert one.execute(new, now=0.0) == []


# Stacks that differ


@pytest.mark.parametrize(
    ("name", "count", "gaps"),
    [
        ("LoRaMac-node", 3, (0, 0)),
        ("LoRa Basics Modem 4.8", 3, (1, 1)),
        ("Zephyr 2025", 4, (10, 10)),
        ("Renesas", 3, (10, 10)),
    ],
)
def test_forced_requests_of_known_stacks(name: str, count: int, gaps: tuple[int, int]) -> None:
    one = device(name=name, known=True)
    receive(one, "0303", NOW)
    sent = run(one, NOW, NOW + 1e6)
    assert len(sent) == count
    steps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(sent)]
    assert all(gaps[0] <= gap <= gaps[1] for gap in steps)
    receive(one, "0307", NOW + 1e6)
    receive(one, "010000000009", NOW + 1e6)
    stopped = name in ("LoRaMac-node", "Zephyr 2025")
    assert (clock(one).forced_left == 0) is stopped


@pytest.mark.parametrize("name", ["LoRaMac-node", "Zephyr 2025"])
def test_some_stacks_never_insist(name: str) -> None:
    assert not ask(device(name=name), 0.0).ans_required


def test_zephyr_does_not_ask_again_after_an_extreme_correction() -> None:
    one = device(name="Zephyr 2025")
    ask(one, 0.0)
    receive(one, "01ffffff7f00")
    assert requests(one.tick(now=0.0)) == []


# Clocks that misbehave (R11)


@given(
    moments=st.lists(
        st.one_of(st.floats(-1e10, 1e10), st.sampled_from([0.0, NOW, 2.0**32 - 1, 2.0**32])),
        min_size=1,
        max_size=30,
    ),
    downlinks=st.lists(
        st.sampled_from(["0303", "0205", "020f", "010500000000", "01ffffff7f00", "010000008001"]),
        max_size=10,
    ),
    version=st.sampled_from([1, 2]),
)
def test_time_that_jumps_stops_and_runs_back_never_silences_a_device(
    moments: list[float], downlinks: list[str], version: int
) -> None:
    one = device(version, period=86_400.0)
    for now, downlink in zip(moments, [*downlinks, *[""] * len(moments)], strict=False):
        for action in receive(one, downlink, now) if downlink else []:
            assert not isinstance(action, Send) or action.not_before == now
        sent = requests(one.tick(now=now))
        assert len(sent) <= 1
        deadline = one.next_deadline
        assert deadline is not None
        assert deadline <= now + 4_194_334


@given(start=st.floats(0, 1e7), gps=st.integers(0, 2**33), version=st.sampled_from([1, 2]))
def test_a_server_sets_any_clock_right(start: float, gps: int, version: int) -> None:
    one = device(version)
    for _ in range(2):
        for request in requests(one.tick(now=start)):
            answer = answer_app_time(
                arrival_gps=gps,
                device_time=request.device_time,
                token_req=request.token_req,
                ans_required=True,
            )
            assert answer is not None
            command = v1.AppTimeAns(
                time_correction=answer.time_correction, token_ans=answer.token_ans
            )
            receive(one, command.encode().hex(), start)
    assert clock(one).known
    if version == 2 or not clock(one).clock.token % 2:
        assert clock(one).clock.device_time(start) == gps % 2**32


def test_a_session_is_plain_data() -> None:
    one = ClockDevice(clock_profile(2), rng=random.Random(1))
    one.execute(v2.ForceDeviceResyncCmd(nb_transmissions=3), now=5.0)
    twin = pickle.loads(pickle.dumps(one))
    answers: list[list[Answer | Action]] = [each.tick(now=6.0) for each in (one, twin)]
    assert answers[0] == answers[1]
    assert twin.next_deadline == one.next_deadline
