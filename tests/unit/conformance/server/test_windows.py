import dataclasses

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.windows import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import MulticastDownlink, ServerRequest, Uplink
from tests.unit.conformance.server.support import (
    Meddler,
    downlinks,
    every,
    expect_pass,
    frames,
    octet,
    reason,
)


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


@pytest.mark.parametrize(
    ("name", "at", "value", "words"),
    [
        ("session-radio", 10, lambda old: old + 1, "DLFreq 869525000 Hz, DR 6"),
        ("session-future", 3, lambda old: old - 4, " s from the request"),
        ("window-fits", 6, lambda old: 15, "the window lasts 32768 s"),
    ],
)
def test_a_field_that_is_wrong_is_named(name: str, at: int, value: object, words: str) -> None:
    change = octet(at, value)  # type: ignore[arg-type]
    assert words in reason(CHECKS[f"ts005-v1/{name}"], Meddler(downlinks(200, 4, change)))


def late(frame: MulticastDownlink) -> list[MulticastDownlink]:
    return [dataclasses.replace(frame, time=frame.time + 3_600.0)]


def test_a_frame_outside_every_window_is_found() -> None:
    words = reason(CHECKS["ts005-v2/frames-in-window"], Meddler(frames(late)))
    assert "from the start of the window, which lasts" in words


def test_class_b_windows_off_the_beacon_are_found() -> None:
    server = Meddler(downlinks(200, 5, octet(2, lambda old: old | 1)))
    assert "is no multiple of 128" in reason(CHECKS["ts005-v1/class-b"], server)


def accepts(request: ServerRequest) -> ServerRequest:
    """A server that takes any answer about a window for an acceptance that fits."""
    if isinstance(request, Uplink) and request.fport == 200 and request.payload[:1] == b"\x04":
        seconds = 900 if len(request.payload) == 2 else 0
        if seconds:
            accepted = b"\x04\x00" + seconds.to_bytes(3, "little")
            return dataclasses.replace(request, payload=accepted)
    return request


def test_a_window_that_all_refuse_and_that_is_filled_all_the_same_is_found() -> None:
    words = reason(CHECKS["ts005-v1/all-refuse"], Meddler(requests=accepts))
    assert words == "fragments were sent although every device had refused the window"
