from __future__ import annotations

from lorafuota._columns import columns


def test_columns_are_aligned_and_lines_end_where_their_text_does() -> None:
    rows = [("1", "first\nsecond", "x"), ("23", "", "")]
    assert columns(("n", "text", "last"), rows, right=(0,), indent=2) == [
        "   n  text    last",
        "   1  first   x",
        "      second",
        "  23",
    ]


def test_a_table_may_have_no_rows() -> None:
    assert columns(("a", "b"), []) == ["a  b"]
