"""Refusals read aloud, and silence."""

from __future__ import annotations

import pytest

from lorafuota.dissect.hypothesis import Symptom
from tests.unit.dissect.support import (
    FRAG,
    MC,
    START,
    Log,
    class_c,
    fragment,
    group_setup,
    setup2,
    status1,
)


@pytest.mark.parametrize(
    ("answer", "names", "words"),
    [
        ("0201", ["refused-frag-algo"], "FragAlgo 0 is not supported"),
        ("0202", ["refused-not-enough-memory"], "10 fragments of 4 octets"),
        ("0204", ["refused-frag-index"], "FragIndex 0"),
        ("0208", ["refused-descriptor"], "Descriptor 00 00 00 00"),
        ("0210", ["refused-session-cnt-replay"], "SessionCnt 48 was used before"),
        ("020a", ["refused-not-enough-memory", "refused-descriptor"], ""),
    ],
)
def test_every_bit_of_a_refused_set_up(answer: str, names: list[str], words: str) -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup2()).up(FRAG, answer)
    assert log.names() == names
    assert words in log.diagnose().hypotheses[0].says
    log.down(FRAG, setup2(session_cnt=0x31)).up(FRAG, "0200")
    assert log.names() == []  # settled


def test_the_memory_bit_of_a_status() -> None:
    log = Log().up(FRAG, "000301").down(FRAG, "02010a0004000000000000").up(FRAG, "0200")
    for n in range(1, 12):
        log.down(FRAG, fragment(n))
    log.down(FRAG, "0101").up(FRAG, status1(9, 3, memory=True))
    found = log.find(Symptom.MEMORY_ERROR)
    assert found.evidence[0].text == "the memory bit is set, with 3 missing: 01 09 00 03 01"


def test_a_session_that_is_gone() -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup2())
    assert "session-does-not-exist" not in log.down(FRAG, "0101").up(FRAG, "0104").names()
    log = Log().up(FRAG, "000302").down(FRAG, setup2()).up(FRAG, "0200")
    assert log.down(FRAG, "0101").up(FRAG, "0104").names() == ["session-does-not-exist"]


def test_a_group_the_device_has_no_place_for() -> None:
    log = Log().down(MC, group_setup(mc_group_id=3)).up(MC, "0207")
    assert log.names() == ["refused-mc-group-id"]
    assert log.down(MC, group_setup()).up(MC, "0200").names() == []


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("0404", "refused-data-rate"),
        ("0408", "refused-frequency"),
        ("0410", "refused-group-undefined"),
        ("041c", "refused-group-undefined"),  # LoRaMac-node sets all three
    ],
)
def test_every_bit_of_a_refused_window(answer: str, name: str) -> None:
    log = Log().down(MC, class_c(START + 600)).up(MC, answer)
    assert log.names() == [name]
    assert log.down(MC, class_c(START + 900)).up(MC, "04007f0300").names() == []


def test_requests_nobody_answers() -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup2()).down(FRAG, setup2())
    found = log.find(Symptom.NO_ANSWER)
    assert (found.score, found.evidence[0].text) == (
        0.5,
        "no answer to FragSessionSetupReq (sent 2 times)",
    )
    assert log.up(FRAG, "0200").names() == []


def test_the_last_request_of_a_capture_may_still_be_answered() -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup2())
    assert log.find(Symptom.NO_ANSWER).score == 0.2
    assert log.up(MC, "000202").find(Symptom.NO_ANSWER).score == 0.5


def test_a_device_that_says_nothing_at_all() -> None:
    log = Log().down(FRAG, "00").down(MC, "00").down(FRAG, "00")
    assert log.names() == []  # three questions, none of them three times
    found = log.down(FRAG, "00").find(Symptom.NO_ANSWER)
    assert (found.score, found.says) == (0.9, "the device says nothing at all")
