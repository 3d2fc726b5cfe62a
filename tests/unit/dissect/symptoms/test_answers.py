"""How devices answer: all at once, for ever, with figures that never fall, or not at all."""

from __future__ import annotations

import dataclasses

import pytest

from lorafuota.dissect.hypothesis import Symptom, Weight
from lorafuota.types import DevEUI
from tests.unit.dissect.support import FRAG, Log, fragment, setup1, setup2, status1, status2


def fleet(devices: int, gap: float, *, block_ack_delay: int = 0) -> Log:
    """One question to a group, and every device answers, *gap* seconds apart."""
    log = Log()
    for at in range(devices):
        log.down(FRAG, setup1(block_ack_delay=block_ack_delay), dev=DevEUI(at))
        log.up(FRAG, "0200", dev=DevEUI(at))
    for n in range(1, 11):
        log.group(fragment(n), fcnt=n)
    log.group("0101", fcnt=11)
    start = log.now - 2
    for at in range(devices):
        log.now = start + 0.5 + gap * at
        log.up(FRAG, status1(10, 0), dev=DevEUI(at))
    return log


def test_more_answers_than_the_air_can_take() -> None:
    assert fleet(80, 0.2).names() == ["answers-all-at-once"]
    assert fleet(30, 0.5).names() == []
    found = fleet(80, 0.05, block_ack_delay=3).find(Symptom.ANSWER_STORM)
    assert "20 of them within a second" in found.evidence[0].text


def test_delays_in_milliseconds() -> None:
    log = fleet(3, 0.01, block_ack_delay=2)
    assert log.names() == ["answer-delay-in-milliseconds"]
    assert fleet(2, 0.01, block_ack_delay=2).names() == []
    assert fleet(3, 3.0, block_ack_delay=2).names() == []


def test_reports_nobody_acknowledges() -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup2()).up(FRAG, "0200").up(FRAG, "0400")
    assert log.names() == []
    assert log.up(FRAG, "0400").names() == ["report-not-answered"]
    assert log.down(FRAG, "0400").names() == []


def sent(last: int, *, version: int = 1) -> Log:
    log = Log().up(FRAG, f"00030{version}").down(FRAG, setup1() if version == 1 else setup2())
    log.up(FRAG, "0200")
    for n in range(1, last + 1):
        log.down(FRAG, fragment(n))
    return log


def asked(log: Log, answer: str) -> Log:
    return log.down(FRAG, "0101").up(FRAG, answer)


def coded(log: Log, numbers: range) -> Log:
    for n in numbers:
        log.down(FRAG, fragment(n))
    return log


def without_matrix(log: Log) -> list[str]:
    """The fragments here are all the same, which no matrix makes of one block."""
    return [name for name in log.names() if not name.endswith(("matrix", "fragments"))]


def test_missing_one_without_loss() -> None:
    found = asked(sent(10), status1(10, 1)).find(Symptom.MISSING_ONE)
    assert "none was lost" in found.evidence[0].text
    log = asked(coded(asked(sent(12), status1(10, 1)), range(13, 17)), status1(10, 1))
    assert "missing-one-without-loss" in log.names()
    # one that was lost: the count goes on
    log = asked(coded(asked(sent(12), status1(11, 1)), range(13, 17)), status1(12, 1))
    assert "missing-one-without-loss" not in log.names()
    assert "missing-one-without-loss" not in asked(log, status1(16, 0)).names()


def test_missing_that_never_falls() -> None:
    log = asked(coded(asked(sent(20), status1(20, 2)), range(21, 25)), status1(20, 2))
    assert log.find(Symptom.MISSING_NEVER_FALLS).score == 0.75  # four may all be lost
    log = asked(coded(log, range(25, 28)), status1(20, 2))
    found = log.find(Symptom.MISSING_NEVER_FALLS)
    assert [one.weight for one in found.evidence] == [Weight.STRONG, Weight.FAIR]
    assert without_matrix(log)[0] == "missing-never-falls"
    assert found.score == 0.9
    # far more than enough was counted
    assert asked(sent(30), status1(30, 2)).find(Symptom.MISSING_NEVER_FALLS).score == 0.8
    # a device that hears no more is another matter
    log = asked(coded(asked(sent(20), status1(8, 2)), range(21, 26)), status1(8, 2))
    assert "missing-never-falls" not in log.names()
    # and so is one that reports in the end
    log = asked(sent(30, version=2), status2(30, 2)).up(FRAG, "0400").down(FRAG, "0400")
    assert without_matrix(log) == []


def test_a_complete_device_asked_with_participants_0() -> None:
    log = sent(12).down(FRAG, "0100").down(FRAG, "0100")
    found = log.find(Symptom.PARTICIPANTS)
    assert (found.score, "asked 2 times" in found.evidence[0].text) == (0.5, True)
    assert sent(12).down(FRAG, "0100").find(Symptom.PARTICIPANTS).score == 0.2
    assert "silent-because-complete" not in log.down(FRAG, "0101").names()
    assert "silent-because-complete" not in asked(sent(12), status1(12, 0)).names()


def test_a_log_without_times_tells_nothing_about_storms() -> None:
    log = fleet(80, 0.05)
    log.frames = [dataclasses.replace(one, time=None) for one in log.frames]
    assert log.names() == []


def test_missing_one_that_stopped_at_nb_frag_is_worth_a_look() -> None:
    assert asked(sent(18), status1(10, 1)).find(Symptom.MISSING_ONE).score == 0.2


@pytest.mark.parametrize(("received", "score"), [(14, 0.2), (19, 0.5), (27, 0.8)])
def test_the_more_is_counted_the_less_can_be_missing(received: int, score: float) -> None:
    found = asked(sent(received + 2), status1(received, 2)).find(Symptom.MISSING_NEVER_FALLS)
    assert found.score == score
