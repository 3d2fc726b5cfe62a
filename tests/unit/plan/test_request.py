from __future__ import annotations

import math
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.plan import PlanRequest


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_octets", 0),
        ("image_octets", 1.5),
        ("devices", 0),
        ("probability", 0.0),
        ("probability", 1.0),
        ("max_lost", -1),
        ("dl_freq_hz", 869_525_050),
        ("dl_freq_hz", -100),
        ("duty_cycle", 0.0),
        ("duty_cycle", 1.5),
        ("frag_size", 0),
        ("frag_size", 256),
        ("flash_unit", 0),
        ("redundancy", -0.1),
        ("redundancy", math.nan),
        ("periodicity", 8),
        ("time_out", 16),
        ("gateways", 0),
        ("groups", 4),
        ("min_spacing_seconds", -1.0),
        ("start", math.inf),
        ("uplink_seconds", -1.0),
        ("uplink_loss", 1.0),
        ("clock_drift_ppm", -1.0),
        ("max_mc_fcnt", 0),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(field: str, value: object) -> None:
    fields: dict[str, Any] = {"image_octets": 1000, field: value}
    with pytest.raises(FieldError) as caught:
        PlanRequest(**fields)
    assert (caught.value.message, caught.value.field) == ("PlanRequest", field)
