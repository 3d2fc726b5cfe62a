import pytest

from lorafuota.conformance.check import Failed, NotApplicable
from lorafuota.conformance.device.group import (
    class_c_req,
    expect_deaf,
    expect_hears,
    hears,
    hears_frame,
    in_a_frame,
    listen,
    probe,
    rekeyed,
    set_up_group,
    setup_req,
    signed,
)
from lorafuota.multicastsetup import v1
from tests.mutants.mutant import SMALL

from .support import peer


def test_a_group_that_is_set_up_is_heard_and_a_stranger_is_not() -> None:
    one = peer()
    group = set_up_group(one, 2, min_mc_fcnt=7)
    listen(one, group)
    expect_hears(one, group, "a frame")
    expect_deaf(one, rekeyed(one, group, 2), "a stranger's frame")
    with pytest.raises(Failed, match="expected counter 3 to be accepted; the device is silent"):
        expect_hears(one, group, "counter 3", fcnt=3)
    with pytest.raises(Failed, match="expected counter 50 to be dropped; the device answers it"):
        expect_deaf(one, group, "counter 50", fcnt=50)


def test_a_group_there_is_no_place_for_is_not_asked_of_a_device() -> None:
    with pytest.raises(NotApplicable, match="the device has no place for McGroupID 2"):
        set_up_group(peer(SMALL), 2)


def test_a_changed_frame_can_be_signed_again() -> None:
    one = peer()
    group = set_up_group(one)
    listen(one, group)
    frame = group.sender.seal(probe(one), fport=201)
    changed = frame[:5] + b"\x80" + frame[6:]
    assert not hears_frame(one, changed)
    assert hears_frame(one, signed(group, changed, fcnt=0))
    assert not hears_frame(one, signed(group, changed, fcnt=0))


def test_commands_go_into_a_frame_of_a_window_that_is_open() -> None:
    one = peer()
    in_a_frame(one, one.package("multicastsetup"), v1.McGroupStatusReq(req_group_mask=15))
    assert one.answers(one.package("multicastsetup")) == []


def test_requests_say_what_the_group_is() -> None:
    one = peer()
    group = one.new_group(1, min_mc_fcnt=4, max_mc_fcnt=9)
    assert (setup_req(group).min_mc_fcnt, setup_req(group).max_mc_fcnt) == (4, 9)
    request = class_c_req(one, group, start=100.0, time_out=3)
    assert (request.mc_group_id, request.session_time) == (1, int(one.now) + 100)
    assert not hears(one, group)
