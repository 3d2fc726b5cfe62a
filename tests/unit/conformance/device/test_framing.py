from lorafuota.conformance.device import framing

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(framing.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("answers-cut", "ts005-v2/many").startswith(
        "expected PackageVersionAns(package_identifier=2, package_version=2)"
    )
    assert (
        said("short-filled-up", "ts005-v2/cut-mc-group-setup-req")
        == "expected silence about 02; it answers 02 00"
    )
    assert said("empty-crashes", "ts004-v2/empty") == "IndexError: index out of range"
    assert said("other-version", "ts004-v2/version").startswith(
        "expected PackageVersionAns(package_identifier=3, package_version=2)"
    )
    assert (
        said("goes-on-behind-unknown", "ts005-v2/unknown-before")
        == "expected silence; it answers 00 02 02 00 02 02"
    )
