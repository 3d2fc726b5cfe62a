"""TS005: what devices answer about a window, and whether it is believed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...multicastsetup import v1
from ...wire import Command
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..fleetdevice import Air, FleetDevice
from ..serverpeer import ServerPeer
from ._common import (
    BOTH,
    SESSIONS,
    bad_and_good,
    count,
    expect_bounded,
    finish_without,
    lose_answers,
    need_groups,
    rewrite,
    says_always,
    window_of,
)

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_SESSION_CIDS = tuple(one.CID for one in SESSIONS)


@check("multicastsetup", BOTH, "session-silent", clause="TR002, 4: bounded retries")
def session_silent(peer: ServerPeer) -> None:
    """A device that never answers about windows is given up, and does not hold the others."""
    need_groups(peer)
    bad, good = bad_and_good(peer)
    bad.says = dict.fromkeys(SESSIONS, says_always())
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, *SESSIONS)


@check("multicastsetup", BOTH, "session-answer-lost", clause="TS005, 7: repeat on silence")
def session_answer_lost(peer: ServerPeer) -> None:
    """A session request whose answer is lost is sent again, and the update goes on."""
    need_groups(peer)
    bad, good = bad_and_good(peer)
    for cid in _SESSION_CIDS:
        lose_answers(bad, "multicastsetup", cid, 2)
    peer.begin()
    peer.finish()
    if count(peer, bad, SESSIONS) < 2:
        raise Failed("the request was not sent again")
    peer.expect_updated([bad, *good])


def _refused(peer: ServerPeer, bits: int) -> tuple[FleetDevice, list[FleetDevice]]:
    """Play a device that refuses every window with these status bits."""
    need_groups(peer)
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
    need_groups(peer)
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
    need_groups(peer)
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
    need_groups(peer)
    if not peer.subject.about.versions.get("clocksync"):
        raise NotApplicable("the server does not speak clocksync")
    peer.draw_image()
    fleet = [peer.make_device(skew=skew) for skew in (-600.0, 600.0, 0.0)]
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)


@check("multicastsetup", BOTH, "straggler", clause="hostile devices: one does not hold the group")
def straggler(peer: ServerPeer) -> None:
    """A device that is dead from the beginning does not hold the group for long."""
    need_groups(peer)
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
    need_groups(peer)
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
