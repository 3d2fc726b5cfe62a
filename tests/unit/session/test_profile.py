"""What differs between versions, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

import lorafuota
from lorafuota.errors import FieldError
from lorafuota.fec.variant import ParityVariant
from lorafuota.session import profile
from lorafuota.session.profile import (
    FragProfile,
    McProfile,
    clock_profile,
    frag_profile,
    mc_profile,
)


def test_version_1_of_ts004_has_no_mic_and_keeps_silent_without_a_session() -> None:
    assert frag_profile(1) == FragProfile(
        package=lorafuota.package("fragmentation", 1),
        parity=ParityVariant.V1,
        has_mic=False,
        reports_missing_session=False,
    )


def test_version_2_of_ts004_signs_and_uses_the_deployed_matrix() -> None:
    assert frag_profile(2) == FragProfile(
        package=lorafuota.package("fragmentation", 2),
        parity=ParityVariant.V2,
        has_mic=True,
        reports_missing_session=True,
    )


def test_the_versions_of_ts005_differ_in_the_last_counter_and_the_missed_start() -> None:
    assert [mc_profile(version) for version in (1, 2)] == [
        McProfile(
            package=lorafuota.package("multicastsetup", version),
            max_inclusive=version == 2,
            has_start_missed=version == 2,
        )
        for version in (1, 2)
    ]


def test_another_matrix_is_one_field() -> None:
    annex = dataclasses.replace(frag_profile(2), parity=ParityVariant.V2_ANNEX)
    assert annex != frag_profile(2)
    assert dataclasses.replace(annex, parity=ParityVariant.V2) == frag_profile(2)


@pytest.mark.parametrize("version", [0, 3, -1])
def test_there_are_two_versions(version: int) -> None:
    for name, find in [
        ("frag_profile", frag_profile),
        ("mc_profile", mc_profile),
        ("clock_profile", clock_profile),
    ]:
        with pytest.raises(FieldError) as caught:
            find(version)
        assert str(caught.value) == f"{name}.version = {version}: expected 1 or 2"


def test_a_profile_fits_the_package_it_names() -> None:
    for frag in profile.FRAG_PROFILES.values():
        names = {command.__name__ for command in frag.package.commands}
        assert ("FragDataBlockReceivedReq" in names) is frag.has_mic
    for number, mc in profile.MC_PROFILES.items():
        assert (mc.package.version, mc.has_start_missed) == (number, number == 2)
