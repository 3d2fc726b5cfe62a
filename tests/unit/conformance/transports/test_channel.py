import pytest

from lorafuota.conformance.lines import MAX_LINE
from lorafuota.conformance.subject import SubjectError
from lorafuota.conformance.transports.channel import LineBuffer


def test_lines_are_put_together_from_whatever_arrives() -> None:
    buffer = LineBuffer()
    found = []
    for octets in (b"on", b"e\r\n", b"two\nthr", b"ee", b"\n\n"):
        buffer.feed(octets)
        while (line := buffer.pop()) is not None:
            found.append(line)
    assert found == [b"one", b"two", b"three", b""]
    assert buffer.unfinished == b""
    for octets, unfinished in ((b"fo", b"fo"), (b"ur\nfi", b"fi"), (b"ve", b"five")):
        buffer.feed(octets)
        assert buffer.unfinished == unfinished


def test_a_line_that_never_ends_is_refused_before_it_fills_the_memory() -> None:
    buffer = LineBuffer()
    buffer.feed(bytes(MAX_LINE))
    assert buffer.pop() is None
    buffer.feed(b"x")
    with pytest.raises(SubjectError, match="a line of more than 4194304 octets"):
        buffer.pop()
    whole = LineBuffer()
    whole.feed(bytes(MAX_LINE) + b"\n")
    assert whole.pop() == bytes(MAX_LINE)
    longer = LineBuffer()
    longer.feed(bytes(MAX_LINE + 1) + b"\n")
    with pytest.raises(SubjectError, match="more than"):
        longer.pop()
