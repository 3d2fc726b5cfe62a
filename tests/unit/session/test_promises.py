"""Promises that take a whole device to keep: five sessions, any profile, any order of anything.

``LORAFUOTA_LONG=1`` runs the longer versions; each test names its promise.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import lorafuota.catalogue
from lorafuota.clocksync import v1 as clocksync
from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError
from lorafuota.fec import kernels
from lorafuota.fec.decoder import memory_bound
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation import v1 as fragmentation_v1
from lorafuota.fragmentation.v1 import DataFragment, FragSessionStatusReq
from lorafuota.link import McFrame
from lorafuota.multicastsetup.v1 import McGroupDeleteReq, McGroupStatusAns, McGroupStatusReq
from lorafuota.multipackage import v1 as multipackage
from lorafuota.multipackage.commandset import CommandSet
from lorafuota.package import PackageVersionReq
from lorafuota.session.actions import (
    Action,
    BlockFailed,
    BlockReceived,
    Dropped,
    DropReason,
    ListenClassB,
    ListenClassC,
    Reboot,
    Send,
    StopListening,
    Store,
    StoreSessionCnt,
)
from lorafuota.session.device import FuotaDevice
from lorafuota.session.firmware import UpImageStatus
from lorafuota.session.fragmentation import FragLimits, FragServer, FragState
from lorafuota.session.multicast import McGroupServer, McLimits, WindowLimits
from lorafuota.session.multipackageserver import MultiPackageServer
from lorafuota.session.profile import frag_profile
from lorafuota.session.saved import SavedState, keep
from lorafuota.session.serveractions import Downlink, SetAnswered
from lorafuota.session.stacks import DEVICE_PROFILES, DeviceProfile, device_profile
from lorafuota.testing.strategies import payloads
from lorafuota.types import DOWNLINK, UPLINK, DevAddr, GenAppKey, McKey
from lorafuota.wire import Command
from tests.support import LONG, rebuilt, vectors

NOW = 1_300_000_000.0
ROOT = GenAppKey(bytes(range(16)))
BLOCK = DataBlock(random.Random(7).randbytes(105), 5, b"desc")
both = pytest.mark.parametrize("version", [1, 2])


def device(profile: str | DeviceProfile = "documents v2", **options: Any) -> FuotaDevice:
    known = device_profile(profile) if isinstance(profile, str) else profile
    return FuotaDevice.from_profile(
        known,
        root_key=ROOT,
        rng=random.Random(options.pop("seed", 3)),
        fw_version=0x11223344,
        hw_version=0x12345678,
        period_seconds=options.pop("period", None),
        **{"clock_known": True, **options},
    )


def group(index: int = 0, key: int = 1) -> McGroupServer:
    return McGroupServer(
        mc_addr=DevAddr(100 + index), mc_key=McKey(bytes([key]) * 16), max_mc_fcnt=1 << 24
    )


def tell(one: FuotaDevice, fport: int, command: Command, **options: Any) -> list[Action]:
    now = options.get("now", NOW)
    return rebuilt(one, one.receive(fport, command.encode(), **{"now": NOW, **options}), now)


# Vectors of TS007, through the whole device

TS007 = vectors("ts007")


def vector_device() -> FuotaDevice:
    one = device()
    assert one.firmware is not None
    one.firmware.store_image(UpImageStatus.VALID, version=0x17011973)
    return one


def opportunities(one: FuotaDevice, downlink: str, max_payload: int) -> Iterator[str]:
    """The uplinks after a downlink, one at each opportunity, of which no two come together."""
    one.max_payload = max(max_payload, 11)
    actions, when = one.receive(225, bytes.fromhex(downlink), now=NOW), NOW
    while True:
        sends = [action for action in actions if isinstance(action, Send) and action.fport == 225]
        assert [send.not_before for send in sends] in ([], [when])
        yield from (send.payload.hex() for send in sends)
        if one.next_deadline in (None, -math.inf):  # nothing, or a request for the time
            return
        assert one.next_deadline == when + 10
        when += 10
        assert one.tick(now=when - 1) == []
        actions = one.tick(now=when)


def frames(one: FuotaDevice, downlink: str, max_payload: int) -> list[str]:
    return list(opportunities(one, downlink, max_payload))


@pytest.mark.parametrize("vector", TS007["downlinks"], ids=lambda v: v["id"])
def test_a_command_set_is_answered_as_in_the_vector(vector: dict[str, Any]) -> None:
    assert frames(vector_device(), vector["downlink"], vector["max_payload"]) == vector["uplinks"]


def filled() -> FuotaDevice:
    """A device whose buffer is the one of the vectors, made by commands."""
    one = vector_device()
    found = frames(one, "8401048100800103", 222)
    assert found == [TS007["ans_buffer_for_buffer_requests"] + "03"]
    return one


@pytest.mark.parametrize("vector", TS007["buffer_requests"], ids=lambda v: v["id"])
def test_a_part_of_the_buffer_comes_again_as_in_the_vector(vector: dict[str, Any]) -> None:
    assert frames(filled(), vector["downlink"], vector["max_payload"]) == vector["uplinks"]


@pytest.mark.parametrize(
    "sequence", [one for one in TS007["sequences"] if "steps" in one], ids=lambda v: v["id"]
)
def test_a_dialogue_of_command_sets_goes_as_in_the_vector(sequence: dict[str, Any]) -> None:
    """Aborted transmissions included."""
    one = vector_device()
    for step in sequence["steps"]:
        sent = opportunities(one, step["downlink"], sequence.get("max_payload", 222))
        expected = step["uplinks_before_next"]
        assert list(itertools.islice(sent, len(expected))) == expected
    assert one.next_deadline is None


def test_what_was_lost_is_asked_for_again_as_in_the_vector() -> None:
    [vector] = [one for one in TS007["sequences"] if "received" in one]
    one, packages = vector_device(), lorafuota.catalogue.PackageMap().packages
    server = MultiPackageServer(packages.values(), next_token=3)
    commands = [(4, firmware.DevVersionReq()), (4, firmware.DevUpgradeImageReq())]
    wanted = [*commands, (1, PackageVersionReq()), (0, multipackage.DevPackageReq())]
    [sent] = server.submit([(packages[number], each) for number, each in wanted], now=NOW)
    assert isinstance(sent, Downlink)
    lost = vector["lost_base_bytes"]
    left = [each for each in frames(one, sent.payload.hex(), 11) if int(each[2:4], 16) not in lost]
    assert left == vector["received"]
    found = [action for each in left for action in server.receive(bytes.fromhex(each), now=NOW)]
    assert (found, server.next_deadline) == ([], NOW + 300)
    [request] = server.tick(now=NOW + 300)
    assert isinstance(request, Downlink)
    assert [request.payload.hex()] == vector["recovery_requests"]
    for each in frames(one, request.payload.hex(), 11):
        found += server.receive(bytes.fromhex(each), now=NOW + 301)
    answered = found[0]
    assert isinstance(answered, SetAnswered)
    assert answered.unanswered == ()
    assert CommandSet(answered.answers, 3).answer_octets().hex() == vector["result"]


# Answers and the room for them


@given(
    data=st.data(),
    fport=st.sampled_from([200, 201, 202, 203]),
    max_payload=st.integers(11, 242),
    version=st.sampled_from([1, 2]),
)
def test_answers_of_every_package_leave_whole_and_in_order_whatever_the_room(
    data: st.DataObject, fport: int, max_payload: int, version: int
) -> None:
    """Only McGroupStatusAns is cut, by whole groups, and its mask says which it lists."""
    narrow, wide = (
        device(f"documents v{version}", max_payload=octets) for octets in (max_payload, 242)
    )
    package = narrow._fports[fport]
    commands = data.draw(payloads(package, DOWNLINK))
    payload = b"".join(
        command.encode() for command in commands if not isinstance(command, McGroupStatusReq)
    )[:242]
    told = []
    for one in (narrow, wide):
        sends = [
            action for action in one.receive(fport, payload, now=NOW) if isinstance(action, Send)
        ]
        assert all(len(send.payload) <= one.max_payload for send in sends)
        told.append(b"".join(send.payload for send in sends))
    assert told[0] == told[1]


@pytest.mark.parametrize("max_payload", range(11, 30))
def test_a_server_learns_of_every_group_however_little_room_there_is(max_payload: int) -> None:
    one = device(max_payload=max_payload)
    for index in range(4):
        tell(one, 200, group(index, index).setup_req(ROOT, mc_group_id=index))
    known: dict[int, int] = {}
    while len(known) < 4:
        mask = sum(1 << index for index in range(4) if index not in known)
        [send] = tell(one, 200, McGroupStatusReq(req_group_mask=mask))
        assert isinstance(send, Send)
        assert len(send.payload) <= max_payload
        answer = McGroupStatusAns.decode(send.payload)
        assert answer.nb_total_groups == 4
        assert answer.groups
        known |= {at.mc_group_id: int(at.mc_addr) for at in answer.groups}
    assert known == {index: 100 + index for index in range(4)}


# S1


def session_setup(nb_frag: int, frag_size: int, index: int) -> Command:
    return fragmentation_v1.FragSessionSetupReq(
        mc_group_bit_mask=15,
        frag_index=index,
        nb_frag=nb_frag,
        frag_size=frag_size,
        block_ack_delay=7,
        frag_algo=0,
        padding=0,
        descriptor=bytes(4),
    )


@pytest.mark.parametrize(("nb_frag", "frag_size"), [(500, 50), (2000, 10), (100, 239)])
def test_s1_a_device_needs_no_more_memory_than_promised(nb_frag: int, frag_size: int) -> None:
    bound = memory_bound(nb_frag=nb_frag, frag_size=frag_size)
    one = device("documents v1", frag_limits=FragLimits(max_memory=bound))
    encoder = DataBlock(bytes(nb_frag * frag_size), frag_size).encoder(frag_profile(1).parity)
    numbers = [*range(1, nb_frag, 3), *range(nb_frag + 1, 2 * nb_frag)]
    air = [
        DataFragment(n=n, frag_index=0, payload=payload).encode()
        for n, payload in zip(numbers, encoder.fragments(numbers), strict=True)
    ]
    tracemalloc.start()
    tell(one, 201, session_setup(nb_frag, frag_size, 0))
    for payload in air:
        rebuilt(one, one.receive(201, payload, now=NOW), NOW)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert one.fragmentation.state(0) is FragState.DONE
    assert peak <= 1.2 * bound + (1 << 20)  # the image handed over, and lines all decoders share


@both
def test_s2_no_downlink_makes_a_device_rebuild_a_block(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved: list[object] = []
    whole = kernels.ACTIVE

    class Counting:
        def __getattr__(self, name: str) -> Any:
            if name == "solve":
                solved.append(name)
            return getattr(whole, name)

    monkeypatch.setattr(kernels, "ACTIVE", Counting())
    one = device(f"documents v{version}")
    sender = FragServer(frag_profile(version), BLOCK, root_key=ROOT)
    one.receive(201, sender.setup_req.encode(), now=NOW)
    encoder = BLOCK.encoder(frag_profile(version).parity)
    blocks = []
    for n in [*range(2, 40), *range(2, 60)]:
        fragment = DataFragment(n=n, frag_index=0, payload=encoder.fragment(n)).encode()
        for downlink in (fragment, b"\x01\x01", fragment, b"\x01\x00"):
            actions = one.receive(201, downlink, now=NOW)
            blocks += [each for each in actions if isinstance(each, BlockReceived)]
    state = one.fragmentation.state(0)
    assert (blocks, solved, state) == ([], [], FragState.REBUILDING)
    assert one.next_deadline == NOW
    actions = one.tick(now=NOW)
    assert [each.data for each in actions if isinstance(each, BlockReceived)] == [BLOCK.image]
    assert solved == ["solve"]
    answered = [each.payload[0] for each in actions if isinstance(each, Send)]
    assert answered == [1]  # those who asked meanwhile, once


def test_s1_a_refused_set_up_allocates_nothing() -> None:
    one = device("documents v1", frag_limits=FragLimits(max_memory=10_000))
    tell(one, 201, session_setup(16_383, 255, 1))
    tracemalloc.start()
    for index in range(4):
        for nb_frag in (0, 1000, 16_383, 65_535):
            [answer] = tell(one, 201, session_setup(nb_frag, 255, index))
            assert isinstance(answer, Send)
            assert answer.payload[1] & 2
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
    assert [one.fragmentation.state(index) for index in range(4)] == [None] * 4


# S5, S6, S9


@both
def test_s5_the_same_set_ups_again_get_the_same_answers_and_change_nothing(version: int) -> None:
    one = device(f"documents v{version}")
    made = group()
    sender = FragServer(frag_profile(version), BLOCK, mc_group_bit_mask=1, root_key=ROOT)
    window = made.class_c_session_req(
        mc_group_id=0, start=NOW + 60, seconds=500, dl_freq_hz=869_525_000, dr=0
    )
    requests = [
        (200, made.setup_req(ROOT, mc_group_id=0)),
        (201, sender.setup_req),
        (200, window),
    ]
    first = [tell(one, fport, command) for fport, command in requests]
    saved, listen = one.export(progress=True), one.multicast.window(0)
    again = [tell(one, fport, command) for fport, command in requests]
    assert again == [
        [action for action in actions if not isinstance(action, Store)] for actions in first
    ]
    assert (one.export(progress=True), one.multicast.window(0)) == (saved, listen)
    one.tick(now=NOW + 60)
    for fport, command in requests[::2]:  # version 2 refuses the session then, and keeps it
        actions = tell(one, fport, command, now=NOW + 61)
        assert not any(isinstance(action, StopListening) for action in actions)
    assert one.multicast.listening == (0,)


def test_s6_every_recorded_set_up_is_refused_once_its_session_has_had_a_fragment() -> None:
    one, recorded, state = device(), [], SavedState()
    for count in (0, 1, 5, 6, 300, 65_534, 65_535):
        sender = FragServer(frag_profile(2), BLOCK, session_cnt=count, root_key=ROOT)
        [*_, answer] = tell(one, 201, sender.setup_req)
        assert isinstance(answer, Send)
        assert answer.payload == b"\x02\x00"
        fragment = DataFragment(
            n=1, frag_index=0, payload=BLOCK.encoder(frag_profile(2).parity).fragment(1)
        )
        actions = tell(one, 201, fragment)
        assert actions[0] == StoreSessionCnt(0, count)
        keep(state, actions[0])
        recorded.append(sender.setup_req)
        fresh = device()
        fresh.restore(state, now=NOW)
        for old in recorded:
            for victim in (one, fresh):
                [refused] = tell(victim, 201, old)
                assert isinstance(refused, Send)
                assert refused.payload == b"\x02\x10"


@both
@pytest.mark.parametrize("way", ["again", "delete", "another", "index", "reset"])
def test_s9_a_counter_never_restarts_with_a_key(version: int, way: str) -> None:
    one, made, state = device(f"documents v{version}"), group(), SavedState()
    setup = made.setup_req(ROOT, mc_group_id=0)

    def owner(actions: list[Action]) -> list[Action]:
        return [action for action in actions if not keep(state, action)]

    owner(tell(one, 200, setup))
    old = [made.sender.seal(b"\x00", fport=77) for _ in range(5)]
    for phy in old:
        assert owner(one.receive_frame(phy, now=NOW)) == [Dropped(DropReason.FPORT, "FPort 77")]
    if way == "delete":
        owner(tell(one, 200, McGroupDeleteReq(mc_group_id=0)))
    if way == "another":
        owner(tell(one, 200, group(1, 9).setup_req(ROOT, mc_group_id=0)))
    if way == "index":
        setup = dataclasses.replace(setup, mc_group_id=3)
    wider = dataclasses.replace(setup, max_mc_fcnt=setup.max_mc_fcnt + 5)
    owner(tell(one, 200, wider))
    owner(tell(one, 200, setup))
    if way == "reset":
        one = device(f"documents v{version}")
        one.restore(state, now=NOW)
    for phy in old:
        [dropped] = owner(one.receive_frame(phy, now=NOW))
        assert isinstance(dropped, Dropped)
        assert dropped.reason is DropReason.FRAME
    new = [made.sender.seal(b"\x00", fport=77) for _ in range(32)]
    taken = [owner(one.receive_frame(phy, now=NOW)) for phy in new]
    assert taken[-1] == [Dropped(DropReason.FPORT, "FPort 77")]  # a reset costs a stretch at most


def test_s9_a_frame_is_taken_once_by_two_groups_of_one_key() -> None:
    one, made = device(), group()
    for index in (0, 2):
        tell(one, 200, made.setup_req(ROOT, mc_group_id=index))
    phy = made.sender.seal(b"\x00", fport=77)
    opened = [one.multicast.open(phy) for _ in range(3)]
    assert [isinstance(found, tuple) and isinstance(found[1], McFrame) for found in opened] == [
        True,
        False,
        False,
    ]


# S10

PACKAGES = [
    (package.fport, cls)
    for package in (
        *(lorafuota.package(name, 2) for name in ("clocksync", "multicastsetup", "fragmentation")),
        lorafuota.package("firmwaremanagement", 1),
        multipackage.PACKAGE,
    )
    for cls in package.commands
    if cls.DIRECTION is not UPLINK
]


@pytest.mark.parametrize(
    ("fport", "cls"), PACKAGES, ids=[f"{fport}-{cls.__name__}" for fport, cls in PACKAGES]
)
@given(data=st.data())
def test_s10_what_must_not_come_by_multicast_is_ignored(
    fport: int, cls: type[Command], data: st.DataObject
) -> None:
    from lorafuota.testing.strategies import records

    one = device()
    before = (one.export(progress=True), one.next_deadline)
    payload = data.draw(records(cls)).encode()
    if fport == 225 and not cls.ALONE:
        payload += b"\x02"
    actions = one.receive(fport, payload[:242], now=NOW, mc_group_id=data.draw(st.integers(0, 3)))
    assert before == (one.export(progress=True), one.next_deadline)
    [action] = actions
    if cls.__name__ == "FragSessionStatusReq":
        assert isinstance(action, Send)  # there is no such session
        return
    assert isinstance(action, Dropped)
    unicast_only = action.reason is DropReason.UNICAST_ONLY
    assert unicast_only is (cls.__name__ != "DataFragment")


# R11: time


@given(
    steps=st.lists(
        st.tuples(
            st.one_of(
                st.floats(-1e10, 1e10),
                st.floats(NOW - 100, NOW + 5000),
                st.sampled_from([NOW, 0.0, 2.0**31, 2.0**32 - 1, 2.0**32, 2.0**32 + 5]),
            ),
            st.integers(0, 4),
        ),
        max_size=12,
    ),
    name=st.sampled_from(sorted(DEVICE_PROFILES)),
    known=st.booleans(),
    data=st.data(),
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_r11_no_exception_and_no_answer_out_of_its_window_whatever_time_does(
    steps: list[tuple[float, int]], name: str, known: bool, data: st.DataObject
) -> None:
    one = device(
        name, clock_known=known, period=86_400.0, frag_limits=FragLimits(max_memory=400_000)
    )
    profile = device_profile(name)
    latest = 2048 + 3 + profile.multicast.answer_delay_seconds
    own = [profile.multicast.package, profile.fragmentation.package]
    own += [one.profile.package for one in (one.clock, one.firmware) if one is not None]
    open_now: set[int] = set()
    for now, what in steps:
        if what == 0:
            actions = one.tick(now=now)
        elif what == 1 and one.clock is not None:
            gps = data.draw(st.one_of(st.just(now), st.floats(0, 2.0**33)))
            actions = one.set_time(gps, now=now)
        else:
            package = data.draw(st.sampled_from(own))
            commands = data.draw(payloads(package, DOWNLINK))
            payload = b"".join(command.encode() for command in commands)[:242]
            multicast = data.draw(st.sampled_from([None, None, None, 0, 2]))
            actions = one.receive(package.fport, payload, now=now, mc_group_id=multicast)
        for action in actions:
            if isinstance(action, Send):
                assert now <= action.not_before <= now + latest
                assert 1 <= len(action.payload) <= one.max_payload
            elif isinstance(action, ListenClassB | ListenClassC):
                assert now < action.end
                open_now.add(action.mc_group_id)
            elif isinstance(action, StopListening):
                open_now.remove(action.mc_group_id)
        assert open_now == set(one.multicast.listening)


@pytest.mark.parametrize("now", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_r11_what_is_no_time_is_the_owners_mistake(now: float) -> None:
    one = device()
    calls: tuple[Callable[[], object], ...] = (
        lambda: one.tick(now=now),
        lambda: one.receive(200, b"\x00", now=now),
        lambda: one.receive_frame(b"", now=now),
        lambda: one.set_time(0.0, now=now),
        lambda: one.restore({}, now=now),
    )
    for call in calls:
        with pytest.raises(FieldError):
            call()


# S12


@both
def test_s12_a_window_ends_when_every_block_it_feeds_is_complete(version: int) -> None:
    one, made = device(f"documents v{version}"), group()
    tell(one, 200, made.setup_req(ROOT, mc_group_id=0))
    senders = [
        FragServer(frag_profile(version), BLOCK, frag_index=at, mc_group_bit_mask=1, root_key=ROOT)
        for at in (0, 1)
    ]
    for sender in senders:
        tell(one, 201, sender.setup_req)
    req = made.class_c_session_req(
        mc_group_id=0, start=NOW + 60, seconds=30_000, dl_freq_hz=869_525_000, dr=0
    )
    tell(one, 200, req)
    one.tick(now=NOW + 60)
    encoder = BLOCK.encoder(frag_profile(version).parity)
    ends = []
    for at in (0, 1):
        for n in range(1, 22):
            fragment = DataFragment(n=n, frag_index=at, payload=encoder.fragment(n))
            phy = made.sender.seal(fragment.encode(), fport=201)
            actions = rebuilt(one, one.receive_frame(phy, now=NOW + 61), NOW + 61)
            kinds = [type(action) for action in actions]
            if BlockReceived in kinds:
                ends.append(StopListening in kinds)
                assert kinds.index(BlockReceived) == 0 or version == 2
    assert ends == [False, True]
    later = made.class_c_session_req(
        mc_group_id=0, start=NOW + 200, seconds=100, dl_freq_hz=869_525_000, dr=0
    )
    tell(one, 200, later, now=NOW + 100)
    actions = one.tick(now=NOW + 200)
    assert Dropped(DropReason.COMPLETE, "window of group 0") in actions
    assert one.multicast.listening == ()


def test_s12_an_owner_may_keep_the_window() -> None:
    one, made = device(leaves_when_complete=False), group()
    tell(one, 200, made.setup_req(ROOT, mc_group_id=0))
    sender = FragServer(frag_profile(2), BLOCK, mc_group_bit_mask=1, root_key=ROOT)
    tell(one, 201, sender.setup_req)
    req = made.class_c_session_req(
        mc_group_id=0, start=NOW + 60, seconds=300, dl_freq_hz=869_525_000, dr=0
    )
    tell(one, 200, req)
    one.tick(now=NOW + 60)
    encoder = BLOCK.encoder(frag_profile(2).parity)
    for n in range(1, 22):
        fragment = DataFragment(n=n, frag_index=0, payload=encoder.fragment(n))
        tell(one, 201, fragment, now=NOW + 60)
    assert one.multicast.listening == (0,)


def test_s12_a_careless_server_cannot_keep_a_receiver_open_beyond_a_day_s_budget() -> None:
    limits = McLimits(windows=WindowLimits(max_daily_seconds=600))
    one, made = device(mc_limits=limits), group()
    tell(one, 200, made.setup_req(ROOT, mc_group_id=0))
    opened, total = 0.0, 0.0

    def count(actions: list[Action], at: float) -> None:
        nonlocal opened, total
        for action in actions:
            if isinstance(action, ListenClassC):
                opened = at
            elif isinstance(action, StopListening):
                total += at - opened

    for now in range(int(NOW), int(NOW) + 80_000, 50):
        req = made.class_c_session_req(
            mc_group_id=0, start=now + 10, seconds=30_000, dl_freq_hz=869_525_000, dr=0
        )
        count(tell(one, 200, req, now=float(now)), now)
        while (deadline := one.next_deadline) is not None and deadline <= now + 49:
            count(one.tick(now=deadline), deadline)
    assert one.multicast.listening == ()
    assert total == 600


# R9, R10: everything at once, with every profile


class Device(RuleBasedStateMachine):
    """A server that follows the documents, a channel that does as it likes, one of the stacks."""

    def __init__(self) -> None:
        super().__init__()
        self.air: list[bytes] = []
        self.blocks: list[BlockReceived] = []
        self.failures: list[BlockFailed] = []
        self.now = NOW
        self.count = 0
        self.state: SavedState = {}

    @initialize(
        name=st.sampled_from([name for name in DEVICE_PROFILES if name != "MultiTech Conduit"]),
        seed=st.integers(0, 2**16),
        nb_frag=st.integers(1, 24),
    )
    def begin(self, name: str, seed: int, nb_frag: int) -> None:
        self.profile = device_profile(name)
        self.version = self.profile.fragmentation.package.version
        self.block = DataBlock(random.Random(seed).randbytes(nb_frag * 5), 5)
        self.one = device(self.profile, seed=seed)
        self.made = group()
        self.set_up()

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            keep(self.state, action)
            assert not isinstance(action, Reboot)
            if isinstance(action, BlockReceived):
                self.blocks.append(action)
            elif isinstance(action, BlockFailed):
                self.failures.append(action)
            elif isinstance(action, Send):
                assert self.now <= action.not_before <= self.now + 2060
                assert len(action.payload) <= self.one.max_payload

    @rule()
    def set_up(self) -> None:
        self.sender = FragServer(
            frag_profile(self.version),
            self.block,
            mc_group_bit_mask=1,
            session_cnt=min(self.count, 0x7000),
            ack_reception=self.version == 2,
            root_key=ROOT,
        )
        self.count += 1
        self.blocks, self.failures = [], []
        self.do(tell(self.one, 201, self.sender.delete_req(), now=self.now))
        self.do(tell(self.one, 200, self.made.setup_req(ROOT, mc_group_id=0), now=self.now))
        self.do(tell(self.one, 201, self.sender.setup_req, now=self.now))
        req = self.made.class_c_session_req(
            mc_group_id=0, start=int(self.now) + 5, seconds=99, dl_freq_hz=869_525_000, dr=0
        )
        self.do(tell(self.one, 200, req, now=self.now))

    @rule(first=st.integers(1, 40), how_many=st.integers(1, 30))
    def send(self, first: int, how_many: int) -> None:
        encoder = self.block.encoder(self.sender.profile.parity)
        for n in range(first, first + how_many):
            fragment = DataFragment(n=n, frag_index=0, payload=encoder.fragment(n))
            self.air.append(self.made.sender.seal(fragment.encode(), fport=201))

    @precondition(lambda self: self.air)
    @rule(data=st.data(), how_many=st.integers(1, 30))
    def arrive(self, data: st.DataObject, how_many: int) -> None:
        """In order, or not; once, twice or never; whole or damaged."""
        for _ in range(min(how_many, len(self.air))):
            at = data.draw(st.sampled_from([0, 0, 0, 0, len(self.air) // 2, -1]))
            fate = data.draw(st.sampled_from(["ok", "ok", "ok", "lost", "twice", "damaged"]))
            phy = self.air[at] if fate == "twice" else self.air.pop(at)
            if fate == "damaged":
                phy = phy[:-3] + bytes((phy[-3] ^ 4,)) + phy[-2:]
            if fate != "lost":
                self.do(self.one.receive_frame(phy, now=self.now))

    @rule(seconds=st.one_of(st.floats(0, 200), st.sampled_from([-50.0, 1e6, -1e6])))
    def time(self, seconds: float) -> None:
        self.now += seconds
        self.do(self.one.tick(now=self.now))

    @rule(noise=st.binary(max_size=20), fport=st.sampled_from([200, 201, 202, 225, 7]))
    def noise_by_multicast(self, noise: bytes, fport: int) -> None:
        """Only what stacks with open ears take apart is left out."""
        careful = self.profile.fragmentation.unicast_only_enforced and fport != 200
        if careful and noise[:1] != b"\x08":
            self.do(self.one.receive(fport, noise, now=self.now, mc_group_id=1))

    @rule(correction=st.integers(-300, 300), token=st.integers(0, 15))
    def correct(self, correction: int, token: int) -> None:
        answer = clocksync.AppTimeAns(time_correction=correction, token_ans=token)
        self.do(tell(self.one, 202, answer, now=self.now))

    @rule(participants=st.booleans())
    def ask(self, participants: bool) -> None:
        req = FragSessionStatusReq(participants=participants, frag_index=0)
        self.do(tell(self.one, 201, req, now=self.now))

    @rule(progress=st.booleans())
    def reset(self, progress: bool) -> None:
        saved = self.one.export(progress=True) if progress else dict(self.state)
        self.one = device(self.profile, seed=self.count)
        self.do(self.one.restore(saved, now=self.now))

    @invariant()
    def honest(self) -> None:
        if not hasattr(self, "one"):
            return
        assert len(self.blocks) <= 1
        assert not self.failures or self.profile.frag_limits.max_lost is not None
        for block in self.blocks:
            assert block.data == self.block.image
            assert block.check.ok
            assert block.verified is (self.version == 2)


def test_r9_r10_every_stack_ends_with_the_image_or_goes_on_honestly() -> None:
    run_state_machine_as_test(
        Device,
        settings=settings(
            max_examples=2000 if LONG else 60,
            stateful_step_count=50 if LONG else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
