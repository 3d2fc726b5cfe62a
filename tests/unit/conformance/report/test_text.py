import dataclasses

from lorafuota.conformance.report.text import failure, steps, summary
from lorafuota.conformance.run import Outcome
from lorafuota.conformance.subject import Downlink
from tests.unit.conformance.report.support import EVERY, PERIOD, VERSION, report, result


def test_a_failure_says_what_had_to_hold_where_that_is_written_and_what_came() -> None:
    failed = result(VERSION, Outcome.FAILED, "expected 1; came 2\nand more")
    assert "\n".join(failure(report(failed), failed)) == (
        """\
failed: ts004-v1/version  (required)
  The version is told.
  from TS004, 3.1
    A device that says another one gets fragments of the other parity matrix, and rebuilds something
    else than the image.
  expected 1; came 2
  and more
       0.000 s  down, FPort 201: 00
                PackageVersionReq()
       2.500 s  up, FPort 201: 00 03 02
                PackageVersionAns(package_identifier=3, package_version=2)"""
    )


def test_a_check_without_a_story_has_its_title() -> None:
    broken = result(PERIOD, Outcome.BROKEN, "gone")
    assert list(failure(report(broken), broken))[:4] == [
        "broken: ts003-v2/period  (recommended)",
        "  A period is kept.",
        "  from TS003",
        "  gone",
    ]


def test_of_a_long_check_the_middle_is_left_out() -> None:
    def lines(count: int) -> list[str]:
        sent = tuple(Downlink(float(at), 99, b"") for at in range(count))
        one = dataclasses.replace(result(VERSION, Outcome.FAILED), transcript=sent)
        return list(steps(report(one), one))

    assert len(lines(41)) == 41  # no line to say that one is left out
    cut = lines(100)
    assert len(cut) == 41
    assert cut[11:14] == [
        "      11.000 s  down, FPort 99: no octets",
        "      ... 60 more ...",
        "      72.000 s  down, FPort 99: no octets",
    ]
    assert cut[-1] == "      99.000 s  down, FPort 99: no octets"


def test_the_summary_is_one_line() -> None:
    assert summary(EVERY) == (
        "mine: 6 checks, 1 passed, 1 failed, 1 known quirk, 1 skipped, 1 broken, 1 not played"
    )
    assert summary(report(result(VERSION, Outcome.FAILED))) == "mine: 1 check, 0 passed, 1 failed"


def test_nothing_played_is_said_in_the_summary() -> None:
    assert summary(report(result(PERIOD, Outcome.SKIPPED), result(PERIOD, Outcome.NOT_PLAYED))) == (
        "mine: 2 checks, 0 passed, 1 skipped, 1 not played; nothing was played"
    )


def test_no_control_character_of_a_subject_is_shown() -> None:
    outcome = Outcome.BROKEN
    broken = result(PERIOD, outcome, "it said: \x1b]0;t\x07\r\x0ball\nTraceback:\n  1/0\ud800")
    one = dataclasses.replace(
        report(broken),
        subject="a\nb: 9 checks, 9 passed\x1b[8m",
        describe=lambda entry: ("a\nb", ("c\td",)),
    )
    lines = list(failure(one, broken))
    assert lines[3:6] == [r"  it said: \x1b]0;t\x07\r\x0ball", "  Traceback:", r"    1/0\ud800"]
    assert lines[6:8] == [r"       0.000 s  a\nb", r"                c\td"]
    assert all(line.isprintable() for line in lines)
    assert summary(one).startswith(r"a\nb: 9 checks, 9 passed\x1b[8m: 1 check, ")
