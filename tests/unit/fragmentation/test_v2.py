from __future__ import annotations

import pytest

from lorafuota import FieldError, TrailingOctetsError
from lorafuota.fragmentation import v1, v2
from lorafuota.package import PackageVersionAns
from lorafuota.types import UPLINK


def test_version_2_says_what_it_changed() -> None:
    changed = set(v2.PACKAGE.commands) - set(v1.PACKAGE.commands)
    assert changed == {
        v2.FragSessionSetupReq,
        v2.FragSessionSetupAns,
        v2.FragSessionStatusAns,
        v2.FragDataBlockReceivedReq,
        v2.FragDataBlockReceivedAns,
    }


def no_session(**flags: bool) -> v2.FragSessionStatusAns:
    return v2.FragSessionStatusAns(
        memory_error=False,
        mic_error=flags.get("mic_error", False),
        session_does_not_exist=True,
        nb_frag_received=None,
        frag_index=None,
        missing_frag=None,
    )


def test_the_long_answer_of_basics_modem_without_a_session_is_read_as_one() -> None:
    octets = bytes.fromhex("0106004000")
    assert v2.PACKAGE.parse(octets, UPLINK) == [no_session(mic_error=True)]
    with pytest.raises(TrailingOctetsError):
        v2.FragSessionStatusAns.decode(octets, strict=True)


def test_the_short_answer_may_be_followed_by_other_answers() -> None:
    octets = bytes.fromhex("0104000302")
    version = PackageVersionAns(package_identifier=3, package_version=2)
    assert v2.PACKAGE.parse(octets, UPLINK) == [no_session(), version]


def test_counters_and_a_missing_session_exclude_each_other() -> None:
    with pytest.raises(FieldError, match="nb_frag_received = 1: expected None unless"):
        v2.FragSessionStatusAns(
            memory_error=False,
            mic_error=False,
            session_does_not_exist=True,
            nb_frag_received=1,
            frag_index=0,
            missing_frag=0,
        )
