"""Actions are plain values without secrets."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from lorafuota.campaign import actions
from lorafuota.campaign.actions import CampaignAction
from tests.unit.campaign.fleet import fleet

EVERY = typing.get_args(CampaignAction)


def test_the_union_has_every_action_of_the_module() -> None:
    assert {kind.__name__ for kind in EVERY} == set(actions.__all__) - {"CampaignAction"}


@pytest.mark.parametrize("kind", EVERY)
def test_an_action_cannot_be_changed(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert dataclasses.is_dataclass(kind)


def test_no_key_shows_in_the_actions_of_a_campaign() -> None:
    one = fleet((1, 2)).start().run()
    text = repr(one.log) + repr(one.config) + repr(one.campaign.report())
    keys = [unit.member.root_key for unit in one.units.values()]
    keys += [group.mc_key for group in one.config.groups]  # type: ignore[misc]
    for key in keys:
        assert repr(key.reveal()) not in text
        assert key.reveal().hex() not in text
