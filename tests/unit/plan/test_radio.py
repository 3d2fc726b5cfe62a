from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from lorafuota.campaign.config import WindowClass
from lorafuota.errors import FieldError
from lorafuota.plan import PlanRequest, Radio
from lorafuota.plan.radio import choose_radio


def chosen(**fields: Any) -> Radio:
    return choose_radio(PlanRequest(image_octets=1000, **fields))


def test_the_usual_case_is_dr5_on_the_ten_percent_band() -> None:
    radio = chosen()
    assert radio.region.name == "EU868"
    assert (radio.rate.dr, radio.dl_freq_hz, radio.duty_cycle) == (5, 869_525_000, Fraction(1, 10))
    assert (radio.room, radio.frag_size) == (239, 239)
    assert (radio.frame_us, radio.spacing_us) == (394_496, 3_945_000)


def test_fragments_are_made_a_multiple_of_the_flash_unit() -> None:
    assert chosen(flash_unit=8).frag_size == 232
    assert chosen(flash_unit=64).frag_size == 192
    assert chosen(flash_unit=256).frag_size == 239  # and a lint says so


def test_repeater_and_dwell_time_leave_less_room() -> None:
    assert chosen(repeater=True).room == 219
    assert chosen(region="AS923", dr=3, dwell_400ms=True).room == 50
    assert chosen(region="AS923", dr=3).room == 112


def test_a_sub_band_decides_about_the_duty_cycle_unless_the_operator_does() -> None:
    assert chosen(dl_freq_hz=868_100_000).spacing_us == 39_450_000
    assert chosen(dl_freq_hz=868_100_000, duty_cycle=0.05).spacing_us == 7_890_000
    assert chosen(region="US915").duty_cycle == 1
    assert chosen(region="US915", dr=8).spacing_us == 617_000


def test_gateways_that_take_turns_and_groups_that_share_them_space_frames_out() -> None:
    assert chosen(region="US915", dr=8, gateways=3, staggered=True).spacing_us == 1_850_000
    assert chosen(region="US915", dr=8, gateways=3).spacing_us == 617_000
    assert chosen(gateways=3, staggered=True).spacing_us == 3_945_000  # they wait anyway
    assert chosen(groups=2).spacing_us == 7_890_000
    assert chosen(min_spacing_seconds=10.0).spacing_us == 10_000_000


def test_class_b_takes_the_ping_slot_channel_and_hops_where_the_region_does() -> None:
    assert chosen(region="AS923", window_class=WindowClass.B).dl_freq_hz == 923_400_000
    assert chosen(region="AS923").dl_freq_hz == 923_200_000
    assert chosen(region="US915", window_class=WindowClass.B).dl_freq_hz == 0
    assert chosen(region="CN470").dl_freq_hz is None


@pytest.mark.parametrize("name", ["EU868", "US915", "AU915", "AS923", "IN865", "KR920", "CN470"])
def test_every_region_has_a_data_rate_to_begin_with(name: str) -> None:
    radio = chosen(region=name)
    assert radio.rate.sf is not None
    assert radio.rate.downlink
    assert radio.frag_size == radio.rate.max_payload - 3


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"region": "EU433"}),
        ("dr", {"dr": 8}),
        ("dr", {"region": "US915", "dr": 5}),
        ("dr", {"region": "AS923", "dr": 0, "dwell_400ms": True}),
        ("dwell_400ms", {"dwell_400ms": True}),
        ("frag_size", {"frag_size": 240}),
    ],
)
def test_what_no_radio_can_do_is_refused_by_name(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        chosen(**fields)
    assert caught.value.field == field
