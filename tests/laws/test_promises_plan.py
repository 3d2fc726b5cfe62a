"""Promise R6: the planner keeps its word.

The everyday numbers; ``python -m tests.fuzz.promises`` runs the long ones, and ``LORAFUOTA_LONG=1``
something between.  The law is shown to notice what it is there for.
"""

from __future__ import annotations

import dataclasses

import pytest

from lorafuota.losses import Losses
from lorafuota.plan import Plan, PlanRequest, make_plan
from lorafuota.simulate import RankFleet
from tests.laws import plans
from tests.support import LONG

SMALL = [point for point in plans.POINTS if point[0] in (10, 250)]


def test_r6_devices_fail_at_most_as_often_as_planned() -> None:
    points, trials = (plans.POINTS, 2_000) if LONG else (plans.POINTS[::37], 1_000)
    found = plans.plans(trials, points)
    assert (found.points, found.devices) == (len(points), trials * len(points))
    assert 0 < found.failed <= found.planned


def test_r6_the_points_are_those_of_the_promise() -> None:
    assert len(plans.POINTS) == 192
    assert {point[0] for point in plans.POINTS} == {10, 20, 50, 100, 250, 1000}
    assert {point[2] for point in plans.POINTS} == {0.05, 0.1, 0.2, 0.3}


def test_r6_a_plan_for_less_than_was_asked_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(request: PlanRequest) -> Plan:
        return make_plan(dataclasses.replace(request, probability=0.5))

    monkeypatch.setattr(plans, "make_plan", careless)
    with pytest.raises(plans.PromiseBroken, match="is allowed"):
        plans.plans(100, SMALL[:1])


def test_r6_devices_that_fail_more_often_than_planned_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the planner took a loss of 8 % for one of 5 %."""
    lossy = Losses.independent(0.08)
    monkeypatch.setattr(plans, "RankFleet", lambda **told: RankFleet(**{**told, "loss": lossy}))
    with pytest.raises(plans.PromiseBroken, match="failed, planned for"):
        plans.plans(2_000, SMALL[:1])


def test_r6_a_little_too_many_everywhere_is_noticed_in_the_sum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No single point is far above what was planned; all of them together are."""

    def little(point: plans.Point, trials: int, found: plans.Kept) -> None:
        found.failed += 120
        found.planned += 100

    monkeypatch.setattr(plans, "keeps", little)
    with pytest.raises(plans.PromiseBroken, match="2400 failed, planned for 2000"):
        plans.plans(10_000, plans.POINTS[:20])
