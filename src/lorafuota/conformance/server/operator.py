"""The operator pauses, cancels, adds and removes; and every update comes to an end (TR002)."""

from __future__ import annotations

from ...fragmentation import v1 as frag_v1
from ..check import Catalogue, Failed, Severity
from ..fleetdevice import FleetDevice
from ..serverpeer import ServerPeer
from ..serversubject import STATUSES
from ._common import BOTH, expect_fragments, expect_unclaimed, sessions, window_of

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_DAY = 86_400.0


def _half_way(peer: ServerPeer, count: int) -> list[FleetDevice]:
    """Begin an update of *count* devices, and play until each has heard five fragments."""
    peer.draw_image()
    fleet = peer.devices(count)
    peer.begin()
    peer.run(lambda: all(len(one.heard) >= 5 for one in fleet))
    return fleet


@check(
    "fragmentation",
    BOTH,
    "outcomes",
    clause="AWS IoT Core: FUOTA device status",
    needs=["outcomes"],
)
def outcomes(peer: ServerPeer) -> None:
    """Every device has an outcome in the end, in the public words.

    Here one device completes, one hears nothing, and one never answers.
    """
    peer.draw_image()
    fleet = peer.devices(3)
    fleet[1].loses = lambda n: True
    fleet[2].deaf = fleet[2].mute = True
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet[:1])
    for said in peer.outcomes.values():
        if said.status not in STATUSES:
            raise Failed(f"{said.status} is none of the public statuses")
    for device in fleet[1:]:
        expect_unclaimed(peer, device)


@check("fragmentation", BOTH, "quiet-after-end", clause="TR002, 4: DONE")
def quiet_after_end(peer: ServerPeer) -> None:
    """When the update is over nothing more is sent."""
    peer.play(2)
    peer.finish()
    expect_fragments(peer)
    sent, frames = len(peer.observer.sent), len(peer.observer.frames)
    peer.wait(2 * _DAY)
    if (len(peer.observer.sent), len(peer.observer.frames)) != (sent, frames):
        raise Failed("downlinks were sent after the end")


@check(
    "fragmentation",
    BOTH,
    "pause",
    clause="field report: chirpstack-fuota-server 15",
    needs=["pause"],
)
def pause(peer: ServerPeer) -> None:
    """While the update is paused no request and no fragment is sent; then it goes on."""
    fleet = _half_way(peer, 3)
    peer.pause()
    peer.wait(30.0)  # what was handed out before may still leave
    sent, frames = len(peer.observer.sent), len(peer.observer.frames)
    peer.wait(_DAY)
    late = [one for one in peer.observer.sent[sent:] if one.payload[:1] not in (b"\x04", b"\x01")]
    if late or len(peer.observer.frames) > frames:
        raise Failed("something was sent while the update was paused")
    peer.resume()
    peer.finish()
    peer.expect_updated(fleet)


@check(
    "fragmentation",
    BOTH,
    "pause-setup",
    clause="field report: chirpstack-fuota-server 15",
    needs=["pause"],
)
def pause_setup(peer: ServerPeer) -> None:
    """An update that is paused while devices are set up goes on where it stood."""
    fleet = peer.play(3)
    peer.happens(lambda: bool(peer.observer.sent), within=60.0)
    peer.pause()
    peer.wait(2_000.0)
    peer.resume()
    peer.finish()
    peer.expect_updated(fleet)


@check("multicastsetup", BOTH, "pause-window", clause="TS005, 4.5", needs=["pause"])
def pause_window(peer: ServerPeer) -> None:
    """After a pause that outlasts the window, frames are sent in another one only."""
    fleet = _half_way(peer, 2)
    peer.pause()
    peer.wait(_DAY)
    peer.resume()
    peer.finish()
    peer.expect_updated(fleet)
    windows = [window_of(one) for _, one in sessions(peer)]
    for frame in peer.observer.frames:
        if not any(start <= frame.time <= end for start, end in windows):
            raise Failed("a frame was sent outside every window")


@check("fragmentation", BOTH, "cancel", clause="TR002, 4: ABORT", needs=["cancel"])
def cancel(peer: ServerPeer) -> None:
    """A cancelled update sends no more fragments, comes to an end, and claims nothing."""
    fleet = _half_way(peer, 3)
    peer.cancel()
    peer.wait(30.0)
    had = sum(1 for _ in peer.observer.fragments)
    peer.finish()
    if sum(1 for _ in peer.observer.fragments) > had:
        raise Failed("fragments were sent after the update had been cancelled")
    for device in fleet:
        expect_unclaimed(peer, device)


@check(
    "fragmentation",
    BOTH,
    "cancel-cleans",
    clause="TR002, 4: ABORT, CLEANUP",
    severity=Severity.RECOMMENDED,
    needs=["cancel"],
)
def cancel_cleans(peer: ServerPeer) -> None:
    """A cancelled update deletes the sessions it has set up."""
    fleet = _half_way(peer, 2)
    peer.cancel()
    peer.finish()
    for device in fleet:
        if not peer.sent(frag_v1.FragSessionDeleteReq, device):
            raise Failed("a session that was set up is still there")


@check("fragmentation", BOTH, "cancel-silent", clause="TR002, 4: ABORT", needs=["cancel"])
def cancel_silent(peer: ServerPeer) -> None:
    """A cancelled update ends although no device answers any more."""
    fleet = _half_way(peer, 2)
    for device in fleet:
        device.deaf = device.mute = True
    peer.cancel()
    peer.finish()


@check(
    "fragmentation",
    BOTH,
    "add-device",
    clause="field report: chirpstack-fuota-server 15",
    needs=["add-device", "repair"],
)
def add_device(peer: ServerPeer) -> None:
    """A device that is added in the middle of the transfer gets the whole block."""
    peer.draw_image()
    fleet = peer.devices(2)
    fleet[0].loses = lambda n: n % 4 == 0
    peer.begin()
    peer.run(lambda: all(len(one.heard) >= 10 for one in fleet))
    late = peer.make_device()
    peer.add(late)
    peer.finish()
    peer.expect_updated([*fleet, late])


@check(
    "fragmentation",
    BOTH,
    "remove-device",
    clause="field report: chirpstack-fuota-server 15",
    needs=["remove-device"],
)
def remove_device(peer: ServerPeer) -> None:
    """Nothing more is sent to a device that was removed, and the others go on."""
    peer.draw_image()
    bad, *good = peer.devices(3)
    for device in (bad, *good):
        device.loses = lambda n: n % 4 == 0
    peer.begin()
    peer.run(lambda: len(bad.heard) >= 5)
    peer.remove(bad)
    bad.deaf = bad.mute = True
    peer.wait(1.0)
    had = len([one for one in peer.observer.sent if one.dev_eui == bad.entry.dev_eui])
    peer.finish()
    peer.expect_updated(good)
    if len([one for one in peer.observer.sent if one.dev_eui == bad.entry.dev_eui]) > had:
        raise Failed("a downlink went to a device that had been removed")


@check(
    "fragmentation",
    BOTH,
    "removed-once",
    clause="field report: chirpstack-fuota-server 15",
    needs=["remove-device"],
)
def removed_once(peer: ServerPeer) -> None:
    """Removing the only device that is not complete ends the update."""
    peer.draw_image()
    bad, *good = peer.devices(3)
    bad.loses = lambda n: True
    peer.begin()
    peer.run(lambda: all(one.has_block for one in good))
    peer.remove(bad)
    bad.deaf = bad.mute = True
    peer.finish(within=10 * _DAY)
    peer.expect_updated(good)
    expect_unclaimed(peer, bad)
