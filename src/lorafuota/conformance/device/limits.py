"""Checks of how large a block may be (TS004): what a device says it takes, it takes to the last."""

from __future__ import annotations

from typing import Final

from ...datablock import MAX_NB_FRAG
from ...fragmentation import v2
from ..check import Catalogue, Failed, NotApplicable
from ..devicepeer import DevicePeer
from ..subject import About
from .block import KitBlock, delete, expect_received, new_block, send, try_set_up

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_LIMITS: Final = "TS004, NbFrag and NotEnoughMemory; promise S1"

_LARGEST_FRAGMENT: Final = 239
"""FragSize that fills the longest payload."""
_LARGEST_TRANSFER: Final = 1 << 20
"""Octets that are sent at most; four times as many would be a report too long for a line."""
_ROOM: Final = 64
"""Numbers that coded fragments need, with a wide margin."""
_SILENT: Final = About(name="a device that tells no limits", versions={})


def _tells_its_limits(about: About) -> bool:
    """Whether a device says how large a block may be, or leaves it to the defaults."""
    told = (about.max_nb_frag, about.max_block_octets)
    return told != (_SILENT.max_nb_frag, _SILENT.max_block_octets)


def _largest(about: About) -> list[tuple[int, int]]:
    """Return NbFrag and FragSize of the largest blocks a device says it takes.

    The most fragments, of one octet and as large as they may be then; and the largest fragments, as
    many as there may be of them.
    """
    most = min(about.max_nb_frag, about.max_block_octets)
    widest = min(_LARGEST_FRAGMENT, about.max_block_octets)
    sizes = {
        (most, 1),
        (most, min(widest, about.max_block_octets // most)),
        (min(most, about.max_block_octets // widest), widest),
    }
    return sorted(sizes)


def _expect_accepted(peer: DevicePeer, block: KitBlock) -> None:
    """Set a session up, and fail if the device refuses what it says it takes.

    Raises:
        NotApplicable: It says nothing, and has no memory for it.
    """
    errors = try_set_up(peer, block.setup)
    if errors == 0:
        return
    if errors == v2.SetupError.NOT_ENOUGH_MEMORY and not _tells_its_limits(peer.subject.about):
        raise NotApplicable("the device tells no limits, and has no memory for the largest block")
    what = f"NbFrag {block.setup.nb_frag} with FragSize {block.setup.frag_size}"
    came = "no answer" if errors is None else f"StatusBitMask {errors:#07b}"
    raise Failed(f"expected {what} to be accepted, as the device says; came {came}")


@CHECKS.check("fragmentation", _BOTH, "setup-largest", clause=_LIMITS)
def setup_largest(peer: DevicePeer) -> None:
    """The largest block a device says it takes is accepted: the last one is inside the limit.

    NbFrag goes up to 16383, and a server that plans by the limit sends blocks that reach it
    (zephyr 73207).  A device that tells no limits may refuse with NotEnoughMemory.
    """
    for nb_frag, frag_size in _largest(peer.subject.about):
        _expect_accepted(peer, new_block(peer, nb_frag=nb_frag, frag_size=frag_size, padding=0))
        delete(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "largest-arrives", clause=_LIMITS)
def largest_arrives(peer: DevicePeer) -> None:
    """A block of as many fragments as a device says it takes arrives.

    Two are lost, where the code can make them good.  Transfers in the field have thousands of
    fragments, tests at the desk have ten: a place in the block that is counted in 16 bits, or a
    table that is too short, shows only here.
    """
    about = peer.subject.about
    most = min(about.max_nb_frag, about.max_block_octets)
    octets = min(about.max_block_octets, _LARGEST_TRANSFER)
    frag_size = min(_LARGEST_FRAGMENT, octets // most)
    block = new_block(peer, nb_frag=most, frag_size=frag_size, padding=0)
    lost = {1, most} if about.max_lost is None or about.max_lost >= 2 else set[int]()
    if most > MAX_NB_FRAG - _ROOM:
        lost.clear()  # there are no numbers left for coded fragments
    _expect_accepted(peer, block)
    peer.events()
    send(peer, block, block.completed(n for n in block.plain if n not in lost))
    expect_received(peer, block)
