from lorafuota.conformance.device import firmware_reboots

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(firmware_reboots.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("now-answered", "ts006-v1/countdown-now")
        == "expected nothing; came [DevRebootCountdownAns(countdown=0)]"
    )
    assert (
        said("countdown-minutes", "ts006-v1/countdown-60")
        == "expected one reboot at its time; came +3540.0 s"
    )
    assert said("past-accepted", "ts006-v1/time-past") == "expected 0 for 5 s ago; came 1"
