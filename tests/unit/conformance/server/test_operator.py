import dataclasses
from collections.abc import Iterable

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.operator import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import (
    Advance,
    Cancel,
    DeviceOutcome,
    Downlink,
    Ended,
    Pause,
    RemoveDevice,
    Resume,
    ServerEvent,
    ServerReply,
    ServerRequest,
)
from tests.unit.conformance.server.support import Meddler, every, expect_pass, outcomes, reason


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


def deaf_to(*kinds: type) -> Meddler:
    """A server whose operator is not heard."""

    def requests(request: ServerRequest) -> ServerRequest:
        return Advance(request.time) if isinstance(request, kinds) else request

    return Meddler(requests=requests)


@pytest.mark.parametrize(
    ("name", "kinds", "words"),
    [
        ("pause", (Pause, Resume), "something was sent while the update was paused"),
        ("cancel", (Cancel,), "fragments were sent after the update had been cancelled"),
        ("remove-device", (RemoveDevice,), "a downlink went to a device that had been removed"),
        ("pause-setup", (Resume,), "the update did not end within 40 days"),
    ],
)
def test_an_operator_who_is_not_heard_is_noticed(
    name: str, kinds: Iterable[type], words: str
) -> None:
    assert reason(CHECKS[f"ts004-v1/{name}"], deaf_to(*kinds)) == words


def test_an_update_without_end_is_found() -> None:
    def events(event: ServerEvent) -> list[ServerEvent]:
        return [] if isinstance(event, Ended) else [event]

    words = reason(CHECKS["ts004-v2/outcomes"], Meddler(events))
    assert words == "the update did not end within 40 days"


def test_a_device_of_which_nothing_is_said_is_found() -> None:
    def events(event: ServerEvent) -> list[ServerEvent]:
        return [] if isinstance(event, DeviceOutcome) else [event]

    words = reason(CHECKS["ts004-v2/outcomes"], Meddler(events))
    assert words.startswith("the update ended, and nothing was said of ")


def test_words_of_the_servers_own_are_found() -> None:
    words = reason(CHECKS["ts004-v1/outcomes"], Meddler(outcomes(status="Great")))
    assert "the server says Great of it" in words


class Restless(Meddler):
    """Sends once more, a day after the end."""

    done = False

    def exchange(self, request: ServerRequest) -> ServerReply:
        reply = super().exchange(request)
        if self.order is not None and request.time > self.order.time + 80_000 and not self.done:
            self.done = True
            late = Downlink(request.time, self.order.devices[0].dev_eui, 201, b"\x01\x01")
            return dataclasses.replace(reply, events=(*reply.events, late))
        return reply


def test_a_server_that_goes_on_after_the_end_is_found() -> None:
    words = reason(CHECKS["ts004-v1/quiet-after-end"], Restless())
    assert words == "downlinks were sent after the end"
