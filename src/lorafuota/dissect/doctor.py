"""A capture in, ranked hypotheses out.

Every look (:mod:`.symptoms`) says what it sees and knows nothing of the others.  Here findings
about the same become one hypothesis, and what another one explains is named after it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from ..errors import FieldError
from ..types import DevEUI
from ..wire import JSON
from .capture import Frame
from .case import Case, Known
from .causes import LEADS_TO, TRY_NEXT
from .hypothesis import Evidence, Finding, Hypothesis, Sure, Symptom
from .mckey import in_clear
from .symptoms import LOOKS
from .transfer import Transfer, transfers
from .words import count

__all__ = ["Diagnosis", "diagnose"]

_ORDER: Final = list(Symptom)
_MOST_EVIDENCE: Final = 6
_AFTER: Final = 1e-6


@dataclasses.dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the doctor says, and what was looked at.

    Attributes:
        hypotheses: The surest first, consequences after their causes.
        looked_at: What was in the capture, in sentences.
        judged: Frames of FUOTA packages, and of groups; with 0 there was nothing to judge.
    """

    hypotheses: tuple[Hypothesis, ...]
    looked_at: tuple[str, ...]
    judged: int

    @property
    def found(self) -> bool:
        """Whether there is more than something worth a look."""
        return any(one.sure is not Sure.WORTH_A_LOOK for one in self.hypotheses)

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON."""
        hypotheses: list[JSON] = [one.to_json() for one in self.hypotheses]
        looked: list[JSON] = list(self.looked_at)
        return {
            "found": self.found,
            "hypotheses": hypotheses,
            "looked_at": looked,
            "judged": self.judged,
        }


def diagnose(
    frames: Sequence[Frame], known: Known | None = None, *, lines: Sequence[int] | None = None
) -> Diagnosis:
    """Find out what may have gone wrong in a captured session.

    Args:
        frames: The capture, in the order of time.
        known: Keys, addresses, image and whatever else somebody knows; the more, the surer.
        lines: The line of the log each frame comes from, as :func:`~.logreader.read_log` tells;
            1, 2, 3 and so on if it is left out.

    Raises:
        FieldError: There is not one line for each frame.
    """
    if lines is None:
        lines = range(1, len(frames) + 1)
    if len(lines) != len(frames):
        raise FieldError("diagnose", "len(lines)", len(lines), f"{len(frames)}, one for each frame")
    case = Case(frames, known or Known())
    opened = in_clear(case)
    if opened != list(case.frames):
        case = Case(opened, case.known)
    found = transfers(case)
    findings = [one for look in LOOKS for one in look(case, found)]
    hypotheses = (_with_lines(one, lines) for one in _ranked(_merged(findings)))
    return Diagnosis(tuple(hypotheses), _looked_at(case, found), case.judged)


def _with_lines(one: Hypothesis, lines: Sequence[int]) -> Hypothesis:
    evidence = tuple(
        dataclasses.replace(each, lines=tuple(dict.fromkeys(lines[at] for at in each.frames)))
        for each in one.evidence
    )
    return dataclasses.replace(one, evidence=evidence)


def _merged(findings: Iterable[Finding]) -> list[Hypothesis]:
    """Make one hypothesis of all findings of a symptom: the surest device speaks for the others."""
    by_symptom: dict[Symptom, dict[DevEUI | None, list[Finding]]] = {}
    for one in findings:
        by_symptom.setdefault(one.symptom, {}).setdefault(one.device, []).append(one)
    merged = []
    for symptom, by_device in by_symptom.items():
        each = [_one(symptom, found, tuple(by_device)) for found in by_device.values()]
        merged.append(max(each, key=lambda one: one.score))
    return merged


def _one(symptom: Symptom, found: list[Finding], devices: tuple[DevEUI | None, ...]) -> Hypothesis:
    evidence: dict[tuple[str, tuple[int, ...]], Evidence] = {}
    for one in found:
        for each in one.evidence:
            evidence.setdefault((each.text, each.frames), each)
    strongest = sorted(evidence.values(), key=lambda each: -each.weight)
    return Hypothesis(
        symptom=symptom,
        says=max(found, key=lambda one: max((e.weight for e in one.evidence), default=0.0)).says,
        evidence=tuple(strongest[:_MOST_EVIDENCE]),
        try_next=TRY_NEXT[symptom],
        devices=tuple(sorted(one for one in devices if one is not None)),
    )


def _ranked(hypotheses: list[Hypothesis]) -> tuple[Hypothesis, ...]:
    scores = {one.symptom: one.score for one in hypotheses}
    ranks = dict(scores)
    causes = {
        one.symptom: tuple(
            other
            for other in scores
            if one.symptom in LEADS_TO.get(other, frozenset())
            and Sure.of(scores[other]) is not Sure.WORTH_A_LOOK
        )
        for one in hypotheses
    }
    for _ in hypotheses:  # as many rounds as the longest chain can have links
        for symptom, by in causes.items():
            if by:
                ranks[symptom] = min(ranks[symptom], max(ranks[each] for each in by) - _AFTER)
    ordered = sorted(hypotheses, key=lambda one: (-ranks[one.symptom], _ORDER.index(one.symptom)))
    return tuple(
        dataclasses.replace(one, follows_from=tuple(sorted(causes[one.symptom], key=_ORDER.index)))
        for one in ordered
    )


def _looked_at(case: Case, found: Sequence[Transfer]) -> tuple[str, ...]:
    known = case.known
    fragments = sum(len(group.fragments) for group in case.groups.values())
    fragments += sum(len(device.fragments) for device in case.devices.values())
    whole = sum(one.what.phy is not None for group in case.groups.values() for one in group.frames)
    given = [
        name
        for name, value in (
            ("GenAppKey", known.gen_app_key),
            ("AppKey", known.app_key),
            ("McKey", known.mc_key),
            ("image", known.image),
            ("delivered block", known.block),
        )
        if value is not None
    ]
    if known.root is not None and known.gen_app_key is not None and known.app_key is not None:
        right = type(known.root).__name__
        given[given.index(right)] = f"{right} (taken for the root key)"
    whose = ""
    if known.dev_eui is not None and known.dev_eui not in case.devices:
        whose = f"; of device {known.dev_eui}, which is not in the capture"
    elif set(given) - {"image"} and case.subject is None and len(case.devices) > 1:
        whose = f"; of which of the {len(case.devices)} devices is not known"
    timed = sum(one.time is not None for one in case.frames)
    errors = sum(one.mic_error is not None for one in found)
    return (
        f"{count(len(case.frames), 'frame')}, {timed} with a time, "
        f"{count(whole, 'multicast frame')} as on air",
        f"{count(len(case.devices), 'device')}, {count(len(case.groups), 'group')}, "
        f"{count(len(found), 'set-up')} of a block, {count(fragments, 'fragment')}",
        f"{count(sum(one.success for one in found), 'block')} reported complete, "
        f"{errors} with another MIC",
        f"known beside it: {', '.join(given) or 'nothing'}{whose}",
    )
