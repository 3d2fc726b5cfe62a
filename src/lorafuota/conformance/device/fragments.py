"""Checks of TS004 fragments: every class of loss is made good, and what does not belong is dropped.

Which coded fragments are needed is worked out here with a decoder that has had the same ones, so
that a check asks for the block at the fragment that is enough, and not before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...fragmentation import v1
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import BlockDelivered, Uplink
from .block import (
    ALL,
    KitBlock,
    delete,
    expect_no_block,
    expect_received,
    expect_status,
    may_lose,
    new_block,
    send,
    set_up,
    transfer,
    try_set_up,
)
from .group import WINDOW_LEAD, class_c_req, set_up_group

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_FEC: Final = "TS004, annex: forward error correction"
_DATA: Final = "TS004, DataFragment"


def _lossy(peer: DevicePeer, block: KitBlock, lost: set[int]) -> list[int]:
    """Return the fragments to send for a block that loses some plain ones."""
    may_lose(peer, len(lost))
    return block.completed(n for n in block.plain if n not in lost)


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
        transfer(peer, block, _lossy(peer, block, lost(peer, block)))

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


@CHECKS.check("fragmentation", _BOTH, "one-too-few", clause="TS004, annex; promise R5")
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
        transfer(peer, block, _lossy(peer, block, gone))


for _nb_frag, _lost in ((2, 1), (3, 1), (4, 2), (8, 3), (16, 6), (17, 6), (32, 9), (100, 20)):
    _declare_size(_nb_frag, _lost)


@CHECKS.check("fragmentation", _BOTH, "nb-frag-500", clause=_FEC)
def nb_frag_500(peer: DevicePeer) -> None:
    """A large block is made good, with a number of losses as in the field."""
    block = new_block(peer, nb_frag=500, frag_size=16)
    lost = set(peer.rng.sample(block.plain, _most(peer, 40)))
    transfer(peer, block, _lossy(peer, block, lost))


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
    transfer(peer, block, _lossy(peer, block, {2}))


def _declare_padding(padding: int) -> None:
    @CHECKS.check("fragmentation", _BOTH, f"padding-{padding}", clause="TS004, Padding")
    def padded(peer: DevicePeer) -> None:
        """The block comes out without its Padding, also when its last fragment was lost.

        Padding takes part in the code and is not part of the block; in version 2 the MIC covers
        the block without it.
        """
        block = new_block(peer, padding=padding)
        transfer(peer, block, _lossy(peer, block, {10}))


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
    numbers = _lossy(peer, block, {4, 7})
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


# --- What is dropped ------------------------------------------------------------------------------


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "n-zero",
    clause="Zephyr issue 112927, CVE-2026-12363; TS004: N counts from 1",
)
def n_zero(peer: DevicePeer) -> None:
    """A fragment with N = 0 is dropped: it does not count, and the block comes out right.

    N - 1 was the place in an array, so this one was written before it.
    """
    block = new_block(peer)
    set_up(peer, block)
    forged = b"\x08\x00\x00" + bytes(12)
    for _ in range(3):
        peer.send(block.package, forged)
    expect_status(peer, block, received=0)
    peer.events()
    send(peer, block, block.plain[:5])
    peer.send(block.package, forged)
    send(peer, block, [*block.plain[5:], 11])
    expect_received(peer, block)


@CHECKS.check(
    "fragmentation", _BOTH, "n-highest", clause="LoRaMac-node issues 1614 and 878; TS004, N"
)
def n_highest(peer: DevicePeer) -> None:
    """N = 16383 in a small session is a coded fragment like any other, and hits no table's end."""
    may_lose(peer, 1)
    block = new_block(peer)
    set_up(peer, block)
    peer.events()
    send(peer, block, block.plain[:9])
    send(peer, block, block.completed(block.plain[:9], first=16_370)[9:])
    send(peer, block, [16_383, 16_383])
    expect_received(peer, block)


def _declare_length(name: str, change: Callable[[bytes], bytes]) -> None:
    @CHECKS.check(
        "fragmentation", _BOTH, f"fragment-{name}", clause="Zephyr issue 74517; promise S3"
    )
    def dropped(peer: DevicePeer) -> None:
        """A fragment of another length than FragSize is dropped, and the block comes out right.

        Three stacks read FragSize octets whatever arrived: what stands behind a short message in
        memory becomes part of the block.
        """
        may_lose(peer, 1)
        block = new_block(peer)
        set_up(peer, block)
        peer.events()
        send(peer, block, block.plain[:5])
        peer.send(block.package, block.fragment(6).encode()[:3] + change(bytes(12)))
        send(peer, block, block.completed(n for n in block.plain if n != 6)[5:])
        expect_received(peer, block)


_declare_length("short", lambda payload: payload[:-1])
_declare_length("long", lambda payload: payload + b"\0")
_declare_length("empty", lambda payload: b"")
_declare_length("double", lambda payload: payload + payload)


@CHECKS.check(
    "fragmentation", _BOTH, "fragment-cut", clause="Zephyr issue 74517; TS004, DataFragment"
)
def fragment_cut(peer: DevicePeer) -> None:
    """A DataFragment without a complete Index&N is dropped."""
    block = new_block(peer)
    set_up(peer, block)
    for octets in (b"\x08", b"\x08\x01"):
        peer.send(block.package, octets)
    expect_status(peer, block, received=0)
    peer.events()
    send(peer, block, [*block.plain, 11])
    expect_received(peer, block)


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "fragment-no-commands",
    clause="Zephyr issue 111983; TS004, DataFragment",
)
def fragment_no_commands(peer: DevicePeer) -> None:
    """What a dropped fragment carries is never read as commands.

    After a length check that skipped three octets the parser went on in the fragment's data: here
    they read as version requests and a delete of the session.
    """
    block = new_block(peer, frag_index=0)
    set_up(peer, block)
    fport = peer.packages.fport(block.package.name)
    data = bytes.fromhex("03 00 00 00 00 00")
    peer.events()
    for octets in (
        b"\x08\x01\x00" + data,  # of another length
        b"\x08\x00\x00" + data,  # N = 0
        b"\x08\x01\xc0" + data,  # of another session
        b"\x08\x01\x00" + data * 2,  # of the right length
    ):
        peer.send_raw(fport, octets)
        peer.pause(5.0)
    came = [one for one in peer.wait(20.0) if isinstance(one, Uplink) and one.fport == fport]
    if came:
        raise Failed(f"expected silence; came {came[0].payload.hex(' ')}")
    delete(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "fragment-no-session", clause=_DATA)
def fragment_no_session(peer: DevicePeer) -> None:
    """A fragment without a session is dropped, and counts for none that is set up later."""
    block = new_block(peer)
    send(peer, block, block.plain)
    expect_no_block(peer)
    set_up(peer, block)
    expect_status(peer, block, received=0)
    peer.events()
    send(peer, block, [*block.plain, 11])
    expect_received(peer, block)


@CHECKS.check("fragmentation", _BOTH, "fragment-other-index", clause=_DATA)
def fragment_other_index(peer: DevicePeer) -> None:
    """Fragments for another FragIndex do not count for this session."""
    block = new_block(peer, frag_index=0)
    set_up(peer, block)
    peer.events()
    for index in (1, 2, 3):
        for n in (1, 2, 3):
            forged = v1.DataFragment(n=n, frag_index=index, payload=bytes(12))
            peer.send(block.package, forged)
    send(peer, block, [*block.plain, 11])
    expect_received(peer, block)


@CHECKS.check("fragmentation", _BOTH, "complete-once", clause="TS004, DataFragment; promise R9")
def complete_once(peer: DevicePeer) -> None:
    """A block is delivered once; fragments after the end are dropped.

    Without that the application writes over an image it is checking.
    """
    peer.need("blocks")
    block = new_block(peer)
    set_up(peer, block)
    peer.events()
    send(peer, block, [*block.plain, 11, 12, 13, *block.plain, 14])
    expect_received(peer, block)
    send(peer, block, [*block.plain, 15, 16])
    expect_no_block(peer)
    expect_status(peer, block, missing=0)


# --- Groups ---------------------------------------------------------------------------------------


def _in_class_c(peer: DevicePeer, *groups: int) -> None:
    if "class-c" not in peer.subject.about.can:
        return
    for group in groups:
        request = class_c_req(peer, group, time_out=15)
        peer.ask(peer.package("multicastsetup"), request)
    peer.wait(WINDOW_LEAD + 5)


@CHECKS.check("fragmentation", _BOTH, "group-feeds", clause="TS004, McGroupBitMask")
def group_feeds(peer: DevicePeer) -> None:
    """A block comes through a group whose bit is in McGroupBitMask, losses made good."""
    group = set_up_group(peer, min(1, peer.subject.about.mc_groups - 1))
    block = new_block(peer, mask=1 << group.mc_group_id)
    set_up(peer, block)
    _in_class_c(peer, group.mc_group_id)
    peer.events()
    send(peer, block, _lossy(peer, block, {2, 9}), group)
    expect_received(peer, block)


@CHECKS.check("fragmentation", _BOTH, "group-not-in-mask", clause="TS004, McGroupBitMask")
def group_not_in_mask(peer: DevicePeer) -> None:
    """Fragments from a group whose bit is not in McGroupBitMask are dropped.

    Members of any other group could write into the session.
    """
    group = set_up_group(peer, 0)
    for count, mask in enumerate((0b0000, 0b1110), 1):
        block = new_block(peer, mask=mask, session_cnt=count)
        set_up(peer, block)
        if count == 1:
            _in_class_c(peer, 0)
        send(peer, block, block.plain, group)
        expect_no_block(peer)
        expect_status(peer, block, received=0)
        delete(peer, 0)


@CHECKS.check("fragmentation", _BOTH, "group-and-unicast", clause="TS004, McGroupBitMask")
def group_and_unicast(peer: DevicePeer) -> None:
    """Unicast always feeds a session, whatever the mask, and beside a group.

    What a device missed in the window it gets one by one afterwards.
    """
    may_lose(peer, 4)
    group = set_up_group(peer, 0)
    block = new_block(peer, mask=1)
    set_up(peer, block)
    _in_class_c(peer, 0)
    peer.events()
    numbers = _lossy(peer, block, {3, 4, 5, 6})
    send(peer, block, numbers[:6], group)
    send(peer, block, numbers[6:])
    expect_received(peer, block)


@CHECKS.check("fragmentation", _BOTH, "two-groups-feed", clause="TS004, McGroupBitMask")
def two_groups_feed(peer: DevicePeer) -> None:
    """Two groups feed one session if both bits are set."""
    first, second = set_up_group(peer, 0), set_up_group(peer, 1)
    block = new_block(peer, mask=0b0011)
    set_up(peer, block)
    _in_class_c(peer, 0, 1)
    peer.events()
    for n in block.plain:
        send(peer, block, [n], first if n % 2 else second)
    send(peer, block, [11])
    expect_received(peer, block)


def _declare_by_multicast(name: str, what: str) -> None:
    def script(peer: DevicePeer) -> None:
        group = set_up_group(peer, 0)
        block = new_block(peer, mask=ALL)
        if name != "setup":
            set_up(peer, block)
        _in_class_c(peer, 0)
        peer.events()
        request = {
            "setup": block.setup.encode(),
            "delete": v1.FragSessionDeleteReq(frag_index=0).encode(),
        }[name]
        peer.multicast(group, block.package, request)
        peer.expect(block.package)
        delete(peer, 0, absent=name == "setup")

    script.__doc__ = (
        f"A {what} by multicast is ignored, without an answer.\n\n"
        "All members of a group know its keys: any of them could end, or begin, a session of all."
    )
    clause = "TS004, table of commands: unicast only; promise S10"
    CHECKS.check("fragmentation", _BOTH, f"{name}-by-multicast", clause=clause)(script)


_declare_by_multicast("setup", "set-up")
_declare_by_multicast("delete", "delete")


@CHECKS.check(
    "fragmentation", _BOTH, "by-multicast-skipped", clause="TS004, table of commands: unicast only"
)
def by_multicast_skipped(peer: DevicePeer) -> None:
    """A command that is ignored by multicast is skipped whole, and what follows it is executed.

    Two stacks skip its identifier only, and read its payload as commands: here a set-up that is cut
    off.
    """
    group = set_up_group(peer, 0)
    block = new_block(peer, mask=ALL)
    set_up(peer, block)
    _in_class_c(peer, 0)
    peer.events()
    octets = b"\x03\x02" + v1.FragSessionStatusReq(participants=True, frag_index=0).encode()
    peer.multicast(group, block.package, octets)
    came = peer.answers(block.package, within=30.0)
    if [getattr(one, "missing_frag", None) for one in came] != [10]:
        raise Failed(f"expected one FragSessionStatusAns with 10 missing; came {came}")


@CHECKS.check("fragmentation", _BOTH, "index-in-use-by-other", clause="TS004, FragIndex")
def index_in_use(peer: DevicePeer) -> None:
    """The end of one session does not end another one."""
    first, second = new_block(peer, frag_index=0), new_block(peer, frag_index=1, nb_frag=6)
    set_up(peer, first)
    if try_set_up(peer, second.setup) != 0:
        raise NotApplicable("the device does one session at a time")
    peer.events()
    send(peer, first, [*first.plain, 11])
    expect_received(peer, first)
    delete(peer, 0)
    peer.events()
    send(peer, second, [*second.plain, 7])
    expect_received(peer, second)
