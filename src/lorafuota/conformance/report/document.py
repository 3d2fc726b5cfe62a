"""All results of one run: the counts, and the JSON document."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ...version import VERSION
from ...wire import JSON
from ..check import Check
from ..explain import Describe, Step, explain
from ..run import Outcome, Result

__all__ = ["SCHEMA", "Report", "check_document"]

SCHEMA: Final = 1
"""Version of the JSON document; it rises when a name goes or changes its meaning."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run found.

    Attributes:
        role: ``device`` or ``server``.
        subject: What it calls itself.
        profile: The stack whose quirks were expected, or None.
        results: One for each check, in order.
        describe: Explains what went over the link.
        took: Seconds of real time that each check took, in the same order; empty if nobody
            measured it.
    """

    role: str
    subject: str
    profile: str | None
    results: Sequence[Result]
    describe: Describe = dataclasses.field(repr=False)
    took: Sequence[float] = dataclasses.field(default=(), repr=False)

    @property
    def good(self) -> bool:
        """Whether something was played, and nobody needs to do anything."""
        return self.played and all(result.good for result in self.results)

    @property
    def played(self) -> bool:
        """Whether any check was played to an end of its own: skipped checks prove nothing."""
        left_out = Outcome.SKIPPED, Outcome.NOT_PLAYED
        return any(result.outcome not in left_out for result in self.results)

    def count(self, outcome: Outcome) -> int:
        """Return how many checks ended so."""
        return sum(result.outcome is outcome for result in self.results)

    def steps(self, result: Result) -> Iterable[Step]:
        """Explain what went over the link in one check."""
        return explain(result.transcript, self.describe)

    def document(self) -> dict[str, JSON]:
        """Return everything as one JSON document."""
        return {
            "schema": SCHEMA,
            "lorafuota": VERSION,
            "role": self.role,
            "subject": self.subject,
            "profile": self.profile,
            "good": self.good,
            "counts": _counts(self.results),
            "packages": self._packages(),
            "checks": [self._result(result) for result in self.results],
        }

    def _packages(self) -> list[JSON]:
        groups: dict[tuple[str, int, str], list[Result]] = {}
        for result in self.results:
            one = result.check
            key = (one.package.name, one.package.version, one.severity.value)
            groups.setdefault(key, []).append(result)
        return [
            {"package": name, "version": version, "severity": severity, "counts": _counts(results)}
            for (name, version, severity), results in groups.items()
        ]

    def _result(self, result: Result) -> dict[str, JSON]:
        document = check_document(result.check)
        document |= {"outcome": result.outcome.value, "reason": result.reason}
        if result.outcome in (Outcome.FAILED, Outcome.KNOWN, Outcome.BROKEN):
            document["transcript"] = [
                {"seconds": round(step.seconds, 6), "what": step.what, "read": [*step.details]}
                for step in self.steps(result)
            ]
        return document


def check_document(check: Check[Any]) -> dict[str, JSON]:
    """Return what a check is, as JSON."""
    return {
        "id": check.id,
        "package": check.package.name,
        "version": check.package.version,
        "name": check.name,
        "title": check.title,
        "clause": check.clause,
        "severity": check.severity.value,
        "needs": [*sorted(check.needs)],
        "quirk_of": [*sorted(check.quirk_of)],
    }


def _counts(results: Iterable[Result]) -> dict[str, JSON]:
    counts = Counter(result.outcome for result in results)
    return {outcome.value: counts[outcome] for outcome in Outcome}
