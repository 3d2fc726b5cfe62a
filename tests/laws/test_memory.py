"""Absurd requests stay within what limits allow; and the measurement notices when they do not."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Iterator

import pytest

from lorafuota.image.delta import DeltaLimits
from lorafuota.session.fragmentation import FragLimits
from tests.fuzz import memory
from tests.fuzz.memory import REST, Request, Row


@pytest.mark.parametrize(
    ("what", "requests"),
    [
        ("set-ups", lambda: memory.set_ups(memory.SMALL, feed=True)),
        ("large set-ups", lambda: memory.set_ups(FragLimits(), feed=False)),
        ("saved sessions", memory.saved_sessions),
        ("images", memory.images),
        ("deltas", lambda: memory.deltas(DeltaLimits(output=4096, window_bits=8))),
        ("documents", memory.documents),
        ("stores", memory.stores),
    ],
)
def test_memory_stays_within_what_is_allowed(
    what: str, requests: Callable[[], Iterator[Request]]
) -> None:
    row = memory.row(what, requests())
    assert row.requests > 5
    assert row.granted < row.requests
    assert 0 < row.share <= 1, row


def test_the_measurement_sees_what_is_taken_and_given_back_again() -> None:
    def ask(size: int) -> bool:
        return len(bytearray(size)) > 1000

    requests = [Request(functools.partial(ask, size), REST) for size in (10, 1 << 18, 2000)]
    row = memory.row("octets", iter(requests))
    assert row == Row("octets", 3, 2, row.peak, REST)
    assert 1 << 18 < row.peak < (1 << 18) + 2000
    assert row.share > 2


def test_the_table_is_printed_and_fails_when_a_bound_is_broken(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = Row("good", 5, 2, 1024, 2048), Row("bad", 1, 1, 4096, 2048)
    monkeypatch.setattr(memory, "rows", lambda: iter([good]))
    assert memory.main([]) == 0
    monkeypatch.setattr(memory, "rows", lambda: iter([good, bad]))
    assert memory.main(["--markdown", str(tmp_path / "table.md")]) == 1
    out = capsys.readouterr().out
    assert "| good | 5 | 2 | 1 | 2 | 0.50 |" in (tmp_path / "table.md").read_text()
    assert out.endswith("6 absurd requests, at most 2.00 of what is allowed (bad)\n")
