"""How often to ask again, and what is a time."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.session.retries import Retries, require_time


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"tries": 0}, "Retries.tries = 0: expected int in 1..1000"),
        ({"tries": 2.0}, "Retries.tries = 2.0: expected int in 1..1000"),
        ({"seconds": 0.0}, "Retries.seconds = 0.0: expected above 0, and finite"),
        ({"seconds": math.nan}, "Retries.seconds = nan: expected above 0, and finite"),
        ({"seconds": math.inf}, "Retries.seconds = inf: expected above 0, and finite"),
    ],
)
def test_what_never_ends_or_never_begins_is_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(FieldError) as caught:
        Retries(**wrong)
    assert str(caught.value) == text


@pytest.mark.parametrize("value", [0.0, -5.0, 1.4e9, float(1 << 53)])
def test_a_time_is_given_back(value: float) -> None:
    assert require_time("here", "now", value) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2.0**54])
def test_what_is_no_time_is_refused_by_name(value: float) -> None:
    with pytest.raises(FieldError) as caught:
        require_time("here", "now", value)
    assert str(caught.value) == f"here.now = {value!r}: expected seconds, at most 2**53 of them"
