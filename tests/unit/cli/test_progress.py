"""The progress bar, on a pseudo-terminal of this machine and off it."""

from __future__ import annotations

import io
import os
import select
import struct
from collections.abc import Iterator
from typing import TextIO

import pytest

from lorafuota.cli import progress as module
from lorafuota.cli.progress import progress

pty = pytest.importorskip("pty")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Tty:
    """A terminal to write to, and what has been written."""

    def __init__(self, columns: int) -> None:
        self.master, slave = pty.openpty()
        self.stream: TextIO = os.fdopen(slave, "w")
        self.resize(columns)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.stream, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self) -> str:
        """All that arrives until nothing more does; the kernel takes its time to pass it on."""
        seen = b""
        while select.select([self.master], [], [], 0.1)[0]:
            seen += os.read(self.master, 1 << 16)
        return seen.decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self.master)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setenv("TERM", "xterm")
    return clock


@pytest.fixture
def tty() -> Iterator[Tty]:
    tty = Tty(60)
    yield tty
    tty.close()


def test_percent_rate_and_time_left_fill_the_line_but_its_last_column(
    tty: Tty, clock: Clock
) -> None:
    with progress("frames", 1000, stream=tty.stream) as bar:
        assert tty.read().startswith("\rframes   0% [ ")
        clock.now += 10
        bar.advance(250)
        bar_of_30 = "########".ljust(30)
        assert tty.read() == f"\rframes  25% [{bar_of_30}] 25/s  ETA 0:30"
    assert bar.done == 250


def test_the_bar_grows_with_the_terminal(tty: Tty, clock: Clock) -> None:
    with progress("frames", 1000, stream=tty.stream) as bar:
        for columns in (40, 100, 200):
            tty.resize(columns)
            tty.read()
            clock.now += 10
            bar.advance(1)
            assert len(tty.read().strip("\r").rstrip()) == columns - 1


def test_a_narrow_terminal_gets_what_fits(tty: Tty, clock: Clock) -> None:
    tty.resize(12)
    with progress("frames", 1000, stream=tty.stream):
        assert tty.read() == "\rframes   0%"


def test_drawing_is_throttled(tty: Tty, clock: Clock) -> None:
    with progress("frames", 1000, stream=tty.stream) as bar:
        tty.read()
        for _ in range(500):
            bar.advance()
        assert tty.read() == ""
        clock.now += 0.2
        bar.advance()
        assert " 50% " in tty.read()


def test_the_bar_wipes_itself_out_at_the_end(tty: Tty, clock: Clock) -> None:
    with progress("frames", 10, stream=tty.stream):
        drawn = len(tty.read()) - 1
    assert tty.read() == "\r" + " " * drawn + "\r"


def test_the_bar_wipes_itself_out_when_the_work_fails(tty: Tty, clock: Clock) -> None:
    def fail() -> None:
        with progress("frames", 10, stream=tty.stream):
            tty.read()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert tty.read().strip("\r ") == ""


def test_more_than_everything_is_everything(tty: Tty, clock: Clock) -> None:
    for total in (0, 10):
        with progress("frames", total, stream=tty.stream) as bar:
            clock.now += 5000
            bar.advance(20)
            assert "100%" in tty.read()


def test_a_long_way_to_go_is_shown_in_hours(tty: Tty, clock: Clock) -> None:
    with progress("frames", 1000, stream=tty.stream) as bar:
        tty.read()
        clock.now += 100
        bar.advance(1)
        assert "0.0/s  ETA 27:45:00" in tty.read()


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_drawn_in_a_pipe_or_when_quiet(tty: Tty, clock: Clock, quiet: bool) -> None:
    pipe = io.StringIO()
    with progress("frames", 10, quiet=quiet, stream=tty.stream if quiet else pipe) as bar:
        clock.now += 5
        bar.advance(5)
    assert (pipe.getvalue(), tty.read(), bar.done) == ("", "", 5)


def test_a_dumb_terminal_is_left_alone(
    tty: Tty, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with progress("frames", 10, stream=tty.stream):
        pass
    assert tty.read() == ""


def test_stderr_is_where_it_goes(
    capsys: pytest.CaptureFixture[str], tty: Tty, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", tty.stream)
    with progress("frames", 10):
        assert "frames" in tty.read()
    assert capsys.readouterr().out == ""


def test_a_terminal_that_goes_away_does_not_end_the_work(clock: Clock) -> None:
    class Gone(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            raise OSError("gone")

    with progress("frames", 10, stream=Gone()) as bar:
        clock.now += 5
        bar.advance(5)
    assert bar.done == 5
