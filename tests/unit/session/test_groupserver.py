"""The server's messages for class B; the rest is tested with the device, in test_multicast."""

from __future__ import annotations

from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.multicastsetup import v1
from lorafuota.session import groupserver, multicast
from lorafuota.session.groupserver import McGroupServer

BEACON = 1_300_000_000 // 128 * 128 + 1280
FIELDS: dict[str, Any] = {
    "mc_group_id": 1,
    "start": float(BEACON),
    "seconds": 1000,
    "periodicity": 4,
    "dl_freq_hz": 0,
    "dr": 3,
}


def test_a_class_b_session_is_counted_in_beacon_periods() -> None:
    assert McGroupServer.class_b_session_req(**FIELDS) == v1.McClassBSessionReq(
        mc_group_id=1, session_time=BEACON, time_out=3, periodicity=4, dl_freq_hz=0, dr=3
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": BEACON + 1.0},
        {"start": float("nan")},
        {"seconds": 5_000_000},
        {"periodicity": 8},
        {"mc_group_id": 4},
        {"dl_freq_hz": 50},
        {"dr": -1},
    ],
    ids=str,
)
def test_a_class_b_session_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        McGroupServer.class_b_session_req(**{**FIELDS, **wrong})


def test_both_ends_are_found_in_the_module_of_the_package() -> None:
    for name in groupserver.__all__:
        assert getattr(multicast, name) is getattr(groupserver, name)
