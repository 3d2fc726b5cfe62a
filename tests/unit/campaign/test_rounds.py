"""The loop of a group, with members that are put where the test wants them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lorafuota.campaign.actions import CampaignAction, Multicast, NewKeyWanted, WindowAnnounced
from lorafuota.campaign.group import Group, key_check
from lorafuota.campaign.roster import Roster
from lorafuota.campaign.rounds import Rounds
from lorafuota.campaign.state import GroupPhase, Outcome, Stage
from lorafuota.campaign.step import Step
from lorafuota.crypto import derive_mc_app_s_key
from lorafuota.fragmentation.v1 import FragSessionStatusReq
from lorafuota.types import DevEUI, McKey
from tests.unit.campaign.fleet import START, config, group, member

ONE, TWO = DevEUI(1), DevEUI(2)
MANY = tuple(map(DevEUI, range(1, 9)))


class Loop:
    """Members of one group, and what the loop does with them."""

    def __init__(self, dev_euis: tuple[DevEUI, ...] = (ONE, TWO), **changes: Any) -> None:
        self.config = config([member(int(one)) for one in dev_euis], **changes)
        self.roster = Roster(self.config, None)
        self.acts: list[CampaignAction] = []
        self.steps: list[tuple[DevEUI, Step]] = []
        self.rounds = Rounds(self.config, self.roster, act=self.acts.append, step=self.step)
        for dev_eui in dev_euis:
            self.roster.enter(dev_eui, Stage.GROUP)
            self.roster.join(dev_eui, self.group)

    @property
    def group(self) -> Group:
        return self.roster.groups["v2"]

    def step(self, dev_eui: DevEUI, step: Step, now: float) -> None:
        self.steps.append((dev_eui, step))
        self.roster.enter(dev_eui, step.stage)

    def put(self, stage: Stage, *dev_euis: DevEUI) -> None:
        for dev_eui in dev_euis or tuple(self.roster.devices):
            self.roster.enter(dev_eui, stage)

    def due(self, now: float) -> None:
        self.rounds.due(self.group, now)


def test_a_group_waits_for_members_that_are_being_set_up_but_not_for_ever() -> None:
    loop = Loop(setup_seconds=900.0)
    loop.group.record.since = START
    loop.put(Stage.READY, ONE)
    loop.due(START + 899)
    assert loop.acts == []
    assert loop.group.deadline(900.0) == START + 900
    loop.due(START + 900)
    [window] = loop.acts
    assert isinstance(window, WindowAnnounced)
    assert window.start >= START + 900 + 600
    assert loop.steps == [(ONE, Step(Stage.SESSION))]


def test_a_window_nobody_confirmed_is_followed_by_another_and_that_ends() -> None:
    loop = Loop(max_rounds=1)
    loop.put(Stage.READY)
    loop.due(START)
    assert [(one, step.stage) for one, step in loop.steps] == [
        (ONE, Stage.SESSION),
        (TWO, Stage.SESSION),
    ]
    loop.due(loop.group.record.start)
    assert loop.group.record.window == 2
    loop.due(loop.group.record.start)
    ends = [(one, step) for one, step in loop.steps if step.stage is Stage.CLEANUP]
    assert ends == [(one, Step(Stage.CLEANUP, Outcome.NO_ANSWER)) for one in (ONE, TWO)]
    assert loop.group.record.phase is GroupPhase.REST


def sent_pass(loop: Loop) -> float:
    """Send the first pass to both; return when it is over."""
    loop.put(Stage.READY)
    loop.due(START)
    loop.put(Stage.LISTENING)
    now = loop.group.record.start
    while loop.group.record.phase is not GroupPhase.POLL:
        loop.due(now)
        now += 0.5
    return now


def test_after_the_pass_everybody_who_listened_is_asked() -> None:
    loop = Loop()
    now = sent_pass(loop)
    frames = [one for one in loop.acts if isinstance(one, Multicast)]
    assert len(frames) == loop.roster.first_pass + 1
    question = frames[-1]
    assert FragSessionStatusReq.decode(question.payload) == FragSessionStatusReq(
        participants=True, frag_index=0
    )
    silent_until = loop.group.record.end + 16 + 10 - question.time
    assert loop.steps[-2:] == [  # two in a second
        (ONE, Step(Stage.STATUS, delay_seconds=silent_until)),
        (TWO, Step(Stage.STATUS, delay_seconds=silent_until + 0.5)),
    ]
    assert {record.sent for record in loop.roster.devices.values()} == {len(frames) - 1}
    loop.put(Stage.IMAGE)
    loop.due(now)
    assert loop.group.record.phase is GroupPhase.REST


@pytest.mark.parametrize(("who", "stage"), [((ONE,), Stage.UNICAST), (MANY, Stage.SESSION)])
def test_what_few_miss_goes_by_unicast_and_what_many_miss_in_another_window(
    who: tuple[DevEUI, ...], stage: Stage
) -> None:
    loop = Loop(MANY)
    now = sent_pass(loop)
    loop.put(Stage.IMAGE)
    for dev_eui in who:
        record = loop.roster.devices[dev_eui]
        record.missing, record.received = 4, record.sent - 4
        loop.put(Stage.READY, dev_eui)
    loop.steps.clear()
    loop.due(now)
    assert loop.steps == [(dev_eui, Step(stage)) for dev_eui in who]
    assert loop.group.record.rounds == 1


@pytest.mark.parametrize(
    ("changes", "versions", "participants"),
    [
        ({}, (1, 2), True),
        ({}, (2, 2), False),
        ({"status_participants": True}, (2, 2), True),
        ({"status_participants": False}, (1, 1), False),
    ],
)
def test_all_are_to_answer_unless_everybody_reports_by_itself(
    changes: dict[str, Any], versions: tuple[int, int], participants: bool
) -> None:
    loop = Loop(**changes)
    for record, version in zip(loop.roster.devices.values(), versions, strict=True):
        record.frag_version = version
    sent_pass(loop)
    *_, question = [one for one in loop.acts if isinstance(one, Multicast)]
    assert FragSessionStatusReq.decode(question.payload).participants is participants


@pytest.mark.parametrize(
    "changes",
    [{"status_by_multicast": False}, {"answers_per_second": 0.1, "block_ack_delay": 0}],
)
def test_without_the_one_question_each_is_asked_when_the_last_frame_is_off_the_air(
    changes: dict[str, Any],
) -> None:
    loop = Loop(**changes)
    sent_pass(loop)
    frames = [one for one in loop.acts if isinstance(one, Multicast)]
    assert len(frames) == loop.roster.first_pass
    assert [(one, step.stage) for one, step in loop.steps[-2:]] == [
        (ONE, Stage.STATUS),
        (TWO, Stage.STATUS),
    ]
    first, second = (step.delay_seconds for _, step in loop.steps[-2:])
    assert first == pytest.approx(0.1)
    assert second == pytest.approx(0.1 + 1 / loop.config.answers_per_second)


def test_who_was_not_told_of_the_window_is_not_asked_about_it() -> None:
    loop = Loop()
    loop.put(Stage.READY, ONE)
    loop.group.record.since = START - 1000
    loop.due(START)
    loop.put(Stage.LISTENING, ONE)
    loop.roster.enter(TWO, Stage.READY)  # set up while the window runs
    now = loop.group.record.start
    while loop.group.record.phase is not GroupPhase.POLL:
        loop.due(now)
        now += 0.5
    assert [one for one, step in loop.steps if step.stage is Stage.STATUS] == [ONE]
    assert loop.roster.devices[TWO].stage is Stage.READY


@pytest.mark.parametrize(
    ("answered", "phase"),
    [(5, GroupPhase.POLL), (6, GroupPhase.ANNOUNCE), (7, GroupPhase.ANNOUNCE)],
)
def test_a_repair_goes_on_without_the_last_answers_where_a_share_is_enough(
    answered: int, phase: GroupPhase
) -> None:
    loop = Loop(MANY, answer_share=0.75)
    now = sent_pass(loop)
    for dev_eui in MANY[:answered]:
        loop.roster.devices[dev_eui].missing = 9
        loop.put(Stage.READY, dev_eui)
    loop.due(now)
    assert loop.group.record.phase is phase
    assert loop.roster.devices[MANY[-1]].stage is Stage.STATUS


def used_up(**changes: Any) -> tuple[Loop, float]:
    """A loop whose counters last for the first pass and its question, and who miss something."""
    few = group(max_mc_fcnt=25)
    loop = Loop(MANY, groups=(few,), **changes)
    now = sent_pass(loop)
    for dev_eui in MANY:
        loop.roster.devices[dev_eui].missing = 9
        loop.put(Stage.READY, dev_eui)
    return loop, now


def test_a_group_whose_counters_are_used_up_asks_once_for_a_key_and_waits_for_it() -> None:
    loop, now = used_up(rekey_seconds=500.0)
    for later in (0.0, 1.0, 499.0):
        loop.due(now + later)
    assert loop.group.record.phase is GroupPhase.REKEY
    assert [one for one in loop.acts if isinstance(one, NewKeyWanted)] == [NewKeyWanted("v2", 0)]
    assert loop.group.deadline(0.0, 500.0) == now + 500
    loop.steps.clear()
    loop.due(now + 500)
    assert loop.steps == [(one, Step(Stage.UNICAST)) for one in MANY]
    assert (loop.group.record.phase, loop.group.record.rounds) == (GroupPhase.POLL, 1)


def test_a_group_that_does_not_wait_for_a_key_goes_on_by_unicast_at_once() -> None:
    loop, now = used_up()
    loop.due(now)
    assert [one for one in loop.acts if isinstance(one, NewKeyWanted)] == [NewKeyWanted("v2", 0)]
    assert {loop.roster.devices[one].stage for one in MANY} == {Stage.UNICAST}


def test_a_new_key_has_everybody_who_needs_it_set_up_again_and_counts_from_0() -> None:
    loop, now = used_up(rekey_seconds=500.0)
    loop.due(now)
    loop.put(Stage.IMAGE, MANY[0])
    loop.put(Stage.GROUP, MANY[1])
    loop.roster.devices[MANY[1]].attempts = 1
    loop.steps.clear()
    fresh = dataclasses.replace(loop.group.config, mc_key=McKey(bytes(16)))
    loop.rounds.rekey(loop.group, fresh, now)
    assert (
        {one: (step.stage, step.delay_seconds) for one, step in loop.steps}
        == {
            MANY[1]: (Stage.GROUP, 20.0),  # its answer to the old set-up may still come
            **dict.fromkeys(MANY[2:], (Stage.GROUP, 0.0)),
        }
    )
    assert loop.group.record.phase is GroupPhase.GATHER
    assert (loop.group.record.next_fcnt, loop.group.frames_left) == (0, 25)
    assert loop.group.server.sender.mc_app_s_key == derive_mc_app_s_key(
        McKey(bytes(16)), fresh.mc_addr
    )
    checks = loop.group.record.keys.split(",")
    assert checks == [key_check(group().mc_key), key_check(McKey(bytes(16)))]


def test_a_group_nobody_needs_any_more_does_not_wait_for_a_key() -> None:
    loop, now = used_up(rekey_seconds=500.0)
    loop.due(now)
    loop.put(Stage.FAILED)
    loop.due(now + 1)
    assert loop.group.record.phase is GroupPhase.REST
