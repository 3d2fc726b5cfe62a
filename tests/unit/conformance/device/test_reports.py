from lorafuota.conformance.device import reports

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(reports.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("report-unasked", "ts004-v2/report-not-asked").startswith(
        "expected silence; came FragDataBlockReceivedR"
    )
    assert said("report-for-ever", "ts004-v2/report-stops").startswith(
        "expected silence after the answer; came FragD"
    )
    assert said("report-good", "ts004-v2/report-mic-error").startswith(
        "expected FragDataBlockReceivedReq(frag_index=0, mic_error=True)"
    )
