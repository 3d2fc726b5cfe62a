"""Promises that a device keeps whatever its server and its clock do: R11, S1, S2, S5, S6.

The everyday numbers; ``python -m tests.fuzz.promises`` runs the long ones, and ``LORAFUOTA_LONG=1``
something between.  Each law is shown to notice what it is there for.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lorafuota.session.fragmentation import FragDevice
from lorafuota.session.stacks import DEVICE_PROFILES
from tests.laws import hostile_clock, set_ups, work
from tests.support import LONG


def test_r11_whatever_a_devices_clock_does_answers_and_windows_keep_to_it() -> None:
    kinds = hostile_clock.device_schedules(20_000 if LONG else 300)
    assert kinds.keys() == set(DEVICE_PROFILES)


def test_s1_hostile_set_ups_need_what_the_formula_says_and_refused_ones_nothing() -> None:
    found = set_ups.hostile_sessions(500 if LONG else 12)
    assert found.accepted
    assert found.refused
    assert found.worst <= 1.2


def test_s1_a_refusal_that_allocates_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    real = FragDevice._setup_errors

    def greedy(self: FragDevice, req: Any) -> Any:
        kept.append(bytes(10_000))
        return real(self, req)

    monkeypatch.setattr(FragDevice, "_setup_errors", greedy)
    with pytest.raises(AssertionError, match="octets left by a refused"):
        set_ups.hostile_sessions(12)


def test_s2_the_worst_fragment_of_a_session_is_found() -> None:
    """The limit itself is a matter of time, and is held against the long run only."""
    found = work.Worst()
    work.session(3, found)
    assert found.fragments > 0
    assert found.seconds > 0
    assert f"M = {found.nb_frag}" in str(found)


def test_s5_the_same_set_up_keeps_another_replaces_and_nothing_is_ever_mixed() -> None:
    seen = set_ups.mixtures(5_000 if LONG else 150)
    assert seen.keys() >= {"same", "another", "refused", "reset", "fragments", "blocks"}


def test_s5_a_set_up_that_keeps_old_fragments_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = FragDevice._new_decoder
    made: dict[tuple[int, int], Any] = {}

    def sloppy(self: FragDevice, req: Any) -> Any:
        return made.setdefault((id(self), req.frag_index), real(self, req))

    monkeypatch.setattr(FragDevice, "_new_decoder", sloppy)
    with pytest.raises(AssertionError):
        set_ups.mixtures(20)


def test_s6_no_recorded_set_up_is_accepted_once_its_counter_was_used() -> None:
    seen = set_ups.replays(5_000 if LONG else 100)
    assert seen.keys() == {"accepted", "refused", "resets", "counters used"}


def test_s6_a_counter_that_is_not_stored_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = FragDevice.__init__

    def forgetful(self: FragDevice, profile: Any, **options: Any) -> None:
        real(self, dataclasses.replace(profile, stores_session_cnt=False), **options)

    monkeypatch.setattr(FragDevice, "__init__", forgetful)
    with pytest.raises(AssertionError):
        set_ups.replays(20)
