"""Checks of TS004 set-ups and deletes: what is refused, what a repeat does, and the counter."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from ...fragmentation import v1, v2
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import BlockDelivered
from .block import (
    KitBlock,
    SetupReq,
    delete,
    expect_no_block,
    expect_received,
    expect_status,
    new_block,
    refuse,
    send,
    set_up,
    status,
    transfer,
    try_set_up,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_SETUP: Final = "TS004, FragSessionSetupReq"
_CNT: Final = "TS004-2.0.0, SessionCnt"


def _check_nothing_there(peer: DevicePeer, frag_index: int) -> None:
    """Fail if a session exists: a delete says so in both versions."""
    delete(peer, frag_index, absent=True)


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
            raise NotApplicable(f"the device has a session {index}")
        setup = dataclasses.replace(new_block(peer).setup, frag_index=index)
        refuse(peer, setup, v2.SetupError.FRAG_INDEX_UNSUPPORTED)
        _check_nothing_there(peer, index)


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
        _check_nothing_there(peer, 0)


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
    _check_nothing_there(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "setup-descriptor", clause=_SETUP)
def setup_descriptor(peer: DevicePeer) -> None:
    """A Descriptor the device does not like is refused with its bit."""
    wrong = peer.subject.about.wrong_descriptor
    if wrong is None:
        raise NotApplicable("the device takes any Descriptor")
    setup = dataclasses.replace(new_block(peer).setup, descriptor=wrong)
    refuse(peer, setup, v2.SetupError.WRONG_DESCRIPTOR)
    _check_nothing_there(peer, 0)


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
    _check_nothing_there(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "setup-frag-size-zero", clause="promise S4; TS004, FragSize")
def setup_frag_size_zero(peer: DevicePeer) -> None:
    """A set-up of fragments without octets is not accepted."""
    setup = dataclasses.replace(new_block(peer).setup, frag_size=0, padding=0)
    refuse(peer, setup, None)
    _check_nothing_there(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "setup-nb-frag-16384", clause="promise S4; TS004, NbFrag")
def setup_nb_frag_16384(peer: DevicePeer) -> None:
    """A set-up of more fragments than N has numbers for is not accepted.

    NbFrag has 16 bits and N has 14: such a block can never be complete, and the other two bits must
    not be cut off.
    """
    for nb_frag in (16_384, 16_394, 32_778, 49_162, 65_535):
        setup = dataclasses.replace(new_block(peer).setup, nb_frag=nb_frag, frag_size=1, padding=0)
        refuse(peer, setup, None)
    _check_nothing_there(peer, 0)


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
    _check_nothing_there(peer, 0)


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


def _declare_another(state: str, fragments: int) -> None:
    @CHECKS.check(
        "fragmentation",
        _BOTH,
        f"setup-another-{state}",
        clause="promise S5; TS004-2.0.0, FragSessionSetupReq; LoRaMac-node issue 1629",
    )
    def another(peer: DevicePeer) -> None:
        """Another set-up of the same index replaces the session completely.

        What is left of the first (fragments, counters, the matrix, flags) spoils the second block.
        A version 1 device may refuse until the session is deleted, which its document asks for.
        """
        first = new_block(peer)
        second = new_block(peer, nb_frag=7, frag_size=20, padding=9, session_cnt=2)
        set_up(peer, first)
        send(peer, first, [*first.plain, 11][:fragments])
        peer.wait(30.0)
        errors = try_set_up(peer, second.setup)
        if errors != 0 and peer.package("fragmentation").version == 1:
            delete(peer, 0)
            errors = try_set_up(peer, second.setup)
        if errors != 0:
            raise Failed(f"expected the other set-up to be accepted; came {errors}")
        peer.events()
        send(peer, second, second.completed(n for n in second.plain if n != 3))
        expect_received(peer, second)


for _state, _fragments in (("fresh", 0), ("middle", 6), ("complete", 11)):
    _declare_another(_state, _fragments)


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


# --- Deleting -------------------------------------------------------------------------------------


@CHECKS.check("fragmentation", _BOTH, "delete", clause="TS004, FragSessionDeleteReq")
def delete_session(peer: DevicePeer) -> None:
    """A delete is confirmed, and a second one says that there is no such session."""
    block = new_block(peer, frag_index=peer.subject.about.frag_indices - 1)
    set_up(peer, block)
    delete(peer, block.frag_index)
    delete(peer, block.frag_index, absent=True)


@CHECKS.check("fragmentation", _BOTH, "delete-none", clause="TS004, FragSessionDeleteAns")
def delete_none(peer: DevicePeer) -> None:
    """A delete of a session that was never set up says so, for every FragIndex."""
    for index in range(4):
        delete(peer, index, absent=True)


@CHECKS.check("fragmentation", _BOTH, "delete-other", clause="TS004, FragSessionDeleteReq")
def delete_other(peer: DevicePeer) -> None:
    """A delete takes its own session and no other."""
    block, other = new_block(peer, frag_index=0), new_block(peer, frag_index=1)
    set_up(peer, block)
    if try_set_up(peer, other.setup) != 0:
        raise NotApplicable("the device does one session at a time")
    delete(peer, 0)
    delete(peer, 0, absent=True)
    delete(peer, 1)


@CHECKS.check("fragmentation", _BOTH, "delete-complete", clause="TS004, FragSessionDeleteReq")
def delete_complete(peer: DevicePeer) -> None:
    """A session that is complete is there until it is deleted.

    A server takes "does not exist" for a device that has forgotten everything.
    """
    block = new_block(peer)
    transfer(peer, block)
    delete(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "delete-stops", clause="TS004, FragSessionDeleteReq")
def delete_stops(peer: DevicePeer) -> None:
    """Fragments after a delete count for nothing, and no block is delivered."""
    block = new_block(peer)
    set_up(peer, block)
    send(peer, block, block.plain[:9])
    delete(peer, 0)
    send(peer, block, [10, 11, 12])
    expect_no_block(peer)
    _check_nothing_there(peer, 0)


# --- Session counter ------------------------------------------------------------------------------


@CHECKS.check("fragmentation", (2,), "cnt-lower", clause=_CNT)
def cnt_lower(peer: DevicePeer) -> None:
    """A SessionCnt below or equal to the last one used is refused as a replay, also after a delete.

    Otherwise a recorded set-up and its fragments bring an old firmware back.
    """
    transfer(peer, new_block(peer, session_cnt=5))
    for count in (0, 4, 5):
        refuse(peer, new_block(peer, session_cnt=count).setup, v2.SetupError.SESSION_CNT_REPLAY)
    delete(peer, 0)
    for count in (0, 4, 5):
        refuse(peer, new_block(peer, session_cnt=count).setup, v2.SetupError.SESSION_CNT_REPLAY)
    transfer(peer, new_block(peer, session_cnt=6))


@CHECKS.check("fragmentation", (2,), "cnt-zero", clause=_CNT)
def cnt_zero(peer: DevicePeer) -> None:
    """SessionCnt 0 is good once: "never used" is less than 0."""
    transfer(peer, new_block(peer, session_cnt=0))
    refuse(peer, new_block(peer, session_cnt=0).setup, v2.SetupError.SESSION_CNT_REPLAY)


def _declare_cnt(count: int) -> None:
    @CHECKS.check("fragmentation", (2,), f"cnt-{count}", clause=_CNT)
    def high(peer: DevicePeer) -> None:
        """A high SessionCnt is good on a fresh device: the comparison is a plain one.

        Renesas compares a signed difference of 16 bits and refuses 0x7FFF to 0xFFFF at first.
        """
        transfer(peer, new_block(peer, session_cnt=count))


for _count in (0x7FFF, 0x8000, 0xFFFF):
    _declare_cnt(_count)


@CHECKS.check("fragmentation", (2,), "cnt-no-wrap", clause=_CNT)
def cnt_no_wrap(peer: DevicePeer) -> None:
    """After SessionCnt 65535 nothing is accepted any more: the counter does not wrap.

    An index is used up after 65,536 blocks; a counter that wraps can be replayed.
    """
    block = new_block(peer, session_cnt=0xFFFF)
    errors = try_set_up(peer, block.setup)
    if errors != 0:
        raise NotApplicable("the device does not take SessionCnt 65535")
    send(peer, block, [1])
    for count in (0, 1, 0x7FFF, 0xFFFF):
        refuse(peer, new_block(peer, session_cnt=count).setup, v2.SetupError.SESSION_CNT_REPLAY)


@CHECKS.check("fragmentation", (2,), "cnt-per-index", clause=_CNT)
def cnt_per_index(peer: DevicePeer) -> None:
    """Every FragIndex has a SessionCnt of its own."""
    transfer(peer, new_block(peer, session_cnt=9))
    transfer(peer, new_block(peer, frag_index=1, session_cnt=3))
    refuse(
        peer,
        new_block(peer, frag_index=1, session_cnt=3).setup,
        v2.SetupError.SESSION_CNT_REPLAY,
    )
    refuse(peer, new_block(peer, session_cnt=8).setup, v2.SetupError.SESSION_CNT_REPLAY)


@CHECKS.check("fragmentation", (2,), "cnt-unused", clause=_CNT)
def cnt_unused(peer: DevicePeer) -> None:
    """A set-up alone does not use its SessionCnt up: the first fragment does.

    A server repeats a set-up, or makes it anew with other parameters, as long as nothing was sent.
    """
    set_up(peer, new_block(peer, session_cnt=7))
    set_up(peer, new_block(peer, session_cnt=7, nb_frag=12))
    set_up(peer, new_block(peer, session_cnt=3))
    delete(peer, 0)
    transfer(peer, new_block(peer, session_cnt=7))


@CHECKS.check("fragmentation", (2,), "cnt-first-fragment", clause=_CNT)
def cnt_first_fragment(peer: DevicePeer) -> None:
    """The first fragment uses SessionCnt up, not the last: half a session cannot be replayed."""
    block = new_block(peer, session_cnt=7)
    set_up(peer, block)
    send(peer, block, [4])
    refuse(peer, new_block(peer, session_cnt=7).setup, v2.SetupError.SESSION_CNT_REPLAY)
    delete(peer, 0)
    refuse(peer, block.setup, v2.SetupError.SESSION_CNT_REPLAY)


@CHECKS.check(
    "fragmentation",
    (2,),
    "cnt-survives-reset",
    clause="LoRa Basics Modem issue SWL2001 80; TS004-2.0.0, SessionCnt",
    needs=["power-cycle"],
)
def cnt_survives_reset(peer: DevicePeer) -> None:
    """A used SessionCnt is refused after a power cycle too, in the middle and after the end."""
    block = new_block(peer, session_cnt=3)
    set_up(peer, block)
    send(peer, block, [1])
    peer.power_on()
    refuse(peer, new_block(peer, session_cnt=3).setup, v2.SetupError.SESSION_CNT_REPLAY)
    transfer(peer, new_block(peer, session_cnt=4))
    peer.power_on()
    refuse(peer, new_block(peer, session_cnt=4).setup, v2.SetupError.SESSION_CNT_REPLAY)
    transfer(peer, new_block(peer, session_cnt=5))


@CHECKS.check("fragmentation", (2,), "replay-keeps-session", clause=_SETUP)
def replay_keeps_session(peer: DevicePeer) -> None:
    """A replayed set-up leaves the session of its index alone.

    Recording one set-up would be enough to stop every update of a device.
    """
    old, block = new_block(peer, session_cnt=1), new_block(peer, session_cnt=2)
    transfer(peer, old)
    set_up(peer, block)
    peer.events()
    send(peer, block, block.plain[:5])
    refuse(peer, old.setup, v2.SetupError.SESSION_CNT_REPLAY)
    send(peer, block, [*block.plain[5:], 11])
    expect_received(peer, block)


# --- Reserved bits, other versions ----------------------------------------------------------------


@CHECKS.check("fragmentation", _BOTH, "setup-reserved-bits", clause="TS004, RFU")
def setup_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits of a set-up are ignored: it is accepted, for the right session.

    Bit 6 of Control is AckReception in version 2 and reserved in version 1.
    """
    block = new_block(peer, frag_index=min(1, peer.subject.about.frag_indices - 1))
    octets = bytearray(block.setup.encode())
    octets[1] |= 0xC0
    octets[5] |= 0xC0 if block.package.version == 1 else 0x80
    errors = try_set_up(peer, bytes(octets))
    if errors != 0:
        raise Failed(f"expected the set-up to be accepted; came {errors}")
    peer.events()
    send(peer, block, [*block.plain, 11])
    expect_received(peer, block)


@CHECKS.check("fragmentation", _BOTH, "delete-reserved-bits", clause="TS004, RFU")
def delete_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits of a delete are ignored."""
    set_up(peer, new_block(peer, frag_index=0))
    came = peer.ask(peer.package("fragmentation"), b"\x03\xfc")
    wanted = [v1.FragSessionDeleteAns(frag_index=0, session_does_not_exist=False)]
    if came != wanted:
        raise Failed(f"expected {wanted[0]}; came {', '.join(map(str, came)) or 'nothing'}")


def _declare_dump(name: str, session_cnt: int) -> None:
    @CHECKS.check(
        "fragmentation",
        (1,),
        f"version-2-setup-{name}",
        clause="LoRa Basics Modem issue SWL2001 116",
        severity=Severity.RECOMMENDED,
    )
    def dump(peer: DevicePeer) -> None:
        """A version 2 set-up to a version 1 device: the set-up in front is answered, no more.

        The first 11 octets are a set-up of version 1; what follows is read as commands, and is
        nonsense.  The answer that follows a set-up at once is the only sign a server gets.
        """
        if peer.subject.about.wrong_descriptor is not None:
            raise NotApplicable("the device may refuse the Descriptor of the report")
        octets = bytes.fromhex("02 01 1400 32 00 05 00000000")
        octets += session_cnt.to_bytes(2, "little") + bytes.fromhex("4d6d1790")
        answers = peer.ask(peer.package("fragmentation"), octets)
        wanted = v1.FragSessionSetupAns(errors=v1.SetupError(0), frag_index=0)
        if not answers or answers[0] != wanted:
            raise Failed(f"expected {wanted} first; came {answers}")
        peer.wait(60.0)
        delete(peer, 0)


for _name, _count in (("cnt-1", 1), ("cnt-2", 2), ("cnt-48", 0x30)):
    _declare_dump(_name, _count)


@CHECKS.check(
    "fragmentation", (2,), "version-1-setup", clause="TS004-2.0.0: not compatible with version 1"
)
def version_1_setup(peer: DevicePeer) -> None:
    """A version 1 set-up to a version 2 device is too short: no answer, no session.

    What stands behind the message in memory would be SessionCnt and MIC.
    """
    setup = new_block(peer).setup
    if try_set_up(peer, setup.encode()[:11]) is not None:
        raise Failed("the device answers a set-up without SessionCnt and MIC")
    _check_nothing_there(peer, 0)


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "session-survives-reset",
    clause="TS004 leaves it open",
    severity=Severity.RECOMMENDED,
    needs=["power-cycle"],
)
def session_survives_reset(peer: DevicePeer) -> None:
    """A session goes on after a power cycle; fragments that are gone are made good by coded ones.

    A brown-out in the middle of the night should not cost the whole update.
    """
    block = new_block(peer)
    set_up(peer, block)
    send(peer, block, [1, 2])
    peer.power_on()
    peer.events()
    send(peer, block, block.completed(block.plain[2:]))
    expect_received(peer, block)


@CHECKS.check("fragmentation", _BOTH, "reset-tells-truth", clause="promise R10")
def reset_tells_truth(peer: DevicePeer) -> None:
    """After a power cycle in the middle the status does not tell of fragments that are gone.

    Either the session is gone, or what is missing is what it needs: after so many coded fragments
    the block is right, or there is none.
    """
    peer.need("power-cycle")
    block = new_block(peer)
    set_up(peer, block)
    send(peer, block, block.plain[:9])
    peer.power_on()
    came = status(peer, 0)
    gone = isinstance(came, v2.FragSessionStatusAns) and came.session_does_not_exist
    if came is not None and not gone and came.missing_frag == 0:
        raise Failed(f"expected fragments to be missing; came {came}")
    peer.events()
    send(peer, block, block.plain[9:])
    delivered = [one for one in peer.wait(30.0) if isinstance(one, BlockDelivered)]
    if any(one.data != block.data for one in delivered):
        raise Failed("a block with other content was delivered")
