"""Checks of when a status request is answered (TS004): BlockAckDelay, with statistics."""

from __future__ import annotations

from typing import Final

from ...fragmentation import v1
from ...multicastsetup import v1 as multicastsetup
from ...package import Package
from ..check import Catalogue, Failed, NotApplicable, Severity
from ..devicepeer import DevicePeer, PeerGroup
from ..subject import Uplink
from .block import (
    ALL,
    KitBlock,
    new_block,
    send,
    set_up,
    status,
    try_set_up,
)
from .group import WINDOW_LEAD, class_c_req, set_up_group
from .spread import TRIALS, expect_random, expect_uniform, without_latency

__all__ = ["CHECKS"]

CHECKS: Final[Catalogue[DevicePeer]] = Catalogue()

_BOTH: Final = (1, 2)
_REQ: Final = "TS004, FragSessionStatusReq"
_DELAY: Final = "TS004, BlockAckDelay; LoRaMac-node issue 775; zephyr issue 108831"

_LATENESS: Final = 10.0
"""Seconds an uplink may leave after its time has come: a receive window, the duty cycle."""


def _group_session(peer: DevicePeer, block_ack_delay: int) -> tuple[PeerGroup, KitBlock]:
    """Set a group, its window, and a session it feeds up."""
    group = set_up_group(peer)
    block = new_block(peer, mask=ALL, block_ack_delay=block_ack_delay)
    set_up(peer, block)
    if "class-c" in peer.subject.about.can:
        peer.ask(peer.package("multicastsetup"), class_c_req(peer, group, time_out=15))
        peer.wait(WINDOW_LEAD + 5)
    return group, block


def _delay(peer: DevicePeer, group: PeerGroup, package: Package, within: float) -> float:
    """Ask for the status by multicast; return after how many seconds the answer comes."""
    fport = peer.packages.fport(package.name)
    peer.events()
    asked = peer.now
    peer.multicast(group, package, v1.FragSessionStatusReq(participants=True, frag_index=0))
    came = [
        one.time - asked
        for one in peer.wait(within)
        if isinstance(one, Uplink) and one.fport == fport
    ]
    if len(came) != 1:
        raise Failed(f"expected one answer within {within:.0f} s; came {len(came)}")
    return came[0]


def _delays(peer: DevicePeer, block_ack_delay: int, trials: int) -> list[float]:
    window = float(1 << block_ack_delay + 4)
    group, block = _group_session(peer, block_ack_delay)
    within = window + _LATENESS
    return [_delay(peer, group, block.package, within) for _ in range(trials)]


def _declare_delay(block_ack_delay: int) -> None:
    window = float(1 << block_ack_delay + 4)

    @CHECKS.check("fragmentation", _BOTH, f"status-delay-{block_ack_delay}", clause=_DELAY)
    def spread(peer: DevicePeer) -> None:
        """The answer to a multicast request comes after a random part of the window.

        It counts in seconds, 2**(BlockAckDelay + 4) of them; a known stack counted milliseconds,
        and its whole fleet answered at one time.
        """
        expect_random(_delays(peer, block_ack_delay, 24), 0.0, window)


for _value in range(8):
    _declare_delay(_value)


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "status-delay-uniform",
    clause=_DELAY,
    severity=Severity.RECOMMENDED,
)
def status_delay_uniform(peer: DevicePeer) -> None:
    """The delay is drawn evenly from the whole window.

    Answers that crowd at one end of it collide as if the window were shorter.
    """
    delays = _delays(peer, 1, TRIALS)
    expect_uniform(without_latency(delays, _LATENESS), 0.0, 32.0)


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "status-delay-fraction",
    clause=_DELAY,
    severity=Severity.RECOMMENDED,
)
def status_delay_fraction(peer: DevicePeer) -> None:
    """The delay is drawn finer than in whole seconds.

    Hundreds of devices that answer on 16 ticks collide as if there were no window.
    """
    delays = _delays(peer, 0, 24)
    if all(abs(one - round(one)) < 0.01 for one in delays):
        raise Failed("all delays are whole seconds")


@CHECKS.check(
    "fragmentation",
    _BOTH,
    "status-delay-after-reset",
    clause=_DELAY,
    severity=Severity.RECOMMENDED,
    needs=["power-cycle"],
)
def status_delay_after_reset(peer: DevicePeer) -> None:
    """The first delay after a reset is another one each time.

    A generator that starts from the same place whenever the device does lets two devices that once
    collide after a reboot of the fleet collide after every one.
    """
    delays = []
    for _ in range(24):
        peer.power_on()
        peer.ask(peer.package("fragmentation"), v1.FragSessionDeleteReq(frag_index=0))
        peer.ask(peer.package("multicastsetup"), multicastsetup.McGroupDeleteReq(mc_group_id=0))
        delays += _delays(peer, 0, 1)
    expect_random(delays, 0.0, 16.0)


@CHECKS.check("fragmentation", _BOTH, "status-unicast-soon", clause=_DELAY, severity=Severity.QUIRK)
def status_unicast_soon(peer: DevicePeer) -> None:
    """A unicast status request is answered at once: BlockAckDelay is for multicast.

    All known stacks delay these answers too; a server has to wait for the window either way.
    """
    block = new_block(peer, block_ack_delay=7)
    set_up(peer, block)
    if status(peer, 0, within=_LATENESS) is None:
        raise Failed(f"expected an answer within {_LATENESS:.0f} s; came nothing")


def _figures(answer: object) -> tuple[int | None, int | None]:
    """Return FragIndex and MissingFrag of an answer."""
    return getattr(answer, "frag_index", None), getattr(answer, "missing_frag", None)


@CHECKS.check("fragmentation", _BOTH, "status-by-multicast", clause=_REQ)
def status_by_multicast(peer: DevicePeer) -> None:
    """A status request by multicast is answered by unicast, once, with the right figures."""
    group, block = _group_session(peer, 0)
    send(peer, block, [1, 2, 3], group)
    peer.events()
    peer.multicast(group, block.package, v1.FragSessionStatusReq(participants=True, frag_index=0))
    came = peer.answers(block.package, within=16.0 + _LATENESS)
    figures = [_figures(one) for one in came]
    if figures != [(0, 7)]:
        raise Failed(f"expected one answer with 7 missing; came {came}")


@CHECKS.check(
    "fragmentation", _BOTH, "status-two-sessions", clause=_DELAY, severity=Severity.RECOMMENDED
)
def two_sessions_answer_apart(peer: DevicePeer) -> None:
    """Two sessions asked one after the other are both answered, each for itself.

    A device with one delay for all of them forgets the first answer, or mixes the figures.
    """
    first, second = new_block(peer, frag_index=0), new_block(peer, frag_index=1, nb_frag=6)
    set_up(peer, first)
    if try_set_up(peer, second.setup) != 0:
        raise NotApplicable("the device does one session at a time")
    peer.events()
    for index in (0, 1):
        peer.send(first.package, v1.FragSessionStatusReq(participants=True, frag_index=index))
    came = peer.answers(first.package, within=16.0 + _LATENESS)
    figures = {
        (getattr(one, "frag_index", None), getattr(one, "missing_frag", None)) for one in came
    }
    if figures != {(0, 10), (1, 6)}:
        raise Failed(f"expected both sessions' figures; came {came}")
