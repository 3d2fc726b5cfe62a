"""Transfers: where one begins and ends, and what its status answers can mean."""

from __future__ import annotations

import pytest

from lorafuota.dissect.case import Case, Known
from lorafuota.dissect.transfer import Status, Transfer, transfers
from tests.unit.dissect.support import (
    FRAG,
    OTHER,
    Log,
    fragment,
    setup1,
    setup2,
    status1,
    status2,
)


def found(log: Log) -> list[Transfer]:
    return transfers(Case(log.frames, Known()))


def test_a_set_up_that_is_repeated_is_the_same_transfer() -> None:
    log = Log().down(FRAG, setup2()).down(FRAG, setup2()).up(FRAG, "0200").down(FRAG, fragment(1))
    [one] = found(log)
    assert (one.setups, one.accepted, len(one.fragments), one.setup_version) == (2, True, 1, 2)


def test_another_set_up_or_a_delete_ends_a_transfer() -> None:
    log = Log().down(FRAG, setup2()).down(FRAG, fragment(1)).down(FRAG, setup2(session_cnt=0x31))
    log.down(FRAG, fragment(2)).down(FRAG, "0300").down(FRAG, fragment(3))
    assert [[each.what.n for each in one.fragments] for one in found(log)] == [[1], [2]]


def test_fragments_of_a_group_feed_every_device_and_each_frag_index_its_own() -> None:
    log = Log().down(FRAG, setup1()).down(FRAG, setup1(frag_index=2), dev=OTHER)
    log.group(fragment(1)).group(fragment(2, frag_index=2))
    assert [[each.what.n for each in one.fragments] for one in found(log)] == [[1], [2]]


@pytest.mark.parametrize(
    ("octets", "sense"),
    [
        (status1(3, 7), {1}),  # 03 00 07 00: version 2 reads 1,792 received
        (status2(3, 7), {2}),
        (status1(0, 0), {1, 2}),
        (status1(3, 11), set()),  # more than NbFrag are missing
        (status1(4, 0), set()),  # more than were sent
        (status1(3, 7, index=1), set()),
        (status2(0, 7, mic=True), set()),  # the MIC is not looked at while some are missing
        ("01 06 00 00 00", {2}),  # no session, as LoRa Basics Modem has it
        ("01 04", {2}),
    ],
)
def test_the_orders_in_which_a_status_can_be_true(octets: str, sense: set[int]) -> None:
    log = Log().down(FRAG, setup2())
    for n in (1, 2, 3):
        log.down(FRAG, fragment(n))
    [one] = found(log.down(FRAG, "0101").up(FRAG, octets))
    assert one.makes_sense(one.statuses[0]) == sense


def test_the_order_is_the_devices_unless_only_the_other_makes_sense() -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup2()).down(FRAG, fragment(1)).down(FRAG, "0101")
    assert [one.order for one in found(log)] == [2]
    assert [one.order for one in found(log.up(FRAG, status1(1, 9)))] == [1]
    [one] = found(log)
    assert [status for _, status in one.told()] == [Status(0, 1, 9, False, False, False)]


def test_the_long_answer_about_no_session_has_no_figures() -> None:
    log = Log().down(FRAG, setup2()).down(FRAG, "0101").up(FRAG, "0106000000").up(FRAG, "0104")
    [one] = found(log)
    assert one.told() == []
    assert [each.what.hex() for each in one.absent] == ["06000000", "04"]


@pytest.mark.parametrize(
    ("answer", "success"),
    [
        (status2(10, 0), True),
        (status2(10, 1), False),
        (status2(0, 0), False),  # LoRa Basics Modem before the first fragment
        (status2(10, 0, mic=True), False),
        ("0400", True),
        ("0404", False),
    ],
)
def test_success_is_what_the_device_says(answer: str, success: bool) -> None:
    log = Log().up(FRAG, "000302").down(FRAG, setup2())
    for n in range(1, 11):
        log.down(FRAG, fragment(n))
    [one] = found(log.down(FRAG, "0101").up(FRAG, answer))
    assert one.success is success
    assert (one.mic_error is not None) is (answer in ("0404", status2(10, 0, mic=True)))


def test_a_later_success_makes_an_earlier_failure_good() -> None:
    log = Log().down(FRAG, setup2()).up(FRAG, "0404").down(FRAG, setup2(session_cnt=0x31))
    first, second = found(log.up(FRAG, "0400"))
    assert (first.made_good, second.made_good, second.success) == (True, False, True)


def test_the_block_is_there_when_every_plain_fragment_is() -> None:
    log = Log().down(FRAG, setup1(nb_frag=2, padding=1))
    [one] = found(log.down(FRAG, fragment(2, b"efg\0")).down(FRAG, fragment(0)))
    assert one.block() is None
    [one] = found(log.down(FRAG, fragment(1)).down(FRAG, fragment(1, b"long long")))
    assert (one.block(), one.octets, one.highest) == (b"abcdefg\0", 7, 2)
