from __future__ import annotations

from lorafuota.dissect.deviceversions import Evidence, VersionChoice, choose
from lorafuota.fragmentation import v1, v2
from lorafuota.package import PackageVersionAns
from lorafuota.types import DOWNLINK, UPLINK, Direction

SETUP_V2 = bytes.fromhex("02 01 1400 32 00 05 00000000 0100 4d6d1790")
SETUP_V1 = SETUP_V2[:11]
ACCEPT = b"\x02\x00"


def said(
    *frames: tuple[Direction, bytes], name: str = "fragmentation", asked: bytes = b""
) -> VersionChoice:
    evidence = Evidence(name, {bytes((cid,)) for cid in asked})
    for number, (way, payload) in enumerate(frames, 1):
        evidence.add(way, payload, f"line {number}")
    return choose({("x", name): evidence})["x", name]


def test_a_device_that_says_its_version_is_believed() -> None:
    for version in (1, 2):
        ans = PackageVersionAns(package_identifier=3, package_version=version)
        choice = said((UPLINK, ans.encode()))
        assert (choice.device, choice.server, choice.told) == (version, version, True)
    foreign = PackageVersionAns(package_identifier=1, package_version=1)
    assert not said((UPLINK, foreign.encode())).told


def test_a_version_that_nobody_knows_is_not_believed() -> None:
    odd = PackageVersionAns(package_identifier=3, package_version=9)
    assert not said((UPLINK, odd.encode())).told


def test_reasons_beyond_what_is_remembered_still_count() -> None:
    choice = said(*[(UPLINK, b"\x04\x00")] * 300, (UPLINK, bytes.fromhex("0114000000")))
    assert choice.device == 2
    assert choice.reasons[-1] == "and more like these"


def test_without_evidence_the_newest_is_shown_and_it_is_said() -> None:
    choice = said((UPLINK, ACCEPT), (DOWNLINK, b"\x01\x00"))
    assert (choice.device, choice.server, choice.agree) == (2, 2, True)
    assert choice.reasons == ("all versions read these frames alike; the newest is shown",)
    only = said((DOWNLINK, b"\x01"), name="firmwaremanagement")
    assert only.reasons == ("there is only one version",)


def test_octets_that_only_one_version_reads_decide() -> None:
    assert said((DOWNLINK, SETUP_V1)).device == 1
    assert said((DOWNLINK, SETUP_V2)).device == 2
    assert said((UPLINK, b"\x04\x00")).device == 2


def test_an_answer_follows_the_request_that_only_its_version_reads() -> None:
    """A version 1 device reads a status request in the set-up, and answers it."""
    status = v1.FragSessionStatusAns(
        nb_frag_received=0, frag_index=0, missing_frag=20, not_enough_matrix_memory=False
    )
    choice = said((DOWNLINK, SETUP_V2), (UPLINK, ACCEPT + status.encode()))
    assert (choice.device, choice.server, choice.agree) == (1, 2, False)
    assert "the device, for fragmentation/1: line 2 FragSessionStatusAns answers a request" in (
        choice.reasons
    )
    assert any(one.startswith("its server, against fragmentation/1:") for one in choice.reasons)


def test_an_answer_to_what_a_group_was_asked_says_nothing_of_the_version() -> None:
    status = v1.FragSessionStatusAns(
        nb_frag_received=0, frag_index=0, missing_frag=20, not_enough_matrix_memory=False
    )
    frames = [(DOWNLINK, SETUP_V2), (UPLINK, status.encode())]
    assert any("answers a request" in reason for reason in said(*frames).reasons)
    assert not any("answers" in reason for reason in said(*frames, asked=b"\x01").reasons)


def test_a_status_of_a_session_that_was_never_set_up_speaks_against_a_version() -> None:
    """20 received of session 0 in version 2 are 5120 received in version 1; 64, of session 1."""
    status = v2.FragSessionStatusAns(
        memory_error=False,
        mic_error=False,
        session_does_not_exist=False,
        nb_frag_received=64,
        frag_index=0,
        missing_frag=0,
    )
    choice = said((DOWNLINK, SETUP_V2), (UPLINK, status.encode()), asked=b"\x01")
    assert choice.device == 2
    assert choice.reasons[0] == (
        "the device, against fragmentation/1: line 2 FragIndex 1 was never set up, but others were"
    )


def test_counters_that_agree_with_the_set_up_speak_for_a_version() -> None:
    """Both versions read the five octets completely; only one makes sense of them."""
    ambiguous = v2.FragSessionStatusAns(
        memory_error=False,
        mic_error=False,
        session_does_not_exist=False,
        nb_frag_received=20,
        frag_index=0,
        missing_frag=0,
    )
    frames = [(DOWNLINK, b"\x01\x00"), (UPLINK, ambiguous.encode())]
    assert said(*frames).reasons[0].startswith("all versions read these frames alike")
    shared_setup = (DOWNLINK, SETUP_V1)
    choice = said(shared_setup, *frames)
    assert (choice.device, choice.server) == (2, 1)
    assert any(
        "5120 received and 0 missing do not agree with NbFrag 20" in r for r in choice.reasons
    )


def test_reasons_are_cut_short_but_all_count() -> None:
    choice = said(*[(UPLINK, b"\x04\x00")] * 9)
    assert choice.device == 2
    assert choice.reasons[-1] == "and more like these"
    assert choice.to_json() == {
        "owner": "x",
        "package": "fragmentation",
        "device": 2,
        "server": 2,
        "told": False,
        "reasons": [*choice.reasons],
    }
