import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.status import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import ServerRequest, Uplink
from tests.unit.conformance.server.support import (
    Meddler,
    downlinks,
    every,
    expect_pass,
    octet,
    outcomes,
    reason,
)


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


@pytest.mark.parametrize(
    "name",
    [
        "nothing-yet",
        "too-few",
        "other-index",
        "memory-error",
        "memory-error-complete",
        "mic-error",
        "session-gone-always",
        "claims-early",
    ],
)
def test_success_that_is_not_proved_is_found(name: str) -> None:
    words = reason(CHECKS[f"ts004-v2/{name}"], Meddler(outcomes(status="Successful")))
    assert words.endswith("is reported Successful although it does not have the block")


def test_silence_taken_for_success_is_found() -> None:
    claims = Meddler(outcomes(status="Successful"))
    words = reason(CHECKS["ts004-v1/success-asked"], claims)
    assert words == "a device that never said so is reported updated"
    words = reason(CHECKS["ts004-v1/status-never"], Meddler(outcomes(status="Successful")))
    assert words == "the device is reported Successful"


def test_a_word_that_claims_too_much_is_found() -> None:
    words = reason(CHECKS["ts004-v1/transported-only"], Meddler(outcomes(reached="verified")))
    assert words == "the device has proved 'transported'; reported is 'verified'"


def test_reports_that_are_not_answered_or_answered_wrong_are_found() -> None:
    check = CHECKS["ts004-v2/report-answered"]
    assert reason(check, Meddler(downlinks(201, 4, lambda payload: None))).endswith("0 answers")
    other = Meddler(downlinks(201, 4, octet(1, lambda index: index + 1)))
    assert reason(check, other) == "a report about FragIndex 0 was answered with 1"


def test_reserved_bits_and_another_layout_are_found() -> None:
    check = CHECKS["ts004-v1/well-formed"]
    server = Meddler(downlinks(201, 3, octet(1, lambda index: index | 0x80)))
    assert "is nothing that fragmentation/1 can read strictly" in reason(check, server)


def test_sessions_that_are_never_deleted_are_found() -> None:
    server = Meddler(downlinks(201, 3, lambda payload: None))
    assert reason(CHECKS["ts004-v2/session-deleted"], server).endswith("keeps the session for ever")


def test_a_poll_at_one_instant_is_found() -> None:
    def no_spread(payload: bytes) -> bytes:
        return payload[:5] + bytes((payload[5] & 0xF8,)) + payload[6:]

    server = Meddler(downlinks(201, 2, no_spread))
    assert "60 devices answer one frame within 16 s" in reason(
        CHECKS["ts004-v1/poll-spread"], server
    )


def test_a_mic_error_that_is_not_read_is_found() -> None:
    def requests(request: ServerRequest) -> ServerRequest:
        if isinstance(request, Uplink) and request.fport == 201 and request.payload[:1] == b"\x04":
            plain = bytes((4, request.payload[1] & 3))
            return Uplink(request.time, request.dev_eui, 201, plain)
        return request

    words = reason(CHECKS["ts004-v2/report-mic-error"], Meddler(requests=requests))
    assert words == "the device is reported Successful verified"
