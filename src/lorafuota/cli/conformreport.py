"""What every verb of ``lorafuota conform`` that plays checks does with the results."""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

from ..conformance.check import Check
from ..conformance.explain import Describe
from ..conformance.printable import printable
from ..conformance.report.document import Report
from ..conformance.report.junit import junit_xml
from ..conformance.report.text import failure, summary
from ..conformance.run import Outcome, Result
from ..dissect.words import count
from .arguments import InputError, Parser, Status, add_json
from .output import bad, good, table, write_json
from .progress import progress
from .reportfile import ReportFile

__all__ = ["CONFORM_STATUS", "add_report", "finish"]

CONFORM_STATUS: Final = """\
exit status:
  0    checks were played, and each passed, was skipped, or failed as the
       profile says
  1    a check failed, or broke the subject
  2    wrong usage; or the subject cannot be started, or was given up after it
       broke five times in a row; or nothing was played because every check was
       skipped; one sentence on stderr says which
  130  interrupted with Ctrl-C; the reports hold what was played
  141  the reader of the output went away"""


def add_report(parser: Parser) -> None:
    """Declare where the results go."""
    parser.add_argument(
        "--junit",
        type=pathlib.Path,
        metavar="FILE",
        help="write JUnit XML there, at the end or after Ctrl-C",
    )
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

    Raises:
        InputError: The subject was given up, or nothing was played; the results are told.
    """
    played: list[Result] = []
    took: list[float] = []

    def report(*more: Result) -> Report:
        return Report(
            role=role,
            subject=subject,
            profile=args.profile,
            results=[*played, *more],
            describe=describe,
            took=took,
        )

    with contextlib.ExitStack() as stack:
        junit = None  # a place that cannot be written is noticed before the work
        if args.junit is not None:
            junit = stack.enter_context(ReportFile(args.junit))
        try:
            _play(args, results, len(checks), played, took)
        except BaseException as error:
            whole = report(*_not_played(checks[len(played) :]))
            if junit is not None:
                junit.write(junit_xml(whole))
            if isinstance(error, KeyboardInterrupt):
                _tell(args, whole)
            raise
        found = report()
        if junit is not None:
            junit.write(junit_xml(found))
    _tell(args, found)
    if found.count(Outcome.NOT_PLAYED):
        _refuse_given_up(found)
    if not found.played:
        _refuse_nothing_played(found)
    return Status.GOOD if found.good else Status.NO


def _play(
    args: argparse.Namespace,
    results: Iterator[Result],
    total: int,
    played: list[Result],
    took: list[float],
) -> None:
    """Play everything; add each result, and the seconds of real time it took, as they come."""
    with progress("checks", total, quiet=args.json) as bar:
        began = time.monotonic()
        for result in results:
            now = time.monotonic()
            played.append(result)
            took.append(now - began)
            began = now
            bar.advance()


def _not_played(checks: Sequence[Check[Any]]) -> Iterator[Result]:
    for check in checks:
        yield Result(check=check, outcome=Outcome.NOT_PLAYED, reason="the run was cut off")


def _refuse_given_up(report: Report) -> NoReturn:
    first = next(one for one in report.results if one.outcome is Outcome.NOT_PLAYED)
    last = [one for one in report.results if one.outcome is Outcome.BROKEN][-1]
    left = count(report.count(Outcome.NOT_PLAYED), "check")
    raise InputError(f"{left} not played: {first.reason}, in the end because {last.reason}")


def _refuse_nothing_played(report: Report) -> NoReturn:
    [(reason, often)] = Counter(one.reason for one in report.results).most_common(1)
    total = count(len(report.results), "check")
    why = "all" if often == len(report.results) else f"{often} of them"
    raise InputError(f"nothing was played: {total} skipped, {why} because: {reason}")


def _tell(args: argparse.Namespace, report: Report) -> None:
    if args.json:
        write_json(report.document())
    else:
        _print(report)


def _say(*lines: str) -> None:
    """Print lines, with escapes for what standard output cannot write."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for line in lines:
        print(line.encode(encoding, "backslashreplace").decode(encoding))


def _print(report: Report) -> None:
    for result in report.results:
        if result.outcome in (Outcome.FAILED, Outcome.BROKEN):
            first, *rest = failure(report, result)
            _say(bad(first), *rest, "")
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
        _say(table(head, cells, right=range(2, len(head))))
    for result in report.results:
        if result.outcome is Outcome.KNOWN:
            _say(f"known quirk: {result.check.id}: {result.check.title}")
    reasons = Counter(one.reason for one in report.results if one.outcome is Outcome.SKIPPED)
    for reason, often in reasons.most_common():
        _say(f"{often} skipped: {printable(reason)}")
    line = summary(report)
    _say(good(line) if report.good else bad(line))
