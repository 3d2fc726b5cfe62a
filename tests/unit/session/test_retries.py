"""How often to ask again."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.session.retries import Retries


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
