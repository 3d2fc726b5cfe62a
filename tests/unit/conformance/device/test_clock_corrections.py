from lorafuota.conformance.device import clock_corrections

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(clock_corrections.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("correction-unsigned", "ts003-v2/correction-back")
        == "expected a clock that is -100 s off; it is +100 s off"
    )
    assert said("token-kept", "ts003-v2/token-counts").startswith(
        "expected token 1; came AppTimeReq(device_time"
    )
    assert (
        said("never-asks-again", "ts003-v2/extreme-back-again")
        == "expected another AppTimeReq; came nothing"
    )
