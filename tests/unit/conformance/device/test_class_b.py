from lorafuota.conformance.device import class_b

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(class_b.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("class-b-seconds", "ts005-v2/class-b-time-out-1")
        == "expected class A after 256 s; came B at -256.0 s, A at +2.0 s"
    )
    assert said("class-b-as-c", "ts005-v1/class-b-not-c") == "the device goes to class C"
