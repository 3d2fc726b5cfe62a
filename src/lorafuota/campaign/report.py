"""How a campaign stands or ended, for people, for programs, and in the words of a big platform."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Final

from ..types import DevEUI
from ..wire import JSON
from .state import CampaignPhase, DeviceRecord, GroupRecord, Outcome, Stage

__all__ = ["CampaignReport", "DeviceReport", "aws_status"]

_AWS: Final = {
    Outcome.PENDING: "Initial",
    Outcome.UNKNOWN: "Initial",
    Outcome.LIKELY: "Initial",
    Outcome.NO_ANSWER: "Initial",
    Outcome.NO_GROUP: "Initial",
    Outcome.CLOCK_WRONG: "Initial",
    Outcome.WRONG_BASE: "Initial",
    Outcome.CANCELLED: "Initial",
    Outcome.REFUSED: "Device_exist_in_conflict_fuota_task",
    Outcome.NOT_SUPPORTED: "Package_Not_Supported",
    Outcome.FRAG_ALGO_UNSUPPORTED: "FragAlgo_unsupported",
    Outcome.NOT_ENOUGH_MEMORY: "Not_enough_memory",
    Outcome.FRAG_INDEX_UNSUPPORTED: "FragIndex_unsupported",
    Outcome.WRONG_DESCRIPTOR: "Wrong_descriptor",
    Outcome.SESSION_CNT_REPLAY: "SessionCnt_replay",
    Outcome.MISSING_FRAGMENTS: "MissingFrag",
    Outcome.MEMORY_ERROR: "MemoryError",
    Outcome.MIC_ERROR: "MICError",
}


def aws_status(outcome: Outcome) -> str:
    """Return the nearest status of AWS IoT Core for LoRaWAN; ours are finer.

    It has none for what follows the transport, so a bad image or an old firmware after the reboot
    reads "Successful" there: the block did arrive.  One that is only likely to have arrived reads
    "Initial": a device like that may have given up.
    """
    return _AWS.get(outcome, "Successful")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """One device."""

    dev_eui: DevEUI
    stage: Stage
    outcome: Outcome
    detail: str
    group: str | None
    missing: int | None
    received: int | None
    frag_index: int
    next_session_cnt: int
    """First SessionCnt never used with this FragIndex, for ``Member.session_cnt`` of the next
    campaign; 65536 says that none is left."""
    milestones: Mapping[str, float]
    """What the device proved, each with its time in GPS seconds; later failures take none away."""

    def to_json(self) -> dict[str, JSON]:
        """Return one JSON object, AWS's word included."""
        return {
            "dev_eui": str(self.dev_eui),
            "stage": self.stage.value,
            "outcome": self.outcome.value,
            "success": self.outcome.success,
            "detail": self.detail,
            "group": self.group,
            "missing": self.missing,
            "received": self.received,
            "frag_index": self.frag_index,
            "next_session_cnt": self.next_session_cnt,
            "milestones": dict(self.milestones),
            "aws_status": aws_status(self.outcome),
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CampaignReport:
    """The campaign."""

    phase: CampaignPhase
    devices: tuple[DeviceReport, ...]
    airtime_seconds: float
    fragments_sent: Mapping[str, int]
    """Highest fragment number sent, by group."""
    rounds: Mapping[str, int]
    """Repair rounds, by group."""
    next_fcnt: Mapping[str, int]
    """First frame counter never used, by group, for ``GroupConfig.first_fcnt``."""

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many devices ended or stand how."""
        return Counter(one.outcome for one in self.devices)

    @property
    def success(self) -> bool:
        """Whether the block is known to have arrived everywhere."""
        return all(one.outcome.success for one in self.devices)

    def to_json(self) -> dict[str, JSON]:
        """Return one JSON object."""
        return {
            "phase": self.phase.value,
            "success": self.success,
            "outcomes": {outcome.value: count for outcome, count in self.outcomes.items()},
            "airtime_seconds": self.airtime_seconds,
            "fragments_sent": dict(self.fragments_sent),
            "rounds": dict(self.rounds),
            "next_fcnt": dict(self.next_fcnt),
            "devices": [one.to_json() for one in self.devices],
        }


def make_report(
    phase: CampaignPhase,
    devices: Mapping[DevEUI, DeviceRecord],
    groups: Mapping[str, GroupRecord],
    unicast_airtime: float,
) -> CampaignReport:
    """Put a report together from the records."""
    return CampaignReport(
        phase=phase,
        devices=tuple(
            DeviceReport(
                dev_eui=dev_eui,
                stage=record.stage,
                outcome=record.outcome,
                detail=record.detail,
                group=record.group,
                missing=record.missing,
                received=record.received,
                frag_index=record.frag_index,
                next_session_cnt=record.next_session_cnt,
                milestones=record.milestones,
            )
            for dev_eui, record in devices.items()
        ),
        airtime_seconds=unicast_airtime + sum(group.airtime for group in groups.values()),
        fragments_sent={name: group.next_n - 1 for name, group in groups.items()},
        rounds={name: group.rounds for name, group in groups.items()},
        next_fcnt={name: group.next_fcnt for name, group in groups.items()},
    )
