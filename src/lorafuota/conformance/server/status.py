"""TS004: what devices say of the block, and what may be believed."""

from __future__ import annotations

from collections.abc import Iterable

from ...fragmentation import v1, v2
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..fleetdevice import Air, FleetDevice
from ..serverpeer import ServerPeer
from ._common import (
    BOTH,
    MOST_REQUESTS,
    SETUPS,
    bad_and_good,
    expect_bounded,
    expect_fragments,
    finish_without,
    lose_answers,
    rewrite,
    rewrite_status,
    setups,
    status_ans,
    swallow_reports,
)

__all__ = ["CHECKS"]

CHECKS: Catalogue[ServerPeer] = Catalogue()
check = CHECKS.check

_REPORT = v2.FragDataBlockReceivedReq.CID


def _asks(peer: ServerPeer) -> int:
    """Return how often the fleet was asked what it misses, by unicast and by multicast."""
    by_group = [one for one in peer.observer.frames if one.payload[:1] == b"\x01"]
    return len(peer.sent(v1.FragSessionStatusReq)) + len(by_group)


def _old(peer: ServerPeer) -> bool:
    return peer.version("fragmentation") == 1


def _index(peer: ServerPeer) -> int:
    """Return the FragIndex the server uses: of the first set-up, 0 before it."""
    found = setups(peer)
    return found[0].frag_index if found else 0


def _saying(
    peer: ServerPeer, status: bytes | Iterable[bytes], **also: bool
) -> tuple[FleetDevice, list[FleetDevice]]:
    """Play a device that hears nothing, and answers status requests with these octets."""
    bad, good = bad_and_good(peer)
    bad.loses = lambda n: True
    swallow_reports(bad)
    rewrite_status(bad, *([status] if isinstance(status, bytes) else status))
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, v1.FragSessionStatusReq, most=2 * MOST_REQUESTS)
    expect_bounded(peer, bad, *SETUPS)
    return bad, good


@check("fragmentation", BOTH, "well-formed", clause="TS004, 1.1: lengths, reserved bits 0")
def well_formed(peer: ServerPeer) -> None:
    """Everything on the package's port has the layout of the device's version, reserved bits 0.

    A version 2 set-up is read by a version 1 device as a shorter one and two phantom commands
    (SWL2001 116); the other way round it is dropped in silence.
    """
    peer.play(2)
    peer.finish()
    peer.strict("fragmentation")


@check("fragmentation", BOTH, "success-asked", clause="TR002, 11b: collect completion")
def success_asked(peer: ServerPeer) -> None:
    """Nothing is called a success that no device has confirmed.

    Here every device gets the whole block and then cannot be heard any more.
    """
    fleet = peer.play(2)
    peer.run(lambda: all(one.heard for one in fleet))
    for device in fleet:
        device.mute = True
    peer.finish()
    for device in fleet:
        said = peer.outcomes.get(device.entry.dev_eui)
        if said is not None and (said.status == "Successful" or said.reached):
            raise Failed("a device that never said so is reported updated")


@check("fragmentation", BOTH, "transported-only", clause="honest reports; TS004-1.0.0 has no MIC")
def transported_only(peer: ServerPeer) -> None:
    """Transported, verified and installed are kept apart.

    Version 1 has no MIC: its word is that all fragments are there, no more.  Version 2 has verified
    the block.  Nothing was installed here.
    """
    fleet = peer.play(2)
    peer.finish()
    peer.expect_updated(fleet)
    wanted = "transported" if peer.version("fragmentation") == 1 else "verified"
    for device in fleet:
        if peer.reached(device) != wanted:
            raise Failed(f"the device has proved {wanted!r}; reported is {peer.reached(device)!r}")


@check(
    "fragmentation",
    BOTH,
    "nothing-yet",
    clause="TS004 reference, 9.3: all zeros before the first fragment",
)
def nothing_yet(peer: ServerPeer) -> None:
    """NbFragReceived 0 with MissingFrag 0 is "nothing yet", not "nothing missing".

    LoRa Basics Modem answers so before the first fragment.
    """
    octets = status_ans(peer, frag_index=0, received=0, missing=0).encode()
    _saying(peer, octets)


@check(
    "fragmentation",
    BOTH,
    "too-few",
    clause="field reports: 0 missing counts with NbFrag received only",
)
def too_few(peer: ServerPeer) -> None:
    """MissingFrag 0 with fewer than NbFrag fragments received is no success."""
    bad, good = bad_and_good(peer)
    bad.loses = lambda n: n % 2 == 0
    swallow_reports(bad)

    def how(air: Air) -> list[Air]:
        said = status_ans(peer, frag_index=_index(peer), received=peer.nb_frag - 5, missing=0)
        return [(air[0], air[1], said.encode())] if not bad.has_block else [air]

    rewrite(bad, "fragmentation", v1.FragSessionStatusAns.CID, how)
    bad.loses = lambda n: n > 5
    peer.begin()
    finish_without(peer, bad, good)


@check("fragmentation", BOTH, "other-index", clause="TS004, 8.2: the index has to match")
def other_index(peer: ServerPeer) -> None:
    """A status about another FragIndex says nothing of this session."""
    octets = status_ans(peer, frag_index=3, received=24, missing=0).encode()
    bad, good = bad_and_good(peer)
    bad.loses = lambda n: True
    swallow_reports(bad)
    rewrite_status(bad, octets)
    peer.begin()
    if _index(peer) == 3:
        return
    finish_without(peer, bad, good)


@check("fragmentation", BOTH, "memory-error", clause="TS004, FragSessionStatusAns, memory bit")
def memory_error(peer: ServerPeer) -> None:
    """A device that has given up for want of memory is no success, under that name."""
    octets = status_ans(peer, frag_index=0, received=12, missing=8, memory_error=True).encode()
    bad, _ = _saying(peer, octets)
    peer.expect_status(bad, "MemoryError")


@check(
    "fragmentation", BOTH, "memory-error-complete", clause="TS004, 4.2: such a session never ends"
)
def memory_error_complete(peer: ServerPeer) -> None:
    """MissingFrag 0 with the memory bit set is no success.

    One stack calls its own application back as if the block were complete.
    """
    octets = status_ans(peer, frag_index=0, received=24, missing=0, memory_error=True).encode()
    _saying(peer, octets)


@check("fragmentation", (2,), "mic-error", clause="TS004-2.0.0, FragSessionStatusAns, MICError")
def mic_error(peer: ServerPeer) -> None:
    """A device whose block has another MIC is no success, under that name."""
    octets = status_ans(peer, frag_index=0, received=24, missing=0, mic_error=True).encode()
    bad, _ = _saying(peer, octets)
    peer.expect_status(bad, "MICError")


@check("fragmentation", (2,), "report-mic-error", clause="TS004-2.0.0, FragDataBlockReceivedReq")
def report_mic_error(peer: ServerPeer) -> None:
    """A report with MICError is no success, under that name, and is acknowledged."""
    bad, good = bad_and_good(peer)
    bad.honest = False

    def how(air: Air) -> list[Air]:
        return [(air[0], air[1], bytes((_REPORT, air[2][1] | 4)))]

    rewrite(bad, "fragmentation", _REPORT, how)
    told = status_ans(peer, frag_index=0, received=24, missing=0, mic_error=True)
    rewrite_status(bad, told)
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, *SETUPS)
    asked = any(
        isinstance(one, v2.FragSessionSetupReq) and one.ack_reception for one in setups(peer)
    )
    if asked and not peer.sent(v2.FragDataBlockReceivedAns, bad):
        raise Failed("a report with MICError was not acknowledged")


@check(
    "fragmentation",
    (2,),
    "report-answered",
    clause="TS004-2.0.0, 4.4: FragDataBlockReceivedAns",
)
def report_answered(peer: ServerPeer) -> None:
    """Every FragDataBlockReceivedReq is answered with its FragIndex, repeats too.

    The device repeats it until it hears the answer; a server that ignores it makes the whole fleet
    repeat.
    """
    bad, good = bad_and_good(peer)
    good[0].loses = lambda n: n > 12  # it needs long enough for all reports to be heard
    reports: list[float] = []

    def how(air: Air) -> list[Air]:
        copies = [(air[0] + wait, air[1], air[2]) for wait in (0.0, 40.0, 80.0)]
        reports.extend(at for at, _, _ in copies)
        return copies

    rewrite(bad, "fragmentation", _REPORT, how)
    lose = [2]

    def drops(fport: int, payload: bytes) -> bool:
        if fport == 201 and payload[:1] == b"\x04" and lose[0]:
            lose[0] -= 1
            return True
        return False

    bad.drops = drops
    peer.begin()
    peer.finish()
    expect_fragments(peer)
    due = [at for at in reports if peer.ended is None or at < peer.ended]
    if not due:
        raise NotApplicable("no device reports: AckReception is not set, or the update ends before")
    answers = peer.sent(v2.FragDataBlockReceivedAns, bad)
    if len(answers) < len(due):
        raise Failed(f"{len(due)} reports, {len(answers)} answers")
    wrong = [one.frag_index for one in answers if one.frag_index != _index(peer)]
    if wrong:
        raise Failed(f"a report about FragIndex {_index(peer)} was answered with {wrong[0]}")


@check(
    "fragmentation",
    (2,),
    "session-gone",
    clause="TS004-2.0.0, 8.2: session does not exist, back to the set-up",
    severity=Severity.RECOMMENDED,
)
def session_gone(peer: ServerPeer) -> None:
    """A device that has lost its session is set up again, and gets the block.

    The answer has one octet behind its CID; a server that wants four cannot read it.
    """
    bad, good = bad_and_good(peer)
    bad.loses = lambda n: n % 2 == 0
    told: list[float] = []

    def how(air: Air) -> list[Air]:
        if told:
            return [air]
        told.append(air[0])
        bad.lose_sessions()
        return [(air[0], air[1], bytes.fromhex("0104"))]

    rewrite(bad, "fragmentation", v1.FragSessionStatusAns.CID, how)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check(
    "fragmentation", (2,), "session-gone-always", clause="TS004-2.0.0; TR002, 4: bounded retries"
)
def session_gone_always(peer: ServerPeer) -> None:
    """A device that never has a session when asked is given up in the end."""
    _saying(peer, bytes.fromhex("0104"))


@check(
    "fragmentation",
    (2,),
    "session-gone-long",
    clause="TS004 reference, 9.3: LoRa Basics Modem's four octets",
    severity=Severity.RECOMMENDED,
)
def session_gone_long(peer: ServerPeer) -> None:
    """The answer "session does not exist" with three stale octets behind it is no MIC error."""
    bad, _ = _saying(peer, bytes.fromhex("0106004000"))
    said = peer.outcomes.get(bad.entry.dev_eui)
    if said is not None and said.status == "MICError":
        raise Failed("the stale bit was taken for a MIC error")


@check("fragmentation", BOTH, "status-lost", clause="TR002, 4: repeat on silence")
def status_lost(peer: ServerPeer) -> None:
    """A device whose first word about the block is lost is asked again.

    Silence is no success, and no failure yet.
    """
    bad, good = bad_and_good(peer)
    swallow_reports(bad)
    lose_answers(bad, "fragmentation", v1.FragSessionStatusAns.CID, 2)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("fragmentation", BOTH, "status-never", clause="TR002, 4: bounded retries")
def status_never(peer: ServerPeer) -> None:
    """A device that never says anything of the block is given up, and nothing is claimed."""
    bad, good = bad_and_good(peer)
    swallow_reports(bad)
    rewrite(bad, "fragmentation", v1.FragSessionStatusAns.CID, lambda air: ())
    bad.honest = False
    peer.begin()
    finish_without(peer, bad, good)
    expect_bounded(peer, bad, v1.FragSessionStatusReq, most=2 * MOST_REQUESTS)


@check("fragmentation", BOTH, "status-late", clause="TS004, 4.5: answers are spread")
def status_late(peer: ServerPeer) -> None:
    """Answers that come an hour late, and twice, change nothing that was right."""
    bad, good = bad_and_good(peer)

    def how(air: Air) -> list[Air]:
        return [(air[0] + wait, air[1], air[2]) for wait in (20.0, 3_600.0)]

    rewrite(bad, "fragmentation", v1.FragSessionStatusAns.CID, how)
    peer.begin()
    peer.finish()
    peer.expect_updated([bad, *good])


@check("fragmentation", BOTH, "claims-early", clause="honest reports: no success without the block")
def claims_early(peer: ServerPeer) -> None:
    """A device that reports a complete block before the first fragment is not believed."""
    bad, good = bad_and_good(peer)
    bad.loses = lambda n: True
    swallow_reports(bad)

    def how(air: Air) -> list[Air]:
        at, fport, octets = air
        index = octets[1] >> 6
        claims = [status_ans(peer, frag_index=index, received=24, missing=0).encode()]
        if peer.version("fragmentation") == 2:
            claims.append(bytes((_REPORT, index)))
        before: list[Air] = [(at, fport, one) for one in claims]
        # behind the acceptance a server may have sent the first fragment by unicast
        behind: list[Air] = [(at + 2.0, fport, one) for one in claims if bad.entry.multicast]
        return [*before, (at + 1.0, fport, octets), *behind]

    rewrite(bad, "fragmentation", v1.FragSessionSetupAns.CID, how)
    peer.begin()
    finish_without(peer, bad, good)


@check(
    "fragmentation",
    BOTH,
    "poll-spread",
    clause="TS004, 4.5: BlockAckDelay; LoRaMac-node 775, zephyr 108831",
    severity=Severity.RECOMMENDED,
)
def poll_spread(peer: ServerPeer) -> None:
    """The answers of sixty devices are spread, not called for at one instant.

    By one frame, BlockAckDelay has to give them room; one by one, the requests have to.
    """
    if not peer.by_groups:
        raise NotApplicable("devices served one by one answer when they happen to speak")
    fleet = peer.play(60)
    peer.finish()
    times = sorted(peer.times(v1.FragSessionStatusReq))
    for at, first in enumerate(times):
        together = sum(one < first + 1.0 for one in times[at:])
        if together > 10:
            raise Failed(f"{together} devices were asked within a second")
    expect_fragments(peer)
    asked = [one for one in peer.observer.frames if one.payload[:1] == b"\x01"]
    room = min((16 << one.block_ack_delay for one in setups(peer)), default=16)
    reports = any(
        isinstance(one, v2.FragSessionSetupReq) and one.ack_reception for one in setups(peer)
    )
    if (asked or (reports and peer.by_groups)) and room < 16 * 2 and len(fleet) / room > 2.5:
        raise Failed(f"{len(fleet)} devices answer one frame within {room} s")
    if not (asked or times or reports):
        raise NotApplicable("the server asks nobody")


@check(
    "fragmentation",
    BOTH,
    "poll-spread-unicast",
    clause="TS004, 4.5; LoRaMac-node 775, zephyr 108831",
    severity=Severity.RECOMMENDED,
)
def poll_spread_unicast(peer: ServerPeer) -> None:
    """Sixty devices that did not hear the question for all are not asked within a few seconds."""
    if not peer.by_groups:
        raise NotApplicable("devices served one by one answer when they happen to speak")
    peer.draw_image()
    fleet = peer.devices(60)
    for device in fleet:
        device.misses = lambda payload: payload[:1] == b"\x01"
        swallow_reports(device)
    peer.begin()
    peer.finish()
    peer.expect_updated(fleet)
    times = sorted(peer.times(v1.FragSessionStatusReq))
    for at, first in enumerate(times):
        together = sum(one < first + 1.0 for one in times[at:])
        if together > 10:
            raise Failed(f"{together} devices were asked within a second")


@check(
    "fragmentation",
    BOTH,
    "session-deleted",
    clause="TS004, 8.2, step 7",
    severity=Severity.RECOMMENDED,
)
def session_deleted(peer: ServerPeer) -> None:
    """In the end every device is told to delete the session."""
    fleet = peer.play(2)
    peer.finish()
    for device in fleet:
        deletes = peer.times(v1.FragSessionDeleteReq, device)
        set_up = peer.times(
            v1.FragSessionSetupReq if _old(peer) else v2.FragSessionSetupReq, device
        )
        if not set_up or not deletes or max(deletes) < max(set_up):
            raise Failed(f"{device.entry.dev_eui} keeps the session for ever")


@check("fragmentation", BOTH, "asks-in-bounds", clause="hostile devices: bounded retries")
def asks_in_bounds(peer: ServerPeer) -> None:
    """A fleet that is complete is not asked again and again."""
    fleet = peer.play(3)
    peer.finish()
    peer.expect_updated(fleet)
    if _asks(peer) > 12:
        raise Failed(f"{_asks(peer)} status requests for three devices without losses")
