from lorafuota.conformance.device import sets

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(sets.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("token-zero", "ts007-v1/token-2") == "expected token 2 at the end; came 00 00 01 00"
    assert said("no-package-id", "ts007-v1/every-package").startswith(
        "expected 00 00 01 81 00 01 02 82 00 02 02 83 00 03 02 84 00 04 01"
    )
