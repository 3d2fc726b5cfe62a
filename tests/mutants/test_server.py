import pytest

from lorafuota.conformance.server import SERVER_CHECKS
from tests.mutants.server import MUTANTS, Mutant, in_a_process


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_every_fault_can_be_put_into_the_source_as_it_is(mutant: Mutant) -> None:
    assert mutant.source != mutant.path.read_text("utf-8")
    compile(mutant.source, str(mutant.path), "exec")


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)


def test_a_fault_has_a_check_that_is_there_for_it_or_a_reason_to_survive() -> None:
    for one in MUTANTS:
        assert bool(one.killer) is not bool(one.survives), one.name
        assert not one.killer or one.killer in {check.id for check in SERVER_CHECKS}, one.name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mic-padded", "ts004-v2/setup-mic: the MIC is wrong: it covers the padding"),
        (
            "descriptor-turned",
            "ts004-v1/setup-descriptor: Descriptor 04030201, not 01020304",
        ),
        ("fcnt-not-stored", "ts005-v1/restart-window: frame counter 0 of group "),
    ],
)
def test_a_fault_is_found_and_named(name: str, words: str) -> None:
    [mutant] = [one for one in MUTANTS if one.name == name]
    [said] = in_a_process(mutant)[0]
    assert said.startswith(words)
