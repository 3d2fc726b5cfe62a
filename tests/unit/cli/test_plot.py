"""What is drawn, without looking at it: that a plot is made of the plan's numbers."""

from __future__ import annotations

import pathlib

import pytest

from lorafuota.cli.plot import draw_completion, draw_timeline
from lorafuota.plan import PlanRequest, make_plan


def test_each_loss_has_its_curve_and_the_timeline_its_rows(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib")
    plan = make_plan(PlanRequest(image_octets=72_000, devices=1, redundancy=0.2))
    draw_completion(plan, tmp_path / "a.svg")
    draw_timeline(plan, tmp_path / "b.svg")
    curves = (tmp_path / "a.svg").read_text()
    assert [loss for loss in ("0.05", "0.1", "0.2", "0.3") if f"{loss} lost" not in curves] == []
    assert "redundancy in % of 302 fragments" in curves
    rows = (tmp_path / "b.svg").read_text()
    assert [row for row in ("set up", "announce", "window", "frames") if row not in rows] == []
