"""TS005: groups, windows, and the frames inside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...crypto import derive_mc_ke_key, derive_mc_root_key, unwrap_mc_key
from ...fragmentation.v1 import DataFragment, FragSessionStatusReq
from ...link import BEACON_PERIOD_SECONDS
from ...multicastsetup import v1
from ...wire import Command
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..fleetdevice import Air, FleetDevice
from ..serverpeer import FRAME_SECONDS, ServerPeer
from ._common import (
    BOTH,
    SESSIONS,
    bad_and_good,
    expect_bounded,
    expect_counters_rise,
    finish_without,
    lose_answers,
    lose_requests,
    rewrite,
    says_always,
    sessions,
    window_of,
)

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_SESSION_CIDS = tuple(one.CID for one in SESSIONS)
_MOST_WINDOWS = 120
"""Session requests to one device, over all windows that nobody confirms."""

_LEAST_LEAD = 5.0
"""Seconds from the request to the start: less is too late for a device that has to act on it."""


def _groups(peer: ServerPeer) -> None:
    if not peer.by_groups:
        raise NotApplicable("the server has no groups")


def _played(peer: ServerPeer, count: int = 3, **how: Any) -> list[FleetDevice]:
    _groups(peer)
    fleet = peer.play(count, **how)
    peer.end()
    if not peer.observer.frames:
        raise Failed("nothing was sent by multicast")
    return fleet


def _announced(peer: ServerPeer, count: int = 3, **how: Any) -> list[FleetDevice]:
    """Play an update; fail if no window was announced."""
    _groups(peer)
    fleet = peer.play(count, **how)
    peer.end()
    if not sessions(peer):
        raise Failed("no device was told of a window")
    return fleet


def _windows(peer: ServerPeer) -> list[tuple[float, float]]:
    return sorted({window_of(one) for _, one in sessions(peer)})


# --- Groups ---------------------------------------------------------------------------------------


@check("multicastsetup", BOTH, "well-formed", clause="TS005, 1: lengths, reserved bits 0")
def well_formed(peer: ServerPeer) -> None:
    """Everything on the package's port has the lengths of the text, and reserved bits are 0.

    One stack does not mask McGroupIDHeader: a reserved bit makes it write outside its table.
    """
    _played(peer)
    peer.strict("multicastsetup")


@check("multicastsetup", BOTH, "mc-key", clause="TS005, 3: McKey_encrypted")
def mc_key(peer: ServerPeer) -> None:
    """Every device gets the same McKey, encrypted under its own McKEKey.

    The server *decrypts* to encrypt, and the root key is GenAppKey for LoRaWAN 1.0.x and AppKey for
    1.1; a wrong one is answered with "accepted", and every multicast MIC fails.  The most asked
    question there is (LoRaMac-node 840, 936; chirpstack 686).
    """
    fleet = _played(peer, 4)
    keys = set()
    for device in fleet:
        ke_key = derive_mc_ke_key(derive_mc_root_key(device.entry.root_key))
        for one in peer.sent(v1.McGroupSetupReq, device):
            keys.add(unwrap_mc_key(ke_key, one.mc_key_encrypted).reveal())
    wanted = [one.mc_key.reveal() for one in peer.asked.groups if one.mc_key is not None]
    if len(keys) != 1:
        raise Failed(f"the members of one group are given {len(keys)} different keys")
    if wanted and keys != set(wanted):
        raise Failed("the key is another than the operator's")


@check("multicastsetup", BOTH, "mc-addr", clause="TS005, 2: McAddr, little-endian")
def mc_addr(peer: ServerPeer) -> None:
    """McAddr is the group's address, in the order of all numbers: lowest octet first."""
    _played(peer)
    wanted = {one.mc_addr for one in peer.asked.groups}
    for one in peer.sent(v1.McGroupSetupReq):
        if one.mc_addr not in wanted:
            turned = int.from_bytes(int(one.mc_addr).to_bytes(4, "big"), "little")
            why = " (its octets are turned round)" if turned in wanted else ""
            raise Failed(f"McAddr {one.mc_addr}{why}")
    for frame in peer.observer.frames:
        if frame.mc_addr not in wanted:
            raise Failed(f"a frame went to {frame.mc_addr}")


@check("multicastsetup", BOTH, "fcnt-range", clause="TS005, 4.3: minMcFCnt, maxMcFCnt")
def fcnt_range(peer: ServerPeer) -> None:
    """The limits minMcFCnt and maxMcFCnt are in order, and every frame lies between them.

    The counter maxMcFCnt itself is inside in one version and outside in the other: never send it.
    """
    peer.need("counters")
    _played(peer)
    if not peer.sent(v1.McGroupSetupReq):
        raise Failed("frames were sent to a group that no device was given")
    limits = [(one.min_mc_fcnt, one.max_mc_fcnt) for one in peer.sent(v1.McGroupSetupReq)]
    for low, high in limits:
        if low >= high:
            raise Failed(f"minMcFCnt {low}, maxMcFCnt {high}")
    for frame in peer.observer.frames:
        fcnt = frame.fcnt or 0
        if not max(low for low, _ in limits) <= fcnt < min(high for _, high in limits):
            raise Failed(f"frame counter {fcnt} lies outside {limits[0]}")


@check(
    "multicastsetup",
    BOTH,
    "fcnt-range-small",
    clause="TS005-2.0.0, 4.3: keep the range small; LoRaMac-node counts in 16 bits",
    severity=Severity.RECOMMENDED,
)
def fcnt_range_small(peer: ServerPeer) -> None:
    """The limit maxMcFCnt is the operator's, and not simply the highest number there is."""
    _played(peer, max_mc_fcnt=1_000)
    for one in peer.sent(v1.McGroupSetupReq):
        if one.max_mc_fcnt > 1_000:
            raise Failed(f"maxMcFCnt {one.max_mc_fcnt}; the operator allows 1000")


@check(
    "multicastsetup",
    BOTH,
    "fcnt-end",
    clause="promise: a counter range that ends is respected",
)
def fcnt_end(peer: ServerPeer) -> None:
    """When the counters of a group end, nothing is sent behind them.

    Here a device needs more frames than the operator allows counters.
    """
    peer.need("counters")
    _groups(peer)
    bad, good = bad_and_good(peer)
    bad.loses = lambda n: True
    peer.begin(max_mc_fcnt=30)
    finish_without(peer, bad, good)
    over = [one.fcnt for one in peer.observer.frames if one.fcnt is not None and one.fcnt >= 30]
    if over:
        raise Failed(f"frame counter {over[0]} was sent; maxMcFCnt is 30")


@check("multicastsetup", BOTH, "fcnt-once", clause="TS005, 7: never reuse a counter with a key")
def fcnt_once(peer: ServerPeer) -> None:
    """Frame counters only rise, over all windows of the group.

    A counter used twice is a replay that every device drops; with two payloads it gives both away.
    """
    peer.need("counters")
    _groups(peer)
    peer.draw_image()
    fleet = peer.devices(3)
    fleet[0].loses = lambda n: n % 3 == 0
    fleet[1].loses = lambda n: n > 4 and n % 2 == 0
    peer.begin(redundancy=0.0)
    peer.finish()
    expect_counters_rise(peer)


@check("multicastsetup", BOTH, "frames-readable", clause="TS005, 3: McAppSKey, McNwkSKey")
def frames_readable(peer: ServerPeer) -> None:
    """Every frame can be read by the members, and is nothing else than data for the package.

    Requests of this package never go to a group, and neither do set-ups of sessions.
    """
    fleet = _played(peer)
    port = fleet[0].packages.fport("fragmentation")
    for frame in peer.observer.frames:
        if frame.fport != port or not frame.payload:
            raise Failed(f"a frame on FPort {frame.fport} that no member can use")
        if frame.payload[0] not in (DataFragment.CID, FragSessionStatusReq.CID):
            raise Failed(f"CID 0x{frame.payload[0]:02X} went out by multicast")


@check("multicastsetup", BOTH, "group-answer-lost", clause="TS005, 7: repeat on silence")
def group_answer_lost(peer: ServerPeer) -> None:
    """A group set-up whose answer is lost is sent again, and the update goes on."""
    _groups(peer)
    bad, good = bad_and_good(peer)
    lose_answers(bad, "multicastsetup", v1.McGroupSetupAns.CID, 2)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("multicastsetup", BOTH, "group-request-lost", clause="TS005, 7: repeat on silence")
def group_request_lost(peer: ServerPeer) -> None:
    """A group set-up that is lost on its way is sent again, and the update goes on."""
    _groups(peer)
    bad, good = bad_and_good(peer)
    lose_requests(bad, "multicastsetup", v1.McGroupSetupReq.CID, 2)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("multicastsetup", BOTH, "group-refused", clause="TS005, 4.3: IDerror")
def group_refused(peer: ServerPeer) -> None:
    """A device without a place for any group is given up, and does not hold the others."""
    _groups(peer)
    bad, good = bad_and_good(peer)

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, v1.McGroupSetupReq)
        return [v1.McGroupSetupAns(mc_group_id=command.mc_group_id, id_error=True)]

    bad.says = {v1.McGroupSetupReq: says}
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, v1.McGroupSetupReq)
    if sessions(peer, bad):
        raise Failed("a device was told of a window of a group it has not")


@check(
    "multicastsetup",
    BOTH,
    "group-other-id",
    clause="TS005, 7, step 3: another McGroupID",
    severity=Severity.RECOMMENDED,
)
def group_other_id(peer: ServerPeer) -> None:
    """A device that refuses one McGroupID is tried with another.

    It may be occupied by the group of somebody else, or the device holds fewer than four.
    """
    _groups(peer)
    bad, good = bad_and_good(peer)
    refused: list[int] = []

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, v1.McGroupSetupReq)
        if not refused:
            refused.append(command.mc_group_id)
        if command.mc_group_id != refused[0]:
            return None
        return [v1.McGroupSetupAns(mc_group_id=command.mc_group_id, id_error=True)]

    bad.says = {v1.McGroupSetupReq: says}
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("multicastsetup", BOTH, "group-answer-other", clause="TS005, 7, step 3: McGroupID matches")
def group_answer_other(peer: ServerPeer) -> None:
    """The acceptance of another McGroupID is not that of the group asked for."""
    _groups(peer)
    bad, good = bad_and_good(peer)

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, v1.McGroupSetupReq)
        return [v1.McGroupSetupAns(mc_group_id=(command.mc_group_id + 1) % 4, id_error=False)]

    bad.says = {v1.McGroupSetupReq: says}
    peer.begin()
    finish_without(peer, bad, good)
    if sessions(peer, bad):
        raise Failed("a device was told of a window although it accepted another group only")


@check("multicastsetup", BOTH, "group-silent", clause="TR002, 4: bounded retries")
def group_silent(peer: ServerPeer) -> None:
    """A device that never answers about groups is given up, and does not hold the others."""
    _groups(peer)
    bad, good = bad_and_good(peer)
    bad.says = {v1.McGroupSetupReq: says_always()}
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, v1.McGroupSetupReq)


@check(
    "multicastsetup",
    BOTH,
    "group-deleted",
    clause="TR002, 4: McGroupIDs are scarce",
    severity=Severity.RECOMMENDED,
)
def group_deleted(peer: ServerPeer) -> None:
    """In the end every device is told to delete the group."""
    fleet = _played(peer)
    for device in fleet:
        if not peer.sent(v1.McGroupDeleteReq, device):
            raise Failed(f"{device.entry.dev_eui} keeps the group for ever")


@check("multicastsetup", BOTH, "group-kept", clause="field report: chirpstack 1029")
def group_kept(peer: ServerPeer) -> None:
    """No device is told to delete the group while frames for it are still to come.

    A server deleted groups when the last fragment was in the queue, not when it had been sent.
    """
    _groups(peer)
    peer.draw_image()
    fleet = peer.devices(3)
    fleet[0].loses = lambda n: n % 2 == 0
    peer.begin()
    peer.finish()
    last = max((frame.time for frame in peer.observer.frames), default=0.0)
    for device in fleet:
        times = peer.times(v1.McGroupDeleteReq, device)
        if times and min(times) < last and not device.has_block:
            raise Failed("a device lost the group before the last frame it needed")
    peer.expect_updated(fleet)


# --- Windows --------------------------------------------------------------------------------------


@check("multicastsetup", BOTH, "session-future", clause="TS005, 4.5: SessionTime")
def session_future(peer: ServerPeer) -> None:
    """A window begins in the future when its request is sent."""
    _announced(peer)
    for at, one in sessions(peer):
        start, _ = window_of(one)
        if start < at + _LEAST_LEAD:
            raise Failed(f"SessionTime is {start - at:+.0f} s from the request")


@check("multicastsetup", BOTH, "session-after-group", clause="TS005, 4.5: McGroupUndefined")
def session_after_group(peer: ServerPeer) -> None:
    """A device is told of a window only after it has accepted the group."""
    _groups(peer)
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
    _announced(peer)
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
    _groups(peer)
    peer.draw_image(600)
    fleet = peer.devices(2)
    fleet[0].loses = lambda n: n % 4 == 0
    peer.begin()
    peer.end()
    windows = _windows(peer)
    if not peer.observer.frames:
        raise Failed("nothing was sent by multicast")
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
    _played(peer, octets=600)
    windows = _windows(peer)
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

    TimeOut counts beacon periods there; one server counted seconds.
    """
    _announced(peer, device_class="B")
    for _, one in sessions(peer):
        if not isinstance(one, v1.McClassBSessionReq):
            raise Failed("class B was asked for; McClassCSessionReq was sent")
        if one.session_time % BEACON_PERIOD_SECONDS:
            raise Failed(f"SessionTime {one.session_time} is no multiple of 128")
    windows = _windows(peer)
    for frame in peer.observer.frames:
        if not any(start <= frame.time <= end for start, end in windows):
            raise Failed("a frame lies outside every window")
    if not peer.observer.frames:
        raise Failed("nothing was sent by multicast")
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
    _groups(peer)
    peer.draw_image()
    fleet = peer.devices(2)
    for device in fleet:
        device.says = dict.fromkeys(SESSIONS, says_always())
    peer.begin()
    peer.finish()
    for device in fleet:
        expect_bounded(peer, device, *SESSIONS, most=_MOST_WINDOWS)
    if any(frame.fragment is not None for frame in peer.observer.frames):
        raise Failed("fragments were sent although no device had confirmed a window")


@check(
    "multicastsetup",
    BOTH,
    "all-refuse",
    clause="TS005, 7, step 6: do not start until enough have confirmed",
    severity=Severity.RECOMMENDED,
)
def all_refuse(peer: ServerPeer) -> None:
    """As long as every device refuses the window, nothing is sent into it."""
    _groups(peer)
    peer.draw_image()
    fleet = peer.devices(2)

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, SESSIONS)
        return [bytes((command.CID, 0x08 | command.mc_group_id))]

    for device in fleet:
        device.says = dict.fromkeys(SESSIONS, says)
    peer.begin()
    peer.finish()
    if any(frame.fragment is not None for frame in peer.observer.frames):
        raise Failed("fragments were sent although every device had refused the window")


@check("multicastsetup", BOTH, "session-silent", clause="TR002, 4: bounded retries")
def session_silent(peer: ServerPeer) -> None:
    """A device that never answers about windows is given up, and does not hold the others."""
    _groups(peer)
    bad, good = bad_and_good(peer)
    bad.says = dict.fromkeys(SESSIONS, says_always())
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, *SESSIONS)


@check("multicastsetup", BOTH, "session-answer-lost", clause="TS005, 7: repeat on silence")
def session_answer_lost(peer: ServerPeer) -> None:
    """A session request whose answer is lost is sent again, and the update goes on."""
    _groups(peer)
    bad, good = bad_and_good(peer)
    for cid in _SESSION_CIDS:
        lose_answers(bad, "multicastsetup", cid, 2)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


def _refused(peer: ServerPeer, bits: int) -> tuple[FleetDevice, list[FleetDevice]]:
    """Play a device that refuses every window with these status bits."""
    _groups(peer)
    bad, good = bad_and_good(peer)

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, SESSIONS)
        return [bytes((command.CID, bits | command.mc_group_id))]

    bad.says = dict.fromkeys(SESSIONS, says)
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, *SESSIONS)
    return bad, good


@check("multicastsetup", BOTH, "refused-dr", clause="TS005, 4.5: DRError")
def refused_dr(peer: ServerPeer) -> None:
    """A device that cannot use the data rate is given up, and does not hold the others."""
    _refused(peer, 0x04)


@check("multicastsetup", BOTH, "refused-freq", clause="TS005, 4.5: FreqError")
def refused_freq(peer: ServerPeer) -> None:
    """A device that cannot use the frequency is given up, and does not hold the others."""
    _refused(peer, 0x08)


@check("multicastsetup", BOTH, "refused-undefined", clause="TS005, 4.5: McGroupUndefined")
def refused_undefined(peer: ServerPeer) -> None:
    """A device that says the group is undefined, always, is given up in the end."""
    bad, _ = _refused(peer, 0x10)
    expect_bounded(peer, bad, v1.McGroupSetupReq)


@check("multicastsetup", BOTH, "refused-all", clause="TS005 reference, 10: LoRaMac-node's 0x1C")
def refused_all(peer: ServerPeer) -> None:
    """A refusal with McGroupUndefined, FreqError and DRError together is a refusal."""
    _refused(peer, 0x1C)


@check("multicastsetup", (2,), "refused-missed", clause="TS005-2.0.0, 4.5: StartMissed")
def refused_missed(peer: ServerPeer) -> None:
    """StartMissed alone is a refusal of one octet, and no device is told of windows for ever.

    A server read it with the mask of version 1 and waited for three octets more.
    """
    _refused(peer, 0x20)


@check("multicastsetup", (2,), "refused-future", clause="TS005-2.0.0, 4.5: bits 7:6")
def refused_future(peer: ServerPeer) -> None:
    """A bit that is reserved for errors to come is read as a refusal."""
    _refused(peer, 0x40)


@check(
    "multicastsetup",
    BOTH,
    "undefined-once",
    clause="TS005, 7, step 5: redo step 3",
    severity=Severity.RECOMMENDED,
)
def undefined_once(peer: ServerPeer) -> None:
    """A device that has lost the group is given it once more, and takes part."""
    _groups(peer)
    bad, good = bad_and_good(peer)
    lost: list[int] = []

    def says(command: Command) -> Sequence[Command | bytes] | None:
        assert isinstance(command, SESSIONS)
        if lost:
            return None
        lost.append(command.mc_group_id)
        peer.power_cycle(bad, factory=True)
        return [bytes((command.CID, 0x10 | command.mc_group_id))]

    bad.says = dict.fromkeys(SESSIONS, says)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


def _told(peer: ServerPeer, seconds: int | None) -> tuple[FleetDevice, list[FleetDevice]]:
    """Play a device whose TimeToStart is off by so many seconds, or says that its clock is wrong.

    It hears nothing: it listens at another time.
    """
    _groups(peer)
    bad, good = bad_and_good(peer)

    def how(air: Air) -> list[Air]:
        at, fport, octets = air
        if len(octets) < 5:
            return [air]
        said = int.from_bytes(octets[2:5], "little")
        wrong = 0xFFFFFF if seconds is None else max(said + seconds, 0)
        return [(at, fport, octets[:2] + wrong.to_bytes(3, "little"))]

    for cid in _SESSION_CIDS:
        rewrite(bad, "multicastsetup", cid, how)
    bad.loses = lambda n: True
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, *SESSIONS)
    return bad, good


def _done_about_it(peer: ServerPeer, device: FleetDevice) -> bool:
    """Say whether a device was spoken to about its clock or its window before that began."""
    ports = {device.packages.fport(name) for name in ("clocksync", "multicastsetup")}
    start: float | None = None
    for sent in peer.observer.sent:
        if sent.dev_eui != device.entry.dev_eui:
            continue
        if start is not None and sent.fport in ports and sent.time < start:
            return True
        for one in sent.commands:
            if start is None and isinstance(one, SESSIONS):
                start, _ = window_of(one)
    if start is None:
        raise Failed("the device was not told of a window")
    return False


@check(
    "multicastsetup",
    BOTH,
    "time-to-start",
    clause="TS005, 4.5: TimeToStart",
    severity=Severity.RECOMMENDED,
)
def time_to_start(peer: ServerPeer) -> None:
    """A device whose TimeToStart says that its clock is wrong is not counted on.

    Something follows before the window: its clock is set, or it is asked again.  One server stores
    the answer as a success without looking at it.
    """
    bad, _ = _told(peer, 700)
    if not _done_about_it(peer, bad):
        raise Failed("TimeToStart is 700 s off, and nothing was done about it")


@check(
    "multicastsetup",
    (2,),
    "time-unknown",
    clause="TS005-2.0.0, 4.5: 0xFFFFFF",
    severity=Severity.RECOMMENDED,
)
def time_unknown(peer: ServerPeer) -> None:
    """TimeToStart 0xFFFFFF means a clock out of sync: something is done, within bounds."""
    bad, _ = _told(peer, None)
    if not _done_about_it(peer, bad):
        raise Failed("TimeToStart is 0xFFFFFF, and nothing was done about it")


@check(
    "multicastsetup",
    BOTH,
    "clock-wrong",
    clause="TR002, 4: check clocks before a window",
    severity=Severity.RECOMMENDED,
)
def clock_wrong(peer: ServerPeer) -> None:
    """A device whose clock is ten minutes wrong gets its clock set, and the block."""
    _groups(peer)
    if not peer.subject.about.versions.get("clocksync"):
        raise NotApplicable("the server does not speak clocksync")
    peer.draw_image()
    fleet = [peer.make_device(skew=skew) for skew in (-600.0, 600.0, 0.0)]
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)


@check(
    "multicastsetup", BOTH, "straggler", clause="promise S16: one device does not hold the group"
)
def straggler(peer: ServerPeer) -> None:
    """A device that is dead from the beginning does not hold the group for long."""
    _groups(peer)
    bad, good = bad_and_good(peer, 4)
    bad.deaf = bad.mute = True
    peer.begin()
    done = peer.happens(lambda: all(one.has_block for one in good), within=2 * 86_400.0)
    if not done:
        raise Failed("two days later the others do not have the block")
    finish_without(peer, bad, good)


@check("multicastsetup", BOTH, "late-answers", clause="TS005, 7: match the newest request only")
def late_answers(peer: ServerPeer) -> None:
    """Answers that come ten minutes late, and twice, do no harm.

    An answer to an earlier session request carries a TimeToStart that does not fit.
    """
    _groups(peer)
    bad, good = bad_and_good(peer)
    before = bad.sends
    bad.sends = lambda air: [
        (one[0] + wait, one[1], one[2]) for one in before(air) for wait in (0.0, 600.0)
    ]
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])
    most = math.ceil((len(good) + 1) * 3)
    if len(peer.sent(v1.McGroupSetupReq)) > most:
        raise Failed(
            f"{len(peer.sent(v1.McGroupSetupReq))} group set-ups for {len(good) + 1} devices"
        )
