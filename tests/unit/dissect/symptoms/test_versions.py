"""Version 1 against version 2, from the dump of SWL2001 issue 116 on."""

from __future__ import annotations

import pytest

from lorafuota.dissect.hypothesis import Symptom, Weight
from lorafuota.dissect.symptoms.versions import face
from lorafuota.fragmentation.v2 import FragSessionSetupReq
from tests.unit.dissect.support import FRAG, MC, Log, fragment, setup1, setup2, status1

DUMP = "02 01 1400 32 00 05 00000000 {} 4d6d1790"


@pytest.mark.parametrize(
    ("counter", "words"),
    [
        ("0100", "01 00 4d 6d 17 90 is read as FragSessionStatusReq (01 00), then the unknown "
         "command 0x4d"),
        ("0200", "02 00 4d 6d 17 90 is read as FragSessionSetupReq (0x02) with too few octets"),
        ("3000", "30 00 4d 6d 17 90 is read as the unknown command 0x30"),
    ],
)  # fmt: skip
def test_the_dump_is_explained_in_its_three_faces(counter: str, words: str) -> None:
    dump = DUMP.format(counter)
    setup = FragSessionSetupReq.decode(bytes.fromhex(dump))
    assert isinstance(setup, FragSessionSetupReq)
    assert face(setup) == words
    log = Log().down(FRAG, dump)
    assert log.names() == ["v2-setup-to-v1-device", "requests-not-answered"]
    found = log.find(Symptom.V2_SETUP_TO_V1)
    assert (found.score, found.evidence[-1].text.endswith(words)) == (0.6, True)


def test_what_the_device_told_and_a_phantom_answer_make_it_sure() -> None:
    log = Log().up(FRAG, "000301").down(FRAG, DUMP.format("0100"))
    log.up(FRAG, "0200" + status1(0, 20))
    found = log.find(Symptom.V2_SETUP_TO_V1)
    weights = [one.weight for one in found.evidence]
    assert weights == [Weight.STRONG, Weight.STRONG, Weight.HINT]
    assert "02 00 01 00 00 14 00" in found.evidence[1].text


def test_a_status_nobody_asked_for_is_a_phantom_too() -> None:
    log = Log().down(FRAG, DUMP.format("0100")).up(FRAG, "0200").up(FRAG, status1(0, 20))
    found = log.find(Symptom.V2_SETUP_TO_V1)
    assert "answers a status request that nobody sent" in found.evidence[0].text


def test_a_device_of_version_2_that_is_silent_is_not_said_to_be_version_1() -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup2())
    assert log.names() == ["requests-not-answered"]


def test_the_last_set_up_of_a_capture_may_still_be_answered() -> None:
    log = Log().up(MC, "000202").down(FRAG, setup2(session_cnt=0x3030))
    assert log.find(Symptom.V2_SETUP_TO_V1).score == 0.36
    log = Log().up(MC, "000202").down(FRAG, setup1())
    assert log.find(Symptom.V1_SETUP_TO_V2).score == 0.2


def test_a_set_up_of_version_1_for_a_device_of_version_2() -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup1()).down(FRAG, setup1())
    assert log.names()[0] == "v1-setup-to-v2-device"
    assert log.find(Symptom.V1_SETUP_TO_V2).score == 0.9
    log = Log().up(MC, "000202").down(FRAG, setup1()).down(FRAG, "0101").up(FRAG, "0104")
    assert log.find(Symptom.V1_SETUP_TO_V2).score == 0.9
    assert Log().up(FRAG, "000301").down(FRAG, setup1()).up(FRAG, "0200").names() == []


def transfer(*answers: str, told: str = "") -> Log:
    log = Log()
    if told:
        log.up(FRAG, told)
    log.down(FRAG, setup2(session_cnt=0)).up(FRAG, "0200")
    for n in range(1, 8):
        log.down(FRAG, fragment(n))
    for answer in answers:
        log.down(FRAG, "0101").up(FRAG, answer)
    return log


def test_version_1s_order_from_a_device_of_version_2() -> None:
    found = transfer(status1(7, 3), told="000302").find(Symptom.STATUS_IN_V1_ORDER)
    assert (found.score, "01 07 00 03 00" in found.evidence[0].text) == (0.8, True)


def test_a_device_that_reads_all_17_octets_is_no_version_1() -> None:
    """SessionCnt 0 is two PackageVersionReq to version 1, and nobody answered those."""
    assert transfer(status1(7, 3)).find(Symptom.STATUS_IN_V1_ORDER).score == 0.8
    assert "v2-setup-to-v1-device" not in transfer(status1(7, 3)).names()


def test_one_answer_in_version_2s_order_speaks_for_version_2() -> None:
    names = transfer("0100070003", status1(7, 3), told="000302").names()
    assert "status-in-v1-order" not in names


def test_reports_speak_for_version_2_as_well() -> None:
    found = transfer(status1(7, 3), told="000302").up(FRAG, "0404").find(Symptom.STATUS_IN_V1_ORDER)
    assert [one.weight for one in found.evidence] == [Weight.STRONG, Weight.FAIR]


def test_version_2s_order_after_a_set_up_of_version_1() -> None:
    log = Log().up(MC, "000202").down(FRAG, setup1())
    for n in range(1, 8):
        log.down(FRAG, fragment(n))
    found = log.down(FRAG, "0101").up(FRAG, "0100070003").find(Symptom.V1_SETUP_TO_V2)
    assert "1 status answer can be read in version 2's order only" in [
        one.text for one in found.evidence
    ]
