"""Every mutant of our device is noticed, and our device itself is not complained about.

Everyday each mutant meets the one check that is there for it.  ``LORAFUOTA_LONG=1`` plays the whole
catalogue against each, and our own device with more seeds.
"""

from __future__ import annotations

import collections

import pytest

from lorafuota.conformance.check import Severity
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.device.known import KNOWN_QUIRKS
from lorafuota.session.stacks import DEVICE_PROFILES
from tests.support import LONG

from .__main__ import main
from .device import DEVICE_MUTANTS
from .mutant import SMALL, TINY, V1, V2, Mutant, own_device
from .runner import applicable, complaint, killers

SEEDS = [str(n) for n in range(20 if LONG else 2)]


def by_name(mutant: Mutant) -> str:
    return f"{mutant.name}-{mutant.subject}"


def test_there_are_enough_of_them_and_each_has_a_name_and_a_check() -> None:
    names = collections.Counter(by_name(one) for one in DEVICE_MUTANTS)
    assert [name for name, count in names.items() if count > 1] == []
    assert len(DEVICE_MUTANTS) >= 280
    ids = {one.id for one in DEVICE_CHECKS}
    assert {one.killer for one in DEVICE_MUTANTS} <= ids


@pytest.mark.parametrize("mutant", DEVICE_MUTANTS, ids=by_name)
def test_a_mutant_is_noticed_by_the_check_that_is_there_for_it(mutant: Mutant) -> None:
    assert list(killers(mutant, [DEVICE_CHECKS[mutant.killer]])) == [mutant.killer]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [V1, V2, SMALL, TINY])
def test_our_own_device_passes_every_check_but_quirks_of_others(name: str, seed: str) -> None:
    subject = own_device(name, seed=seed)
    said = {
        one.id: complaint(one, subject, seed=seed) for one in applicable(subject, DEVICE_CHECKS)
    }
    assert {id: what for id, what in said.items() if what is not None} == {}
    assert len(said) > 340


@pytest.mark.parametrize("name", [V1, V2, SMALL])
def test_our_own_device_has_none_of_the_quirks_either(name: str) -> None:
    subject = own_device(name)
    spoken = subject.about.versions
    said = {
        one.id: complaint(one, subject)
        for one in DEVICE_CHECKS
        if one.severity is Severity.QUIRK and spoken[one.package.name] == one.package.version
    }
    assert said == dict.fromkeys(said)
    assert len(said) >= 7


def speaks(stack: str) -> set[str]:
    about = own_device(stack).about
    return {
        one.id
        for one in DEVICE_CHECKS
        if about.versions.get(one.package.name) == one.package.version and one.needs <= about.can
    }


def test_quirks_are_known_of_stacks_that_there_are() -> None:
    assert set(KNOWN_QUIRKS) <= set(DEVICE_PROFILES)
    for stack, ids in KNOWN_QUIRKS.items():
        assert sorted(ids - speaks(stack)) == []


@pytest.mark.parametrize("stack", DEVICE_PROFILES)
def test_a_stack_fails_the_checks_it_is_known_to_fail_and_no_others(stack: str) -> None:
    """The first time as ``lorafuota conform device --own STACK --profile STACK`` plays them."""
    failed: set[str] = set()
    known, spoken = KNOWN_QUIRKS.get(stack, frozenset()), speaks(stack)
    for seed in ("", "b", "c") if LONG else ("",):
        subject = own_device(stack, seed=f"own{seed}")
        for one in DEVICE_CHECKS:
            if one.id not in spoken:
                continue
            if complaint(one, subject, seed=seed, profile=stack) is not None:
                failed.add(one.id)
    assert sorted(failed - known) == []
    unseen = known - failed
    assert len(unseen) <= len(failed) // 10, sorted(unseen)  # chance plays a part in a few


def test_a_device_for_the_conduit_fails_where_the_kit_is_not_told_of_its_dialect() -> None:
    subject = own_device("MultiTech Conduit")
    ids = [f"ts005-v1/setup-{group}" for group in range(4)]
    for id in [*ids, "ts004-v1/lossless", "ts004-v1/n-zero"]:
        assert complaint(DEVICE_CHECKS[id], subject) is not None


def test_the_table_tells_who_notices_what(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device", "--quick", "--only", "cnt-at-setup"]) == 0
    first, _, last = capsys.readouterr().out.splitlines()
    assert first == (
        "   1  cnt-at-setup  (documents v2)  The set-up uses SessionCnt up, not the first "
        "fragment.  [ts004-v2/cnt-unused]"
    )
    assert last.startswith("device: 1 of 1 mutants noticed, 0 not as expected, ")


@pytest.mark.parametrize("mutant", DEVICE_MUTANTS if LONG else [], ids=by_name)
def test_the_whole_catalogue_notices_a_mutant_with_any_seed(mutant: Mutant) -> None:
    for seed in ("x", "y"):
        assert mutant.killer in killers(mutant, seed=seed)
