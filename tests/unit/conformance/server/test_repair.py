import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.run import Outcome, run_server_checks
from lorafuota.conformance.server.repair import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import Downlink, MulticastDownlink, ServerEvent
from tests.unit.conformance.server.support import (
    Meddler,
    every,
    expect_pass,
    outcomes,
    reason,
)


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


def first_pass_only(event: ServerEvent) -> list[ServerEvent]:
    if not isinstance(event, Downlink | MulticastDownlink) or event.payload[:1] != b"\x08":
        return [event]
    return [event] if int.from_bytes(event.payload[1:3], "little") & 0x3FFF <= 24 else []


@pytest.mark.parametrize("name", ["random", "plain-odd", "burst"])
def test_a_server_that_does_not_repair_is_found(name: str) -> None:
    server = Meddler(first_pass_only)
    words = reason(CHECKS[f"ts004-v1/loss-{name}"], server)
    assert "does not have the block in the end" in words


@pytest.mark.parametrize("name", ["hopeless", "dies-in-window"])
def test_a_claim_about_a_device_that_heard_nothing_is_found(name: str) -> None:
    words = reason(CHECKS[f"ts004-v2/{name}"], Meddler(outcomes(status="Successful")))
    assert "although it does not have the block" in words


def test_a_server_without_repair_is_not_asked_for_it() -> None:
    checks = [one for one in CHECKS if "repair" in one.needs]
    results = run_server_checks(checks, Meddler(without=["repair"]))
    assert {one.outcome for one in results} == {Outcome.SKIPPED}
