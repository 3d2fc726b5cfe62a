"""The ANS buffer against the vectors of TS007, and where it ends."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota.clocksync import v2 as clocksync
from lorafuota.errors import FieldError
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.multipackage.commandset import (
    CommandSet,
    PackagedCommand,
    read_answers,
    read_command_set,
)
from lorafuota.multipackage.v1 import (
    BUFFER_SIZE,
    DevPackageAns,
    DevPackageReq,
    MultiPackBufferFrag,
    MultiPackBufferReq,
    PackageInfo,
)
from lorafuota.package import PackageVersionAns, PackageVersionReq
from lorafuota.session.multipackage import AnswerBuffer
from lorafuota.wire import Command
from tests.support import vectors

TS007 = vectors("ts007")
BUFFER = bytes.fromhex(TS007["ans_buffer_for_buffer_requests"])
PACKAGES = {
    number: lorafuota.package(name, version)
    for number, name, version in [
        (0, "multipackage", 1),
        (1, "clocksync", 2),
        (2, "multicastsetup", 2),
        (3, "fragmentation", 2),
        (4, "firmwaremanagement", 1),
    ]
}


def answer_of(one: PackagedCommand) -> Command | None:
    """What the simulated device of the vectors answers."""
    match one.command:
        case PackageVersionReq():
            return PackageVersionAns(
                package_identifier=one.package, package_version=PACKAGES[one.package].version
            )
        case DevPackageReq():
            infos = tuple(
                PackageInfo(package_identifier=number, package_version=own.version, port=own.fport)
                for number, own in PACKAGES.items()
            )
            return DevPackageAns(nb_total_packages=len(infos), packages=infos)
        case firmware.DevVersionReq():
            return firmware.DevVersionAns(fw_version=0x11223344, hw_version=0x12345678)
        case firmware.DevUpgradeImageReq():
            return firmware.DevUpgradeImageAns(
                up_image_status=firmware.UpImageStatus.VALID, next_firmware_version=0x17011973
            )
        case clocksync.ForceDeviceResyncCmd():
            return None
        case _:
            raise AssertionError(one)


def receive(buffer: AnswerBuffer, downlink: bytes) -> None:
    """Do what a device does with a payload on FPort 225."""
    found = read_command_set(downlink, PACKAGES)
    if isinstance(found, MultiPackBufferReq):
        buffer.request(found)
        return
    if found.commands:
        buffer.begin(found.token)
    named = 0
    for one in found.commands:
        answer = answer_of(one)
        if answer is None:
            continue
        identify = one.explicit or one.package != named
        buffer.append((bytes((0x80 | one.package,)) if identify else b"") + answer.encode())
        named = one.package


def drain(buffer: AnswerBuffer, max_payload: int) -> list[str]:
    frames = []
    while (frame := buffer.next_frame(max_payload)) is not None:
        frames.append(frame.hex())
    return frames


def filled(octets: bytes = BUFFER, token: int = 3) -> AnswerBuffer:
    buffer = AnswerBuffer()
    buffer.begin(token)
    assert buffer.append(octets)
    return buffer


@pytest.mark.parametrize("vector", TS007["downlinks"], ids=lambda v: v["id"])
def test_a_command_set_is_answered_as_in_the_vector(vector: dict[str, Any]) -> None:
    discarded = vector.get("result") == "discard"
    buffer = filled(b"not empty beforehand", 1) if discarded else AnswerBuffer()
    drain(buffer, 222)
    receive(buffer, bytes.fromhex(vector["downlink"]))
    assert drain(buffer, vector["max_payload"]) == vector["uplinks"]
    if discarded:
        assert (buffer.ans, buffer.token) == (b"not empty beforehand", 1)
        return
    assert (buffer.ans.hex(), len(buffer.ans)) == (vector["ans_buffer"], vector["ans_length"])
    if vector["parsed"]:
        assert buffer.token == vector["token"]


@pytest.mark.parametrize("vector", TS007["buffer_requests"], ids=lambda v: v["id"])
def test_a_part_is_sent_again_as_in_the_vector(vector: dict[str, Any]) -> None:
    buffer = filled()
    assert drain(buffer, 222) == [BUFFER.hex() + "03"]
    found = read_command_set(bytes.fromhex(vector["downlink"]), PACKAGES)
    assert found == MultiPackBufferReq(start_byte=vector["start"], stop_byte=vector["stop"])
    buffer.request(found)
    assert drain(buffer, vector["max_payload"]) == vector["uplinks"]
    assert (buffer.ans, buffer.token) == (BUFFER, 3)


DIALOGUES = [sequence for sequence in TS007["sequences"] if "steps" in sequence]


@pytest.mark.parametrize("sequence", DIALOGUES, ids=lambda v: v["id"])
def test_a_dialogue_goes_as_in_the_vector_aborted_transmissions_included(
    sequence: dict[str, Any],
) -> None:
    buffer = AnswerBuffer()
    for step in sequence["steps"]:
        receive(buffer, bytes.fromhex(step["downlink"]))
        for expected in step["uplinks_before_next"]:
            frame = buffer.next_frame(sequence.get("max_payload", 222))
            assert frame is not None
            assert frame.hex() == expected
    assert buffer.next_frame(222) is None


# Where it ends


def test_an_answer_is_kept_whole_or_not_at_all() -> None:
    buffer = filled(bytes(BUFFER_SIZE - 3))
    assert not buffer.append(b"four")
    assert buffer.ans == bytes(BUFFER_SIZE - 3)
    assert buffer.append(b"333")
    assert not buffer.append(b"1")
    assert buffer.ans == bytes(BUFFER_SIZE - 3) + b"333"


def test_an_empty_buffer_sends_nothing_and_has_no_first_octet() -> None:
    buffer = AnswerBuffer()
    assert (buffer.ans, buffer.token, buffer.next_frame(222)) == (b"", 0, None)
    buffer.request(MultiPackBufferReq(start_byte=0, stop_byte=127))
    assert drain(buffer, 222) == ["02ff"]
    buffer.begin(2)
    assert drain(buffer, 222) == []


def test_the_data_rate_may_change_between_pieces() -> None:
    buffer = filled()
    sizes = [11, 4, 51, 11]
    frames = [buffer.next_frame(size) for size in sizes]
    pieces = [MultiPackBufferFrag.decode(frame) for frame in frames if frame is not None]
    assert [(piece.base_byte, piece.ans, piece.token) for piece in pieces] == [
        (0, BUFFER[:8], 3),
        (8, BUFFER[8:9], 3),
        (9, BUFFER[9:38], 3),
    ]
    assert frames[3] is None


def test_a_buffer_begun_in_pieces_ends_in_pieces() -> None:
    buffer = filled()
    assert buffer.next_frame(11) == b"\x02\x00" + BUFFER[:8] + b"\x03"
    assert buffer.next_frame(222) == b"\x02\x08" + BUFFER[8:] + b"\x03"


@pytest.mark.parametrize("max_payload", [0, 3])
def test_a_payload_without_room_is_the_owners_mistake(max_payload: int) -> None:
    with pytest.raises(FieldError):
        filled().next_frame(max_payload)


@pytest.mark.parametrize("token", [-1, 4])
def test_a_token_has_two_bits(token: int) -> None:
    with pytest.raises(FieldError):
        AnswerBuffer().begin(token)


def test_a_buffer_survives_copying_and_pickling_in_mid_transmission() -> None:
    buffer = filled()
    buffer.next_frame(11)
    twins = [copy.deepcopy(buffer), pickle.loads(pickle.dumps(buffer))]
    rest = drain(buffer, 11)
    assert [drain(twin, 11) for twin in twins] == [rest, rest]


@given(
    ans=st.binary(min_size=1, max_size=BUFFER_SIZE),
    sizes=st.lists(st.integers(4, 242), min_size=1),
    start=st.integers(0, 255),
    stop=st.integers(0, 255),
)
def test_any_request_gives_the_octets_asked_for_in_order(
    ans: bytes, sizes: list[int], start: int, stop: int
) -> None:
    buffer = filled(ans, 1)
    buffer.request(MultiPackBufferReq(start_byte=start, stop_byte=stop))
    got, place = b"", start
    for turn in range(2 * BUFFER_SIZE):
        size = sizes[turn % len(sizes)]
        frame = buffer.next_frame(size)
        if frame is None:
            break
        if frame == b"\x02\xff":
            assert start >= len(ans) or stop < start
            continue
        piece = MultiPackBufferFrag.decode(frame, strict=True)
        assert len(frame) <= size
        assert (piece.base_byte, piece.token) == (place, 1)
        assert piece.ans is not None
        got, place = got + piece.ans, place + len(piece.ans)
    assert got == ans[start : stop + 1]
    assert buffer.next_frame(4) is None


def test_what_leaves_whole_reads_as_the_answers() -> None:
    buffer = AnswerBuffer()
    receive(buffer, bytes.fromhex("8401048100800103"))
    [frame] = drain(buffer, 222)
    found = read_answers(bytes.fromhex(frame), PACKAGES, strict=True)
    assert isinstance(found, CommandSet)
    assert [one.package for one in found.commands] == [4, 4, 1, 0]
    assert (found.answer_octets(), found.token) == (BUFFER, 3)
