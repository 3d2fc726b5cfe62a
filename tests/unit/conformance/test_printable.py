import pytest

from lorafuota.conformance.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mine 1.0, größer", "mine 1.0, größer"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\ud800", r"\ud800"),
        ("\u202eevil\x85", r"\u202eevil\x85"),
        ("", ""),
    ],
)
def test_what_cannot_be_printed_is_escaped_and_the_rest_is_left(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()
