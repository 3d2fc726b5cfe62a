"""The frame counter of a group."""

from __future__ import annotations

from lorafuota.dissect.hypothesis import Symptom
from tests.unit.dissect.support import FRAG, MC, Log, fragment, group_setup, setup1, status1


def group(*counters: int, version: int = 1, lowest: int = 0, highest: int = 1000) -> Log:
    log = Log().up(MC, f"00020{version}")
    log.down(MC, group_setup(min_mc_fcnt=lowest, max_mc_fcnt=highest)).up(MC, "0200")
    for at, fcnt in enumerate(counters):
        log.group(fragment(at + 1), fcnt=fcnt)
    return log


def test_counters_that_rise_are_as_they_should_be() -> None:
    assert group(0, 1, 2, 5, 999).names() == []


def test_a_counter_with_two_contents() -> None:
    assert "counters carry different frames: 2" in (
        group(1, 2, 2, 3).find(Symptom.FCNT_REUSED).evidence[0].text
    )
    log = group(1)
    log.frames += [log.frames[-1]]  # another gateway heard the same
    assert log.names() == []


def test_a_counter_that_begins_again() -> None:
    log = group(5, 6, 7, 0, 1)
    found = log.find(Symptom.FCNT_RESTARTED)
    assert "falls from 7 to 0" in found.evidence[0].text
    assert log.names() == ["frame-counter-restarted"]
    assert group(65_533, 65_534, 1, 2, highest=200_000).names() == []  # 16 bits of 32
    log = group(5, 6, 7).down(MC, group_setup(mc_key_encrypted=bytes(16))).up(MC, "0200")
    assert log.group(fragment(9), fcnt=0).names() == []


def test_a_counter_used_before_is_worse() -> None:
    found = group(0, 1, 0, 1).find(Symptom.FCNT_RESTARTED)
    assert found.score == 0.9


def test_counters_outside_what_the_device_accepts() -> None:
    assert group(3, 4, 5, lowest=4).names() == ["frame-counter-outside-range"]
    found = group(3, 4, 5, highest=5).find(Symptom.FCNT_OUTSIDE)
    assert "(version 1 excludes maxMcFCount itself)" in found.says
    assert group(3, 4, 5, highest=5, version=2).names() == []
    assert group(3, 4, 6, highest=5, version=2).names() == ["frame-counter-outside-range"]


def test_a_first_counter_above_16_bits_is_not_heard_by_two_stacks() -> None:
    log = Log().down(MC, group_setup(max_mc_fcnt=200_000)).up(MC, "0200")
    log.down(FRAG, setup1()).up(FRAG, "0200")
    for n in range(1, 11):
        log.group(fragment(n), fcnt=70_000 + n)
    assert "frame-counter-above-65535" not in log.names()
    log.down(FRAG, "0101").up(FRAG, status1(0, 10))
    assert log.names()[0] == "frame-counter-above-65535"
