"""The server's end of command sets: packing, reassembly as in the vector, and every way to fail."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota.clocksync import v1 as clocksync_v1
from lorafuota.clocksync import v2 as clocksync
from lorafuota.errors import FieldError, StateError
from lorafuota.firmwaremanagement import v1 as firmware
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.multicastsetup import v2 as multicastsetup
from lorafuota.multipackage import v1 as multipackage
from lorafuota.multipackage.commandset import CommandSet, PackagedCommand
from lorafuota.multipackage.v1 import DevPackageReq, MultiPackBufferReq
from lorafuota.package import Package, PackageVersionAns, PackageVersionReq
from lorafuota.session.actions import Dropped, DropReason, Rejected
from lorafuota.session.expected import answer_kind
from lorafuota.session.multipackageserver import MultiPackageServer
from lorafuota.session.retries import Retries
from lorafuota.session.serveractions import (
    Downlink,
    PackagesFound,
    ServerAction,
    SetAnswered,
    SetFailed,
    SetFailure,
)
from lorafuota.wire import Command
from tests.support import vectors

TS007 = vectors("ts007")
BUFFER = bytes.fromhex(TS007["ans_buffer_for_buffer_requests"])
NOW = 1_400_000_000.0
OWN = [
    lorafuota.package("clocksync", 2),
    lorafuota.package("multicastsetup", 2),
    lorafuota.package("fragmentation", 2),
    lorafuota.package("firmwaremanagement", 1),
]
ZERO, CLOCK, FIRMWARE = multipackage.PACKAGE, OWN[0], OWN[3]
BY_NUMBER = {one.identifier: one for one in (ZERO, *OWN)}
VECTOR_SET: list[tuple[Package, Command]] = [
    (FIRMWARE, firmware.DevVersionReq()),
    (FIRMWARE, firmware.DevUpgradeImageReq()),
    (CLOCK, PackageVersionReq()),
    (ZERO, DevPackageReq()),
]
LEARNT = PackagesFound(
    tuple(
        multipackage.PackageInfo(
            package_identifier=one.identifier, package_version=one.version, port=one.fport
        )
        for one in (ZERO, *OWN)
    ),
    (ZERO, *OWN),
)


def packaged(commands: list[tuple[Package, Command]]) -> tuple[PackagedCommand, ...]:
    return tuple(PackagedCommand(package.identifier, command) for package, command in commands)


def buffer_req(start: int) -> Downlink:
    return Downlink(225, MultiPackBufferReq(start_byte=start, stop_byte=127))


def server(**options: Any) -> MultiPackageServer:
    return MultiPackageServer(OWN, **{"retries": Retries(seconds=100, tries=4)} | options)


def asking() -> MultiPackageServer:
    """A server that has sent the set of the vectors, with their token."""
    one = server(next_token=3)
    [sent] = one.submit(VECTOR_SET, now=NOW)
    assert isinstance(sent, Downlink)
    assert (sent.fport, sent.payload.hex()) == (225, "8401048100800103")
    return one


def receive(one: MultiPackageServer, *frames: str, now: float = NOW) -> list[ServerAction]:
    found: list[ServerAction] = []
    for frame in frames:
        found += one.receive(bytes.fromhex(frame), now=now)
    return found


def is_whole(found: list[ServerAction]) -> bool:
    """Whether these actions end the set of the vectors with every answer."""
    answered, learnt = found
    assert isinstance(answered, SetAnswered)
    assert (answered.commands, answered.unanswered) == (packaged(VECTOR_SET), ())
    octets = CommandSet(answered.answers, 3).answer_octets()
    return octets == BUFFER and learnt == LEARNT


# The vectors


def test_what_was_lost_is_asked_for_and_put_together_as_in_the_vector() -> None:
    [vector] = [one for one in TS007["sequences"] if one["id"] == "server-reassembly"]
    [middle] = [one for one in TS007["buffer_requests"] if one["id"] == "refragment"]
    one = asking()
    assert receive(one, *vector["received"]) == []
    assert one.next_deadline == NOW + 100
    [request] = one.tick(now=NOW + 100)
    assert isinstance(request, Downlink)
    assert [request.payload.hex()] == vector["recovery_requests"]
    pieces = [frame for frame in middle["uplinks"] if int(frame[2:4], 16) >= 8]
    assert receive(one, pieces[0]) == []
    assert receive(one, pieces[1]) == []  # it was there
    found = receive(one, pieces[2])
    assert is_whole(found)
    assert isinstance(found[0], SetAnswered)
    assert CommandSet(found[0].answers, 3).answer_octets().hex() == vector["result"]
    assert [one.under_way, one.next_deadline] == [None, None]
    assert receive(one, *pieces[3:]) == [Dropped(DropReason.UNASKED, "a piece of a buffer")]


@pytest.mark.parametrize("vector", TS007["buffer_requests"], ids=lambda v: v["id"])
def test_any_part_that_comes_again_is_placed_and_an_error_is_none(vector: dict[str, Any]) -> None:
    """Each of the vector's uplinks, after which the rest completes the buffer."""
    for field in ("uplinks", "lora_basics_modem_sends"):
        one = asking()
        frames = vector.get(field, [])
        if frames and frames[0].startswith("02ff"):
            assert receive(one, *frames) == [Dropped(DropReason.UNASKED, "no such octets")]
            continue
        found = receive(one, *frames)
        known: list[ServerAction] = [each for each in found if not isinstance(each, Rejected)]
        if not known:
            known = receive(one, BUFFER.hex() + "03")
        assert is_whole(known)


ANSWERED = [
    pytest.param(one, one[field], id=f"{one['id']}-{field}")
    for one in TS007["downlinks"]
    for field in ("uplinks", "lora_basics_modem_sends")
    if one.get("parsed") and one.get(field) and "stopped" not in one
    if field == "uplinks" or one["ans_length"] <= 125  # more does not fit that stack
]


@pytest.mark.parametrize(("vector", "uplinks"), ANSWERED)
def test_answers_are_read_as_they_are_sent_in_the_vector(
    vector: dict[str, Any], uplinks: list[str]
) -> None:
    commands: list[tuple[Package, Command]] = []
    for each in vector["parsed"]:
        package = BY_NUMBER[each["package"]]
        octets = bytes((each["cid"],)) + bytes.fromhex(each["payload"])
        [command] = package.parse(octets, lorafuota.DOWNLINK)
        assert isinstance(command, Command)
        commands.append((package, command))
    commands = [each for each in commands if answer_kind(*each) is not None]
    one = server(next_token=vector["token"], buffer_octets=128)
    sent = one.submit(commands, now=NOW)
    assert len(sent) == 1
    found = [each for each in receive(one, *uplinks) if not isinstance(each, Dropped)]
    answered = found[0]
    assert isinstance(answered, SetAnswered)
    assert (answered.commands, answered.unanswered) == (packaged(commands), ())
    assert [each.package for each in answered.answers] == [each.identifier for each, _ in commands]


# Packing


def test_as_many_as_fit_leave_together_and_the_others_wait() -> None:
    one = server(max_payload=4)
    commands: list[tuple[Package, Command]] = [
        (FIRMWARE, firmware.DevVersionReq()),
        (FIRMWARE, firmware.DevUpgradeImageReq()),
        (CLOCK, PackageVersionReq()),
    ]
    sent = one.submit(commands, now=NOW)
    assert sent == [Downlink(225, CommandSet(packaged(commands[:2]), 0))]
    assert one.waiting == packaged(commands[2:])
    [answered, second] = receive(one, "84014433221178563412040000")
    assert isinstance(answered, SetAnswered)
    assert second == Downlink(225, CommandSet(packaged(commands[2:]), 1))
    assert one.waiting == ()


def test_a_set_is_no_larger_than_its_answers_may_be() -> None:
    """14 versions make 1 + 14 * 9 = 127 octets, 13 make 118."""
    commands: list[tuple[Package, Command]] = [(FIRMWARE, firmware.DevVersionReq())] * 15
    for room, count in ((125, 13), (127, 14), (126, 13), (1, 1)):
        one = server(buffer_octets=room)
        assert one.submit(commands, now=NOW) == [
            Downlink(225, CommandSet(packaged(commands[:count]), 0))
        ]
        assert len(one.waiting) == 15 - count


def test_a_command_without_answer_travels_alone_and_is_not_repeated() -> None:
    one = server()
    force = (CLOCK, clocksync.ForceDeviceResyncCmd(nb_transmissions=3))
    version = (CLOCK, PackageVersionReq())
    commands: list[tuple[Package, Command]] = [version, force, version]
    [first] = one.submit(commands, now=NOW)
    assert first == Downlink(225, CommandSet(packaged([version]), 0))
    answered, second, over, third = receive(one, "8100010200")
    assert isinstance(answered, SetAnswered)
    assert [second, over, third] == [
        Downlink(225, CommandSet(packaged([force]), 1)),
        SetAnswered(packaged([force]), ()),
        Downlink(225, CommandSet(packaged([version]), 2)),
    ]


def test_tokens_count_modulo_four() -> None:
    one = server()
    tokens = []
    for _ in range(6):
        [sent] = one.submit([(CLOCK, PackageVersionReq())], now=NOW)
        assert isinstance(sent, Downlink)
        tokens.append(sent.payload[-1])
        receive(one, f"810001020{tokens[-1]}")
    assert tokens == [0, 1, 2, 3, 0, 1]


def test_a_command_too_long_for_a_slower_data_rate_is_named() -> None:
    one = server()
    setup = multicastsetup.McGroupDeleteReq(mc_group_id=0)
    own = BY_NUMBER[2]
    one.submit([(CLOCK, PackageVersionReq()), (own, setup)], now=NOW)
    one.submit([(own, setup), (ZERO, PackageVersionReq())], now=NOW)
    one.max_payload = 3
    found = receive(one, "810001028203" + "0000")
    assert found[1:] == [
        SetFailed(packaged([(own, setup)]), SetFailure.TOO_LONG),
        Downlink(225, CommandSet(packaged([(ZERO, PackageVersionReq())]), 1)),
    ]


# Discovery


def test_packages_are_found_and_can_be_used() -> None:
    one = MultiPackageServer()
    with pytest.raises(StateError, match="not known to have clocksync/2: discover first"):
        one.submit([(CLOCK, PackageVersionReq())], now=NOW)
    [sent] = one.discover(now=NOW)
    assert isinstance(sent, Downlink)
    assert sent.payload.hex() == "0100"
    answer = "01050001e10102ca0202c80302c90401cb00"
    answered, learnt = receive(one, answer)
    assert isinstance(answered, SetAnswered)
    assert learnt == LEARNT
    assert one.packages == BY_NUMBER
    assert len(one.submit([(CLOCK, PackageVersionReq())], now=NOW)) == 1
    with pytest.raises(StateError, match="clocksync/1"):
        one.submit([(clocksync_v1.PACKAGE, PackageVersionReq())], now=NOW)


def test_a_version_nobody_knows_is_told_and_not_used() -> None:
    one = MultiPackageServer()
    one.discover(now=NOW)
    _, learnt = receive(one, "01030001e10109ca7f01cb00")
    assert isinstance(learnt, PackagesFound)
    assert [each.package_version for each in learnt.packages] == [1, 9, 1]
    assert (learnt.usable, one.packages) == ((ZERO,), {0: ZERO})


# Loss


def test_silence_asks_for_the_buffer_and_then_for_the_set_and_then_ends() -> None:
    one = asking()
    commands = packaged(VECTOR_SET)
    assert one.tick(now=NOW + 99) == []
    assert one.tick(now=NOW + 100) == [buffer_req(0)]
    assert one.tick(now=NOW + 200) == [Downlink(225, CommandSet(commands, 0))]
    assert receive(one, BUFFER.hex() + "03") == [Dropped(DropReason.UNASKED, "token 3")]
    twin = copy.deepcopy(one)
    assert is_whole(receive(twin, BUFFER.hex() + "00"))
    assert one.tick(now=NOW + 300) == [buffer_req(0)]
    assert one.tick(now=NOW + 400) == [SetFailed(commands, SetFailure.NO_ANSWER)]
    assert (one.next_deadline, one.tick(now=NOW + 500)) == (None, [])


def test_an_empty_buffer_means_that_the_set_was_lost() -> None:
    for error in ("02ff", "02ff03"):
        one = asking()
        one.tick(now=NOW + 100)
        again = Downlink(225, CommandSet(packaged(VECTOR_SET), 0))
        assert receive(one, error) == [again]
        assert receive(one, error) == [Dropped(DropReason.UNASKED, "no such octets")]


def test_a_buffer_lost_in_a_reset_is_made_again() -> None:
    one = asking()
    receive(one, "0200840144332211785603")
    assert one.tick(now=NOW + 100) == [buffer_req(7)]
    assert receive(one, "02ff") == [Downlink(225, CommandSet(packaged(VECTOR_SET), 0))]
    assert receive(one, "0208341204037319011703") == [Dropped(DropReason.UNASKED, "token 3")]
    assert is_whole(receive(one, BUFFER.hex() + "00"))


def test_a_set_made_again_and_again_ends_by_name() -> None:
    one = asking()
    found: list[ServerAction] = []
    while one.next_deadline is not None and len(found) < 100:
        found += one.tick(now=one.next_deadline)
        found += receive(one, "02ff")
    sets = [each for each in found if isinstance(each, Downlink) and len(each.payload) > 3]
    assert [each.payload[-1] for each in sets] == [0, 1, 2]
    ends = [each for each in found if isinstance(each, SetFailed)]
    assert ends == [SetFailed(packaged(VECTOR_SET), SetFailure.NO_ANSWER)]


def test_a_device_that_contradicts_itself_for_ever_is_given_up() -> None:
    one = asking()
    found: list[ServerAction] = []
    for token in (3, 0, 1, 2, 3):
        assert receive(one, f"0208aa{token:02x}") == []
        found += receive(one, f"0208bb{token:02x}")
    assert one.next_deadline is None
    *again, failed = found
    assert again == [Downlink(225, CommandSet(packaged(VECTOR_SET), at)) for at in (0, 1, 2, 3)]
    assert failed == SetFailed(packaged(VECTOR_SET), SetFailure.INCOMPLETE)


def test_a_missing_end_is_asked_for_from_the_last_octet_known() -> None:
    one = asking()
    receive(one, "0200840144332211785603")
    assert one.tick(now=NOW + 100) == [buffer_req(7)]
    assert receive(one, "020756" + BUFFER[8:20].hex() + "03") == []
    assert one.tick(now=NOW + 200) == [buffer_req(19)]
    assert is_whole(receive(one, "0213" + BUFFER[19:].hex() + "03"))


def test_a_device_that_stopped_early_is_found_out() -> None:
    one = asking()
    part = BUFFER[:10]
    receive(one, f"0200{part.hex()}03")
    assert one.tick(now=NOW + 100) == [buffer_req(9)]
    [answered] = receive(one, f"0209{part[9:].hex()}03")
    assert isinstance(answered, SetAnswered)
    assert CommandSet(answered.answers, 3).answer_octets() == part
    assert answered.unanswered == packaged(VECTOR_SET[1:])


def test_a_buffer_that_ends_inside_an_answer_is_rejected_there() -> None:
    one = asking()
    receive(one, f"0200{BUFFER[:14].hex()}03")
    assert one.tick(now=NOW + 100) == [buffer_req(13)]
    rejected, answered = receive(one, f"020d{BUFFER[13:14].hex()}03")
    assert isinstance(rejected, Rejected)
    assert rejected.payload == BUFFER[:14]
    assert isinstance(answered, SetAnswered)
    assert answered.unanswered == packaged(VECTOR_SET[1:])


def test_a_whole_buffer_that_is_short_says_what_was_left_out() -> None:
    one = asking()
    [answered] = receive(one, BUFFER[:10].hex() + "03")
    assert isinstance(answered, SetAnswered)
    assert answered.unanswered == packaged(VECTOR_SET[1:])
    one = asking()
    assert receive(one, "03") == [
        SetAnswered(packaged(VECTOR_SET), (), packaged(VECTOR_SET))  # a bare token (RadioLib)
    ]


def test_a_buffer_of_which_a_part_never_comes_is_given_up_with_what_there_is() -> None:
    one = asking()
    receive(one, f"0200{BUFFER[:12].hex()}03")
    asked = [one.tick(now=NOW + 100 * turn) for turn in range(1, 5)]
    assert asked[:3] == [[buffer_req(11)]] * 3
    [failed] = asked[3]
    assert isinstance(failed, SetFailed)
    assert (failed.failure, len(failed.answers)) == (SetFailure.INCOMPLETE, 1)


def test_two_buffers_under_one_token_are_not_mixed() -> None:
    one = asking()
    receive(one, "0200840144332211785603")
    again = Downlink(225, CommandSet(packaged(VECTOR_SET), 0))
    assert receive(one, "0207993412") == [Dropped(DropReason.UNASKED, "token 2")]
    assert receive(one, "020799341203") == [again]
    assert is_whole(receive(one, BUFFER.hex() + "00"))


def test_renesas_may_lose_the_last_octet_and_basics_modem_may_send_too_many() -> None:
    one = asking()
    receive(one, f"0200{BUFFER[:-1].hex()}03")
    assert one.tick(now=NOW + 100) == [buffer_req(36)]
    assert is_whole(receive(one, f"0224{BUFFER[36:].hex()}{'00' * 80}03"))


def test_the_token_a_device_was_last_seen_with_is_not_used_again() -> None:
    one = server(next_token=1)
    one.submit([(CLOCK, PackageVersionReq())], now=NOW)
    receive(one, "00000100")  # of a set of long ago, token 0
    found: list[ServerAction] = []
    for deadline in (100, 200, 300, 400):
        found += one.tick(now=NOW + deadline)
    found += one.submit([(CLOCK, PackageVersionReq())], now=NOW + 500)
    for deadline in (600, 700):
        found += one.tick(now=NOW + deadline)
    sent = [each.command for each in found if isinstance(each, Downlink)]
    assert [each.token for each in sent if isinstance(each, CommandSet)] == [2, 3, 1]


def test_the_buffer_of_another_set_under_the_same_token_is_told_by_its_answers() -> None:
    one = server(next_token=3)
    version = [(CLOCK, PackageVersionReq())]
    one.submit(version, now=NOW)
    again = Downlink(225, CommandSet(packaged([*version]), 0))
    assert receive(one, "0200840144332211785603") == []  # it may go on with the right one
    assert receive(one, "020834128100010203") == [again]
    assert receive(one, "8100010200") == [
        SetAnswered(
            packaged([*version]),
            (
                PackagedCommand(
                    1, PackageVersionAns(package_identifier=1, package_version=2), explicit=True
                ),
            ),
        )
    ]


# What does not belong


def test_answers_to_something_else_change_nothing() -> None:
    one = asking()
    assert receive(one, "00000103") == [Dropped(DropReason.UNASKED, "other answers")]
    assert receive(one, "") == [Dropped(DropReason.UNASKED, "nothing")]
    [rejected] = receive(one, "87000003")
    assert isinstance(rejected, Rejected)
    assert (rejected.fport, rejected.payload) == (225, bytes.fromhex("87000003"))
    [rejected] = receive(one, "02")
    assert isinstance(rejected, Rejected)
    assert is_whole(receive(one, BUFFER.hex() + "03"))
    assert receive(one, BUFFER.hex() + "03") == [Dropped(DropReason.UNASKED, "token 3")]


def test_an_end_that_cannot_be_read_is_rejected_and_the_rest_delivered() -> None:
    for frame in ("84014433221178563412870003", "020084014433221178563412870003"):
        rejected, answered = receive(asking(), frame)
        assert isinstance(rejected, Rejected)
        assert isinstance(answered, SetAnswered)
        assert answered.unanswered == packaged(VECTOR_SET[1:])


def test_an_uplink_among_the_answers_is_handed_over() -> None:
    """Renesas puts the forced AppTimeReq into the buffer."""
    one = server()
    one.submit([(CLOCK, PackageVersionReq())], now=NOW)
    [answered] = receive(one, "8101120b9f550000010200")
    assert isinstance(answered, SetAnswered)
    request = clocksync.AppTimeReq(device_time=1436486418, token_req=0, ans_required=False)
    version = PackageVersionAns(package_identifier=1, package_version=2)
    assert [each.command for each in answered.answers] == [request, version]


# Bounds and misuse


def test_no_more_commands_wait_than_there_may() -> None:
    one = server(max_waiting=2)
    version = (CLOCK, PackageVersionReq())
    one.submit([version], now=NOW)
    one.submit([version, version], now=NOW)
    with pytest.raises(StateError, match="more than 2 commands would be waiting"):
        one.submit([version], now=NOW)
    assert one.waiting == packaged([version, version])


@pytest.mark.parametrize(
    ("package", "command", "expected"),
    [
        (CLOCK, firmware.DevVersionReq(), "downlinks of clocksync/2"),
        (CLOCK, PackageVersionAns(package_identifier=1, package_version=2), "downlinks of"),
        (ZERO, MultiPackBufferReq(start_byte=0, stop_byte=1), "commands that can be in a set"),
        (
            BY_NUMBER[3],
            DataFragment(n=1, frag_index=0, payload=b"x"),
            "commands that can be in a set",
        ),
        (
            FIRMWARE,
            firmware.DevDeleteImageReq(firmware_to_delete_version=1),
            "a set of at most 6 octets, this has 7",
        ),
    ],
)
def test_a_command_that_cannot_travel_so_is_refused(
    package: Package, command: Command, expected: str
) -> None:
    one = server(max_payload=6)
    with pytest.raises(FieldError) as caught:
        one.submit([(CLOCK, PackageVersionReq()), (package, command)], now=NOW)
    assert expected in caught.value.expected
    assert (one.waiting, one.under_way) == ((), None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_payload": 2},
        {"max_payload": 243},
        {"buffer_octets": 129},
        {"max_waiting": 0},
        {"next_token": 4},
        {"packages": [CLOCK, clocksync_v1.PACKAGE]},
    ],
)
def test_a_wrong_argument_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        MultiPackageServer(**wrong)
    [name] = wrong
    assert (caught.value.message, caught.value.field) == ("MultiPackageServer", name)


def test_a_time_that_is_none_is_refused() -> None:
    one = server()
    calls: list[Callable[[], object]] = [
        lambda: one.submit([(CLOCK, PackageVersionReq())], now=math.nan),
        lambda: one.discover(now=math.inf),
        lambda: one.receive(b"", now=math.nan),
        lambda: one.tick(now=math.nan),
    ]
    for call in calls:
        with pytest.raises(FieldError):
            call()
    assert (one.under_way, one.waiting) == (None, ())


def test_time_may_run_back() -> None:
    one = asking()
    assert one.tick(now=0) == []
    assert one.next_deadline == 100


@given(st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 150)), max_size=40))
def test_whatever_arrives_every_set_ends(events: list[bytes | int]) -> None:
    one, now = asking(), NOW
    found: list[ServerAction] = []
    for event in events:
        if isinstance(event, int):
            now += event
            found += one.tick(now=now)
        else:
            found += one.receive(event, now=now)
    for _ in range(60):
        if one.next_deadline is None:
            break
        now = max(now, one.next_deadline)
        found += one.tick(now=now)
    assert one.under_way is None
    ends = [each for each in found if isinstance(each, SetAnswered | SetFailed)]
    assert [each.commands for each in ends] == [packaged(VECTOR_SET)]


def test_it_survives_copying_and_pickling_in_the_middle() -> None:
    one = asking()
    receive(one, "0200840144332211785603")
    for twin in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert is_whole(receive(twin, f"0208{BUFFER[8:].hex()}03"))
    assert one.under_way is not None
