import json
import pathlib
import xml.etree.ElementTree as ET

import pytest

from lorafuota.conformance.catalogues import CATALOGUES
from tests.unit.cli.conformchecks import FEW, OWN
from tests.unit.cli.support import call


@pytest.fixture(autouse=True)
def few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    for role in CATALOGUES.keys() - {"device"}:
        monkeypatch.delitem(CATALOGUES, role)
    monkeypatch.setitem(CATALOGUES, "device", FEW)


def test_status_0_when_every_check_passes_or_is_skipped() -> None:
    outcome = call("conform", "device", *OWN, "--severity", "required")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == (
        """\
package          severity  passed  failed  known quirk  skipped  broken  not played
fragmentation/1  required       1
1 skipped: does not speak fragmentation/2
documents v1: 2 checks, 1 passed, 1 skipped
"""
    )
    outcome = call("conform", "device", *OWN, "--version", "2")
    assert outcome.out == (
        """\
1 skipped: does not speak fragmentation/2
documents v1: 1 check, 0 passed, 1 skipped
"""
    )


def test_status_1_and_the_whole_story_when_a_check_fails() -> None:
    outcome = call("conform", "device", *OWN)
    assert outcome.status == 1
    assert outcome.out.startswith(
        """\
failed: ts004-v1/bad  (recommended)
  Fail.
  from TS004, 2
    Because of a reason.
  expected silence; came 00 03 01 on FPort 201
       0.000 s  power on, as it left the factory; DevAddr """
    )
    assert "up, FPort 201: 00 03 01\n" in outcome.out
    assert outcome.out.endswith("documents v1: 3 checks, 1 passed, 1 failed, 1 skipped\n")


def test_a_profile_makes_its_quirks_expected() -> None:
    outcome = call("conform", "device", *OWN, "--profile", "Zephyr 2025", "--json")
    document = json.loads(outcome.out)
    assert outcome.status == 0
    assert (document["profile"], document["good"]) == ("Zephyr 2025", True)
    assert [one["outcome"] for one in document["checks"]] == ["passed", "skipped", "known quirk"]


def test_known_quirks_are_named() -> None:
    outcome = call("conform", "device", *OWN, "--profile", "Zephyr 2025", "--version", "1")
    assert outcome.status == 0
    assert outcome.out.splitlines()[-2:] == [
        "known quirk: ts004-v1/bad: Fail.",
        "documents v1: 2 checks, 1 passed, 1 known quirk",
    ]


def test_the_junit_report_is_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "report.xml"
    assert call("conform", "device", *OWN, "--junit", str(path)).status == 1
    [suite] = ET.parse(path).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")


def test_a_report_that_cannot_be_written_is_noticed_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr("lorafuota.conformance.run._play", None)
    outcome = call("conform", "device", *OWN, "--junit", str(tmp_path / "no" / "report.xml"))
    assert outcome.status == 2
    assert "No such file or directory" in outcome.err
