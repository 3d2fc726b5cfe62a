import dataclasses

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.negotiation import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import Downlink, ServerEvent, ServerRequest, Uplink
from tests.unit.conformance.server.support import (
    Meddler,
    downlinks,
    every,
    expect_pass,
    outcomes,
    reason,
)


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


@pytest.mark.parametrize(
    ("name", "fport"),
    [("ts004-v1", 201), ("ts005-v2", 200), ("ts003-v1", 202), ("ts006-v1", 203)],
)
def test_a_server_that_guesses_versions_is_found(name: str, fport: int) -> None:
    """Its question about the version never comes; it knows the answer all the same."""
    server: Meddler

    def events(event: ServerEvent) -> list[ServerEvent]:
        if isinstance(event, Downlink) and (event.fport, event.payload) == (fport, b"\x00"):
            version = {"1": 1, "2": 2}[name[-1]]
            package = {201: 3, 200: 2, 202: 1, 203: 4}[fport]
            known = Uplink(event.time, event.dev_eui, fport, bytes((0, package, version)))
            return list(server.exchange(known).events)
        return [event]

    server = Meddler(events)
    assert "came before PackageVersionReq" in reason(CHECKS[f"{name}/asked"], server)


def believes(identifier: int, version: int) -> object:
    def requests(request: ServerRequest) -> ServerRequest:
        if isinstance(request, Uplink) and request.payload[:1] == b"\x00" and request.fport == 201:
            return dataclasses.replace(request, payload=bytes((0, identifier, version)))
        return request

    return requests


@pytest.mark.parametrize("name", ["other-identifier", "other-version"])
def test_a_server_that_believes_any_version_is_found(name: str) -> None:
    server = Meddler(requests=believes(3, 1))  # type: ignore[arg-type]
    words = reason(CHECKS[f"ts004-v1/{name}"], server)
    assert words == "a set-up was sent to a device whose version is not known"


def test_an_outcome_under_another_name_is_found() -> None:
    words = reason(CHECKS["ts004-v2/other-version"], Meddler(outcomes(status="Initial")))
    assert "the server says Initial of it" in words or "expected Package_Not" in words


def test_a_server_that_uses_the_documents_port_is_found() -> None:
    def events(event: ServerEvent) -> list[ServerEvent]:
        if isinstance(event, Downlink) and event.fport in (60, 61, 62):
            return [event, dataclasses.replace(event, fport=201)]
        return [event]

    assert "FPort 201 was used" in reason(CHECKS["ts004-v1/ports"], Meddler(events))


def test_a_version_that_is_never_asked_again_is_found() -> None:
    asked: set[object] = set()

    def once(event: ServerEvent) -> list[ServerEvent]:
        if isinstance(event, Downlink) and (event.fport, event.payload) == (201, b"\x00"):
            if event.dev_eui in asked:
                return []
            asked.add(event.dev_eui)
        return [event]

    words = reason(CHECKS["ts004-v1/version-answer-lost"], Meddler(once))
    assert "does not have the block in the end" in words


def test_layouts_of_the_wrong_version_are_found() -> None:
    server = Meddler(downlinks(201, 2, lambda payload: payload[:11]))
    assert "block" in reason(CHECKS["ts004-v2/mixed"], server)
