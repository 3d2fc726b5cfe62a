from typing import Any

import pytest

from lorafuota.conformance.device import class_overlaps
from lorafuota.multicastsetup import v2
from lorafuota.session.actions import Answer
from lorafuota.session.mcsession import refusal_ans
from lorafuota.session.multicast import McDevice
from tests.mutants.mutant import V2, around, own_device
from tests.mutants.runner import complaint

from .support import complaints, said


def test_our_own_device_is_not_complained_about() -> None:
    assert complaints(class_overlaps.CHECKS) == {}


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    assert (
        said("classes-apart", "ts005-v2/class-b-during-c")
        == "expected the first session alone until its end; came C of group 0, B of group 1"
    )
    assert said("class-c-takes-over", "ts005-v2/class-c-during-b").startswith(
        "expected the first session alone until its end; came B of group 0, A of group 0, C of"
    )
    assert (
        said("overlap-unanswered", "ts005-v1/class-b-during-c")
        == "expected an answer to the request that overlaps; came nothing"
    )
    assert said("first-class-stays", "ts005-v2/class-c-replaces-b").startswith(
        "expected class C at the start of the session; came B at "
    )


def _refuses_and_listens(real: Any, self: McDevice, req: Any, now: float) -> Any:
    beside = set(self._windows.groups) - {req.mc_group_id}
    refusal = Answer(refusal_ans(req, self.profile, v2.SessionError.FREQ_ERROR))
    return [refusal if beside and isinstance(one, Answer) else one for one in real(self, req, now)]


@pytest.mark.parametrize(("name", "letter"), [("class-b-during-c", "B"), ("class-c-during-b", "C")])
def test_a_session_that_is_refused_does_not_begin_later_either(name: str, letter: str) -> None:
    with around(McDevice, "_session", _refuses_and_listens):
        found = complaint(class_overlaps.CHECKS[f"ts005-v2/{name}"], own_device(V2))
    assert found == (
        f"the device refuses the second session, and listens: A of group 0, {letter} of group 1"
    )


def _refuses(real: Any, self: McDevice, req: Any, now: float) -> Any:
    if set(self._windows.groups) - {req.mc_group_id}:
        return [Answer(refusal_ans(req, self.profile, v2.SessionError.FREQ_ERROR))]
    return real(self, req, now)


@pytest.mark.parametrize("name", ["class-b-during-c", "class-c-during-b"])
def test_a_device_may_refuse_what_overlaps(name: str) -> None:
    with around(McDevice, "_session", _refuses):
        assert complaint(class_overlaps.CHECKS[f"ts005-v2/{name}"], own_device(V2)) is None
