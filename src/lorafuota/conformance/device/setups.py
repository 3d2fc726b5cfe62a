"""Checks of TS004 set-ups: what is refused, and what the same set-up again does in every state."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from ...fragmentation import v2
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from .block import (
    KitBlock,
    SetupReq,
    delete,
    expect_nothing_there,
    expect_received,
    expect_status,
    new_block,
    refuse,
    send,
    set_up,
    transfer,
    try_set_up,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_SETUP: Final = "TS004, FragSessionSetupReq"
_CNT: Final = "TS004-2.0.0, SessionCnt"


# --- Accepting and refusing -----------------------------------------------------------------------


def _declare_index(index: int) -> None:
    @CHECKS.check("fragmentation", _BOTH, f"setup-index-{index}", clause=_SETUP)
    def accepted(peer: DevicePeer) -> None:
        """A set-up is accepted, and the answer names its FragIndex.

        AWS IoT Core uses index 1 for multicast, others use 0: a device has to take every index it
        says it has.  Fields of the answer stand elsewhere than in the request, which is easily
        overlooked while all is tested with index 0.
        """
        block = new_block(peer, frag_index=index)
        set_up(peer, block)
        delete(peer, index)

    if index == 0:
        return

    @CHECKS.check("fragmentation", _BOTH, f"index-{index}-not-supported", clause=_SETUP)
    def refused(peer: DevicePeer) -> None:
        """A FragIndex the device has no session for is refused with its bit.

        Memory behind the last session is overwritten where the index is not looked at.
        """
        if index < peer.subject.about.frag_indices:
            raise NotApplicable(f"the device has a session for FragIndex {index}")
        setup = dataclasses.replace(new_block(peer).setup, frag_index=index)
        refuse(peer, setup, v2.SetupError.FRAG_INDEX_UNSUPPORTED)
        expect_nothing_there(peer, index)


for _index in range(4):
    _declare_index(_index)


def _declare_algo(algo: int) -> None:
    @CHECKS.check("fragmentation", _BOTH, f"setup-algo-{algo}", clause=_SETUP)
    def refused(peer: DevicePeer) -> None:
        """A FragAlgo that no document defines is refused with its bit, and nothing is set up.

        A device that goes on all the same rebuilds garbage with the only code it knows.
        """
        setup = dataclasses.replace(new_block(peer).setup, frag_algo=algo)
        refuse(peer, setup, v2.SetupError.FRAG_ALGO_UNSUPPORTED)
        expect_nothing_there(peer, 0)


for _algo in range(1, 8):
    _declare_algo(_algo)


@CHECKS.check("fragmentation", _BOTH, "setup-too-large", clause=_SETUP)
def setup_too_large(peer: DevicePeer) -> None:
    """A block that is larger than the memory is refused with NotEnoughMemory.

    Whoever allocates first and checks later is out of memory with one message of 11 octets.
    """
    about = peer.subject.about
    if about.max_nb_frag >= 16_383 and about.max_block_octets >= 16_383 * 255:
        raise NotApplicable("the device takes the largest block there is")
    setup = dataclasses.replace(new_block(peer).setup, nb_frag=16_383, frag_size=255, padding=0)
    refuse(peer, setup, v2.SetupError.NOT_ENOUGH_MEMORY)
    expect_nothing_there(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "setup-descriptor", clause=_SETUP)
def setup_descriptor(peer: DevicePeer) -> None:
    """A Descriptor the device does not like is refused with its bit."""
    wrong = peer.subject.about.wrong_descriptor
    if wrong is None:
        raise NotApplicable("the device takes any Descriptor")
    setup = dataclasses.replace(new_block(peer).setup, descriptor=wrong)
    refuse(peer, setup, v2.SetupError.WRONG_DESCRIPTOR)
    expect_nothing_there(peer, 0)


@CHECKS.check(
    "fragmentation", _BOTH, "setup-several-bits", clause=_SETUP, severity=Severity.RECOMMENDED
)
def setup_several_bits(peer: DevicePeer) -> None:
    """A set-up with two faults is answered with both bits, so that a server learns all at once."""
    about = peer.subject.about
    if about.max_nb_frag >= 16_383 and about.max_block_octets >= 16_383 * 255:
        raise NotApplicable("the device takes the largest block there is")
    block = new_block(peer)
    setup = dataclasses.replace(block.setup, nb_frag=16_383, frag_size=255, padding=0, frag_algo=3)
    errors = try_set_up(peer, setup)
    if errors is None or errors & 3 != 3:
        raise Failed(f"expected FragAlgo unsupported and NotEnoughMemory; came {errors}")


@CHECKS.check("fragmentation", _BOTH, "setup-nb-frag-zero", clause="promise S4; TS004, NbFrag")
def setup_nb_frag_zero(peer: DevicePeer) -> None:
    """A set-up of no fragments is not accepted.

    No bit is made for it, so any bit or silence will do.  A device that accepts is complete before
    it begins, or divides by zero.
    """
    refuse(peer, dataclasses.replace(new_block(peer).setup, nb_frag=0), None)
    expect_nothing_there(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "setup-frag-size-zero", clause="promise S4; TS004, FragSize")
def setup_frag_size_zero(peer: DevicePeer) -> None:
    """A set-up of fragments without octets is not accepted."""
    setup = dataclasses.replace(new_block(peer).setup, frag_size=0, padding=0)
    refuse(peer, setup, None)
    expect_nothing_there(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "setup-nb-frag-16384", clause="promise S4; TS004, NbFrag")
def setup_nb_frag_16384(peer: DevicePeer) -> None:
    """A set-up of more fragments than N has numbers for is not accepted.

    NbFrag has 16 bits and N has 14: such a block can never be complete, and the other two bits must
    not be cut off.
    """
    for nb_frag in (16_384, 16_394, 32_778, 49_162, 65_535):
        setup = dataclasses.replace(new_block(peer).setup, nb_frag=nb_frag, frag_size=1, padding=0)
        refuse(peer, setup, None)
    expect_nothing_there(peer, 0)


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "setup-padding-too-large",
    clause="promise S4; TS004, Padding",
    severity=Severity.RECOMMENDED,
)
def setup_padding_too_large(peer: DevicePeer) -> None:
    """A Padding of a whole fragment or more is not accepted.

    With one fragment the block has a negative length then.
    """
    for nb_frag, padding in ((1, 255), (1, 13), (10, 12)):
        setup = dataclasses.replace(new_block(peer).setup, nb_frag=nb_frag, padding=padding)
        refuse(peer, setup, None)
    expect_nothing_there(peer, 0)


# --- Set up again ---------------------------------------------------------------------------------


@CHECKS.check(
    "fragmentation", _BOTH, "setup-repeat", clause="LoRa Basics Modem issue SWL2001 81; promise S5"
)
def setup_repeat(peer: DevicePeer) -> None:
    """The same set-up before the first fragment gets the same answer, and the transfer works.

    A server whose answer was lost repeats its request; without an answer to the repeat it gives the
    device up.
    """
    block = new_block(peer)
    for _ in range(3):
        set_up(peer, block)
    transfer(peer, block)


@CHECKS.check("fragmentation", (1,), "setup-repeat-middle", clause="promise S5; TS004-1.0.0")
def setup_repeat_middle_1(peer: DevicePeer) -> None:
    """The same set-up in the middle is answered, and the block arrives whichever way it counts.

    Keeping the fragments or starting over are both right; half of each is not.
    """
    block = new_block(peer)
    set_up(peer, block)
    send(peer, block, block.plain[:5])
    if try_set_up(peer, block.setup) is None:
        raise Failed("expected an answer to the repeated set-up; came nothing")
    peer.events()
    send(peer, block, [*block.plain, 11])
    expect_received(peer, block)


@CHECKS.check("fragmentation", (2,), "setup-repeat-middle", clause=_CNT)
def setup_repeat_middle_2(peer: DevicePeer) -> None:
    """The same set-up in the middle is a replay, and the session goes on as if it had not come."""
    block = new_block(peer)
    set_up(peer, block)
    peer.events()
    send(peer, block, block.plain[:5])
    refuse(peer, block.setup, v2.SetupError.SESSION_CNT_REPLAY)
    send(peer, block, [*block.plain[5:], 11])
    expect_received(peer, block)


@CHECKS.check("fragmentation", (1,), "setup-repeat-complete", clause="promise S5; TS004-1.0.0")
def setup_repeat_complete_1(peer: DevicePeer) -> None:
    """The same set-up after the end is answered."""
    block = new_block(peer)
    transfer(peer, block)
    if try_set_up(peer, block.setup) is None:
        raise Failed("expected an answer to the repeated set-up; came nothing")


@CHECKS.check("fragmentation", (2,), "setup-repeat-complete", clause=_CNT)
def setup_repeat_complete_2(peer: DevicePeer) -> None:
    """The same set-up after the end is a replay."""
    block = new_block(peer)
    transfer(peer, block)
    refuse(peer, block.setup, v2.SetupError.SESSION_CNT_REPLAY)


@CHECKS.check("fragmentation", _BOTH, "setup-after-delete", clause="TS004, FragSessionDeleteReq")
def setup_after_delete(peer: DevicePeer) -> None:
    """A set-up after a delete in the middle starts from nothing.

    Every other fragment of the deleted session is sent first: if one of them still counts, the
    second block is wrong.
    """
    first, second = new_block(peer), new_block(peer, session_cnt=2)
    set_up(peer, first)
    send(peer, first, block_half(first))
    delete(peer, 0)
    set_up(peer, second)
    expect_status(peer, second, received=0)
    peer.events()
    send(peer, second, [*second.plain, 11])
    expect_received(peer, second)


def block_half(block: KitBlock) -> list[int]:
    """Return every other plain fragment."""
    return list(block.plain[::2])


@CHECKS.check(
    "fragmentation", _BOTH, "setup-same-after-delete", clause="promise S5; TS004, SessionCnt"
)
def setup_same_after_delete(peer: DevicePeer) -> None:
    """The same set-up after a delete before the first fragment is accepted, and works.

    The server took its first try back; nothing was used up.
    """
    block = new_block(peer)
    set_up(peer, block)
    delete(peer, 0)
    transfer(peer, block)


@CHECKS.check(
    "fragmentation", (1,), "setup-same-after-delete-middle", clause="promise S5; TS004-1.0.0"
)
def setup_same_after_delete_middle(peer: DevicePeer) -> None:
    """The same set-up after a delete in the middle starts from nothing, and works."""
    block = new_block(peer)
    set_up(peer, block)
    send(peer, block, block_half(block))
    delete(peer, 0)
    set_up(peer, block)
    expect_status(peer, block, received=0)
    peer.events()
    send(peer, block, [*block.plain, 11])
    expect_received(peer, block)


@CHECKS.check(
    "fragmentation", _BOTH, "two-blocks-in-a-row", clause="LoRaMac-node issue 1629; TS004"
)
def two_blocks_in_a_row(peer: DevicePeer) -> None:
    """Three blocks, one after the other, all arrive.

    State that is not cleared between sessions shows only in the second.
    """
    for count in (1, 2, 3):
        block = new_block(peer, session_cnt=count, nb_frag=8 + count, padding=count)
        transfer(peer, block)
        delete(peer, 0)


def _with(setup: SetupReq, field: str, value: int) -> SetupReq:
    fields: dict[str, Any] = {field: value}
    return dataclasses.replace(setup, **fields)


def _declare_refused(name: str, field: str, value: int) -> None:
    @CHECKS.check("fragmentation", _BOTH, name, clause=_SETUP)
    def kept(peer: DevicePeer) -> None:
        """A refused set-up leaves the session of its index alone.

        Two stacks clear the session first and look at the request then, so that one damaged or
        replayed message ends a transfer of hours.
        """
        block = new_block(peer)
        set_up(peer, block)
        peer.events()
        send(peer, block, block.plain[:5])
        refuse(peer, _with(block.setup, field, value), None)
        send(peer, block, [*block.plain[5:], 11])
        expect_received(peer, block)


_declare_refused("refused-keeps-session", "frag_algo", 5)
_declare_refused("absurd-keeps-session", "nb_frag", 0)


@CHECKS.check("fragmentation", _BOTH, "two-sessions-at-once", clause="TS004, FragIndex")
def two_sessions_at_once(peer: DevicePeer) -> None:
    """Two sessions do not disturb each other, their fragments mixed.

    Several stacks accept four indices and have one decoder.  A device that can do one session says
    so by refusing the second index.
    """
    first = new_block(peer, frag_index=0)
    second = new_block(peer, frag_index=1, nb_frag=12, frag_size=16)
    set_up(peer, first)
    set_up(peer, second)
    lost = {0: 4, 1: 6}
    mixed = [(one, n) for n in range(1, 13) for one in (first, second) if n in one.plain]
    mixed = [(one, n) for one, n in mixed if lost[one.frag_index] != n]
    taken: dict[int, list[int]] = {0: [], 1: []}
    for one, n in mixed:
        taken[one.frag_index].append(n)
    peer.events()
    for one, n in mixed:
        send(peer, one, [n])
    send(peer, first, first.completed(taken[0])[len(taken[0]) :])
    expect_received(peer, first)
    send(peer, second, second.completed(taken[1])[len(taken[1]) :])
    expect_received(peer, second)
