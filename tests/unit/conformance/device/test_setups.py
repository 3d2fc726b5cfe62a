from lorafuota.conformance.device import setups

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(setups.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("algo-unchecked", "ts004-v2/setup-algo-1") == "the device accepts the set-up"
    assert (
        said("repeat-unanswered", "ts004-v2/setup-repeat")
        == "expected the set-up to be accepted; came no answer"
    )
    assert (
        said("one-decoder", "ts004-v2/two-sessions-at-once")
        == "expected a block of 115 octets on FragIndex 0; came none"
    )
