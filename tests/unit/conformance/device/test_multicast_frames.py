from lorafuota.conformance.device import multicast_frames

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(multicast_frames.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("fcnt-twice", "ts005-v2/fcnt-repeated")
        == "expected counter 7 again to be dropped; the device answers it"
    )
    assert (
        said("frame-ack", "ts005-v2/frame-ack")
        == "expected a frame with the ACK bit to be dropped; the device answers it"
    )
    assert said("frame-counted-first", "ts005-v2/frame-wrong-mic").startswith(
        "expected counter 11, after a frame that was d"
    )
