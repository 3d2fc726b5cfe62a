import time

import pytest

from lorafuota.conformance.transports.clock import RealClock
from lorafuota.gpstime import unix_to_gps


def test_it_is_the_time_on_the_wall_in_gps_seconds() -> None:
    clock = RealClock()
    assert abs(clock.now() - unix_to_gps(time.time())) < 5


def test_it_does_not_follow_a_clock_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = RealClock()
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= clock.now() - before < 5
