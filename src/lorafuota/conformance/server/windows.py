"""TS005: windows, and the frames inside them."""

from __future__ import annotations

from collections.abc import Sequence

from ...link import BEACON_PERIOD_SECONDS
from ...multicastsetup import v1
from ...wire import Command
from ..check import Catalogue, Failed, Severity
from ..fleetdevice import Air
from ..serverpeer import FRAME_SECONDS, ServerPeer
from ._common import (
    BOTH,
    SESSIONS,
    announced,
    bad_and_good,
    expect_announced,
    expect_bounded,
    expect_fragments,
    expect_updates,
    need_groups,
    played_by_group,
    rewrite,
    says_always,
    sessions,
    window_of,
    windows_of,
)

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_MOST_WINDOWS = 120
"""Session requests to one device, over all windows that nobody confirms."""

_LEAST_LEAD = 5.0
"""Seconds from the request to the start: less is too late for a device that has to act on it."""


@check("multicastsetup", BOTH, "session-future", clause="TS005, 4.5: SessionTime")
def session_future(peer: ServerPeer) -> None:
    """A window begins in the future when its request is sent."""
    announced(peer)
    for at, one in sessions(peer):
        start, _ = window_of(one)
        if start < at + _LEAST_LEAD:
            raise Failed(f"SessionTime is {start - at:+.0f} s from the request")


@check("multicastsetup", BOTH, "session-after-group", clause="TS005, 4.5: McGroupUndefined")
def session_after_group(peer: ServerPeer) -> None:
    """A device is told of a window only after it has accepted the group."""
    need_groups(peer)
    bad, good = bad_and_good(peer)
    accepted: list[float] = []

    def late(air: Air) -> list[Air]:
        accepted.append(air[0] + 45.0)
        return [(air[0] + 45.0, air[1], air[2])]

    rewrite(bad, "multicastsetup", v1.McGroupSetupAns.CID, late)
    peer.begin()
    peer.finish()
    asked = [at for at, _ in sessions(peer, bad)]
    if asked and (not accepted or min(asked) < min(accepted)):
        raise Failed("the session request came before the answer to the group set-up")
    peer.expect_updated([bad, *good])


@check("multicastsetup", BOTH, "session-radio", clause="TS005, 4.5: DLFreq, DR")
def session_radio(peer: ServerPeer) -> None:
    """Frequency and data rate are those of the group."""
    announced(peer)
    wanted = {(one.dl_freq_hz, one.dr) for one in peer.asked.groups}
    for _, one in sessions(peer):
        if (one.dl_freq_hz, one.dr) not in wanted:
            raise Failed(f"DLFreq {one.dl_freq_hz} Hz, DR {one.dr}")


@check("multicastsetup", BOTH, "frames-in-window", clause="TS005, 7, step 6")
def frames_in_window(peer: ServerPeer) -> None:
    """Every frame begins and ends inside a window that was announced to the members.

    A window too short for all fragments is the most reported failure there is (chirpstack 1029,
    661, 664).
    """
    need_groups(peer)
    peer.draw_image(600)
    fleet = peer.devices(2)
    fleet[0].loses = lambda n: n % 4 == 0
    peer.begin()
    peer.end()
    windows = windows_of(peer)
    expect_fragments(peer)
    for frame in peer.observer.frames:
        if not any(start <= frame.time <= end - FRAME_SECONDS for start, end in windows):
            nearest = min(windows, key=lambda one: abs(one[0] - frame.time), default=(0.0, 0.0))
            raise Failed(
                f"a frame is on air {frame.time - nearest[0]:+.1f} s from the start of the window,"
                f" which lasts {nearest[1] - nearest[0]:.0f} s"
            )


@check(
    "multicastsetup",
    BOTH,
    "window-fits",
    clause="TS005, 7: choice of TimeOut",
    severity=Severity.RECOMMENDED,
)
def window_fits(peer: ServerPeer) -> None:
    """One window is long enough for the whole first pass, and not many times longer.

    A device in class C draws its receiver's current for as long as the window says.
    """
    played_by_group(peer, octets=600)
    windows = windows_of(peer)
    if not windows:
        raise Failed("no device was told of a window")
    if len(windows) > 1:
        raise Failed(f"{len(windows)} windows for one pass without losses")
    start, end = windows[0]
    last = max(frame.time for frame in peer.observer.frames)
    if "class-c" in peer.can and end - start > 8 * (last - start) + 64:
        raise Failed(f"the window lasts {end - start:.0f} s; {last - start:.0f} s were needed")


@check(
    "multicastsetup",
    BOTH,
    "class-b",
    clause="TS005, 4.6: beacon times, 128 s x 2^TimeOut",
    needs=["class-b"],
)
def class_b(peer: ServerPeer) -> None:
    """A class B window starts at a beacon, and all its frames lie inside beacon periods of it.

    TimeOut counts beacon periods there; one server counted seconds.  What class B windows need is
    asked again and again (chirpstack 255, 670).
    """
    announced(peer, device_class="B")
    for _, one in sessions(peer):
        if not isinstance(one, v1.McClassBSessionReq):
            raise Failed("class B was asked for; McClassCSessionReq was sent")
        if one.session_time % BEACON_PERIOD_SECONDS:
            raise Failed(f"SessionTime {one.session_time} is no multiple of 128")
    windows = windows_of(peer)
    for frame in peer.observer.frames:
        if not any(start <= frame.time <= end for start, end in windows):
            raise Failed("a frame lies outside every window")
    expect_fragments(peer)
    start, end = windows[-1]
    last = peer.observer.frames[-1].time
    if end - start > 8 * (last - start) + 4 * BEACON_PERIOD_SECONDS:
        raise Failed(f"the window lasts {end - start:.0f} s; {last - start:.0f} s were needed")


@check(
    "multicastsetup",
    BOTH,
    "nobody-listens",
    clause="TS005, 7, step 6: do not start until enough have confirmed",
    severity=Severity.RECOMMENDED,
)
def nobody_listens(peer: ServerPeer) -> None:
    """As long as no device has confirmed a window, nothing is sent into it."""
    need_groups(peer)
    peer.draw_image()
    fleet = peer.devices(2)
    for device in fleet:
        device.says = dict.fromkeys(SESSIONS, says_always())
    peer.begin()
    peer.finish()
    expect_announced(peer)
    for device in fleet:
        expect_bounded(peer, device, *SESSIONS, most=_MOST_WINDOWS)
    if any(frame.fragment is not None for frame in peer.observer.frames):
        raise Failed("fragments were sent although no device had confirmed a window")
    expect_updates(peer)


@check(
    "multicastsetup",
    BOTH,
    "all-refuse",
    clause="TS005, 7, step 6: do not start until enough have confirmed",
    severity=Severity.RECOMMENDED,
)
def all_refuse(peer: ServerPeer) -> None:
    """As long as every device refuses the window, nothing is sent into it."""
    need_groups(peer)
    peer.draw_image()
    fleet = peer.devices(2)

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, SESSIONS)
        return [bytes((command.CID, 0x08 | command.mc_group_id))]

    for device in fleet:
        device.says = dict.fromkeys(SESSIONS, says)
    peer.begin()
    peer.finish()
    expect_announced(peer)
    if any(frame.fragment is not None for frame in peer.observer.frames):
        raise Failed("fragments were sent although every device had refused the window")
    expect_updates(peer)
