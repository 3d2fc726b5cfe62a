"""The numbers of a plot."""

from __future__ import annotations

import pytest

from lorafuota.completion import Losses, completion_curve, predict
from lorafuota.errors import FieldError
from lorafuota.fec.variant import ParityVariant

TENTH = Losses.independent(0.1)


def test_a_curve_is_made_of_predictions_from_no_parity_to_the_most() -> None:
    curve = completion_curve(300, variant=ParityVariant.V2, losses=TENTH, most=60, points=7)
    assert curve.parity == (0, 10, 20, 30, 40, 50, 60)
    assert curve.predictions == tuple(
        predict(300, parity, variant=ParityVariant.V2, losses=TENTH) for parity in curve.parity
    )
    failures = [one.failure for one in curve.predictions]
    assert failures == sorted(failures, reverse=True)


def test_a_curve_ends_where_the_fragment_number_does_and_names_each_number_once() -> None:
    curve = completion_curve(16_381, variant=ParityVariant.V2, losses=TENTH, most=99, points=9)
    assert curve.parity == (0, 1, 2)


@pytest.mark.parametrize(("field", "change"), [("most", -1), ("points", 1), ("nb_frag", 0)])
def test_what_does_not_fit_is_refused_by_name(field: str, change: int) -> None:
    fields = {"nb_frag": 30, "most": 9, "points": 5, field: change}
    with pytest.raises(FieldError) as caught:
        completion_curve(
            fields["nb_frag"],
            variant=ParityVariant.V2,
            losses=TENTH,
            most=fields["most"],
            points=fields["points"],
        )
    assert caught.value.field == field
