"""The server's process is killed and comes back: nothing is lost, no counter used twice."""

from __future__ import annotations

from collections.abc import Callable

from ...fragmentation import v1 as frag_v1
from ...multicastsetup import v1 as mc_v1
from ...package import PackageVersionReq
from ...wire import Command
from ..check import Catalogue, Failed, NotApplicable
from ..observer import Frame, Sent
from ..serverpeer import NEW_FW, ServerPeer
from ._common import BOTH, SESSIONS, SETUPS, expect_counters_rise

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_CLAUSE = "crash safety: nothing lost, no counter used twice"
_NEEDS = ["restart"]


def _restart_at(
    peer: ServerPeer,
    *kinds: type[Command],
    frame: Callable[[int], bool] | None = None,
    down_seconds: float = 0.0,
) -> None:
    """Play an update in which the server is killed when it has sent something for the first time.

    Args:
        peer: The server.
        kinds: The commands behind which it is killed.
        frame: ... or whether it is killed behind a frame, by its place.
        down_seconds: How long later it comes back at the earliest; its downlinks are on their way.
    """
    peer.draw_image()
    fleet = peer.devices(3)
    fleet[0].loses = lambda n: n % 3 == 0
    done: list[float] = []

    def hears(sent: Sent) -> None:
        if not done and any(isinstance(one, kinds) for one in sent.commands):
            done.append(sent.time)
            peer.later(down_seconds, peer.restart)

    def sees(seen: Frame) -> None:
        if frame is not None and frame(len(peer.observer.frames)):
            done.append(seen.time)
            peer.later(down_seconds, peer.restart)

    if kinds:
        peer.hears = hears
    peer.sees = sees
    peer.begin()
    peer.finish()
    if not done:
        raise NotApplicable("the server never sent that")
    if "counters" in peer.can:
        expect_counters_rise(peer)
    peer.expect_updated(fleet)


@check("fragmentation", BOTH, "restart-version", clause=_CLAUSE, needs=_NEEDS)
def restart_version(peer: ServerPeer) -> None:
    """The server is killed when it has asked for the version."""
    _restart_at(peer, PackageVersionReq)


@check("fragmentation", BOTH, "restart-setup", clause=_CLAUSE, needs=_NEEDS)
def restart_setup(peer: ServerPeer) -> None:
    """The server is killed when it has sent a set-up."""
    _restart_at(peer, *SETUPS)


@check("fragmentation", BOTH, "restart-fragment", clause=_CLAUSE, needs=[*_NEEDS, "unicast"])
def restart_fragment(peer: ServerPeer) -> None:
    """The server is killed in the middle of a transfer by unicast, and goes on with it."""
    peer.draw_image()
    device = peer.make_device(multicast=False)
    killed: list[int] = []

    def hears(sent: Sent) -> None:
        for one in sent.commands:
            if isinstance(one, frag_v1.DataFragment) and one.n in (7, 15) and one.n not in killed:
                killed.append(one.n)
                peer.later(0.0, peer.restart)

    peer.hears = hears
    peer.begin()
    peer.finish()
    peer.expect_updated([device])


@check("fragmentation", BOTH, "restart-status", clause=_CLAUSE, needs=_NEEDS)
def restart_status(peer: ServerPeer) -> None:
    """The server is killed when it has asked what is missing."""
    _restart_at(peer, frag_v1.FragSessionStatusReq, frame=lambda count: count == 25)


@check("fragmentation", BOTH, "restart-delete", clause=_CLAUSE, needs=_NEEDS)
def restart_delete(peer: ServerPeer) -> None:
    """The server is killed while it cleans up."""
    _restart_at(peer, frag_v1.FragSessionDeleteReq)


@check("fragmentation", BOTH, "restart-often", clause=_CLAUSE, needs=_NEEDS)
def restart_often(peer: ServerPeer) -> None:
    """The server is killed behind every fifth thing it sends, and gets to the end all the same."""
    peer.draw_image()
    fleet = peer.devices(3)
    count = [0]

    def step(what: object) -> None:
        count[0] += 1
        if count[0] % 5 == 0:
            peer.later(0.0, peer.restart)

    peer.hears = step
    peer.sees = step
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)


@check("fragmentation", BOTH, "restart-idle", clause=_CLAUSE, needs=_NEEDS)
def restart_idle(peer: ServerPeer) -> None:
    """The server is killed every ten minutes."""
    peer.draw_image()
    fleet = peer.devices(2)

    def kill() -> None:
        if peer.ended is None:
            peer.restart()
            peer.later(600.0, kill)

    peer.begin()
    peer.later(600.0, kill)
    peer.finish()
    peer.expect_updated(fleet)


@check("multicastsetup", BOTH, "restart-group", clause=_CLAUSE, needs=_NEEDS)
def restart_group(peer: ServerPeer) -> None:
    """The server is killed when it has sent a group set-up: the group keeps its key."""
    _restart_at(peer, mc_v1.McGroupSetupReq)


@check("multicastsetup", BOTH, "restart-session", clause=_CLAUSE, needs=_NEEDS)
def restart_session(peer: ServerPeer) -> None:
    """The server is killed when it has announced a window: it keeps to it, or announces another."""
    _restart_at(peer, *SESSIONS)


@check("multicastsetup", BOTH, "restart-window", clause=_CLAUSE, needs=_NEEDS)
def restart_window(peer: ServerPeer) -> None:
    """The server is killed three times in a window: no counter goes on air with two payloads."""
    _restart_at(peer, frame=lambda count: count in (3, 4, 12))


@check("multicastsetup", BOTH, "restart-window-late", clause=_CLAUSE, needs=_NEEDS)
def restart_window_late(peer: ServerPeer) -> None:
    """The server is killed in a window, some time behind a frame: what was in memory is gone."""
    _restart_at(peer, frame=lambda count: count in (2, 9, 20), down_seconds=1.3)


@check("multicastsetup", BOTH, "restart-class-b", clause=_CLAUSE, needs=[*_NEEDS, "class-b"])
def restart_class_b(peer: ServerPeer) -> None:
    """The server is killed in a class B window, with frames already handed out."""
    if not peer.by_groups:
        raise NotApplicable("the server has no groups")
    peer.draw_image()
    fleet = peer.devices(2)
    peer.sees = lambda frame: (
        peer.later(0.2, peer.restart) if len(peer.observer.frames) in (3, 10) else None
    )
    peer.begin(device_class="B")
    peer.finish()
    peer.expect_updated(fleet)


@check("firmwaremanagement", (1,), "restart", clause=_CLAUSE, needs=_NEEDS)
def restart_firmware(peer: ServerPeer) -> None:
    """The server is killed behind every request about firmware, and the devices are updated."""
    peer.draw_image()
    fleet = peer.devices(2, firmware=True)
    killed: set[bytes] = set()

    def hears(sent: Sent) -> None:
        if sent.fport == 203 and sent.payload[:1] not in killed:
            killed.add(sent.payload[:1])
            peer.later(0.0, peer.restart)

    peer.hears = hears
    peer.begin(firmware=True)
    peer.finish()
    peer.expect_updated(fleet)
    if any(one.fw_version != NEW_FW for one in fleet):
        raise Failed("a device runs the old version in the end")
