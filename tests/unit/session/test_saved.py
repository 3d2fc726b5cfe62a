"""What survives a reset, entry by entry; and saved states that are damaged or forged (R7, R8)."""

from __future__ import annotations

import copy
import json
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError, StateError
from lorafuota.fragmentation.v1 import DataFragment, FragSessionDeleteReq, FragSessionStatusReq
from lorafuota.multicastsetup.v1 import McGroupDeleteReq
from lorafuota.session.actions import (
    Action,
    BlockReceived,
    Dropped,
    DropReason,
    ListenClassC,
    Send,
    Store,
    StoreSessionCnt,
)
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragServer, FragState
from lorafuota.session.multicast import McGroupServer, McLimits, WindowLimits
from lorafuota.session.profile import frag_profile
from lorafuota.session.receivetime import Span
from lorafuota.session.saved import SavedState, keep, listened_value, saved_listened
from lorafuota.session.stacks import device_profile
from lorafuota.types import DevAddr, GenAppKey, McKey
from tests.support import nested, rebuilt

NOW = 1_400_000_000.0
ROOT = GenAppKey(bytes(range(16)))
BLOCK = DataBlock(random.Random(1).randbytes(420), 10, b"desc")  # 21 columns a line: odd
both = pytest.mark.parametrize("version", [1, 2])


LIMITED = McLimits(windows=WindowLimits(max_session_seconds=5000, max_daily_seconds=9000))


def device(
    version: int, *, seed: int = 1, clock_known: bool = True, limits: McLimits | None = None
) -> FuotaDevice:
    return FuotaDevice.from_profile(
        device_profile(f"documents v{version}"),
        root_key=ROOT,
        rng=random.Random(seed),
        clock_known=clock_known,
        period_seconds=None,
        mc_limits=limits,
    )


class Server:
    """The other end: one group, one block."""

    def __init__(self, version: int) -> None:
        self.group = McGroupServer(
            mc_addr=DevAddr(7), mc_key=McKey(bytes(range(16, 32))), max_mc_fcnt=10_000
        )
        self.frag = FragServer(
            frag_profile(version),
            BLOCK,
            frag_index=1,
            mc_group_bit_mask=0b100,
            session_cnt=3 if version == 2 else 0,
            root_key=ROOT,
            ack_reception=version == 2,
        )
        self._encoder = BLOCK.encoder(frag_profile(version).parity)

    def set_up(self) -> list[tuple[int, bytes]]:
        window = self.group.class_c_session_req(
            mc_group_id=2, start=NOW + 60, seconds=1000, dl_freq_hz=869_525_000, dr=0
        )
        return [
            (200, self.group.setup_req(ROOT, mc_group_id=2).encode()),
            (201, self.frag.setup_req.encode()),
            (200, window.encode()),
        ]

    def frame(self, n: int) -> bytes:
        fragment = DataFragment(n=n, frag_index=1, payload=self._encoder.fragment(n))
        return self.group.sender.seal(fragment.encode(), fport=201)


def take(state: SavedState, actions: list[Action]) -> list[Action]:
    """Do what an owner does with the storing actions; return the others."""
    return [action for action in actions if not keep(state, action)]


def test_an_action_that_stores_nothing_changes_nothing() -> None:
    state: SavedState = {"format": 1}
    assert not keep(state, Send(1, b"", 0.0))
    assert keep(state, Store("period", 4))
    assert keep(state, StoreSessionCnt(2, 9))
    assert state == {"format": 1, "period": 4, "session_cnt/2": 9}
    assert keep(state, Store("period", None))
    assert keep(state, Store("period", None))
    assert state == {"format": 1, "session_cnt/2": 9}


@both
@pytest.mark.parametrize("resets", [1, 3, 10])
@pytest.mark.parametrize("progress", [False, True])
def test_an_update_survives_resets(version: int, resets: int, progress: bool) -> None:
    """Promise R7: no block lost, with the fragments received saved or not."""
    one, server = device(version), Server(version)
    state: SavedState = {}
    for fport, payload in server.set_up():
        take(state, one.receive(fport, payload, now=NOW))
    blocks: list[BlockReceived] = []
    listening = False
    for n in range(1, 400):
        now = NOW + 60 + n
        if n % 7 == 0 and n // 7 <= resets:
            saved = one.export(progress=True) if progress else state
            one = device(version, seed=n)
            listening = False
            actions = one.restore(json.loads(json.dumps(saved)), now=now)
            take(state, actions)
            listening |= any(isinstance(action, ListenClassC) for action in actions)
        for action in take(state, one.tick(now=now)):
            listening |= isinstance(action, ListenClassC)
        assert listening or blocks
        for action in take(state, rebuilt(one, one.receive_frame(server.frame(n), now=now), now)):
            if isinstance(action, BlockReceived):
                blocks.append(action)
    [block] = blocks
    assert block.data == BLOCK.image
    assert state["end/1"] == "done"


@both
@pytest.mark.parametrize("limits", [None, LIMITED], ids=["no limits", "limited"])
def test_what_is_stored_step_by_step_is_what_is_exported(
    version: int, limits: McLimits | None
) -> None:
    one, server, state = device(version, limits=limits), Server(version), SavedState(format=1)
    for fport, payload in server.set_up():
        take(state, one.receive(fport, payload, now=NOW))
    take(state, one.receive(202, b"\x02\x04", now=NOW))
    assert state == one.export()
    take(state, one.tick(now=NOW + 60))
    assert state == one.export()
    assert ("listened" in state, "listened/2" in state) == (limits is not None,) * 2
    for n in (1, 2, 3):
        take(state, rebuilt(one, one.receive_frame(server.frame(n), now=NOW + 61), NOW + 61))
    exported = one.export()
    assert str(exported.pop("fcnt/2")).split()[1] == "2"  # the stored one is a stretch ahead
    assert str(state.pop("fcnt/2")).split()[1] == "31"
    assert state == exported
    for n in range(4, 43):
        take(state, rebuilt(one, one.receive_frame(server.frame(n), now=NOW + 100), NOW + 100))
    assert state["end/1"] == one.export()["end/1"] == "done"
    take(state, one.receive(201, FragSessionDeleteReq(frag_index=1).encode(), now=NOW))
    take(state, one.receive(200, McGroupDeleteReq(mc_group_id=2).encode(), now=NOW))
    exported = one.export()
    state.pop("fcnt/2")
    assert state == exported
    assert exported.pop("listened", None) == (limits and "1400000100 40 0")
    assert set(exported) == {"format", "period", "former/2"} | (
        {"session_cnt/1"} if version == 2 else set()
    )


def test_counters_of_a_group_that_was_deleted_survive_a_reset() -> None:
    """Promise S9: the same group set up again, and a frame it had heard before, played again."""
    one, server, state = device(2), Server(2), SavedState()
    for fport, payload in server.set_up():
        take(state, one.receive(fport, payload, now=NOW))
    phy = server.frame(1)
    assert one.receive_frame(phy, now=NOW + 1) != [Dropped(DropReason.FRAME, "FCNT")]
    for saved in (one.export(), None):
        if saved is None:
            take(state, one.receive(200, McGroupDeleteReq(mc_group_id=2).encode(), now=NOW + 2))
            saved = one.export()
            assert "group/2" not in saved
        again = device(2)
        again.restore(saved, now=NOW + 3)
        for fport, payload in server.set_up():
            again.receive(fport, payload, now=NOW + 3)
        assert again.receive_frame(phy, now=NOW + 4) == [Dropped(DropReason.FRAME, "FCNT")]


def test_there_is_no_key_in_what_is_stored() -> None:
    """Promise S13: not even the group's key; it is kept as it was on air."""
    one, server = device(2), Server(2)
    for fport, payload in server.set_up():
        one.receive(fport, payload, now=NOW)
    text = json.dumps(one.export(progress=True))
    for secret in (ROOT.reveal(), bytes(range(16, 32))):
        assert secret.hex() not in text


@both
def test_counters_never_move_back(version: int) -> None:
    """Promises R7 and S9: after a reset no frame that was accepted is accepted again."""
    one, server, state = device(version), Server(version), SavedState()
    for fport, payload in server.set_up():
        take(state, one.receive(fport, payload, now=NOW))
    frames = [server.group.sender.seal(b"\x01\x03", fport=201) for _ in range(200)]
    accepted: set[int] = set()
    for at, phy in enumerate(frames):
        actions = take(state, one.receive_frame(phy, now=NOW))
        if any(isinstance(action, Send) for action in actions):
            assert at not in accepted
            accepted.add(at)
        if at % 37 == 36:
            one = device(version)
            one.restore(state, now=NOW)
            for old in range(at + 1):
                sent = [
                    action
                    for action in one.receive_frame(frames[old], now=NOW)
                    if isinstance(action, Send)
                ]
                assert sent == []
    assert len(accepted) >= 200 - 5 * 31


def test_a_session_counter_is_used_once_even_if_the_reset_comes_right_after_its_store() -> None:
    """Promise S6: cut after the first action of the first fragment."""
    one, server, state = device(2), Server(2), SavedState()
    for fport, payload in server.set_up():
        take(state, one.receive(fport, payload, now=NOW))
    frame = server.frame(1)
    for action in one.receive_frame(frame, now=NOW):
        if isinstance(action, StoreSessionCnt):
            keep(state, action)
            break
        keep(state, action)
    fresh = device(2)
    fresh.restore(state, now=NOW)
    assert fresh.fragmentation.session_cnt_prev == {1: 3}
    [answer] = fresh.receive(201, server.frag.setup_req.encode(), now=NOW)
    assert isinstance(answer, Send)
    ready = fresh.fragmentation.state(1) is FragState.READY
    assert ready  # the set-up survived; the same one again is a replay by now
    assert answer.payload == b"\x02\x50"


@both
def test_cut_at_every_action_of_an_update_and_go_on(version: int) -> None:
    """Promise R7: power fails before, or after, each of the actions of a whole update."""
    total = 0
    while True:
        one, server, state = device(version), Server(version), SavedState()
        done = count = 0
        cut = False

        def carry_out(actions: list[Action], state: SavedState, cut_at: int) -> bool:
            nonlocal count, done
            for action in actions:
                if count == cut_at:
                    count += 1
                    return True
                count += 1
                keep(state, action)
                done += isinstance(action, BlockReceived)
            return False

        def after_reset(state: SavedState) -> FuotaDevice:
            fresh = device(version)
            fresh.restore(copy.deepcopy(state), now=NOW + 61)
            return fresh

        for fport, payload in server.set_up():
            while carry_out(one.receive(fport, payload, now=NOW), state, total):
                one, cut = after_reset(state), True  # the server repeats what was not answered
        for n in range(1, 200):
            actions = rebuilt(one, one.receive_frame(server.frame(n), now=NOW + 61), NOW + 61)
            if carry_out(actions, state, total):
                one, cut = after_reset(state), True
        assert done == 1 or (cut and done == 2), (total, done)  # a report may come twice
        assert state["end/1"] == "done"
        if version == 2:
            assert state["session_cnt/1"] == 3
        if not cut:
            break
        total += 1
    assert total >= 10


@both
def test_a_block_that_was_delivered_is_not_delivered_again(version: int) -> None:
    one, server, state = device(version), Server(version), SavedState()
    for fport, payload in server.set_up():
        take(state, one.receive(fport, payload, now=NOW))
    for n in range(1, 43):
        take(state, rebuilt(one, one.receive_frame(server.frame(n), now=NOW + 61), NOW + 61))
    fresh = device(version)
    fresh.restore(state, now=NOW + 200)
    assert fresh.fragmentation.state(1) is FragState.DONE
    with pytest.raises(StateError):
        fresh.fragmentation.decoder(1)
    for n in range(43, 80):
        actions = fresh.receive_frame(server.frame(n), now=NOW + 201)
        assert not [action for action in actions if isinstance(action, BlockReceived)]
    status = FragSessionStatusReq(participants=True, frag_index=1).encode()
    [answer] = fresh.receive(201, status, now=NOW + 300)
    assert isinstance(answer, Send)
    expected = "012a400000" if version == 1 else "01002a4000"
    assert answer.payload.hex() == expected


def test_a_window_survives_a_reset_of_a_device_that_forgets_the_time() -> None:
    one, server, state = device(2), Server(2), SavedState()
    for fport, payload in server.set_up():
        take(state, one.receive(fport, payload, now=NOW))
    fresh = device(2, clock_known=False)
    assert fresh.restore(state, now=3.0) == []
    assert fresh.multicast.wants_time
    [request] = fresh.tick(now=3.0)
    assert isinstance(request, Send)
    fresh.set_time(NOW + 50, now=4.0)
    assert fresh.next_deadline == 14.0
    actions = fresh.tick(now=14.0)
    assert [action for action in actions if isinstance(action, ListenClassC)] == [
        ListenClassC(2, 14.0, 14.0 + 1024, 869_525_000, 0)
    ]


# Hostile states (R8)


def full(version: int) -> SavedState:
    one, server = device(version, limits=LIMITED), Server(version)
    for fport, payload in server.set_up():
        one.receive(fport, payload, now=NOW)
    for n in (1, 2, 50):
        one.receive_frame(server.frame(n), now=NOW)
    one.receive(202, b"\x02\x04", now=NOW)
    one.tick(now=NOW + 60)
    one.tick(now=NOW + 400)
    return one.export(progress=True)


def test_a_device_that_has_begun_takes_no_state() -> None:
    one, server = device(2), Server(2)
    one.receive(*server.set_up()[0], now=NOW)
    with pytest.raises(StateError):
        one.restore({}, now=NOW)


@both
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", 2),
        ("format", "1"),
        ("group/2", "zz"),
        ("group/2", 5),
        ("group/2", "0200"),
        ("group/2", "020100" + "00" * 28),
        ("group/2", "0202" + "00" * 20 + "05000000" + "04000000"),
        ("group/2", ["0202"]),
        ("group/2", nested()),
        ("fcnt/2", 5),
        ("fcnt/2", "0123456789abcdef 4294967296"),
        ("fcnt/2", "0123456789abcdef"),
        ("fcnt/2", "0123456789ABCDEF 1"),
        ("former/0", "0123456789abcdef -1"),
        ("window/2", "0400"),
        ("window/2", "0401" + "00" * 9),
        ("listened/2", 0),
        ("listened/2", -1),
        ("listened/2", 1 << 32),
        ("listened/2", "900"),
        ("listened/2", True),
        ("listened/3", 1.5),
        ("listened", 900),
        ("listened", ""),
        ("listened", "1400000000"),
        ("listened", "1400000000 900"),
        ("listened", "1400000000 900 -900 "),
        ("listened", "1400000000 -900 0"),
        ("listened", "1400000000 86401 0"),
        ("listened", "1400000000 900 86401"),
        ("listened", "1400000000 900 -86401"),
        ("listened", "14000000000000000 900 0"),
        ("listened", "1400000000.5 900 0"),
        ("listened", "\u0661400000000 900 0"),
        ("listened", "1400000000" + " 9 0" * 10),
        ("listened", "1400000000" + " 9 0" * 5000),
        ("listened", nested()),
        ("setup/1", "0211"),
        ("setup/1", None),
        ("setup/2", "02" + "11" + "0a000a0305" + "00" * 4),
        ("end/1", "over"),
        ("end/1", 3),
        ("decoder/1", "text"),
        ("decoder/1", {}),
        ("decoder/1", {"format": 1}),
        ("session_cnt/0", 65_536),
        ("session_cnt/0", True),
        ("report/1", 0),
        ("report/1", "never"),
        ("reboot", "time 1"),
        ("period", 16),
        ("period", "4"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(version: int, name: str, value: Any) -> None:
    state: dict[str, Any] = dict(full(version))
    if value is None:
        return  # an entry without a value is no entry
    state[name] = value
    for limits in (LIMITED, None):  # whatever is done with it
        with pytest.raises(FieldError):
            device(version, limits=limits).restore(state, now=NOW)


def test_spans_of_receive_time_read_as_they_were_written() -> None:
    spans = [Span(10, 86_400), Span(2.25, 7.75), Span(900, -900)]
    text = listened_value(spans, now=NOW + 0.5)
    assert text == "1400000001 10 86400 3 7 900 -900"
    read = saved_listened({"listened": text}, "listened")
    assert read == (NOW + 1, [Span(10, 86_400), Span(3, 7), Span(900, -900)])
    assert saved_listened({}, "listened") is None
    assert listened_value([], now=NOW) is None
    for now in (-(2.0**53), 2.0**53, -1e300, 1e300):  # as far as a time goes, and beyond
        text = listened_value(spans, now=now)
        assert saved_listened({"listened": text}, "listened") == (
            math.copysign(2.0**53, now),
            [Span(10, 86_400), Span(3, 7), Span(900, -900)],
        )


@pytest.mark.parametrize("state", [None, 5, "text", [1], b"x"])
def test_a_state_that_is_none_is_refused(state: Any) -> None:
    with pytest.raises(FieldError):
        device(1).restore(state, now=NOW)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
FULL = {version: full(version) for version in (1, 2)}


@given(data=st.data(), version=st.sampled_from([1, 2]))
def test_a_damaged_state_is_refused_or_gives_a_device_that_works(
    data: st.DataObject, version: int
) -> None:
    state: dict[str, Any] = copy.deepcopy(dict(FULL[version]))
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(state)))
        value = state[name]
        if isinstance(value, str) and value and data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(value) - 1))
            state[name] = (
                value[:at] + data.draw(st.sampled_from("0123456789abcdefxZ ")) + value[at + 1 :]
            )
        elif isinstance(value, dict) and value and data.draw(st.booleans()):
            state[name] = {**value, data.draw(st.sampled_from(sorted(value))): data.draw(values)}
        else:
            state[name] = data.draw(values)
    one = device(version, limits=LIMITED)
    try:
        one.restore(state, now=NOW)
    except FieldError:
        return
    one.tick(now=NOW + 100)
    for payload in (b"\x01\x03", b"\x03\x01", bytes.fromhex("080440") + bytes(10)):
        one.receive(201, payload, now=NOW + 100)
    json.dumps(one.export(progress=True))


def test_a_stretch_of_one_stores_every_counter() -> None:
    one = FuotaDevice.from_profile(
        device_profile("documents v2"),
        root_key=ROOT,
        rng=random.Random(1),
        mc_limits=McLimits(fcnt_stretch=1),
        clock_known=True,
    )
    server = Server(2)
    one.receive(*server.set_up()[0], now=NOW)
    stored = [
        str(action.value).split()[1]
        for n in (1, 2, 3)
        for action in one.receive_frame(server.frame(n), now=NOW)
        if isinstance(action, Store)
    ]
    assert stored == ["0", "1", "2"]
