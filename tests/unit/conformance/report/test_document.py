import json

from lorafuota.conformance.report.document import check_document
from lorafuota.conformance.run import Outcome
from lorafuota.version import VERSION as LORAFUOTA
from tests.unit.conformance.report.support import EVERY, PERIOD, VERSION, report, result


def counts(**given: int) -> dict[str, int]:
    every = {outcome.value: 0 for outcome in Outcome}
    return every | {name.replace("_", " "): count for name, count in given.items()}


def test_the_document_counts_by_package_version_severity_and_outcome() -> None:
    document = json.loads(json.dumps(EVERY.document()))
    assert list(document) == [
        "schema",
        "lorafuota",
        "role",
        "subject",
        "profile",
        "good",
        "counts",
        "packages",
        "checks",
    ]
    assert (document["schema"], document["lorafuota"]) == (1, LORAFUOTA)
    assert (document["role"], document["subject"], document["good"]) == ("device", "mine", False)
    assert document["counts"] == counts(
        passed=1, failed=1, known_quirk=1, skipped=1, broken=1, not_played=1
    )
    assert document["packages"] == [
        {
            "package": "fragmentation",
            "version": 1,
            "severity": "required",
            "counts": counts(passed=1, failed=1, known_quirk=1),
        },
        {
            "package": "clocksync",
            "version": 2,
            "severity": "recommended",
            "counts": counts(skipped=1, broken=1, not_played=1),
        },
    ]


def test_a_failure_comes_with_what_went_over_the_link() -> None:
    passed, failed, *_ = json.loads(json.dumps(EVERY.document()))["checks"]
    assert "transcript" not in passed
    assert failed == {
        "id": "ts004-v1/version",
        "package": "fragmentation",
        "version": 1,
        "name": "version",
        "title": "The version is told.",
        "clause": "TS004, 3.1",
        "severity": "required",
        "needs": [],
        "quirk_of": ["Zephyr 2025"],
        "outcome": "failed",
        "reason": "expected 1 < 2; came\x00 3 & 4",
        "transcript": [
            {"seconds": 0.0, "what": "down, FPort 201: 00", "read": ["PackageVersionReq()"]},
            {
                "seconds": 2.5,
                "what": "up, FPort 201: 00 03 02",
                "read": ["PackageVersionAns(package_identifier=3, package_version=2)"],
            },
        ],
    }
    assert failed.items() >= check_document(VERSION).items()


def test_known_quirks_and_skipped_checks_are_good() -> None:
    assert report(result(VERSION, Outcome.KNOWN), result(PERIOD, Outcome.SKIPPED)).good
    for outcome in (Outcome.FAILED, Outcome.BROKEN, Outcome.NOT_PLAYED):
        assert not report(result(VERSION, Outcome.PASSED), result(PERIOD, outcome)).good


def test_a_report_is_good_only_if_something_was_played() -> None:
    skipped, passed = result(PERIOD, Outcome.SKIPPED), result(VERSION, Outcome.PASSED)
    for results, played, good in (
        ((skipped, passed), True, True),
        ((skipped,), False, False),
        ((skipped, result(VERSION, Outcome.NOT_PLAYED)), False, False),
        ((skipped, result(VERSION, Outcome.BROKEN)), True, False),
        ((skipped, result(VERSION, Outcome.KNOWN)), True, True),
    ):
        one = report(*results)
        assert (one.played, one.good, one.document()["good"]) == (played, good, good)
