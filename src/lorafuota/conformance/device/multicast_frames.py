"""Checks of multicast frames: counters, addresses, MICs, and what a frame must not contain.

Every frame but the good ones has to be dropped without a trace: no answer, no changed counter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from ...fragmentation import v1 as fragmentation
from ...link import build_mc_downlink
from ...multicastsetup import v1
from ...types import DevAddr
from ..check import Catalogue, Failed, Severity
from ..devicepeer import DevicePeer, PeerGroup
from ..subject import Uplink
from .group import (
    WINDOW_LEAD,
    class_c_req,
    expect_deaf,
    expect_hears,
    hears,
    hears_frame,
    listen,
    probe,
    set_up_group,
    setup_req,
    signed,
)

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_FCNT: Final = "TS005, frame counter; promise S9"
_FRAME: Final = "TS001, multicast downlinks"

_MHDR, _FCTRL, _FPORT = 0, 5, 8
"""Where they stand in a frame."""

_Change: TypeAlias = Callable[[DevicePeer, PeerGroup, int], bytes]


def _ready(peer: DevicePeer, *, low: int = 0, high: int = 0xFFFF) -> PeerGroup:
    """Return a group that is set up and listened to."""
    group = set_up_group(peer, 0, min_mc_fcnt=low, max_mc_fcnt=high)
    listen(peer, group)
    return group


def _frame(
    peer: DevicePeer, group: PeerGroup, fcnt: int, *, fport: int | None = None, payload: bytes = b""
) -> bytes:
    """Return a good frame with a probe in it."""
    return build_mc_downlink(
        payload or probe(peer),
        mc_addr=group.sender.mc_addr,
        mc_app_s_key=group.sender.mc_app_s_key,
        mc_nwk_s_key=group.sender.mc_nwk_s_key,
        fcnt=fcnt,
        fport=peer.packages.fport("fragmentation") if fport is None else fport,
    )


# --- Counters -------------------------------------------------------------------------------------


@CHECKS.check("multicastsetup", _BOTH, "fcnt-below-min", clause=_FCNT)
def fcnt_below_min(peer: DevicePeer) -> None:
    """A frame below minMcFCount is dropped, minMcFCount itself is accepted.

    Below it are frames of the group's earlier life, recorded by whoever likes.
    """
    group = _ready(peer, low=1_000)
    for fcnt in (0, 1, 999):
        expect_deaf(peer, group, f"counter {fcnt} below minMcFCount 1000", fcnt=fcnt)
    expect_hears(peer, group, "counter 1000, minMcFCount", fcnt=1_000)


@CHECKS.check("multicastsetup", _BOTH, "fcnt-repeated", clause=_FCNT)
def fcnt_repeated(peer: DevicePeer) -> None:
    """A frame is accepted once: a second copy, or a recorded one, is dropped."""
    group = _ready(peer)
    expect_hears(peer, group, "counter 7", fcnt=7)
    expect_deaf(peer, group, "counter 7 again", fcnt=7)
    expect_hears(peer, group, "counter 8", fcnt=8)
    expect_deaf(peer, group, "counter 7 again", fcnt=7)


@CHECKS.check("multicastsetup", _BOTH, "fcnt-lower", clause=_FCNT)
def fcnt_lower(peer: DevicePeer) -> None:
    """A frame below the last counter is dropped, though it was never seen."""
    group = _ready(peer)
    expect_hears(peer, group, "counter 50", fcnt=50)
    for fcnt in (0, 30, 49):
        expect_deaf(peer, group, f"counter {fcnt} after 50", fcnt=fcnt)


@CHECKS.check("multicastsetup", _BOTH, "fcnt-gap", clause="TS005; MAX_FCNT_GAP does not apply")
def fcnt_gap(peer: DevicePeer) -> None:
    """A device that missed many frames hears the next one: 20,000 are no reason to drop it.

    The limit of 16384 that LoRaWAN once had for unicast would lock a device out that slept through
    a window.
    """
    group = _ready(peer)
    expect_hears(peer, group, "counter 3", fcnt=3)
    expect_hears(peer, group, "counter 20003", fcnt=20_003)
    expect_hears(peer, group, "counter 60000", fcnt=60_000)


@CHECKS.check("multicastsetup", _BOTH, "fcnt-above-max", clause=_FCNT)
def fcnt_above_max(peer: DevicePeer) -> None:
    """A frame above maxMcFCount is dropped, and one below it is accepted."""
    group = _ready(peer, high=500)
    for fcnt in (501, 600, 40_000):
        expect_deaf(peer, group, f"counter {fcnt} above maxMcFCount 500", fcnt=fcnt)
    expect_hears(peer, group, "counter 499", fcnt=499)
    expect_deaf(peer, group, "counter 501 above maxMcFCount 500", fcnt=501)


@CHECKS.check("multicastsetup", (1,), "fcnt-at-max", clause="TS005-1.0.0, maxMcFCount")
def fcnt_at_max_1(peer: DevicePeer) -> None:
    """In version 1 maxMcFCount itself is dropped: it is the first that is not accepted."""
    group = _ready(peer, high=500)
    expect_deaf(peer, group, "counter 500, maxMcFCount", fcnt=500)
    expect_hears(peer, group, "counter 499", fcnt=499)


@CHECKS.check(
    "multicastsetup",
    (2,),
    "fcnt-at-max",
    clause="TS005-2.0.0, maxMcFCount",
    severity=Severity.RECOMMENDED,
)
def fcnt_at_max_2(peer: DevicePeer) -> None:
    """In version 2 maxMcFCount itself is accepted; a careful server never sends it."""
    group = _ready(peer, high=500)
    expect_hears(peer, group, "counter 500, maxMcFCount", fcnt=500)


@CHECKS.check("multicastsetup", _BOTH, "fcnt-above-16-bits", clause=_FCNT)
def fcnt_above_16_bits(peer: DevicePeer) -> None:
    """A group whose counter has passed 65535 is heard: the upper half comes from minMcFCount.

    Two stacks take the 16 bits of the first frame for the whole counter, and are deaf to an old
    group.
    """
    group = _ready(peer, low=200_000, high=300_000)
    expect_hears(peer, group, "counter 200003", fcnt=200_003)
    expect_deaf(peer, group, "counter 200003 again", fcnt=200_003)
    expect_hears(peer, group, "counter 250000", fcnt=250_000)


@CHECKS.check("multicastsetup", _BOTH, "fcnt-carry", clause=_FCNT)
def fcnt_carry(peer: DevicePeer) -> None:
    """The counter goes on over a carry out of 16 bits."""
    group = _ready(peer, low=65_530, high=140_000)
    for fcnt in (65_534, 65_535, 65_536, 65_540, 131_080):
        expect_hears(peer, group, f"counter {fcnt}", fcnt=fcnt)
    expect_deaf(peer, group, "counter 65536 again", fcnt=65_536)


@CHECKS.check("multicastsetup", _BOTH, "fcnt-highest", clause=_FCNT)
def fcnt_highest(peer: DevicePeer) -> None:
    """Counters at the end of 32 bits work, and do not wrap."""
    group = _ready(peer, low=0xFFFF_FFF0, high=0xFFFF_FFFF)
    expect_hears(peer, group, "counter 0xFFFFFFFD", fcnt=0xFFFF_FFFD)
    expect_hears(peer, group, "counter 0xFFFFFFFE", fcnt=0xFFFF_FFFE)
    for fcnt in (0, 1, 0xFFFF_FFFD):
        expect_deaf(peer, group, f"counter {fcnt} after the highest", fcnt=fcnt)


@CHECKS.check("multicastsetup", _BOTH, "fcnt-outlives-window", clause=_FCNT, needs=["class-c"])
def fcnt_outlives_window(peer: DevicePeer) -> None:
    """The counter goes on in the next window: frames of the last one are not accepted again.

    A known stack forgets it at each session start, and takes recorded frames.
    """
    group = set_up_group(peer, 0)
    listen(peer)
    package = peer.package("multicastsetup")
    peer.ask(package, class_c_req(peer, group, time_out=7))
    peer.wait(WINDOW_LEAD + 5)
    expect_hears(peer, group, "counter 20", fcnt=20)
    peer.wait(200.0)
    peer.ask(package, class_c_req(peer, group, time_out=7))
    peer.wait(WINDOW_LEAD + 5)
    expect_deaf(peer, group, "counter 20 of the window before", fcnt=20)
    expect_hears(peer, group, "counter 21", fcnt=21)


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "fcnt-outlives-setup",
    clause="promise S9; TS005 leaves it open",
    severity=Severity.RECOMMENDED,
)
def fcnt_outlives_setup(peer: DevicePeer) -> None:
    """A repeated set-up does not open the door to frames that were accepted already.

    The server repeats it because an answer was lost; key and address are the same, and so are the
    recorded frames.
    """
    group = _ready(peer)
    expect_hears(peer, group, "counter 20", fcnt=20)
    peer.ask(peer.package("multicastsetup"), setup_req(group))
    expect_deaf(peer, group, "counter 20 after the same set-up", fcnt=20)


@CHECKS.check(
    "multicastsetup",
    _BOTH,
    "fcnt-outlives-delete",
    clause="promise S9; TS005 leaves it open",
    severity=Severity.RECOMMENDED,
)
def fcnt_outlives_delete(peer: DevicePeer) -> None:
    """A delete and the same set-up again do not bring accepted frames back."""
    group = _ready(peer)
    expect_hears(peer, group, "counter 20", fcnt=20)
    package = peer.package("multicastsetup")
    peer.ask(package, v1.McGroupDeleteReq(mc_group_id=0))
    peer.ask(package, setup_req(group))
    peer.ask(package, class_c_req(peer, group, time_out=12))
    peer.wait(WINDOW_LEAD + 5)
    expect_deaf(peer, group, "counter 20 after delete and set-up", fcnt=20)


@CHECKS.check("multicastsetup", _BOTH, "fcnt-survives-reset", clause=_FCNT, needs=["power-cycle"])
def fcnt_survives_reset(peer: DevicePeer) -> None:
    """A frame that was accepted is not accepted again after a power cycle.

    A device that has lost the group altogether passes.
    """
    group = _ready(peer)
    for fcnt in (20, 21, 22):
        expect_hears(peer, group, f"counter {fcnt}", fcnt=fcnt)
    peer.power_on()
    listen(peer, group)
    for fcnt in (0, 20, 22):
        expect_deaf(peer, group, f"counter {fcnt} after a power cycle", fcnt=fcnt)


# --- Frames that are dropped ----------------------------------------------------------------------


def _declare_bad(name: str, what: str, change: _Change) -> None:
    def script(peer: DevicePeer) -> None:
        group = _ready(peer)
        expect_hears(peer, group, "counter 10", fcnt=10)
        if hears_frame(peer, change(peer, group, 40)):
            raise Failed(f"expected a frame with {what} to be dropped; the device answers it")
        expect_hears(peer, group, "counter 11, after a frame that was dropped", fcnt=11)

    script.__doc__ = (
        f"A frame with {what} is dropped, and its counter does not count.\n\n"
        "Any member of a group can make frames with a good MIC, and anybody frames without:\n"
        "neither may move the counter past the server's."
    )
    CHECKS.check("multicastsetup", _BOTH, f"frame-{name}", clause=_FRAME, needs=["frames"])(script)


def _setting(at: int, octet: int) -> _Change:
    """Return what sets one octet of a frame, and makes its MIC fit again."""

    def change(peer: DevicePeer, group: PeerGroup, fcnt: int) -> bytes:
        frame = bytearray(_frame(peer, group, fcnt))
        frame[at] = octet
        return signed(group, bytes(frame), fcnt=fcnt)

    return change


def _flipping(at: int) -> _Change:
    """Return what flips one bit of a frame, whose MIC is wrong then."""

    def change(peer: DevicePeer, group: PeerGroup, fcnt: int) -> bytes:
        frame = bytearray(_frame(peer, group, fcnt))
        frame[at] ^= 0x01
        return bytes(frame)

    return change


def _with_fopts(peer: DevicePeer, group: PeerGroup, fcnt: int) -> bytes:
    frame = _frame(peer, group, fcnt)
    changed = frame[:5] + b"\x01" + frame[6:8] + b"\x06" + frame[8:]  # DevStatusReq
    return signed(group, changed, fcnt=fcnt)


def _with_other_address(peer: DevicePeer, group: PeerGroup, fcnt: int) -> bytes:
    other = DevAddr(int(group.sender.mc_addr) ^ 1)
    frame = _frame(peer, group, fcnt)
    changed = frame[:1] + other.to_bytes(4, "little") + frame[5:]
    return signed(group, changed, fcnt=fcnt, mc_addr=other)


def _without_payload(peer: DevicePeer, group: PeerGroup, fcnt: int) -> bytes:
    return signed(group, _frame(peer, group, fcnt)[:8] + bytes(4), fcnt=fcnt)


_declare_bad("wrong-mic", "another MIC", _flipping(-1))
_declare_bad("first-mic-octet", "a MIC wrong in its first octet", _flipping(-4))
_declare_bad("damaged-payload", "a damaged payload", _flipping(9))
_declare_bad("other-address", "the address of nobody here", _with_other_address)
_declare_bad("damaged-counter", "a damaged counter", _flipping(7))
_declare_bad("ack", "the ACK bit", _setting(_FCTRL, 0x20))
_declare_bad("fopts", "MAC commands in FOpts", _with_fopts)
_declare_bad("port-0", "FPort 0", _setting(_FPORT, 0))
_declare_bad("no-port", "neither FPort nor payload", _without_payload)
_declare_bad("confirmed", "the type of a confirmed downlink", _setting(_MHDR, 0xA0))
_declare_bad("uplink", "the type of an uplink", _setting(_MHDR, 0x40))
_declare_bad("proprietary", "the proprietary type", _setting(_MHDR, 0xE0))
_declare_bad("major-1", "another major version", _setting(_MHDR, 0x61))


@CHECKS.check("multicastsetup", _BOTH, "frame-short", clause=_FRAME, needs=["frames"])
def frame_short(peer: DevicePeer) -> None:
    """A frame that is cut off anywhere is dropped, down to no octet at all."""
    group = _ready(peer)
    whole = _frame(peer, group, 40)
    for length in range(len(whole)):
        if hears_frame(peer, whole[:length]):
            raise Failed(f"the device answers the first {length} octets of a frame")
    expect_hears(peer, group, "counter 1", fcnt=1)


@CHECKS.check("multicastsetup", _BOTH, "frame-long", clause=_FRAME, needs=["frames"])
def frame_long(peer: DevicePeer) -> None:
    """Octets behind the MIC make the MIC wrong."""
    group = _ready(peer)
    for tail in (b"\0", bytes(4), bytes(200)):
        if hears_frame(peer, _frame(peer, group, 40) + tail):
            raise Failed(f"the device answers a frame with {len(tail)} octets behind its MIC")
    expect_hears(peer, group, "counter 1", fcnt=1)


@CHECKS.check(
    "multicastsetup", _BOTH, "frame-adr", clause="TS001: ADR is ignored", needs=["frames"]
)
def frame_adr(peer: DevicePeer) -> None:
    """The ADR bit of a multicast frame is ignored, and the frame accepted."""
    group = _ready(peer)
    if not hears_frame(peer, _setting(_FCTRL, 0x80)(peer, group, 5)):
        raise Failed("expected a frame with the ADR bit to be accepted; the device is silent")


@CHECKS.check("multicastsetup", _BOTH, "frame-fpending", clause=_FRAME, needs=["frames"])
def frame_fpending(peer: DevicePeer) -> None:
    """The FPending bit promises more in class B, and does not spoil the frame."""
    group = _ready(peer)
    if not hears_frame(peer, _setting(_FCTRL, 0x10)(peer, group, 5)):
        raise Failed("expected a frame with the FPending bit to be accepted; the device is silent")


@CHECKS.check("multicastsetup", _BOTH, "frame-other-port", clause=_FRAME)
def frame_other_port(peer: DevicePeer) -> None:
    """A frame on a port of the application is not read as commands of a package."""
    group = _ready(peer)
    peer.events()
    used = {peer.packages.fport(name) for name in peer.subject.about.versions}
    fport = next(port for port in range(10, 223) if port not in used)
    peer.multicast_raw(group, fport, probe(peer))
    came = peer.answers(peer.package("fragmentation"), within=25.0)
    if came:
        raise Failed(f"expected silence on the package's port; came {came[0]}")


@CHECKS.check("multicastsetup", _BOTH, "frame-not-acknowledged", clause="TS001: no ACK")
def frame_not_acknowledged(peer: DevicePeer) -> None:
    """A multicast frame that asks for nothing causes no uplink."""
    group = _ready(peer)
    package = peer.package("fragmentation")
    peer.wait(30.0)
    fragment = fragmentation.DataFragment(n=1, frag_index=0, payload=bytes(12))
    peer.multicast(group, package, fragment)
    ports = {peer.packages.fport("fragmentation"), peer.packages.fport("multicastsetup")}
    came = [one for one in peer.wait(120.0) if isinstance(one, Uplink) and one.fport in ports]
    if came:
        raise Failed(f"expected silence; came {came[0].payload.hex(' ')}")


@CHECKS.check("multicastsetup", _BOTH, "frame-of-other-group", clause="TS005, McKey")
def frame_of_other_group(peer: DevicePeer) -> None:
    """A frame to the group's address under the keys of another group is dropped.

    Two networks in radio range may use one address; only the MIC keeps them apart.
    """
    group = _ready(peer)
    stranger = peer.new_group(0)
    peer.need("frames")
    frame = build_mc_downlink(
        probe(peer),
        mc_addr=group.sender.mc_addr,
        mc_app_s_key=stranger.sender.mc_app_s_key,
        mc_nwk_s_key=stranger.sender.mc_nwk_s_key,
        fcnt=3,
        fport=peer.packages.fport("fragmentation"),
    )
    if hears_frame(peer, frame):
        raise Failed("the device answers a frame under the keys of another group")
    if not hears(peer, group):
        raise Failed("the device does not hear its own group any more")


@CHECKS.check("multicastsetup", _BOTH, "frame-empty", clause=_FRAME, severity=Severity.RECOMMENDED)
def frame_empty(peer: DevicePeer) -> None:
    """A frame without a payload does no harm, and uses its counter up."""
    group = _ready(peer)
    peer.multicast_raw(group, peer.packages.fport("fragmentation"), b"", fcnt=9)
    peer.wait(5.0)
    expect_deaf(peer, group, "counter 9 again", fcnt=9)
    expect_hears(peer, group, "counter 10", fcnt=10)
