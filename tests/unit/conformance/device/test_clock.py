import pytest

from lorafuota.conformance.check import Failed
from lorafuota.conformance.device.clock import (
    asked_once,
    clock_answers,
    clock_error,
    correct,
    expect_error,
    force_octets,
    forced_requests,
    next_request,
    requests,
    set_period,
)
from lorafuota.conformance.subject import Uplink
from lorafuota.package import PackageVersionReq

from .support import peer


def test_a_clock_is_read_and_set() -> None:
    one = peer()
    assert abs(clock_error(one)) <= 1
    request = asked_once(one)
    correct(one, 500, request.token_req)
    expect_error(one, 500)
    with pytest.raises(Failed, match=r"expected a clock that is \+0 s off; it is \+500 s off"):
        expect_error(one, 0)


def test_requests_are_told_from_answers() -> None:
    one = peer()
    assert set_period(one, 15).not_supported is False
    package = one.package("clocksync")
    assert clock_answers(one, force_octets(2), PackageVersionReq()) == [package.version_ans()]
    requests(one, 300.0)
    said = [one for one in one.transcript if isinstance(one, Uplink) and one.fport == 202]
    assert [up.payload[:1] for up in said].count(b"\x01") == 2
    assert next_request(one, 300.0) is None


def test_a_device_that_does_not_ask_when_it_is_forced_to_fails() -> None:
    assert len(forced_requests(peer(), 2, 300.0)) == 2
    with pytest.raises(Failed, match="expected requests for the time; came none"):
        forced_requests(peer(), 0, 300.0)
