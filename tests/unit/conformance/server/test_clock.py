from collections.abc import Callable

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.clock import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from tests.unit.conformance.server.support import (
    Meddler,
    downlinks,
    every,
    expect_pass,
    octet,
    reason,
)


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


def turned(payload: bytes) -> bytes:
    seconds = int.from_bytes(payload[1:5], "little", signed=True)
    other = min(max(-seconds, -(2**31)), 2**31 - 1)
    return b"\x01" + other.to_bytes(4, "little", signed=True) + payload[5:]


def leap(payload: bytes) -> bytes:
    seconds = int.from_bytes(payload[1:5], "little", signed=True) - 18
    return b"\x01" + max(seconds, -(2**31)).to_bytes(4, "little", signed=True) + payload[5:]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("answer-required", lambda payload: None, "0 AppTimeAns for one AppTimeReq"),
        ("out-of-sync", lambda payload: None, "0 AppTimeAns for one AppTimeReq"),
        ("correction-fast", turned, "TimeCorrection 3600; expected -3600"),
        ("correction-slow", turned, "TimeCorrection -100000; expected 100000"),
        ("correction-leap", leap, "TimeCorrection "),
        ("saturates", turned, "expected -2147483648"),
        ("tokens", octet(5, lambda token: 0), "TokenAns 0; TokenReq was 1"),
        ("rfu", octet(5, lambda token: token | 0xE0), "can read strictly"),
        ("well-formed", octet(5, lambda token: token | 0x10), "can read strictly"),
    ],
)
def test_an_answer_that_is_wrong_is_named(
    name: str, change: Callable[[bytes], bytes | None], words: str
) -> None:
    server = Meddler(downlinks(202, 1, change))
    assert words in reason(CHECKS[f"ts003-v2/{name}"], server)
