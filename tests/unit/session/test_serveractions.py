"""What the sessions of a server say: values that compare, and a payload where there is one."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from lorafuota.clocksync.v1 import AppTimeAns
from lorafuota.errors import FieldError
from lorafuota.multipackage.commandset import CommandSet, PackagedCommand
from lorafuota.package import PackageVersionReq
from lorafuota.session import serveractions
from lorafuota.session.serveractions import Downlink, ServerAction
from lorafuota.types import DevEUI


def test_a_downlink_gives_its_octets() -> None:
    answer = Downlink(202, AppTimeAns(time_correction=-34, token_ans=8), DevEUI(1))
    assert answer.payload == bytes.fromhex("01deffffff08")
    commands = CommandSet((PackagedCommand(4, PackageVersionReq()),), 2)
    assert Downlink(225, commands).payload == bytes.fromhex("840002")


def test_every_action_is_in_the_union_frozen_and_compares_by_value() -> None:
    named = {getattr(serveractions, name) for name in serveractions.__all__}
    mine = {one for one in named if dataclasses.is_dataclass(one)}
    union = set(typing.get_args(ServerAction))
    assert {one.__name__ for one in union - mine} == {"Rejected", "Dropped"}
    assert mine <= union
    for one in union:
        assert typing.cast(typing.Any, one).__dataclass_params__.frozen
        assert typing.cast(typing.Any, one).__dataclass_params__.eq


def test_an_empty_set_cannot_become_a_payload() -> None:
    with pytest.raises(FieldError):
        _ = Downlink(225, CommandSet((), 0)).payload
