import contextlib
import dataclasses
import io
import itertools
import json
import pathlib
import types
import xml.etree.ElementTree as ET

import pytest

from lorafuota.cli.arguments import Status
from lorafuota.cli.conformreport import CONFORM_STATUS
from lorafuota.cli.main import main
from lorafuota.conformance.catalogues import CATALOGUES
from lorafuota.conformance.check import Catalogue
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.own import OwnDevice
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


def test_status_2_when_nothing_was_played(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "report.xml"
    outcome = call("conform", "device", *OWN, "--version", "2", "--junit", str(path))
    assert (outcome.status, outcome.out, outcome.err) == (
        2,
        """\
1 skipped: does not speak fragmentation/2
documents v1: 1 check, 0 passed, 1 skipped; nothing was played
""",
        "lorafuota conform: nothing was played: 1 check skipped, all because: does not speak "
        "fragmentation/2\n",
    )
    assert ET.parse(path).getroot().get("skipped") == "1"
    outcome = call("conform", "device", *OWN, "--version", "2", "--json")
    assert (outcome.status, json.loads(outcome.out)["good"]) == (2, False)


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


def test_the_junit_report_is_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarters = itertools.count()
    clock = types.SimpleNamespace(monotonic=lambda: next(quarters) / 4)
    monkeypatch.setattr("lorafuota.cli.conformreport.time", clock)
    path = tmp_path / "report.xml"
    assert call("conform", "device", *OWN, "--junit", str(path)).status == 1
    [suite] = ET.parse(path).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert [case.get("time") for case in suite.findall("testcase")] == ["0.250"] * 3
    assert suite.get("time") == "0.750"
    [seconds] = suite.iterfind("testcase[@name='bad']/properties/property")
    assert (seconds.get("name"), seconds.get("value")) == ("virtual_seconds", "20.000")


def test_a_report_that_cannot_be_written_is_noticed_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr("lorafuota.conformance.run._play", None)
    outcome = call("conform", "device", *OWN, "--junit", str(tmp_path / "no" / "report.xml"))
    assert outcome.status == 2
    assert "No such file or directory" in outcome.err


@pytest.fixture
def ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever plays the last check presses Ctrl-C."""

    def press(peer: DevicePeer) -> None:
        """Pass, if nobody presses Ctrl-C."""
        raise KeyboardInterrupt

    catalogue = Catalogue(FEW)
    catalogue.check("fragmentation", (1,), "long", clause="-")(press)
    catalogue.check("fragmentation", (1,), "behind", clause="-")(press)
    monkeypatch.setitem(CATALOGUES, "device", catalogue)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_leaves_a_report_of_what_was_played(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "report.xml"
    path.write_text("old")
    outcome = call("conform", "device", *OWN, "--junit", str(path))
    assert (outcome.status, outcome.err) == (130, "lorafuota conform: interrupted\n")
    assert outcome.out.endswith("5 checks, 1 passed, 1 failed, 1 skipped, 2 not played\n")
    suites = ET.parse(path).getroot()
    assert (suites.get("tests"), suites.get("skipped")) == ("5", "3")
    assert [one.get("message") for one in suites.iterfind("*/testcase[@name='behind']/*")] == [
        "the run was cut off"
    ]
    document = json.loads(call("conform", "device", *OWN, "--json").out)
    assert (document["good"], document["counts"]["not played"]) == (False, 2)


def test_what_the_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Subject:
        about = dataclasses.replace(
            OwnDevice("documents v1").about, name="Gerät \ud800 \x1b]0;t\x07\nall passed \u2713"
        )

        def exchange(self, request: object) -> object:
            raise RuntimeError("\u2717 \udfff\x1b[8m\n0 failed")

    monkeypatch.setattr("lorafuota.cli.conformdevice.python_object", lambda args: Subject())
    for encoding, name, cross in (
        ("ascii", r"Ger\xe4t \ud800 \x1b]0;t\x07\nall passed \u2713", r"\u2717"),
        ("cp1252", r"Gerät \ud800 \x1b]0;t\x07\nall passed \u2713", r"\u2717"),
        ("utf-8", r"Gerät \ud800 \x1b]0;t\x07\nall passed \N{CHECK MARK}", "\u2717"),
    ):
        octets = io.BytesIO()
        stream = io.TextIOWrapper(octets, encoding=encoding)
        with contextlib.redirect_stdout(stream):
            assert main(["conform", "device", "--python", "a:b"]) == 1
        text = octets.getvalue().decode(encoding)
        shown = name.replace(r"\N{CHECK MARK}", "\N{CHECK MARK}")
        assert text.splitlines()[-1] == f"{shown}: 3 checks, 0 passed, 1 skipped, 2 broken"
        assert f"  PowerOn raises RuntimeError: {cross} " + r"\udfff\x1b[8m\n0 failed" in text
        assert all(line.isprintable() for line in text.splitlines())


def test_the_help_speaks_of_checks() -> None:
    for words in ((), ("device",), ("server",)):
        text = call("conform", *words, "--help").out
        assert CONFORM_STATUS in text
        assert "keys that differ" not in text
    assert all(f"\n  {status.value} " in CONFORM_STATUS for status in Status)
