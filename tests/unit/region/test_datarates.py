"""The shipped region data against the vectors."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.region import Channel, DataRate, Modulation, SubBand, region, region_names

VECTORS = Path(__file__).parents[2] / "vectors"
DATA = json.loads((VECTORS / "regions.json").read_text())
REGIONS = DATA["regions"]
RATES = [(name, rate) for name, entry in REGIONS.items() for rate in entry["data_rates"]]
by_name = pytest.mark.parametrize("name", REGIONS)


def test_the_regions_are_those_of_the_vectors() -> None:
    assert region_names() == tuple(REGIONS)


@pytest.mark.parametrize(
    ("name", "vector"), RATES, ids=[f"{name}-DR{rate['dr']}" for name, rate in RATES]
)
def test_a_data_rate_is_that_of_the_vector(name: str, vector: dict[str, Any]) -> None:
    rate = region(name).data_rate(vector["dr"])
    assert rate == DataRate(
        dr=vector["dr"],
        modulation=Modulation(vector["mod"]),
        uplink=vector["direction"] in ("up", "both"),
        downlink=vector["direction"] in ("down", "both"),
        max_payload=vector["N"],
        max_payload_repeater=vector["N_repeater"],
        max_payload_dwell=vector.get("N_dwell_400ms"),
        sf=vector.get("sf"),
        bw_hz=vector.get("bw_hz"),
        bitrate=vector.get("bitrate"),
        coding_rate=vector.get("cr"),
        ocw_hz=vector.get("ocw_hz"),
    )
    assert rate.max_mac_payload == vector["M"]
    assert region(name).max_payload(rate.dr) == vector["N"]
    assert region(name).max_payload(rate.dr, repeater=True) == vector["N_repeater"]
    if "N_dwell_400ms" in vector:
        assert region(name).max_payload(rate.dr, dwell_400ms=True) == vector["N_dwell_400ms"]
    if "toa_us_max_downlink" in vector:
        assert rate.time_on_air_us(vector["N"] + 13) == vector["toa_us_max_downlink"]
    if "toa_us_max_downlink_dwell" in vector:
        toa = rate.time_on_air_us(vector["N_dwell_400ms"] + 13)
        assert toa == vector["toa_us_max_downlink_dwell"]


def channel_of(entry: dict[str, Any]) -> Channel:
    return Channel(
        freq_hz=entry.get("freq_hz"),
        dr=entry.get("dr"),
        channels=entry.get("hopping_channels", entry.get("channels", 1)),
        step_hz=entry.get("step_hz", 0),
    )


@by_name
def test_default_channels_and_multicast_data_rates_are_those_of_the_vectors(name: str) -> None:
    here, vector = region(name), REGIONS[name]
    assert [
        here.name,
        here.frequency_offset_hz,
        here.rx2,
        here.beacon,
        here.ping_slot,
        list(here.downlink_channels_hz),
        [rate.dr for rate in here.multicast_data_rates()],
    ] == [
        name,
        vector.get("frequency_offset_hz", 0),
        channel_of(vector["rx2"]),
        channel_of(vector["beacon"]),
        channel_of(vector["ping_slot"]),
        vector.get("downlink_channels_hz", []),
        vector["multicast_dr"],
    ]
    if "multicast_dr_dwell" in vector:
        rates = here.multicast_data_rates(dwell_400ms=True)
        assert [rate.dr for rate in rates] == vector["multicast_dr_dwell"]


@by_name
def test_multicast_data_rates_are_the_usable_downlinks(name: str) -> None:
    here = region(name)
    usable = tuple(rate for rate in here.data_rates if rate.downlink and rate.max_payload)
    assert here.multicast_data_rates() == usable
    if here.multicast_dr_dwell is not None:
        under_dwell = tuple(rate for rate in usable if rate.max_payload_dwell)
        assert here.multicast_data_rates(dwell_400ms=True) == under_dwell


@by_name
def test_no_usable_frame_is_longer_than_a_phy_payload(name: str) -> None:
    assert all(rate.max_payload + 13 <= 255 for rate in region(name).data_rates)


def test_hopping_channels_are_the_downlink_channels() -> None:
    for name in ("US915", "AU915"):
        here = region(name)
        row = tuple(here.ping_slot.frequency_hz(n) for n in range(8))
        assert row == here.downlink_channels_hz


def test_the_sub_bands_of_eu868_are_those_of_the_vectors() -> None:
    assert region("EU868").sub_bands == tuple(
        SubBand(
            name=band["band"],
            from_hz=band["from_hz"],
            to_hz=band["to_hz"],
            duty_cycle=Fraction(str(band["duty"])),
            max_erp_dbm=band["max_erp_dbm"],
        )
        for band in DATA["eu868_duty_cycle"]
    )


@pytest.mark.parametrize(
    ("freq_hz", "bw_hz", "expected"),
    [
        (869_525_000, 125_000, "P"),
        (869_525_000, 250_000, "P"),
        (869_462_500, 125_000, "P"),
        (869_462_499, 125_000, None),
        (868_100_000, 125_000, "M"),
        (868_650_000, 25_000, None),
        (868_600_000, 125_000, None),
        (433_000_000, 125_000, None),
    ],
)
def test_a_transmission_lies_in_a_sub_band_with_its_whole_width(
    freq_hz: int, bw_hz: int, expected: str | None
) -> None:
    band = region("EU868").sub_band(freq_hz, bw_hz=bw_hz)
    assert (band.name if band else None) == expected


def test_names_are_looked_up_as_people_write_them() -> None:
    assert region("eu868") is region("EU868")
    assert region("AS923-1") is region("as923")


def test_downlink_frames_have_no_crc_unless_asked() -> None:
    rate = region("EU868").data_rate(0)
    assert rate.time_on_air_us(16) == rate.time_on_air_us(16, crc=False)
    assert rate.time_on_air_us(16) < rate.time_on_air_us(16, crc=True)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: region("EU433"), "region.name = 'EU433': expected one of EU868, US915, AU915"),
        (lambda: region("US915").data_rate(7), "US915.dr = 7: expected one of 0, 1, 2, 3, 4, 5"),
        (lambda: region("EU868").max_payload(0, dwell_400ms=True), "no dwell limit here"),
        (lambda: region("EU868").multicast_data_rates(dwell_400ms=True), "no dwell limit here"),
        (lambda: region("CN470").rx2.frequency_hz(), "a frequency stated by the caller"),
        (lambda: region("EU868").ping_slot.frequency_hz(1), "Channel.channel = 1: expected int"),
        (lambda: region("EU868").data_rate(8).time_on_air_us(20), "expected LoRa or FSK"),
    ],
)
def test_what_a_region_does_not_have_is_refused_in_one_sentence(
    call: Callable[[], object], expected: str
) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert expected in str(caught.value)
