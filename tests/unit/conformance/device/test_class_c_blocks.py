from typing import Any

from lorafuota.conformance.device import class_c_blocks
from lorafuota.multicastsetup import v2
from lorafuota.session.actions import Answer
from lorafuota.session.device import FuotaDevice
from lorafuota.session.mcsession import refusal_ans
from lorafuota.session.multicast import McDevice
from tests.mutants.mutant import V2, around, own_device
from tests.mutants.runner import complaint

from .support import complaints, said

ALREADY_COMPLETE = class_c_blocks.CHECKS["ts005-v2/class-c-already-complete"]


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(class_c_blocks.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("window-after-block", "ts005-v2/class-c-block-complete")
        == "expected class A soon after the block; the session goes on"
    )
    assert (
        said("window-for-nothing", "ts005-v2/class-c-already-complete")
        == "expected class A soon after the start; the session goes on"
    )
    assert (
        said("spent-for-ever", "ts005-v2/class-c-next-block")
        == "expected class C for the next block; came no change"
    )
    assert (
        said("spent-by-one", "ts005-v1/class-c-other-block")
        == "expected the session to go on for the second block; it ends"
    )


def test_a_device_may_refuse_a_session_it_has_no_use_for_but_not_keep_silent() -> None:
    def refuses(real: Any, self: McDevice, req: Any, now: float) -> Any:
        return [Answer(refusal_ans(req, self.profile, v2.SessionError.FREQ_ERROR))]

    with around(McDevice, "_session", refuses):
        assert complaint(ALREADY_COMPLETE, own_device(V2)) is None
    with around(McDevice, "_session", lambda *args: []):
        found = complaint(ALREADY_COMPLETE, own_device(V2))
    assert found == "expected an answer to the session request; came nothing"


def test_a_session_that_is_refused_does_not_begin() -> None:
    def refuses_and_listens(real: Any, self: McDevice, req: Any, now: float) -> Any:
        refusal = Answer(refusal_ans(req, self.profile, v2.SessionError.FREQ_ERROR))
        return [refusal if isinstance(one, Answer) else one for one in real(self, req, now)]

    def opens_for_a_moment(real: Any, self: FuotaDevice, *, now: float) -> Any:
        leaves, self._leaves = self._leaves, False
        actions = real(self, now=now)
        self._leaves = leaves
        return self._in_step(actions, now)

    with (
        around(McDevice, "_session", refuses_and_listens),
        around(FuotaDevice, "tick", opens_for_a_moment),
    ):
        found = complaint(ALREADY_COMPLETE, own_device(V2))
    assert found == "the device refuses the session, and listens all the same"
    with around(FuotaDevice, "tick", opens_for_a_moment):
        assert complaint(ALREADY_COMPLETE, own_device(V2)) is None
