"""However a server uses resets, a device receives no longer than it may (promise S12)."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import pytest

from lorafuota.session import windows
from lorafuota.session.multicast import McDevice, WindowLimits
from lorafuota.session.receivetime import ReceiveTime, Span
from lorafuota.session.windows import Windows
from tests.laws import receive_time
from tests.laws.receive_time import DAY, announces_again_after_each_reset, reboots_when_nearly_used
from tests.support import LONG, Record

HOUR = WindowLimits(max_daily_seconds=3600)
BOTH = WindowLimits(max_daily_seconds=600, max_session_seconds=200)
DAYS = 60 if LONG else 8
each_plan = pytest.mark.parametrize(
    "plan",
    [reboots_when_nearly_used, announces_again_after_each_reset],
    ids=lambda one: one.__name__,
)
either_clock = pytest.mark.parametrize("clock_survives", [True, False])


@each_plan
@either_clock
@pytest.mark.parametrize("limits", [HOUR, BOTH], ids=["a day", "a day and a session"])
def test_s12_a_server_gains_no_receive_time_from_resets(
    plan: Any, clock_survives: bool, limits: WindowLimits, record_property: Record
) -> None:
    owner = plan(limits, clock_survives=clock_survives, days=DAYS)
    assert owner.resets > 50
    assert owner.receiver.total > limits.max_daily_seconds / 4  # it does listen
    record_property("resets in windows", owner.resets)


def test_s12_whatever_a_server_a_clock_and_power_cuts_do() -> None:
    found = receive_time.schedules(2_000 if LONG else 40)
    assert found.resets > found.schedules
    assert 0.9 < found.fullest <= 1.001


@pytest.mark.parametrize("limits", [HOUR, BOTH], ids=["a day", "a day and a session"])
def test_s12_without_resets_a_device_listens_every_day_as_long_as_it_may(
    limits: WindowLimits,
) -> None:
    owner = receive_time.Owner(limits)
    owner.set_up(0)
    while owner.now < receive_time.START + 5 * DAY:
        owner.tell(200, receive_time.window(owner.now + 10))
        owner.wait(owner.now + 1000)
    owner.check()
    assert owner.receiver.total == pytest.approx(5 * limits.max_daily_seconds, abs=5)


def hostile_servers() -> None:
    for survives in (True, False):
        reboots_when_nearly_used(HOUR, clock_survives=survives, days=3)
    receive_time.schedules(60)


def nothing_taken_up(real: Any, self: Windows, state: Any, groups: range, *, now: float) -> Any:
    return real(self, {}, groups, now=now)


def nothing_ahead(real: Any, spans: Iterable[Span], *, now: float) -> Any:
    return real([one for one in spans if one.ago >= 0], now=now)


def no_session_taken_up(real: Any, state: Any, name: str, *bounds: int) -> Any:
    return None if name.startswith("listened/") else real(state, name, *bounds)


def not_counted(real: Any, self: Windows, mc_group_id: int, *, now: float) -> Any:
    return real(self, mc_group_id, now=self._seen)


def day_by_day(real: Any, self: ReceiveTime, seconds: float, share: float) -> None:
    """As if receive time were free again at midnight."""
    real(self, seconds, share)
    hours[self] = hours.get(self, 0.0) + seconds
    if hours[self] > DAY:
        hours[self], self._spans, self._running = 0.0, [], 0.0


hours: weakref.WeakKeyDictionary[ReceiveTime, float] = weakref.WeakKeyDictionary()


@pytest.mark.parametrize(
    ("where", "name", "change"),
    [
        (Windows, "restore", nothing_taken_up),
        (McDevice, "_store_listened", lambda real, self: []),
        (ReceiveTime, "restore", lambda real, self, spans: None),
        (ReceiveTime, "advance", day_by_day),
        (Windows, "cancel", not_counted),
        (windows, "listened_value", nothing_ahead),
        (windows, "saved_int", no_session_taken_up),
    ],
    ids=[
        "not taken up",
        "not stored",
        "only sessions",
        "days",
        "not counted",
        "not ahead",
        "not sessions",
    ],
)
def test_s12_receive_time_that_comes_back_too_early_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, change: Any
) -> None:
    real = getattr(where, name)
    monkeypatch.setattr(where, name, lambda *args, **options: change(real, *args, **options))
    with pytest.raises(AssertionError, match="s in a"):
        hostile_servers()
