from __future__ import annotations

import pytest

from lorafuota import FieldError, ReservedBitsError
from lorafuota.multicastsetup import v1, v2
from lorafuota.types import UPLINK


def test_version_2_changes_the_answers_to_session_requests_only() -> None:
    changed = set(v2.PACKAGE.commands) - set(v1.PACKAGE.commands)
    assert changed == {v2.McClassBSessionAns, v2.McClassCSessionAns}


def test_a_missed_start_is_visible_in_both_versions() -> None:
    [first] = v1.PACKAGE.parse(bytes.fromhex("0422"), UPLINK)
    [second] = v2.PACKAGE.parse(bytes.fromhex("0422"), UPLINK, strict=True)
    missed = v2.SessionError.START_MISSED
    assert first == v1.McClassCSessionAns(
        mc_group_id=2, errors=v1.SessionError(missed), time_to_start=None
    )
    assert second == v2.McClassCSessionAns(mc_group_id=2, errors=missed, time_to_start=None)
    with pytest.raises(ReservedBitsError):
        v1.PACKAGE.parse(bytes.fromhex("0422"), UPLINK, strict=True)


def test_a_time_to_start_and_an_error_exclude_each_other() -> None:
    with pytest.raises(FieldError, match="time_to_start = 5: expected None unless errors is 0"):
        v2.McClassCSessionAns(mc_group_id=0, errors=v2.SessionError.DR_ERROR, time_to_start=5)
    with pytest.raises(FieldError, match="time_to_start = None: expected int in 0"):
        v2.McClassCSessionAns(mc_group_id=0, errors=v2.SessionError(0), time_to_start=None)
