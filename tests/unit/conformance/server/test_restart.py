import dataclasses

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.restart import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import Begin, Restart, ServerRequest
from tests.unit.conformance.server.support import Meddler, every, expect_pass, reason


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


def forgetful() -> Meddler:
    """A server that has stored nothing but its orders, and begins again."""
    server: Meddler

    def requests(request: ServerRequest) -> ServerRequest:
        if isinstance(request, Restart) and server.order is not None:
            return dataclasses.replace(server.order, time=request.time)
        return request

    server = Meddler(requests=requests)
    return server


@pytest.mark.parametrize("name", ["ts005-v1/restart-window", "ts005-v2/restart-window-late"])
def test_counters_that_are_not_stored_are_found(name: str) -> None:
    words = reason(CHECKS[name], forgetful())
    assert words.startswith(("frame counter 0 follows", "a set-up of"))


def test_session_counters_that_are_not_stored_are_found() -> None:
    words = reason(CHECKS["ts004-v2/restart-fragment"], forgetful())
    assert "carries SessionCnt 0 although a fragment reached it under 0" in words


def test_a_server_that_does_not_come_back_is_found() -> None:
    dead: list[float] = []

    def requests(request: ServerRequest) -> ServerRequest | None:
        if isinstance(request, Begin):
            dead.clear()
        if isinstance(request, Restart):
            dead.append(request.time)
        return None if dead else request

    server = Meddler(requests=requests)
    words = reason(CHECKS["ts004-v1/restart-setup"], server)
    assert words == "the update did not end within 40 days"
