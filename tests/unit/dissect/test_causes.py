"""The doctor's book is complete, and no cause explains itself."""

from __future__ import annotations

from lorafuota.dissect.causes import LEADS_TO, TRY_NEXT
from lorafuota.dissect.hypothesis import Symptom


def test_there_is_something_to_try_for_every_symptom() -> None:
    assert set(TRY_NEXT) == set(Symptom)


def test_no_symptom_leads_back_to_itself() -> None:
    def reached(start: Symptom) -> set[Symptom]:
        found: set[Symptom] = set()
        todo = list(LEADS_TO.get(start, ()))
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo += LEADS_TO.get(one, ())
        return found

    assert [one for one in Symptom if one in reached(one)] == []
