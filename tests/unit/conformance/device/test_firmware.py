import pytest

from lorafuota.conformance.check import Failed
from lorafuota.conformance.device.firmware import (
    ask_firmware,
    expect_answer,
    expect_no_reboot,
    expect_reboot,
    program,
    reboot_after,
    reboot_at,
    reboots_until,
    running_versions,
)
from lorafuota.firmwaremanagement import v1

from .support import peer


def test_a_reboot_is_programmed_and_seen() -> None:
    one = peer()
    expect_reboot(one, program(one, 300))
    assert reboot_at(one, one.now - 5) == 0
    assert reboot_after(one, 50) == 50
    assert len(reboots_until(one, one.now + 100)) == 1
    expect_no_reboot(one, 1_000)
    with pytest.raises(Failed, match="expected one reboot at its time; came none"):
        expect_reboot(one, one.now + 10)
    program(one, 60)
    with pytest.raises(Failed, match="expected no reboot; the device reboots"):
        expect_no_reboot(one, 100)


def test_a_reboot_while_answers_are_looked_at_is_not_lost() -> None:
    one = peer()
    due = program(one, 15)
    assert running_versions(one).hw_version == 1
    expect_reboot(one, due)


def test_answers_are_compared_whole() -> None:
    one = peer()
    assert ask_firmware(one, v1.DevRebootCountdownReq(countdown=0)) == []
    wanted = v1.DevDeleteImageAns(errors=v1.DeleteError.NO_VALID_IMAGE)
    expect_answer(one, v1.DevDeleteImageReq(firmware_to_delete_version=1), wanted)
    with pytest.raises(Failed, match="expected nothing; came"):
        expect_answer(one, v1.DevDeleteImageReq(firmware_to_delete_version=1), None)
