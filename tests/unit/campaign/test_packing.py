"""Several packages in one downlink, and answers that come in pieces (TS007)."""

from __future__ import annotations

from lorafuota.campaign.packing import CommandSets
from lorafuota.catalogue import PackageMap
from lorafuota.fragmentation.v1 import FragSessionDeleteAns, FragSessionDeleteReq
from lorafuota.multicastsetup.v1 import McGroupDeleteAns, McGroupDeleteReq
from lorafuota.multipackage.commandset import CommandSet, PackagedCommand
from lorafuota.multipackage.v1 import DevPackageReq, MultiPackBufferFrag, MultiPackBufferReq
from lorafuota.package import PackageVersionReq
from lorafuota.types import DevEUI
from lorafuota.wire import Command

ONE, TWO = DevEUI(1), DevEUI(2)
MAP = PackageMap()
PORTS = "fragmentation:201 multicastsetup:200"
CLEAN: list[tuple[str, Command]] = [
    ("fragmentation", FragSessionDeleteReq(frag_index=0)),
    ("multicastsetup", McGroupDeleteReq(mc_group_id=0)),
]
GONE = FragSessionDeleteAns(frag_index=0, session_does_not_exist=False)
LEFT = McGroupDeleteAns(mc_group_id=0, mc_group_undefined=False)
ANSWERS = CommandSet((PackagedCommand(3, GONE), PackagedCommand(2, LEFT)), 0)


def test_a_device_without_ts007_gets_each_request_on_the_port_of_its_package() -> None:
    sends = CommandSets().send(ONE, CLEAN, MAP, ports="", now=0.0)
    assert sends == [(201, CLEAN[0][1].encode()), (200, CLEAN[1][1].encode())]


def test_several_requests_to_a_device_with_ts007_are_one_downlink() -> None:
    sets = CommandSets()
    asked = (PackagedCommand(3, CLEAN[0][1]), PackagedCommand(2, CLEAN[1][1]))
    sends = sets.send(ONE, CLEAN, MAP, ports=PORTS, now=0.0)
    assert sends == [(225, CommandSet(asked, 0).encode())]
    assert sets.receive(ONE, ANSWERS.encode(), MAP, now=1.0) == ([GONE, LEFT], [], None)
    assert len(sets) == 0


def test_a_single_request_goes_to_its_own_port_unless_it_has_none() -> None:
    sets = CommandSets()
    assert sets.send(ONE, CLEAN[:1], MAP, ports=PORTS, now=0.0) == [(201, CLEAN[0][1].encode())]
    alone = CommandSet((PackagedCommand(2, CLEAN[1][1]),), 0).encode()
    sends = sets.send(ONE, CLEAN[1:], MAP, ports="multicastsetup:225", now=0.0)
    assert sends == [(225, alone)]


def test_a_repeat_fetches_the_answers_that_are_there_and_executes_nothing_again() -> None:
    sets = CommandSets()
    sets.send(ONE, CLEAN, MAP, ports=PORTS, now=0.0)
    piece = MultiPackBufferFrag(base_byte=0, ans=ANSWERS.answer_octets()[:3], token=0)
    assert sets.receive(ONE, piece.encode(), MAP, now=1.0) == ([], [], None)
    [(fport, payload)] = sets.send(ONE, CLEAN, MAP, ports=PORTS, now=20.0)
    request = MultiPackBufferReq.decode(payload)
    assert (fport, request.start_byte) == (225, 2)
    rest = ANSWERS.answer_octets()[request.start_byte :]
    piece = MultiPackBufferFrag(base_byte=request.start_byte, ans=rest, token=0)
    assert sets.receive(ONE, piece.encode(), MAP, now=21.0) == ([GONE, LEFT], [], None)


def test_another_question_does_not_wait_for_the_answers_to_the_last_one() -> None:
    sets = CommandSets()
    sets.send(ONE, [("multipackage", DevPackageReq())], MAP, ports="", now=0.0)
    versions: list[tuple[str, Command]] = [("fragmentation", PackageVersionReq())]
    assert sets.send(ONE, versions, MAP, ports="", now=20.0) == [(201, b"\x00")]
    assert len(sets) == 0


def test_after_a_restart_a_whole_buffer_is_read_and_a_piece_is_asked_for_again() -> None:
    fresh = CommandSets()
    assert fresh.receive(ONE, ANSWERS.encode(), MAP, now=0.0) == ([GONE, LEFT], [], None)
    piece = MultiPackBufferFrag(base_byte=0, ans=ANSWERS.answer_octets()[:3], token=0)
    assert fresh.receive(ONE, piece.encode(), MAP, now=0.0) == ([], [], None)


def test_what_cannot_be_read_is_told_and_what_stands_before_it_is_taken() -> None:
    fresh = CommandSets()
    broken = ANSWERS.answer_octets() + b"\x7f\x00"
    answers, sends, error = fresh.receive(ONE, broken, MAP, now=0.0)
    assert (answers, sends) == ([GONE, LEFT], [])
    assert error is not None
    sets = CommandSets()
    sets.send(ONE, CLEAN, MAP, ports=PORTS, now=0.0)
    _, _, error = sets.receive(ONE, b"\x7f\x7f\x00", MAP, now=0.0)
    assert error is not None


def test_a_device_is_forgotten_when_nothing_is_awaited_of_it() -> None:
    sets = CommandSets()
    for one in (ONE, TWO):
        sets.send(one, CLEAN, MAP, ports=PORTS, now=0.0)
    sets.forget(ONE)
    sets.forget(ONE)
    assert len(sets) == 1
