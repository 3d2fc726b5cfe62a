"""A multicast group of the kit on a device, and whether the device hears it.

A status request in a frame of the group is answered by unicast, so the kit can tell whether the
frame was accepted.  Where the device has class C, a window is open meanwhile: outside of it nobody
has to listen.
"""

from __future__ import annotations

from ...crypto import mc_frame_mic, wrap_mc_key
from ...fragmentation import v1 as fragmentation
from ...link import McSender
from ...multicastsetup import v1
from ...package import Package
from ...types import DevAddr, McKey
from ...wire import Command
from ..check import Failed, NotApplicable
from ..devicepeer import DevicePeer, PeerGroup
from .block import ALL, new_block, set_up

__all__ = [
    "WINDOW_LEAD",
    "class_c_req",
    "expect_deaf",
    "expect_hears",
    "hears",
    "hears_frame",
    "in_a_frame",
    "in_class_c",
    "listen",
    "probe",
    "rekeyed",
    "set_up_group",
    "setup_req",
    "signed",
]

WINDOW_LEAD = 60.0
"""Seconds from a session request to the start of its window."""


def setup_req(group: PeerGroup) -> v1.McGroupSetupReq:
    """Return the request that sets a group up."""
    return v1.McGroupSetupReq(
        mc_group_id=group.mc_group_id,
        mc_addr=group.sender.mc_addr,
        mc_key_encrypted=group.mc_key_encrypted,
        min_mc_fcnt=group.min_mc_fcnt,
        max_mc_fcnt=group.sender.max_mc_fcnt,
    )


def set_up_group(
    peer: DevicePeer, mc_group_id: int = 0, *, min_mc_fcnt: int = 0, max_mc_fcnt: int = 0xFFFF
) -> PeerGroup:
    """Set a group up, and fail unless the device takes it.

    Raises:
        NotApplicable: The device has no such group, or no groups at all.
    """
    package = peer.package("multicastsetup")
    if mc_group_id >= peer.subject.about.mc_groups:
        raise NotApplicable(f"the device has no place for McGroupID {mc_group_id}")
    group = peer.new_group(mc_group_id, min_mc_fcnt=min_mc_fcnt, max_mc_fcnt=max_mc_fcnt)
    peer.events()
    peer.send(package, setup_req(group))
    peer.expect(package, v1.McGroupSetupAns(mc_group_id=mc_group_id, id_error=False))
    return group


def rekeyed(peer: DevicePeer, group: PeerGroup, mc_group_id: int) -> PeerGroup:
    """Return a group with the address of another one and a McKey of its own."""
    mc_key = McKey(peer.rng.randbytes(16))
    sender = McSender.from_mc_key(mc_key, group.sender.mc_addr, next_fcnt=0, max_mc_fcnt=0xFFFF)
    return PeerGroup(mc_group_id, sender, wrap_mc_key(peer.mc_ke_key, mc_key), 0)


def class_c_req(
    peer: DevicePeer, group: PeerGroup | int, *, start: float = WINDOW_LEAD, time_out: int = 8
) -> v1.McClassCSessionReq:
    """Return the request for a class C session that starts in *start* seconds."""
    about = peer.subject.about
    return v1.McClassCSessionReq(
        mc_group_id=group if isinstance(group, int) else group.mc_group_id,
        session_time=int(peer.now + start) % (1 << 32),
        time_out=time_out,
        dl_freq_hz=about.dl_freq_hz,
        dr=about.dr,
    )


def listen(peer: DevicePeer, *groups: PeerGroup) -> None:
    """Open a session that any group may feed, and a window for each of *groups*."""
    block = new_block(peer, nb_frag=20, mask=ALL, frag_index=0)
    set_up(peer, block)
    if "class-c" in peer.subject.about.can:
        for group in groups:
            peer.ask(peer.package("multicastsetup"), class_c_req(peer, group, time_out=15))
        peer.wait(WINDOW_LEAD + 5)


def in_class_c(peer: DevicePeer, *groups: int) -> None:
    """Open a window for each group, where the device has class C, and wait until it is open."""
    if "class-c" not in peer.subject.about.can:
        return
    for group in groups:
        peer.ask(peer.package("multicastsetup"), class_c_req(peer, group, time_out=15))
    peer.wait(WINDOW_LEAD + 5)


def probe(peer: DevicePeer) -> bytes:
    """Return the payload whose answer shows that a frame was accepted."""
    return fragmentation.FragSessionStatusReq(participants=True, frag_index=0).encode()


def hears(peer: DevicePeer, group: PeerGroup, *, fcnt: int | None = None) -> bool:
    """Tell whether a frame of the group is accepted; see :func:`listen`."""
    package = peer.package("fragmentation")
    peer.events()
    fport = peer.packages.fport(package.name)
    peer.multicast_raw(group, fport, probe(peer), fcnt=fcnt)
    return bool(peer.answers(package, within=25.0))


def expect_hears(peer: DevicePeer, group: PeerGroup, what: str, *, fcnt: int | None = None) -> None:
    """Fail unless a frame is accepted; *what* says which."""
    if not hears(peer, group, fcnt=fcnt):
        raise Failed(f"expected {what} to be accepted; the device is silent")


def expect_deaf(peer: DevicePeer, group: PeerGroup, what: str, *, fcnt: int | None = None) -> None:
    """Fail if a frame is accepted; *what* says which."""
    if hears(peer, group, fcnt=fcnt):
        raise Failed(f"expected {what} to be dropped; the device answers it")


def hears_frame(peer: DevicePeer, phy: bytes) -> bool:
    """Tell whether a frame with a :func:`probe` in it is accepted."""
    peer.events()
    peer.frame(phy)
    return bool(peer.answers(peer.package("fragmentation"), within=25.0))


def signed(group: PeerGroup, frame: bytes, *, fcnt: int, mc_addr: DevAddr | None = None) -> bytes:
    """Return a changed frame with a MIC that fits it; *frame* comes with one, right or not."""
    message = frame[:-4]
    address = group.sender.mc_addr if mc_addr is None else mc_addr
    return message + mc_frame_mic(group.sender.mc_nwk_s_key, message, mc_addr=address, fcnt=fcnt)


def in_a_frame(peer: DevicePeer, package: Package, *commands: Command | bytes) -> None:
    """Set a group up and open its window, and send commands in a frame of it."""
    group = set_up_group(peer)
    if "class-c" in peer.subject.about.can:
        peer.ask(peer.package("multicastsetup"), class_c_req(peer, group, time_out=15))
        peer.wait(WINDOW_LEAD + 5)
    peer.events()
    peer.multicast(group, package, *commands)
