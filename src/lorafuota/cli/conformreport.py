"""What every verb of ``lorafuota conform`` that plays checks does with the results."""

from __future__ import annotations

import argparse
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ..conformance.check import Check
from ..conformance.explain import Describe
from ..conformance.report.document import Report
from ..conformance.report.junit import junit_xml
from ..conformance.report.text import failure, summary
from ..conformance.run import Outcome, Result
from .arguments import Parser, Status, add_json
from .output import bad, good, table, write_json
from .progress import progress

__all__ = ["add_report", "finish"]


def add_report(parser: Parser) -> None:
    """Declare where the results go."""
    parser.add_argument("--junit", type=pathlib.Path, metavar="FILE", help="write JUnit XML there")
    add_json(parser)


def finish(
    args: argparse.Namespace,
    *,
    role: str,
    subject: str,
    checks: Sequence[Check[Any]],
    results: Iterator[Result],
    describe: Describe,
) -> int:
    """Play the checks, tell the results, and return the exit status.

    Args:
        args: With *profile*, and what :func:`add_report` declares.
        role: ``device`` or ``server``.
        subject: What it calls itself.
        checks: What is played.
        results: Plays it.
        describe: Explains what went over the link.
    """
    if args.junit is not None:
        with args.junit.open("ab"):  # a place that cannot be written is noticed before the work
            pass
    played = []
    with progress("checks", len(checks), quiet=args.json) as bar:
        for result in results:
            played.append(result)
            bar.advance()
    report = Report(
        role=role, subject=subject, profile=args.profile, results=played, describe=describe
    )
    if args.junit is not None:
        args.junit.write_bytes(junit_xml(report))
    if args.json:
        write_json(report.document())
    else:
        _print(report)
    if report.count(Outcome.NOT_PLAYED):
        return Status.BAD_INPUT
    return Status.GOOD if report.good else Status.NO


def _print(report: Report) -> None:
    for result in report.results:
        if result.outcome in (Outcome.FAILED, Outcome.BROKEN):
            first, *rest = failure(report, result)
            print(bad(first), *rest, "", sep="\n")
    rows: dict[tuple[str, str], Counter[Outcome]] = {}
    for result in report.results:
        key = str(result.check.package), result.check.severity.value
        rows.setdefault(key, Counter())[result.outcome] += 1
    head = ("package", "severity", *(outcome.value for outcome in Outcome))
    cells = [
        (*key, *(str(counts[outcome] or "") for outcome in Outcome))
        for key, counts in sorted(rows.items())
        if set(counts) != {Outcome.SKIPPED}
    ]
    if cells:
        print(table(head, cells, right=range(2, len(head))))
    for result in report.results:
        if result.outcome is Outcome.KNOWN:
            print(f"known quirk: {result.check.id}: {result.check.title}")
    reasons = Counter(one.reason for one in report.results if one.outcome is Outcome.SKIPPED)
    for reason, count in reasons.most_common():
        print(f"{count} skipped: {reason}")
    line = summary(report)
    print(good(line) if report.good else bad(line))
