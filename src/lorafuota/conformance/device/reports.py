"""Checks of FragDataBlockReceivedReq (TS004-2.0.0): when the device reports, and how often."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Final

from ...fragmentation import v1, v2
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer
from ..subject import DeviceEvent, Rebooted, Uplink
from .block import ALL, KitBlock, delete, new_block, send, set_up, try_set_up
from .firmware import LATE, reboot_at
from .group import WINDOW_LEAD, class_c_req, set_up_group
from .spread import TRIALS, expect_random, expect_uniform, without_latency

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_REPORT: Final = "TS004-2.0.0, FragDataBlockReceivedReq"
_LATENESS: Final = 10.0


def _reports(peer: DevicePeer, within: float) -> list[tuple[float, v2.FragDataBlockReceivedReq]]:
    """Wait; return when the device reported, in seconds from now, and what."""
    began = peer.now
    return [(time - began, one) for time, one in _among(peer, peer.wait(within))]


def _among(
    peer: DevicePeer, events: Iterable[DeviceEvent]
) -> list[tuple[float, v2.FragDataBlockReceivedReq]]:
    """Return the reports among events, and when they came."""
    package, found = peer.package("fragmentation"), []
    fport = peer.packages.fport(package.name)
    for event in events:
        if isinstance(event, Uplink) and event.fport == fport:
            for one in peer.packages.parse(
                fport, v2.FragDataBlockReceivedReq.DIRECTION, event.payload
            ):
                if isinstance(one, v2.FragDataBlockReceivedReq):
                    found.append((event.time, one))
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


def _complete_small(peer: DevicePeer, block_ack_delay: int, count: int) -> None:
    """Complete a small block at once; nothing that is reported of it is missed."""
    block = new_block(
        peer, nb_frag=2, ack=True, block_ack_delay=block_ack_delay, session_cnt=count, mask=ALL
    )
    set_up(peer, block)
    peer.events()
    for n in (1, 2, 3):
        peer.send(block.package, block.fragment(n))


def _first_delays(peer: DevicePeer, block_ack_delay: int, trials: int) -> list[float]:
    """Complete one block after the other; return after how many seconds each is reported."""
    window, delays = float(1 << block_ack_delay + 4), []
    for count in range(1, trials + 1):
        _complete_small(peer, block_ack_delay, count)
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
    delays = _first_delays(peer, 1, TRIALS)
    expect_uniform(without_latency(delays, _LATENESS), 0.0, 32.0)


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


# --- Over a reset ---------------------------------------------------------------------------------


def _delays_after(
    peer: DevicePeer, block_ack_delay: int, reset: Callable[[DevicePeer], list[DeviceEvent]]
) -> list[float | None]:
    """Return after how many seconds reports came that waited over a reset; None: never.

    Args:
        peer: The device.
        block_ack_delay: Of each block.
        reset: Resets the device, and returns what happened before.

    Raises:
        NotApplicable: Most reports did not wait.
    """
    window, delays = float(1 << block_ack_delay + 4), list[float | None]()
    for count in range(1, 25):
        _complete_small(peer, block_ack_delay, count)
        if not _among(peer, reset(peer)):
            came = _reports(peer, window + _LATENESS)
            delays.append(came[0][0] if came else None)
        _acknowledge(peer, 0)
        peer.wait(1.0)
    if len(delays) < 12:
        raise NotApplicable("the device reports at once, whatever BlockAckDelay says")
    return delays


def _cut_power(peer: DevicePeer) -> list[DeviceEvent]:
    before = peer.events()
    peer.power_on()
    return before


def _have_rebooted(peer: DevicePeer) -> list[DeviceEvent]:
    due = float(int(peer.now) + 30)
    if not reboot_at(peer, due):
        raise NotApplicable("the device does not program the reboot")
    events = peer.wait(due + LATE - peer.now)
    times = [one.time for one in events if isinstance(one, Rebooted)]
    if not times:
        raise NotApplicable("the device does not reboot at its time")
    peer.put_back(one for one in events if one.time >= times[0])
    return [one for one in events if one.time < times[0]]


@CHECKS.check(
    "fragmentation",
    (2,),
    "report-delay-after-reset",
    clause="TS004-2.0.0, BlockAckDelay",
    severity=Severity.RECOMMENDED,
    needs=["power-cycle"],
)
def report_delay_after_reset(peer: DevicePeer) -> None:
    """A report that waited over a reset comes after a random part of the window again.

    Power comes back for a whole site at one time.  Reports that leave first thing afterwards, or
    after the first number of a generator that starts from the same place each time, collide.
    """
    delays = [one for one in _delays_after(peer, 2, _cut_power) if one is not None]
    if len(delays) < 12:
        raise NotApplicable("the device forgets its report in a reset")
    expect_random(delays, 0.0, 64.0)


@CHECKS.check(
    "fragmentation",
    (2,),
    "report-after-reboot",
    clause="TS004-2.0.0, BlockAckDelay; TS006, DevRebootTimeReq",
    severity=Severity.RECOMMENDED,
    needs=["power-cycle"],
)
def report_after_reboot(peer: DevicePeer) -> None:
    """A report that waited over a programmed reboot comes, after a random part of the window.

    TS006 reboots a whole fleet at one second.  The device must not clear the table that the server
    still waits for, and not say all it has to say in that second.
    """
    peer.package("firmwaremanagement")
    all_delays = _delays_after(peer, 7, _have_rebooted)
    delays = [one for one in all_delays if one is not None]
    if len(delays) < len(all_delays):
        raise Failed("expected the report after the reboot; came nothing")
    expect_random(delays, 0.0, 2_048.0)
