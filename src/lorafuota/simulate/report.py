"""How the update ended: for every device, for every group, for the fleet."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Final, final

from ..campaign.engine import FuotaCampaign
from ..campaign.state import CampaignPhase, Outcome
from ..fragmentation.v2 import PACKAGE, FragDataBlockReceivedReq, FragSessionStatusAns
from ..wire import JSON
from .device import SimDevice
from .plan import Plan
from .scenario import START

if TYPE_CHECKING:
    from .fleet import Fleet, Uplink

__all__ = ["DeviceResult", "GroupResult", "Report", "Tally", "make_report"]


_ANSWERS: Final = (
    FragSessionStatusAns.CID.to_bytes(),
    FragDataBlockReceivedReq.CID.to_bytes(),
)


@final
class Tally:
    """What is counted while a simulation runs."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.questions: Counter[str] = Counter()
        self.windows: Counter[str] = Counter()
        self.unicasts = self.asked = self.uplinks = self.commits = 0
        self.answers = self.peak = self._in_second = 0
        self._second = 0

    def take(self, uplink: Uplink, now: float) -> None:
        """Count an uplink that arrives; answers to the question what is missing, and reports, too.

        Args:
            uplink: What arrives.
            now: GPS seconds.
        """
        self.uplinks += 1
        if uplink.fport != PACKAGE.fport or uplink.payload[:1] not in _ANSWERS:
            return
        self.answers += 1
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        self._in_second += 1
        self.peak = max(self.peak, self._in_second)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceResult:
    """How the update ended for one device."""

    device: int
    """From 0."""
    dev_eui: str
    kind: str
    """v1 or v2 for the documents, or the name of the stack."""
    complete: bool
    """The block was rebuilt and is the image, octet for octet."""
    verified: bool
    """... and the MIC said so on the device (version 2)."""
    sha256: str | None
    """Of what the device rebuilt; None when it has nothing."""
    frames_heard: int
    """Fragments; unicast ones too."""
    frames_lost: int
    """While the device listened; it stops when the block is complete."""
    fragments_used: int
    """Independent fragments it had: NbFrag when complete."""
    completed_by: int | None
    """Number N of the fragment that completed the block."""
    missing: int
    """Independent fragments it lacks."""
    unicasts: int
    """Unicast downlinks that reached it, fragments not counted."""
    uplinks: int
    """Uplinks it sent."""
    outcome: str
    """What the campaign knows: :class:`lorafuota.campaign.state.Outcome`."""
    fw_version: int | None
    """What it runs in the end; None where nothing was to be installed, or it has no TS006."""
    problem: str | None
    """Why it is not complete, in words."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult:
    """What one multicast group took."""

    name: str
    """The parity variant of its members."""
    devices: int
    frames: int
    """Multicast frames with fragments, each sent once."""
    highest_n: int
    """Highest fragment number sent."""
    windows: int
    rounds: int
    """Repair rounds behind the first pass."""
    airtime_seconds: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the update ended for the fleet."""

    image_octets: int
    image_sha256: str
    nb_frag: int
    frag_size: int
    padding: int
    parity_planned: int
    """Coded fragments of the first pass."""
    region: str
    dr: int
    window_class: str
    frame_airtime_seconds: float
    frames: int
    """Fragments on air: multicast frames, and unicast downlinks with a fragment."""
    windows: int
    rounds: int
    """Repair rounds, of the group that needed most."""
    unicast_downlinks: int
    """All of them, fragments too."""
    uplinks: int
    """Those that reached the campaign."""
    questions: int
    """Multicast frames that asked a group what it misses."""
    question_airtime_seconds: float
    """Time on air of one."""
    status_downlinks: int
    """Unicast downlinks that asked one device."""
    status_uplinks: int
    """Answers to either, and reports by devices themselves, that reached the campaign."""
    status_peak: int
    """The most of these in one second."""
    airtime_seconds: float
    """All fragments and questions together, on one gateway."""
    duration_seconds: float
    """From the start of the campaign to its end."""
    commits: int
    """What the store was asked to make durable; since the process began."""
    phase: str
    outcomes: dict[str, int]
    """How many devices ended how, as the campaign knows it."""
    kinds: dict[str, int]
    groups: tuple[GroupResult, ...]
    devices: int
    devices_complete: int
    devices_known: int
    """Complete, and the campaign knows."""
    devices_confirmed: int | None
    """Run the version that was to be installed, and the campaign knows; None where none was."""
    parity_needed: int | None
    """Coded fragments (repeats for one fragment) after which all complete devices were complete."""
    frames_lost_share: float
    results: tuple[DeviceResult, ...]

    @property
    def success(self) -> bool:
        """Whether every device rebuilt the image."""
        return self.devices_complete == self.devices

    def to_json(self) -> dict[str, JSON]:
        """Return everything as JSON."""
        fields = dataclasses.asdict(self)
        fields["success"] = self.success
        return fields


def make_report(
    plan: Plan, fleet: Fleet, campaign: FuotaCampaign, tally: Tally, *, now: float
) -> Report:
    """Sum up."""
    own = campaign.report()
    block, airtime, question = plan.block, plan.airtime_us / 1e6, plan.question_us / 1e6
    questions = sum(tally.questions.values())
    sha256 = hashlib.sha256(block.image).hexdigest()
    outcomes = {one.dev_eui: one for one in own.devices}
    results = []
    for device in fleet.devices:
        known = outcomes.get(plan.dev_eui(device.index))
        outcome = "joined after the end" if known is None else known.outcome.value
        detail = "" if known is None else known.detail
        results.append(_result(plan, device, sha256, outcome, detail))
    groups = tuple(
        GroupResult(
            name=name,
            devices=sum(one.group == name for one in own.devices),
            frames=tally.frames[name],
            highest_n=own.fragments_sent[name],
            windows=tally.windows[name],
            rounds=own.rounds[name],
            airtime_seconds=tally.frames[name] * airtime + tally.questions[name] * question,
        )
        for name in own.rounds
    )
    complete = [one for one in results if one.complete]
    needed = max((one.completed_by or 0 for one in complete), default=None)
    heard, lost = sum(r.frames_heard for r in results), sum(r.frames_lost for r in results)
    known_good = {plan.index(one.dev_eui) for one in own.devices if one.outcome.success}
    return Report(
        image_octets=len(block.image),
        image_sha256=sha256,
        nb_frag=block.nb_frag,
        frag_size=block.frag_size,
        padding=block.padding,
        parity_planned=plan.parity,
        region=plan.scenario.region,
        dr=plan.dr,
        window_class=plan.scenario.window_class.value,
        frame_airtime_seconds=airtime,
        frames=round((own.airtime_seconds - questions * question) / airtime),
        windows=sum(group.windows for group in groups),
        rounds=min(max((group.rounds for group in groups), default=0), plan.scenario.rounds),
        unicast_downlinks=tally.unicasts,
        uplinks=tally.uplinks,
        questions=questions,
        question_airtime_seconds=question,
        status_downlinks=tally.asked,
        status_uplinks=tally.answers,
        status_peak=tally.peak,
        airtime_seconds=own.airtime_seconds,
        duration_seconds=now - START,
        commits=tally.commits,
        phase=CampaignPhase(own.phase).value,
        outcomes=dict(Counter(one.outcome for one in results).most_common()),
        kinds=dict(Counter(one.kind for one in results)),
        groups=groups,
        devices=len(results),
        devices_complete=len(complete),
        devices_known=sum(one.complete and one.device in known_good for one in results),
        devices_confirmed=_confirmed(plan, results),
        parity_needed=None if needed is None else max(needed - block.nb_frag, 0),
        frames_lost_share=lost / (heard + lost) if heard + lost else 0.0,
        results=tuple(results),
    )


def _result(plan: Plan, device: SimDevice, sha256: str, outcome: str, detail: str) -> DeviceResult:
    device.look()
    missing = plan.block.nb_frag - device.rank
    digest = sha256 if device.image_ok else None
    if device.rebuilt is not None:
        digest = hashlib.sha256(device.rebuilt).hexdigest()
    problem = device.reason
    if not device.image_ok and problem is None:
        problem = f"not enough fragments: {missing} missing"
        if device.heard + device.lost == 0:
            problem = f"{outcome}: {detail}" if detail else outcome
    return DeviceResult(
        device=device.index,
        dev_eui=str(plan.dev_eui(device.index)),
        kind=plan.kinds[device.index].name,
        complete=device.image_ok,
        verified=device.verified,
        sha256=digest,
        frames_heard=device.heard,
        frames_lost=device.lost,
        fragments_used=device.rank,
        completed_by=device.completed_by,
        missing=missing,
        unicasts=device.unicasts,
        uplinks=device.uplinks,
        outcome=outcome,
        fw_version=_runs(plan, device),
        problem=problem,
    )


def _runs(plan: Plan, device: SimDevice) -> int | None:
    firmware = device.session.firmware
    if firmware is None or plan.scenario.firmware_version is None:
        return None
    return firmware.fw_version


def _confirmed(plan: Plan, results: list[DeviceResult]) -> int | None:
    wanted, known = plan.scenario.firmware_version, Outcome.CONFIRMED.value
    if wanted is None:
        return None
    return sum(one.outcome == known and one.fw_version == wanted for one in results)
