"""Promises that a server keeps whatever its devices, its channel and its clock do.

R9, R10, R11, S9 and S16: the everyday numbers.  ``python -m tests.fuzz.promises`` runs the long
ones, and ``LORAFUOTA_LONG=1`` something between.  Each law is shown to notice what it is there for.
"""

from __future__ import annotations

from typing import Any

import pytest

from lorafuota.campaign import completion, exchange
from lorafuota.campaign.engine import FuotaCampaign
from lorafuota.campaign.group import Group
from lorafuota.campaign.quirks import StatusQuirk, quirks_of
from lorafuota.campaign.roster import Roster
from lorafuota.campaign.state import DeviceRecord, Outcome, Stage
from lorafuota.campaign.step import Step
from lorafuota.fragmentation import v1, v2
from tests.laws import counters, hostile_clock, hostile_devices, stacks, walk
from tests.support import LONG
from tests.unit.campaign.fleet import config, member

each_stack = pytest.mark.parametrize("name", stacks.STACKS)


def test_r9_every_walk_reaches_the_end_or_a_named_failure() -> None:
    steps, campaigns, outcomes = walk.walks(200_000 if LONG else 6_000)
    assert steps >= 6_000
    assert outcomes.total() >= campaigns
    assert Outcome.PENDING not in outcomes


def test_r9_a_campaign_that_forgets_a_device_is_called_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every tenth wake-up is lost: somebody is never asked again."""
    real, calls = Roster.wake, [0]

    def forgetful(self: Roster, *args: Any) -> None:
        calls[0] += 1
        if calls[0] % 10:
            real(self, *args)

    monkeypatch.setattr(Roster, "wake", forgetful)
    with pytest.raises(walk.Stuck, match="seed"):
        walk.walks(20_000)


def test_r9_a_campaign_that_asks_for_ever_is_called_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*args: Any, now: float) -> Step:
        return Step(Stage.STATUS)

    monkeypatch.setattr("lorafuota.campaign.engine.silence", endless)
    monkeypatch.setattr(walk, "MOST_STEPS", 3_000)
    with pytest.raises(walk.Stuck, match="no end"):
        walk.walks(20_000)


@each_stack
def test_r10_no_report_of_any_stack_is_false(name: str) -> None:
    outcomes, wrong = stacks.honest_reports(name, 3_000 if LONG else 60)
    assert outcomes.total() >= 60
    assert wrong == []
    assert sum(outcomes[one] for one in Outcome if one.success) > 0
    cannot_tell = quirks_of(name) is not StatusQuirk.NONE
    assert cannot_tell or not outcomes[Outcome.UNKNOWN] + outcomes[Outcome.LIKELY]


def test_r10_a_success_that_is_invented_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_everything", lambda *args: True)
    _, wrong = stacks.honest_reports("documents v2", 60)
    assert any("'integrity ok' without the block" in one for one in wrong)


def test_r10_a_failure_that_is_invented_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_everything", lambda *args: False)
    monkeypatch.setattr(completion, "_can_be_there", lambda *args: False)
    _, wrong = stacks.honest_reports("documents v1", 60)
    assert any("'fragments missing' although the block is there" in one for one in wrong)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("reports", [False, True])
def test_r10_missing_fragments_are_taken_back_when_the_fresh_answer_comes_behind_a_late_one(
    version: int, reports: bool
) -> None:
    if reports and version == 1:
        return
    one, about = member(1), config([member(1)])
    nb_frag = about.block.nb_frag
    record = DeviceRecord(stage=Stage.CLEANUP, outcome=Outcome.MISSING_FRAGMENTS, cnt_used=True)
    record.frag_version, record.missing, record.sent = version, 1, nb_frag + 9

    def hear(received: int, missing: int) -> Step | None:
        ans: Any
        if version == 1:
            ans = v1.FragSessionStatusAns(
                nb_frag_received=received,
                frag_index=0,
                missing_frag=missing,
                not_enough_matrix_memory=False,
            )
        elif reports:
            ans = v2.FragDataBlockReceivedReq(frag_index=0, mic_error=missing > 0)
        else:
            ans = v2.FragSessionStatusAns(
                memory_error=False,
                mic_error=False,
                session_does_not_exist=False,
                nb_frag_received=received,
                frag_index=0,
                missing_frag=missing,
            )
        return exchange.answer(about, one, record, ans, now=0.0, session=None)

    assert hear(nb_frag, 1) is None
    assert (record.outcome, record.missing) == (Outcome.MISSING_FRAGMENTS, 1)
    assert hear(nb_frag + 1, 0) is None
    arrived = Outcome.TRANSPORTED if version == 1 else Outcome.VERIFIED
    assert (record.stage, record.outcome, record.missing) == (Stage.CLEANUP, arrived, 0)
    assert hear(nb_frag, 1) is None
    assert record.outcome is arrived


_REPLACED = (Outcome.MISSING_FRAGMENTS, Outcome.UNKNOWN, Outcome.LIKELY)


@pytest.mark.parametrize("outcome", [one for one in Outcome if one not in _REPLACED])
def test_r10_no_other_outcome_is_changed_by_an_answer_in_the_clean_up(outcome: Outcome) -> None:
    record = DeviceRecord(stage=Stage.CLEANUP, outcome=outcome, cnt_used=True, frag_version=2)
    ans = v2.FragDataBlockReceivedReq(frag_index=0, mic_error=False)
    about = config([member(1)])
    assert exchange.answer(about, member(1), record, ans, now=0.0, session=None) is None
    assert record.outcome is outcome


def test_r11_whatever_the_servers_clock_does_a_campaign_ends_honestly() -> None:
    outcomes = hostile_clock.campaign_schedules(5_000 if LONG else 60)
    assert outcomes.total() >= 60
    assert Outcome.PENDING not in outcomes


def test_s9_no_counter_leaves_twice_or_outside_its_range_however_often_the_server_crashes() -> None:
    done = counters.sends(100_000 if LONG else 3_000)
    assert done.frames >= 3_000
    assert done.crashes > 0


def test_s9_a_server_that_takes_its_counters_from_memory_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is written before a counter is used."""
    monkeypatch.setattr(Group, "reserved", True)
    with pytest.raises(AssertionError):
        counters.sends(3_000)


def test_s9_a_device_takes_each_counter_once_and_none_outside_its_range() -> None:
    sent, taken = counters.groups_of_both_ends(5_000 if LONG else 100)
    assert 0 < taken < sent


def test_s16_a_device_that_lies_and_floods_holds_nobody_up_and_is_asked_no_more_than_others() -> (
    None
):
    found = hostile_devices.campaigns_with_a_liar(2_000 if LONG else 40)
    assert found.uplinks > 100
    assert found.most_requests > 0


def test_s16_a_flood_leaves_the_server_as_large_as_it_was() -> None:
    assert hostile_devices.floods(50 if LONG else 2) <= hostile_devices.GROWTH_OCTETS


def test_s16_a_server_that_remembers_what_it_is_told_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, kept = FuotaCampaign.receive, list[bytes]()

    def remembering(self: FuotaCampaign, *args: Any, now: float) -> Any:
        kept.append(bytes(100))
        return real(self, *args, now=now)

    monkeypatch.setattr(FuotaCampaign, "receive", remembering)
    with pytest.raises(AssertionError, match="octets more after"):
        hostile_devices.floods(1)
