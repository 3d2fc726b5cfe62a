"""Checks of FragDataBlockReceivedReq (TS004-2.0.0): when the device reports, and how often."""

from __future__ import annotations

import itertools
from typing import Final

from ...fragmentation import v1, v2
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import Uplink
from .block import ALL, KitBlock, delete, new_block, send, set_up, try_set_up
from .group import WINDOW_LEAD, class_c_req, set_up_group
from .spread import TRIALS, expect_random, expect_uniform

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_REPORT: Final = "TS004-2.0.0, FragDataBlockReceivedReq"
_LATENESS: Final = 10.0


def _reports(peer: DevicePeer, within: float) -> list[tuple[float, v2.FragDataBlockReceivedReq]]:
    """Wait; return when the device reported, in seconds from now, and what."""
    package, began = peer.package("fragmentation"), peer.now
    fport, found = peer.packages.fport(package.name), []
    for event in peer.wait(within):
        if isinstance(event, Uplink) and event.fport == fport:
            for one in peer.packages.parse(
                fport, v2.FragDataBlockReceivedReq.DIRECTION, event.payload
            ):
                if isinstance(one, v2.FragDataBlockReceivedReq):
                    found.append((event.time - began, one))
    return found


def _first_report(peer: DevicePeer, within: float) -> v2.FragDataBlockReceivedReq | None:
    """Let time pass until the device reports, or *within* is over; return the report."""
    end = peer.now + within
    while peer.now < end:
        found = _reports(peer, 0.25)
        if found:
            return found[-1][1]
    return None


def _complete(peer: DevicePeer, block: KitBlock) -> None:
    """Set a session up and send its block; the report is to come from now on."""
    set_up(peer, block)
    peer.events()
    send(peer, block, [*block.plain[:-1], len(block.plain) + 1])
    peer.events()
    n = block.completed([*block.plain[:-1], len(block.plain) + 1])
    numbers = n[len(block.plain) :] or [len(block.plain)]
    for number in numbers:
        peer.send(block.package, block.fragment(number))


def _acknowledge(peer: DevicePeer, frag_index: int) -> None:
    package = peer.package("fragmentation")
    peer.send(package, v2.FragDataBlockReceivedAns(frag_index=frag_index))


@CHECKS.check("fragmentation", (2,), "report", clause=_REPORT)
def report(peer: DevicePeer) -> None:
    """With AckReception the device reports a good block, within the window of BlockAckDelay."""
    index = peer.subject.about.frag_indices - 1
    block = new_block(peer, ack=True, frag_index=index, block_ack_delay=1)
    _complete(peer, block)
    came = _reports(peer, 32.0 + _LATENESS)
    wanted = v2.FragDataBlockReceivedReq(frag_index=index, mic_error=False)
    if not came or came[0][1] != wanted:
        raise Failed(f"expected {wanted}; came {came[0][1] if came else 'nothing'}")
    _acknowledge(peer, index)


@CHECKS.check("fragmentation", (2,), "report-not-asked", clause="TS004-2.0.0, AckReception")
def report_not_asked(peer: DevicePeer) -> None:
    """Without AckReception the device reports nothing by itself."""
    _complete(peer, new_block(peer, ack=False))
    came = _reports(peer, 120.0)
    if came:
        raise Failed(f"expected silence; came {came[0][1]}")


@CHECKS.check("fragmentation", (2,), "report-not-early", clause=_REPORT)
def report_not_early(peer: DevicePeer) -> None:
    """Nothing is reported before the block is complete."""
    block = new_block(peer, ack=True)
    set_up(peer, block)
    send(peer, block, block.plain[:9])
    came = _reports(peer, 60.0)
    if came:
        raise Failed(f"expected silence; came {came[0][1]}")


@CHECKS.check("fragmentation", (2,), "report-mic-error", clause="TS004-2.0.0, MICError")
def report_mic_error(peer: DevicePeer) -> None:
    """A block with another MIC is reported with MICError."""
    good, wrong = new_block(peer, ack=True), new_block(peer, session_cnt=2)
    set_up(peer, good)
    peer.events()
    send(peer, wrong, [*wrong.plain, 11])
    came = _reports(peer, 16.0 + _LATENESS)
    wanted = v2.FragDataBlockReceivedReq(frag_index=0, mic_error=True)
    if not came or came[0][1] != wanted:
        raise Failed(f"expected {wanted}; came {came[0][1] if came else 'nothing'}")


@CHECKS.check("fragmentation", (2,), "report-mic-without-ack", clause="TS004-2.0.0, MIC")
def report_mic_without_ack(peer: DevicePeer) -> None:
    """The MIC is checked without AckReception too: a wrong block is not delivered.

    ST looks at the MIC only where it is to report.
    """
    peer.need("blocks")
    good, wrong = new_block(peer, ack=False), new_block(peer, session_cnt=2)
    set_up(peer, good)
    peer.events()
    send(peer, wrong, [*wrong.plain, 11])
    delivered = [one for one in peer.wait(60.0) if type(one).__name__ == "BlockDelivered"]
    if delivered:
        raise Failed("a block with another MIC was delivered")


@CHECKS.check("fragmentation", (2,), "report-stops", clause=_REPORT)
def report_stops(peer: DevicePeer) -> None:
    """The answer of the server ends the reports."""
    block = new_block(peer, ack=True)
    _complete(peer, block)
    if _first_report(peer, 16.0 + _LATENESS) is None:
        raise Failed("expected a report; came nothing")
    _acknowledge(peer, 0)
    peer.wait(0.5)
    came = _reports(peer, 300.0)
    if came:
        raise Failed(f"expected silence after the answer; came {came[0][1]}")


@CHECKS.check(
    "fragmentation", (2,), "report-repeats", clause=_REPORT, severity=Severity.RECOMMENDED
)
def report_repeats(peer: DevicePeer) -> None:
    """Without an answer the device reports again, a few times and not for ever.

    The text leaves the number to the application.  Every 1.5 s without end, as one stack does,
    drains a battery in a day; once only is lost with one frame.
    """
    block = new_block(peer, ack=True)
    _complete(peer, block)
    count = len(_reports(peer, 3600.0))
    if not 2 <= count <= 30:
        raise Failed(f"expected 2 to 30 reports in an hour; came {count}")


@CHECKS.check("fragmentation", (2,), "report-other-index", clause=_REPORT)
def report_other_index(peer: DevicePeer) -> None:
    """An answer about another FragIndex does not end the reports."""
    index = min(1, peer.subject.about.frag_indices - 1)
    _complete(peer, new_block(peer, ack=True, frag_index=index))
    if _first_report(peer, 16.0 + _LATENESS) is None:
        raise Failed("expected a report; came nothing")
    if _first_report(peer, 300.0) is None:
        raise NotApplicable("the device reports once")
    _complete(peer, new_block(peer, ack=True, frag_index=index, session_cnt=2))
    _first_report(peer, 16.0 + _LATENESS)
    _acknowledge(peer, (index + 1) % 4)
    if _first_report(peer, 300.0) is None:
        raise Failed("expected the reports to go on; came nothing")


@CHECKS.check("fragmentation", (2,), "report-ack-by-multicast", clause="TS004-2.0.0, unicast only")
def report_ack_by_multicast(peer: DevicePeer) -> None:
    """An answer to the report that comes by multicast is ignored."""
    group = set_up_group(peer)
    if "class-c" in peer.subject.about.can:
        peer.ask(peer.package("multicastsetup"), class_c_req(peer, group, time_out=15))
        peer.wait(WINDOW_LEAD + 5)
    _complete(peer, new_block(peer, ack=True))
    _first_report(peer, 16.0 + _LATENESS)
    if _first_report(peer, 300.0) is None:
        raise NotApplicable("the device reports once")
    _complete(peer, new_block(peer, ack=True, session_cnt=2))
    _first_report(peer, 16.0 + _LATENESS)
    answer = v2.FragDataBlockReceivedAns(frag_index=0)
    peer.multicast(group, peer.package("fragmentation"), answer)
    if _first_report(peer, 300.0) is None:
        raise Failed("expected the reports to go on; came nothing")


@CHECKS.check(
    "fragmentation", (2,), "report-deleted", clause=_REPORT, severity=Severity.RECOMMENDED
)
def report_deleted(peer: DevicePeer) -> None:
    """A delete ends the reports of its session."""
    block = new_block(peer, ack=True, block_ack_delay=3)
    _complete(peer, block)
    delete(peer, 0)
    came = _reports(peer, 600.0)
    if came:
        raise Failed(f"expected silence after the delete; came {came[0][1]}")


@CHECKS.check("fragmentation", (2,), "report-replaced", clause=_REPORT)
def report_replaced(peer: DevicePeer) -> None:
    """A new session of the index ends the reports of the old one.

    A server that opens the next session would take the late report for the new block.
    """
    _complete(peer, new_block(peer, ack=True, block_ack_delay=3))
    errors = try_set_up(peer, new_block(peer, ack=True, session_cnt=2).setup)
    if errors != 0:
        raise Failed(f"expected the other set-up to be accepted; came {errors}")
    came = _reports(peer, 600.0)
    if came:
        raise Failed(f"expected silence about the session that is gone; came {came[0][1]}")


@CHECKS.check("fragmentation", (2,), "report-while-asked", clause=_REPORT)
def report_while_asked(peer: DevicePeer) -> None:
    """A status request while a report waits is answered, and the report comes all the same."""
    _complete(peer, new_block(peer, ack=True, block_ack_delay=2))
    peer.send(
        peer.package("fragmentation"), v1.FragSessionStatusReq(participants=True, frag_index=0)
    )
    came = peer.answers(peer.package("fragmentation"), within=64.0 + _LATENESS)
    kinds = {type(one).__name__ for one in came}
    if kinds != {"FragSessionStatusAns", "FragDataBlockReceivedReq"}:
        raise Failed(f"expected a status answer and a report; came {', '.join(sorted(kinds))}")


@CHECKS.check(
    "fragmentation",
    (2,),
    "report-survives-reset",
    clause="TS004-2.0.0 leaves it open",
    severity=Severity.RECOMMENDED,
    needs=["power-cycle"],
)
def report_survives_reset(peer: DevicePeer) -> None:
    """A report that waits is sent after a power cycle too: the server waits for it."""
    _complete(peer, new_block(peer, ack=True, block_ack_delay=3))
    peer.power_on()
    if not _reports(peer, 300.0):
        raise Failed("expected the report after the reset; came nothing")


def _first_delays(peer: DevicePeer, block_ack_delay: int, trials: int) -> list[float]:
    """Complete one block after the other; return after how many seconds each is reported."""
    window, delays = float(1 << block_ack_delay + 4), []
    for count in range(1, trials + 1):
        block = new_block(
            peer, nb_frag=2, ack=True, block_ack_delay=block_ack_delay, session_cnt=count, mask=ALL
        )
        set_up(peer, block)
        peer.events()
        for n in (1, 2, 3):
            peer.send(block.package, block.fragment(n))
        came = _reports(peer, window + _LATENESS)
        if not came:
            raise Failed(f"expected a report within {window:.0f} s; came nothing")
        delays.append(came[0][0])
        _acknowledge(peer, 0)
        peer.wait(1.0)
    return delays


@CHECKS.check("fragmentation", (2,), "report-delay", clause="TS004-2.0.0, BlockAckDelay")
def report_delay(peer: DevicePeer) -> None:
    """The first report comes after a random part of the window.

    A fleet that gets its last fragment at one time must not answer at one time.
    """
    expect_random(_first_delays(peer, 2, 24), 0.0, 64.0)


@CHECKS.check(
    "fragmentation",
    (2,),
    "report-delay-uniform",
    clause="TS004-2.0.0, BlockAckDelay",
    severity=Severity.RECOMMENDED,
)
def report_delay_uniform(peer: DevicePeer) -> None:
    """The delay of the first report is drawn evenly from the whole window."""
    expect_uniform(_first_delays(peer, 1, TRIALS), 0.0, 32.0)


@CHECKS.check(
    "fragmentation",
    (2,),
    "report-repeat-delay",
    clause="TS004-2.0.0, BlockAckDelay",
    severity=Severity.RECOMMENDED,
)
def report_repeat_delay(peer: DevicePeer) -> None:
    """The distances of the repeats are drawn anew each time.

    Two devices that once collide and repeat at fixed distances collide for ever.
    """
    gaps: list[float] = []
    for count in range(1, 13):
        _complete(peer, new_block(peer, nb_frag=3, ack=True, session_cnt=count))
        times = [time for time, _ in _reports(peer, 120.0)][:3]
        gaps += [later - earlier for earlier, later in itertools.pairwise(times)]
        _acknowledge(peer, 0)
        peer.wait(1.0)
    if gaps:
        expect_random(gaps, 0.0, 16.0)
