"""Versions, ports and clocks: what a device is asked first, and what follows from its answers."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lorafuota.campaign import FirmwareStep, RetryPolicy
from lorafuota.campaign.config import CampaignConfig, ClockCheck, Member
from lorafuota.campaign.negotiation import (
    after_clock,
    app_time,
    ask_clock,
    ask_versions,
    clock_silence,
    dev_packages,
    device_fports,
    negotiated,
    package_version,
    read_ports,
    running,
    version_silence,
)
from lorafuota.campaign.state import DeviceRecord, Outcome, Stage
from lorafuota.campaign.step import Step
from lorafuota.clocksync.v1 import AppTimeReq, ForceDeviceResyncReq
from lorafuota.clocksync.v2 import ForceDeviceResyncCmd
from lorafuota.firmwaremanagement.v1 import DevVersionAns
from lorafuota.fragmentation.v1 import FragSessionDeleteReq, FragSessionSetupReq
from lorafuota.multicastsetup import v2 as mc_v2
from lorafuota.multicastsetup.v1 import McGroupSetupReq
from lorafuota.multipackage.v1 import DevPackageAns, DevPackageReq, PackageInfo
from lorafuota.package import PackageVersionAns, PackageVersionReq
from lorafuota.session.stacks import device_profile
from lorafuota.simulate.scenario import Scenario
from lorafuota.simulate.simulation import Simulation
from tests.unit.campaign.fleet import NEW, OLD, START, Channel, Fleet, Unit, config, member

FIRMWARE = FirmwareStep(version=NEW, countdown_seconds=60, boot_seconds=30.0)
DOCUMENTS = {"fragmentation": 3, "multicastsetup": 2, "clocksync": 1, "firmwaremanagement": 4}


def wish(**changes: Any) -> CampaignConfig:
    return config((), **{"clock_check": ClockCheck.IF_ABLE, **changes})


def packages(*rows: tuple[int, int, int]) -> DevPackageAns:
    listed = tuple(
        PackageInfo(package_identifier=one, package_version=version, port=port)
        for one, version, port in ((0, 1, 225), *rows)
    )
    return DevPackageAns(nb_total_packages=len(listed), packages=listed)


ALL = packages((1, 2, 202), (2, 2, 200), (3, 2, 201), (4, 1, 203))


# What is asked


@pytest.mark.parametrize("check", ClockCheck)
@pytest.mark.parametrize("firmware", [None, FIRMWARE])
@pytest.mark.parametrize("multicast", [False, True])
def test_only_packages_that_the_campaign_uses_are_asked_for(
    multicast: bool, firmware: FirmwareStep | None, check: ClockCheck
) -> None:
    one = member(1, multicast=multicast)
    found = ask_versions(wish(clock_check=check, firmware=firmware), one, DeviceRecord())
    expected = {"fragmentation"}
    expected |= {"multicastsetup"} if multicast else set()
    expected |= {"firmwaremanagement"} if firmware else set()
    expected |= {"clocksync"} if multicast and check is not ClockCheck.OFF else set()
    assert {name for name, _ in found} == expected
    assert {command for _, command in found} == {PackageVersionReq()}


@pytest.mark.parametrize(("speaks", "times"), [(False, 0), (None, 1), (True, 3)])
def test_all_packages_are_asked_for_at_once_as_often_as_it_makes_sense(
    speaks: bool | None, times: int
) -> None:
    one = member(1, multi_package=speaks)
    for attempt in range(5):
        found = ask_versions(wish(), one, DeviceRecord(attempts=attempt))
        at_once = found == [("multipackage", DevPackageReq())]
        assert at_once is (attempt < times)
        assert at_once or len(found) == 3


# What is told at once


def test_one_answer_tells_all_versions_and_ports() -> None:
    about = DeviceRecord()
    step = dev_packages(wish(firmware=FIRMWARE), member(1), about, ALL)
    assert step == Step(Stage.CLOCK)
    versions = about.frag_version, about.mc_version, about.clock_version, about.fm_version
    assert versions == (2, 2, 2, 1)
    ports = {"clocksync": 202, "multicastsetup": 200, "fragmentation": 201}
    assert read_ports(about.ports) == {**ports, "firmwaremanagement": 203}


@pytest.mark.parametrize("missing", DOCUMENTS)
def test_a_package_that_is_not_listed_ends_it_at_once_where_it_is_needed(missing: str) -> None:
    rows = [
        (identifier, 1, 200 + identifier)
        for name, identifier in DOCUMENTS.items()
        if name != missing
    ]
    for check in (ClockCheck.IF_ABLE, ClockCheck.REQUIRED):
        about = DeviceRecord()
        step = dev_packages(
            wish(firmware=FIRMWARE, clock_check=check), member(1), about, packages(*rows)
        )
        document = {
            "fragmentation": "TS004",
            "multicastsetup": "TS005",
            "clocksync": "TS003",
            "firmwaremanagement": "TS006",
        }[missing]
        if missing == "clocksync" and check is ClockCheck.IF_ABLE:
            assert step == Step(Stage.GROUP)
        else:
            assert step == Step(Stage.FAILED, Outcome.NOT_SUPPORTED, f"no {document}")


def test_a_package_that_is_not_there_does_not_stand_in_the_way_of_one_that_is() -> None:
    """The port the document recommends for one may be taken by another."""
    assert device_fports("clocksync:203 fragmentation:200", {}) == {
        "clocksync": 203,
        "fragmentation": 200,
        "multicastsetup": 224,
        "firmwaremanagement": 223,
    }
    assert device_fports("clocksync:203", {"clocksync": 17}) == {"clocksync": 17}
    assert device_fports("clocksync:225", {}) == {}


@pytest.mark.parametrize("port", [0, 202, 226, 255])
def test_ports_that_cannot_be_are_not_believed(port: int) -> None:
    """The answer is from the air: the packages are asked for one by one then."""
    about = DeviceRecord()
    wrong = packages((1, 1, 202), (2, 1, 200), (3, 1, port))
    assert dev_packages(wish(), member(1), about, wrong) is None
    assert about == DeviceRecord()


def test_fragments_need_a_port_of_their_own() -> None:
    answer = packages((1, 1, 202), (2, 1, 200), (3, 1, 225))
    step = dev_packages(wish(), member(1), DeviceRecord(), answer)
    assert step == Step(Stage.FAILED, Outcome.NOT_SUPPORTED, "no port for fragments")


def test_of_two_versions_of_a_package_the_known_one_counts() -> None:
    about = DeviceRecord()
    answer = packages((3, 2, 201), (3, 7, 99), (2, 9, 98), (2, 1, 200), (77, 1, 97))
    assert dev_packages(wish(), member(1), about, answer) == Step(Stage.GROUP)
    assert (about.frag_version, about.mc_version) == (2, 1)
    assert read_ports(about.ports) == {"fragmentation": 201, "multicastsetup": 200}


def test_what_the_operator_said_is_not_replaced_and_late_answers_change_nothing() -> None:
    about = DeviceRecord(frag_version=1)
    dev_packages(wish(), member(1), about, ALL)
    assert (about.frag_version, about.mc_version) == (1, 2)
    later = DeviceRecord(stage=Stage.READY)
    assert dev_packages(wish(), member(1), later, ALL) is None
    assert later == DeviceRecord(stage=Stage.READY)


# What is told package by package


def version(name: str, number: int) -> PackageVersionAns:
    return PackageVersionAns(package_identifier=DOCUMENTS[name], package_version=number)


def test_with_a_firmware_step_its_package_is_waited_for_and_the_clock_is_not() -> None:
    about, wanted = DeviceRecord(), wish(firmware=FIRMWARE)
    assert package_version(wanted, member(1), about, version("fragmentation", 1)) is None
    assert package_version(wanted, member(1), about, version("multicastsetup", 2)) is None
    step = package_version(wanted, member(1), about, version("firmwaremanagement", 1))
    assert step == Step(Stage.CLOCK)
    about.stage = Stage.GROUP
    assert package_version(wanted, member(1), about, version("clocksync", 1)) is None
    assert about.clock_version == 1  # good to know, whenever it comes
    assert package_version(wanted, member(1), about, version("clocksync", 2)) is None
    assert about.clock_version == 1


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_version_nobody_knows_is_none(name: str) -> None:
    about, required = DeviceRecord(), wish(firmware=FIRMWARE, clock_check=ClockCheck.REQUIRED)
    step = package_version(required, member(1), about, version(name, 9))
    detail = f"package {DOCUMENTS[name]} version 9"
    assert step == Step(Stage.FAILED, Outcome.NOT_SUPPORTED, detail)


@pytest.mark.parametrize(
    ("told", "step"),
    [
        ({}, Step(Stage.FAILED, Outcome.NO_ANSWER, "in stage negotiate")),
        (
            {"frag_version": 1, "mc_version": 1},
            Step(Stage.FAILED, Outcome.NOT_SUPPORTED, "no answer from TS006"),
        ),
        (
            {"fm_version": 1},
            Step(Stage.FAILED, Outcome.NOT_SUPPORTED, "no answer from TS004, TS005"),
        ),
    ],
)
def test_silence_of_one_port_is_told_from_silence_of_the_device(
    told: dict[str, int], step: Step
) -> None:
    assert version_silence(wish(firmware=FIRMWARE), member(1), DeviceRecord(**told)) == step  # type: ignore[arg-type]


# The clock


def test_the_request_has_the_name_of_its_version_and_the_same_octets() -> None:
    old, new = ask_clock(DeviceRecord(clock_version=1)), ask_clock(DeviceRecord(clock_version=2))
    assert (type(old), type(new)) == (ForceDeviceResyncReq, ForceDeviceResyncCmd)
    assert old.encode() == new.encode() == ask_clock(DeviceRecord()).encode()


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("error", [-400, -2, -1, 0, 1, 2, 400])
def test_a_clock_is_right_within_the_threshold(error: int, joined: bool) -> None:
    about = DeviceRecord(stage=Stage.CLOCK, joined=joined)
    req = AppTimeReq(device_time=int(START) - error, token_req=0, ans_required=False)
    step = app_time(wish(), about, req, START)
    after = Step(Stage.READY if joined else Stage.GROUP)
    assert step == (after if abs(error) <= 1 else None)
    assert about.clock_error == error
    assert after_clock(about) == after
    other = DeviceRecord(stage=Stage.GROUP)
    assert app_time(wish(), other, req, START) is None
    assert other == DeviceRecord(stage=Stage.GROUP)


def test_a_clock_that_cannot_be_checked_or_set_ends_it_only_if_that_is_required() -> None:
    required = wish(clock_check=ClockCheck.REQUIRED)
    silent, wrong = DeviceRecord(stage=Stage.CLOCK), DeviceRecord(clock_error=-70)
    assert clock_silence(wish(), silent).stage is Stage.GROUP
    no_answer = Step(Stage.FAILED, Outcome.NO_ANSWER, "in stage clock")
    assert clock_silence(required, silent) == no_answer
    assert clock_silence(required, wrong) == Step(Stage.FAILED, Outcome.CLOCK_WRONG, "-70 s")
    wrong.joined = True
    assert clock_silence(required, wrong) == Step(Stage.CLEANUP, Outcome.CLOCK_WRONG, "-70 s")


@pytest.mark.parametrize("check", ClockCheck)
@pytest.mark.parametrize("clock", [None, 0, 1, 2])
@pytest.mark.parametrize("multicast", [False, True])
def test_only_who_listens_to_a_window_has_its_clock_checked(
    multicast: bool, clock: int | None, check: ClockCheck
) -> None:
    about = DeviceRecord(frag_version=2, mc_version=2, clock_version=clock)
    step = negotiated(wish(clock_check=check), member(1, multicast=multicast), about)
    if not multicast or check is ClockCheck.OFF:
        assert step == Step(Stage.GROUP)
    elif check is ClockCheck.REQUIRED and not clock:
        assert step == Step(Stage.FAILED, Outcome.NOT_SUPPORTED, "no TS003")
    else:
        assert step.stage is (Stage.GROUP if clock == 0 else Stage.CLOCK)


# Whole campaigns


@pytest.mark.parametrize("error", [-5_000.0, 0.0, 90.0])
def test_a_clock_is_put_right_before_the_group_is_set_up(error: float) -> None:
    unit = Unit.of(member(1), 2, clock_error=error)
    done = Fleet(config([unit.member], clock_check=ClockCheck.REQUIRED), [unit]).start().run()
    assert done.outcomes == {1: Outcome.VERIFIED}
    forced = [fport for fport, payload in unit.heard if fport == 202 and payload[0] == 3]
    assert len(forced) == (1 if error == 0.0 else 2)  # corrected, and checked again
    first_group = next(
        at
        for at, (fport, payload) in enumerate(unit.heard)
        if (fport, payload[0]) == (200, McGroupSetupReq.CID)
    )
    assert [fport for fport, _ in unit.heard[first_group:]].count(202) == 0


def test_nothing_but_answers_leaves_while_a_campaign_is_paused() -> None:
    """A clock that turns out to be wrong is set after the pause."""
    unit = Unit.of(member(1), 2, clock_error=-300.0)
    done = Fleet(config([unit.member]), [unit]).start()
    done.run(until=lambda fleet: fleet.campaign.record(member(1).dev_eui).stage is Stage.SESSION)
    done.pause()
    before = len(unit.heard)
    late = mc_v2.McClassCSessionAns(
        mc_group_id=0, errors=mc_v2.SessionError(0), time_to_start=0xFFFFFF
    )
    done.uplink(unit, 200, late.encode())
    done.run_for(2_000.0)
    assert len(unit.heard) == before
    assert done.campaign.record(member(1).dev_eui).stage is Stage.CLOCK
    done.resume()
    assert done.run().outcomes == {1: Outcome.VERIFIED}


def test_each_stage_has_the_patience_it_is_given() -> None:
    unit = Unit.of(member(1), 2, rewrite=lambda fport, payload: ())
    retries = {Stage.NEGOTIATE: RetryPolicy(7, 10.0)}
    done = Fleet(config([unit.member], retries=retries), [unit]).start().run()
    assert done.outcomes == {1: Outcome.NO_ANSWER}
    assert len(done.sent(1, PackageVersionReq)) == 2 * 7
    assert done.now - START == 70.0


@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize("stack", ["documents v2", "LoRa Basics Modem 4.8", "Renesas"])
def test_stacks_with_ts007_tell_all_their_packages_at_once(stack: str, loss: float) -> None:
    assert device_profile(stack).sets is not None
    scenario = Scenario(
        image=bytes(range(200)) * 2,
        devices=3,
        loss=loss,
        uplink_loss=loss,
        clock_error=100.0,
        firmware_version=0x200,
        profiles={stack: 1.0} if stack != "documents v2" else {},
        seed=5,
    )
    report = Simulation(scenario).run()
    assert report.outcomes == {Outcome.CONFIRMED.value: 3}


def test_a_member_can_say_which_versions_of_every_package_it_has() -> None:
    full = Member(
        dev_eui=member(1).dev_eui,
        root_key=member(1).root_key,
        frag_version=2,
        mc_version=1,
        clock_version=1,
        fm_version=1,
    )
    about = DeviceRecord(frag_version=2, mc_version=1, clock_version=1, fm_version=1)
    assert (
        ask_versions(
            wish(firmware=FIRMWARE),
            full,
            DeviceRecord(frag_version=2, mc_version=1, clock_version=1, fm_version=1, attempts=1),
        )
        == []
    )
    assert negotiated(wish(firmware=FIRMWARE), full, about) == Step(Stage.CLOCK)


@pytest.mark.parametrize("seed", range(6))
def test_answers_to_command_sets_survive_losses_repeats_and_delays(seed: int) -> None:
    shares = {"down_loss": 0.25, "up_loss": 0.25, "repeat": 0.2, "delay": 0.2}
    members = [member(at, multi_package=at > 1) for at in (1, 2, 3)]
    units = [Unit.of(one, 2) for one in members]
    done = Fleet(config(members), units, channel=Channel(random.Random(seed), **shares))
    done.start().run()
    done.check_honest()
    assert len(done.campaign._sets) == 0
    sets = {unit.member.dev_eui for unit in units if any(port == 225 for port, _ in unit.heard)}
    assert sets == {one.dev_eui for one in members[1:]}


# The base of a delta


DELTA = FirmwareStep(version=NEW, base_version=OLD, countdown_seconds=60, boot_seconds=30.0)


def known(stage: Stage) -> DeviceRecord:
    return DeviceRecord(stage=stage, frag_version=2, mc_version=2, fm_version=1)


def test_a_delta_has_every_device_asked_for_what_runs_and_an_image_none() -> None:
    about = known(Stage.NEGOTIATE)
    assert negotiated(wish(firmware=DELTA), member(1), about) == Step(Stage.BASE)
    assert negotiated(wish(firmware=FIRMWARE), member(1), about) == Step(Stage.CLOCK)


@pytest.mark.parametrize(
    ("runs", "step"),
    [
        (OLD, Step(Stage.CLOCK)),
        (0x0101, Step(Stage.FAILED, Outcome.WRONG_BASE, "runs version 0x00000101")),
        (NEW, Step(Stage.FAILED, Outcome.WRONG_BASE, "runs version 0x00000200, the new one")),
    ],
)
def test_only_a_device_that_runs_the_base_goes_on(runs: int, step: Step) -> None:
    about = known(Stage.BASE)
    told = DevVersionAns(fw_version=runs, hw_version=7)
    assert running(wish(firmware=DELTA), member(1), about, told) == step


def test_devices_on_another_base_end_before_anything_is_set_up_or_sent() -> None:
    """One of each: on the base, on an older version, updated already, and silent about it."""
    members = [member(at) for at in (1, 2, 3, 4)]
    units = [
        Unit.of(one, fw_version=version)
        for one, version in zip(members, (OLD, 0x0001, NEW, OLD), strict=True)
    ]
    units[3].rewrite = lambda fport, payload: (
        [] if (fport, payload[0]) == (203, DevVersionAns.CID) else [(fport, payload)]
    )
    done = Fleet(config(members, firmware=DELTA), units).start().run()
    done.check_honest()
    assert done.outcomes == {
        1: Outcome.CONFIRMED,
        2: Outcome.WRONG_BASE,
        3: Outcome.WRONG_BASE,
        4: Outcome.NO_ANSWER,
    }
    details = [done.campaign.record(one.dev_eui).detail for one in members]
    assert details[1:] == [
        "runs version 0x00000001",
        "runs version 0x00000200, the new one",
        "in stage base",
    ]
    for unit in units[1:]:
        assert {fport for fport, _ in unit.heard} <= {200, 201, 203, 225}
        asked = {(fport, payload[0]) for fport, payload in unit.heard}
        assert (203, DevVersionAns.CID) in asked
        assert (200, McGroupSetupReq.CID) not in asked
        assert asked & {(201, FragSessionSetupReq.CID), (201, FragSessionDeleteReq.CID)} == set()


def test_a_campaign_of_nobody_on_the_base_sends_no_fragment() -> None:
    members = [member(at) for at in (1, 2)]
    units = [Unit.of(one, fw_version=1) for one in members]
    done = Fleet(config(members, firmware=DELTA), units).start().run()
    report = done.campaign.report()
    assert report.outcomes == {Outcome.WRONG_BASE: 2}
    assert (report.airtime_seconds, report.fragments_sent) == (0.0, {"v1": 0, "v2": 0})


def test_the_window_waits_for_a_device_that_is_asked_for_its_base() -> None:
    """Its answer comes later than a window would open; it hears the first pass all the same."""
    members = [member(1), member(2)]
    slow = Unit.of(members[1])
    silent = iter(range(3))
    slow.rewrite = lambda fport, payload: (
        []
        if (fport, payload[0]) == (203, DevVersionAns.CID) and next(silent, None) is not None
        else [(fport, payload)]
    )
    patient = {Stage.BASE: RetryPolicy(5, 400.0)}
    wanted = config(members, firmware=DELTA, retries=patient, setup_seconds=5_000.0)
    done = Fleet(wanted, [Unit.of(members[0]), slow]).start().run()
    assert done.outcomes == {1: Outcome.CONFIRMED, 2: Outcome.CONFIRMED}
    assert done.campaign.report().rounds["v2"] == 0
