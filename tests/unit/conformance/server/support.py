"""Our server with what it says or hears changed on the way, to see that a check notices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from lorafuota.conformance.check import Catalogue, Check
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.run import Outcome, run_server_checks
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import (
    Begin,
    DeviceOutcome,
    Downlink,
    MulticastDownlink,
    ServerAbout,
    ServerEvent,
    ServerReply,
    ServerRequest,
    ServerSubject,
)

Events = Callable[[ServerEvent], Iterable[ServerEvent]]
Requests = Callable[[ServerRequest], ServerRequest | None]


class Meddler:
    """Our server behind somebody who changes what goes in and out."""

    def __init__(
        self,
        events: Events = lambda event: [event],
        requests: Requests = lambda request: request,
        *,
        without: Iterable[str] = (),
    ) -> None:
        self.inner = OwnServer()
        self.order: Begin | None = None
        self._events, self._requests = events, requests
        about = self.inner.about
        self.about: ServerAbout = dataclasses.replace(about, can=about.can - frozenset(without))

    def exchange(self, request: ServerRequest) -> ServerReply:
        if isinstance(request, Begin):
            self.order = request
        passed = self._requests(request)
        if passed is None:
            return ServerReply()
        reply = self.inner.exchange(passed)
        events = tuple(two for one in reply.events for two in self._events(one))
        return ServerReply(events, reply.next)


def every(catalogue: Catalogue[ServerPeer]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("check", list(catalogue), ids=lambda check: check.id)


def expect_pass(check: Check[ServerPeer]) -> None:
    [result] = run_server_checks([check], OwnServer())
    assert (result.outcome, result.reason) == (Outcome.PASSED, "")


def reason(check: Check[ServerPeer], subject: ServerSubject) -> str:
    """Why a check fails; it has to."""
    [result] = run_server_checks([check], subject)
    assert result.outcome is Outcome.FAILED, result
    return result.reason


def downlinks(fport: int, cid: int, change: Callable[[bytes], bytes | None]) -> Events:
    """Change the unicast payloads on a port that begin with a CID; None drops them."""

    def events(event: ServerEvent) -> Iterator[ServerEvent]:
        ours = isinstance(event, Downlink) and event.fport == fport
        if isinstance(event, Downlink) and ours and event.payload[:1] == bytes((cid,)):
            payload = change(event.payload)
            if payload is not None:
                yield dataclasses.replace(event, payload=payload)
        else:
            yield event

    return events


def frames(change: Callable[[MulticastDownlink], Iterable[MulticastDownlink]]) -> Events:
    """Change the multicast frames."""

    def events(event: ServerEvent) -> Iterable[ServerEvent]:
        return change(event) if isinstance(event, MulticastDownlink) else [event]

    return events


def outcomes(**changes: Any) -> Events:
    """Change what is said of devices in the end."""

    def events(event: ServerEvent) -> Iterable[ServerEvent]:
        is_outcome = isinstance(event, DeviceOutcome)
        return [dataclasses.replace(event, **changes) if is_outcome else event]

    return events


def octet(at: int, value: Callable[[int], int]) -> Callable[[bytes], bytes]:
    """Change one octet of a payload."""
    return lambda payload: payload[:at] + bytes((value(payload[at]),)) + payload[at + 1 :]
