"""Fragments no device can use."""

from __future__ import annotations

import pytest

from lorafuota.dissect.hypothesis import Symptom
from tests.unit.dissect.support import FRAG, MC, Log, fragment, group_setup, setup1, status1


def ready(**fields: int) -> Log:
    log = Log().up(FRAG, "000301").down(MC, group_setup()).up(MC, "0200")
    return log.down(FRAG, setup1(**fields)).up(FRAG, "0200")


def test_numbers_from_0() -> None:
    log = ready()
    for n in range(10):
        log.group(fragment(n), fcnt=n)
    found = log.find(Symptom.ZERO_BASED)
    assert (found.score, log.names()[0]) == (0.96, "fragments-from-zero")
    assert "the highest is 9 for NbFrag 10" in found.evidence[0].text


def test_fragments_of_another_length() -> None:
    log = ready()
    for n in range(1, 11):
        log.group(fragment(n, b"abc" if n == 10 else b"abcd"), fcnt=n)
    found = log.find(Symptom.FRAGMENT_LENGTH)
    assert "the last plain fragment is not padded" in found.says
    log.group(fragment(11, b"abcde"), fcnt=11)
    found = log.find(Symptom.FRAGMENT_LENGTH)
    assert found.evidence[0].text == "2 of 11 fragments have 3, 5 octets, FragSize is 4"


@pytest.mark.parametrize(("mask", "names"), [(1, []), (0b1110, ["group-not-in-mask"])])
def test_a_group_that_may_not_feed_the_session(mask: int, names: list[str]) -> None:
    log = ready(mc_group_bit_mask=mask)
    for n in range(1, 11):
        log.group(fragment(n), fcnt=n)
    assert log.names() == names


def test_a_success_by_unicast_makes_the_mask_no_more_than_possible() -> None:
    log = ready(mc_group_bit_mask=0)
    for n in range(1, 11):
        log.group(fragment(n), fcnt=n)
    log.down(FRAG, "0101").up(FRAG, status1(10, 0))
    assert log.find(Symptom.GROUP_NOT_IN_MASK).score == 0.5


def test_a_frag_index_nobody_set_up() -> None:
    log = ready()
    for n in range(1, 11):
        log.group(fragment(n, frag_index=2), fcnt=n)
    assert log.find(Symptom.FRAG_INDEX).evidence[0].text == (
        "10 of 10 fragments have FragIndex 2; set up is 0"
    )
    log.down(FRAG, setup1(frag_index=2))
    assert "frag-index-without-session" not in log.names()


def test_a_device_that_heard_nothing() -> None:
    log = ready()
    for n in range(1, 11):
        log.group(fragment(n), fcnt=n)
    log.down(FRAG, "0101").up(FRAG, status1(0, 10))
    assert log.find(Symptom.NOTHING_HEARD).evidence[0].text == (
        "NbFragReceived is 0 after 10 fragments were sent"
    )
    assert "nothing-heard" not in log.down(FRAG, "0101").up(FRAG, status1(1, 9)).names()
