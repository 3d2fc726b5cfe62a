from lorafuota.conformance.device import losses

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(losses.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("matrix-of-version-1", "ts004-v2/loss-burst")
        == "expected a block of 329 octets on FragIndex 0; came none"
    )
    assert (
        said("padding-kept", "ts004-v2/padding-1")
        == "expected a block of 119 octets on FragIndex 0; came 120 octets on 0"
    )
    assert said("count-not-rank", "ts004-v1/one-too-few").startswith("ValueError: ")
