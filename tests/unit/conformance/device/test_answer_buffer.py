from lorafuota.conformance.device import answer_buffer

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(answer_buffer.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("stop-exclusive", "ts007-v1/buffer-range")
        == "expected 01 00 00 01 00 00 01 00; came 01 00 00 01 00 00 01"
    )
    assert (
        said("buffer-start-limited", "ts007-v1/buffer-start-past-end")
        == "expected the error piece 02 ff; came ['02 17 01 02']"
    )
    assert said("short-pieces", "ts007-v1/pieces") == "a piece is shorter than it could be"
    assert (
        said("mixed-executed", "ts007-v1/mixed-last") == "expected silence; came 84 03 2c 01 00 01"
    )
