"""Fragmentation sessions on the device, and the server's messages (promises S3 to S7, S11)."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import math
import pickle
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.crypto import derive_data_block_int_key
from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError, StateError
from lorafuota.fec.decoder import CheckResult, memory_bound
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation import v1, v2
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.multicastsetup.v1 import McGroupDeleteReq
from lorafuota.session.actions import (
    Action,
    Answer,
    BlockFailed,
    BlockReceived,
    Dropped,
    DropReason,
    Store,
    StoreSessionCnt,
)
from lorafuota.session.fragmentation import (
    FragDevice,
    FragLimits,
    FragServer,
    FragState,
    SetupReq,
)
from lorafuota.session.fragsession import FragSession
from lorafuota.session.profile import FragProfile, frag_profile
from lorafuota.types import AppKey, GenAppKey
from lorafuota.wire import Command
from tests.support import LONG, Record, session_rebuilt

NOW = 1_400_000_000.0
ROOT = GenAppKey(bytes.fromhex("00112233445566778899aabbccddeeff"))
IMAGE = bytes(7 * i + 3 & 255 for i in range(95))
BLOCK = DataBlock(IMAGE, 10, b"\x04\x03\x02\x01")
AGREED = CheckResult(checked=0, disagreeing=(), conflicting=())
both = pytest.mark.parametrize("version", [1, 2])
Result = list[Answer | Action]


def device(version: int, *, seed: int = 1, **options: Any) -> FragDevice:
    return FragDevice(frag_profile(version), rng=random.Random(seed), root_key=ROOT, **options)


def execute(receiver: FragDevice, command: Command, **options: Any) -> Result:
    """What a command causes, without what has to be stored; that has tests of its own."""
    results = session_rebuilt(receiver, receiver.execute(command, **options), options["now"])
    return [one for one in results if not isinstance(one, Store)]


def server(version: int, block: DataBlock = BLOCK, **options: Any) -> FragServer:
    return FragServer(frag_profile(version), block, root_key=ROOT, **{"frag_index": 1, **options})


def change(req: SetupReq, **changes: Any) -> SetupReq:
    return dataclasses.replace(req, **changes)


def accepted(version: int, frag_index: int = 1) -> Result:
    return [set_up_answer(version, frag_index, 0)]


def set_up_answer(version: int, frag_index: int, errors: int) -> Answer:
    if version == 1:
        return Answer(v1.FragSessionSetupAns(errors=v1.SetupError(errors), frag_index=frag_index))
    return Answer(v2.FragSessionSetupAns(errors=v2.SetupError(errors), frag_index=frag_index))


def started(
    version: int, block: DataBlock = BLOCK, **options: Any
) -> tuple[FragDevice, FragServer]:
    """A device with a session that has not seen a fragment."""
    limits = options.pop("limits", None)
    pair = device(version, limits=limits), server(version, block, **options)
    assert execute(pair[0], pair[1].setup_req, now=NOW) == accepted(version)
    return pair


def fragment(sender: FragServer, n: int, *, damage: int = 0) -> DataFragment:
    """Fragment *n*, with some bits flipped."""
    payload = sender.block.encoder(sender.profile.parity).fragment(n)
    wrong = (int.from_bytes(payload) ^ damage).to_bytes(len(payload))
    return DataFragment(n=n, frag_index=sender.setup_req.frag_index, payload=wrong)


def feed(receiver: FragDevice, sender: FragServer, *numbers: int, **options: Any) -> Result:
    results: Result = []
    for n in numbers:
        results += execute(receiver, fragment(sender, n), now=NOW, **options)
    return results


def store(sender: FragServer) -> Result:
    """What the first fragment that counts causes."""
    if isinstance(sender.setup_req, v2.FragSessionSetupReq):
        return [StoreSessionCnt(sender.setup_req.frag_index, sender.setup_req.session_cnt)]
    return []


def received(sender: FragServer, check: CheckResult = AGREED) -> BlockReceived:
    req, block = sender.setup_req, sender.block
    verified = sender.profile.has_mic
    return BlockReceived(req.frag_index, block.descriptor, block.image, verified, check)


def status_ans(
    version: int, got: int, missing: int, *, memory: bool = False, mic: bool = False
) -> Command:
    if version == 1:
        return v1.FragSessionStatusAns(
            nb_frag_received=got,
            frag_index=1,
            missing_frag=missing,
            not_enough_matrix_memory=memory,
        )
    return v2.FragSessionStatusAns(
        memory_error=memory,
        mic_error=mic,
        session_does_not_exist=False,
        nb_frag_received=got,
        frag_index=1,
        missing_frag=missing,
    )


def status_req(*, participants: bool = True, frag_index: int = 1) -> v1.FragSessionStatusReq:
    return v1.FragSessionStatusReq(participants=participants, frag_index=frag_index)


def saved(session: FragSession) -> object:
    return None if session.decoder is None else session.decoder.save()


def plain(receiver: FragDevice) -> Any:
    """Everything a device knows about its sessions, as plain data."""
    return copy.deepcopy(
        (
            receiver.session_cnt_prev,
            receiver._rng.getstate(),
            [
                (at, one.setup, one.state, one.reports_left, one.next_report, saved(one))
                for at, one in sorted(receiver._sessions.items())
            ],
        )
    )


# From set-up to block


@both
def test_plain_fragments_give_the_block_and_the_last_one_delivers_it(version: int) -> None:
    receiver, sender = started(version)
    assert receiver.state(1) is FragState.READY
    assert feed(receiver, sender, 1) == store(sender)
    assert receiver.state(1) is FragState.RECEIVING
    assert feed(receiver, sender, *range(2, 10)) == []
    assert feed(receiver, sender, 10) == [received(sender)]
    assert receiver.state(1) is FragState.DONE


@both
def test_coded_fragments_make_good_what_was_lost(version: int) -> None:
    receiver, sender = started(version)
    results = feed(receiver, sender, 9, 2, 14, 4, 13, 5, 7, 8, 10, 11, 12, 15, 16, 17, 18)
    blocks = [one for one in results if not isinstance(one, Dropped)]
    assert blocks[:-1] == store(sender)
    assert blocks[-1] == received(sender, blocks[-1].check)  # type: ignore[union-attr]


@both
@pytest.mark.parametrize("nb_frag", [1, 2, 3])
def test_the_smallest_blocks_arrive(version: int, nb_frag: int) -> None:
    block = DataBlock(bytes(range(1, 10 * nb_frag)), 10)
    receiver, sender = started(version, block)
    assert feed(receiver, sender, *range(1, nb_frag + 1)) == [*store(sender), received(sender)]


@both
def test_after_the_end_everything_is_dropped_until_the_next_set_up(version: int) -> None:
    receiver, sender = started(version)
    feed(receiver, sender, *range(1, 11))
    before = plain(receiver)
    assert feed(receiver, sender, 1, 11) == [
        Dropped(DropReason.COMPLETE, "fragment 1"),
        Dropped(DropReason.COMPLETE, "fragment 11"),
    ]
    assert plain(receiver) == before
    again = server(version, session_cnt=1)
    assert execute(receiver, again.setup_req, now=NOW) == accepted(version)
    assert receiver.state(1) is FragState.READY
    assert feed(receiver, again, *range(1, 11)) == [*store(again), received(again)]


@both
def test_four_sessions_run_beside_each_other(version: int) -> None:
    receiver = device(version)
    senders = [
        server(version, DataBlock(bytes([index + 1]) * (30 + index), 4), frag_index=index)
        for index in range(4)
    ]
    for sender in senders:
        index = sender.setup_req.frag_index
        assert execute(receiver, sender.setup_req, now=NOW) == accepted(version, index)
    results = [
        one
        for n in range(1, 10)
        for sender in senders
        if n <= sender.block.nb_frag
        for one in feed(receiver, sender, n)
    ]
    blocks = [one for one in results if isinstance(one, BlockReceived)]
    assert sorted(blocks, key=lambda one: one.frag_index) == [received(one) for one in senders]


@both
def test_the_version_is_told(version: int) -> None:
    [answer] = execute(device(version), v1.PackageVersionReq(), now=NOW)
    assert answer == Answer(v1.PackageVersionAns(package_identifier=3, package_version=version))


# Refusals (S4)

NONSENSE: list[dict[str, int]] = [
    {},
    {"nb_frag": 0},
    {"nb_frag": 16384},
    {"nb_frag": 65535},
    {"frag_size": 0, "padding": 0},
    {"padding": 10},
    {"padding": 255},
    {"nb_frag": 16383, "frag_size": 255},  # sane, and larger than the limit
]


@both
@pytest.mark.parametrize("nonsense", NONSENSE, ids=str)
def test_every_combination_of_mistakes_is_answered_with_exactly_its_bits(
    version: int, nonsense: dict[str, int], record_property: Record
) -> None:
    limits = FragLimits(
        max_memory=1 << 20, nb_indices=2, descriptors=frozenset({BLOCK.descriptor, b"next"})
    )
    receiver, sender = started(version, limits=limits, session_cnt=7)
    assert feed(receiver, sender, 1, 2, 12) == store(sender)
    before = plain(receiver)
    good = change(server(version, session_cnt=8).setup_req, **nonsense)
    refused = 0
    for algo, index, descriptor, replay in itertools.product(
        range(8), range(1, 4), [b"next", b"evil"], [8, 7, 6, 0]
    ):
        changes: dict[str, Any] = {
            "frag_algo": algo,
            "frag_index": index,
            "descriptor": descriptor,
        }
        if version == 2:
            changes["session_cnt"] = replay
        expected = (
            (1 if algo else 0)
            | (2 if nonsense else 0)
            | (4 if index > 1 else 0)
            | (8 if descriptor == b"evil" else 0)
            | (16 if version == 2 and replay <= 7 and index == 1 else 0)
        )
        if not expected:
            continue
        results = execute(receiver, change(good, **changes), now=NOW)
        assert results == [set_up_answer(version, index, expected)]
        assert plain(receiver) == before
        refused += 1
    assert refused == 192 - (0 if nonsense else 4 if version == 1 else 1)
    assert feed(receiver, sender, *range(3, 10)) == [received(sender)]  # 12 stands for 10
    record_property("set-ups refused", refused)


@both
def test_a_block_that_needs_one_octet_too_many_is_refused_before_it_is_allocated(
    version: int,
) -> None:
    need = memory_bound(nb_frag=BLOCK.nb_frag, frag_size=BLOCK.frag_size)
    sender = server(version)
    enough = device(version, limits=FragLimits(max_memory=need))
    assert execute(enough, sender.setup_req, now=NOW) == accepted(version)
    short = device(version, limits=FragLimits(max_memory=need - 1))
    assert execute(short, sender.setup_req, now=NOW) == [set_up_answer(version, 1, 2)]
    assert short.state(1) is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"nb_indices": 0}, "FragLimits.nb_indices = 0: expected int in 1..4"),
        ({"nb_indices": 5}, "FragLimits.nb_indices = 5: expected int in 1..4"),
        ({"max_memory": -1}, "FragLimits.max_memory = -1: expected 0 or more"),
    ],
)
def test_limits_that_mean_nothing_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FieldError) as caught:
        FragLimits(**arguments)
    assert str(caught.value) == sentence


def test_version_2_cannot_do_without_a_root_key() -> None:
    with pytest.raises(FieldError) as caught:
        FragDevice(frag_profile(2), rng=random.Random(1))
    assert str(caught.value) == (
        "FragDevice.root_key = None: expected a key, since fragmentation/2 signs"
    )
    assert FragDevice(frag_profile(1), rng=random.Random(1)).state(0) is None


# The same set-up again, and another one (S5, S6)


@both
def test_the_same_set_up_again_gets_the_same_answer_while_no_fragment_came(version: int) -> None:
    receiver, sender = started(version)
    before = plain(receiver)
    for _ in range(3):
        assert execute(receiver, sender.setup_req, now=NOW) == accepted(version)
        assert plain(receiver) == before


def test_in_version_2_the_same_set_up_is_a_replay_once_a_fragment_came() -> None:
    receiver, sender = started(2)
    assert feed(receiver, sender, 4) == [StoreSessionCnt(1, 0)]
    before = plain(receiver)
    assert execute(receiver, sender.setup_req, now=NOW) == [set_up_answer(2, 1, 16)]
    assert plain(receiver) == before
    assert feed(receiver, sender, 1, 2, 3, *range(5, 11)) == [received(sender)]


def test_in_version_1_the_same_set_up_starts_over_because_it_may_be_another_block() -> None:
    receiver, sender = started(1)
    feed(receiver, sender, *range(1, 10))
    assert execute(receiver, sender.setup_req, now=NOW) == accepted(1)
    assert (receiver.state(1), receiver.decoder(1).missing) == (FragState.READY, 10)
    assert feed(receiver, sender, 10) == []


@both
def test_another_set_up_replaces_the_session_completely(version: int) -> None:
    receiver, old = started(version)
    feed(receiver, old, 1, 2, 3)
    new = server(version, DataBlock(IMAGE[::-1], 10, b"next"), session_cnt=1)
    assert execute(receiver, new.setup_req, now=NOW) == accepted(version)
    assert feed(receiver, new, *range(4, 11)) == store(new)
    assert receiver.decoder(1).missing == 3
    assert feed(receiver, new, 1, 2, 3) == [received(new)]


def test_no_used_session_counter_is_ever_accepted_again() -> None:
    receiver = device(2)
    recorded = [server(2, session_cnt=count).setup_req for count in (0, 3, 4, 65535)]
    for count in (0, 3, 4, 65535):
        sender = server(2, session_cnt=count)
        assert execute(receiver, sender.setup_req, now=NOW) == accepted(2)
        assert feed(receiver, sender, 1) == [StoreSessionCnt(1, count)]
        for old in recorded:
            if isinstance(old, v2.FragSessionSetupReq) and old.session_cnt <= count:
                assert execute(receiver, old, now=NOW) == [set_up_answer(2, 1, 16)]
    reset = device(2, session_cnt_prev=receiver.session_cnt_prev)
    for count in (0, 1, 32767, 32768, 65535):  # used up for ever: no wrap
        req = server(2, session_cnt=count).setup_req
        assert execute(receiver, req, now=NOW) == [set_up_answer(2, 1, 16)]
        assert execute(reset, req, now=NOW) == [set_up_answer(2, 1, 16)]
    other = server(2, frag_index=0)
    assert execute(reset, other.setup_req, now=NOW) == accepted(2, 0)


def test_only_a_fragment_that_counts_uses_the_session_counter_up() -> None:
    receiver, sender = started(2, mc_group_bit_mask=0b0010)
    short = DataFragment(n=1, frag_index=1, payload=b"short")
    assert execute(receiver, short, now=NOW) == [Dropped(DropReason.LENGTH, "fragment 1")]
    assert feed(receiver, sender, 1, mc_group_id=0) == [
        Dropped(DropReason.NOT_IN_MASK, "fragment 1")
    ]
    assert receiver.session_cnt_prev == {}
    assert execute(receiver, sender.setup_req, now=NOW) == accepted(2)
    assert feed(receiver, sender, 1, mc_group_id=1) == [StoreSessionCnt(1, 0)]
    assert receiver.session_cnt_prev == {1: 0}


def test_the_counter_is_stored_before_a_block_of_one_fragment_is_delivered() -> None:
    receiver, sender = started(2, DataBlock(b"x", 1), session_cnt=9)
    assert feed(receiver, sender, 1) == [StoreSessionCnt(1, 9), received(sender)]


def test_the_callers_counters_are_copied() -> None:
    stored = {1: 4}
    receiver = device(2, session_cnt_prev=stored)
    sender = server(2, session_cnt=5)
    execute(receiver, sender.setup_req, now=NOW)
    feed(receiver, sender, 1)
    assert (stored, receiver.session_cnt_prev) == ({1: 4}, {1: 5})


@both
def test_deleting_forgets_the_fragments_but_not_the_counter(version: int) -> None:
    receiver, sender = started(version)
    feed(receiver, sender, 1, 2)
    counters = dict(receiver.session_cnt_prev)
    delete = v1.FragSessionDeleteReq(frag_index=1)
    for gone in (False, True, True):
        assert execute(receiver, delete, now=NOW) == [
            Answer(v1.FragSessionDeleteAns(frag_index=1, session_does_not_exist=gone))
        ]
    assert receiver.session_cnt_prev == counters
    assert feed(receiver, sender, 3) == [Dropped(DropReason.NO_SESSION, "fragment 3")]
    with pytest.raises(StateError):
        receiver.decoder(1)
    if version == 2:
        assert execute(receiver, sender.setup_req, now=NOW) == [set_up_answer(2, 1, 16)]
        sender = server(2, session_cnt=1)
    assert execute(receiver, sender.setup_req, now=NOW) == accepted(version)
    assert receiver.decoder(1).missing == 10


# Which fragments count (S3)


@both
@pytest.mark.parametrize("mask", range(16))
def test_only_groups_in_the_mask_feed_a_session_and_unicast_always_does(
    version: int, mask: int
) -> None:
    for group in range(4):
        receiver, sender = started(version, mc_group_bit_mask=mask)
        results = feed(receiver, sender, 1, mc_group_id=group)
        if mask >> group & 1:
            assert results == store(sender)
        else:
            assert results == [Dropped(DropReason.NOT_IN_MASK, "fragment 1")]
            assert receiver.state(1) is FragState.READY
    receiver, sender = started(version, mc_group_bit_mask=mask)
    assert feed(receiver, sender, 1) == store(sender)


@both
def test_a_fragment_of_another_length_or_index_changes_nothing(version: int) -> None:
    receiver, sender = started(version)
    feed(receiver, sender, 1, 2)
    before = plain(receiver)
    for length in (*range(10), *range(11, 40), 239):
        wrong = DataFragment(n=3, frag_index=1, payload=bytes(length))
        assert execute(receiver, wrong, now=NOW) == [Dropped(DropReason.LENGTH, "fragment 3")]
    for index in (0, 2, 3):
        wrong = DataFragment(n=3, frag_index=index, payload=bytes(10))
        assert execute(receiver, wrong, now=NOW) == [Dropped(DropReason.NO_SESSION, "fragment 3")]
    assert plain(receiver) == before


@both
def test_uplinks_and_commands_of_others_are_dropped(version: int) -> None:
    receiver, sender = started(version)
    feed(receiver, sender, 1)
    before = plain(receiver)
    direction, package = DropReason.DIRECTION, DropReason.PACKAGE
    for command, reason in (
        (v1.FragSessionDeleteAns(frag_index=1, session_does_not_exist=False), direction),
        (v1.PackageVersionAns(package_identifier=3, package_version=version), direction),
        (status_ans(version, 1, 9), direction),
        (status_ans(3 - version, 1, 9), package),
        (
            v2.FragDataBlockReceivedReq(frag_index=1, mic_error=False),
            direction if version == 2 else package,
        ),
        (McGroupDeleteReq(mc_group_id=1), package),
    ):
        assert execute(receiver, command, now=NOW) == [Dropped(reason, type(command).__name__)]
    assert plain(receiver) == before


@both
def test_a_set_up_of_the_other_version_makes_no_session(version: int) -> None:
    receiver = device(version)
    before = plain(receiver)
    req = server(3 - version).setup_req
    assert execute(receiver, req, now=NOW) == [Dropped(DropReason.PACKAGE, "FragSessionSetupReq")]
    assert plain(receiver) == before


# Rebuilding (S2)


def rebuilding(version: int, profile: FragProfile | None = None) -> tuple[FragDevice, FragServer]:
    """A device that has all it needs, and has not been given the time to rebuild the block."""
    sender = server(version, mc_group_bit_mask=1)
    receiver = FragDevice(profile or frag_profile(version), rng=random.Random(1), root_key=ROOT)
    receiver.execute(sender.setup_req, now=NOW)
    for n in range(2, 60):
        if receiver.state(1) is not FragState.REBUILDING:
            receiver.execute(fragment(sender, n), now=NOW)
    return receiver, sender


@both
def test_the_tick_after_the_last_fragment_rebuilds_the_block(version: int) -> None:
    receiver, sender = rebuilding(version)
    deadline = receiver.next_deadline
    assert deadline == NOW
    assert receiver.spent_groups == frozenset()  # a reset now would set it back
    for n in (1, 5, 40):
        dropped = [Dropped(DropReason.COMPLETE, f"fragment {n}")]
        assert receiver.execute(fragment(sender, n), now=NOW) == dropped
    block, store_end = receiver.tick(now=NOW - 1e6)  # time may run back
    assert isinstance(block, BlockReceived)
    assert (block.data, block.verified) == (IMAGE, version == 2)
    assert store_end == Store("end/1", "done")
    assert receiver.state(1) is FragState.DONE
    assert receiver.spent_groups == frozenset({0})
    assert receiver.next_deadline is None


@both
@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("damage", [0, 1 << 79])
def test_a_status_is_not_told_before_it_is_known(
    version: int, multicast: bool, damage: int
) -> None:
    """R10: 0 missing without an error bit would be taken for success."""
    receiver, sender = started(version)
    for n in range(1, 11):
        receiver.execute(fragment(sender, n, damage=damage * (n == 4)), now=NOW)
    group = 0 if multicast else None
    for participants in (False, True, False):
        req = status_req(participants=participants)
        assert receiver.execute(req, now=NOW, mc_group_id=group) == []
    wrong = bool(damage) and version == 2
    [block, _, answer] = receiver.tick(now=NOW)
    assert isinstance(block, BlockFailed if wrong else BlockReceived)
    assert isinstance(answer, Answer)
    assert answer.command == status_ans(version, 10, 0, mic=wrong)
    assert (answer.delay_seconds > 0) is multicast
    assert receiver.tick(now=NOW) == []


@both
def test_a_complete_device_stays_silent_when_only_incomplete_ones_are_asked(version: int) -> None:
    receiver, _ = rebuilding(version)
    assert receiver.execute(status_req(participants=False), now=NOW) == []
    assert [type(one) for one in receiver.tick(now=NOW)] == [BlockReceived, Store]


@both
def test_a_block_that_waits_to_be_rebuilt_survives_a_reset(version: int) -> None:
    receiver, _ = rebuilding(version)
    state = json.loads(json.dumps(receiver.export(progress=True)))
    assert state["end/1"] == "rebuilding"
    fresh = device(version)
    fresh.restore(state, now=NOW)
    assert fresh.state(1) is FragState.REBUILDING
    assert fresh.next_deadline == -math.inf
    assert fresh.export(progress=True) == state
    [block, _] = fresh.tick(now=5.0)
    assert isinstance(block, BlockReceived)
    assert block.data == IMAGE
    del state["decoder/1"]
    with pytest.raises(FieldError, match="decoder/1"):
        device(version).restore(state, now=NOW)
    assert "end/1" not in receiver.export()  # without the fragments it starts over


def test_a_complete_block_that_a_stack_has_not_noticed_survives_a_reset() -> None:
    st = dataclasses.replace(frag_profile(2), needs_coded_fragment=True)
    sender = server(2)
    receiver = FragDevice(st, rng=random.Random(1), root_key=ROOT)
    receiver.execute(sender.setup_req, now=NOW)
    for n in range(1, 11):
        receiver.execute(fragment(sender, n), now=NOW)
    assert (receiver.state(1), receiver.next_deadline) == (FragState.RECEIVING, None)
    fresh = FragDevice(st, rng=random.Random(1), root_key=ROOT)
    fresh.restore(receiver.export(progress=True), now=NOW)
    assert (fresh.state(1), fresh.next_deadline) == (FragState.RECEIVING, None)
    for one in (receiver, fresh):
        one.execute(fragment(sender, 11), now=NOW)
        assert one.state(1) is FragState.REBUILDING
    again = FragDevice(st, rng=random.Random(1), root_key=ROOT)
    again.restore(fresh.export(progress=True), now=NOW)
    assert again.state(1) is FragState.REBUILDING
    [block, _] = again.tick(now=NOW)
    assert isinstance(block, BlockReceived)


def test_a_state_that_has_nothing_to_rebuild_is_refused() -> None:
    receiver, sender = started(2)
    receiver.execute(fragment(sender, 1), now=NOW)
    state = receiver.export(progress=True) | {"end/1": "rebuilding"}
    with pytest.raises(FieldError, match="decoder/1"):
        device(2).restore(state, now=NOW)


def test_a_second_session_leaves_a_complete_block_alone_on_stacks_with_one_decoder() -> None:
    one = dataclasses.replace(frag_profile(1), one_decoder=True)
    receiver, _ = rebuilding(1, one)
    receiver.execute(server(1, frag_index=2).setup_req, now=NOW)
    assert (receiver.state(1), receiver.state(2)) == (FragState.REBUILDING, FragState.READY)
    [block, _] = receiver.tick(now=NOW)
    assert isinstance(block, BlockReceived)
    assert block.data == IMAGE


@both
def test_a_set_up_or_a_delete_ends_a_session_that_waits_to_be_rebuilt(version: int) -> None:
    receiver, _ = rebuilding(version)
    receiver.execute(v1.FragSessionDeleteReq(frag_index=1), now=NOW)
    assert (receiver.state(1), receiver.next_deadline) == (None, None)
    receiver, _ = rebuilding(version)
    again = server(version, session_cnt=9) if version == 2 else server(version)
    receiver.execute(again.setup_req, now=NOW)
    assert (receiver.state(1), receiver.next_deadline) == (FragState.READY, None)


# Giving up


@both
def test_more_losses_than_the_matrix_holds_end_the_session(version: int) -> None:
    receiver, sender = started(version, limits=FragLimits(max_lost=2))
    assert feed(receiver, sender, *range(1, 8)) == store(sender)
    assert feed(receiver, sender, 11) == [
        BlockFailed(1, BLOCK.descriptor, "more than max_lost = 2 fragments were lost", AGREED)
    ]
    assert receiver.state(1) is FragState.ABORTED
    before = plain(receiver)
    assert feed(receiver, sender, 8, 12) == [
        Dropped(DropReason.ABORTED, "fragment 8"),
        Dropped(DropReason.ABORTED, "fragment 12"),
    ]
    assert plain(receiver) == before
    for participants in (False, True):
        assert execute(receiver, status_req(participants=participants), now=NOW) == [
            Answer(status_ans(version, 8, 3, memory=True))
        ]
    assert receiver.next_deadline is None


@both
def test_as_many_losses_as_the_matrix_holds_are_made_good(version: int) -> None:
    receiver, sender = started(version, limits=FragLimits(max_lost=2))
    results = feed(receiver, sender, *range(1, 9), 11, 12, 13, 14, 15)
    [block] = [one for one in results if isinstance(one, BlockReceived | BlockFailed)]
    assert block == received(sender, block.check)
    assert block.check.ok


# Verification (S7, S11)


def test_every_flipped_bit_of_what_the_mic_covers_gives_no_block(record_property: Record) -> None:
    good = server(2, session_cnt=300).setup_req
    assert isinstance(good, v2.FragSessionSetupReq)
    wrong: list[dict[str, Any]] = []
    for bit in range(32):
        flipped = int.from_bytes(good.mic) ^ 1 << bit
        wrong.append({"mic": flipped.to_bytes(4)})
        flipped = int.from_bytes(good.descriptor) ^ 1 << bit
        wrong.append({"descriptor": flipped.to_bytes(4)})
    wrong += [{"session_cnt": 300 ^ 1 << bit} for bit in range(16)]
    wrong += [{"frag_index": index} for index in (0, 2, 3)]
    wrong += [{"padding": padding} for padding in range(10) if padding != 5]
    assert len(wrong) == 64 + 16 + 3 + 9
    sender = server(2)
    for changes in wrong:
        req = dataclasses.replace(good, **changes)
        receiver, index = device(2), req.frag_index
        assert execute(receiver, req, now=NOW) == accepted(2, index)
        results: Result = []
        for n in range(1, 11):
            payload = fragment(sender, n).payload
            one = DataFragment(n=n, frag_index=index, payload=payload)
            results += execute(receiver, one, now=NOW)
        assert results == [
            StoreSessionCnt(index, req.session_cnt),
            BlockFailed(index, req.descriptor, "data block: the MIC does not fit", AGREED),
        ]
        assert receiver.state(index) is FragState.FAILED
    record_property("wrong set-ups", len(wrong))


@pytest.mark.parametrize("numbers", [tuple(range(1, 11)), (1, 3, 4, 6, 7, 9, 10, 11, 12, 13, 14)])
def test_a_damaged_fragment_gives_no_block_in_version_2(numbers: tuple[int, ...]) -> None:
    receiver, sender = started(2)
    feed(receiver, sender, *numbers)
    assert receiver.state(1) is FragState.DONE
    outcomes = set()
    for damaged in numbers:
        for bit in (0, 41, 79):  # the padding, the middle, the first
            receiver, sender = started(2)
            results: Result = []
            for n in numbers:
                one = fragment(sender, n, damage=1 << bit if n == damaged else 0)
                results += execute(receiver, one, now=NOW)
            blocks = [one for one in results if isinstance(one, BlockReceived | BlockFailed)]
            assert len(blocks) == 1
            if isinstance(blocks[0], BlockReceived):  # damage in the padding, or spare
                assert blocks[0].data == IMAGE
                assert blocks[0].verified
            outcomes.add((type(blocks[0]), receiver.state(1)))
    assert (BlockFailed, FragState.FAILED) in outcomes
    assert outcomes <= {(BlockFailed, FragState.FAILED), (BlockReceived, FragState.DONE)}


def test_a_failed_block_says_so_and_counts_as_missing_something() -> None:
    receiver, sender = started(2)
    feed(receiver, sender, *range(1, 10))
    [failed] = execute(receiver, fragment(sender, 10, damage=1 << 79), now=NOW)
    assert isinstance(failed, BlockFailed)
    for participants in (False, True):
        assert execute(receiver, status_req(participants=participants), now=NOW) == [
            Answer(status_ans(2, 10, 0, mic=True))
        ]
    assert feed(receiver, sender, 10) == [Dropped(DropReason.COMPLETE, "fragment 10")]


def test_a_block_of_version_1_is_never_called_verified_and_the_check_speaks() -> None:
    receiver, sender = started(1)
    for n in range(1, 10):
        execute(receiver, fragment(sender, n, damage=n == 3), now=NOW)
    assert feed(receiver, sender, 11) == []  # line 11 is columns 3 and 6: nothing new, a check
    [block] = feed(receiver, sender, 10)
    assert isinstance(block, BlockReceived)
    assert block.data != IMAGE
    assert block == dataclasses.replace(
        received(sender),
        data=block.data,
        verified=False,
        check=CheckResult(checked=1, disagreeing=(11,), conflicting=()),
    )
    assert not block.check.ok


@both
def test_the_same_number_with_other_octets_is_a_conflict_that_is_told(version: int) -> None:
    receiver, sender = started(version)
    feed(receiver, sender, 1, 2, 3)
    assert execute(receiver, fragment(sender, 3, damage=1), now=NOW) == []
    [block] = feed(receiver, sender, *range(4, 11))
    check = CheckResult(checked=0, disagreeing=(), conflicting=(3,))
    assert block == received(sender, check)  # the first copy was right: the MIC vouches for it
    assert not check.ok


def test_a_block_with_another_matrix_is_refused_by_the_mic() -> None:
    sender = server(2)
    annex = dataclasses.replace(frag_profile(2), parity=ParityVariant.V2_ANNEX)
    receiver = FragDevice(annex, rng=random.Random(1), root_key=ROOT)
    execute(receiver, sender.setup_req, now=NOW)
    results = feed(receiver, sender, *range(3, 11), *range(11, 40))
    [failed] = [one for one in results if isinstance(one, BlockFailed | BlockReceived)]
    assert isinstance(failed, BlockFailed)


@pytest.mark.parametrize("root", [GenAppKey(bytes(15) + b"x"), AppKey(bytes(16))], ids=repr)
def test_a_block_signed_for_another_device_is_refused(root: GenAppKey | AppKey) -> None:
    receiver, sender = device(2), FragServer(frag_profile(2), BLOCK, frag_index=1, root_key=root)
    assert execute(receiver, sender.setup_req, now=NOW) == accepted(2)
    assert isinstance(feed(receiver, sender, *range(1, 11))[-1], BlockFailed)


# Status


@both
def test_a_status_request_by_unicast_is_answered_at_once(version: int) -> None:
    receiver, sender = started(version)
    for got in range(10):
        expected = [Answer(status_ans(version, got, 10 - got))]
        for participants in (False, True):
            assert execute(receiver, status_req(participants=participants), now=NOW) == expected
        feed(receiver, sender, got + 1)
    assert execute(receiver, status_req(), now=NOW) == [Answer(status_ans(version, 10, 0))]
    assert execute(receiver, status_req(participants=False), now=NOW) == []


def test_without_a_session_version_1_is_silent_and_version_2_says_so() -> None:
    for participants in (False, True):
        req = status_req(participants=participants)
        assert execute(device(1), req, now=NOW) == []
        [answer] = execute(device(2), req, now=NOW)
        assert isinstance(answer, Answer)
        assert (answer.command.encode().hex(), answer.delay_seconds) == ("0104", 0.0)


@both
def test_fragments_are_counted_with_repeats_and_spare_ones_until_the_end(version: int) -> None:
    receiver, sender = started(version)
    feed(receiver, sender, 1, 1, 2, 2, 2)
    assert execute(receiver, status_req(), now=NOW) == [Answer(status_ans(version, 5, 8))]
    feed(receiver, sender, *range(3, 11), 1, 2, 11)
    assert execute(receiver, status_req(), now=NOW) == [Answer(status_ans(version, 13, 0))]


@both
@pytest.mark.parametrize(("nb_frag", "shown"), [(254, 254), (255, 255), (256, 255), (600, 255)])
def test_missing_fragments_are_told_up_to_255(version: int, nb_frag: int, shown: int) -> None:
    receiver, _ = started(version, DataBlock(bytes(nb_frag), 1))
    assert execute(receiver, status_req(), now=NOW) == [Answer(status_ans(version, 0, shown))]


@both
@pytest.mark.parametrize("block_ack_delay", range(8))
def test_answers_to_a_multicast_request_are_spread_evenly(
    version: int, block_ack_delay: int, record_property: Record
) -> None:
    receiver, _ = started(version, block_ack_delay=block_ack_delay)
    window, draws, bins = 2 ** (block_ack_delay + 4), 20_000 if LONG else 1000, [0] * 20
    for _ in range(draws):
        [answer] = execute(receiver, status_req(), now=NOW, mc_group_id=3)
        assert isinstance(answer, Answer)
        assert answer.command == status_ans(version, 0, 10)
        assert 0 <= answer.delay_seconds < window
        bins[int(answer.delay_seconds / window * 20)] += 1
    expected = draws / 20
    chi_square = sum((seen - expected) ** 2 / expected for seen in bins)
    assert chi_square < 43.8  # 19 degrees of freedom, one in a thousand; the seed is fixed
    record_property("delays", draws)


@both
def test_a_complete_device_is_silent_on_multicast_unless_all_participants_are_asked(
    version: int,
) -> None:
    receiver, sender = started(version)
    feed(receiver, sender, *range(1, 11))
    assert execute(receiver, status_req(participants=False), now=NOW, mc_group_id=0) == []
    [answer] = execute(receiver, status_req(), now=NOW, mc_group_id=0)
    assert isinstance(answer, Answer)
    assert answer.command == status_ans(version, 10, 0)


# Reporting the end


def finished(*, damage: int = 0, **options: Any) -> FragDevice:
    receiver, sender = started(2, ack_reception=True, **options)
    feed(receiver, sender, *range(1, 10))
    execute(receiver, fragment(sender, 10, damage=damage), now=NOW)
    return receiver


@pytest.mark.parametrize("damage", [0, 1 << 79])
def test_the_end_is_reported_three_times_while_nobody_answers(damage: int) -> None:
    receiver, times = finished(damage=damage), [NOW]
    report = Answer(v2.FragDataBlockReceivedReq(frag_index=1, mic_error=bool(damage)))
    while (deadline := receiver.next_deadline) is not None:
        assert times[-1] <= deadline < times[-1] + 16
        before = plain(receiver)
        assert receiver.tick(now=deadline - 0.001) == []
        assert receiver.tick(now=deadline - 15) == []
        assert plain(receiver) == before
        left = FragDevice.REPORTS - len(times)
        assert receiver.tick(now=deadline) == [Store("report/1", left or None), report]
        times.append(deadline)
    assert len(times) == 1 + FragDevice.REPORTS
    assert receiver.tick(now=NOW + 1e9) == []


def test_a_clock_that_jumps_sends_one_report_and_not_all() -> None:
    receiver = finished()
    assert [type(one) for one in receiver.tick(now=NOW + 1e6)] == [Store, Answer]
    assert receiver.next_deadline is not None
    assert NOW + 1e6 <= receiver.next_deadline < NOW + 1e6 + 16


def test_an_answer_ends_the_reports_and_one_for_another_session_does_not() -> None:
    receiver = finished()
    deadline = receiver.next_deadline
    assert deadline is not None
    receiver.tick(now=deadline)
    for index in (0, 2, 3):
        wrong = v2.FragDataBlockReceivedAns(frag_index=index)
        assert execute(receiver, wrong, now=deadline) == []
    assert receiver.next_deadline is not None
    for _ in range(2):
        right = v2.FragDataBlockReceivedAns(frag_index=1)
        execute(receiver, right, now=deadline)
        assert receiver.next_deadline is None
    assert receiver.tick(now=NOW + 1e9) == []


def test_an_answer_nobody_waits_for_does_not_silence_the_report() -> None:
    receiver = finished()
    assert execute(receiver, v2.FragDataBlockReceivedAns(frag_index=1), now=NOW) == []
    assert [type(one) for one in receiver.tick(now=NOW + 16)] == [Store, Answer]


@pytest.mark.parametrize("sent", [0, 1, 2, 3])
@pytest.mark.parametrize("damage", [0, 1 << 79])
def test_reports_that_are_pending_go_on_after_a_reset(sent: int, damage: int) -> None:
    receiver = finished(damage=damage)
    for _ in range(sent):
        assert receiver.next_deadline is not None
        receiver.tick(now=receiver.next_deadline)
    fresh = FragDevice(frag_profile(2), rng=random.Random(5), root_key=ROOT)
    fresh.restore(receiver.export(), now=NOW + 500)
    assert fresh.export() == receiver.export()
    report = Answer(v2.FragDataBlockReceivedReq(frag_index=1, mic_error=bool(damage)))
    if sent == 0:  # a late repeat of another session's answer still changes nothing
        assert execute(fresh, v2.FragDataBlockReceivedAns(frag_index=1), now=NOW + 500) == []
    told = []
    while (deadline := fresh.next_deadline) is not None:
        assert NOW + 500 <= deadline < NOW + 500 + 48
        told += [one for one in fresh.tick(now=deadline) if isinstance(one, Answer)]
    assert told == [report] * (3 - sent)
    again = FragDevice(frag_profile(2), rng=random.Random(5), root_key=ROOT)
    again.restore(fresh.export(), now=NOW + 900)
    assert again.next_deadline is None


def test_a_stack_that_reports_with_fragments_waits_for_one_after_a_reset() -> None:
    """Renesas: one report by itself, the others with every further fragment."""
    profile = dataclasses.replace(frag_profile(2), reports_on_fragment=True)
    receiver = finished()
    for sent, waits in ((0, False), (1, True)):
        fresh = FragDevice(profile, rng=random.Random(5), root_key=ROOT)
        fresh.restore(receiver.export(), now=NOW + 500)
        assert (fresh.next_deadline is None) == waits, sent
        assert receiver.next_deadline is not None
        receiver.tick(now=receiver.next_deadline)


def test_an_answer_that_came_after_a_reset_ends_the_reports() -> None:
    receiver = finished()
    assert receiver.next_deadline is not None
    receiver.tick(now=receiver.next_deadline)
    fresh = FragDevice(frag_profile(2), rng=random.Random(5), root_key=ROOT)
    fresh.restore(receiver.export(), now=NOW + 500)
    acknowledged = fresh.execute(v2.FragDataBlockReceivedAns(frag_index=1), now=NOW + 500)
    assert acknowledged == [Store("report/1", None)]
    assert fresh.next_deadline is None
    assert "report/1" not in fresh.export()


def test_a_stack_that_reports_for_ever_does_so_after_a_reset() -> None:
    profile = dataclasses.replace(frag_profile(2), reports=None, report_every_seconds=1.5)
    state = finished().export() | {"report/1": "always"}
    fresh = FragDevice(profile, rng=random.Random(5), root_key=ROOT)
    fresh.restore(state, now=NOW)
    for _ in range(9):
        assert fresh.next_deadline is not None
        assert [type(one) for one in fresh.tick(now=fresh.next_deadline)] == [Answer]
    assert fresh.export()["report/1"] == "always"


def test_deleting_or_replacing_a_session_ends_its_reports() -> None:
    receiver = finished()
    execute(receiver, v1.FragSessionDeleteReq(frag_index=1), now=NOW)
    assert (receiver.next_deadline, receiver.tick(now=NOW + 100)) == (None, [])
    receiver = finished()
    execute(receiver, server(2, session_cnt=1).setup_req, now=NOW)
    assert (receiver.next_deadline, receiver.tick(now=NOW + 100)) == (None, [])


def test_nothing_is_reported_that_was_not_asked_for() -> None:
    for version in (1, 2):
        receiver, sender = started(version)
        feed(receiver, sender, *range(1, 11))
        assert (receiver.next_deadline, receiver.tick(now=NOW + 100)) == (None, [])


# State


@both
def test_a_session_survives_copying_in_the_middle(version: int) -> None:
    receiver, sender = started(version)
    feed(receiver, sender, 1, 2, 3, 11, 12)
    twin = copy.deepcopy(receiver)
    numbers = (5, 6, 7, 8, 9, 10, 13, 14, 15, 16)
    assert feed(twin, sender, *numbers) == feed(receiver, sender, *numbers)
    assert plain(twin) == plain(receiver)


def test_a_session_without_a_key_survives_pickling() -> None:
    receiver = FragDevice(frag_profile(1), rng=random.Random(1))
    sender = server(1)
    execute(receiver, sender.setup_req, now=NOW)
    feed(receiver, sender, *range(1, 10))
    twin = pickle.loads(pickle.dumps(receiver))
    assert feed(twin, sender, 10) == [received(sender)]


@given(data=st.data(), version=st.sampled_from([1, 2]))
def test_sessions_never_mix_and_deliver_once(data: st.DataObject, version: int) -> None:
    """Set-ups, deletes and fragments of several blocks in any order."""
    receiver = device(version)
    blocks = [DataBlock(bytes([i + 1]) * (5 + i), 2, bytes([i] * 4)) for i in range(3)]
    current: FragServer | None = None
    count, delivered = 0, 0
    for _ in range(data.draw(st.integers(1, 40))):
        step = data.draw(st.integers(0, 9))
        if step == 0 or current is None:
            current = server(version, data.draw(st.sampled_from(blocks)), session_cnt=count)
            count, delivered = count + 1, 0
            assert execute(receiver, current.setup_req, now=NOW) == accepted(version)
        elif step == 1:
            execute(receiver, v1.FragSessionDeleteReq(frag_index=1), now=NOW)
            current = None
        else:
            for result in feed(receiver, current, data.draw(st.integers(1, 12))):
                if isinstance(result, BlockReceived):
                    delivered += 1
                    assert result == received(current, result.check)
                    assert result.check.ok
                assert not isinstance(result, BlockFailed)
        assert delivered <= 1


# The server's side


def test_the_set_up_is_the_documents_example() -> None:
    image = bytes(range(95))
    block = DataBlock(image, 10, bytes.fromhex("04030201"))
    options: dict[str, Any] = {"mc_group_bit_mask": 1, "block_ack_delay": 3}
    first = server(1, block, **options).setup_req
    assert first.encode().hex() == "02110a000a030504030201"
    second = server(2, block, ack_reception=True, session_cnt=7, **options).setup_req
    assert second.encode().hex() == "02110a000a4305040302010700fc976c8d"


def test_the_mic_is_that_of_the_block_for_this_device() -> None:
    for root in (ROOT, AppKey(bytes(range(16)))):
        req = FragServer(frag_profile(2), BLOCK, session_cnt=5, root_key=root).setup_req
        assert isinstance(req, v2.FragSessionSetupReq)
        key = derive_data_block_int_key(root)
        BLOCK.verify(key, req.mic, session_cnt=5, frag_index=0)


@both
@pytest.mark.parametrize(
    "options",
    [
        {"frag_index": 4},
        {"frag_index": -1},
        {"mc_group_bit_mask": 16},
        {"block_ack_delay": 8},
    ],
)
def test_the_server_refuses_what_does_not_fit(version: int, options: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        server(version, **options)


def test_the_server_of_version_2_needs_a_key_and_a_counter_of_16_bits() -> None:
    with pytest.raises(FieldError) as caught:
        FragServer(frag_profile(2), BLOCK)
    assert str(caught.value) == (
        "FragServer.root_key = None: expected a key, since fragmentation/2 signs"
    )
    for count in (-1, 65536):
        with pytest.raises(FieldError):
            server(2, session_cnt=count)
    assert FragServer(frag_profile(1), BLOCK).setup_req == change(server(1).setup_req, frag_index=0)


@both
def test_every_refusal_is_told_by_name(version: int) -> None:
    sender = server(version)
    flags: type[v1.SetupError] | type[v2.SetupError] = (
        v1.SetupError if version == 1 else (v2.SetupError)
    )
    for bits in range(16 if version == 1 else 32):
        answer = set_up_answer(version, 1, bits).command
        assert isinstance(answer, v1.FragSessionSetupAns | v2.FragSessionSetupAns)
        names = [flag.name for flag in flags if bits & flag]
        assert sender.refusal(answer) == (", ".join(map(str, names)) if bits else None)
    for index in (0, 2, 3):
        answer = set_up_answer(version, index, 0).command
        assert isinstance(answer, v1.FragSessionSetupAns | v2.FragSessionSetupAns)
        assert sender.refusal(answer) == f"the answer is about FragIndex {index}"
