from lorafuota.conformance.device import fragments

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(fragments.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("n-zero", "ts004-v2/n-zero").startswith("expected NbFragReceived 0")
    assert (
        said("any-length", "ts004-v2/fragment-short")
        == "expected a block of 115 octets on FragIndex 0; came none"
    )
    assert (
        said("mask-ignored", "ts004-v2/group-not-in-mask")
        == "expected no block; came 115 octets on 0"
    )
    assert said("delivered-again", "ts004-v2/complete-once").startswith(
        "expected a block of 115 octets on FragIndex 0"
    )
