import pytest

from lorafuota.conformance.check import Failed
from lorafuota.conformance.device.group import set_up_group
from lorafuota.conformance.device.window import (
    accept,
    class_b_req,
    class_changes,
    expect_no_window,
    expect_window,
    refuse_session,
    session_answer,
    session_req,
)
from lorafuota.multicastsetup import v2

from .support import peer


def test_a_session_is_accepted_and_seen_from_its_start_to_its_end() -> None:
    one = peer()
    set_up_group(one, 0)
    request = session_req(one, "c")
    assert accept(one, request).time_to_start == 600
    expect_window(one, "C", request.session_time, request.session_time + 256.0)
    request = class_b_req(one, 0)
    accept(one, request)
    assert [change.device_class for change in class_changes(one, one.now + 900.0)] == ["B", "A"]


def test_a_session_that_is_not_as_it_should_be_fails() -> None:
    one = peer()
    with pytest.raises(
        Failed, match="expected the session to be accepted; came McClassCSessionAns"
    ):
        accept(one, session_req(one, "c"))
    refuse_session(one, session_req(one, "b"), v2.SessionError.MC_GROUP_UNDEFINED, only=True)
    with pytest.raises(Failed, match="FREQ_ERROR"):
        refuse_session(one, session_req(one, "b"), v2.SessionError.FREQ_ERROR, only=False)
    with pytest.raises(
        Failed, match="expected class C at the start of the session; came no change"
    ):
        expect_window(one, "C", one.now + 10, one.now + 20)
    set_up_group(one, 0)
    request = session_req(one, "c")
    accept(one, request)
    with pytest.raises(Failed, match="expected no session; came C at"):
        expect_no_window(one, 1_000.0)


def test_a_change_of_class_while_the_answer_is_looked_at_is_not_lost() -> None:
    one = peer()
    set_up_group(one, 0)
    request = session_req(one, "c")
    accept(one, request)
    one.pause(request.session_time - one.now - 10)
    assert session_answer(one, b"\x04") == (None, one.now)
    assert [change.device_class for change in class_changes(one, one.now + 1)] == ["C"]
