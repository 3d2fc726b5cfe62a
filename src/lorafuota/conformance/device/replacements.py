"""Checks of TS004 set-ups that replace a session: other sizes, and what else may differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...fragmentation import v2
from ..check import Catalogue, Failed, NotApplicable
from ..devicepeer import DevicePeer, PeerGroup
from .block import (
    KitBlock,
    delete,
    expect_no_block,
    expect_received,
    expect_status,
    new_block,
    send,
    set_up,
    try_set_up,
)
from .group import in_class_c, set_up_group

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_STATES: Final = {"fresh": 0, "middle": 6, "complete": 11}
"""Fragments of the first block that are sent before the second set-up."""

_CLAUSE: Final = "promise S5; TS004-2.0.0, FragSessionSetupReq; LoRaMac-node issue 1629"


def _replace(peer: DevicePeer, first: KitBlock, second: KitBlock, fragments: int) -> None:
    """Set one session up, send so much of it, and have the other take its place.

    A version 1 device may refuse until the session is deleted, which its document asks for.

    Raises:
        Failed: The device does not accept it, or counts fragments that are not there yet.
        NotApplicable: The Descriptor is another one, and the device does not take it.
    """
    set_up(peer, first)
    send(peer, first, [*first.plain, 11][:fragments])
    peer.wait(30.0)
    errors = try_set_up(peer, second.setup)
    other = first.setup.descriptor != second.setup.descriptor
    if other and errors is not None and errors & v2.SetupError.WRONG_DESCRIPTOR:
        raise NotApplicable("the device does not take another Descriptor")
    if errors != 0 and peer.package("fragmentation").version == 1:
        delete(peer, 0)
        errors = try_set_up(peer, second.setup)
    if errors != 0:
        raise Failed(f"expected the other set-up to be accepted; came {errors}")
    if "blocks" not in peer.subject.about.can:
        expect_status(peer, second, received=0)
    peer.events()


def _expect_arrives(peer: DevicePeer, block: KitBlock, group: PeerGroup | None = None) -> None:
    """Send a block without its third fragment, which the first session had, and coded ones."""
    send(peer, block, block.completed(n for n in block.plain if n != 3), group)
    expect_received(peer, block)


# --- Other sizes ----------------------------------------------------------------------------------


def _declare_another(state: str, fragments: int) -> None:
    @CHECKS.check("fragmentation", _BOTH, f"setup-another-{state}", clause=_CLAUSE)
    def another(peer: DevicePeer) -> None:
        """Another set-up of the same index replaces the session completely.

        What is left of the first (fragments, counters, the matrix, flags) spoils the second block.
        A version 1 device may refuse until the session is deleted, which its document asks for.
        """
        first = new_block(peer)
        second = new_block(peer, nb_frag=7, frag_size=20, padding=9, session_cnt=2)
        _replace(peer, first, second, fragments)
        _expect_arrives(peer, second)


# --- The same sizes -------------------------------------------------------------------------------


def _other_content(peer: DevicePeer) -> KitBlock:
    return new_block(peer, session_cnt=2)


def _other_descriptor(peer: DevicePeer) -> KitBlock:
    known = peer.subject.about.descriptor
    return new_block(peer, session_cnt=2, descriptor=known[:3] + bytes((known[3] ^ 0xFF,)))


def _other_padding(peer: DevicePeer) -> KitBlock:
    return new_block(peer, session_cnt=2, padding=2)


def _declare_same_size(
    state: str,
    what: str,
    sentence: str,
    make: Callable[[DevicePeer], KitBlock],
    versions: tuple[int, ...] = _BOTH,
) -> None:
    def same_size(peer: DevicePeer) -> None:
        first, second = new_block(peer), make(peer)
        _replace(peer, first, second, _STATES[state])
        _expect_arrives(peer, second)

    same_size.__doc__ = (
        f"{sentence}\n\n"
        "A device that compares sizes only takes it for the first one said again: it goes on with\n"
        "the old session, and puts fragments of two blocks together."
    )
    CHECKS.check("fragmentation", versions, f"setup-other-{what}-{state}", clause=_CLAUSE)(
        same_size
    )


def _declare_mask(state: str) -> None:
    @CHECKS.check("fragmentation", _BOTH, f"setup-other-mask-opened-{state}", clause=_CLAUSE)
    def opened(peer: DevicePeer) -> None:
        """A set-up of the same sizes that names a group is fed by it, whatever the first named.

        The update that failed by unicast is tried by multicast next.
        """
        group = set_up_group(peer, 0)
        first, second = new_block(peer), new_block(peer, session_cnt=2, mask=1)
        _replace(peer, first, second, _STATES[state])
        in_class_c(peer, 0)
        peer.events()
        _expect_arrives(peer, second, group)

    @CHECKS.check("fragmentation", _BOTH, f"setup-other-mask-closed-{state}", clause=_CLAUSE)
    def closed(peer: DevicePeer) -> None:
        """A set-up of the same sizes that names no group is fed by none, whatever the first named.

        Members of the group could write into a session that is none of theirs.
        """
        group = set_up_group(peer, 0)
        first, second = new_block(peer, mask=1), new_block(peer, session_cnt=2)
        _replace(peer, first, second, _STATES[state])
        in_class_c(peer, 0)
        send(peer, second, second.plain, group)
        expect_no_block(peer)
        if "blocks" not in peer.subject.about.can:
            expect_status(peer, second, received=0)
        _expect_arrives(peer, second)


for _state, _fragments in _STATES.items():
    _declare_another(_state, _fragments)
for _state in _STATES:
    _declare_same_size(
        _state,
        "content",
        "A set-up of the same sizes with another SessionCnt and MIC is another block, and arrives.",
        _other_content,
        (2,),
    )
    _declare_same_size(
        _state,
        "descriptor",
        "A set-up of the same sizes with another Descriptor is another block, and arrives.",
        _other_descriptor,
    )
    _declare_same_size(
        _state,
        "padding",
        "A set-up of the same sizes with another Padding gives a block of another length.",
        _other_padding,
    )
    _declare_mask(_state)
