from __future__ import annotations

import pytest

from lorafuota import package
from lorafuota.dissect.anomaly import Anomaly, Oddity
from lorafuota.dissect.explain import explain
from lorafuota.dissect.oddities import oddities
from lorafuota.gpstime import UNIX_TIME_OF_GPS_EPOCH
from lorafuota.types import DOWNLINK, UPLINK, Direction

NOW = 1_400_000_000
SETUP = "02 01 1400 32 00 05 00000000"


def found(name: str, way: Direction, text: str, time: float | None = None) -> list[Anomaly]:
    family, version = name.split("/")
    one = package(family, int(version))
    reading = explain(one, way, bytes.fromhex(text), time=time)
    assert reading.complete
    return [each for p in reading.pieces for each in oddities(p.command, one, p.start, time=time)]


def codes(name: str, way: Direction, text: str, time: float | None = None) -> list[str]:
    return [one.code for one in found(name, way, text, time)]


def window(cid: str, time: int, *, out: str = "07", freq: str = "d2ad84", dr: str = "03") -> str:
    return f"{cid} 00 {time.to_bytes(4, 'little').hex()} {out} {freq} {dr}"


@pytest.mark.parametrize(
    ("name", "way", "text", "expected"),
    [
        ("fragmentation/1", DOWNLINK, SETUP, []),
        ("fragmentation/1", DOWNLINK, "02 01 0000 32 00 05 00000000", ["no-fragments"]),
        ("fragmentation/1", DOWNLINK, "02 01 0040 32 00 05 00000000", ["too-many-fragments"]),
        ("fragmentation/1", DOWNLINK, "02 01 1400 00 00 00 00000000", ["empty-fragments"]),
        ("fragmentation/1", DOWNLINK, "02 01 1400 f0 00 05 00000000", ["fragment-too-long"]),
        ("fragmentation/1", DOWNLINK, "02 01 1400 ef 00 05 00000000", []),
        ("fragmentation/1", DOWNLINK, "02 01 1400 32 00 32 00000000", ["padding-too-long"]),
        ("fragmentation/1", DOWNLINK, "02 01 1400 32 00 31 00000000", []),
        ("fragmentation/1", DOWNLINK, "02 01 1400 32 08 05 00000000", ["unknown-algorithm"]),
        ("fragmentation/2", DOWNLINK, f"{SETUP} 0100 00000000", ["zero-mic"]),
        ("fragmentation/2", UPLINK, "01 02 1400 03", ["contradiction"]),
        ("fragmentation/2", UPLINK, "01 02 1400 00", []),
        ("fragmentation/1", DOWNLINK, "08 0100", ["empty-fragment"]),
        ("fragmentation/2", UPLINK, "00 02 01", ["other-package"]),
        ("fragmentation/2", UPLINK, "00 03 03", ["unknown-version"]),
        ("fragmentation/2", UPLINK, "00 03 01", []),
        ("clocksync/1", DOWNLINK, "01 ffffff7f 00", ["saturated"]),
        ("clocksync/1", DOWNLINK, "01 00000080 00", ["saturated"]),
        ("clocksync/1", DOWNLINK, "01 00000000 00", []),
        ("clocksync/1", DOWNLINK, "03 00", ["no-effect"]),
        ("clocksync/2", DOWNLINK, "03 00", ["no-effect"]),
        ("clocksync/2", DOWNLINK, "03 01", []),
        ("multicastsetup/2", UPLINK, "01 11 00 04030201", []),
        ("multicastsetup/2", UPLINK, "01 01 00 04030201", ["contradiction"]),
        (
            "multicastsetup/2",
            DOWNLINK,
            f"02 00 04030201 {'11' * 16} 05000000 05000000",
            ["no-counters"],
        ),
        (
            "multicastsetup/2",
            DOWNLINK,
            f"02 00 00000000 {'00' * 16} 05000000 06000000",
            ["odd-address", "zero-key"],
        ),
        ("multicastsetup/2", DOWNLINK, window("04", NOW), []),
        ("multicastsetup/2", DOWNLINK, window("04", NOW, out="02"), ["short-session"]),
        ("multicastsetup/2", DOWNLINK, window("04", NOW, freq="000000"), ["no-frequency"]),
        ("multicastsetup/2", DOWNLINK, window("04", NOW, freq="84add2"), ["odd-frequency"]),
        ("multicastsetup/2", DOWNLINK, window("04", NOW, dr="10"), ["odd-data-rate"]),
        ("multicastsetup/2", DOWNLINK, window("05", 128, freq="000000"), []),
        ("multicastsetup/2", DOWNLINK, window("05", 129), ["unaligned-start"]),
        ("multicastsetup/2", DOWNLINK, window("05", 128, out="0f"), ["long-session"]),
        ("multicastsetup/1", UPLINK, "04 00 ffffff", ["clock-off"]),
        ("multicastsetup/2", UPLINK, "05 00 ffffff", ["clock-off"]),
        ("multicastsetup/2", UPLINK, "05 00 ffff7f", ["clock-off"]),
        ("multicastsetup/2", UPLINK, "05 00 0a0000", []),
        ("multicastsetup/1", UPLINK, "04 20", ["reserved-value"]),
        ("multicastsetup/2", UPLINK, "04 20", []),
        ("multipackage/1", DOWNLINK, "02 05 04", ["contradiction"]),
        ("multipackage/1", UPLINK, "01 02 0301c9 0401c9 00", ["contradiction"]),
    ],
)
def test_values_that_no_sane_peer_sends_are_found(
    name: str, way: Direction, text: str, expected: list[str]
) -> None:
    assert codes(name, way, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (window("04", NOW + 60), []),
        (window("04", NOW - 100), []),
        (window("04", NOW - 200), ["session-over"]),
        (window("04", NOW + 60 + UNIX_TIME_OF_GPS_EPOCH), ["unix-time"]),
        (window("04", NOW + 40 * 86_400), ["session-far-off"]),
    ],
)
def test_times_of_a_session_are_held_against_the_time_of_capture(
    text: str, expected: list[str]
) -> None:
    assert codes("multicastsetup/2", DOWNLINK, text, time=NOW) == expected


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (NOW + 5, []),
        (NOW + 100_000, ["clock-far-off"]),
        (NOW + UNIX_TIME_OF_GPS_EPOCH, ["unix-time"]),
        (100, ["clock-far-off"]),
    ],
)
def test_a_devices_clock_is_held_against_the_time_of_capture(
    clock: int, expected: list[str]
) -> None:
    text = f"01 {clock.to_bytes(4, 'little').hex()} 00"
    assert codes("clocksync/1", UPLINK, text, time=NOW) == expected
    assert codes("clocksync/1", UPLINK, text) == []


def test_an_anomaly_says_where_it_is_and_what_follows() -> None:
    [one] = found("fragmentation/1", DOWNLINK, "02 01 1400 32 00 32 00000000")
    assert one == Anomaly(
        code=Oddity.PADDING_TOO_LONG,
        at=0,
        field="padding",
        sentence="Padding is 50 with a FragSize of 50: the last fragment would be filler only",
    )
    assert list(one.to_json()) == ["code", "at", "field", "sentence"]
