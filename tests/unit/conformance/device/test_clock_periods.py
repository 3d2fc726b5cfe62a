from lorafuota.conformance.device import clock_periods

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(clock_periods.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("period-exact", "ts003-v2/period-varies") == "32 delays have only 1 different lengths"
    )
    assert (
        said("period-half", "ts003-v2/period-kept")
        == "expected distances of 128 s, give or take 30; came 53, 78, 39, 56, 79, 40"
    )
    assert (
        said("period-unanswered", "ts003-v2/period-answer")
        == "expected one DeviceAppTimePeriodicityAns; came nothing"
    )
