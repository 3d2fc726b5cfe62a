"""Checks of TS004's code: every class of loss is made good, in any order.

Which coded fragments are needed is worked out here with a decoder that has had the same ones, so
that a check asks for the block at the fragment that is enough, and not before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...fragmentation import v1
from ..check import Catalogue, Failed, Severity
from ..devicepeer import DevicePeer
from ..subject import BlockDelivered
from .block import (
    KitBlock,
    delete,
    expect_no_block,
    expect_received,
    expect_status,
    lossy,
    may_lose,
    new_block,
    send,
    set_up,
    transfer,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_FEC: Final = "TS004, annex: forward error correction; SWL2001 issues 106 and 23"
_DATA: Final = "TS004, DataFragment"


# --- Classes of loss ------------------------------------------------------------------------------


@CHECKS.check("fragmentation", _BOTH, "lossless", clause=_DATA)
def lossless(peer: DevicePeer) -> None:
    """All plain fragments, and the block is there: no coded one is needed.

    The ST decoder notices the end only with a coded fragment.
    """
    block = new_block(peer)
    transfer(peer, block, block.plain)


def _declare_loss(name: str, what: str, lost: Callable[[DevicePeer, KitBlock], set[int]]) -> None:
    def script(peer: DevicePeer) -> None:
        block = new_block(peer, nb_frag=21, frag_size=16, padding=7)
        transfer(peer, block, lossy(peer, block, lost(peer, block)))

    script.__doc__ = (
        f"A block that loses {what} is made good by coded fragments, and arrives right.\n\n"
        "The matrix of version 1 and that of version 2 differ, nothing on air tells which one a "
        "device uses,\nand the wrong one gives a block of the right length with other octets."
    )
    CHECKS.check("fragmentation", _BOTH, f"loss-{name}", clause=_FEC)(script)


def _most(peer: DevicePeer, wanted: int) -> int:
    most = peer.subject.about.max_lost
    return wanted if most is None else min(wanted, most)


_declare_loss("first", "its first fragment", lambda peer, block: {1})
_declare_loss("last", "its last fragment", lambda peer, block: {21})
_declare_loss("first-and-last", "its first and last fragments", lambda peer, block: {1, 21})
_declare_loss("burst", "a run of fragments", lambda peer, block: set(range(6, 6 + _most(peer, 8))))
_declare_loss(
    "random",
    "fragments here and there",
    lambda peer, block: set(peer.rng.sample(block.plain, _most(peer, 6))),
)
_declare_loss(
    "every-other",
    "every other fragment",
    lambda peer, block: set(list(block.plain)[::2][: _most(peer, 11)]),
)
_declare_loss("half", "its second half", lambda peer, block: set(range(11, 11 + _most(peer, 11))))


@CHECKS.check("fragmentation", _BOTH, "loss-all-plain", clause=_FEC)
def loss_all_plain(peer: DevicePeer) -> None:
    """Coded fragments alone are enough, where the matrix allows it.

    A device that joins late hears no plain fragment at all.
    """
    block = new_block(peer, nb_frag=11)  # floor(M / 2) is odd, so version 2 can do it too
    may_lose(peer, 11)
    transfer(peer, block, block.completed([]))


@CHECKS.check("fragmentation", _BOTH, "loss-coded-too", clause=_FEC)
def loss_coded_too(peer: DevicePeer) -> None:
    """Coded fragments are lost as well, and any others of them will do."""
    block = new_block(peer, nb_frag=21)
    lost = _most(peer, 5)
    taken = [n for n in block.plain if n > lost]
    numbers = range(22, 200, 3)
    for n in numbers:
        if block.decoder(taken).complete:
            break
        taken.append(n)
    transfer(peer, block, taken)


@CHECKS.check(
    "fragmentation", _BOTH, "one-too-few", clause="zephyr issue 72764; promise R5; TS004, annex"
)
def one_too_few(peer: DevicePeer) -> None:
    """With one independent fragment too few there is no block, whatever their number.

    Counting fragments instead of rank delivers garbage.
    """
    block = new_block(peer, nb_frag=21)
    lost = _most(peer, 5)
    may_lose(peer, 2)
    enough = block.completed(n for n in block.plain if n > lost)
    set_up(peer, block)
    peer.events()
    send(peer, block, enough[:-1])
    send(peer, block, enough[-2:-1] * 3)
    expect_no_block(peer)
    expect_status(peer, block, missing=1)


@CHECKS.check(
    "fragmentation", _BOTH, "exactly-enough", clause="LoRaMac-node issue 1353; promise R5"
)
def exactly_enough(peer: DevicePeer) -> None:
    """The block is there with the fragment that completes the rank, not one later."""
    block = new_block(peer, nb_frag=21)
    lost = _most(peer, 5)
    enough = block.completed(n for n in block.plain if n > lost)
    set_up(peer, block)
    peer.events()
    send(peer, block, enough)
    expect_received(peer, block)


def _declare_size(nb_frag: int, lost: int) -> None:
    @CHECKS.check("fragmentation", _BOTH, f"nb-frag-{nb_frag}", clause=_FEC)
    def size(peer: DevicePeer) -> None:
        """A block of this many fragments is made good.

        Powers of two draw from M + 1 columns and throw the last away; 2 and 3 have rows of one
        column.  An implementation that is right for 10 and 100 may be wrong for them.
        """
        block = new_block(peer, nb_frag=nb_frag, frag_size=8, padding=3)
        most = _most(peer, lost)
        gone = set(peer.rng.sample(block.plain, most))
        transfer(peer, block, lossy(peer, block, gone))


for _nb_frag, _lost in ((2, 1), (3, 1), (4, 2), (8, 3), (16, 6), (17, 6), (32, 9), (100, 20)):
    _declare_size(_nb_frag, _lost)


@CHECKS.check("fragmentation", _BOTH, "nb-frag-500", clause=_FEC)
def nb_frag_500(peer: DevicePeer) -> None:
    """A large block is made good, with a number of losses as in the field."""
    block = new_block(peer, nb_frag=500, frag_size=16)
    lost = set(peer.rng.sample(block.plain, _most(peer, 40)))
    transfer(peer, block, lossy(peer, block, lost))


@CHECKS.check("fragmentation", _BOTH, "nb-frag-1", clause=_FEC)
def nb_frag_1(peer: DevicePeer) -> None:
    """A block of one fragment arrives with it; coded ones tell nothing and do no harm.

    All rows of the matrix are empty for M = 1, so a coded fragment is all zeros.
    """
    block = new_block(peer, nb_frag=1, frag_size=40)
    set_up(peer, block)
    peer.events()
    send(peer, block, [2, 3])
    expect_no_block(peer)
    expect_status(peer, block, missing=1)
    peer.events()
    send(peer, block, [1])
    expect_received(peer, block)


@CHECKS.check("fragmentation", (2,), "even-half", clause="TS004-2.0.0, annex")
def even_half(peer: DevicePeer) -> None:
    """Where floor(M / 2) is even coded fragments alone never complete a block; one plain one does.

    Every row has an even number of columns then, so the rank stays at M - 1.  Counting to M would
    deliver garbage.
    """
    block = new_block(peer, nb_frag=8)
    may_lose(peer, 8)
    coded: list[int] = []
    for n in range(9, 200):
        if block.decoder([*coded, n]).rank > len(coded):
            coded.append(n)
    set_up(peer, block)
    peer.events()
    send(peer, block, [*coded, 200, 201])
    expect_no_block(peer)
    expect_status(peer, block, missing=1)
    peer.events()
    send(peer, block, [5])
    expect_received(peer, block)


@CHECKS.check("fragmentation", _BOTH, "high-numbers", clause="TS004, annex: the generator adds")
def high_numbers(peer: DevicePeer) -> None:
    """Coded fragments with the highest numbers are drawn right: 8385 after the last plain and on.

    The seed has more than 23 bits there.  The generator *adds* the feedback bit; with OR or XOR
    its rows differ from here on, and not before.
    """
    may_lose(peer, 5)
    block = new_block(peer, nb_frag=21)
    plain = [n for n in block.plain if n > 5]
    transfer(peer, block, block.completed(plain, first=21 + 8_400))
    delete(peer, 0)
    block = new_block(peer, nb_frag=21, session_cnt=2)
    transfer(peer, block, block.completed(plain, first=16_360))


@CHECKS.check("fragmentation", _BOTH, "largest-fragments", clause="TS004, FragSize")
def largest_fragments(peer: DevicePeer) -> None:
    """A fragment that fills the longest payload, 239 octets, is taken."""
    block = new_block(peer, nb_frag=5, frag_size=239, padding=100)
    transfer(peer, block, lossy(peer, block, {2}))


def _declare_padding(padding: int) -> None:
    @CHECKS.check(
        "fragmentation", _BOTH, f"padding-{padding}", clause="SWL2001 issue 166; TS004, Padding"
    )
    def padded(peer: DevicePeer) -> None:
        """The block comes out without its Padding, also when its last fragment was lost.

        Padding takes part in the code and is not part of the block; in version 2 the MIC covers
        the block without it.
        """
        block = new_block(peer, padding=padding)
        transfer(peer, block, lossy(peer, block, {10}))


for _padding in (0, 1, 11):
    _declare_padding(_padding)


@CHECKS.check(
    "fragmentation",
    (2,),
    "mic-covers-setup",
    clause="chirpstack issue 910; TS004-2.0.0, MIC",
)
def mic_covers_setup(peer: DevicePeer) -> None:
    """The MIC covers Descriptor, SessionCnt and FragIndex as they travel.

    A server computed it with a Descriptor of zeros for a year: its devices were right to refuse.
    Octets of the Descriptor are not turned round, the other two are little-endian.
    """
    index = peer.subject.about.frag_indices - 1
    block = new_block(peer, frag_index=index, session_cnt=0x0102, nb_frag=6)
    transfer(peer, block)
    if "blocks" not in peer.subject.about.can:
        expect_status(peer, block, missing=0)


# --- Order and repetition -------------------------------------------------------------------------


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "order-backwards",
    clause="TS004 sets no order",
    severity=Severity.RECOMMENDED,
)
def order_backwards(peer: DevicePeer) -> None:
    """Fragments are taken in any order, backwards too.

    Most known stacks drop a plain fragment below one they have seen, so what a server sends again
    is of no use to them.
    """
    block = new_block(peer)
    transfer(peer, block, [*reversed(block.plain), 11])


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "order-late-plain",
    clause="TS004 sets no order",
    severity=Severity.RECOMMENDED,
)
def order_late_plain(peer: DevicePeer) -> None:
    """A plain fragment that comes after coded ones counts.

    Repair sends what is missing again.  Two stacks drop it, and one library took it for the end of
    the block with wrong octets in it.
    """
    may_lose(peer, 3)
    block = new_block(peer)
    numbers = [1, 2, 4, 5, 6, 8, 9, 11]
    assert not block.decoder(numbers).complete
    transfer(peer, block, block.completed([*numbers, 10, 7, 3]))


@CHECKS.check("fragmentation", _BOTH, "late-plain-not-wrong", clause="promise R5; TS004")
def late_plain_not_wrong(peer: DevicePeer) -> None:
    """A plain fragment after coded ones never makes a wrong block, whether it counts or not."""
    may_lose(peer, 3)
    block = new_block(peer)
    set_up(peer, block)
    peer.events()
    send(peer, block, [1, 2, 4, 5, 6, 8, 9, 11, 3, 10, 7])
    expect_block_or_none(peer, block)
    send(peer, block, range(12, 40))
    expect_block_or_none(peer, block)


def expect_block_or_none(peer: DevicePeer, block: KitBlock) -> None:
    """Fail if a block with other content is delivered."""
    for one in peer.wait(60.0):
        if isinstance(one, BlockDelivered) and one.data != block.data:
            raise Failed(f"a block of {len(one.data)} octets with other content was delivered")


@CHECKS.check("fragmentation", _BOTH, "repeats", clause="TS004, DataFragment")
def repeats(peer: DevicePeer) -> None:
    """Fragments that come twice or three times, plain and coded, do no harm.

    Two gateways, or a server that repeats: a copy is not a new fragment.
    """
    may_lose(peer, 2)
    block = new_block(peer)
    numbers = lossy(peer, block, {4, 7})
    transfer(peer, block, [n for n in numbers for _ in range(3)])


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "random-order",
    clause="promise R5; TS004 sets no order",
    severity=Severity.RECOMMENDED,
)
def random_order(peer: DevicePeer) -> None:
    """A shuffled, repeated, half-lost stream gives the block."""
    may_lose(peer, 20)  # whatever has not come yet may look lost
    block = new_block(peer, nb_frag=20)
    numbers = block.completed(n for n in block.plain if n % 3)
    numbers += numbers[::3]
    peer.rng.shuffle(numbers)
    transfer(peer, block, numbers)


@CHECKS.check("fragmentation", _BOTH, "conflict", clause="promise S11; TS004, DataFragment")
def conflict(peer: DevicePeer) -> None:
    """The same N with other content does not spoil what was received.

    One member of a group can forge fragments for all others.  The first copy may be the wrong one,
    which version 1 cannot know; here it is the second.
    """
    block = new_block(peer)
    set_up(peer, block)
    peer.events()
    send(peer, block, block.plain[:5])
    forged = v1.DataFragment(n=3, frag_index=0, payload=bytes(12))
    peer.send(block.package, forged)
    send(peer, block, [*block.plain[5:], 11])
    expect_received(peer, block)
