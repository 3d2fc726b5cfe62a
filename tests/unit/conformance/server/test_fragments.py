import dataclasses

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.fragments import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import Begin, MulticastDownlink, ServerRequest
from tests.unit.conformance.server.support import Meddler, every, expect_pass, frames, reason


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


def fragment(frame: MulticastDownlink) -> int:
    """N, or 0 for what is no fragment."""
    head = int.from_bytes(frame.payload[1:3], "little")
    return head & 0x3FFF if frame.payload[:1] == b"\x08" else 0


def renumbered(frame: MulticastDownlink) -> list[MulticastDownlink]:
    n = fragment(frame)
    if n == 0:
        return [frame]
    head = (n - 1).to_bytes(2, "little")
    return [dataclasses.replace(frame, payload=b"\x08" + head + frame.payload[3:])]


def cut(frame: MulticastDownlink) -> list[MulticastDownlink]:
    short = fragment(frame) == 20
    return [dataclasses.replace(frame, payload=frame.payload[:-5]) if short else frame]


def spoilt(frame: MulticastDownlink) -> list[MulticastDownlink]:
    if fragment(frame) <= 20:
        return [frame]
    last = bytes((frame.payload[-1] ^ 1,))
    return [dataclasses.replace(frame, payload=frame.payload[:-1] + last)]


def spoilt_early(frame: MulticastDownlink) -> list[MulticastDownlink]:
    again = dataclasses.replace(frame, payload=frame.payload[:3] + bytes(10))
    return [frame, again] if fragment(frame) == 3 else [frame]


def doubled(frame: MulticastDownlink) -> list[MulticastDownlink]:
    return [frame, frame]


def plain_only(frame: MulticastDownlink) -> list[MulticastDownlink]:
    return [frame] if fragment(frame) <= 20 else []


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("ts004-v1/length", cut, "fragment 20 has 5 octets; FragSize is 10"),
        ("ts004-v1/parity", spoilt, "not those of v1; no known matrix gives them"),
        ("ts004-v2/parity", spoilt, "not those of v2; no known matrix gives them"),
        ("ts004-v1/plain-first", doubled, "the first 20 numbers are [1, 1, 2, 2"),
        ("ts004-v1/paced", doubled, "two frames of 0.4 s are 0.0 s apart; 2.0 s were asked for"),
        ("ts004-v1/one-coded", plain_only, "only plain fragments were sent"),
        ("ts004-v1/redundancy", plain_only, "0 coded fragments; half of 20 were asked for"),
        ("ts004-v1/plain-data", spoilt_early, "fragment 3 is not octets 20 and on of the image"),
        ("ts004-v1/n-from-1", renumbered, "a fragment carries N = 0"),
        ("ts004-v1/n-ascends", doubled, "fragment 1 follows 1"),
    ],
)
def test_a_fragment_that_is_wrong_is_named(name: str, change: object, words: str) -> None:
    assert words in reason(CHECKS[name], Meddler(frames(change)))  # type: ignore[arg-type]


def test_another_redundancy_than_the_operators_is_found() -> None:
    def requests(request: ServerRequest) -> ServerRequest:
        return (
            dataclasses.replace(request, redundancy=0.0) if isinstance(request, Begin) else request
        )

    words = reason(CHECKS["ts004-v2/redundancy"], Meddler(requests=requests))
    assert words == "1 coded fragments; half of 20 were asked for"
