"""Answers to session requests, without a device; every combination is tested with one."""

from __future__ import annotations

import pytest

from lorafuota.multicastsetup import v2
from lorafuota.multicastsetup.v1 import McClassCSessionReq
from lorafuota.session.groupserver import CLOCK_UNKNOWN
from lorafuota.session.mcsession import McLimits, acceptance_ans, refusal_ans, session_errors
from lorafuota.session.profile import mc_profile
from lorafuota.session.windows import session_window

NOW = 1_300_000_000.0
REQ = McClassCSessionReq(
    mc_group_id=1, session_time=int(NOW) - 5, time_out=4, dl_freq_hz=869_525_000, dr=16
)


@pytest.mark.parametrize(("version", "late"), [(1, 0), (2, v2.SessionError.START_MISSED)])
@pytest.mark.parametrize("defined", [True, False])
def test_the_bits_of_one_request(version: int, late: int, defined: bool) -> None:
    listen = session_window(REQ, near=NOW)
    known = session_errors(
        REQ, mc_profile(version), McLimits(), defined=defined, listen=listen, gps=NOW
    )
    unknown = session_errors(
        REQ, mc_profile(version), McLimits(), defined=defined, listen=None, gps=None
    )
    without_time = v2.SessionError.DR_ERROR
    if not defined:
        without_time |= v2.SessionError.MC_GROUP_UNDEFINED
    assert (known, unknown) == (without_time | late, without_time)


def test_without_the_time_the_start_is_as_far_as_can_be() -> None:
    for version in (1, 2):
        answer = acceptance_ans(REQ, mc_profile(version), listen=None, gps=None)
        assert answer.time_to_start == CLOCK_UNKNOWN
        refusal = refusal_ans(REQ, mc_profile(version), v2.SessionError.DR_ERROR)
        assert refusal.encode().hex() == "0405"
