"""Payloads that are no commands."""

from __future__ import annotations

from tests.unit.dissect.support import FRAG, Log


def test_payloads_that_are_still_encrypted() -> None:
    log = Log().down(FRAG, "f2a1").up(FRAG, "e3").down(FRAG, "c4d5")
    assert log.names() == ["payload-not-in-clear"]
    for _ in range(3):
        log.up(FRAG, "000301")
    assert log.names() == []  # now and then one is damaged


def test_what_is_cut_off_in_the_middle_is_another_matter() -> None:
    log = Log()
    for _ in range(5):
        log.up(FRAG, "000301ff")
    assert log.names() == []
