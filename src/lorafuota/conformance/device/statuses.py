"""Checks of TS004 status requests: who answers, and with which figures."""

from __future__ import annotations

from typing import Final

from ...fragmentation import v1, v2
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import Uplink
from .block import (
    delete,
    expect_no_block,
    expect_status,
    may_lose,
    new_block,
    send,
    set_up,
    status,
    transfer,
)
from .life import expect_version

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_STATUS: Final = "TS004, FragSessionStatusAns"
_REQ: Final = "TS004, FragSessionStatusReq"


# --- Without a session ----------------------------------------------------------------------------


@CHECKS.check("fragmentation", (2,), "status-none", clause="TS004-2.0.0, FragSessionStatusAns")
def status_none(peer: DevicePeer) -> None:
    """The status of a session that does not exist is one octet with its bit, and nothing else.

    Two stacks send what the last session left behind it, which a server reads as figures.
    """
    package = peer.package("fragmentation")
    fport = peer.packages.fport(package.name)
    for index in range(peer.subject.about.frag_indices):
        for participants in (True, False):
            peer.events()
            request = v1.FragSessionStatusReq(participants=participants, frag_index=index)
            peer.send(package, request)
            came = [
                one.payload
                for one in peer.wait(30.0)
                if isinstance(one, Uplink) and one.fport == fport
            ]
            if came != [b"\x01\x04"]:
                shown = ", ".join(one.hex(" ") for one in came) or "nothing"
                raise Failed(f"expected 01 04 about FragIndex {index}; came {shown}")


@CHECKS.check(
    "fragmentation",
    (1,),
    "status-none",
    clause="TS004-1.0.0 has no answer for it",
    severity=Severity.QUIRK,
)
def status_none_1(peer: DevicePeer) -> None:
    """Version 1 has no answer about a session that does not exist: the device is silent.

    Known stacks answer with what the last session left.
    """
    came = status(peer, 0)
    if came is not None:
        raise Failed(f"expected silence; came {came}")
    expect_version(peer, peer.package("fragmentation"))


@CHECKS.check("fragmentation", _BOTH, "status-after-delete", clause=_STATUS)
def status_after_delete(peer: DevicePeer) -> None:
    """After a delete the status does not tell of a complete block.

    Figures of the deleted session look like a success of the next one.
    """
    block = new_block(peer)
    transfer(peer, block)
    delete(peer, 0)
    came = status(peer, 0)
    if came is None:
        return
    gone = isinstance(came, v2.FragSessionStatusAns) and came.session_does_not_exist
    if not gone and came.missing_frag == 0 and (came.nb_frag_received or 0) >= 10:
        raise Failed(f"expected no session; came {came}")


# --- Figures --------------------------------------------------------------------------------------


@CHECKS.check("fragmentation", _BOTH, "status-fresh", clause=_STATUS)
def status_fresh(peer: DevicePeer) -> None:
    """Before the first fragment nothing is received and everything is missing.

    With MissingFrag 0 a server believes that the block is there.
    """
    block = new_block(peer, frag_index=min(1, peer.subject.about.frag_indices - 1))
    set_up(peer, block)
    expect_status(peer, block, received=0, missing=10)


@CHECKS.check("fragmentation", _BOTH, "status-plain", clause=_STATUS)
def status_plain(peer: DevicePeer) -> None:
    """In the middle the status tells what has come and what is missing, for the right session.

    MissingFrag counts what has not been sent yet as well; two stacks tell only what was lost.
    """
    block = new_block(peer, frag_index=min(2, peer.subject.about.frag_indices - 1))
    set_up(peer, block)
    send(peer, block, [1, 2, 5])
    expect_status(peer, block, received=3, missing=7)


@CHECKS.check("fragmentation", _BOTH, "status-coded", clause=_STATUS)
def status_coded(peer: DevicePeer) -> None:
    """A coded fragment counts as received, and MissingFrag falls if it tells something new."""
    may_lose(peer, 4)
    block = new_block(peer)
    set_up(peer, block)
    numbers = [1, 2, 3, 4, 5, 6, 11, 12]
    send(peer, block, numbers)
    expect_status(peer, block, received=8, missing=10 - block.decoder(numbers).rank)


@CHECKS.check("fragmentation", _BOTH, "status-useless-coded", clause=_STATUS)
def status_useless_coded(peer: DevicePeer) -> None:
    """A coded fragment that tells nothing new counts as received and does not reduce MissingFrag.

    MissingFrag is M less the rank, not M less what was received.
    """
    may_lose(peer, 4)
    block = new_block(peer)
    numbers = [5, 6, 7, 8, 9, 10]
    rank = block.decoder(numbers).rank
    for n in range(11, 1000):
        if block.decoder([*numbers, n]).rank == rank:
            break
    else:
        raise NotApplicable("every coded fragment tells something")
    set_up(peer, block)
    send(peer, block, [*numbers, n])
    expect_status(peer, block, received=7, missing=4)


@CHECKS.check("fragmentation", (2,), "status-repeats", clause="TS004-2.0.0, NbFragReceived")
def status_repeats(peer: DevicePeer) -> None:
    """NbFragReceived counts repeated fragments too."""
    block = new_block(peer)
    set_up(peer, block)
    send(peer, block, [1, 2, 2, 2, 3])
    expect_status(peer, block, received=5, missing=7)


@CHECKS.check("fragmentation", _BOTH, "status-repeats-missing", clause=_STATUS)
def status_repeats_missing(peer: DevicePeer) -> None:
    """A fragment that comes again does not reduce MissingFrag."""
    block = new_block(peer)
    set_up(peer, block)
    send(peer, block, [1, 1, 1, 1])
    expect_status(peer, block, missing=9)


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "status-lossless",
    clause="LoRa Basics Modem issue SWL2001 101; TS004, MissingFrag",
)
def status_lossless(peer: DevicePeer) -> None:
    """After a transfer without loss nothing is missing.

    A known stack tells 1, and a server notes the success as a failure.
    """
    block = new_block(peer)
    transfer(peer, block)
    expect_status(peer, block, missing=0)


@CHECKS.check("fragmentation", _BOTH, "status-lossless-received", clause=_STATUS)
def status_lossless_received(peer: DevicePeer) -> None:
    """A complete session has received M fragments at least, so that nothing missing means success.

    "0 missing" also stands before the first fragment on known stacks; only both figures together
    tell a server the truth.
    """
    block = new_block(peer)
    transfer(peer, block)
    came = status(peer, 0)
    if came is None or not 10 <= (came.nb_frag_received or 0) <= 11:
        raise Failed(f"expected NbFragReceived 10 or 11; came {came}")


@CHECKS.check("fragmentation", _BOTH, "status-repaired", clause=_STATUS)
def status_repaired(peer: DevicePeer) -> None:
    """After lost fragments were made good nothing is missing any more.

    Two stacks tell the number of plain fragments lost, which never falls.
    """
    may_lose(peer, 2)
    block = new_block(peer)
    transfer(peer, block, block.completed(n for n in block.plain if n not in (3, 8)))
    expect_status(peer, block, missing=0)


@CHECKS.check("fragmentation", _BOTH, "status-255", clause="TS004, MissingFrag")
def status_255(peer: DevicePeer) -> None:
    """MissingFrag is 255 where more than that are missing.

    Cut to 8 bits, 256 missing fragments read as none.
    """
    block = new_block(peer, nb_frag=300, frag_size=4, padding=0)
    set_up(peer, block)
    expect_status(peer, block, missing=255)
    send(peer, block, range(1, 45))
    expect_status(peer, block, missing=255)
    send(peer, block, range(45, 47))
    expect_status(peer, block, missing=254)


@CHECKS.check("fragmentation", (2,), "status-mic-error", clause="TS004-2.0.0, MICError")
def status_mic_error(peer: DevicePeer) -> None:
    """A block with another MIC is not delivered, and the status says why.

    Before the end, and with a good block, MICError is 0.
    """
    good = new_block(peer)
    wrong = new_block(peer, session_cnt=2)  # another block under the first one's MIC
    assert isinstance(good.setup, v2.FragSessionSetupReq)
    set_up(peer, good)
    peer.events()
    send(peer, wrong, [*wrong.plain[:9]])
    expect_status(peer, good, missing=1)
    send(peer, wrong, [10, 11])
    expect_no_block(peer)
    expect_status(peer, good, missing=0, mic=True)


@CHECKS.check("fragmentation", (2,), "status-mic-error-needy", clause="TS004-2.0.0, Participants")
def status_mic_error_needy(peer: DevicePeer) -> None:
    """A device whose block has another MIC answers a request that asks for the needy only.

    It needs another session, and silence means success there.
    """
    good, wrong = new_block(peer), new_block(peer, session_cnt=2)
    set_up(peer, good)
    send(peer, wrong, [*wrong.plain, 11])
    peer.wait(60.0)
    if status(peer, 0, participants=False) is None:
        raise Failed("expected an answer; the device is silent as if the block were good")


@CHECKS.check(
    "fragmentation", _BOTH, "too-many-lost", clause="zephyr issue 72764; TS004, MemoryError"
)
def too_many_lost(peer: DevicePeer) -> None:
    """More lost fragments than the device has memory for: the bit is set, no block is delivered.

    A known stack calls its application as if the block were there.
    """
    most = peer.subject.about.max_lost
    if most is None:
        raise NotApplicable("the device makes any number of lost fragments good")
    block = new_block(peer, nb_frag=20)
    kept = [n for n in block.plain if n > most + 1]
    set_up(peer, block)
    send(peer, block, block.completed(kept))
    expect_no_block(peer)
    expect_status(peer, block, memory=True)


@CHECKS.check(
    "fragmentation", _BOTH, "memory-error-cleared", clause="LoRaMac-node issue 1629; MemoryError"
)
def memory_error_cleared(peer: DevicePeer) -> None:
    """The memory bit of a session that was given up is not told of the next one."""
    most = peer.subject.about.max_lost
    if most is None:
        raise NotApplicable("the device makes any number of lost fragments good")
    first = new_block(peer, nb_frag=20)
    set_up(peer, first)
    send(peer, first, first.completed(n for n in first.plain if n > most + 1))
    delete(peer, 0)
    second = new_block(peer, session_cnt=2)
    transfer(peer, second)
    expect_status(peer, second, missing=0)


# --- Who answers ----------------------------------------------------------------------------------


@CHECKS.check("fragmentation", _BOTH, "status-needy-complete", clause=_REQ)
def status_needy_complete(peer: DevicePeer) -> None:
    """A complete device keeps silent when only those that miss fragments are asked.

    Asked by multicast, a whole fleet would answer.
    """
    block = new_block(peer)
    transfer(peer, block)
    came = status(peer, 0, participants=False)
    if came is not None:
        raise Failed(f"expected silence; came {came}")


@CHECKS.check("fragmentation", _BOTH, "status-needy-incomplete", clause=_REQ)
def status_needy_incomplete(peer: DevicePeer) -> None:
    """A device that misses fragments answers when only those are asked."""
    block = new_block(peer)
    set_up(peer, block)
    send(peer, block, block.plain[:9])
    if status(peer, 0, participants=False) is None:
        raise Failed("expected an answer; came nothing")


@CHECKS.check("fragmentation", _BOTH, "status-all-complete", clause=_REQ)
def status_all_complete(peer: DevicePeer) -> None:
    """A complete device answers when all are asked."""
    block = new_block(peer)
    transfer(peer, block)
    if status(peer, 0, participants=True) is None:
        raise Failed("expected an answer; came nothing")


@CHECKS.check("fragmentation", _BOTH, "status-reserved-bits", clause="TS004, RFU")
def status_reserved_bits(peer: DevicePeer) -> None:
    """Reserved bits of a status request are ignored.

    LoRaMac-node shifts without a mask, so that they become an index far outside of the table.
    """
    block = new_block(peer, frag_index=0)
    set_up(peer, block)
    came = peer.ask(block.package, b"\x01\xf9", within=30.0)
    if [getattr(one, "frag_index", None) for one in came] != [0]:
        raise Failed(f"expected one answer about FragIndex 0; came {came}")
