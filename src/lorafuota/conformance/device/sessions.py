"""Checks of TS004 sessions: deletes, resets, reserved bits, set-ups of the other version."""

from __future__ import annotations

from typing import Final

from ...fragmentation import v1, v2
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import BlockDelivered
from .block import (
    delete,
    expect_no_block,
    expect_nothing_there,
    expect_received,
    new_block,
    send,
    set_up,
    status,
    transfer,
    try_set_up,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)


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
    expect_nothing_there(peer, 0)


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
        clause="LoRa Basics Modem issues SWL2001 116, 166; stm32-mw-lorawan 5",
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
    expect_nothing_there(peer, 0)


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
