from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.dissect.networkevents import (
    Event,
    NotAnEvent,
    chirpstack_events,
    things_stack_events,
)
from lorafuota.types import DOWNLINK, UPLINK

OCTETS = bytes.fromhex("02c0")
DATA = base64.b64encode(OCTETS).decode()
UP: dict[str, Any] = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2024-05-17T16:53:02.5+00:00",
    "deviceInfo": {"deviceName": "meter", "devEui": "70b3d57ed0061a2b"},
    "devAddr": "0021d3a1",
    "fCnt": 17,
    "fPort": 201,
    "data": DATA,
    "rxInfo": [
        {"gatewayId": "a84041fffe1e2f3a", "gwTime": "2024-05-17T16:53:02Z", "rssi": -71},
        {"gatewayId": "a84041fffe1e2f3b", "timeSinceGpsEpoch": "1400000000.250s"},
    ],
}
IDS: dict[str, Any] = {
    "device_id": "meter-7",
    "application_ids": {"application_id": "meters"},
    "dev_eui": "0004A30B001C0530",
    "dev_addr": "26011BDA",
}


def snake(data: Any) -> Any:
    """The same event with the other spelling of its names."""
    names = {
        "deduplicationId": "deduplication_id",
        "deviceInfo": "device_info",
        "devEui": "dev_eui",
        "fCnt": "f_cnt",
        "fPort": "f_port",
        "rxInfo": "rx_info",
        "gwTime": "gw_time",
        "timeSinceGpsEpoch": "time_since_gps_epoch",
        "devEUI": "dev_eui",
    }
    if isinstance(data, dict):
        return {names.get(name, name): snake(value) for name, value in data.items()}
    return [snake(one) for one in data] if isinstance(data, list) else data


@pytest.mark.parametrize("event", [UP, snake(UP)], ids=["camelCase", "snake_case"])
def test_a_chirpstack_uplink(event: dict[str, Any]) -> None:
    assert chirpstack_events(event) == [
        Event(
            direction=UPLINK,
            fport=201,
            payload=OCTETS,
            fcnt=17,
            dev_eui="70b3d57ed0061a2b",
            gps=1_400_000_000.25,
            times=("2024-05-17T16:53:02Z", "2024-05-17T16:53:02.5+00:00"),
        )
    ]
    assert things_stack_events(event) is None


@pytest.mark.parametrize(
    "item",
    [
        {"devEui": "70b3d57ed0061a2b", "fPort": 201, "data": DATA, "fCntDown": 5},
        {"dev_eui": "70b3d57ed0061a2b", "f_port": 201, "data": DATA, "f_cnt_down": 5},
        {"queueItem": {"devEui": "70b3d57ed0061a2b", "fPort": 201, "data": DATA, "fCntDown": 5}},
    ],
)
def test_a_chirpstack_queue_item_is_a_downlink(item: dict[str, Any]) -> None:
    assert chirpstack_events(item) == [
        Event(direction=DOWNLINK, fport=201, payload=OCTETS, fcnt=5, dev_eui="70b3d57ed0061a2b")
    ]


@pytest.mark.parametrize(
    "field",
    [
        {"devAddr": "0021d3a1"},
        {"fCnt": 17},
        {"dr": 5},
        {"adr": False},
        {"txInfo": {"frequency": 868100000}},
        {"regionConfigId": "eu868"},
        {"deduplicationId": "3ac7e3c4"},
        {"rxInfo": []},
    ],
)
def test_any_field_that_only_uplinks_have_tells_an_uplink(field: dict[str, Any]) -> None:
    bare = {"deviceInfo": UP["deviceInfo"], "fPort": 201, "data": DATA}
    assert [one.direction for one in chirpstack_events(bare | field) or []] == [UPLINK]
    assert [one.direction for one in chirpstack_events(snake(bare | field)) or []] == [UPLINK]
    third = {"devEUI": "70b3d57ed0061a2b", "deviceName": "meter", "fPort": 201, "data": DATA}
    assert [one.direction for one in chirpstack_events(third | field) or []] == [UPLINK]


@pytest.mark.parametrize(
    "field",
    [
        {"fCntDown": 3},
        {"queueItemId": "x"},
        {"downlinkId": 7},
        {"isPending": False},
        {"isEncrypted": False},
        {"expiresAt": "2024-05-17T16:53:02Z"},
    ],
)
def test_any_field_that_only_downlinks_have_tells_a_downlink(field: dict[str, Any]) -> None:
    bare = {"deviceInfo": UP["deviceInfo"], "fPort": 201, "data": DATA}
    assert [one.direction for one in chirpstack_events(bare | field) or []] == [DOWNLINK]


@pytest.mark.parametrize(
    "item",
    [
        {"devEui": "70b3d57ed0061a2b", "confirmed": True, "fPort": 201, "data": DATA},
        {"queueItem": {"devEui": "70b3d57ed0061a2b", "fPort": 201, "data": DATA}},
        {"multicastGroupId": "5a", "fCnt": 10, "fPort": 201, "data": DATA},
        {"queueItem": {"multicastGroupId": "5a", "fCnt": 10, "fPort": 201, "data": DATA}},
    ],
)
def test_what_somebody_asks_chirpstack_to_send_is_a_downlink(item: dict[str, Any]) -> None:
    assert [one.direction for one in chirpstack_events(item) or []] == [DOWNLINK]


@pytest.mark.parametrize(
    "event",
    [
        {"deviceInfo": UP["deviceInfo"], "fPort": 201, "data": DATA},
        {"deviceInfo": UP["deviceInfo"], "fPort": 201, "data": DATA, "dr": 1, "fCntDown": 1},
        {"devEUI": "70b3d57ed0061a2b", "applicationID": "1", "fPort": 201, "data": DATA},
    ],
)
def test_where_the_direction_cannot_be_told_that_is_said(event: dict[str, Any]) -> None:
    with pytest.raises(NotAnEvent, match="does not tell whether it goes up") as raised:
        chirpstack_events(event)
    assert not raised.value.expected


def test_a_message_of_the_things_stack_tells_its_direction_or_it_is_not_guessed() -> None:
    message = {"f_port": 201, "frm_payload": DATA}
    for extra, direction in (
        ({"rx_metadata": []}, UPLINK),
        ({"received_at": "2024-05-17T16:53:02Z"}, UPLINK),
        ({"priority": "LOWEST"}, DOWNLINK),
        ({"class_b_c": {}}, DOWNLINK),
    ):
        assert [one.direction for one in things_stack_events(message | extra) or []] == [direction]
    with pytest.raises(NotAnEvent, match="does not tell whether it goes up"):
        things_stack_events(message)
    for name, direction in (("as.up.data.forward", UPLINK), ("as.down.data.receive", DOWNLINK)):
        live = {"name": name, "identifiers": [{"device_ids": IDS}], "data": message}
        assert [one.direction for one in things_stack_events(live) or []] == [direction]


def test_a_chirpstack_frame_log_has_the_whole_frame() -> None:
    log = {"phyPayload": DATA, "devEui": "70b3d57ed0061a2b", "time": "2024-05-17T16:53:02Z"}
    wanted = Event(
        direction=None,
        phy=OCTETS,
        dev_eui="70b3d57ed0061a2b",
        times=("2024-05-17T16:53:02Z",),
    )
    assert chirpstack_events(log) == [wanted]
    assert chirpstack_events({"uplinkFrame": log}) == [wanted]
    with pytest.raises(NotAnEvent, match="in parts, not as octets"):
        chirpstack_events({"phy_payload": {"mhdr": {}}})


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"queueItemId": "x", "fCntDown": 3}, "txack event"),
        ({"queueItemId": "x", "acknowledged": True}, "ack event"),
        ({"margin": 7, "batteryLevel": 80}, "status event"),
        ({"code": "UPLINK_MIC", "level": "ERROR"}, "log event"),
        ({"location": {}}, "location event"),
        ({"devAddr": "00000001"}, "join event"),
    ],
)
def test_other_chirpstack_events_are_known_to_carry_nothing(
    event: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NotAnEvent, match=f"a ChirpStack {reason} carries no payload") as raised:
        chirpstack_events({"deviceInfo": UP["deviceInfo"], **event})
    assert raised.value.expected


def test_numbers_may_travel_as_text_and_octets_may_be_missing() -> None:
    [event] = chirpstack_events({**UP, "fCnt": "17"}) or []
    assert event.fcnt == 17
    ids = {"end_device_ids": IDS, "downlink_message": {"raw_payload": ""}}
    assert [one.phy for one in things_stack_events(ids) or []] == [b""]


def test_what_is_wrong_in_an_event_is_said() -> None:
    for change, reason in (
        ({"data": "%%"}, "data is no base64"),
        ({"data": 7}, "data is no base64"),
        ({"fPort": 300}, "the port is 300"),
        ({"fPort": "x"}, "f_port is no whole number"),
        ({"fCnt": 1.5}, "f_cnt is no whole number"),
    ):
        with pytest.raises(NotAnEvent, match=reason) as raised:
            chirpstack_events({**UP, **change})
        assert not raised.value.expected
    others: list[object] = [{}, [], 7, None, {"data": DATA}]
    for data in others:
        assert (chirpstack_events(data), things_stack_events(data)) == (None, None)


def test_a_payload_that_the_server_could_not_decrypt_is_no_payload() -> None:
    with pytest.raises(NotAnEvent, match="still encrypted: ChirpStack has no AppSKey") as raised:
        chirpstack_events({**UP, "joinServerContext": {"sessionKeyId": "x"}})
    assert not raised.value.expected
    message = {"f_port": 201, "frm_payload": DATA, "app_s_key": {"encrypted_key": "x"}}
    with pytest.raises(NotAnEvent, match="still encrypted: the device skips payload crypto"):
        things_stack_events(tts(uplink_message=message))


def tts(**parts: Any) -> dict[str, Any]:
    return {"end_device_ids": IDS, "received_at": "2024-05-17T16:53:03.123456789Z", **parts}


def test_a_the_things_stack_uplink_leaves_out_what_is_zero() -> None:
    message = {"f_port": 201, "frm_payload": DATA, "received_at": "2024-05-17T16:53:02Z"}
    wanted = Event(
        direction=UPLINK,
        fport=201,
        payload=OCTETS,
        fcnt=0,
        dev_eui="0004A30B001C0530",
        times=("2024-05-17T16:53:02Z", "2024-05-17T16:53:03.123456789Z"),
    )
    assert things_stack_events(tts(uplink_message=message)) == [wanted]
    assert things_stack_events({"result": tts(uplink_message=message)}) == [wanted]
    with pytest.raises(NotAnEvent, match="has no frm_payload"):
        things_stack_events(tts(uplink_message={"f_cnt": 4}))


@pytest.mark.parametrize(
    "name",
    ["downlink_queued", "downlink_sent", "downlink_ack", "downlink_nack", "downlink_message"],
)
def test_the_things_stack_downlinks(name: str) -> None:
    message = {"f_port": 201, "f_cnt": 4, "frm_payload": DATA}
    wanted = Event(
        direction=DOWNLINK,
        fport=201,
        payload=OCTETS,
        fcnt=4,
        dev_eui="0004A30B001C0530",
        times=("2024-05-17T16:53:03.123456789Z",),
    )
    assert things_stack_events(tts(**{name: message})) == [wanted]
    failed = {"downlink": message, "error": {"name": "x"}}
    assert things_stack_events(tts(downlink_failed=failed)) == [wanted]
    queue = {"downlinks": [message, message]}
    assert things_stack_events(tts(downlink_queue_invalidated=queue)) == [wanted, wanted]
    assert things_stack_events({"end_device_ids": IDS, "downlinks": [message]}) == [
        Event(direction=DOWNLINK, fport=201, payload=OCTETS, fcnt=4, dev_eui="0004A30B001C0530")
    ]


def test_a_multicast_group_of_the_things_stack_is_a_device_without_an_eui() -> None:
    ids = {"device_id": "group", "dev_addr": "01FE2A3B"}
    message = {
        "f_port": 201,
        "f_cnt": 4,
        "frm_payload": DATA,
        "class_b_c": {"absolute_time": "2024-05-17T17:00:00Z"},
    }
    [event] = things_stack_events({"end_device_ids": ids, "downlink_queued": message}) or []
    assert (event.mc_addr, event.dev_eui) == ("01FE2A3B", None)
    assert event.times == ("2024-05-17T17:00:00Z",)


def test_live_events_of_the_things_stack_wrap_messages() -> None:
    live = {
        "name": "as.up.data.forward",
        "time": "2024-05-17T16:53:04Z",
        "identifiers": [{"device_ids": IDS}],
        "data": {"@type": "x", "uplink_message": {"f_port": 201, "frm_payload": DATA}},
    }
    [event] = things_stack_events(live) or []
    assert (event.payload, event.dev_eui) == (OCTETS, "0004A30B001C0530")
    assert event.times == ("2024-05-17T16:53:04Z",)
    raw = {**live, "data": {"raw_payload": DATA, "scheduled": {"time": "2024-05-17T16:53:05Z"}}}
    [event] = things_stack_events(raw) or []
    assert (event.direction, event.phy, event.payload) == (None, OCTETS, None)
    assert event.times == ("2024-05-17T16:53:05Z", "2024-05-17T16:53:04Z")
    heard = {**live, "data": {"message": {"raw_payload": DATA}, "band_id": "EU_863_870"}}
    assert [one.phy for one in things_stack_events(heard) or []] == [OCTETS]
    sent = {"raw_payload": DATA, "end_device_ids": {**IDS, "dev_eui": "0000000000000007"}}
    ack = {"result": "SUCCESS", "downlink_message": sent}
    for data in (ack, {"gateway_ids": {}, "tx_ack": ack}):
        [event] = things_stack_events({**live, "data": data}) or []
        assert (event.phy, event.dev_eui) == (OCTETS, "0000000000000007")
    down = {**live, "data": {"f_port": 201, "frm_payload": DATA, "priority": "NORMAL"}}
    assert [one.direction for one in things_stack_events(down) or []] == [DOWNLINK]
    with pytest.raises(NotAnEvent, match=r"the event gs\.status carries no payload") as raised:
        things_stack_events({**live, "name": "gs.status", "data": {}})
    assert raised.value.expected
    with pytest.raises(NotAnEvent, match="a The Things Stack join_accept carries no payload"):
        things_stack_events(tts(join_accept={"session_key_id": "x"}))


NAMES = (
    *("deviceInfo", "data", "fPort", "fCnt", "rxInfo", "gwTime", "phyPayload", "name", "result"),
    *("end_device_ids", "uplink_message", "frm_payload", "f_port", "raw_payload"),
    *("downlink_sent", "downlinks", "identifiers", "time"),
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(DATA),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JUNK)
def test_any_json_gives_frames_or_a_reason(data: Any) -> None:
    for read in (chirpstack_events, things_stack_events):
        try:
            found = read(data)
        except NotAnEvent as error:
            assert str(error)
        else:
            assert found is None or all(isinstance(one, Event) for one in found)
