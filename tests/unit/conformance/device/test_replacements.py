import dataclasses

import pytest

from lorafuota.conformance.check import NotApplicable
from lorafuota.conformance.device import DEVICE_CHECKS, replacements
from lorafuota.conformance.devicepeer import DevicePeer
from tests.mutants.device import DEVICE_MUTANTS
from tests.mutants.mutant import SMALL, V1, own_device
from tests.mutants.runner import complaint

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(replacements.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    check = "ts004-v2/setup-other-content-middle"
    assert (
        said("same-size-mic", check) == "expected a block of 115 octets on FragIndex 0; came none"
    )
    check = "ts004-v1/setup-other-mask-closed-fresh"
    assert said("same-size-mask-1", check) == "expected no block; came 115 octets on 0"


def test_a_session_that_was_not_begun_anew_is_noticed_in_its_content() -> None:
    check = DEVICE_CHECKS["ts004-v1/setup-other-padding-middle"]
    assert said("same-size-decoder", check.id) == (
        "expected a block of 118 octets on FragIndex 0; came 118 octets on 0 with other content"
    )


@pytest.mark.parametrize("state", ["fresh", "middle", "complete"])
def test_a_device_of_one_descriptor_is_not_asked_for_another(state: str) -> None:
    check = DEVICE_CHECKS[f"ts004-v2/setup-other-descriptor-{state}"]
    with pytest.raises(NotApplicable, match="the device does not take another Descriptor"):
        check.script(DevicePeer(own_device(SMALL), seed=check.id))


@pytest.mark.parametrize("state", ["fresh", "middle", "complete"])
def test_a_device_that_reports_no_blocks_is_asked_for_its_status(state: str) -> None:
    subject = own_device(V1)
    subject.about = dataclasses.replace(subject.about, can=subject.about.can - {"blocks"})
    for what in ("descriptor", "padding", "mask-opened", "mask-closed"):
        check = DEVICE_CHECKS[f"ts004-v1/setup-other-{what}-{state}"]
        assert complaint(check, subject) is None


@pytest.mark.parametrize("state", ["middle", "complete"])
def test_a_device_that_reports_no_blocks_and_goes_on_with_the_old_session_fails(state: str) -> None:
    check = DEVICE_CHECKS[f"ts004-v1/setup-other-padding-{state}"]
    [mutant] = [
        one for one in DEVICE_MUTANTS if (one.name, one.subject) == ("same-size-ignored", V1)
    ]
    with mutant.patch():
        subject = own_device(V1)
        subject.about = dataclasses.replace(subject.about, can=subject.about.can - {"blocks"})
        words = complaint(check, subject)
    assert words is not None
    assert words.startswith("expected NbFragReceived 0; came FragSessionStatusAns(")
