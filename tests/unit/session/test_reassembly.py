"""An ANS buffer put together from pieces: any order, repeats, contradictions, an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota.clocksync.v1 import AppTimeReq
from lorafuota.errors import TrailingOctetsError, UnknownCommandError
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.multipackage import v1 as multipackage
from lorafuota.multipackage.commandset import CommandSet, PackagedCommand
from lorafuota.package import PackageVersionAns, PackageVersionReq
from lorafuota.session.reassembly import (
    Expected,
    Reading,
    Reassembly,
    is_foreign,
    unanswered,
)
from tests.support import vectors

BUFFER = bytes.fromhex(vectors("ts007")["ans_buffer_for_buffer_requests"])
PACKAGES = {
    1: lorafuota.package("clocksync", 2),
    4: lorafuota.package("firmwaremanagement", 1),
}
EXPECTED: tuple[Expected, ...] = (
    (PackagedCommand(4, firmware.DevVersionReq()), firmware.DevVersionAns),
    (PackagedCommand(4, firmware.DevUpgradeImageReq()), firmware.DevUpgradeImageAns),
    (PackagedCommand(1, PackageVersionReq()), PackageVersionAns),
    (PackagedCommand(0, multipackage.DevPackageReq()), multipackage.DevPackageAns),
)


def read(one: Reassembly) -> Reading:
    return one.read(3, PACKAGES, EXPECTED)


@given(st.permutations(range(0, 38, 7)), st.integers(7, 12))
def test_pieces_in_any_order_make_the_buffer(order: list[int], size: int) -> None:
    one = Reassembly()
    for start in order:
        assert one.put(start, BUFFER[start : start + size])
        assert one.put(start, BUFFER[start : start + size])
    assert (one.prefix, len(one), one.has_gap) == (BUFFER, 38, False)
    reading = read(one)
    assert (reading.complete, reading.error) == (True, None)
    assert CommandSet(reading.answers, 3).answer_octets() == BUFFER


@pytest.mark.parametrize("octets", range(38))
def test_every_beginning_of_a_buffer_reads_as_unfinished(octets: int) -> None:
    one = Reassembly()
    one.put(0, BUFFER[:octets] or b"")
    reading = read(one)
    assert (reading.complete, reading.hopeless) == (False, False)
    assert BUFFER.startswith(CommandSet(reading.answers, 3).answer_octets())


def test_what_follows_the_last_expected_answer_is_of_no_interest() -> None:
    one = Reassembly()
    one.put(0, BUFFER + bytes(90))
    assert len(one) == 128
    reading = read(one)
    assert (reading.complete, len(reading.answers)) == (True, 4)


def test_a_contradiction_changes_nothing() -> None:
    one = Reassembly()
    assert one.put(4, b"abcd")
    assert not one.put(6, b"cX!")
    assert one.put(8, b"efg")
    assert (one.prefix, len(one), one.has_gap) == (b"", 7, True)


def test_octets_beyond_the_longest_buffer_are_left_out() -> None:
    one = Reassembly()
    assert one.put(127, bytes(128))
    assert len(one) == 1


@pytest.mark.parametrize(
    ("octets", "kind"), [("8700", UnknownCommandError), ("0005", TrailingOctetsError)]
)
def test_what_nothing_can_cure_is_told(octets: str, kind: type[Exception]) -> None:
    one = Reassembly()
    one.put(
        0, bytes.fromhex("840144332211785634128002") if octets == "0005" else bytes.fromhex(octets)
    )
    assert isinstance(read(one).error, kind)
    assert read(one).hopeless


def test_a_buffer_that_reads_as_a_piece_of_a_buffer_holds_no_answers() -> None:
    one = Reassembly()
    one.put(0, bytes((multipackage.MultiPackBufferFrag.CID, 5, 0xAA)))
    assert read(one) == Reading((), complete=False, error=None)


def test_answers_are_told_by_package_kind_and_number() -> None:
    twice = (EXPECTED[2], EXPECTED[2], EXPECTED[0])
    answer = PackageVersionAns(package_identifier=1, package_version=2)
    assert unanswered(twice, [PackagedCommand(1, answer)]) == (twice[1][0], twice[2][0])
    assert unanswered(twice, [PackagedCommand(4, answer)]) == tuple(one for one, _ in twice)
    assert unanswered((), [PackagedCommand(4, answer)]) == ()


def test_the_buffer_of_another_set_is_told_by_an_answer_nobody_waits_for() -> None:
    version = PackagedCommand(1, PackageVersionAns(package_identifier=1, package_version=2))
    request = AppTimeReq(device_time=0, token_req=0, ans_required=False)
    assert not is_foreign(EXPECTED, [version, PackagedCommand(1, request)])
    assert is_foreign(EXPECTED, [version, version])
    assert is_foreign((), [version])
    assert is_foreign(EXPECTED, [PackagedCommand(0, version.command)])
