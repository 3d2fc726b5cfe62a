"""The plan as a whole, and the campaign made from it."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorafuota.campaign import FuotaCampaign
from lorafuota.campaign.config import Member, WindowClass
from lorafuota.completion import Losses, Method, parity_needed, predict
from lorafuota.errors import FieldError, StateError
from lorafuota.fec.variant import ParityVariant
from lorafuota.plan import Plan, PlanRequest, Severity, make_plan
from lorafuota.region import region_names
from lorafuota.types import DevAddr, DevEUI, GenAppKey, McKey

MEMBERS = [Member(dev_eui=DevEUI(n), root_key=GenAppKey(bytes([n] * 16))) for n in (1, 2, 3)]
GROUP: dict[str, Any] = {"mc_addr": DevAddr(0x11223344), "mc_key": McKey(bytes(range(16)))}


def planned(**fields: Any) -> Plan:
    return make_plan(PlanRequest(**{"image_octets": 10_000, "devices": 3, **fields}))


def test_a_plan_is_put_together_from_its_parts() -> None:
    plan = planned()
    losses = Losses.independent(0.1)
    needed = parity_needed(42, variant=ParityVariant.V2, losses=losses, devices=3)
    assert (plan.nb_frag, plan.padding, plan.parity) == (42, 38, needed)
    assert plan.prediction == predict(42, plan.parity, variant=ParityVariant.V2, losses=losses)
    assert plan.prediction.all_complete_at_least(3) >= 0.99
    assert plan.frames == 42 + plan.parity
    assert plan.airtime_seconds == pytest.approx(plan.frames * 0.394496)
    assert plan.windows[0].start == plan.setup_seconds + plan.lead_seconds
    assert plan.duration_seconds == plan.end == plan.windows[0].end
    assert 0 < plan.repair_rounds < 0.02
    assert set(plan.energy) == {"A", "B", "C"}
    assert plan.energy["C"].receive_seconds == plan.windows[0].end - plan.windows[0].start
    assert not plan.errors


def test_times_are_gps_seconds_if_the_start_is() -> None:
    at_zero, later = planned(), planned(start=1_400_000_000.0)
    assert later.windows[0].start == 1_400_000_000 + at_zero.windows[0].start
    assert later.duration_seconds == at_zero.duration_seconds


def test_the_same_request_gives_the_same_plan() -> None:
    assert planned() == planned()
    assert json.dumps(planned().to_json()) == json.dumps(planned().to_json())


def test_class_b_windows_start_with_a_beacon() -> None:
    plan = planned(window_class=WindowClass.B)
    assert plan.windows[0].start % 128 == 0
    asleep = plan.energy["B"]
    assert asleep.receive_seconds < asleep.sleep_seconds


def test_redundancy_stated_is_redundancy_planned() -> None:
    plan = planned(redundancy=0.5)
    assert (plan.parity, plan.redundancy) == (21, 0.5)
    assert planned(redundancy=0.0).parity == 1  # a decoder of ST notices the end only with one


def test_less_redundancy_lets_more_repair_be_expected() -> None:
    little, enough = planned(redundancy=0.1), planned()
    assert little.repair_rounds > 0.5 > 0.1 > enough.repair_rounds
    assert planned(losses=Losses.independent(0.0)).repair_rounds == 0


def test_more_loss_takes_more_attempts_and_so_more_time() -> None:
    calm, rough = planned(), planned(losses=Losses.independent(0.4), uplink_loss=0.2)
    assert calm.retry.attempts < rough.retry.attempts
    assert calm.setup_seconds < rough.setup_seconds
    assert calm.retry.interval_seconds == 960


def test_a_block_that_cannot_be_numbered_is_planned_as_far_as_that_goes() -> None:
    plan = planned(image_octets=1_000_000, dr=0)
    assert (plan.nb_frag, plan.parity, plan.parity_enough) == (20_834, 0, None)
    assert (plan.prediction.failure, plan.prediction.method) == (1.0, Method.EXACT)
    assert len(plan.windows) == 18
    assert plan.errors


def test_a_campaign_follows_the_plan() -> None:
    plan = planned()
    image = random.Random(1).randbytes(10_000)
    group = plan.group_config(**GROUP)
    config = plan.campaign_config(image, members=MEMBERS, groups=[group])
    campaign = FuotaCampaign(config)
    campaign.start(now=1_400_000_000.0)
    assert config.block.frag_size == plan.radio.frag_size
    assert (group.frame_seconds, group.spacing_seconds) == (0.394496, 3.945)
    assert config.max_windows == 1
    assert config.lead_seconds == plan.lead_seconds
    report = campaign.report()
    assert report is not None
    own = [one for one in config.groups if one.parity is ParityVariant.V2]
    assert own == [group]


@settings(max_examples=30, deadline=None)
@given(octets=st.integers(1, 200_000), redundancy=st.floats(0, 2))
def test_the_campaign_rounds_to_exactly_the_planned_parity(octets: int, redundancy: float) -> None:
    plan = planned(image_octets=octets, redundancy=redundancy)
    group = plan.group_config(**GROUP)
    config = plan.campaign_config(bytes(octets), members=MEMBERS, groups=[group])
    first_pass = math.ceil(config.redundancy * config.block.nb_frag)
    assert max(first_pass, 1) == plan.parity


def test_settings_of_the_campaign_replace_the_plans() -> None:
    plan = planned()
    group = plan.group_config(**GROUP, name="north", frag_index=2)
    config = plan.campaign_config(
        bytes(10_000), members=MEMBERS, groups=[group], lead_seconds=5.0, max_rounds=2
    )
    assert (group.name, group.frag_index) == ("north", 2)
    assert (config.lead_seconds, config.max_rounds) == (5.0, 2)


def test_no_campaign_is_made_of_another_image_or_a_plan_with_errors() -> None:
    plan = planned()
    with pytest.raises(FieldError, match="expected 10000 octets, as planned"):
        plan.campaign_config(bytes(9_999), members=MEMBERS, groups=[])
    bad = planned(region="CN470")
    for call in (
        lambda: bad.group_config(**GROUP),
        lambda: bad.campaign_config(bytes(10_000), members=MEMBERS, groups=[]),
    ):
        with pytest.raises(StateError, match="CN470 has no default channel"):
            call()


def test_json_says_the_same() -> None:
    plan = planned(redundancy=0.1)
    document = plan.to_json()
    assert json.loads(json.dumps(document)) == document
    assert document["nb_frag"] == 42
    assert document["method"] == plan.prediction.method.value
    assert document["lints"] == [one.to_json() for one in plan.lints]
    assert {one.severity for one in plan.lints} == {Severity.WARNING}


@settings(max_examples=15, deadline=None)
@given(
    octets=st.integers(1, 5_000),
    name=st.sampled_from(region_names()),
    window_class=st.sampled_from(list(WindowClass)),
    loss=st.floats(0, 0.5),
    devices=st.sampled_from([1, 50]),
    unit=st.sampled_from([1, 8, 256]),
)
def test_any_request_gives_a_plan_whose_windows_hold_it(
    octets: int,
    name: str,
    window_class: WindowClass,
    loss: float,
    devices: int,
    unit: int,
) -> None:
    plan = make_plan(
        PlanRequest(
            image_octets=octets,
            region=name,
            window_class=window_class,
            losses=Losses.independent(loss),
            devices=devices,
            flash_unit=unit,
        )
    )
    assert plan.nb_frag * plan.radio.frag_size - plan.padding == octets
    assert sum(one.frames for one in plan.windows) == plan.frames
    assert all(one.last_frame_end <= one.end for one in plan.windows)
    if plan.parity_enough is not None:
        assert plan.parity == plan.parity_enough
