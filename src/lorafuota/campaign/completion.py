"""What a device says about the block, and whether to believe that it is complete.

Stacks count in their own ways (:mod:`.quirks`).  A sure outcome is claimed only where the answer
cannot mean anything else; where it could, more is sent, and in the end the outcome is a likely one,
or that nobody knows.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from ..fragmentation import v1 as frag_v1
from ..fragmentation import v2 as frag_v2
from ..session.profile import FRAG_PROFILES
from .config import CampaignConfig, Member
from .quirks import StatusQuirk
from .repair import completion_probability
from .state import MAX_RESTARTS, DeviceRecord, Outcome, Stage
from .step import Step

__all__ = ["complete", "given_up", "no_report", "report", "status"]

_LISTENS: Final = (Stage.READY, Stage.SESSION, Stage.LISTENING, Stage.UNICAST, Stage.STATUS)

_MARGIN: Final = 8
"""Fragments beyond NbFrag after which a block is hardly ever incomplete; also, fragments sent of
which a device that still counts is bound to hear one."""

_LIKELY: Final = 0.999

_MOST_IN_8_BITS: Final = 255

_COUNT_OTHERS: Final = StatusQuirk.MISSING_NEVER_FALLS | StatusQuirk.MISSING_IS_NOT_RECEIVED
"""MissingFrag is something else than the fragments that are still needed."""

_LESS: Final = (Outcome.MISSING_FRAGMENTS, Outcome.UNKNOWN, Outcome.LIKELY)
"""Outcomes that a device's late word replaces."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Status:
    """What a status answer of either version says about a session that exists."""

    received: int
    missing: int
    frag_index: int
    memory_error: bool
    mic_error: bool = False

    @classmethod
    def of(cls, command: frag_v1.FragSessionStatusAns | frag_v2.FragSessionStatusAns) -> _Status:
        if isinstance(command, frag_v1.FragSessionStatusAns):
            return cls(
                command.nb_frag_received,
                command.missing_frag,
                command.frag_index,
                command.not_enough_matrix_memory,
            )
        return cls(
            command.nb_frag_received or 0,
            command.missing_frag or 0,
            command.frag_index or 0,
            command.memory_error,
            command.mic_error,
        )

    @property
    def nothing_yet(self) -> bool:
        """All zeros, index included: some stacks before the first fragment, or after a reset."""
        return self.received == 0 and self.missing == 0


def status(
    config: CampaignConfig,
    member: Member,
    record: DeviceRecord,
    command: frag_v1.FragSessionStatusAns | frag_v2.FragSessionStatusAns,
) -> Step | None:
    """Take a status answer, asked for or not."""
    if record.stage not in _LISTENS:
        told = _Status.of(command)
        ours = record.cnt_used and told.frag_index == record.frag_index
        if ours and not (told.mic_error or _out_of_memory(member, told)):
            _late(member, record, told, config.block.nb_frag)
        return None
    asked, again = record.stage is Stage.STATUS, record.restarts < MAX_RESTARTS
    if isinstance(command, frag_v2.FragSessionStatusAns) and command.session_does_not_exist:
        if not (asked and again):
            return None
        record.restarts += 1
        return Step(Stage.FRAGMENTATION, detail="the session is gone")
    told, nb_frag = _Status.of(command), config.block.nb_frag
    if told.frag_index != record.frag_index and not told.nothing_yet:
        return None
    if not record.cnt_used:  # no fragment was sent yet, so it is about an earlier session
        return Step(Stage.READY) if asked else None
    if _out_of_memory(member, told):
        return Step(Stage.CLEANUP, Outcome.MEMORY_ERROR)
    if told.mic_error and told.received >= nb_frag:
        return _mic_error(config, record)
    if told.received != record.received:
        record.sent_before = record.sent
    record.received, record.silent = told.received, 0
    if told.nothing_yet and asked and again and record.sent:
        record.restarts += 1  # nothing is lost by setting it up again, should it have been reset
        return Step(Stage.FRAGMENTATION, detail="nothing was received")
    if _everything(member, told, nb_frag):
        if _silent_of_mic(member, record):
            record.missing = 0
            return None  # says nothing of the MIC; the device's own report does
        return complete(config, record)
    record.unclear |= _can_be_there(member, told, nb_frag)
    # A count cut to 8 bits, or 255 for more: what was not received is missing in any case.
    record.missing = max(told.missing, nb_frag - told.received)
    if _likely(member, record, told, nb_frag):
        detail = f"{told.received} received, MissingFrag {told.missing}, {record.sent} sent"
        if told.memory_error:
            detail += "; the memory bit is set, perhaps by an earlier session"
        return complete(config, record, Outcome.LIKELY, detail)
    if record.missing == 0:  # nobody knows what; enough to find out
        counts = StatusQuirk.MISSING_IS_NOT_RECEIVED in member.quirks
        record.missing = nb_frag + _MARGIN - told.received if counts else 1
    return Step(Stage.READY) if asked else None


def report(
    config: CampaignConfig, record: DeviceRecord, command: frag_v2.FragDataBlockReceivedReq
) -> Step | None:
    """Take what a device of version 2 reports by itself."""
    if command.frag_index != record.frag_index or not record.cnt_used:
        return None  # without a fragment of ours it is about an earlier session
    if record.stage not in _LISTENS:
        if not command.mic_error:
            _put_right(record)
        return None
    return _mic_error(config, record) if command.mic_error else complete(config, record)


def no_report(config: CampaignConfig, record: DeviceRecord) -> Step | None:
    """Say what follows when a device has everything and never reported its MIC."""
    if record.missing != 0:
        return None
    return complete(config, record, Outcome.LIKELY, "nothing is missing; the MIC was not reported")


def given_up(config: CampaignConfig, record: DeviceRecord) -> Step:
    """Say what follows when nothing more is sent to a device that never said it has everything.

    Fragments are called missing only if no answer can mean anything else.  Of the others the image
    status may tell more, where it is asked for.
    """
    if step := no_report(config, record):
        return step
    if not record.unclear:
        return Step(Stage.CLEANUP, Outcome.MISSING_FRAGMENTS)
    return complete(config, record, Outcome.UNKNOWN, "the answers of this stack cannot tell")


def _everything(member: Member, told: _Status, nb_frag: int) -> bool:
    """Say whether a status means that the block is there, and nothing else.

    Nothing missing counts only with NbFrag fragments received; not where it may mean 256 that were
    lost.  256 still needed of so many received is no reading: a quarter thousand would have been in
    vain.
    """
    if told.missing or StatusQuirk.MISSING_IS_NOT_RECEIVED in member.quirks:
        return False
    if StatusQuirk.MISSING_NEVER_FALLS in member.quirks and _cut(member, nb_frag):
        return False
    return told.received >= _enough(member, nb_frag)


def _can_be_there(member: Member, told: _Status, nb_frag: int) -> bool:
    """Say whether a status that proves nothing can be that of a device with the block.

    LoRa Basics Modem counts fewer than NbFrag when a repeated plain fragment was the last one.
    """
    if member.quirks & _COUNT_OTHERS:
        return told.received >= _enough(member, nb_frag)
    if told.missing == 0:
        return told.received > 0
    return _lossless(member, told, nb_frag)


def _cut(member: Member, nb_frag: int) -> bool:
    """Say whether MissingFrag may be 256 less than what was counted, or a multiple of it."""
    return StatusQuirk.MISSING_IN_8_BITS in member.quirks and nb_frag > _MOST_IN_8_BITS


def _enough(member: Member, nb_frag: int) -> int:
    """Return the least count of a device that has the block."""
    return nb_frag + (StatusQuirk.NEEDS_CODED_FRAGMENT in member.quirks)


def _lossless(member: Member, told: _Status, nb_frag: int) -> bool:
    """Say whether this is what LoRa Basics Modem up to 4.8 says after a transfer without loss.

    It then stopped counting at NbFrag.  A device that misses one can show the same.
    """
    one = told.missing == 1 and told.received == nb_frag
    return one and StatusQuirk.MISSING_ONE_WHEN_COMPLETE in member.quirks


def _out_of_memory(member: Member, told: _Status) -> bool:
    """Say whether the memory bit is set, and is sure to be about this session."""
    return told.memory_error and StatusQuirk.STICKY_MEMORY_ERROR not in member.quirks


def _silent_of_mic(member: Member, record: DeviceRecord) -> bool:
    """Say whether the status of a version 2 device has no place for the MIC."""
    return StatusQuirk.VERSION_1_LAYOUT in member.quirks and record.frag_version == 2


def _stands(record: DeviceRecord) -> bool:
    """Say whether the device has stopped counting: several fragments later the same count."""
    return record.sent >= record.sent_before + _MARGIN


def _likely(member: Member, record: DeviceRecord, told: _Status, nb_frag: int) -> bool:
    """Say whether a device whose answers cannot tell must have everything by now.

    Zephyr and LoRa Basics Modem stop counting when they are complete; that is the more likely
    reading of a count that stands still although more was sent.  It is no proof: an answer can be
    late, and a device can hear nothing for a while.
    """
    if _lossless(member, told, nb_frag):
        return _stands(record)
    if told.received < _enough(member, nb_frag):
        return False
    if StatusQuirk.MISSING_IS_NOT_RECEIVED in member.quirks:
        return told.received >= nb_frag + _MARGIN or _stands(record)
    if StatusQuirk.MISSING_NEVER_FALLS not in member.quirks:
        return False
    coded = record.sent - nb_frag
    missing = told.missing + (_MOST_IN_8_BITS + 1) * _cut(member, nb_frag)
    loss = min(max(missing / nb_frag, 0.05), 0.9)
    return coded > 0 and completion_probability(missing, coded, loss) >= _LIKELY


def _mic_error(config: CampaignConfig, record: DeviceRecord) -> Step:
    """Repeat the session under another SessionCnt, a bounded number of times.

    One forged fragment is enough to spoil a block, and whoever is in the group can forge one.
    """
    if record.mic_errors < config.mic_retries:
        record.mic_errors += 1
        return Step(Stage.FRAGMENTATION, detail="the block had another MIC")
    detail = "the block has another MIC, or another matrix"
    return Step(Stage.CLEANUP, Outcome.MIC_ERROR, detail)


def complete(
    config: CampaignConfig,
    record: DeviceRecord,
    outcome: Outcome | None = None,
    detail: str = "",
) -> Step:
    """Say what follows a block that is there; *outcome* if that is not certain."""
    if outcome is None:
        record.missing = 0
        outcome = _arrived(record)
    return Step(Stage.IMAGE if config.firmware else Stage.CLEANUP, outcome, detail)


def _arrived(record: DeviceRecord) -> Outcome:
    """Return what is known of a block that is there: only version 2 checks it."""
    verified = FRAG_PROFILES[record.frag_version or 1].has_mic
    return Outcome.VERIFIED if verified else Outcome.TRANSPORTED


def _late(member: Member, record: DeviceRecord, told: _Status, nb_frag: int) -> None:
    """Take an answer after the outcome: one from before the last fragments may have come first."""
    if _everything(member, told, nb_frag) and not _silent_of_mic(member, record):
        _put_right(record)
    elif record.outcome is Outcome.MISSING_FRAGMENTS and _can_be_there(member, told, nb_frag):
        record.outcome = Outcome.UNKNOWN


def _put_right(record: DeviceRecord) -> None:
    """Replace an outcome that says less of a block that is there, or denies it."""
    if record.outcome in _LESS:
        record.missing, record.outcome = 0, _arrived(record)
        if record.stage is Stage.CLEANUP:
            record.detail = ""
