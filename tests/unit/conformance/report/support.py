"""A report with a result of every kind."""

from __future__ import annotations

from lorafuota.conformance.check import Catalogue, Check, Severity
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.explain import explain_device
from lorafuota.conformance.report.document import Report
from lorafuota.conformance.run import Outcome, Result
from lorafuota.conformance.subject import About, Downlink, Uplink

CHECKS: Catalogue[DevicePeer] = Catalogue()


@CHECKS.check("fragmentation", (1,), "version", clause="TS004, 3.1", quirk_of=["Zephyr 2025"])
def version(peer: DevicePeer) -> None:
    """The version is told.

    A device that says another one gets fragments of the other parity matrix, and rebuilds
    something else than the image.
    """


@CHECKS.check("clocksync", (2,), "period", clause="TS003", severity=Severity.RECOMMENDED)
def period(peer: DevicePeer) -> None:
    """A period is kept."""


VERSION, PERIOD = CHECKS["ts004-v1/version"], CHECKS["ts003-v2/period"]
TRANSCRIPT = (
    Downlink(100.0, 201, b"\x00"),
    Uplink(102.5, 201, bytes.fromhex("000302")),
)


def result(check: Check[DevicePeer], outcome: Outcome, reason: str = "") -> Result:
    played = outcome not in (Outcome.SKIPPED, Outcome.NOT_PLAYED)
    return Result(
        check=check, outcome=outcome, reason=reason, transcript=TRANSCRIPT if played else ()
    )


def report(*results: Result) -> Report:
    return Report(
        role="device",
        subject="mine",
        profile=None,
        results=results,
        describe=explain_device(About(name="mine", versions={"fragmentation": 1})),
    )


EVERY = report(
    result(VERSION, Outcome.PASSED),
    result(VERSION, Outcome.FAILED, "expected 1 < 2; came\x00 3 & 4"),
    result(VERSION, Outcome.KNOWN, "so it is"),
    result(PERIOD, Outcome.SKIPPED, "does not speak clocksync/2"),
    result(PERIOD, Outcome.BROKEN, "the program ended with status 3"),
    result(PERIOD, Outcome.NOT_PLAYED, "the device broke 5 times in a row"),
)
