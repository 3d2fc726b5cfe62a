"""Results as people read them: what has to hold, where that is written, and what came instead.

What a subject said is shown with escapes for control characters, whatever terminal it meets.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from ..explain import Step
from ..printable import printable
from ..run import Outcome, Result
from .document import Report

__all__ = ["failure", "summary"]

_FIRST: Final = 12
_LAST: Final = 28
"""Steps shown of a long check: the first and the last."""
_WIDTH: Final = 100


def failure(report: Report, result: Result) -> Iterator[str]:
    """Explain one result that is not good, line by line."""
    check = result.check
    yield f"{result.outcome.value}: {check.id}  ({check.severity.value})"
    yield f"  {check.title}"
    yield f"  from {check.clause}"
    why = check.text.removeprefix(check.title).strip()
    for paragraph in why.split("\n\n") if why else []:
        yield from textwrap.wrap(paragraph, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    for line in result.reason.split("\n"):
        yield f"  {printable(line)}"
    yield from steps(report, result)


def steps(report: Report, result: Result) -> Iterator[str]:
    """Return what went over the link, a line for each step and each command."""
    every = list(report.steps(result))
    left_out = len(every) - _FIRST - _LAST
    for at, step in enumerate(every):
        if left_out > 1 and at == _FIRST:
            yield f"      ... {left_out} more ..."
        if left_out <= 1 or at < _FIRST or at >= len(every) - _LAST:
            yield from _step(step)


def _step(step: Step) -> Iterator[str]:
    yield f"  {step.seconds:10.3f} s  {printable(step.what)}"
    for detail in step.details:
        yield f"{'':16}{printable(detail)}"


def summary(report: Report) -> str:
    """Return how the run ended, in one line."""
    counts = [(report.count(outcome), outcome.value) for outcome in Outcome]
    parts = [f"{count} {name}" for count, name in counts if count or name == Outcome.PASSED.value]
    total = len(report.results)
    played = "" if report.played else "; nothing was played"
    words = f"{total} check{'' if total == 1 else 's'}, {', '.join(parts)}{played}"
    return f"{printable(report.subject)}: {words}"
