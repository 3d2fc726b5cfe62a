"""How devices answer: all at once, too often, with figures that never fall, or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ..case import Case
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..transfer import Status, Transfer
from ..words import times

__all__ = ["look"]

_FEW: Final = 3
_UPLINK_SECONDS: Final = 10.0
_MANY: Final = 16
_PER_SECOND: Final = 4.0
_IN_ONE_SECOND: Final = 10
_SHARE: Final = 50
"""Answers that all come in this part of their spread were not spread over it."""
_SPARE: Final = 7
"""So many fragments more than are missing complete a block in 99 of 100 cases (TS004)."""
_MASK: Final = 255


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Look at the times and the figures of status answers and reports."""
    transfers = list(transfers)
    yield from _spread(case, transfers)
    for one in transfers:
        yield from _reports(one)
        yield from _one_missing(one)
        yield from _never_falls(one)
        yield from _participants(one)


def _spread(case: Case, transfers: list[Transfer]) -> Iterator[Finding]:
    """Look at the answers to each status request that went to a group."""
    for group in case.groups.values():
        for request in group.requests:
            if request.time is None:
                continue
            asked = [one for one in transfers if request in one.requests]
            spread = max((16 << one.req.block_ack_delay for one in asked), default=16)
            latest = request.time + spread + _UPLINK_SECONDS
            times = sorted(
                min(times) - request.time
                for one in asked
                if (times := [t for t in _times(one) if request.time <= t <= latest])
            )
            yield from _at_once(times, spread, request.at)


def _times(one: Transfer) -> list[float]:
    return [each.time for each in one.statuses if each.time is not None]


def _at_once(times: Sequence[float], spread: int, at: int) -> Iterator[Finding]:
    if len(times) >= _FEW and times[-1] <= spread / _SHARE:
        text = (
            f"{len(times)} answers came within {times[-1]:.2f} s, where BlockAckDelay spreads them "
            f"over {spread} s"
        )
        says = "devices take BlockAckDelay for milliseconds, as Zephyr did before mid-2026"
        yield Finding(Symptom.DELAY_IN_MILLISECONDS, says, (Evidence(Weight.STRONG, text, (at,)),))
    busiest = max((sum(t <= u < t + 1 for u in times) for t in times), default=0)
    rate = len(times) / spread
    if busiest < _IN_ONE_SECOND and (len(times) < _MANY or rate <= _PER_SECOND):
        return
    text = (
        f"{len(times)} answers to one request, {busiest} of them within a second; BlockAckDelay "
        f"spreads them over {spread} s, {rate:.1f} a second on average"
    )
    says = "more devices answer than the air can take, and their answers collide"
    yield Finding(Symptom.ANSWER_STORM, says, (Evidence(Weight.STRONG, text, (at,)),))


def _reports(one: Transfer) -> Iterator[Finding]:
    if len(one.reports) < 2 or one.acknowledged:
        return
    text = f"FragDataBlockReceivedReq came {len(one.reports)} times, and no answer was sent"
    says = (
        "the server does not answer FragDataBlockReceivedReq (ChirpStack ignores it): the device "
        "repeats it"
    )
    frames = tuple(each.at for each in one.reports[:8])
    evidence = (Evidence(Weight.STRONG, text, frames),)
    yield Finding(Symptom.REPORT_UNANSWERED, says, evidence, one.dev_eui)


def _one_missing(one: Transfer) -> Iterator[Finding]:
    """Find LoRa Basics Modem's status after a transfer without loss (SWL2001 issue 101)."""
    told = one.told()
    if not told or one.req.nb_frag < 2 or one.success or one.made_good:
        return
    answer, status = told[-1]
    if status.missing != 1 or status.received != one.req.nb_frag or status.memory_error:
        return
    evidence = []
    sent = {each.what.n for each in one.fragments if each.at < answer.at and each.what.n}
    if len(sent) == status.received and sent >= set(range(1, one.req.nb_frag + 1)):
        text = (
            f"NbFragReceived is {status.received}, as many as were sent: none was lost, and yet "
            "MissingFrag is 1"
        )
        evidence.append(Evidence(Weight.STRONG, text, (answer.at,)))
    evidence += _frozen(one)
    if len(sent) >= one.req.nb_frag + _SPARE:
        text = f"NbFragReceived stopped at NbFrag, {one.req.nb_frag}, of {len(sent)} that were sent"
        evidence.append(Evidence(Weight.HINT, text, (answer.at,)))
    if evidence:
        says = (
            "MissingFrag is 1 although nothing was lost, as LoRa Basics Modem up to 4.8 has it: "
            "the block is there"
        )
        yield Finding(Symptom.MISSING_ONE, says, tuple(evidence), one.dev_eui)


def _frozen(one: Transfer) -> Iterator[Evidence]:
    """Find a device that takes no more fragments, as one does whose block is complete."""
    longest: tuple[int, tuple[int, int], Status] | None = None
    for status, run in itertools.groupby(one.told(), key=lambda each: each[1]):
        ats = [answer.at for answer, _ in run]
        coded = {
            each.what.n
            for each in one.fragments
            if ats[0] < each.at < ats[-1] and each.what.n > one.req.nb_frag
        }
        if len(coded) >= _FEW and (longest is None or len(coded) > longest[0]):
            longest = len(coded), (ats[0], ats[-1]), status
    if longest is None:
        return
    number, frames, status = longest
    text = (
        f"{number} coded fragments were sent, and the status stays at {status.received} received, "
        f"{status.missing} missing: the device takes none"
    )
    # a few may all be lost
    yield Evidence(Weight.STRONG if number >= 2 * _FEW else Weight.FAIR, text, frames)


def _never_falls(one: Transfer) -> Iterator[Finding]:
    """Find counts of lost fragments that stay, however many are repaired (LoRaMac-node, ST)."""
    told = one.told()
    if not told or one.req.nb_frag < 2 or one.success or one.made_good:
        return
    answer, status = told[-1]
    past = status.received - one.req.nb_frag - status.missing
    if not status.missing or status.memory_error or past < 0:
        return
    evidence = list(_frozen(one))
    sent = [each.what.n for each in one.fragments if each.at < answer.at]
    if past >= _SPARE or (past > 0 and status.received in sent and len(sent) > status.received):
        text = (
            f"NbFragReceived is {status.received}, {past} more than NbFrag and MissingFrag "
            f"{status.missing} together: that many are hardly ever needed"
        )
        weight = Weight.HINT if past < _SPARE else Weight.FAIR
        weight = Weight.STRONG if past >= 2 * _SPARE else weight
        evidence.append(Evidence(weight, text, (answer.at,)))
    if evidence:
        says = (
            "MissingFrag counts what was lost, repaired or not, as in LoRaMac-node and ST's "
            "middleware: the block may well be complete"
        )
        yield Finding(Symptom.MISSING_NEVER_FALLS, says, tuple(evidence), one.dev_eui)


def _participants(one: Transfer) -> Iterator[Finding]:
    """Find a device that is asked what it misses, misses nothing, and so keeps silent."""
    if one.statuses or one.reports or one.made_good or not (one.accepted and one.fragments):
        return
    first = one.fragments[0].at
    asked = [each for each in one.requests if each.at > first]
    if not asked or any(each.what.participants for each in asked):
        return
    enough = one.highest >= one.req.nb_frag
    weight = Weight.FAIR if len(asked) > 1 and enough else Weight.HINT
    text = f"asked {times(len(asked))} with Participants 0, never with 1, and never answered"
    says = "a device that misses nothing does not answer FragSessionStatusReq with Participants 0"
    frames = tuple(each.at for each in asked[:8])
    evidence = (Evidence(weight, text, frames),)
    yield Finding(Symptom.PARTICIPANTS, says, evidence, one.dev_eui)
