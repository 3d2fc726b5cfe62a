"""A few checks in the place of the catalogue, for tests of what is done with results."""

from __future__ import annotations

from lorafuota.conformance.check import Catalogue, Severity
from lorafuota.conformance.devicepeer import DevicePeer

OWN = ("--own", "documents v1")
FEW: Catalogue[DevicePeer] = Catalogue()


@FEW.check("fragmentation", (1, 2), "good", clause="TS004, 1")
def good(peer: DevicePeer) -> None:
    """Pass."""


@FEW.check(
    "fragmentation",
    (1,),
    "bad",
    clause="TS004, 2",
    severity=Severity.RECOMMENDED,
    quirk_of=["Zephyr 2025"],
)
def bad(peer: DevicePeer) -> None:
    """Fail.

    Because of a reason.
    """
    peer.send_raw(201, b"\x00")
    peer.expect_silence()
