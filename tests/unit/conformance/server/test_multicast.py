import dataclasses

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.multicast import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import (
    MulticastDownlink,
    ServerRequest,
    Uplink,
)
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
    ("name", "cid", "at", "value", "words"),
    [
        ("well-formed", 2, 1, lambda old: old | 0x80, "can read strictly"),
        ("mc-key", 2, 9, lambda old: old ^ 1, "are given 4 different keys"),
        ("mc-addr", 2, 5, lambda old: old ^ 1, "McAddr "),
        ("fcnt-range", 2, 22, lambda old: old + 8, "frame counter 0 lies outside (8, 65535)"),
        ("fcnt-range-small", 2, 29, lambda old: 1, "the operator allows 1000"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    name: str, cid: int, at: int, value: object, words: str
) -> None:
    change = octet(at, value)  # type: ignore[arg-type]
    assert words in reason(CHECKS[f"ts005-v1/{name}"], Meddler(downlinks(200, cid, change)))


def again(frame: MulticastDownlink) -> list[MulticastDownlink]:
    return [frame, frame]


def other_data(frame: MulticastDownlink) -> list[MulticastDownlink]:
    return [frame, dataclasses.replace(frame, payload=frame.payload[:-1] + b"\x00")]


def to_port_200(frame: MulticastDownlink) -> list[MulticastDownlink]:
    return [frame, dataclasses.replace(frame, fport=200, fcnt=(frame.fcnt or 0) + 5_000)]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("fcnt-once", again, "frame counter 0 follows 0"),
        ("fcnt-once", other_data, "frame counter 0 of group"),
        ("frames-readable", to_port_200, "a frame on FPort 200 that no member can use"),
    ],
)
def test_a_frame_that_is_wrong_is_named(name: str, change: object, words: str) -> None:
    assert words in reason(CHECKS[f"ts005-v2/{name}"], Meddler(frames(change)))  # type: ignore[arg-type]


def misread(fport: int, cid: int, change: object) -> object:
    def requests(request: ServerRequest) -> ServerRequest:
        if (
            isinstance(request, Uplink)
            and request.fport == fport
            and request.payload[:1] == bytes((cid,))
        ):
            return dataclasses.replace(request, payload=change(request.payload))  # type: ignore[operator]
        return request

    return requests


@pytest.mark.parametrize("name", ["group-refused", "group-answer-other"])
def test_an_answer_about_a_group_that_is_not_read_is_found(name: str) -> None:
    server = Meddler(requests=misread(200, 2, lambda payload: b"\x02\x00"))  # type: ignore[arg-type]
    assert "a device was told of a window" in reason(CHECKS[f"ts005-v1/{name}"], server)


def test_groups_that_are_never_deleted_are_found() -> None:
    server = Meddler(downlinks(200, 3, lambda payload: None))
    assert reason(CHECKS["ts005-v2/group-deleted"], server).endswith("keeps the group for ever")
