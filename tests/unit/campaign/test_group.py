"""One group: its windows, its frames, its counters."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lorafuota.campaign.actions import Multicast, WindowAnnounced
from lorafuota.campaign.config import WindowClass
from lorafuota.campaign.group import MAX_N, Group, key_check
from lorafuota.campaign.state import GroupPhase, GroupRecord, Stage
from lorafuota.datablock import DataBlock
from lorafuota.fragmentation.v1 import DataFragment, FragSessionStatusReq
from lorafuota.link import McFrame, McReceiver
from lorafuota.multicastsetup.v1 import McClassBSessionReq, McClassCSessionReq
from lorafuota.types import DevAddr, McKey
from tests.unit.campaign.fleet import BLOCK, FREQ, START, group


def made(block: DataBlock = BLOCK, *, until_n: int = 24, **changes: Any) -> Group:
    of = group(**changes)
    record = GroupRecord(
        next_fcnt=of.first_fcnt, until_n=until_n, keys=key_check(of.mc_key), mc_addr=int(of.mc_addr)
    )
    return Group(of, record, block.encoder(of.parity))


def open_window(of: Group) -> WindowAnnounced:
    window = of.announce(START)
    of.open_window()
    return window


def frames(of: Group, now: float) -> list[Multicast]:
    found: list[Multicast] = []
    while True:
        if not of.reserved:
            of.reserve()
        frame = of.frame_due(now)
        if frame is None:
            return found
        found.append(frame)


def test_frames_carry_the_fragments_in_order_one_counter_and_one_spacing_apart() -> None:
    of = made(first_fcnt=70, fport=33)
    window = open_window(of)
    receiver = McReceiver.from_mc_key(
        of.config.mc_key,
        of.config.mc_addr,
        min_mc_fcnt=70,
        max_mc_fcnt=of.config.max_mc_fcnt,
        max_inclusive=False,
    )
    sent: list[Multicast] = []
    now = window.start
    while not of.pass_over:
        sent += frames(of, now)
        now += 0.5
    encoder = BLOCK.encoder(of.config.parity)
    assert [frame.fcnt for frame in sent] == list(range(70, 94))
    assert [frame.time for frame in sent] == [window.start + 2 + at for at in range(24)]
    for n, frame in enumerate(sent, start=1):
        opened = receiver.open(frame.phy)
        assert isinstance(opened, McFrame)
        assert (opened.fport, opened.payload) == (33, frame.payload)
        fragment = DataFragment(n=n, frag_index=0, payload=encoder.fragment(n))
        assert DataFragment.decode(frame.payload) == fragment
    assert of.record.airtime == pytest.approx(2.4)
    assert of.record.sent == 24


def test_nothing_is_due_before_the_window_and_the_lead() -> None:
    of = made()
    window = open_window(of)
    assert frames(of, window.start + 1.9) == []
    assert of.deadline(0.0) is None  # it gathers
    of.record.phase = GroupPhase.SEND
    assert of.deadline(0.0) == window.start + 2


def test_the_deadline_is_the_next_thing_of_each_phase() -> None:
    of = made()
    of.record.since = START
    assert of.deadline(50.0) is None
    of.stages[Stage.READY] = 1
    assert of.deadline(50.0) == START + 50
    window = of.announce(START)
    of.record.phase = GroupPhase.ANNOUNCE
    assert of.deadline(50.0) == window.start
    for phase in (GroupPhase.POLL, GroupPhase.REST):
        of.record.phase = phase
        assert of.deadline(50.0) is None


def test_frames_that_were_missed_are_not_sent_in_a_burst() -> None:
    of = made()
    window = open_window(of)
    late = window.start + 20.0
    [frame] = frames(of, late)
    assert frame.time == late
    assert frames(of, late + 0.9) == []


def test_a_frame_that_would_end_behind_the_window_is_not_sent() -> None:
    of = made(frame_seconds=0.5)
    window = open_window(of)
    assert len(frames(of, window.end - 1.5)) == 1
    assert frames(of, window.end - 0.4) == []
    assert of.window_over
    assert not of.pass_over


def test_counters_are_taken_from_the_record_before_they_are_used_one_then_more() -> None:
    of = made()
    window = open_window(of)
    taken, sent = [], []
    for second in range(48):
        if not of.reserved:
            of.reserve()
            taken.append(of.record.next_fcnt)
        frame = of.frame_due(window.start + 2 + second)
        if frame is not None:
            sent.append(frame.fcnt)
            assert frame.fcnt < of.record.next_fcnt
    assert sent == list(range(len(sent)))
    assert taken == [1, 3, 7, 15, 31][: len(taken)]
    assert len(taken) > 3


def test_a_group_that_comes_back_goes_on_behind_the_counters_that_were_taken() -> None:
    of = made()
    window = open_window(of)
    sent = [frame for second in range(4) for frame in frames(of, window.start + 2 + second)]
    assert [frame.fcnt for frame in sent] == [0, 1, 2, 3]
    assert of.record.next_fcnt == 7
    again = Group(of.config, of.record, BLOCK.encoder(of.config.parity))
    [next_one] = frames(again, window.start + 6)
    assert next_one.fcnt == 7


def test_the_last_counter_is_never_sent_and_ends_the_pass() -> None:
    of = made(first_fcnt=0, max_mc_fcnt=3)
    window = open_window(of)
    sent = [frame for second in range(9) for frame in frames(of, window.start + 2 + second)]
    assert [frame.fcnt for frame in sent] == [0, 1, 2]
    assert of.frames_left == 0
    assert of.pass_over


def test_a_block_of_one_fragment_is_sent_again_since_nothing_can_be_coded() -> None:
    of = made(DataBlock.of(b"x", frag_size=1), until_n=3)
    window = open_window(of)
    sent = [frame for second in range(9) for frame in frames(of, window.start + 2 + second)]
    assert [DataFragment.decode(frame.payload).n for frame in sent] == [1, 1, 1]
    assert len({frame.payload for frame in sent}) == 1


def test_a_plain_fragment_goes_before_the_coded_ones_and_takes_no_number() -> None:
    of = made()
    of.skip_to(30)
    assert of.pass_over
    of.record.until_n, of.record.plain_n = 32, 7
    window = open_window(of)
    assert window.frames == 3
    sent = [frame for second in range(9) for frame in frames(of, window.start + 2 + second)]
    assert [DataFragment.decode(frame.payload).n for frame in sent] == [7, 31, 32]
    assert of.pass_over


@pytest.mark.parametrize(("n", "next_n"), [(5, 25), (24, 25), (25, 26), (MAX_N + 9, MAX_N + 1)])
def test_numbers_that_were_handed_out_are_skipped_and_never_taken_back(n: int, next_n: int) -> None:
    of = made()
    of.record.next_n = 25
    of.skip_to(n)
    assert (of.record.next_n, of.pass_over) == (next_n, True)


def test_a_window_is_asked_for_in_the_words_of_its_class() -> None:
    of = made()
    assert of.session_req(0) is None
    window = of.announce(START + 0.5)
    of.record.phase = GroupPhase.ANNOUNCE
    assert of.session_req(2) == McClassCSessionReq(
        mc_group_id=2, session_time=int(START) + 1, time_out=5, dl_freq_hz=FREQ, dr=5
    )
    assert window == of.announcement
    assert (window.end - window.start, window.frames) == (32, 24)
    slotted = made(window_class=WindowClass.B, periodicity=2, dl_freq_hz=0)
    window = slotted.announce(START)
    slotted.record.phase = GroupPhase.ANNOUNCE
    assert slotted.session_req(1) == McClassBSessionReq(
        mc_group_id=1,
        session_time=int(window.start),
        time_out=1,
        periodicity=2,
        dl_freq_hz=0,
        dr=5,
    )
    assert window.end - window.start == 256
    assert window.start % 128 == 0


def test_windows_are_numbered() -> None:
    of = made()
    for number in (1, 2, 3):
        of.announce(START)
        assert of.record.window == number


@pytest.mark.parametrize("ahead", [0.5, 2.0, 10.0, 1000.0])
def test_a_frame_is_handed_out_as_long_before_its_time_as_was_asked_for(ahead: float) -> None:
    of = made(frame_lead_seconds=ahead)
    window = open_window(of)
    of.record.phase = GroupPhase.ANNOUNCE
    assert of.deadline(0.0) == of.opening == window.start - max(ahead - 2, 0)
    of.record.phase = GroupPhase.SEND
    assert of.deadline(0.0) == window.start + 2 - ahead
    assert frames(of, window.start + 2 - ahead - 0.01) == []
    handed = {}
    now = window.start + 2 - ahead
    while not of.pass_over:
        for frame in frames(of, now):
            handed[frame.time] = now
        now += 1.0
    assert list(handed) == [window.start + 2 + at for at in range(24)]
    assert {time - when for time, when in handed.items()} == {ahead}


def test_the_question_is_one_more_frame_of_the_window_with_a_counter_of_its_own() -> None:
    of = made(until_n=3, question_seconds=0.03)
    window = of.announce(START, question=True)
    of.open_window()
    assert window.frames == 4
    sent = [frame for second in range(5) for frame in frames(of, window.start + 2 + second)]
    if not of.reserved:
        of.reserve()
    question = of.ask(participants=False)
    assert (question.fcnt, question.time) == (3, sent[-1].time + 1)
    assert question.payload == FragSessionStatusReq(participants=False, frag_index=0).encode()
    assert of.record.airtime == pytest.approx(3 * 0.1 + 0.03)
    assert of.record.sent == 3  # it is no fragment
    assert of.last_end == pytest.approx(question.time + 0.03)


def test_a_group_that_comes_back_leaves_room_for_what_had_been_handed_out() -> None:
    of = made(frame_lead_seconds=4.0)
    window = open_window(of)
    of.record.phase = GroupPhase.SEND
    row = of.record.to_json()
    sent: list[Multicast] = []
    for second in range(6):
        if not of.reserved:
            of.reserve()
        sent += frames(of, window.start + second)
        if second == 0:
            row = of.record.to_json()  # later commits are lost
    crash = window.start + 5
    again = Group(of.config, GroupRecord.from_json(row), BLOCK.encoder(of.config.parity))
    later = [one for at in range(20) for one in frames(again, crash + at / 2)]
    assert later[0].time == crash + 4 + 1  # a pace behind the last that may be under way
    assert max(one.time for one in sent) <= later[0].time - 1


def test_under_a_new_key_counters_begin_at_0_and_the_pass_goes_on() -> None:
    of = made()
    window = open_window(of)
    sent = [frame for second in range(4) for frame in frames(of, window.start + 2 + second)]
    fresh = dataclasses.replace(of.config, mc_key=McKey(bytes(16)), mc_addr=DevAddr(0x77))
    of.rekey(fresh)
    sent += [frame for second in range(4, 8) for frame in frames(of, window.start + 2 + second)]
    assert [frame.fcnt for frame in sent] == [0, 1, 2, 3, 0, 1, 2, 3]
    assert [DataFragment.decode(frame.payload).n for frame in sent] == list(range(1, 9))
    receiver = McReceiver.from_mc_key(
        McKey(bytes(16)), DevAddr(0x77), min_mc_fcnt=0, max_mc_fcnt=100, max_inclusive=False
    )
    opened = [receiver.open(frame.phy) for frame in sent]
    assert [isinstance(one, McFrame) for one in opened] == [False] * 4 + [True] * 4
    assert of.record.keys == f"{key_check(group().mc_key)},{key_check(McKey(bytes(16)))}"
    assert group().mc_key.reveal().hex()[:16] not in of.record.keys
