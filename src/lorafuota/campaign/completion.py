"""What a device says about the block, and whether to believe that it is complete.

Stacks count in their own ways (:mod:`.quirks`).  A sure outcome is claimed only where the answer
cannot mean anything else; where it could, more is sent, and in the end the outcome is a likely one.
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

__all__ = ["complete", "no_report", "report", "status"]

_LISTENS: Final = (Stage.READY, Stage.SESSION, Stage.LISTENING, Stage.UNICAST, Stage.STATUS)

_MARGIN: Final = 8
"""Fragments beyond NbFrag after which a block is hardly ever incomplete; also, fragments sent of
which a device that still counts is bound to hear one."""

_LIKELY: Final = 0.999


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
        good = ours and not (told.memory_error or told.mic_error or _silent_of_mic(member, record))
        if good and _everything(member, record, told, config.block.nb_frag):
            _take_back(record)
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
    if told.memory_error and StatusQuirk.STICKY_MEMORY_ERROR not in member.quirks:
        return Step(Stage.CLEANUP, Outcome.MEMORY_ERROR)
    if told.mic_error and told.received >= nb_frag:
        return _mic_error(config, record)
    if told.received != record.received:
        record.sent_before = record.sent
    record.received, record.silent = told.received, 0
    if told.nothing_yet and asked and again and record.sent:
        record.restarts += 1  # nothing is lost by setting it up again, should it have been reset
        return Step(Stage.FRAGMENTATION, detail="nothing was received")
    if _everything(member, record, told, nb_frag):
        if _silent_of_mic(member, record):
            record.missing = 0
            return None  # says nothing of the MIC; the device's own report does
        return complete(config, record)
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
            _take_back(record)
        return None
    return _mic_error(config, record) if command.mic_error else complete(config, record)


def no_report(config: CampaignConfig, record: DeviceRecord) -> Step | None:
    """Say what follows when a device has everything and never reported its MIC."""
    if record.missing != 0:
        return None
    return complete(config, record, Outcome.LIKELY, "nothing is missing; the MIC was not reported")


def _everything(member: Member, record: DeviceRecord, told: _Status, nb_frag: int) -> bool:
    """Say whether a status means that the block is there.

    Nothing missing counts only with NbFrag fragments received.  LoRa Basics Modem up to 4.8 says 1
    after a transfer without loss; it then stopped counting at NbFrag.  A device that misses one can
    show the same, but its count does not stand still while several coded fragments are sent.
    """
    if StatusQuirk.MISSING_IS_NOT_RECEIVED in member.quirks:
        return False
    if told.missing == 0:
        coded = StatusQuirk.NEEDS_CODED_FRAGMENT in member.quirks
        return told.received >= nb_frag + coded
    lossless = told.missing == 1 and told.received == nb_frag
    return StatusQuirk.MISSING_ONE_WHEN_COMPLETE in member.quirks and lossless and _stands(record)


def _silent_of_mic(member: Member, record: DeviceRecord) -> bool:
    """Say whether the status of a version 2 device has no place for the MIC."""
    return StatusQuirk.VERSION_1_LAYOUT in member.quirks and record.frag_version == 2


def _stands(record: DeviceRecord) -> bool:
    """Say whether the device has stopped counting: several fragments later the same count."""
    return record.sent >= record.sent_before + _MARGIN


def _likely(member: Member, record: DeviceRecord, told: _Status, nb_frag: int) -> bool:
    """Say whether a device whose answers cannot tell must have everything by now.

    Zephyr counts what it receives and stops counting when it is complete; that is the more likely
    reading of a count that stands still although more was sent.
    """
    if told.received < nb_frag:
        return False
    if StatusQuirk.MISSING_IS_NOT_RECEIVED in member.quirks:
        return told.received >= nb_frag + _MARGIN or _stands(record)
    if StatusQuirk.MISSING_NEVER_FALLS not in member.quirks:
        return False
    coded = record.sent - nb_frag
    loss = min(max(told.missing / nb_frag, 0.05), 0.9)
    return coded > 0 and completion_probability(told.missing, coded, loss) >= _LIKELY


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


def _take_back(record: DeviceRecord) -> None:
    """Take back that fragments are missing: an answer from before the last ones spoke first."""
    if record.stage is Stage.CLEANUP and record.outcome is Outcome.MISSING_FRAGMENTS:
        record.missing = 0
        record.outcome = _arrived(record)
