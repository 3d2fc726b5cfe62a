import pytest

from tests.mutants.server import MUTANTS, Mutant, _in_a_process


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_every_fault_can_be_put_into_the_source_as_it_is(mutant: Mutant) -> None:
    assert mutant.source != mutant.path.read_text("utf-8")
    compile(mutant.source, str(mutant.path), "exec")


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mic-padded", "the MIC is wrong: it covers the padding"),
        ("descriptor-turned", "Descriptor 04030201, not 01020304"),
    ],
)
def test_a_fault_is_found_and_named(name: str, words: str) -> None:
    [mutant] = [one for one in MUTANTS if one.name == name]
    found, _ = _in_a_process(mutant, "ts004-v1/setup-descriptor", "ts004-v2/setup-mic")
    assert [line.partition(": ")[2] for line in found] == [words]
