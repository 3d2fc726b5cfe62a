"""Checks of class C sessions and the blocks they are for (TS005, TS004): neither cut nor idle."""

from __future__ import annotations

from typing import Final

from ...fragmentation import v1 as fragmentation
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from .block import expect_received, new_block, send, set_up, transfer, try_set_up
from .group import class_c_req, set_up_group
from .window import accept, class_changes, session_answer

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_S12: Final = "LoRa Basics Modem issues SWL2001 155, 156 and 25; promise S12"
_SOON: Final = 300.0
"""Seconds in which a device should have noticed, and a board can be waited for."""


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-block-complete",
    clause=_S12,
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def class_c_block_complete(peer: DevicePeer) -> None:
    """A session ends when the block it is for is complete.

    TimeOut is a maximum; hours of class C after the last fragment drain a battery for nothing.
    """
    group = set_up_group(peer, 0)
    block = new_block(peer, mask=1)
    set_up(peer, block)
    request = class_c_req(peer, 0, start=60.0, time_out=14)
    accept(peer, request)
    class_changes(peer, request.session_time + 5.0)
    send(peer, block, [*block.plain, 11], group)
    changes = class_changes(peer, peer.now + 900.0)
    if [one.device_class for one in changes] != ["A"]:
        raise Failed("expected class A soon after the block; the session goes on")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-already-complete",
    clause=_S12,
    severity=Severity.RECOMMENDED,
    needs=["class-c"],
)
def class_c_already_complete(peer: DevicePeer) -> None:
    """A session for a block that is complete already is answered, and does not keep a device up.

    The server cannot know who needs no repair: it opens the next window for the whole group.  Any
    answer will do, so long as the receiver is not on for hours.
    """
    set_up_group(peer, 0)
    transfer(peer, new_block(peer, mask=1))
    request = class_c_req(peer, 0, start=60.0, time_out=14)
    answer, _ = session_answer(peer, request)
    if answer is None:
        raise Failed("expected an answer to the session request; came nothing")
    changes = class_changes(peer, request.session_time + _SOON)
    if changes and answer.errors:
        raise Failed("the device refuses the session, and listens all the same")
    if changes and changes[-1].device_class != "A":
        raise Failed("expected class A soon after the start; the session goes on")


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-next-block",
    clause="TS005, McClassCSessionReq; promise S12",
    needs=["class-c"],
)
def class_c_next_block(peer: DevicePeer) -> None:
    """A block that is complete keeps no device from the session of the next one.

    Whoever remembers that a group has nothing more to say sleeps through the next update.
    """
    group = set_up_group(peer, 0)
    transfer(peer, new_block(peer, mask=1))
    peer.ask(peer.package("fragmentation"), fragmentation.FragSessionDeleteReq(frag_index=0))
    block = new_block(peer, mask=1, session_cnt=2)
    set_up(peer, block)
    request = class_c_req(peer, 0, start=60.0, time_out=9)
    accept(peer, request)
    opened = [one.device_class for one in class_changes(peer, request.session_time + 5.0)]
    if opened != ["C"]:
        raise Failed(f"expected class C for the next block; came {opened or 'no change'}")
    send(peer, block, [*block.plain, 11], group)
    expect_received(peer, block)


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "class-c-other-block",
    clause="TS004, McGroupBitMask; promise S12",
    needs=["class-c"],
)
def class_c_other_block(peer: DevicePeer) -> None:
    """A session goes on while one of the blocks it is for is not complete.

    Two blocks are sent in one window; the end of the first is not the end of the session.
    """
    group = set_up_group(peer, 0)
    first, second = new_block(peer, mask=1), new_block(peer, frag_index=1, mask=1)
    set_up(peer, first)
    if try_set_up(peer, second.setup) != 0:
        raise NotApplicable("the device does one session at a time")
    request = class_c_req(peer, 0, start=60.0, time_out=12)
    accept(peer, request)
    class_changes(peer, request.session_time + 5.0)
    send(peer, first, [*first.plain, 11], group)
    if class_changes(peer, peer.now + _SOON):
        raise Failed("expected the session to go on for the second block; it ends")
    send(peer, second, [*second.plain, 11], group)
    expect_received(peer, second)
