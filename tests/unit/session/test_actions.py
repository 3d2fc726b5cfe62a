"""Actions are plain, closed, comparable, and say little about what they carry."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import typing

import pytest

from lorafuota.errors import TruncatedError
from lorafuota.fec.decoder import CheckResult
from lorafuota.fragmentation.v1 import FragSessionDeleteAns
from lorafuota.session import actions
from lorafuota.session.actions import (
    Action,
    Answer,
    BlockFailed,
    BlockReceived,
    DeleteImage,
    Dropped,
    DropReason,
    ListenClassB,
    ListenClassC,
    Reboot,
    Rejected,
    Send,
    StopListening,
    Store,
    StoreSessionCnt,
)

CHECK = CheckResult(checked=2, disagreeing=(), conflicting=())
EACH: list[Action] = [
    Send(201, b"\x01", 12.5),
    Store("window/1", "0400"),
    StoreSessionCnt(frag_index=1, session_cnt=7),
    BlockReceived(1, b"desc", b"data", True, CHECK),
    BlockFailed(1, b"desc", "why", CHECK),
    ListenClassB(0, 128.0, 256.0, 3, 0, 3),
    ListenClassC(0, 1.0, 2.0, 869_525_000, 0),
    StopListening(2),
    Reboot(None),
    DeleteImage(0x17011973),
    Rejected(200, b"\x02", TruncatedError("McGroupSetupReq", 1, "ends early")),
    Dropped(DropReason.COMPLETE, "fragment 5"),
]
each = pytest.mark.parametrize("action", EACH, ids=lambda one: type(one).__name__)


def test_the_union_holds_every_class_of_the_module_but_the_answer() -> None:
    classes = {
        one
        for name in actions.__all__
        if isinstance(one := getattr(actions, name), type) and dataclasses.is_dataclass(one)
    }
    assert set(typing.get_args(Action)) == classes - {Answer} == {type(one) for one in EACH}


@each
def test_an_action_is_frozen_comparable_and_survives_copying_and_pickling(action: Action) -> None:
    assert copy.deepcopy(action) == action
    assert pickle.loads(pickle.dumps(action)) == action
    assert hash(action) == hash(copy.copy(action))
    field = dataclasses.fields(action)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(action, field, None)


def test_a_block_is_not_printed() -> None:
    shown = repr(BlockReceived(1, b"desc", b"firmware", False, CHECK))
    assert shown == (
        "BlockReceived(frag_index=1, descriptor=b'desc', verified=False, "
        "check=CheckResult(checked=2, disagreeing=(), conflicting=()))"
    )


def test_an_answer_goes_out_at_once_unless_told_otherwise() -> None:
    command = FragSessionDeleteAns(frag_index=1, session_does_not_exist=False)
    assert Answer(command) == Answer(command, 0.0) != Answer(command, 1.0)


def test_every_reason_to_drop_reads_as_a_sentence_of_its_own() -> None:
    assert len({reason.value for reason in DropReason}) == len(DropReason)
    assert all(" " in reason.value for reason in DropReason)
