"""Checks of TS004 fragments that must be dropped, and of the groups that may send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ...fragmentation import v1
from ..check import Catalogue, Failed, NotApplicable
from ..devicepeer import DevicePeer
from ..subject import Uplink
from .block import (
    ALL,
    delete,
    expect_no_block,
    expect_received,
    expect_status,
    lossy,
    may_lose,
    new_block,
    send,
    set_up,
    try_set_up,
)
from .group import in_class_c, set_up_group

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_DATA: Final = "TS004, DataFragment"


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


@CHECKS.check("fragmentation", _BOTH, "group-feeds", clause="TS004, McGroupBitMask")
def group_feeds(peer: DevicePeer) -> None:
    """A block comes through a group whose bit is in McGroupBitMask, losses made good."""
    group = set_up_group(peer, min(1, peer.subject.about.mc_groups - 1))
    block = new_block(peer, mask=1 << group.mc_group_id)
    set_up(peer, block)
    in_class_c(peer, group.mc_group_id)
    peer.events()
    send(peer, block, lossy(peer, block, {2, 9}), group)
    expect_received(peer, block)


@CHECKS.check(
    "fragmentation", _BOTH, "group-feeds-index-1", clause="AWS IoT Core; TS004, McGroupBitMask"
)
def group_feeds_index_1(peer: DevicePeer) -> None:
    """A session of FragIndex 1 is fed by a group as well.

    AWS uses it for multicast, where other servers use 0 for everything.
    """
    group = set_up_group(peer, 0)
    block = new_block(peer, mask=1, frag_index=1)
    set_up(peer, block)
    in_class_c(peer, 0)
    peer.events()
    send(peer, block, lossy(peer, block, {1}), group)
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
            in_class_c(peer, 0)
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
    in_class_c(peer, 0)
    peer.events()
    numbers = lossy(peer, block, {3, 4, 5, 6})
    send(peer, block, numbers[:6], group)
    send(peer, block, numbers[6:])
    expect_received(peer, block)


@CHECKS.check("fragmentation", _BOTH, "two-groups-feed", clause="TS004, McGroupBitMask")
def two_groups_feed(peer: DevicePeer) -> None:
    """Two groups feed one session if both bits are set."""
    first, second = set_up_group(peer, 0), set_up_group(peer, 1)
    block = new_block(peer, mask=0b0011)
    set_up(peer, block)
    in_class_c(peer, 0, 1)
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
        in_class_c(peer, 0)
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
    in_class_c(peer, 0)
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
