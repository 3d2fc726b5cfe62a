from lorafuota.conformance.device import clock_requests

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(clock_requests.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("forced-one-more", "ts003-v2/forced-1") == "expected 1 to 1 requests; came 2"
    assert (
        said("forced-goes-on", "ts003-v2/forced-stops")
        == "expected silence after the answer; came 6 requests"
    )
    assert (
        said("old-device-time", "ts003-v2/device-time-fresh")
        == "expected DeviceTime as the uplink leaves; it is -29 s off"
    )
    assert (
        said("clock-by-multicast", "ts003-v2/correction-by-multicast")
        == "expected a clock that is +0 s off; it is +80000 s off"
    )
