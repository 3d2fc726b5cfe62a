"""Invariant: any number is a time and comes back, any text a name, or it is a FieldError."""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections.abc import Callable
from typing import Final

from lorafuota import gpstime
from lorafuota.catalogue import package
from lorafuota.errors import FieldError
from lorafuota.image.version import ImageVersion
from lorafuota.region import region
from lorafuota.session.stacks import DEVICE_PROFILES, device_profile
from lorafuota.types import DevAddr, DevEUI, McKey
from tests.fuzz.targets.target import Target

FINE: Final = float(1 << 33)
"""GPS seconds up to which microseconds come back."""


def gps(data: bytes) -> str:
    """Eight octets are a time as float, eight more a whole number, eight more a field and a day."""
    octets = data[:24].ljust(24, b"\0")
    seconds, whole, field, day = struct.unpack("<dqIi", octets)
    found = "FieldError"
    for number in (seconds, float(whole), whole):
        try:
            when = gpstime.gps_to_utc(number)
            if abs(number) < FINE:
                assert abs(gpstime.utc_to_gps(when) - number) < 1e-6
            assert gpstime.utc_text(number).endswith("Z")
            found = "a time"
        except FieldError as error:
            assert str(error)
        try:
            unix = gpstime.gps_to_unix(number)
            if abs(number) < FINE and not gpstime.is_leap_second(number):
                assert abs(gpstime.unix_to_gps(unix) - number) < 1e-6
            assert 0 <= gpstime.to_wire(number) < gpstime.WRAP_SECONDS
            near = gpstime.from_wire(field, near=number)
            assert near % gpstime.WRAP_SECONDS == field
            assert abs(near - gpstime.whole_seconds(number)) <= 1 << 31
        except FieldError as error:
            assert not math.isfinite(number), error
    try:
        first = dt.date.fromordinal(1 + abs(day) % dt.date.max.toordinal())
        table = gpstime.LeapSeconds([*gpstime.LEAP_SECONDS.entries, (first, day % 40)])
        assert table.entries[-1] == (first, day % 40)
        gpstime.gps_to_utc(1.6e9, table=table)
    except FieldError as error:
        assert str(error)
    return found


def times() -> list[bytes]:
    numbers = [0.0, 1e9, 1.4e9, 1_167_264_017.0, 1_167_264_017.5, 2.0**33, 1e15, -1e10, math.inf]
    return [struct.pack("<dqIi", one, 1_167_264_016 + at, at, at) for at, one in enumerate(numbers)]


READERS: Final[tuple[Callable[[str], object], ...]] = (
    DevAddr.from_hex,
    DevEUI.from_hex,
    McKey.from_hex,
    ImageVersion.parse,
    region,
    device_profile,
    lambda text: package(text, 1),
)


def name(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    found = []
    for read in READERS:
        try:
            found.append(type(read(text)).__name__)
        except FieldError as error:
            assert str(error)
    return found[0] if found else "FieldError"


def names() -> list[bytes]:
    texts = ("26011bda", "0000000000000001", "00" * 16, "1.2.3+4", "as923-1", "Zephyr", "ts004")
    return [text.encode() for text in (*texts, *DEVICE_PROFILES)]


TARGETS = (
    Target(name="gps-time", one_input=gps, seeds=times, memory=1 << 18),
    Target(name="names", one_input=name, seeds=names, memory=1 << 19),
)
