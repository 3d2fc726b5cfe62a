"""Time on air against vectors, and SF5/SF6 against the data sheet's formula worked by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.region import airtime

VECTORS = Path(__file__).parents[2] / "vectors"
LINK = json.loads((VECTORS / "link-layer.json").read_text())
PACING = json.loads((VECTORS / "regions.json").read_text())["eu868_full_frame_pacing"]


@pytest.mark.parametrize("vector", LINK["lora_time_on_air"], ids=str)
def test_lora_time_on_air_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    assert vector["cr"] == "4/5"
    toa = airtime.lora_time_on_air_us(
        vector["phy_len"],
        sf=vector["sf"],
        bw_hz=vector["bw_hz"],
        crc=vector["crc"],
        preamble_symbols=vector["preamble"],
        explicit_header=vector["explicit_header"],
    )
    assert toa == vector["toa_us"]


@pytest.mark.parametrize("vector", LINK["fsk_time_on_air"], ids=str)
def test_fsk_time_on_air_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    toa = airtime.fsk_time_on_air_us(
        vector["phy_len"], crc=vector["crc"], bitrate=vector["bitrate"]
    )
    assert toa == vector["toa_us"]


@pytest.mark.parametrize(
    ("sf", "bw_hz", "crc", "expected"),
    [
        # SX126x data sheet, section 6.1.4: Ts = 256 us; 8*255 + 16 - 20 + 20 = 2056 bits,
        # ceil(2056/20) = 103 blocks of 5; (12 + 6.25 + 8 + 515) * 256 us.
        (5, 125_000, True, 138_560),
        # Ts = 64 us; 2040 bits, 102 blocks; (12 + 6.25 + 8 + 510) * 64 us.
        (5, 500_000, False, 34_320),
        # Ts = 128 us; 8*255 - 24 + 20 = 2036 bits, ceil(2036/24) = 85 blocks;
        # (12 + 6.25 + 8 + 425) * 128 us.
        (6, 500_000, False, 57_760),
    ],
)
def test_sf5_and_sf6_follow_the_data_sheet(sf: int, bw_hz: int, crc: bool, expected: int) -> None:
    assert airtime.lora_time_on_air_us(255, sf=sf, bw_hz=bw_hz, crc=crc) == expected


def test_a_frame_too_short_for_a_code_block_still_has_its_eight_symbols() -> None:
    toa = airtime.lora_time_on_air_us(0, sf=12, bw_hz=125_000, crc=False, explicit_header=False)
    assert toa == (8 + 8) * 32_768 + 17 * 32_768 // 4


def test_a_stronger_code_takes_longer() -> None:
    times = [
        airtime.lora_time_on_air_us(64, sf=9, bw_hz=125_000, crc=False, coding_rate=rate)
        for rate in (1, 2, 3, 4)
    ]
    assert times == sorted(set(times))


@pytest.mark.parametrize("vector", PACING, ids=lambda v: f"DR{v['dr']}")
def test_pacing_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    def spacing_ms(duty: Fraction) -> int:
        return -(-airtime.min_spacing_us(vector["toa_us"], duty) // 1000)

    ten, one = Fraction(1, 10), Fraction(1, 100)
    assert [
        spacing_ms(ten),
        spacing_ms(one),
        airtime.frames_per_hour(vector["toa_us"], ten),
        airtime.frames_per_hour(vector["toa_us"], one),
    ] == [
        vector["min_period_ms_10pct"],
        vector["min_period_ms_1pct"],
        vector["frames_per_hour_10pct"],
        vector["frames_per_hour_1pct"],
    ]


def lora(**changes: Any) -> int:
    arguments: dict[str, Any] = {"phy_len": 13, "sf": 7, "bw_hz": 125_000, "crc": False}
    return airtime.lora_time_on_air_us(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("phy_len", lambda: lora(phy_len=256)),
        ("phy_len", lambda: lora(phy_len=-1)),
        ("phy_len", lambda: lora(phy_len=1.5)),
        ("sf", lambda: lora(sf=4)),
        ("sf", lambda: lora(sf=13)),
        ("bw_hz", lambda: lora(bw_hz=62_500)),
        ("coding_rate", lambda: lora(coding_rate=5)),
        ("preamble_symbols", lambda: lora(preamble_symbols=0)),
        ("preamble_symbols", lambda: lora(sf=6, preamble_symbols=8)),
        ("phy_len", lambda: airtime.fsk_time_on_air_us(256, crc=False)),
        ("bitrate", lambda: airtime.fsk_time_on_air_us(1, crc=False, bitrate=0)),
        ("duty_cycle", lambda: airtime.min_spacing_us(1, Fraction(0))),
        ("duty_cycle", lambda: airtime.frames_per_hour(1, Fraction(2))),
        ("time_on_air_us", lambda: airtime.frames_per_hour(0, Fraction(1))),
    ],
)
def test_what_does_not_fit_is_refused_by_name(field: str, call: Callable[[], int]) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field
