"""GPS seconds and UTC: every leap second, fractions, and the 32-bit wrap."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lorafuota import gpstime
from lorafuota.errors import FieldError
from lorafuota.gpstime import LEAP_SECONDS, LeapSeconds

VECTORS = Path(__file__).parents[1] / "vectors"
GPS = json.loads((VECTORS / "gps-time.json").read_text())
LINK = json.loads((VECTORS / "link-layer.json").read_text())
LEAPS = [row["gps_second_of_leap"] for row in GPS["leap_second_table"]]


def utc(text: str) -> dt.datetime:
    """Read a label of the vectors; 23:59:60 becomes 23:59:59 with fold=1."""
    if ":60" in text:
        return dt.datetime.fromisoformat(text.replace(":60", ":59")).replace(fold=1)
    return dt.datetime.fromisoformat(text)


def seen(when: dt.datetime) -> tuple[dt.datetime, int]:
    """What must be equal: datetimes do not compare their fold."""
    return when, when.fold


@pytest.mark.parametrize("vector", GPS["points"], ids=lambda v: v["utc"])
def test_every_point_converts_both_ways_and_to_its_field(vector: dict[str, Any]) -> None:
    gps, when = vector["gps_s"], utc(vector["utc"])
    assert seen(gpstime.gps_to_utc(gps)) == seen(when)
    assert gpstime.utc_to_gps(when) == gps
    assert gpstime.utc_text(gps) == vector["utc"]
    assert gpstime.to_wire(gps) == int(vector["field_32bit"], 16)
    assert gpstime.to_wire(gps).to_bytes(4, "little").hex() == vector["hex_le"]
    assert gpstime.from_wire(gpstime.to_wire(gps), near=gps) == gps
    assert LEAP_SECONDS.offset_at_gps(gps) == vector["gps_minus_utc"]


def test_the_table_is_that_of_the_vectors() -> None:
    assert [
        (
            int(utc(row["effective_utc"]).timestamp()) - 315964800 + row["gps_minus_utc_after"],
            row["gps_second_of_leap"] + 1,
            row["gps_minus_utc_before"],
            utc(row["effective_utc"]).date(),
        )
        for row in GPS["leap_second_table"]
    ] == [
        (row["gps_at_effective"], row["gps_at_effective"], after - 1, day)
        for row, (day, after) in zip(GPS["leap_second_table"], LEAP_SECONDS.entries, strict=True)
    ]


@pytest.mark.parametrize("row", GPS["leap_second_table"], ids=lambda r: r["leap_second_utc"])
def test_a_leap_second_is_the_second_2359_59_with_fold_and_nothing_else_is(
    row: dict[str, Any],
) -> None:
    leap = row["gps_second_of_leap"]
    around = [leap - 1, leap, leap + 0.5, leap + 1]
    last = utc(row["effective_utc"]) - dt.timedelta(seconds=1)
    half = dt.timedelta(milliseconds=500)
    assert [gpstime.is_leap_second(gps) for gps in around] == [False, True, True, False]
    assert [seen(gpstime.gps_to_utc(gps)) for gps in around] == [
        (last, 0),
        (last, 1),
        (last + half, 1),
        (utc(row["effective_utc"]), 0),
    ]
    assert [gpstime.utc_to_gps(gpstime.gps_to_utc(gps)) for gps in around] == around
    assert gpstime.utc_text(leap + 0.5) == row["leap_second_utc"].replace("60Z", "60.5Z")
    assert [gpstime.gps_to_unix(gps) for gps in around] == [
        last.timestamp(),
        last.timestamp(),
        last.timestamp() + 0.5,
        last.timestamp() + 1,
    ]
    assert gpstime.unix_to_gps(last.timestamp()) == leap - 1
    assert gpstime.unix_to_gps(last.timestamp() + 0.5) == leap - 0.5
    assert gpstime.unix_to_gps(last.timestamp() + 1) == leap + 1


@pytest.mark.parametrize("vector", GPS["fractional_seconds_at_leap"], ids=lambda v: v["utc"])
def test_fractions_before_a_leap_second_are_before_it(vector: dict[str, Any]) -> None:
    when = utc(vector["utc"])
    assert gpstime.utc_to_gps(when) == vector["gps_s"]
    assert seen(gpstime.gps_to_utc(vector["gps_s"])) == (when, 0)
    assert gpstime.unix_to_gps(when.timestamp()) == vector["gps_s"]


def test_unix_time_converts_both_ways() -> None:
    points = [row for row in GPS["unix"] if "gps_s" in row]
    assert [gpstime.unix_to_gps(row["unix_s"]) for row in points] == [r["gps_s"] for r in points]
    assert [gpstime.gps_to_unix(row["gps_s"]) for row in points] == [r["unix_s"] for r in points]
    naive = next(row for row in GPS["unix"] if "error_s" in row)
    right = gpstime.unix_to_gps(naive["naive_gps_without_leaps"] + gpstime.UNIX_TIME_OF_GPS_EPOCH)
    assert naive["naive_gps_without_leaps"] - right == naive["error_s"]


def test_the_wrap_is_where_the_vectors_have_it() -> None:
    wrap = GPS["wrap"]
    assert wrap["seconds"] == gpstime.WRAP_SECONDS
    assert gpstime.utc_text(wrap["seconds"]) == wrap["utc_if_18_leaps"]
    epoch = dt.datetime(1980, 1, 6)
    assert epoch + dt.timedelta(seconds=2**32) == dt.datetime.fromisoformat(wrap["gps_calendar"])
    assert epoch + dt.timedelta(seconds=2**31) == dt.datetime.fromisoformat(wrap["half"])


@pytest.mark.parametrize("vector", LINK["gps_time"], ids=lambda v: v["utc"])
def test_the_link_layer_vectors_agree(vector: dict[str, Any]) -> None:
    assert gpstime.utc_to_gps(utc(vector["utc"])) == vector["gps_s"]
    assert gpstime.gps_to_utc(vector["gps_s"]) == utc(vector["utc"])


@given(micros=st.integers(-(10**15), 2**33 * 10**6))
@example(micros=LEAPS[-1] * 10**6 + 999_999)
@example(micros=-1)
def test_gps_to_utc_and_back_loses_nothing_to_the_microsecond(micros: int) -> None:
    gps = micros / 10**6
    assert round(gpstime.utc_to_gps(gpstime.gps_to_utc(gps)) * 10**6) == micros


@given(seconds=st.integers(0, 2**33), step=st.integers(0, 100))
def test_utc_never_runs_backwards(seconds: int, step: int) -> None:
    early, late = gpstime.gps_to_utc(seconds), gpstime.gps_to_utc(seconds + step)
    assert seen(early) <= seen(late)
    assert dt.timedelta(0) <= late - early <= dt.timedelta(seconds=step)


def test_a_fraction_that_rounds_up_carries_into_the_next_second() -> None:
    just_before = LEAPS[-1] - 1e-7
    assert gpstime.utc_text(just_before) == "2016-12-31T23:59:60Z"
    assert gpstime.is_leap_second(just_before)


def test_other_time_zones_are_understood_and_naive_times_refused() -> None:
    tokyo = dt.datetime(2025, 7, 14, 9, tzinfo=dt.timezone(dt.timedelta(hours=9)), fold=1)
    assert gpstime.utc_to_gps(tokyo) == 1436486418
    with pytest.raises(FieldError, match=r"when = '2025-07-14T00:00:00': expected an aware"):
        gpstime.utc_to_gps(dt.datetime(2025, 7, 14))


def test_fold_outside_a_leap_second_has_no_meaning() -> None:
    when = dt.datetime(2025, 7, 14, tzinfo=dt.UTC)
    assert gpstime.utc_to_gps(when.replace(fold=1)) == gpstime.utc_to_gps(when)


def test_the_table_can_be_replaced_negative_leap_seconds_included() -> None:
    """2035: an invented table that first inserts a second and then removes one."""
    table = LeapSeconds(
        (*LEAP_SECONDS.entries, (dt.date(2030, 1, 1), 19), (dt.date(2035, 7, 1), 18))
    )
    inserted = gpstime.utc_to_gps(dt.datetime(2030, 1, 1, tzinfo=dt.UTC), table=table) - 1
    assert gpstime.utc_text(inserted, table=table) == "2029-12-31T23:59:60Z"
    assert gpstime.utc_text(inserted) == "2030-01-01T00:00:00Z"
    last = dt.datetime(2035, 6, 30, 23, 59, 58, tzinfo=dt.UTC)
    removed = gpstime.utc_to_gps(last, table=table)
    assert [gpstime.utc_text(removed + n, table=table) for n in range(3)] == [
        "2035-06-30T23:59:58Z",
        "2035-07-01T00:00:00Z",
        "2035-07-01T00:00:01Z",
    ]
    assert not gpstime.is_leap_second(removed, table=table)
    assert gpstime.gps_to_unix(removed + 1, table=table) == last.timestamp() + 2
    assert gpstime.unix_to_gps(last.timestamp() + 2, table=table) == removed + 1
    assert (table == LEAP_SECONDS, hash(table) == hash(LEAP_SECONDS)) == (False, False)
    assert LeapSeconds(LEAP_SECONDS.entries) == LEAP_SECONDS
    assert LEAP_SECONDS != "the table"
    assert repr(LEAP_SECONDS) == "<LeapSeconds: 18 entries, GPS-UTC 18>"


@pytest.mark.parametrize(
    "entries",
    [
        [(dt.date(1980, 1, 6), 1)],
        [(dt.date(1981, 7, 1), 2)],
        [(dt.date(1981, 7, 1), 0)],
        [(dt.date(1981, 7, 1), 1), (dt.date(1981, 7, 1), 2)],
    ],
)
def test_a_table_out_of_order_is_refused(entries: list[tuple[dt.date, int]]) -> None:
    with pytest.raises(FieldError, match=r"LeapSeconds\.entries"):
        LeapSeconds(entries)


@pytest.mark.parametrize("gps", [float("nan"), float("inf"), float("-inf")])
def test_no_instant_is_refused_everywhere(gps: float) -> None:
    for function in (
        gpstime.gps_to_utc,
        gpstime.gps_to_unix,
        gpstime.unix_to_gps,
        gpstime.utc_text,
        gpstime.is_leap_second,
        gpstime.whole_seconds,
        gpstime.to_wire,
    ):
        with pytest.raises(FieldError, match="a finite number of seconds"):
            function(gps)


@pytest.mark.parametrize("gps", [1e12, -1e12, 1e300])
def test_years_a_datetime_cannot_hold_are_refused(gps: float) -> None:
    with pytest.raises(FieldError, match="years 1 to 9999"):
        gpstime.gps_to_utc(gps)


@given(field=st.integers(0, 2**32 - 1), near=st.integers(-(2**34), 2**40))
def test_a_field_means_the_nearest_instant_that_fits(field: int, near: int) -> None:
    gps = gpstime.from_wire(field, near=near + 0.25)
    assert gpstime.to_wire(gps) == field
    assert -(2**31) <= gps - near < 2**31


@pytest.mark.parametrize("field", [-1, 2**32])
def test_what_is_no_32_bit_field_is_refused(field: int) -> None:
    with pytest.raises(FieldError, match=r"from_wire\.field"):
        gpstime.from_wire(field, near=0)


def test_differences_are_right_across_the_wrap() -> None:
    assert [
        gpstime.signed_difference(5, 2**32 - 3),
        gpstime.signed_difference(2**32 - 3, 5),
        gpstime.signed_difference(7, 7),
        gpstime.signed_difference(2**31, 0),
        gpstime.signed_difference(2**31 - 1, 0),
    ] == [8, -8, 0, -(2**31), 2**31 - 1]
