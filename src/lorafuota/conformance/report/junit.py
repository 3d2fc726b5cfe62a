"""Results as JUnit XML, which continuous integration shows: a test case for each check.

``time`` is real time, which continuous integration adds up; a property of each case says how long
it took in the subject's time.  Text that XML cannot carry is replaced, since a subject may have
said anything.
"""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from typing import Final

from ...version import VERSION
from ..run import Outcome, Result
from .document import Report
from .text import failure

__all__ = ["junit_xml"]

_SKIPPED: Final = (Outcome.KNOWN, Outcome.SKIPPED, Outcome.NOT_PLAYED)
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(report: Report) -> bytes:
    """Return the report as a document."""
    results = report.results
    totals = {
        "tests": str(len(results)),
        "failures": str(report.count(Outcome.FAILED)),
        "errors": str(report.count(Outcome.BROKEN)),
        "skipped": str(sum(report.count(outcome) for outcome in _SKIPPED)),
        "time": f"{sum(report.took):.3f}",
    }
    name = _text(f"lorafuota conform {report.role}: {report.subject}")
    suite = ET.Element("testsuite", {"name": name, **totals})
    properties = ET.SubElement(suite, "properties")
    for name, value in (("lorafuota", VERSION), ("profile", report.profile or "")):
        ET.SubElement(properties, "property", name=name, value=_text(value))
    took = itertools.chain(report.took, itertools.repeat(0.0))
    for result in results:
        suite.append(_case(report, result, next(took)))
    suites = ET.Element("testsuites", totals)
    suites.append(suite)
    ET.indent(suites)
    document: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(report: Report, result: Result, took: float) -> ET.Element:
    check = result.check
    case = ET.Element(
        "testcase",
        classname=f"{check.package.name}.v{check.package.version}",
        name=check.name,
        time=f"{took:.3f}",
    )
    if result.transcript:
        properties = ET.SubElement(case, "properties")
        seconds = f"{result.seconds:.3f}"
        ET.SubElement(properties, "property", name="virtual_seconds", value=seconds)
    reason = _text(result.reason)
    explanation = _text("\n".join(failure(report, result)))
    match result.outcome:
        case Outcome.PASSED:
            pass
        case Outcome.FAILED:
            node = ET.SubElement(case, "failure", message=reason, type=check.severity.value)
            node.text = explanation
        case Outcome.BROKEN:
            ET.SubElement(case, "error", message=reason).text = explanation
        case Outcome.KNOWN:
            ET.SubElement(case, "skipped", message=f"known quirk: {reason}").text = explanation
        case Outcome.SKIPPED | Outcome.NOT_PLAYED:
            ET.SubElement(case, "skipped", message=reason)
    return case


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
