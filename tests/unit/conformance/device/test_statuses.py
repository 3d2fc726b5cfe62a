from lorafuota.conformance.device import statuses

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(statuses.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("missing-8-bits", "ts004-v2/status-255").startswith("expected MissingFrag 255")
    assert said("needy-all", "ts004-v2/status-needy-complete").startswith("expected silence")
    assert (
        said("long-absent-status", "ts004-v2/status-none")
        == "expected 01 04 about FragIndex 0; came 01 06 00 00 00"
    )
