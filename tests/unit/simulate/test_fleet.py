from __future__ import annotations

import pytest

from lorafuota.campaign.actions import Unicast
from lorafuota.campaign.config import WindowClass
from lorafuota.fragmentation.v2 import PACKAGE
from lorafuota.link import next_ping_slot_ms
from lorafuota.package import PackageVersionReq
from lorafuota.simulate import START
from lorafuota.simulate.fleet import Arrival, Fleet, Joined, Uplink, _in_ping_slot
from lorafuota.simulate.plan import Plan

from .support import scenario

ASK = PACKAGE.join([PackageVersionReq()])


def fleet(**fields: object) -> Fleet:
    return Fleet(Plan(scenario(**{"loss": 0.0, **fields})))


def ask(one: Fleet, device: int, now: float = START) -> None:
    one.unicast(Unicast(one.plan.dev_eui(device), PACKAGE.fport, ASK), now)


def run(one: Fleet, until: float) -> list[tuple[float, Arrival]]:
    arrived = []
    while one.next_time is not None and one.next_time <= until:
        time = one.next_time
        arrived += [(time, arrival) for arrival in one.step()]
    return arrived


def test_a_fleet_nobody_talks_to_has_nothing_to_do() -> None:
    assert fleet(devices=50).next_time is None
    assert fleet(devices=5, uplink_seconds=60.0).next_time is None


def test_a_request_comes_back_as_an_uplink_of_the_device_it_was_for() -> None:
    one = fleet(devices=3)
    ask(one, 2)
    [(time, uplink)] = run(one, START + 1)
    assert isinstance(uplink, Uplink)
    assert (time, uplink.dev_eui, uplink.fport) == (START, one.plan.dev_eui(2), PACKAGE.fport)
    assert uplink.payload == bytes.fromhex("000302")
    assert one.devices[2].unicasts == one.devices[2].uplinks == 1


def test_class_a_waits_for_the_next_uplink_and_takes_one_downlink_in_each() -> None:
    one = fleet(devices=2, uplink_seconds=600.0)
    for _ in range(3):
        ask(one, 1)
    times = [time for time, _ in run(one, START + 700)]
    assert START < times[0] <= START + 601
    assert [later - times[0] for later in times] == pytest.approx([0, 1, 6], abs=6)
    assert len(times) == 3


def test_uplinks_of_class_a_never_stand_still_whatever_rounding_does() -> None:
    """Device 2 of a period of 300 s once computed its next uplink as the one just sent."""
    for device in range(30):
        one = fleet(devices=30, uplink_seconds=300.0, uplink_loss=0.99)
        ask(one, device)
        run(one, START + 20 * 300.0)
        assert one.devices[device].uplinks <= 21


def test_a_device_that_lost_its_downlink_answers_nothing() -> None:
    one = fleet(devices=1, loss=0.5, seed=3)
    for _ in range(20):
        ask(one, 0)
    assert 0 < len(run(one, START + 1)) < 20


def test_late_devices_announce_themselves_and_vanished_ones_keep_silent() -> None:
    one = fleet(devices=4, late=0.25, vanish=0.25, seed=1)
    [late] = one.late
    joined = run(one, START + one.plan.horizon_seconds)
    assert [arrival for _, arrival in joined] == [Joined(late)]
    [gone] = [device.index for device in one.devices if device.gone]
    for at in range(4):
        ask(one, at, START + 1e5)
    answered = {
        arrival.dev_eui for _, arrival in run(one, START + 2e5) if isinstance(arrival, Uplink)
    }
    assert answered == {one.plan.dev_eui(at) for at in range(4) if at != gone}


def test_a_device_that_reboots_is_deaf_meanwhile() -> None:
    one = fleet(devices=1, reboot=1.0)
    due = one.next_time
    assert due is not None
    one.step()
    ask(one, 0, due)
    assert run(one, due + 29) == []
    run(one, due + 31)
    ask(one, 0, due + 40)
    assert len(run(one, due + 41)) == 1


def test_class_b_frames_have_to_hit_a_ping_slot() -> None:
    plan = Plan(scenario(window_class=WindowClass.B))
    group = plan.group(plan.parities[0])
    slot = next_ping_slot_ms(START * 1000, group.mc_addr, group.periodicity) / 1000
    assert _in_ping_slot(group, slot)
    assert not _in_ping_slot(group, slot + 0.03)
    in_c = Plan(scenario())
    assert not _in_ping_slot(in_c.group(in_c.parities[0]), slot)
