from lorafuota.conformance.device import status_delays

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(status_delays.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("no-delay", "ts004-v2/status-delay-0") == "24 delays have only 1 different lengths"
    assert (
        said("half-window", "ts004-v2/status-delay-2")
        == "24 delays are spread over 25.15 s of 64 s"
    )
    assert said("skewed-delay", "ts004-v2/status-delay-uniform").startswith(
        "192 delays are not spread evenly over 0 to 32 "
    )
    assert said("whole-seconds", "ts004-v2/status-delay-fraction") == "all delays are whole seconds"
    assert said("same-delays-after-reset", "ts004-v1/status-delay-after-reset") == (
        "24 delays have only 1 different lengths"
    )
