import dataclasses

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.firmware import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import (
    Cancel,
    Downlink,
    ServerEvent,
    ServerRequest,
    Uplink,
)
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
    "name", ["rolled-back", "gone-after-reboot", "reboot-cannot", "not-asked", "image-other"]
)
def test_an_installation_that_was_not_confirmed_is_found(name: str) -> None:
    words = reason(CHECKS[f"ts006-v1/{name}"], Meddler(outcomes(reached="installed")))
    assert "reported installed" in words


def reboots_too(event: ServerEvent) -> list[ServerEvent]:
    """Whoever is asked for its image is told to reboot."""
    if isinstance(event, Downlink) and (event.fport, event.payload) == (203, b"\x04"):
        return [event, dataclasses.replace(event, payload=b"\x03\x3c\x00\x00")]
    return [event]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("image-corrupt", "CORRUPT_OR_WRONG_SIGNATURE was told to reboot"),
        ("image-hardware", "WRONG_HARDWARE was told to reboot"),
        ("image-none", "NO_IMAGE was told to reboot"),
        ("image-other", "holds another version was told to reboot"),
        ("image-silent", "said nothing of its image was told to reboot"),
    ],
)
def test_a_reboot_that_nothing_allows_is_found(name: str, words: str) -> None:
    assert words in reason(CHECKS[f"ts006-v1/{name}"], Meddler(reboots_too))


def test_a_reboot_that_nobody_acknowledges_is_found() -> None:
    server = Meddler(downlinks(203, 3, octet(1, lambda seconds: 0)))
    assert "Countdown 0" in reason(CHECKS["ts006-v1/reboot-acknowledged"], server)


def test_a_cancelled_update_that_leaves_its_reboots_is_found() -> None:
    def cancelled(payload: bytes) -> bytes | None:
        return None if payload == b"\x03\xff\xff\xff" else payload

    words = reason(CHECKS["ts006-v1/cancel"], Meddler(downlinks(203, 3, cancelled)))
    assert words == "the reboot that was programmed was not cancelled"


def test_a_version_that_is_not_read_is_found() -> None:
    def requests(request: ServerRequest) -> ServerRequest:
        assert not isinstance(request, Cancel)
        if isinstance(request, Uplink) and request.fport == 203 and request.payload[0] == 1:
            new = b"\x01\x00\x00\x00\x02" + request.payload[5:]
            return dataclasses.replace(request, payload=new)
        return request

    words = reason(CHECKS["ts006-v1/rolled-back"], Meddler(requests=requests))
    assert words == "the device is reported installed, and runs the old version"
