"""What network servers write about a frame: the events of ChirpStack 4 and of The Things Stack 3.

Both are protocol buffers as JSON, so each name comes in camelCase or in snake_case, octets are
base64, and a field that is zero may be missing.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ..types import DOWNLINK, UPLINK, Direction

__all__ = ["Event", "NotAnEvent", "chirpstack_events", "things_stack_events"]


class NotAnEvent(Exception):
    """A line holds no frame.

    Attributes:
        expected: It is a known event that carries none.
    """

    def __init__(self, reason: str, *, expected: bool = False) -> None:
        super().__init__(reason)
        self.expected = expected


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What an event says of a frame; texts are not checked yet."""

    direction: Direction | None
    fport: int | None = None
    payload: bytes | None = None
    fcnt: int | None = None
    dev_eui: str | None = None
    mc_addr: str | None = None
    phy: bytes | None = None
    gps: float | None = None
    """The gateway's GPS time, if the event has it."""
    times: tuple[str, ...] = ()
    """UTC, the best one first."""


class _Fields:
    """An object of the JSON of protocol buffers, whichever way its names are written."""

    def __init__(self, data: object) -> None:
        names = data.items() if isinstance(data, Mapping) else ()
        self._data: dict[str, Any] = {_snake(str(name)): value for name, value in names}

    def __contains__(self, name: str) -> bool:
        return self._data.get(name) is not None

    def below(self, name: str) -> _Fields:
        return _Fields(self._data.get(name))

    def each(self, name: str) -> Iterator[_Fields]:
        value = self._data.get(name)
        for item in value if isinstance(value, list) else ():
            yield _Fields(item)

    def text(self, name: str) -> str | None:
        value = self._data.get(name)
        return value if isinstance(value, str) and value else None

    def number(self, name: str) -> int | None:
        """Return a whole number; 64-bit ones travel as text."""
        value = self._data.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            return int(value)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise NotAnEvent(f"{name} is no whole number")
        return value

    def octets(self, name: str) -> bytes:
        value = self._data.get(name)
        if value is None:
            return b""
        try:
            return base64.b64decode(value, validate=True)
        except (TypeError, ValueError):
            raise NotAnEvent(f"{name} is no base64") from None


_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _snake(name: str) -> str:
    """Return a name in snake_case: ``fPort`` is ``f_port``, ``devEUI`` is ``dev_eui``."""
    return _HUMP.sub("_", name).lower()


def _port(fields: _Fields) -> int:
    fport = fields.number("f_port") or 0
    if not 0 <= fport <= 255:
        raise NotAnEvent(f"the port is {fport}")
    return fport


def _counter(fields: _Fields, *names: str) -> int | None:
    for name in names:
        fcnt = fields.number(name)
        if fcnt is not None:
            return fcnt
    return None


def _told_by(fields: _Fields, up: Iterable[str], down: Iterable[str]) -> Direction | None:
    """Return the direction whose fields there are; None if they are of neither or of both."""
    as_up, as_down = (any(name in fields for name in names) for names in (up, down))
    if as_up == as_down:
        return None
    return UPLINK if as_up else DOWNLINK


# --- ChirpStack -----------------------------------------------------------------------------------


_CHIRPSTACK_UP: Final = (
    *("deduplication_id", "rx_info", "tx_info", "dev_addr", "adr", "dr", "f_cnt"),
    *("region_config_id", "confirmed_uplink"),
)
"""Fields of an up event, of version 4 or 3, that nothing which goes down has."""

_CHIRPSTACK_DOWN: Final = (
    *("f_cnt_down", "queue_item_id", "downlink_id", "is_pending", "is_encrypted", "expires_at"),
)
"""Fields of queue items, txack and ack events that no uplink has."""

_CHIRPSTACK_3: Final = ("application_id", "application_name", "device_name")
"""Events of version 3 have the DevEUI beside these, where a queue item of version 4 has it."""


def chirpstack_events(data: object) -> list[Event] | None:
    """Return the frames of a ChirpStack event, of a queue item or of a frame log; None: no such.

    Raises:
        NotAnEvent: It is one without a frame, or cannot be read.
    """
    fields = _Fields(data)
    queued = "queue_item" in fields
    for wrapper in ("queue_item", "uplink_frame", "downlink_frame"):
        if wrapper in fields:
            fields = fields.below(wrapper)
    if "phy_payload" in fields:
        return [_chirpstack_frame(fields)]
    if "device_info" not in fields and not any(
        name in fields for name in ("dev_eui", "multicast_group_id")
    ):
        return None
    if "data" not in fields:
        name = _chirpstack_kind(fields)
        raise NotAnEvent(f"a ChirpStack {name} carries no payload", expected=True)
    if "join_server_context" in fields:
        raise NotAnEvent("the payload is still encrypted: ChirpStack has no AppSKey of this device")
    return [
        Event(
            direction=DOWNLINK if queued else _chirpstack_direction(fields),
            fport=_port(fields),
            payload=fields.octets("data"),
            fcnt=_counter(fields, "f_cnt", "f_cnt_down"),
            dev_eui=fields.below("device_info").text("dev_eui") or fields.text("dev_eui"),
            gps=_gps(fields),
            times=_chirpstack_times(fields),
        )
    ]


def _chirpstack_direction(fields: _Fields) -> Direction:
    if "multicast_group_id" in fields:
        return DOWNLINK
    told = _told_by(fields, _CHIRPSTACK_UP, _CHIRPSTACK_DOWN)
    if told is not None:
        return told
    marks = any(name in fields for name in (*_CHIRPSTACK_UP, *_CHIRPSTACK_DOWN, *_CHIRPSTACK_3))
    if "device_info" not in fields and not marks:
        return DOWNLINK  # somebody's command to send, with the DevEUI beside the payload
    raise NotAnEvent(
        "this ChirpStack event does not tell whether it goes up (devAddr, fCnt, dr, rxInfo) or "
        "down (fCntDown, queueItemId)"
    )


def _chirpstack_frame(fields: _Fields) -> Event:
    if not fields.text("phy_payload"):
        raise NotAnEvent("this frame log has the frame in parts, not as octets")
    return Event(
        direction=None,
        phy=fields.octets("phy_payload"),
        dev_eui=fields.text("dev_eui"),
        gps=_gps(fields),
        times=_chirpstack_times(fields),
    )


def _gps(fields: _Fields) -> float | None:
    for one in fields.each("rx_info"):
        text = one.text("time_since_gps_epoch")
        if text and re.fullmatch(r"\d{1,12}(\.\d+)?s", text):
            return float(text[:-1])
    return None


def _chirpstack_times(fields: _Fields) -> tuple[str, ...]:
    gateways = [one.text(name) for one in fields.each("rx_info") for name in ("gw_time", "time")]
    return tuple(text for text in (*gateways, fields.text("time")) if text)


def _chirpstack_kind(fields: _Fields) -> str:
    for name, kind in (
        ("acknowledged", "ack event"),
        ("queue_item_id", "txack event"),
        ("margin", "status event"),
        ("battery_level", "status event"),
        ("location", "location event"),
        ("code", "log event"),
        ("integration_name", "integration event"),
        ("f_port", "event"),
    ):
        if name in fields:
            return kind
    return "join event"


# --- The Things Stack -----------------------------------------------------------------------------

_DOWN: Final = (
    "downlink_queued",
    "downlink_sent",
    "downlink_ack",
    "downlink_nack",
    "downlink_failed",
    "downlink_message",
)
_MESSAGE_UP: Final = ("rx_metadata", "settings", "received_at", "consumed_airtime")
_MESSAGE_DOWN: Final = ("priority", "class_b_c", "confirmed_retry")
_SILENT: Final = ("join_accept", "location_solved", "service_data", "uplink_normalized")


def things_stack_events(data: object) -> list[Event] | None:
    """Return the frames of a The Things Stack message or event; None: it is no such thing.

    Raises:
        NotAnEvent: It is one without a frame, or cannot be read.
    """
    fields = _Fields(data)
    if "name" in fields and "identifiers" in fields:
        return _things_stack_live(fields)
    if "result" in fields and "downlink_message" not in fields:
        fields = fields.below("result")  # the storage integration wraps each message so
    return _things_stack_message(fields, _Fields(None), fields.text("received_at"), None)


def _things_stack_live(fields: _Fields) -> list[Event]:
    ids = _Fields(None)
    for one in fields.each("identifiers"):
        if "device_ids" in one:
            ids = one.below("device_ids")
    inside = fields.below("data")
    if "tx_ack" in inside:
        inside = inside.below("tx_ack")
    name = fields.text("name") or ""
    named = {"up": UPLINK, "down": DOWNLINK}.get(name.partition(".")[2].partition(".")[0])
    found = _things_stack_message(inside, ids, fields.text("time"), named)
    if found is None:
        raise NotAnEvent(f"the event {name} carries no payload", expected=True)
    return found


def _things_stack_message(
    fields: _Fields, outer: _Fields, received: str | None, named: Direction | None
) -> list[Event] | None:
    """Return the frames of a message; *named* is the direction the event's name tells."""
    ids = fields.below("end_device_ids") if "end_device_ids" in fields else outer
    if "uplink_message" in fields:
        up = fields.below("uplink_message")
        return [_things_stack_frame(up, ids, UPLINK, received)]
    for name in _DOWN:
        if name in fields:
            down = fields.below(name)
            inner = down.below("downlink") if "downlink" in down else down
            return [_things_stack_frame(inner, ids, DOWNLINK, received)]
    for name in ("downlinks", "downlink_queue_invalidated"):
        if name in fields:
            inside = fields.below(name) if name != "downlinks" else fields
            each = list(inside.each("downlinks"))
            return [_things_stack_frame(down, ids, DOWNLINK, received) for down in each]
    for name in _SILENT:
        if name in fields:
            raise NotAnEvent(f"a The Things Stack {name} carries no payload", expected=True)
    if "message" in fields and "raw_payload" in fields.below("message"):
        return [_things_stack_frame(fields.below("message"), ids, None, received)]
    if "raw_payload" in fields:
        return [_things_stack_frame(fields, ids, None, received)]
    if "frm_payload" in fields and "f_port" in fields:
        told = _told_by(fields, _MESSAGE_UP, _MESSAGE_DOWN) or named
        if told is None:
            raise NotAnEvent(
                "this message of The Things Stack does not tell whether it goes up (rx_metadata, "
                "settings) or down (priority)"
            )
        return [_things_stack_frame(fields, ids, told, received)]
    return None


def _things_stack_frame(
    fields: _Fields, ids: _Fields, direction: Direction | None, received: str | None
) -> Event:
    if "end_device_ids" in fields:
        ids = fields.below("end_device_ids")
    dev_eui = ids.text("dev_eui")
    times = (
        fields.text("received_at"),
        fields.below("class_b_c").text("absolute_time"),
        fields.below("scheduled").text("time"),
        received,
    )
    known = tuple(text for text in times if text)
    if "raw_payload" in fields:
        return Event(direction=None, phy=fields.octets("raw_payload"), dev_eui=dev_eui, times=known)
    if "frm_payload" not in fields:
        raise NotAnEvent("this message of The Things Stack has no frm_payload", expected=True)
    if "app_s_key" in fields:
        raise NotAnEvent("the payload is still encrypted: the device skips payload crypto")
    group = ids.text("dev_addr") if direction is DOWNLINK and dev_eui is None else None
    return Event(
        direction=direction,
        fport=_port(fields),
        payload=fields.octets("frm_payload"),
        fcnt=_counter(fields, "f_cnt") or 0,
        dev_eui=dev_eui,
        mc_addr=group,
        times=known,
    )
