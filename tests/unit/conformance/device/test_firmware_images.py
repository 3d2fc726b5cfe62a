from lorafuota.conformance.device import firmware_images

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(firmware_images.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert said("image-never-told", "ts006-v1/image-valid").startswith(
        "expected DevUpgradeImageAns(up_image_status=<UpImageStatus.VALID: 3>, next_firmw"
    )
    assert said("delete-any-version", "ts006-v1/delete-other-version").startswith(
        "expected DevDeleteImageAns(errors=<DeleteError.INVALID_VERSION: 2>)"
    )
    assert said("image-not-installed", "ts006-v1/install-countdown").startswith(
        "expected the new firmware on the old hardware"
    )
