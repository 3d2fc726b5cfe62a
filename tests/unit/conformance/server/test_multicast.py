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
        ("session-radio", 4, 10, lambda old: old + 1, "DLFreq 869525000 Hz, DR 6"),
        ("session-future", 4, 3, lambda old: old - 4, " s from the request"),
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


def early(frame: MulticastDownlink) -> list[MulticastDownlink]:
    return [dataclasses.replace(frame, time=frame.time + 3_600.0)]


def to_port_200(frame: MulticastDownlink) -> list[MulticastDownlink]:
    return [frame, dataclasses.replace(frame, fport=200, fcnt=(frame.fcnt or 0) + 5_000)]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("fcnt-once", again, "frame counter 0 follows 0"),
        ("fcnt-once", other_data, "frame counter 0 of group"),
        ("frames-in-window", early, "from the start of the window, which lasts"),
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


def test_a_start_that_does_not_fit_is_found_to_be_overlooked() -> None:
    def fits(payload: bytes) -> bytes:  # as if the server had read what it hopes for
        seconds = int.from_bytes(payload[2:5], "little")
        return payload[:2] + (seconds - 700).to_bytes(3, "little") if seconds > 1_200 else payload

    server = Meddler(requests=misread(200, 4, fits))  # type: ignore[arg-type]
    words = reason(CHECKS["ts005-v1/time-to-start"], server)
    assert words == "TimeToStart is 700 s off, and nothing was done about it"


def test_groups_that_are_never_deleted_are_found() -> None:
    server = Meddler(downlinks(200, 3, lambda payload: None))
    assert reason(CHECKS["ts005-v2/group-deleted"], server).endswith("keeps the group for ever")


def test_class_b_windows_off_the_beacon_are_found() -> None:
    server = Meddler(downlinks(200, 5, octet(2, lambda old: old | 1)))
    assert "is no multiple of 128" in reason(CHECKS["ts005-v1/class-b"], server)
