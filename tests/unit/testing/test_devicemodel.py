from __future__ import annotations

import pytest

from lorafuota.datablock import DataBlock
from lorafuota.fragmentation import v2
from lorafuota.fragmentation.v1 import DataFragment, FragSessionDeleteReq, FragSessionStatusReq
from lorafuota.session.fragmentation import FragServer
from lorafuota.session.profile import frag_profile
from lorafuota.testing._devicemodel import DeviceModel
from lorafuota.testing._violation import Violation
from lorafuota.types import GenAppKey

BLOCK = DataBlock(b"abcde", 2)
SERVER = FragServer(frag_profile(2), BLOCK, session_cnt=1, root_key=GenAppKey(bytes(16)))
ACCEPTED = b"\x02\x00"


def fragment(n: int, payload: bytes = b"..") -> bytes:
    return DataFragment(n=n, frag_index=0, payload=payload).encode()


@pytest.fixture
def model() -> DeviceModel:
    """Of a device that was asked to open a session, and has not answered yet."""
    found = DeviceModel(frag_profile(2), answer_seconds=10)
    found.blocks[SERVER.setup_req] = BLOCK
    found.deliver(201, SERVER.setup_req.encode(), 0)
    return found


@pytest.fixture
def opened(model: DeviceModel) -> DeviceModel:
    model.uplink(201, ACCEPTED, 1)
    return model


def status(missing: int, received: int = 1) -> bytes:
    return v2.FragSessionStatusAns(
        memory_error=False,
        mic_error=False,
        session_does_not_exist=False,
        nb_frag_received=received,
        frag_index=0,
        missing_frag=missing,
    ).encode()


def test_an_answer_is_taken_once(opened: DeviceModel) -> None:
    with pytest.raises(Violation, match=r"^nobody asked for FragSessionSetupAns"):
        opened.uplink(201, ACCEPTED, 1)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"\x02\x01", "nothing is wrong with the set-up"),
        (b"\x02\x40", "nobody asked for FragSessionSetupAns"),
        (b"\x02\x20", "an uplink that cannot be read: 0220"),
        (b"\x00\x03\x02", "nobody asked for PackageVersionAns"),
        (b"", "no uplink has port 201 and 0 octets"),
        (bytes(243), "no uplink has port 201 and 243 octets"),
    ],
)
def test_a_wrong_answer_is_one(model: DeviceModel, payload: bytes, said: str) -> None:
    with pytest.raises(Violation, match=said):
        model.uplink(201, payload, 1)


def test_other_ports_are_none_of_its_business(model: DeviceModel) -> None:
    model.uplink(7, b"\x02\x01", 1)
    with pytest.raises(Violation, match="no uplink has port 0"):
        model.uplink(0, b"\x02\x01", 1)


def test_silence_is_late_after_ten_seconds(model: DeviceModel) -> None:
    model.late(10)
    with pytest.raises(Violation, match=r"^no answer to FragSessionSetupReq within 10 s$"):
        model.late(10.5)


def test_after_a_power_cycle_nobody_waits(model: DeviceModel) -> None:
    model.power_cycled()
    model.late(99)


def test_a_request_beside_something_unreadable_may_go_unanswered(opened: DeviceModel) -> None:
    opened.deliver(201, b"\x00\x77", 1)
    opened.late(99)
    with pytest.raises(Violation, match="nobody asked"):
        opened.uplink(201, b"\x00\x03\x02", 99)


def test_a_block_is_right_complete_and_in_time(opened: DeviceModel) -> None:
    for n in (1, 2):
        opened.deliver(201, fragment(n), 1)
    with pytest.raises(Violation, match="a block, but 1 fragments are missing"):
        opened.block(0, BLOCK.image)
    opened.deliver(201, fragment(3, b"..."), 1)  # of another length
    with pytest.raises(Violation, match="a block, but 1 fragments are missing"):
        opened.block(0, BLOCK.image)
    opened.deliver(201, fragment(3), 2)
    opened.late(12)
    with pytest.raises(Violation, match="FragIndex 0 is complete, and there is no block"):
        opened.late(12.5)
    with pytest.raises(Violation, match="a block of 6 octets that is not the one that was sent"):
        opened.block(0, BLOCK.padded)
    opened.block(0, BLOCK.image)
    opened.late(99)
    with pytest.raises(Violation, match="a block of FragIndex 1, which has no session"):
        opened.block(1, BLOCK.image)


def test_with_a_forged_fragment_there_need_be_no_block_but_no_other_either(
    opened: DeviceModel,
) -> None:
    opened.deliver(201, fragment(1), 1, forged=True)
    for n in (2, 3):
        opened.deliver(201, fragment(n), 1)
    opened.late(99)
    with pytest.raises(Violation, match="not the one that was sent"):
        opened.block(0, b"?bcde")


def test_what_is_missing_lies_between_what_came_before_and_after_the_question(
    opened: DeviceModel,
) -> None:
    question = FragSessionStatusReq(participants=True, frag_index=0).encode()
    opened.deliver(201, fragment(1), 1)
    opened.deliver(201, question, 1)
    opened.deliver(201, fragment(2), 2)
    for wrong in (0, 3):
        with pytest.raises(Violation, match=r"1\.\.2 fragments are missing"):
            opened.uplink(201, status(wrong), 3)
    opened.uplink(201, status(2), 3)


def test_what_was_received_lies_between_what_must_be_counted_and_all_that_came(
    opened: DeviceModel,
) -> None:
    question = FragSessionStatusReq(participants=True, frag_index=0).encode()
    opened.deliver(201, fragment(1), 1)
    opened.deliver(201, fragment(1), 1)  # version 2: repeats count
    opened.deliver(201, fragment(2, b"..."), 1)  # of another length: nobody says
    opened.deliver(201, question, 1)
    opened.deliver(201, fragment(2), 2)
    with pytest.raises(Violation, match="2 fragments had come"):
        opened.uplink(201, status(2, 1), 3)
    with pytest.raises(Violation, match="4 fragments came"):
        opened.uplink(201, status(2, 5), 3)
    opened.uplink(201, status(2, 4), 3)
    opened.deliver(201, question, 4)
    opened.uplink(201, status(1, 3), 4)


def test_counting_may_stop_at_the_end_or_go_on(opened: DeviceModel) -> None:
    question = FragSessionStatusReq(participants=True, frag_index=0).encode()
    for n in (1, 2, 3, 4, 5):
        opened.deliver(201, fragment(n), 1)
    for count in (3, 4, 5):
        opened.deliver(201, question, 2)
        opened.uplink(201, status(0, count), 2)
    for wrong, said in ((2, "3 fragments had come"), (6, "5 fragments came")):
        opened.deliver(201, question, 3)
        with pytest.raises(Violation, match=said):
            opened.uplink(201, status(0, wrong), 3)
        opened.uplink(201, status(0, 3), 3)


def test_after_a_power_cycle_the_count_may_begin_anew_but_not_be_more(opened: DeviceModel) -> None:
    question = FragSessionStatusReq(participants=True, frag_index=0).encode()
    opened.deliver(201, fragment(1), 1)
    opened.power_cycled()
    for count in (0, 1):
        opened.deliver(201, question, 2)
        opened.uplink(201, status(3 - count, count), 2)
    opened.deliver(201, question, 2)
    with pytest.raises(Violation, match="1 fragments came"):
        opened.uplink(201, status(2, 2), 2)


def test_a_used_counter_must_be_refused_even_after_a_power_cycle(opened: DeviceModel) -> None:
    opened.deliver(201, fragment(1), 1)
    opened.power_cycled()
    opened.deliver(201, SERVER.setup_req.encode(), 2)
    with pytest.raises(Violation, match="SESSION_CNT_REPLAY must be set"):
        opened.uplink(201, ACCEPTED, 3)
    opened.uplink(201, b"\x02\x10", 3)


def test_an_absurd_set_up_must_be_refused(opened: DeviceModel) -> None:
    absurd = v2.FragSessionSetupReq.decode(b"\x02\x00\x00\x00\x04" + bytes(12))
    opened.deliver(201, absurd.encode(), 1)
    with pytest.raises(Violation, match="such a session must be refused"):
        opened.uplink(201, ACCEPTED, 1)
    opened.uplink(201, b"\x02\x02", 1)


def test_a_delete_tells_whether_there_was_a_session(opened: DeviceModel) -> None:
    request = FragSessionDeleteReq(frag_index=0).encode()
    opened.deliver(201, request, 1)
    with pytest.raises(Violation, match="there is such a session"):
        opened.uplink(201, b"\x03\x04", 1)
    opened.uplink(201, b"\x03\x00", 1)
    opened.deliver(201, request, 2)
    with pytest.raises(Violation, match="there is no such session"):
        opened.uplink(201, b"\x03\x00", 2)
    opened.uplink(201, b"\x03\x04", 2)


def test_a_report_must_be_asked_for_and_true(opened: DeviceModel) -> None:
    report = v2.FragDataBlockReceivedReq(frag_index=0, mic_error=False).encode()
    with pytest.raises(Violation, match="nobody asked for FragDataBlockReceivedReq"):
        opened.uplink(201, report, 1)
    reporting = FragServer(
        frag_profile(2), BLOCK, session_cnt=2, ack_reception=True, root_key=GenAppKey(bytes(16))
    )
    opened.blocks[reporting.setup_req] = BLOCK
    opened.deliver(201, reporting.setup_req.encode(), 2)
    opened.uplink(201, ACCEPTED, 2)
    with pytest.raises(Violation, match="3 fragments are missing"):
        opened.uplink(201, report, 2)
    for n in (1, 2, 3):
        opened.deliver(201, fragment(n), 3)
    opened.uplink(201, report, 3)
    wrong = v2.FragDataBlockReceivedReq(frag_index=0, mic_error=True).encode()
    with pytest.raises(Violation, match="the MIC of what arrived is right"):
        opened.uplink(201, wrong, 3)
