from lorafuota.conformance.device import class_c

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(class_c.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("window-late", "ts005-v2/class-c-time-out-8").startswith(
        "expected class C at the start of the session;"
    )
    assert (
        said("one-window", "ts005-v2/class-c-other-group")
        == "expected sessions of groups 0 and 1; came [1]"
    )
    assert (
        said("receiver-left-on", "ts005-v2/class-c-replaces-running")
        == "expected class A with the later session; came no change"
    )
