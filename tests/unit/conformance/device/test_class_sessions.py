from lorafuota.conformance.device import class_sessions

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(class_sessions.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("time-to-start-zero", "ts005-v2/class-c-answer").startswith(
        "expected TimeToStart 600"
    )
    assert said("start-never-missed", "ts005-v2/class-c-missed").startswith(
        "expected <SessionError.START_MISSED: 8>"
    )
    assert (
        said("window-after-delete", "ts005-v2/class-c-delete-running")
        == "expected class A after the delete; the session goes on"
    )
