"""Where an answer leads."""

from __future__ import annotations

from lorafuota.campaign.state import Stage
from lorafuota.campaign.step import Step


def test_a_step_says_where_to_and_nothing_else_unless_told() -> None:
    step = Step(Stage.READY)
    assert (step.stage, step.outcome, step.detail, step.delay_seconds) == (
        Stage.READY,
        None,
        "",
        0.0,
    )
