"""What a campaign is told, checked before anything is sent."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from lorafuota.campaign import FirmwareStep, FuotaCampaign, RetryPolicy
from lorafuota.campaign.config import WindowClass
from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError
from lorafuota.fec.variant import ParityVariant
from lorafuota.types import DevAddr
from tests.unit.campaign.fleet import GROUPS, config, group, member


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"frag_version": 3}, "frag_version"),
        ({"mc_version": 0}, "mc_version"),
        ({"frag_index": 4}, "frag_index"),
        ({"mc_group_id": -1}, "mc_group_id"),
        ({"session_cnt": 0x10000}, "session_cnt"),
        ({"fports": {"fragmentation": 200}}, "fports"),
        ({"fports": {"nothing": 7}}, "name"),
    ],
)
def test_a_member_that_cannot_be_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError, match=field):
        member(1, **changes)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"frag_index": 4}, "frag_index"),
        ({"fport": 224}, "fport"),
        ({"periodicity": 8}, "periodicity"),
        ({"max_mc_fcnt": 1 << 32}, "max_mc_fcnt"),
        ({"first_fcnt": 65_535}, "first_fcnt"),
        ({"frame_seconds": 2.0}, "spacing_seconds"),
        ({"frame_seconds": 0.0}, "frame_seconds"),
        ({"frame_seconds": math.nan}, "frame_seconds"),
        ({"spacing_seconds": None}, "spacing_seconds"),
        ({"duty_cycle": 0.0}, "duty_cycle"),
        ({"duty_cycle": 1.5}, "duty_cycle"),
        ({"question_seconds": -0.1}, "question_seconds"),
        ({"frame_lead_seconds": math.inf}, "frame_lead_seconds"),
        ({"spacing_seconds": math.inf}, "spacing_seconds"),
        ({"spacing_seconds": math.nan}, "spacing_seconds"),
        ({"dl_freq_hz": 868_100_050}, "dl_freq_hz"),
        ({"dl_freq_hz": 1 << 31}, "dl_freq_hz"),
        ({"dr": 256}, "dr"),
        ({"dr": 256, "window_class": WindowClass.B}, "dr"),
    ],
)
def test_a_group_whose_messages_could_not_be_sent_is_refused(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(FieldError, match=field):
        group(**changes)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 1.0), (10_001, 1.0), (1, 0.0), (1, math.inf), (1, math.nan)]
)
def test_a_policy_without_end_or_without_patience_is_refused(attempts: int, seconds: float) -> None:
    with pytest.raises(FieldError, match="RetryPolicy"):
        RetryPolicy(attempts, seconds)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": 1 << 32}, "version"),
        ({"countdown_seconds": 0}, "countdown_seconds"),
        ({"countdown_seconds": 0xFFFFFF}, "countdown_seconds"),
        ({"boot_seconds": -1.0}, "boot_seconds"),
        ({"reboot_at": -1.0}, "reboot_at"),
        ({"reboot_at": math.inf}, "reboot_at"),
        ({"reboot_at": math.nan}, "reboot_at"),
        ({"reboot_at": float((1 << 32) - 1)}, "reboot_at"),
        ({"reboot_at": float(1 << 32)}, "reboot_at"),
        ({"base_version": -1}, "base_version"),
        ({"base_version": 1 << 32}, "base_version"),
        ({"base_version": 1}, "base_version"),
    ],
)
def test_a_firmware_step_that_cannot_be_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError, match=field):
        FirmwareStep(**{"version": 1, **changes})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"redundancy": -0.1}, "redundancy"),
        ({"redundancy": math.nan}, "redundancy"),
        ({"completion": 1.0}, "completion"),
        ({"completion": 0.0}, "completion"),
        ({"ready_share": 1.1}, "ready_share"),
        ({"max_rounds": -1}, "max_rounds"),
        ({"max_windows": 0}, "max_windows"),
        ({"answer_share": 0.0}, "answer_share"),
        ({"answer_share": 1.1}, "answer_share"),
        ({"answers_per_second": 0.0}, "answers_per_second"),
        ({"rekey_seconds": math.inf}, "rekey_seconds"),
        ({"block_ack_delay": 8}, "block_ack_delay"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"setup_seconds": -1.0}, "setup_seconds"),
        ({"lead_seconds": math.inf}, "lead_seconds"),
        ({"unicast_seconds": -1.0}, "unicast_seconds"),
        ({"clock_threshold_seconds": -1.0}, "clock_threshold_seconds"),
        ({"airtime_budget_seconds": -1.0}, "airtime_budget_seconds"),
        ({"block": DataBlock.of(bytes(500), frag_size=240)}, "frag_size"),
        ({"members": (member(1), member(1))}, "members"),
        ({"groups": (group(), group(ParityVariant.V1, name="v2"))}, "groups"),
        ({"groups": (group(), group(name="other", mc_addr=DevAddr(9)))}, "groups"),
        ({"groups": (group(), group(ParityVariant.V1, mc_addr=DevAddr(0x1001)))}, "groups"),
    ],
)
def test_a_campaign_whose_parts_do_not_go_together_is_refused(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(FieldError, match=field):
        config(changes.pop("members", (member(1),)), **changes)


def test_a_window_that_cannot_hold_the_first_pass_is_refused_with_the_numbers() -> None:
    slow = group(spacing_seconds=20.0, frame_seconds=2.0)
    block = DataBlock.of(bytes(48 * 2000), frag_size=48)
    with pytest.raises(FieldError) as caught:
        FuotaCampaign(config((member(1),), block=block, groups=(slow,)))
    assert str(caught.value) == (
        "CampaignConfig.max_windows = 1: expected 2 or more: 2400 frames, 1639 fit one window"
    )
    FuotaCampaign(config((member(1),), block=block, groups=(slow,), max_windows=2))


def test_more_redundancy_than_fragment_numbers_is_refused_with_the_numbers() -> None:
    block = DataBlock.of(bytes(16_000), frag_size=1)
    with pytest.raises(FieldError, match="at most 383 coded beside 16000"):
        FuotaCampaign(config((), block=block, groups=(), redundancy=0.1))


def test_counters_that_do_not_last_for_the_first_pass_are_refused_with_the_numbers() -> None:
    few = group(first_fcnt=100, max_mc_fcnt=123)
    with pytest.raises(FieldError, match="max_mc_fcnt = 123: expected 124 or more, for 24 frames"):
        FuotaCampaign(config((), groups=(few,)))
    FuotaCampaign(config((), groups=(group(first_fcnt=100, max_mc_fcnt=124),)))


def test_counters_end_where_known_stacks_can_follow_unless_more_is_asked_for() -> None:
    """TS005 reference, section 10, row 15: deaf from 65536 on, after a set-up or session start."""
    assert group().max_mc_fcnt == 0xFFFF
    assert config((), groups=GROUPS).groups == GROUPS


@pytest.mark.parametrize(
    ("devices", "delay"),
    [(0, 0), (1, 0), (32, 0), (33, 1), (100, 2), (1000, 5), (1024, 5), (1025, 6), (9000, 7)],
)
def test_answers_are_spread_so_that_no_more_come_in_a_second_than_allowed(
    devices: int, delay: int
) -> None:
    of = config(member(at + 1) for at in range(devices))
    assert of.ack_delay() == delay
    assert of.spread_seconds == 16 * 2**delay
    assert of.ack_delay(multicast=False) == 0
    assert delay == 7 or devices <= of.answers_per_second * of.spread_seconds


def test_a_spread_that_is_configured_holds_for_everybody() -> None:
    of = config([member(1)], block_ack_delay=3)
    assert (of.ack_delay(), of.ack_delay(multicast=False), of.spread_seconds) == (3, 3, 128.0)


@pytest.mark.parametrize(
    ("changes", "pace"),
    [
        ({"spacing_seconds": 3.0}, 3.0),
        ({"spacing_seconds": None, "duty_cycle": 0.1}, 4.0),
        ({"spacing_seconds": 3.0, "duty_cycle": 0.1}, 4.0),
        ({"spacing_seconds": 5.0, "duty_cycle": 0.1}, 5.0),
        ({"spacing_seconds": None, "duty_cycle": 1.0}, 0.4),
    ],
)
def test_the_pace_keeps_the_spacing_and_the_duty_cycle(
    changes: dict[str, Any], pace: float
) -> None:
    assert group(frame_seconds=0.4, **changes).pace_seconds == pytest.approx(pace)


@pytest.mark.parametrize(
    ("window_class", "given", "ahead"),
    [
        (WindowClass.C, None, 0.0),
        (WindowClass.B, None, 5.0),
        (WindowClass.B, 0.0, 0.0),
        (WindowClass.C, 1.5, 1.5),
    ],
)
def test_class_b_frames_are_handed_out_ahead_unless_told_otherwise(
    window_class: WindowClass, given: float | None, ahead: float
) -> None:
    assert group(window_class=window_class, frame_lead_seconds=given).ahead_seconds == ahead


def test_one_key_is_not_for_two_groups() -> None:
    one, other = group(ParityVariant.V1), group(ParityVariant.V2)
    same = dataclasses.replace(other, mc_key=one.mc_key)
    with pytest.raises(FieldError, match="a mc_key stands twice") as caught:
        config([], groups=(one, same))
    assert one.mc_key.reveal().hex() not in str(caught.value)
