from lorafuota.conformance.device import session_counters

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(session_counters.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("cnt-equal", "ts004-v2/cnt-lower") == "the device accepts the set-up"
    assert said("cnt-in-ram", "ts004-v2/cnt-survives-reset") == "the device accepts the set-up"
