import dataclasses

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.answers import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import Downlink, ServerEvent, ServerRequest, Uplink
from tests.unit.conformance.server.support import Meddler, every, expect_pass, outcomes, reason


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


def test_a_start_that_does_not_fit_is_found_to_be_overlooked() -> None:
    def fits(request: ServerRequest) -> ServerRequest:  # as if it had read what it hopes for
        ours = isinstance(request, Uplink) and request.fport == 200
        if isinstance(request, Uplink) and ours and request.payload[:1] == b"\x04":
            seconds = int.from_bytes(request.payload[2:5], "little")
            if seconds > 1_200:
                right = request.payload[:2] + (seconds - 700).to_bytes(3, "little")
                return dataclasses.replace(request, payload=right)
        return request

    words = reason(CHECKS["ts005-v1/time-to-start"], Meddler(requests=fits))
    assert words == "TimeToStart is 700 s off, and nothing was done about it"


def test_an_answer_that_is_asked_for_once_only_is_found() -> None:
    told: set[object] = set()

    def once(event: ServerEvent) -> list[ServerEvent]:
        if isinstance(event, Downlink) and event.fport == 200 and event.payload[:1] == b"\x04":
            if event.dev_eui in told:
                return []
            told.add(event.dev_eui)
        return [event]

    words = reason(CHECKS["ts005-v1/session-answer-lost"], Meddler(once))
    assert words == "the request was not sent again"


def test_requests_without_end_are_found() -> None:
    def thrice(event: ServerEvent) -> list[ServerEvent]:
        ours = isinstance(event, Downlink) and event.fport == 200
        return [event] * 30 if isinstance(event, Downlink) and ours else [event]

    words = reason(CHECKS["ts005-v2/refused-missed"], Meddler(thrice))
    assert "went to one device" in words


@pytest.mark.parametrize("name", ["refused-dr", "refused-freq", "straggler"])
def test_a_claim_about_a_device_that_took_no_part_is_found(name: str) -> None:
    words = reason(CHECKS[f"ts005-v1/{name}"], Meddler(outcomes(reached="transported")))
    assert "transported although it does not have the block" in words
