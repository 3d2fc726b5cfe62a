from __future__ import annotations

import io
import json
import sys

import pytest

from lorafuota.cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show_on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_columns_are_aligned_and_lines_have_no_trailing_space() -> None:
    rows = [("a", "1", "x"), ("long name", "1000", "")]
    assert output.table(("name", "n", "note"), rows, right=(1,), indent=2) == (
        "  name          n  note\n  a             1  x\n  long name  1000"
    )


def test_a_cell_may_have_several_lines() -> None:
    assert output.table(("k", "v", "w"), [("a", "one\nthree", "z"), ("b", "", "y")]) == (
        "k  v      w\na  one    z\n   three\nb         y"
    )


def test_a_table_without_rows_is_its_head() -> None:
    assert output.table(("one", "two"), []) == "one  two"


def test_there_are_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    show_on_terminal(monkeypatch)
    assert output.strong("x") == "\x1b[1mx\x1b[0m"
    assert output.good("x") == "\x1b[32mx\x1b[0m"
    assert output.bad("x") == "\x1b[31mx\x1b[0m"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_there_are_no_colours_where_nobody_wants_them(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    show_on_terminal(monkeypatch)
    monkeypatch.setenv(name, value)
    assert output.bad("x") == "x"


def test_an_empty_no_color_means_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    show_on_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "")
    assert output.bad("x") != "x"


def test_there_are_no_colours_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert output.bad("x") == "x"


def test_what_is_closed_or_missing_is_no_terminal() -> None:
    closed = Terminal()
    closed.close()
    assert not output.is_terminal(io.StringIO())
    assert not output.is_terminal(None)
    stream = io.StringIO()
    stream.close()
    assert not output.is_terminal(stream)


def test_json_is_one_ascii_document_in_the_order_given(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_json({"b": 1, "a": "ü"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert list(json.loads(text)) == ["b", "a"]
