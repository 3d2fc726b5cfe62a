"""Windows: past before they begin, too short, and fragments beside them."""

from __future__ import annotations

from lorafuota.dissect.hypothesis import Symptom
from tests.unit.dissect.support import (
    FRAG,
    MC,
    START,
    Log,
    class_c,
    fragment,
    group_setup,
    setup1,
    status1,
)


def window(time_out: int = 8, *, ahead: int = 100) -> Log:
    """A group, a session, and a window 100 s from the beginning."""
    log = Log().down(MC, group_setup()).up(MC, "0200").down(FRAG, setup1()).up(FRAG, "0200")
    log.down(MC, class_c(START + ahead, time_out=time_out))
    left = ahead - 10
    return log.up(MC, "0400" + left.to_bytes(3, "little").hex())


def send(log: Log, at: float, numbers: range) -> Log:
    log.now = START + at
    for n in numbers:
        log.group(fragment(n), fcnt=n)
    return log


def test_fragments_inside_are_as_they_should_be() -> None:
    assert send(window(), 100, range(1, 11)).names() == []
    assert send(window(), 98.5, range(1, 11)).names() == []  # clocks of logs are not that good


def test_fragments_before_the_start() -> None:
    found = send(window(), 90, range(1, 11)).find(Symptom.SENT_BEFORE_START)
    assert found.evidence[0].text == (
        "4 of 10 fragments were sent before the start, up to 10 s"
    )  # fmt: skip


def test_fragments_after_the_end() -> None:
    found = send(window(4), 100, range(1, 13)).find(Symptom.WINDOW_TOO_SHORT)
    assert "TimeOut 4 is 16 s, the last fragment came 6 s after its end" in found.says
    assert send(window(4), 200, range(1, 11)).names() == ["window-missed"]


def test_a_second_window_counts_as_well() -> None:
    log = send(window(4), 100, range(1, 8))
    log.down(MC, class_c(START + 200, time_out=4)).up(MC, "0400550000")
    assert send(log, 200, range(8, 11)).names() == []


def test_a_server_that_stops_at_the_end() -> None:
    log = send(window(4), 100, range(1, 9)).wait(10).down(FRAG, "0101").up(FRAG, status1(8, 2))
    assert log.find(Symptom.WINDOW_TOO_SHORT).says == (
        "the window ended before all plain fragments were sent"
    )
    assert "window-too-short" not in send(window(8), 100, range(1, 9)).names()


def test_a_start_that_is_past() -> None:
    log = Log().down(MC, group_setup()).up(MC, "0200").down(MC, class_c(START - 50)).up(MC, "0420")
    found = log.find(Symptom.WINDOW_MISSED)
    assert [one.text for one in found.evidence] == [
        "the device answers StartMissed: 04 20",
        "the request was sent 54 s after the start it asks for",
        "version 1 of TS005 has no such bit: a reader of it waits for three more octets",
    ]
    log.down(MC, class_c(START + 500)).up(MC, "0400e80100")
    assert log.names() == []  # it took a later one


def test_version_1_has_no_bit_but_group_undefined_for_it() -> None:
    log = Log().down(MC, group_setup()).up(MC, "0200").down(MC, class_c(START + 50)).up(MC, "0410")
    assert log.names() == ["window-missed"]
