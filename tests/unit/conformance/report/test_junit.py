import dataclasses
import xml.etree.ElementTree as ET

from lorafuota.conformance.report.junit import junit_xml
from lorafuota.version import VERSION
from tests.unit.conformance.report.support import EVERY


def test_every_check_is_a_test_case_of_its_package_and_version() -> None:
    took = (0.25, 0.5, 2.0, 0.0, 0.125)
    octets = junit_xml(dataclasses.replace(EVERY, took=took))  # the last was not played
    assert octets.startswith(b"<?xml version='1.0' encoding='utf-8'?>\n<testsuites ")
    suites = ET.fromstring(octets)
    [suite] = suites
    totals = {"tests": "6", "failures": "1", "errors": "1", "skipped": "3", "time": "2.875"}
    assert suites.attrib == totals
    assert suite.attrib == {"name": "lorafuota conform device: mine", **totals}
    assert [(one.get("name"), one.get("value")) for one in suite[0]] == [
        ("lorafuota", VERSION),
        ("profile", ""),
    ]
    cases = suite.findall("testcase")
    assert [(one.get("classname"), one.get("name"), one.get("time")) for one in cases] == [
        ("fragmentation.v1", "version", "0.250"),
        ("fragmentation.v1", "version", "0.500"),
        ("fragmentation.v1", "version", "2.000"),
        ("clocksync.v2", "period", "0.000"),
        ("clocksync.v2", "period", "0.125"),
        ("clocksync.v2", "period", "0.000"),
    ]
    found = [case.find("properties/property[@name='virtual_seconds']") for case in cases]
    seconds = [None if one is None else one.get("value") for one in found]
    assert seconds == ["2.500", "2.500", "2.500", None, "2.500", None]
    ends = [[node for node in case if node.tag != "properties"] for case in cases]
    assert [[(node.tag, node.get("message")) for node in case] for case in ends] == [
        [],
        [("failure", "expected 1 < 2; came\N{REPLACEMENT CHARACTER} 3 & 4")],
        [("skipped", "known quirk: so it is")],
        [("skipped", "does not speak clocksync/2")],
        [("error", "the program ended with status 3")],
        [("skipped", "the device broke 5 times in a row")],
    ]


def test_a_failure_carries_the_explanation_and_the_octets() -> None:
    [suite] = ET.fromstring(junit_xml(EVERY))
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.get("type") == "required"
    text = failure.text or ""
    assert text.startswith("failed: ts004-v1/version  (required)\n  The version is told.\n")
    assert "up, FPort 201: 00 03 02\n" in text
    assert text.endswith("PackageVersionAns(package_identifier=3, package_version=2)")


def test_what_nobody_measured_took_no_time() -> None:
    [suite] = ET.fromstring(junit_xml(EVERY))
    assert {case.get("time") for case in suite.findall("testcase")} == {"0.000"}
    assert suite.get("time") == "0.000"
