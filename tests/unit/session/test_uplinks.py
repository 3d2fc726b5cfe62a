"""Answers into uplinks: order, room, delays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lorafuota.package import PackageVersionAns
from lorafuota.session.actions import Action, Answer, Dropped, DropReason, Reboot, Send, Store
from lorafuota.session.uplinks import into_uplinks, within


def answer(number: int, delay: float = 0.0) -> Answer:
    command = PackageVersionAns(package_identifier=number, package_version=1)
    return Answer(command, delay)


def octets(*numbers: int) -> bytes:
    return b"".join(bytes((0, number, 1)) for number in numbers)


def test_what_has_to_be_done_comes_first_and_a_reboot_last() -> None:
    results: list[Answer | Action] = [answer(1), Reboot(None), Store("period", 1), answer(2)]
    assert into_uplinks(results, fport=9, now=5.0, max_payload=11) == [
        Store("period", 1),
        Send(9, octets(1, 2), 5.0),
        Reboot(None),
    ]


def test_what_does_not_fit_follows_whole_in_the_next_uplink() -> None:
    results = [answer(number) for number in range(5)]
    assert into_uplinks(results, fport=9, now=5.0, max_payload=11) == [
        Send(9, octets(0, 1, 2), 5.0),
        Send(9, octets(3, 4), 5.0),
    ]


def test_an_uplink_may_hold_one_answer_only() -> None:
    results = [answer(number) for number in range(3)]
    assert into_uplinks(results, fport=9, now=5.0, max_payload=242, one_command=True) == [
        Send(9, octets(number), 5.0) for number in range(3)
    ]


def test_a_delayed_answer_travels_alone() -> None:
    results = [answer(1), answer(2, 7.0), answer(3)]
    assert into_uplinks(results, fport=9, now=5.0, max_payload=242) == [
        Send(9, octets(2), 12.0),
        Send(9, octets(1, 3), 5.0),
    ]


@given(
    numbers=st.lists(st.integers(0, 255), max_size=30),
    max_payload=st.integers(11, 242),
    one_command=st.booleans(),
)
def test_every_answer_leaves_once_and_in_order(
    numbers: list[int], max_payload: int, one_command: bool
) -> None:
    results = [answer(number) for number in numbers]
    sends = into_uplinks(
        results, fport=9, now=0.0, max_payload=max_payload, one_command=one_command
    )
    payloads = [send.payload for send in sends if isinstance(send, Send)]
    assert b"".join(payloads) == octets(*numbers)
    assert all(3 <= len(payload) <= max_payload for payload in payloads)


def test_a_small_buffer_leaves_out_what_does_not_fit_and_takes_what_does() -> None:
    results: list[Answer | Action] = [answer(1), answer(2), Store("x", 1), answer(3), answer(4)]
    left_out = Dropped(DropReason.NO_ROOM, "PackageVersionAns")
    assert within(results, 9) == [answer(1), answer(2), Store("x", 1), answer(3), left_out]
    assert within(results, 2) == [left_out, left_out, Store("x", 1), left_out, left_out]
