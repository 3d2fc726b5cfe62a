"""One is one, and others are several."""

from __future__ import annotations

from lorafuota.dissect.words import count, times


def test_nouns_and_numbers_agree() -> None:
    assert [count(n, "frame") for n in (0, 1, 2000)] == ["0 frames", "1 frame", "2,000 frames"]
    assert [times(n) for n in (1, 2)] == ["once", "2 times"]
