"""Energy worked by hand from stated currents."""

from __future__ import annotations

import math

import pytest

from lorafuota.errors import FieldError
from lorafuota.plan.energy import Currents, Energy, class_a, class_b, class_c
from lorafuota.region import region

EU868 = region("EU868")
ROUND = Currents(receive_ma=10.0, transmit_ma=36.0, sleep_ma=0.01, volts=2.0)


def test_class_c_listens_all_the_time() -> None:
    """3,600 s at 10 mA are 10 mAh; at 2 V these are 72 J."""
    assert class_c(ROUND, windows=[1000.0, 2600.0]) == Energy(
        receive_seconds=3600.0,
        transmit_seconds=0.0,
        sleep_seconds=0.0,
        charge_mah=10.0,
        joules=72.0,
    )


def test_class_a_sends_an_uplink_for_every_fragment() -> None:
    uplink = EU868.data_rate(5).time_on_air_us(13, crc=True) / 1e6
    found = class_a(
        ROUND, EU868, EU868.data_rate(5), fragments=100, frame_seconds=0.4, uplink_seconds=60.0
    )
    assert found.receive_seconds == pytest.approx(40.0)
    assert found.transmit_seconds == pytest.approx(100 * uplink)
    assert found.sleep_seconds == pytest.approx(6000 - 40 - 100 * uplink)
    charge = (40 * 10 + 100 * uplink * 36 + found.sleep_seconds * 0.01) / 3600
    assert found.charge_mah == pytest.approx(charge)
    assert found.joules == pytest.approx(charge * 3.6 * 2)


def test_a_data_rate_for_downlinks_only_has_uplinks_with_the_fastest_there_is() -> None:
    us915 = region("US915")
    found = class_a(
        ROUND, us915, us915.data_rate(8), fragments=1, frame_seconds=0.6, uplink_seconds=0.0
    )
    assert found.transmit_seconds == us915.data_rate(4).time_on_air_us(13, crc=True) / 1e6
    assert found.sleep_seconds == 0.0


def test_class_b_hears_beacons_slots_and_frames() -> None:
    """EU868: SF9, 10 symbols of preamble, no header, 23 octets: 8 + 5 * 5 symbols; two periods of 8
    slots, 6 of them with a frame."""
    symbol = 4.096e-3
    blocks = math.ceil((8 * 23 - 36 + 28 - 20) / 36)
    beacon = (10 + 4.25 + 8 + 5 * blocks) * symbol
    found = class_b(ROUND, EU868, windows=[256.0], frames=6, frame_seconds=0.4, periodicity=4)
    heard = 2 * beacon + 10 * 0.030 + 6 * 0.4
    assert found.receive_seconds == pytest.approx(heard, abs=1e-5)
    assert found.sleep_seconds == pytest.approx(256 - heard, abs=1e-5)
    assert found.transmit_seconds == 0.0


@pytest.mark.parametrize("field", ["receive_ma", "transmit_ma", "sleep_ma", "volts"])
@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_a_current_that_cannot_be_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(FieldError) as caught:
        Currents(**{field: value})
    assert caught.value.field == field
