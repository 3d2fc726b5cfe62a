"""A log of frames, one JSON a line: our own format, ChirpStack's events, The Things Stack's.

The format is told from each line, so logs may be mixed.  A line that cannot be read is reported
with its number and the reason, and never stops the rest.

Our own format has the fields of :class:`Frame`, and leaves out what is not known::

    {"direction": "uplink", "fport": 201, "payload": "0240", "time": 1400000000.5,
     "dev_eui": "0004A30B001C0530", "fcnt": 17}

``direction`` is ``uplink`` or ``downlink`` (``up`` and ``down`` do as well).  ``payload`` and
``phy`` are hex.  ``time`` is a number of GPS seconds, or text: UTC as ISO 8601 has it.  ``mc_addr``
is the group of a multicast downlink.  A line with ``phy`` needs nothing else.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from .._kinds import JSON
from ..errors import FieldError
from ..gpstime import utc_to_gps
from ..types import DOWNLINK, UPLINK, DevAddr, DevEUI, Direction
from .capture import Frame
from .networkevents import Event, NotAnEvent, chirpstack_events, things_stack_events

__all__ = [
    "MAX_LINE",
    "MAX_TIME",
    "Captured",
    "LogLine",
    "Unread",
    "frame_to_json",
    "gps_of_text",
    "read_log",
]

MAX_LINE: Final = 1 << 18
"""Octets of the longest line that is read."""

MAX_TIME: Final = 1 << 37
"""GPS seconds that no time reaches: the year is 6335."""


@dataclasses.dataclass(frozen=True, slots=True)
class Captured:
    """A frame, and where it stood."""

    line: int
    source: str
    """``lorafuota``, ``chirpstack`` or ``the-things-stack``."""
    frame: Frame


@dataclasses.dataclass(frozen=True, slots=True)
class Unread:
    """A line without a frame."""

    line: int
    reason: str
    expected: bool = False
    """It was understood, and is an event that carries no payload."""

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON."""
        return {"line": self.line, "unread": self.reason, "expected": self.expected}


LogLine: TypeAlias = Captured | Unread
"""What a line gives; some give several."""

_DIRECTIONS: Final = {"up": UPLINK, "uplink": UPLINK, "down": DOWNLINK, "downlink": DOWNLINK}
_FIELDS: Final = frozenset(field.name for field in dataclasses.fields(Frame))
_FRACTION: Final = re.compile(r"(\.\d{6})\d+")


def read_log(lines: Iterable[str | bytes]) -> Iterator[LogLine]:
    """Return the frames of a log, line by line; never raises because of what is in it.

    Args:
        lines: With or without line ends; empty ones are passed over.
    """
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            yield Unread(number, f"the line is longer than {MAX_LINE:,} characters")
            continue
        text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
        text = text.strip().removeprefix("\ufeff")
        if text:
            yield from _read_line(number, text)


def _read_line(number: int, text: str) -> Iterator[LogLine]:
    try:
        data = json.loads(text)
    except RecursionError:
        yield Unread(number, "the JSON is nested too deep")
        return
    except json.JSONDecodeError as error:
        yield Unread(number, f"this is no JSON: {error.msg}, character {error.colno}")
        return
    except ValueError:
        yield Unread(number, "this is no JSON that can be read")
        return
    if not isinstance(data, dict):
        yield Unread(number, "a line is a JSON object, and this is none")
        return
    try:
        source, frames = _frames(data)
    except NotAnEvent as error:
        yield Unread(number, str(error), error.expected)
    except FieldError as error:
        yield Unread(number, f"{error.field}: expected {error.expected}")
    else:
        yield from (Captured(number, source, frame) for frame in frames)


def _frames(data: dict[str, Any]) -> tuple[str, list[Frame]]:
    if "direction" in data or ("phy" in data and data.keys() <= _FIELDS):
        return "lorafuota", [_own(data)]
    events = things_stack_events(data)
    if events is not None:
        return "the-things-stack", [_of_event(event) for event in events]
    events = chirpstack_events(data)
    if events is not None:
        return "chirpstack", [_of_event(event) for event in events]
    raise NotAnEvent("the object is neither a frame of ours nor an event of a network server")


# --- Our own format -------------------------------------------------------------------------------


def _own(data: Mapping[str, Any]) -> Frame:
    unknown = sorted(data.keys() - _FIELDS)
    if unknown:
        names = ", ".join(sorted(_FIELDS))
        raise FieldError("Frame", _short(unknown[0]), None, f"no such field; there are {names}")
    payload, phy = _hex(data, "payload"), _hex(data, "phy")
    return Frame(
        direction=_direction(data, phy),
        fport=_number(data, "fport", 255),
        payload=payload,
        time=_own_time(data.get("time")),
        dev_eui=_address(data, "dev_eui", DevEUI),
        mc_addr=_address(data, "mc_addr", DevAddr),
        fcnt=_number(data, "fcnt", 0xFFFFFFFF),
        phy=phy,
    )


def frame_to_json(frame: Frame) -> dict[str, JSON]:
    """Return a frame as a line of our own format has it."""
    document: dict[str, JSON] = {
        "direction": frame.direction.value,
        "fport": frame.fport,
        "payload": None if frame.payload is None else frame.payload.hex(),
        "time": frame.time,
        "dev_eui": None if frame.dev_eui is None else str(frame.dev_eui),
        "mc_addr": None if frame.mc_addr is None else str(frame.mc_addr),
        "fcnt": frame.fcnt,
        "phy": None if frame.phy is None else frame.phy.hex(),
    }
    return {name: value for name, value in document.items() if value is not None}


def _direction(data: Mapping[str, Any], phy: bytes | None) -> Direction:
    given = data.get("direction")
    if given is None and phy is not None:
        if not phy:
            raise FieldError("Frame", "phy", None, "a frame of at least one octet")
        return DOWNLINK if phy[0] >> 5 in (1, 3, 5) else UPLINK
    found = _DIRECTIONS.get(given) if isinstance(given, str) else None
    if found is None:
        raise FieldError("Frame", "direction", None, "uplink or downlink")
    return found


def _number(data: Mapping[str, Any], field: str, highest: int) -> int | None:
    value = data.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        raise FieldError("Frame", field, None, f"a number of 0 to {highest}")
    return value


def _hex(data: Mapping[str, Any], field: str) -> bytes | None:
    value = data.get(field)
    if value is None:
        return None
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise FieldError("Frame", field, None, "hex digits") from None


A = TypeVar("A", DevAddr, DevEUI)


def _address(data: Mapping[str, Any], field: str, kind: type[A]) -> A | None:
    value = data.get(field)
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return kind.from_hex(value)
    except FieldError:
        pass  # it speaks of a text, and not of the field of the line
    raise FieldError("Frame", field, None, f"{2 * kind.OCTETS} hex digits")


def _own_time(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, str):
        return gps_of_text(value)
    fine = isinstance(value, int | float) and not isinstance(value, bool)
    if not fine or not 0 <= float(str(value)) < MAX_TIME:
        raise FieldError("Frame", "time", None, "GPS seconds, or UTC as text")
    return float(str(value))


def gps_of_text(text: str) -> float:
    """Return the GPS seconds of a UTC time as ISO 8601 and RFC 3339 write it.

    Fractions finer than a microsecond are cut; 23:59:60 is the leap second.

    Raises:
        FieldError: It is no such time, or has no time zone.
    """
    text = _FRACTION.sub(r"\1", text)
    leap = text[17:19] == "60"
    try:
        when = dt.datetime.fromisoformat(text[:17] + "59" + text[19:] if leap else text)
        gps = utc_to_gps(when.replace(fold=int(leap)))
    except (ValueError, OverflowError):
        raise FieldError("Frame", "time", None, "a time with its zone, in ISO 8601") from None
    if not 0 <= gps < MAX_TIME:
        raise FieldError("Frame", "time", None, "a time of 1980 or later, and not too far off")
    return gps


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."


# --- Network servers ------------------------------------------------------------------------------


def _of_event(event: Event) -> Frame:
    time = event.gps if event.gps is None or event.gps < MAX_TIME else None
    for text in event.times:
        if time is None:
            time = gps_of_text(text)
    direction = event.direction
    if direction is None:
        direction = _direction({}, event.phy)
    return Frame(
        direction=direction,
        fport=event.fport,
        payload=event.payload,
        time=time,
        dev_eui=_address({"dev_eui": event.dev_eui}, "dev_eui", DevEUI),
        mc_addr=_address({"dev_addr": event.mc_addr}, "dev_addr", DevAddr),
        fcnt=event.fcnt,
        phy=event.phy,
    )
