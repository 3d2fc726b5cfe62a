"""Checks of SessionCnt (TS004-2.0.0): used once, in this order, for ever."""

from __future__ import annotations

from typing import Final

from ...fragmentation import v2
from ..check import Catalogue, NotApplicable
from ..devicepeer import DevicePeer
from .block import (
    delete,
    expect_received,
    new_block,
    refuse,
    send,
    set_up,
    transfer,
    try_set_up,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_SETUP: Final = "TS004, FragSessionSetupReq"
_CNT: Final = "TS004-2.0.0, SessionCnt"


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
