from __future__ import annotations

import pytest

from lorafuota.testing._violation import Violation, Watch


def test_a_watch_remembers_a_failure_and_lets_it_through() -> None:
    watch = Watch()
    with watch:
        pass
    assert not watch.failed
    with pytest.raises(Violation, match=r"^it is wrong$"), watch:
        raise Violation("it is wrong")
    with watch:
        pass
    assert watch.failed


def test_a_violation_is_a_failed_assertion() -> None:
    assert issubclass(Violation, AssertionError)
