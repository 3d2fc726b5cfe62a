"""GPS seconds, the time all packages count in, and the only place that knows leap seconds.

GPS time runs since 1980-01-06T00:00:00 UTC and never pauses, so it is ahead of UTC by the leap
seconds inserted since: 18 from 2017 on.  Everywhere in this library ``now`` is GPS seconds, a plain
number; this module is for the edges, where people and servers speak UTC or Unix time, and for the
32-bit fields that carry GPS seconds modulo 2**32 (they wrap in 2116).

**The leap second itself.**  ``datetime`` has no 23:59:60.  It is shown as the second 23:59:59 of
that day, with ``fold=1``: what Python means by it, the second of two equal wall times.
:func:`utc_to_gps` reads ``fold`` back, so converting there and back loses nothing.  ``fold`` does
not survive arithmetic on datetimes and is not compared; do arithmetic in GPS seconds.
:func:`utc_text` writes 23:59:60.

**Fractions** are kept to the microsecond, in both directions, up to GPS second 2**33 (the year
2252); beyond, a ``float`` has no room for them.  Instants before 1980 count with an offset of 0.

No function here reads a clock.
"""

from __future__ import annotations

import bisect
import datetime as dt
import math
from collections.abc import Iterable
from typing import Final, final

from .errors import FieldError

__all__ = [
    "LEAP_SECONDS",
    "UNIX_TIME_OF_GPS_EPOCH",
    "WRAP_SECONDS",
    "LeapSeconds",
    "from_wire",
    "gps_to_unix",
    "gps_to_utc",
    "is_leap_second",
    "signed_difference",
    "to_wire",
    "unix_to_gps",
    "utc_text",
    "utc_to_gps",
    "whole_seconds",
]

UNIX_TIME_OF_GPS_EPOCH: Final = 315_964_800
"""1980-01-06T00:00:00Z in Unix seconds."""

WRAP_SECONDS: Final = 1 << 32
"""Where a field that carries GPS seconds wraps."""

_UNIX_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_MILLION: Final = 1_000_000


@final
class LeapSeconds:
    """A table of leap seconds, past and announced; immutable.

    Pass your own where a function takes ``table=`` when a leap second is announced that this
    version of the library does not know.
    """

    __slots__ = ("_entries", "_gps", "_unix")

    def __init__(self, entries: Iterable[tuple[dt.date, int]]) -> None:
        """Take (first UTC day of the new offset, GPS minus UTC from that day on), oldest first.

        Raises:
            FieldError: The days do not rise from 1980-01-06, or an offset is not one more (an
                inserted second) or one less (a removed one) than the offset before it.
        """
        self._entries = tuple(entries)
        self._unix: list[int] = []
        self._gps: list[int] = []
        latest, offset = dt.date(1980, 1, 6), 0
        for day, after in self._entries:
            if day <= latest or abs(after - offset) != 1:
                expected = f"a day after {latest} with offset {offset - 1} or {offset + 1}"
                raise FieldError("LeapSeconds", "entries", (day.isoformat(), after), expected)
            midnight = (day - dt.date(1970, 1, 1)).days * 86_400
            self._unix.append(midnight)
            self._gps.append(midnight - UNIX_TIME_OF_GPS_EPOCH + after)
            latest, offset = day, after

    @property
    def entries(self) -> tuple[tuple[dt.date, int], ...]:
        """The table as it was given."""
        return self._entries

    def offset_at_unix(self, unix: int) -> int:
        """Return GPS minus UTC at a whole Unix second."""
        return self._offset(bisect.bisect_right(self._unix, unix))

    def offset_at_gps(self, gps: int) -> int:
        """Return GPS minus UTC at a whole GPS second; in a leap second, the offset before it."""
        return self._offset(bisect.bisect_right(self._gps, gps))

    def is_leap_second(self, gps: int) -> bool:
        """Tell whether this GPS second is an inserted one, 23:59:60."""
        following = bisect.bisect_right(self._gps, gps)
        return (
            following < len(self._gps)
            and self._gps[following] - 1 == gps
            and self._offset(following + 1) > self._offset(following)
        )

    def _offset(self, count: int) -> int:
        return self._entries[count - 1][1] if count else 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LeapSeconds):
            return NotImplemented
        return self._entries == other._entries

    def __hash__(self) -> int:
        return hash(self._entries)

    def __repr__(self) -> str:
        return (
            f"<LeapSeconds: {len(self._entries)} entries, GPS-UTC {self._offset(len(self._gps))}>"
        )


LEAP_SECONDS: Final = LeapSeconds(
    (
        (dt.date(1981, 7, 1), 1),
        (dt.date(1982, 7, 1), 2),
        (dt.date(1983, 7, 1), 3),
        (dt.date(1985, 7, 1), 4),
        (dt.date(1988, 1, 1), 5),
        (dt.date(1990, 1, 1), 6),
        (dt.date(1991, 1, 1), 7),
        (dt.date(1992, 7, 1), 8),
        (dt.date(1993, 7, 1), 9),
        (dt.date(1994, 7, 1), 10),
        (dt.date(1996, 1, 1), 11),
        (dt.date(1997, 7, 1), 12),
        (dt.date(1999, 1, 1), 13),
        (dt.date(2006, 1, 1), 14),
        (dt.date(2009, 1, 1), 15),
        (dt.date(2012, 7, 1), 16),
        (dt.date(2015, 7, 1), 17),
        (dt.date(2017, 1, 1), 18),
    )
)
"""Every leap second since the GPS epoch (IERS Bulletin C); none is announced after 2016-12-31."""


def utc_to_gps(when: dt.datetime, *, table: LeapSeconds = LEAP_SECONDS) -> float:
    """Convert an aware datetime, of any time zone, to GPS seconds.

    ``fold=1`` on a UTC datetime in the last second before a leap second means the leap second; it
    has no meaning anywhere else.

    Raises:
        FieldError: *when* is naive.
    """
    if when.utcoffset() is None:
        raise FieldError("utc_to_gps", "when", when.isoformat(), "an aware datetime")
    when = when.astimezone(dt.UTC)
    unix, micros = divmod((when - _UNIX_EPOCH) // _MICROSECOND, _MILLION)
    gps = unix - UNIX_TIME_OF_GPS_EPOCH + table.offset_at_unix(unix)
    if when.fold and table.is_leap_second(gps + 1):
        gps += 1
    return (gps * _MILLION + micros) / _MILLION


def gps_to_utc(gps: float, *, table: LeapSeconds = LEAP_SECONDS) -> dt.datetime:
    """Convert GPS seconds to a datetime in UTC, rounded to the microsecond.

    A leap second comes out as 23:59:59 with ``fold=1``.

    Raises:
        FieldError: *gps* is not finite, or outside the years 1 to 9999.
    """
    whole, micros = _split("gps_to_utc", gps)
    leap = table.is_leap_second(whole)
    unix = whole - leap + UNIX_TIME_OF_GPS_EPOCH - table.offset_at_gps(whole)
    try:
        when = _UNIX_EPOCH + dt.timedelta(seconds=unix, microseconds=micros)
    except OverflowError:
        raise FieldError("gps_to_utc", "gps", gps, "an instant in the years 1 to 9999") from None
    return when.replace(fold=int(leap))


def utc_text(gps: float, *, table: LeapSeconds = LEAP_SECONDS) -> str:
    """Write GPS seconds as people read them: ``2016-12-31T23:59:60Z``, leap seconds included.

    Raises:
        FieldError: *gps* is not finite, or outside the years 1 to 9999.
    """
    when = gps_to_utc(gps, table=table)
    second = when.second + when.fold
    micros = f".{when.microsecond:06d}".rstrip("0") if when.microsecond else ""
    return f"{when.replace(tzinfo=None).isoformat(timespec='minutes')}:{second:02d}{micros}Z"


def is_leap_second(gps: float, *, table: LeapSeconds = LEAP_SECONDS) -> bool:
    """Tell whether *gps* lies in an inserted second, 23:59:60.

    Raises:
        FieldError: *gps* is not finite.
    """
    return table.is_leap_second(_split("is_leap_second", gps)[0])


def unix_to_gps(unix: float, *, table: LeapSeconds = LEAP_SECONDS) -> float:
    """Convert Unix time, which cannot tell a leap second from the second before it.

    Raises:
        FieldError: *unix* is not finite.
    """
    whole, micros = _split("unix_to_gps", unix)
    gps = whole - UNIX_TIME_OF_GPS_EPOCH + table.offset_at_unix(whole)
    return (gps * _MILLION + micros) / _MILLION


def gps_to_unix(gps: float, *, table: LeapSeconds = LEAP_SECONDS) -> float:
    """Convert GPS seconds to Unix time; a leap second repeats the second before it.

    Raises:
        FieldError: *gps* is not finite.
    """
    whole, micros = _split("gps_to_unix", gps)
    unix = whole - table.is_leap_second(whole) - table.offset_at_gps(whole)
    return ((unix + UNIX_TIME_OF_GPS_EPOCH) * _MILLION + micros) / _MILLION


def whole_seconds(gps: float) -> int:
    """Return the whole second an instant lies in, rounding down as a running clock does.

    Raises:
        FieldError: *gps* is not finite.
    """
    if not math.isfinite(gps):
        raise FieldError("whole_seconds", "gps", gps, "a finite number of seconds")
    return math.floor(gps)


def to_wire(gps: float) -> int:
    """Return what a 32-bit field carries for an instant: whole seconds modulo 2**32.

    Raises:
        FieldError: *gps* is not finite.
    """
    return whole_seconds(gps) % WRAP_SECONDS


def from_wire(field: int, *, near: float) -> int:
    """Return the GPS second a 32-bit field means: of all that fit, the nearest to *near*.

    Of two equally near, 2**31 seconds away, the earlier.

    Raises:
        FieldError: *field* is outside 0..2**32 - 1, or *near* not finite.
    """
    if not 0 <= field < WRAP_SECONDS:
        raise FieldError("from_wire", "field", field, "int in 0..2**32 - 1")
    reference = whole_seconds(near)
    return reference + signed_difference(field, reference)


def signed_difference(later: int, earlier: int) -> int:
    """Subtract modulo 2**32 and read the result as signed: -2**31 to 2**31 - 1 seconds.

    The comparison to use on wire fields: right across the wrap as long as the two are less than
    68 years apart.
    """
    return (later - earlier + (1 << 31)) % WRAP_SECONDS - (1 << 31)


def _split(where: str, seconds: float) -> tuple[int, int]:
    """Split into whole seconds and microseconds 0..999999, carrying what rounds up."""
    if not math.isfinite(seconds):
        raise FieldError(where, "seconds", seconds, "a finite number of seconds")
    whole = math.floor(seconds)
    carry, micros = divmod(round((seconds - whole) * _MILLION), _MILLION)
    return whole + carry, micros
