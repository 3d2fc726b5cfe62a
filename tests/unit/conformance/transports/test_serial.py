import os
import sys
from collections.abc import Iterator

import pytest

from lorafuota.conformance.subject import SubjectError
from lorafuota.conformance.transports.serial import SerialChannel
from lorafuota.errors import StateError


@pytest.fixture
def line() -> Iterator[tuple[SerialChannel, int]]:
    pytest.importorskip("serial", reason="a serial port needs lorafuota[serial]")
    if sys.platform == "win32":
        pytest.skip("no pseudo terminals")
    import tty

    ours, theirs = os.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    channel = SerialChannel(os.ttyname(theirs))
    yield channel, ours
    channel.close()
    os.close(ours)
    os.close(theirs)


def test_lines_go_there_and_come_back(line: tuple[SerialChannel, int]) -> None:
    channel, board = line
    channel.send("hello")
    assert os.read(board, 100) == b"hello\n"
    os.write(board, b"one\r\ntw")
    assert channel.receive(20.0) == b"one"
    assert channel.receive(0.01) is None
    assert channel.receive(0.0) is None
    assert channel.unfinished() == b"tw"
    os.write(board, b"o\r\n")
    assert channel.receive(20.0) == b"two"
    assert channel.last_words() == ""


def test_a_port_that_is_lost_ends_the_link(line: tuple[SerialChannel, int]) -> None:
    channel, _ = line
    channel.close()
    with pytest.raises(SubjectError, match="the serial line is lost"):
        channel.receive(1.0)
    with pytest.raises(SubjectError, match="the serial line is lost"):
        channel.send("anybody?")


def test_a_port_that_is_not_there_is_named() -> None:
    pytest.importorskip("serial", reason="a serial port needs lorafuota[serial]")
    with pytest.raises(SubjectError) as error:
        SerialChannel("/dev/not-there")
    assert str(error.value) == "/dev/not-there cannot be opened: No such file or directory"
    with pytest.raises(SubjectError, match="nowhere:// cannot be opened: invalid URL"):
        SerialChannel("nowhere://")


def test_without_pyserial_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(StateError, match=r"pip install 'lorafuota\[serial\]'"):
        SerialChannel("/dev/ttyUSB0")
