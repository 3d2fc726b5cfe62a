"""A capture is read command by command, in the version that fits."""

from __future__ import annotations

import math

import pytest

from lorafuota.dissect.capture import Frame
from lorafuota.dissect.case import Case, Fragment, Known
from lorafuota.errors import FieldError
from lorafuota.fragmentation import v1, v2
from lorafuota.link import build_mc_downlink
from lorafuota.multicastsetup import v2 as mc2
from lorafuota.types import DOWNLINK, UPLINK, DevAddr, DevEUI, McAppSKey, McNwkSKey
from tests.unit.dissect.support import EUI, FRAG, GROUP, MC, OTHER, Log, fragment, setup1, setup2


def only(log: Log, **known: object) -> Case:
    return Case(log.frames, Known(**known))  # type: ignore[arg-type]


def test_a_downlink_is_read_in_the_version_that_leaves_nothing_over() -> None:
    log = Log().up(FRAG, "000301").down(FRAG, setup2()).down(FRAG, setup1())
    [device] = only(log).devices.values()
    assert [type(one.what) for one in device.down] == [
        v2.FragSessionSetupReq,
        v1.FragSessionSetupReq,
    ]
    assert (device.version("fragmentation"), device.version("clocksync")) == (1, None)


def test_an_uplink_is_read_in_the_version_the_device_told() -> None:
    for version, kind in ((1, v1.FragSessionStatusAns), (2, v2.FragSessionStatusAns)):
        log = Log().up(FRAG, f"00030{version}").up(FRAG, "0100074003")
        [device] = only(log).devices.values()
        assert type(device.up[-1].what) is kind


def test_versions_told_on_port_225_count() -> None:
    log = Log().up(225, "01 02 0201c8 0302c9 00")
    [device] = only(log).devices.values()
    assert {name: one.what for name, one in device.told.items()} == {
        "multicastsetup": 1,
        "fragmentation": 2,
    }


def test_two_octets_of_a_status_in_version_1s_order_are_no_version() -> None:
    """01 24000300: read as version 2, no session, and then PackageVersionAns 3, 0."""
    [device] = only(Log().up(FRAG, "000302").up(FRAG, "0124000300")).devices.values()
    assert device.version("fragmentation") == 2


def test_fragments_are_read_whatever_their_number_and_length() -> None:
    log = Log().down(FRAG, fragment(0)).down(FRAG, fragment(7, b"a", 2)).group(fragment(3))
    case = only(log)
    assert [one.what for one in case.devices[EUI].fragments] == [
        Fragment(0, 0, b"abcd"),
        Fragment(7, 2, b"a"),
    ]
    assert [one.what for one in case.groups[GROUP].fragments] == [Fragment(3, 0, b"abcd", GROUP)]


def test_a_frame_on_air_tells_group_and_counter() -> None:
    phy = build_mc_downlink(
        b"\x01\x00",
        mc_addr=GROUP,
        mc_app_s_key=McAppSKey(bytes(16)),
        mc_nwk_s_key=McNwkSKey(bytes(16)),
        fcnt=0x10007,
        fport=FRAG,
    )
    case = Case([Frame(direction=DOWNLINK, phy=phy)], Known())
    [frame] = case.groups[GROUP].frames
    assert (frame.what.fcnt, frame.what.phy, case.devices) == (7, phy, {})


def test_questions_to_a_group_are_kept_apart_from_fragments() -> None:
    case = only(Log().group("0101").group(fragment(1)))
    group = case.groups[GROUP]
    assert [one.what.participants for one in group.requests] == [True]
    assert len(group.fragments) == 1


def test_traffic_that_names_nobody_is_of_the_only_device() -> None:
    nobody = Frame(direction=UPLINK, fport=FRAG, payload=b"\x00\x03\x01")
    log = Log().down(FRAG, "00")
    log.frames.append(nobody)
    assert set(only(log).devices) == {EUI}
    log.down(FRAG, "00", dev=OTHER)
    assert set(only(log).devices) == {EUI, OTHER, None}


def test_keys_belong_to_the_device_named_or_to_the_only_one() -> None:
    one, two = Log().down(FRAG, "00"), Log().down(FRAG, "00").down(FRAG, "00", dev=OTHER)
    assert only(one).subject is not None
    assert only(two).subject is None
    found = only(two, dev_eui=OTHER).subject
    assert found is not None
    assert found.dev_eui == OTHER
    assert only(one, dev_eui=DevEUI(1)).subject is None


def test_a_time_that_is_none_is_left_out() -> None:
    frames = [
        Frame(direction=UPLINK, fport=1, payload=b"", time=time) for time in (math.nan, math.inf, 5)
    ]
    assert [one.time for one in Case(frames, Known()).frames] == [None, None, 5]


def test_other_ports_are_left_alone_and_moved_ones_are_found() -> None:
    log = Log().down(11, setup1()).up(FRAG, "ff")
    case = only(log)
    assert case.devices[EUI].down == []
    assert [one.what.rest.cid for one in case.devices[EUI].unread] == [0xFF]
    moved = only(log, fports={"fragmentation": 11})
    assert [one.what for one in moved.devices[EUI].down] == [setup1()]


def test_start_missed_alone_is_read_as_version_2() -> None:
    [device] = only(Log().up(MC, "0420")).devices.values()
    assert [type(one.what) for one in device.up] == [mc2.McClassCSessionAns]


def test_groups_of_a_device_are_those_it_was_told_of() -> None:
    log = Log().group(fragment(1)).group(fragment(1), mc_addr=DevAddr(9))
    log.down(MC, "0200" + "04030201" + "00" * 16 + "00000000" + "e8030000")
    case = only(log)
    assert [group.mc_addr for group, _ in case.groups_of(case.devices[EUI])] == [GROUP]


def test_a_version_nobody_has_defined_is_kept_and_read_as_what_fits() -> None:
    log = Log().up(203, "000402").up(FRAG, "000307").up(FRAG, "0240").up(203, "0100000000")
    [device] = only(log).devices.values()
    assert (device.version("firmwaremanagement"), device.version("fragmentation")) == (2, 7)
    assert v2.FragSessionSetupAns in [type(one.what) for one in device.up]


def test_frames_are_judged_that_are_of_a_package_or_of_a_group() -> None:
    phy = b"\x60" + bytes(11)
    log = Log().up(FRAG, "00").up(1, "00").group(fragment(1))
    assert only(log).judged == 2
    log.frames.append(Frame(direction=DOWNLINK, phy=phy))  # to a group, whatever it says
    log.frames.append(Frame(direction=DOWNLINK, fport=9, payload=b"", mc_addr=GROUP))
    log.frames.append(Frame(direction=UPLINK, phy=b"\x40" + bytes(11)))
    assert only(log).judged == 3
    assert only(log, fports={"fragmentation": 1}).judged == 2


def test_where_the_log_names_nobody_it_is_of_the_device_that_was_named() -> None:
    log = Log()
    log.frames.append(Frame(direction=UPLINK, fport=FRAG, payload=b"\x00\x03\x01"))
    case = only(log, dev_eui=OTHER)
    assert case.subject is case.devices[OTHER]
    assert list(only(log).devices) == [None]


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
def test_a_time_of_the_device_is_a_number(time: float) -> None:
    for pair in ((time, 5.0), (5.0, time)):
        with pytest.raises(FieldError, match=r"Known\.device_times = .* expected finite seconds"):
            Known(device_times=(pair,))
