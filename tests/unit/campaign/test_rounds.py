"""The loop of a group, with members that are put where the test wants them."""

from __future__ import annotations

from typing import Any

import pytest

from lorafuota.campaign.actions import CampaignAction, Multicast, WindowAnnounced
from lorafuota.campaign.exchange import Step
from lorafuota.campaign.group import Group
from lorafuota.campaign.roster import Roster
from lorafuota.campaign.rounds import Rounds
from lorafuota.campaign.state import GroupPhase, Outcome, Stage
from lorafuota.types import DevEUI
from tests.unit.campaign.fleet import START, config, member

ONE, TWO = DevEUI(1), DevEUI(2)
MANY = tuple(map(DevEUI, range(1, 9)))


class Loop:
    """Members of one group, and what the loop does with them."""

    def __init__(self, dev_euis: tuple[DevEUI, ...] = (ONE, TWO), **changes: Any) -> None:
        settings = config([member(int(one)) for one in dev_euis], **changes)
        self.roster = Roster(settings, None)
        self.acts: list[CampaignAction] = []
        self.steps: list[tuple[DevEUI, Step]] = []
        self.rounds = Rounds(settings, self.roster, act=self.acts.append, step=self.step)
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
    assert len(frames) == loop.roster.first_pass
    assert [(one, step) for one, step in loop.steps[-2:]] == [
        (ONE, Step(Stage.STATUS)),
        (TWO, Step(Stage.STATUS)),
    ]
    assert {record.sent for record in loop.roster.devices.values()} == {len(frames)}
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
