from contextlib import AbstractContextManager
from typing import Any

import pytest

from lorafuota.conformance.check import NotApplicable
from lorafuota.conformance.device import reports
from lorafuota.conformance.own import OwnDevice
from lorafuota.session.actions import Reboot
from lorafuota.session.firmware import FirmwareDevice
from lorafuota.session.fragmentation import FragDevice
from tests.mutants.mutant import around

from .support import complaints, peer, said


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
    assert said("reported-at-once", "ts004-v2/report-delay-after-reset") == (
        "24 delays have only 1 different lengths"
    )
    assert said("rebooted-without-reports", "ts004-v2/report-after-reboot") == (
        "expected the report after the reboot; came nothing"
    )


def at_once(real: Any, self: FragDevice, setup: Any) -> float:
    return 0.0


def without_reboots(real: Any, self: OwnDevice, actions: Any, *rest: Any) -> None:
    real(self, [one for one in actions if not isinstance(one, Reboot)], *rest)


@pytest.mark.parametrize(
    ("name", "patch", "why"),
    [
        (
            "report-delay-after-reset",
            around(FragDevice, "_restore_reports", lambda *args: None),
            "the device forgets its report in a reset",
        ),
        (
            "report-after-reboot",
            around(FirmwareDevice, "_execute", lambda *args: []),
            "the device does not program the reboot",
        ),
        (
            "report-after-reboot",
            around(OwnDevice, "_take", without_reboots),
            "the device does not reboot at its time",
        ),
        (
            "report-after-reboot",
            around(FragDevice, "_delay", at_once),
            "the device reports at once, whatever BlockAckDelay says",
        ),
    ],
)
def test_what_other_checks_are_for_is_left_to_them(
    name: str, patch: AbstractContextManager[Any], why: str
) -> None:
    with patch, pytest.raises(NotApplicable, match=why):
        reports.CHECKS[f"ts004-v2/{name}"].script(peer())
