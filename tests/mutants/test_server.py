import pytest

from lorafuota.conformance.server import SERVER_CHECKS
from tests.mutants.__main__ import main
from tests.mutants.server import SERVER_MUTANTS
from tests.mutants.servermutant import ServerMutant
from tests.mutants.serverrunner import killers


@pytest.mark.parametrize("mutant", SERVER_MUTANTS, ids=lambda one: one.name)
def test_every_fault_can_be_put_into_the_source_as_it_is(mutant: ServerMutant) -> None:
    assert mutant.source != mutant.path.read_text("utf-8")
    compile(mutant.source, str(mutant.path), "exec")


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({one.name for one in SERVER_MUTANTS}) == len(SERVER_MUTANTS)


def test_a_fault_has_a_check_that_is_there_for_it_or_a_reason_to_survive() -> None:
    for one in SERVER_MUTANTS:
        assert bool(one.killer) is not bool(one.survives), one.name
        assert not one.killer or one.killer in {check.id for check in SERVER_CHECKS}, one.name


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("mic-padded", "ts004-v2/setup-mic", "the MIC is wrong: it covers the padding"),
        ("descriptor-turned", "ts004-v1/setup-descriptor", "Descriptor 04030201, not 01020304"),
        ("fcnt-not-stored", "ts005-v1/restart-window", "frame counter 0 of group "),
    ],
)
def test_a_fault_is_found_and_named(name: str, check: str, words: str) -> None:
    [mutant] = [one for one in SERVER_MUTANTS if one.name == name]
    [(id, said)] = killers(mutant, [mutant.killer]).items()
    assert id == mutant.killer == check
    assert said.startswith(words)


def test_a_check_that_passes_is_not_among_those_that_notice() -> None:
    [control] = [one for one in SERVER_MUTANTS if one.name == "control"]
    assert killers(control, ["ts004-v2/setup-mic", "ts004-v1/setup-descriptor"]) == {}


def test_a_process_that_cannot_begin_is_no_fault_that_was_found() -> None:
    [mutant] = [one for one in SERVER_MUTANTS if one.name == "mic-padded"]
    with pytest.raises(RuntimeError, match=r"(?s)mic-padded: .*no-such-check"):
        killers(mutant, ["no-such-check"])


def test_the_table_of_the_server_is_that_of_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "--quick", "--say", "--only", "descriptor-turned"]) == 0
    first, said, _, last = capsys.readouterr().out.splitlines()
    assert first == (
        "   1  descriptor-turned  (session.fragserver)  Descriptor travels with its octets turned "
        "round, in version 1.  [ts004-v1/setup-descriptor]"
    )
    assert said == "          ts004-v1/setup-descriptor: Descriptor 04030201, not 01020304"
    assert last.startswith("server: 1 of 1 mutants noticed, 0 not as expected, ")
