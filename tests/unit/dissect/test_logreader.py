from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.dissect.capture import Frame
from lorafuota.dissect.logreader import (
    MAX_LINE,
    Captured,
    Unread,
    frame_to_json,
    gps_of_text,
    read_log,
)
from lorafuota.errors import FieldError
from lorafuota.gpstime import utc_text
from lorafuota.types import DOWNLINK, UPLINK, DevAddr, DevEUI
from tests.unit.dissect.test_networkevents import DATA, UP, tts

FULL = Frame(
    direction=DOWNLINK,
    fport=201,
    payload=b"\x01\x00",
    time=1_400_000_000.5,
    dev_eui=DevEUI(0x0004A30B001C0530),
    mc_addr=DevAddr(0x26011BDA),
    fcnt=17,
    phy=b"\x60",
)


def lines(*data: Any) -> list[Captured | Unread]:
    return list(read_log(json.dumps(one) for one in data))


def reason(data: Any) -> str:
    [one] = lines(data)
    assert isinstance(one, Unread)
    return one.reason


@pytest.mark.parametrize("frame", [FULL, Frame(direction=UPLINK, phy=b"\x40\x01")])
def test_our_own_format_is_read_back_as_it_was_written(frame: Frame) -> None:
    document = frame_to_json(frame)
    assert lines(document) == [Captured(1, "lorafuota", frame)]
    assert None not in document.values()


def test_a_time_may_be_utc_and_a_direction_short() -> None:
    given = {"direction": "up", "fport": 2, "payload": "", "time": "2024-05-17T16:53:02.5Z"}
    assert lines(given) == [
        Captured(
            1, "lorafuota", Frame(direction=UPLINK, fport=2, payload=b"", time=1_400_000_000.5)
        )
    ]
    assert lines({"phy": "600102"}) == [
        Captured(1, "lorafuota", Frame(direction=DOWNLINK, phy=b"\x60\x01\x02"))
    ]
    assert lines({"phy": "400102"}) == [
        Captured(1, "lorafuota", Frame(direction=UPLINK, phy=b"\x40\x01\x02"))
    ]


def test_formats_are_told_apart_line_by_line_and_lines_are_counted() -> None:
    message = {"f_port": 201, "frm_payload": DATA}
    text = "\n".join(
        [
            "\ufeff" + json.dumps(UP),
            "",
            json.dumps(tts(uplink_message=message)),
            json.dumps({"direction": "up", "fport": 201, "payload": "02c0"}),
            json.dumps(tts(join_accept={"x": 1})),
        ]
    )
    found = list(read_log(text.splitlines()))
    assert [
        (one.line, one.source, one.frame.payload) if isinstance(one, Captured) else one
        for one in found
    ] == [
        (1, "chirpstack", b"\x02\xc0"),
        (3, "the-things-stack", b"\x02\xc0"),
        (4, "lorafuota", b"\x02\xc0"),
        Unread(5, "a The Things Stack join_accept carries no payload", True),
    ]
    assert found == list(read_log(line.encode() for line in text.splitlines(keepends=True)))
    up = found[0]
    assert isinstance(up, Captured)
    assert (up.frame.time, str(up.frame.dev_eui)) == (1_400_000_000.25, "70B3D57ED0061A2B")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "this is no JSON: Expecting property name"),
        ("nothing", "this is no JSON: Expecting value, character 1"),
        ("[1]", "a line is a JSON object, and this is none"),
        ("[" * 100_000, "the JSON is nested too deep"),
        ("1" * 5000, "this is no JSON that can be read"),
        (" " * 9 + "x" * MAX_LINE, "the line is longer than 262,144 characters"),
        ("{}", "the object is neither a frame of ours nor an event of a network server"),
    ],
)
def test_a_line_that_cannot_be_read_never_stops_the_rest(line: str, why: str) -> None:
    good = '{"direction": "up", "fport": 1, "payload": ""}'
    first, second = read_log([line, good])
    assert isinstance(first, Unread)
    assert (first.line, first.expected) == (1, False)
    assert first.reason.startswith(why)
    assert isinstance(second, Captured)
    assert first.to_json() == {"line": 1, "unread": first.reason, "expected": False}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"direction": "sideways"}, "direction: expected uplink or downlink"),
        ({"direction": 7}, "direction: expected uplink or downlink"),
        ({"fport": 256}, "fport: expected a number of 0 to 255"),
        ({"fport": True}, "fport: expected a number of 0 to 255"),
        ({"payload": "0"}, "payload: expected hex digits"),
        ({"payload": 7}, "payload: expected hex digits"),
        ({"payload": None}, "payload: expected a payload with its port, or a PHYPayload"),
        ({"time": "noon"}, "time: expected a time with its zone, in ISO 8601"),
        ({"time": "2024-05-17T16:53:02"}, "time: expected a time with its zone"),
        ({"time": -1}, "time: expected GPS seconds, or UTC as text"),
        ({"time": 1 << 37}, "time: expected GPS seconds, or UTC as text"),
        ({"time": True}, "time: expected GPS seconds, or UTC as text"),
        ({"time": float("inf")}, "time: expected GPS seconds, or UTC as text"),
        ({"dev_eui": "12"}, "dev_eui: expected 16 hex digits"),
        ({"dev_eui": 12}, "dev_eui: expected 16 hex digits"),
        ({"mc_addr": "x" * 8}, "mc_addr: expected 8 hex digits"),
        ({"fcnt": -1}, "fcnt: expected a number of 0 to 4294967295"),
        ({"port": 201}, "port: expected no such field; there are dev_eui, direction"),
    ],
)
def test_what_is_wrong_in_a_line_of_ours_is_said(change: dict[str, Any], why: str) -> None:
    plain = {"direction": "up", "fport": 201, "payload": "02c0"}
    assert reason({**plain, **change}).startswith(why)


def test_a_gps_time_that_cannot_be_is_passed_over_for_the_next_best() -> None:
    wild = {**UP, "rxInfo": [{"timeSinceGpsEpoch": "999999999999s"}]}
    [one] = lines(wild)
    assert isinstance(one, Captured)
    assert one.frame.time == 1_400_000_000.5


def test_the_direction_of_a_frame_log_is_in_the_frame() -> None:
    octets = base64.b64encode(b"\x60\x01").decode()
    [down] = lines({"phyPayload": octets, "devEui": "70b3d57ed0061a2b"})
    assert isinstance(down, Captured)
    assert (down.frame.direction, down.frame.phy) == (DOWNLINK, b"\x60\x01")
    assert reason({"phy": ""}) == "phy: expected a frame of at least one octet"
    assert reason({"phyPayload": "AA==", "devEui": "7"}) == "dev_eui: expected 16 hex digits"
    empty = {"end_device_ids": {}, "downlink_message": {"raw_payload": ""}}
    assert reason(empty) == "phy: expected a frame of at least one octet"


def test_times_of_servers_have_any_number_of_digits_and_leap_seconds() -> None:
    assert gps_of_text("2024-05-17T16:53:02.123456789Z") == 1_400_000_000.123456
    assert gps_of_text("2024-05-17T18:53:02+02:00") == 1_400_000_000
    leap = "2016-12-31T23:59:60Z"
    assert utc_text(gps_of_text(leap)) == leap
    for bad in ("", "60", "2024-05-17T16:53:61Z", "9999-99-99T00:00:00Z"):
        with pytest.raises(FieldError):
            gps_of_text(bad)
    for bad in ("0001-01-01T00:00:00Z", "1979-12-31T00:00:00Z", "9999-12-31T23:59:59Z"):
        with pytest.raises(FieldError):
            gps_of_text(bad)


@given(st.lists(st.text(max_size=60) | st.binary(max_size=60), max_size=5))
def test_any_lines_give_frames_or_reasons(given: list[str | bytes]) -> None:
    for one in read_log(given):
        assert 1 <= one.line <= len(given)
