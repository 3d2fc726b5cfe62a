"""How sure a hypothesis is, from its evidence alone."""

from __future__ import annotations

import pytest

from lorafuota.dissect.hypothesis import Evidence, Hypothesis, Sure, Symptom, Weight


def hypothesis(*weights: Weight) -> Hypothesis:
    evidence = tuple(
        Evidence(weight, f"piece {at}", (at,), (at + 7,)) for at, weight in enumerate(weights)
    )
    return Hypothesis(
        symptom=Symptom.CLOCK_OFF, says="it is off", evidence=evidence, try_next="set it"
    )


@pytest.mark.parametrize(
    ("weights", "score", "sure"),
    [
        ((), 0.0, Sure.WORTH_A_LOOK),
        ((Weight.HINT,), 0.2, Sure.WORTH_A_LOOK),
        ((Weight.HINT, Weight.HINT), 0.36, Sure.WORTH_A_LOOK),
        ((Weight.FAIR,), 0.5, Sure.POSSIBLE),
        ((Weight.FAIR, Weight.HINT), 0.6, Sure.POSSIBLE),
        ((Weight.STRONG,), 0.8, Sure.LIKELY),
        ((Weight.STRONG, Weight.STRONG), 0.96, Sure.CERTAIN),
        ((Weight.PROOF,), 0.98, Sure.CERTAIN),
        ((Weight.PROOF,) * 3, 0.999, Sure.CERTAIN),
    ],
)
def test_the_score_is_what_the_pieces_leave_of_the_doubt(
    weights: tuple[Weight, ...], score: float, sure: Sure
) -> None:
    one = hypothesis(*weights)
    assert (one.score, one.sure) == (score, sure)


def test_a_hypothesis_is_plain_json() -> None:
    assert hypothesis(Weight.STRONG).to_json() == {
        "symptom": "clock-off",
        "score": 0.8,
        "sure": "likely",
        "says": "it is off",
        "evidence": [{"weight": "strong", "text": "piece 0", "lines": [7]}],
        "try_next": "set it",
        "devices": [],
        "follows_from": [],
    }
