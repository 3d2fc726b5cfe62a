from lorafuota.conformance.device import sessions

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(sessions.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("delete-nothing", "ts004-v2/delete").startswith(
        "expected FragSessionDeleteAns(frag_index=3, session_does_not_exist=True)"
    )
    assert (
        said("version-1-setup", "ts004-v2/version-1-setup")
        == "the device answers a set-up without SessionCnt and MIC"
    )
