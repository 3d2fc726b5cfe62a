"""A whole device, octets in and actions out: dialogues, refusals, noise (promises S3, S10)."""

from __future__ import annotations

import dataclasses
import enum
import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from bitarray import bitarray
from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError, StateError
from lorafuota.fec.decoder import FragDecoder
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation import v1 as fragmentation_v1
from lorafuota.fragmentation import v2 as fragmentation_v2
from lorafuota.fragmentation.v1 import DataFragment, FragSessionStatusReq
from lorafuota.link import Drop
from lorafuota.multicastsetup import v1 as multicastsetup_v1
from lorafuota.multicastsetup.v1 import McGroupDeleteReq, McGroupStatusReq
from lorafuota.multipackage import v1 as multipackage
from lorafuota.multipackage.commandset import CommandSet, PackagedCommand, read_answers
from lorafuota.package import Package, PackageVersionAns, PackageVersionReq
from lorafuota.session.actions import (
    Action,
    BlockReceived,
    Dropped,
    DropReason,
    ListenClassC,
    Reboot,
    Rejected,
    Send,
    StopListening,
    Store,
    StoreSessionCnt,
)
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragDevice, FragLimits, FragServer, FragState
from lorafuota.session.multicast import McDevice, McGroupServer, McLimits, SessionAns
from lorafuota.session.profile import frag_profile, mc_profile
from lorafuota.session.stacks import device_profile
from lorafuota.testing.hostile import hostile
from lorafuota.testing.strategies import payloads, records
from lorafuota.types import DOWNLINK, UPLINK, AppKey, DevAddr, GenAppKey, Key, McKey
from lorafuota.wire import Command
from tests.support import rebuilt, vectors

NOW = 1_300_000_000.0
ROOT = GenAppKey(bytes.fromhex("00112233445566778899aabbccddeeff"))
MC_KEY = McKey(bytes(range(1, 17)))
MC_ADDR = DevAddr(0x26011BDA)
IMAGE = bytes(7 * i + 3 & 255 for i in range(95))
BLOCK = DataBlock(IMAGE, 10, b"\x04\x03\x02\x01")
EU868 = McLimits(frequencies_hz=range(863_000_000, 870_000_001), drs=range(8))
MULTICAST, FRAGMENTATION, SETS = 200, 201, 225
both = pytest.mark.parametrize("version", [1, 2])


def device(
    version: int,
    *,
    root: GenAppKey | AppKey = ROOT,
    frag_limits: FragLimits | None = None,
    parity: ParityVariant | None = None,
    **options: Any,
) -> FuotaDevice:
    profile = frag_profile(version)
    if parity is not None:
        profile = dataclasses.replace(profile, parity=parity)
    return FuotaDevice(
        multicast=McDevice(mc_profile(version), root_key=root, limits=EU868),
        fragmentation=FragDevice(profile, rng=random.Random(7), root_key=root, limits=frag_limits),
        **options,
    )


def group(*, next_fcnt: int = 0) -> McGroupServer:
    return McGroupServer(mc_addr=MC_ADDR, mc_key=MC_KEY, max_mc_fcnt=10_000, next_fcnt=next_fcnt)


def server(version: int, block: DataBlock = BLOCK, **options: Any) -> FragServer:
    return FragServer(frag_profile(version), block, root_key=ROOT, **{"frag_index": 1, **options})


def tell(one: FuotaDevice, fport: int, *commands: Command, **options: Any) -> list[Action]:
    payload = b"".join(command.encode() for command in commands)
    actions = one.receive(fport, payload, **{"now": NOW, **options})
    return said(rebuilt(one, actions, options.get("now", NOW)))


def said(actions: list[Action]) -> list[Action]:
    """Without what has to be stored of groups and set-ups; that has tests of its own."""
    return [action for action in actions if not isinstance(action, Store)]


def running(version: int) -> tuple[FuotaDevice, McGroupServer, FragServer]:
    """A member of groups 0 and 1, in a session that group 0 feeds, with three fragments."""
    one, members = device(version), group()
    tell(one, MULTICAST, members.setup_req(ROOT, mc_group_id=0))
    other = McGroupServer(mc_addr=DevAddr(5), mc_key=McKey(bytes(16)), max_mc_fcnt=99)
    tell(one, MULTICAST, other.setup_req(ROOT, mc_group_id=1))
    tell(one, MULTICAST, window_req(1), now=NOW)
    sender = server(version, mc_group_bit_mask=0b0001)
    tell(one, FRAGMENTATION, sender.setup_req)
    for n in (1, 3, 12):
        tell(one, FRAGMENTATION, fragment(sender, n))
    tell(one, SETS, multipackage.MultiPackBufferReq(start_byte=0, stop_byte=1))
    return one, members, sender


def window_req(mc_group_id: int = 0) -> multicastsetup_v1.McClassCSessionReq:
    return McGroupServer.class_c_session_req(
        mc_group_id=mc_group_id, start=NOW + 600, seconds=256, dl_freq_hz=869_525_000, dr=3
    )


def fragment(sender: FragServer, n: int) -> DataFragment:
    payload = sender.block.encoder(sender.profile.parity).fragment(n)
    return DataFragment(n=n, frag_index=sender.setup_req.frag_index, payload=payload)


def plain(thing: object) -> Any:
    """Everything an object knows, down to the keys, as data that can be compared later."""
    match thing:
        case None | bool() | int() | float() | str() | bytes() | enum.Enum() | range():
            return thing
        case Key():
            return (type(thing).__name__, thing.reveal())
        case random.Random():
            return thing.getstate()
        case FragDecoder():
            return thing.save()
        case bitarray():
            return thing.to01()
        case Package():
            return str(thing)
        case Mapping():
            return [(plain(key), plain(value)) for key, value in thing.items()]
        case list() | tuple():
            return [plain(one) for one in thing]
        case _:
            return plain_fields(thing)


def plain_fields(thing: object) -> Any:
    fields = vars(thing) if hasattr(thing, "__dict__") else {}
    slots = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
    known = {**fields, **{name: getattr(thing, name) for name in slots if hasattr(thing, name)}}
    assert known, thing
    return (type(thing).__name__, [(name, plain(value)) for name, value in known.items()])


def sends(actions: list[Action]) -> list[str]:
    return [action.payload.hex() for action in actions if isinstance(action, Send)]


def test_the_snapshot_notices_every_change_the_tests_below_rely_on() -> None:
    one, members, sender = running(2)
    seen = [plain(one)]
    changes: list[Callable[[], object]] = [
        lambda: tell(one, FRAGMENTATION, fragment(sender, 4)),
        lambda: one.receive_frame(members.sender.seal(b"\x00", fport=201), now=NOW),
        lambda: one.receive_frame(
            members.sender.seal(b"\x01\x03", fport=201), now=NOW
        ),  # a random delay was drawn
        lambda: tell(one, MULTICAST, window_req(0)),
        lambda: one.receive(SETS, b"\x00\x01", now=NOW),
        lambda: tell(one, FRAGMENTATION, server(2, session_cnt=1).setup_req),
        lambda: tell(one, MULTICAST, McGroupDeleteReq(mc_group_id=1)),
    ]
    for change in changes:
        change()
        assert plain(one) not in seen
        seen.append(plain(one))


# The vectors


def first_number(document: str) -> int:
    return int(document[0])


@pytest.mark.parametrize(
    "scenario",
    vectors("ts005")["device_scenarios"],
    ids=lambda v: v["device"]["version"],
)
def test_the_dialogue_about_groups_goes_as_in_the_vector(scenario: dict[str, Any]) -> None:
    facts = scenario["device"]
    lowest, highest = facts["usable_freq_hz"]
    version = first_number(facts["version"])
    limits = McLimits(
        max_groups=facts["max_groups"],
        frequencies_hz=range(lowest, highest + 1),
        drs=facts["usable_dr"],
    )
    one = FuotaDevice(
        multicast=McDevice(mc_profile(version), root_key=ROOT, limits=limits),
        fragmentation=FragDevice(frag_profile(1), rng=random.Random(1)),
    )
    for step in scenario["steps"]:
        one.max_payload = step["max_uplink_payload"]
        mc_group_id = 0 if step["via"] == "multicast" else None
        now = step["gps_now"]
        actions = one.receive(
            MULTICAST, bytes.fromhex(step["downlink"]), now=now, mc_group_id=mc_group_id
        )
        expected = [] if step["uplink"] is None else [step["uplink"]]
        assert (step["note"], sends(actions)) == (step["note"], expected)
        assert all(
            (action.fport, action.not_before) == (MULTICAST, now)
            for action in actions
            if isinstance(action, Send)
        )


@pytest.mark.parametrize("vector", vectors("ts004")["transcripts"], ids=lambda v: v["name"])
def test_a_whole_session_goes_as_in_the_vector(vector: dict[str, Any]) -> None:
    one = device(first_number(vector["version"]), root=GenAppKey.from_hex(vector["root_key"]))
    delivered = []
    for step in vector["steps"]:
        downlink = bytes.fromhex(step["downlink"])
        actions = rebuilt(one, one.receive(FRAGMENTATION, downlink, now=NOW), NOW)
        if (deadline := one.next_deadline) is not None and downlink[0] == 8:
            assert NOW <= deadline < NOW + 128
            actions += one.tick(now=deadline)
        assert "".join(sends(actions)) == step["expected_uplink"]
        for action in actions:
            if isinstance(action, BlockReceived):
                delivered.append((downlink[1], action.data.hex(), action.verified))
    assert delivered == [(vector["complete_at_n"], vector["block"], True)]


@pytest.mark.parametrize("vector", vectors("ts004")["decodings"], ids=lambda v: v["name"])
def test_a_session_completes_at_the_fragment_of_the_vector(vector: dict[str, Any]) -> None:
    assert vector["block_rule"] == "octet i = (11*i+5) mod 256"
    nb_frag, frag_size = vector["nb_frag"], vector["frag_size"]
    image = bytes(11 * i + 5 & 255 for i in range(nb_frag * frag_size))
    variant = ParityVariant(vector["variant"])
    version = 1 if variant is ParityVariant.V1 else 2
    profile = dataclasses.replace(frag_profile(version), parity=variant)
    sender = FragServer(profile, DataBlock(image, frag_size), frag_index=1, root_key=ROOT)
    one = device(version, parity=variant)
    tell(one, FRAGMENTATION, sender.setup_req)
    complete = []
    for place, n in enumerate(vector["received_n"], 1):
        for action in tell(one, FRAGMENTATION, fragment(sender, n)):
            if isinstance(action, BlockReceived):
                complete.append((place, action.data))
    assert complete == [(vector["complete_after"], image)]
    decoder = one.fragmentation.decoder(1)
    assert len(decoder.lost) == vector["lost_uncoded"]
    assert sum(n > nb_frag for n in vector["received_n"]) == vector["coded_used"]


# Refused without a trace (S3)

FRAGMENTS: list[tuple[str, bytes, int | None, DropReason | type[Rejected]]] = [
    ("N = 0", bytes.fromhex("080040") + bytes(10), None, Rejected),
    ("N = 0 by multicast", bytes.fromhex("080040") + bytes(10), 0, Rejected),
    ("nothing after the identifier", b"\x08", None, Rejected),
    ("half an Index&N", b"\x08\x01", 0, Rejected),
    ("no octets", bytes.fromhex("080440"), None, DropReason.LENGTH),
    ("one octet less", bytes.fromhex("080440") + bytes(9), None, DropReason.LENGTH),
    ("one octet more", bytes.fromhex("080440") + bytes(11), 0, DropReason.LENGTH),
    ("the longest", bytes.fromhex("080440") + bytes(239), None, DropReason.LENGTH),
    ("longer than a frame", bytes.fromhex("080440") + bytes(240), None, Rejected),
    ("session 0", bytes.fromhex("080400") + bytes(10), None, DropReason.NO_SESSION),
    ("session 2", bytes.fromhex("080480") + bytes(10), 0, DropReason.NO_SESSION),
    ("session 3", bytes.fromhex("0804c0") + bytes(10), None, DropReason.NO_SESSION),
    ("a group that may not", bytes.fromhex("080440") + bytes(10), 1, DropReason.NOT_IN_MASK),
    ("a group without a place", bytes.fromhex("080440") + bytes(10), 3, DropReason.NOT_IN_MASK),
    ("an unknown command", b"\x05\x01", None, Rejected),
    ("an unknown command, multicast", b"\x7f" + bytes(40), 0, Rejected),
    ("a set-up cut short", b"\x02\x11\x0a", None, Rejected),
    ("a delete cut short", b"\x03", None, Rejected),
]


def outcome(actions: list[Action]) -> DropReason | type[Rejected]:
    [action] = actions
    assert isinstance(action, Dropped | Rejected)
    return action.reason if isinstance(action, Dropped) else Rejected


@both
@pytest.mark.parametrize(
    ("payload", "mc_group_id", "expected"),
    [row[1:] for row in FRAGMENTS],
    ids=[row[0] for row in FRAGMENTS],
)
def test_a_refused_fragment_changes_nothing(
    version: int, payload: bytes, mc_group_id: int | None, expected: DropReason | type[Rejected]
) -> None:
    one, _, sender = running(version)
    before = plain(one)
    actions = one.receive(FRAGMENTATION, payload, now=NOW, mc_group_id=mc_group_id)
    assert outcome(actions) == expected
    assert plain(one) == before
    if expected is Rejected:
        [action] = actions
        assert isinstance(action, Rejected)
        assert (action.fport, action.payload) == (FRAGMENTATION, payload)
    rest = [tell(one, FRAGMENTATION, fragment(sender, n)) for n in (2, *range(4, 10))]
    assert [type(one) for actions in rest for one in actions] == [BlockReceived]


@both
@pytest.mark.parametrize("mc_group_id", [None, 0, 1])
def test_a_fragment_for_a_finished_or_abandoned_session_changes_nothing(
    version: int, mc_group_id: int | None
) -> None:
    done, _, sender = running(version)
    for n in range(1, 11):
        tell(done, FRAGMENTATION, fragment(sender, n))
    aborted = device(version, frag_limits=FragLimits(max_lost=1))
    tell(aborted, FRAGMENTATION, sender.setup_req)
    tell(aborted, FRAGMENTATION, fragment(sender, 11))
    ends = {done: DropReason.COMPLETE, aborted: DropReason.ABORTED}
    for one, reason in ends.items():
        before = plain(one)
        for n in (1, 4, 10, 11, 16383):
            expected = DropReason.NOT_IN_MASK if mc_group_id == 1 else reason
            actions = tell(one, FRAGMENTATION, fragment(sender, n), mc_group_id=mc_group_id)
            assert actions == [Dropped(expected, f"fragment {n}")]
        assert plain(one) == before


@both
@pytest.mark.parametrize("fport", [0, 1, 199, 202, 203, 204, 223, 224, 226, 255])
def test_a_port_without_a_package_changes_nothing(version: int, fport: int) -> None:
    one, _, _ = running(version)
    before = plain(one)
    for payload in (b"", b"\x00", bytes(242)):
        for mc_group_id in (None, 0):
            actions = one.receive(fport, payload, now=NOW, mc_group_id=mc_group_id)
            assert actions == [Dropped(DropReason.FPORT, f"FPort {fport}")]
    assert plain(one) == before


COMMANDS = [
    (version, package, command)
    for version in (1, 2)
    for package in (
        mc_profile(version).package,
        frag_profile(version).package,
        multipackage.PACKAGE,
    )
    for command in package.commands
]
every_command = pytest.mark.parametrize(
    ("version", "package", "cls"), COMMANDS, ids=[f"{p}-{c.__name__}" for _, p, c in COMMANDS]
)


def smallest(cls: type[Command]) -> Command:
    for size in range(40):
        for filler in (0, 1):
            try:
                return cls.decode(bytes((cls.CID,)) + bytes((filler,)) * size)
            except lorafuota.DecodeError:
                continue
    raise AssertionError(cls)


@every_command
def test_what_is_for_unicast_only_is_ignored_by_multicast(
    version: int, package: Package, cls: type[Command]
) -> None:
    """Promise S10: one row for every downlink of every package a device has."""
    if cls.DIRECTION is UPLINK:
        return
    one, _, _ = running(version)
    before = plain(one)
    payload = smallest(cls).encode()
    if package is multipackage.PACKAGE and not cls.ALONE:
        payload += b"\x01"
    for mc_group_id in range(4):
        actions = one.receive(package.fport, payload, now=NOW, mc_group_id=mc_group_id)
        if cls.__name__ in ("FragSessionStatusReq", "DataFragment"):
            assert DropReason.UNICAST_ONLY not in [
                action.reason for action in actions if isinstance(action, Dropped)
            ]
            continue
        name = "FPort 225" if package is multipackage.PACKAGE else cls.__name__
        assert actions == [Dropped(DropReason.UNICAST_ONLY, name)]
        assert plain(one) == before


@every_command
def test_only_two_commands_may_come_by_multicast(
    version: int, package: Package, cls: type[Command]
) -> None:
    assert cls.MULTICAST is (cls.__name__ in ("FragSessionStatusReq", "DataFragment"))


@every_command
def test_an_uplink_command_is_not_executed(
    version: int, package: Package, cls: type[Command]
) -> None:
    """An identifier that exists up only is unknown; executed by hand it goes the wrong way."""
    if cls.DIRECTION is DOWNLINK:
        return
    one, _, _ = running(version)
    before = plain(one)
    command = smallest(cls)
    if package is multipackage.PACKAGE:
        own = one._execute(package, command, NOW, None, 128)
        assert own == [Dropped(DropReason.DIRECTION, cls.__name__)]
    elif package is mc_profile(version).package:
        assert one.multicast.execute(command, now=NOW, max_payload=51) == [
            Dropped(DropReason.DIRECTION, cls.__name__)
        ]
    else:
        assert one.fragmentation.execute(command, now=NOW) == [
            Dropped(DropReason.DIRECTION, cls.__name__)
        ]
    assert plain(one) == before


@both
def test_commands_before_what_cannot_be_read_are_executed_and_answered(version: int) -> None:
    one = device(version)
    payload = bytes.fromhex("00 01 0f 07 00 00")
    actions = one.receive(MULTICAST, payload, now=NOW)
    assert isinstance(actions[0], Rejected)
    assert (actions[0].error.offset, actions[0].payload) == (3, payload)
    assert actions[1:] == [Send(MULTICAST, bytes((0, 2, version, 1, 0)), NOW)]


# Answers into uplinks


@both
def test_answers_share_an_uplink_as_far_as_they_fit_and_are_never_cut(version: int) -> None:
    one = device(version, max_payload=11)
    for index in range(4):
        tell(one, MULTICAST, group().setup_req(ROOT, mc_group_id=index))
    version_req, everything = PackageVersionReq(), McGroupStatusReq(req_group_mask=15)
    known = bytes((0, 2, version))
    short = bytes.fromhex("014100da1b0126")
    actions = tell(one, MULTICAST, *[version_req] * 4, everything, version_req)
    assert actions == [
        Send(MULTICAST, known * 3, NOW),
        Send(MULTICAST, known, NOW)
        if len(known) + len(short) > 11
        else Send(MULTICAST, known + short, NOW),
        Send(MULTICAST, known, NOW),
    ]
    one.max_payload = 12
    assert tell(one, MULTICAST, *[version_req] * 4) == [Send(MULTICAST, known * 4, NOW)]
    one.max_payload = 242
    long = bytes.fromhex("014f" + "".join(f"{index:02x}da1b0126" for index in range(4)))
    actions = tell(one, MULTICAST, *[version_req] * 4, everything, version_req)
    assert actions == [Send(MULTICAST, known * 4 + long + known, NOW)]


@both
def test_a_delayed_answer_travels_alone(version: int) -> None:
    one, _, _ = running(version)
    req = FragSessionStatusReq(participants=True, frag_index=1)
    rng = random.Random(7)  # seeded as the device's
    actions = tell(one, FRAGMENTATION, req, req, mc_group_id=0)
    times = []
    for action in actions:
        assert isinstance(action, Send)
        times.append(action.not_before)
        assert len(action.payload) == 5
    assert times == [NOW + 16 * rng.random(), NOW + 16 * rng.random()]
    [action] = tell(one, FRAGMENTATION, req, req)
    assert isinstance(action, Send)
    assert (action.not_before, len(action.payload)) == (NOW, 10)


def test_the_counter_is_stored_before_anything_else() -> None:
    one, sender = device(2), server(2)
    actions = tell(one, FRAGMENTATION, sender.setup_req, fragment(sender, 1))
    assert [type(action) for action in actions] == [StoreSessionCnt, Send]


def test_the_report_of_the_end_leaves_when_it_is_due() -> None:
    one, sender = device(2), server(2, ack_reception=True)
    tell(one, FRAGMENTATION, sender.setup_req)
    for n in range(1, 11):
        tell(one, FRAGMENTATION, fragment(sender, n))
    deadline = one.next_deadline
    assert deadline is not None
    assert one.tick(now=deadline - 0.01) == []
    assert one.tick(now=deadline) == [
        Store("report/1", 2),
        Send(FRAGMENTATION, b"\x04\x01", deadline),
    ]
    assert one.receive(FRAGMENTATION, b"\x04\x01", now=deadline) == [Store("report/1", None)]
    assert (one.next_deadline, one.tick(now=NOW + 1e6)) == (None, [])


@both
def test_a_window_is_told_and_ends(version: int) -> None:
    one = device(version)
    tell(one, MULTICAST, group().setup_req(ROOT, mc_group_id=0))
    req = window_req()
    [answer] = tell(one, MULTICAST, req)
    assert answer == Send(MULTICAST, bytes.fromhex("0400580200"), NOW)
    assert one.next_deadline == NOW + 600
    assert one.tick(now=NOW + 600) == [ListenClassC(0, NOW + 600, NOW + 856, 869_525_000, 3)]
    assert one.next_deadline == NOW + 856
    assert said(one.tick(now=NOW + 856)) == [StopListening(0)]
    assert one.next_deadline is None


# Construction


@both
def test_ports_can_be_moved_and_answers_come_back_on_them(version: int) -> None:
    one = device(version, fports={"multicastsetup": 10, "fragmentation": 11})
    assert one.receive(10, b"\x00", now=NOW) == [Send(10, bytes((0, 2, version)), NOW)]
    assert one.receive(11, b"\x00", now=NOW) == [Send(11, bytes((0, 3, version)), NOW)]
    assert one.receive(200, b"\x00", now=NOW) == [Dropped(DropReason.FPORT, "FPort 200")]
    known = f"01030001e102{version:02x}0a03{version:02x}0b"
    assert sends(one.receive(225, b"\x01\x00", now=NOW)) == [known + "00"]


@pytest.mark.parametrize(
    "fports",
    [
        {"multicastsetup": 0},
        {"multicastsetup": 225},
        {"fragmentation": 200},
        {"fragmentation": -1},
        {"fragmentation": 226},
        {"multicastsetup": 9, "fragmentation": 9},
        {"multipackage": 9},
        {"fragmentaton": 9},
    ],
    ids=str,
)
def test_a_port_that_cannot_be_is_refused(fports: dict[str, int]) -> None:
    with pytest.raises(FieldError):
        device(1, fports=fports)


@pytest.mark.parametrize("max_payload", [-1, 0, 10, 243])
def test_an_uplink_has_11_to_242_octets(max_payload: int) -> None:
    with pytest.raises(FieldError):
        device(1, max_payload=max_payload)
    one = device(1)
    with pytest.raises(FieldError):
        one.max_payload = max_payload
    assert one.max_payload == 242


# Frames


@both
def test_a_frame_of_a_group_reaches_the_session_and_others_do_not(version: int) -> None:
    one, members, sender = running(version)
    twin = group()
    phy = members.sender.seal(fragment(sender, 2).encode(), fport=FRAGMENTATION)
    assert said(one.receive_frame(phy, now=NOW)) == []
    assert one.fragmentation.decoder(1).missing == 6
    before = plain(one)
    damaged = bytearray(phy)
    for at in range(len(phy)):
        damaged[at] ^= 0x80
        [action] = one.receive_frame(damaged, now=NOW)
        assert isinstance(action, Dropped)
        assert action.reason is DropReason.FRAME
        damaged[at] ^= 0x80
    assert one.receive_frame(phy, now=NOW) == [Dropped(DropReason.FRAME, Drop.FCNT.name)]
    assert one.receive_frame(b"", now=NOW) == [Dropped(DropReason.FRAME, Drop.LENGTH.name)]
    twin.sender.seal(b"", fport=1)
    alien = twin.sender.seal(b"\x00", fport=77)
    assert plain(one) == before
    assert one.receive_frame(alien, now=NOW) == [Dropped(DropReason.FPORT, "FPort 77")]


@both
def test_a_frame_of_a_group_outside_the_mask_uses_its_counter_and_nothing_else(
    version: int,
) -> None:
    one, _, sender = running(version)
    other = McGroupServer(mc_addr=DevAddr(5), mc_key=McKey(bytes(16)), max_mc_fcnt=99)
    phy = other.sender.seal(fragment(sender, 2).encode(), fport=FRAGMENTATION)
    before = plain(one.fragmentation)
    actions = said(one.receive_frame(phy, now=NOW))
    assert actions == [Dropped(DropReason.NOT_IN_MASK, "fragment 2")]
    assert plain(one.fragmentation) == before


# Command sets


@both
def test_a_command_set_crosses_packages_and_echoes_the_package_ids(version: int) -> None:
    one, _, _ = running(version)
    status = FragSessionStatusReq(participants=True, frag_index=1)
    commands = CommandSet(
        (
            PackagedCommand(0, PackageVersionReq()),
            PackagedCommand(3, status, explicit=True),
            PackagedCommand(3, PackageVersionReq()),
            PackagedCommand(2, McGroupStatusReq(req_group_mask=15)),
        ),
        token=2,
    )
    actions = one.receive(SETS, commands.encode(), now=NOW)
    [frame] = sends(actions)
    packages = {2: mc_profile(version).package, 3: frag_profile(version).package}
    found = read_answers(bytes.fromhex(frame), packages, strict=True)
    assert isinstance(found, CommandSet)
    assert [(one.package, type(one.command).__name__, one.explicit) for one in found.commands] == [
        (0, "PackageVersionAns", False),
        (3, "FragSessionStatusAns", True),
        (3, "PackageVersionAns", False),
        (2, "McGroupStatusAns", True),
    ]
    assert found.token == 2
    again = one.receive(SETS, b"\x02\x00\x7f", now=NOW)
    assert sends(again) == ["0200" + frame[:-2] + "02"]


@both
def test_the_package_is_named_before_the_first_answer_of_its_run(version: int) -> None:
    one = device(version)
    silent = "0107" if version == 1 else "0403"  # no such session; nothing to acknowledge
    actions = one.receive(SETS, bytes.fromhex(f"83{silent}000002"), now=NOW)
    version_ans = f"0003{version:02x}"
    assert actions == [Send(SETS, bytes.fromhex(f"83{version_ans}{version_ans}02"), NOW)]
    assert one.receive(SETS, bytes.fromhex(f"83{silent}01"), now=NOW) == []


@both
def test_a_long_answer_leaves_in_pieces(version: int) -> None:
    one, _, _ = running(version)
    one.max_payload = 11
    frames = sends(one.receive(SETS, b"\x01\x00\x03", now=NOW))
    assert len(frames) == 1
    assert one.next_deadline == NOW + 10
    assert sends(one.tick(now=NOW + 9.9)) == []
    frames += sends(one.tick(now=NOW + 10))
    assert [frame[:4] for frame in frames] == ["0200", "0208"]
    assert (
        "".join(frame[4:-2] for frame in frames)
        == f"01030001e102{version:02x}c803{version:02x}c9000001"
    )
    assert {frame[-2:] for frame in frames} == {"03"}


@both
def test_actions_of_a_set_are_told_and_a_full_buffer_ends_it(version: int) -> None:
    one, _, _ = running(version)
    one.tick(now=NOW + 600)
    [stop, answer] = said(one.receive(SETS, bytes.fromhex("82030100"), now=NOW))
    assert (stop, answer) == (StopListening(1), Send(SETS, bytes.fromhex("82030100"), NOW))
    many = bytes.fromhex("83" + "00" * 60 + "01")
    *left_out, answer = one.receive(SETS, many, now=NOW)
    assert isinstance(answer, Send)
    assert len(answer.payload) == 1 + 42 * 3 + 1
    ran = Dropped(DropReason.NO_ROOM, "PackageVersionAns")  # its answer does not fit
    not_run = Dropped(DropReason.NO_ROOM, "PackageVersionReq")
    assert left_out == [ran, *[not_run] * 17]


@both
def test_a_set_that_is_discarded_changes_nothing(version: int) -> None:
    one, _, _ = running(version)
    one.receive(SETS, b"\x01\x02", now=NOW)
    before = plain(one)
    for payload in (b"", b"\x00", bytes.fromhex("0002000501"), bytes.fromhex("02000700")):
        actions = one.receive(SETS, payload, now=NOW)
        assert sends(actions) == []
        assert all(isinstance(action, Rejected) for action in actions)
        assert plain(one) == before
    unknown = one.receive(SETS, bytes.fromhex("8700810002"), now=NOW)
    assert [type(action) for action in unknown] == [Rejected]
    assert plain(one) == before


@both
def test_a_set_that_is_discarded_does_not_stop_what_is_being_sent(version: int) -> None:
    one, _, _ = running(version)
    one.max_payload = 11
    one.receive(SETS, b"\x01\x00\x03", now=NOW)
    assert sends(one.receive(SETS, bytes.fromhex("0002000501"), now=NOW + 1)) == []
    [piece] = sends(one.tick(now=NOW + 10))
    assert piece[:4] == "0208"


@both
def test_a_piece_is_cut_to_what_the_data_rate_allows_when_it_leaves(version: int) -> None:
    one, _, _ = running(version)
    one.max_payload = 11
    [first] = sends(one.receive(SETS, bytes.fromhex("0100830003"), now=NOW))
    one.max_payload = 242
    [rest] = sends(one.tick(now=NOW + 10))
    assert (first[:4], len(first), rest[:4], rest[-2:]) == ("0200", 22, "0208", "03")
    assert one.tick(now=NOW + 20) == []


def test_a_device_without_clock_and_firmware_is_restored_and_has_the_owners_time() -> None:
    profile = dataclasses.replace(device_profile("documents v2"), clock=None, firmware=None)
    one, again = (
        FuotaDevice.from_profile(profile, root_key=ROOT, rng=random.Random(1)) for _ in "12"
    )
    assert (one.clock, one.firmware, one.gps(NOW)) == (None, None, NOW)
    assert one.receive(203, b"\x00", now=NOW) == [Dropped(DropReason.FPORT, "FPort 203")]
    with pytest.raises(StateError, match="no clock of its own"):
        one.set_time(NOW, now=NOW)
    assert again.restore(one.export(), now=NOW) == []
    assert again.export() == one.export()


def test_a_reboot_takes_along_what_is_left_of_the_answers() -> None:
    one = FuotaDevice.from_profile(
        device_profile("documents v2"),
        root_key=ROOT,
        rng=random.Random(1),
        clock_known=True,
        period_seconds=None,
        max_payload=11,
        piece_gap_seconds=7.0,
    )
    actions = one.receive(SETS, bytes.fromhex("018401020000000000"), now=NOW)
    *pieces, reboot = actions
    assert reboot == Reboot(None)
    assert [(send.payload[1], send.not_before) for send in pieces if isinstance(send, Send)] == [
        (0, NOW),
        (8, NOW + 7),
        (16, NOW + 14),
        (24, NOW + 21),
    ]
    assert one.next_deadline is None
    one.receive(SETS, bytes.fromhex("0184010300010001"), now=NOW + 30)
    for when in (NOW + 37, NOW + 44):
        assert len(sends(one.tick(now=when))) == 1


@pytest.mark.parametrize("gap", [-1.0, math.inf, math.nan])
def test_a_gap_that_is_none_is_the_owners_mistake(gap: float) -> None:
    with pytest.raises(FieldError):
        device(1, piece_gap_seconds=gap)


def test_without_a_gap_one_piece_comes_at_each_tick() -> None:
    one = device(1, piece_gap_seconds=0.0)
    one.max_payload = 11
    assert len(sends(one.receive(SETS, b"\x01\x00\x03", now=NOW))) == 1
    assert one.next_deadline == NOW
    assert len(sends(one.tick(now=NOW))) == 1
    assert one.next_deadline is None


def test_pieces_do_not_wait_for_a_clock_that_ran_back() -> None:
    one = device(1)
    one.max_payload = 11
    one.receive(SETS, b"\x01\x00\x03", now=NOW)
    assert one.tick(now=NOW - 1e6) == []
    assert one.next_deadline == NOW - 1e6 + 10


# Noise (R1 at the level of a device)


anything = st.tuples(
    st.sampled_from([0, 1, 199, 200, 201, 202, 203, 224, 225, 255]),
    st.one_of(st.binary(max_size=30), st.binary(max_size=300)),
)
near_something = st.one_of(
    [
        st.tuples(st.just(package.fport), hostile(package, DOWNLINK).map(lambda one: one.payload))
        for package in lorafuota.PACKAGES
    ]
)


@given(
    noise=st.lists(
        st.tuples(anything | near_something, st.sampled_from([None, 0, 1, 2, 3])), max_size=8
    ),
    version=st.sampled_from([1, 2]),
)
def test_any_octets_on_any_port_never_raise(
    noise: list[tuple[tuple[int, bytes], int | None]], version: int
) -> None:
    one, members, _ = running(version)
    for (fport, payload), mc_group_id in noise:
        check_actions(one.receive(fport, payload, now=NOW, mc_group_id=mc_group_id), one)
        check_actions(one.receive_frame(payload, now=NOW), one)
        if 1 <= fport <= 223 and len(payload) <= 242:
            phy = members.sender.seal(payload, fport=fport)
            check_actions(one.receive_frame(phy, now=NOW), one)
    check_actions(one.tick(now=NOW), one)


def check_actions(actions: list[Action], one: FuotaDevice) -> None:
    for action in actions:
        if isinstance(action, Send):
            assert 1 <= len(action.payload) <= one.max_payload
            assert action.fport in (200, 201, 225)
            assert action.not_before >= NOW
        if isinstance(action, BlockReceived):
            assert action.verified is one.fragmentation.profile.has_mic


LIMIT = 1 << 18


@given(data=st.data(), version=st.sampled_from([1, 2]))
def test_any_downlinks_in_any_order_never_raise_and_keep_to_the_memory_promised(
    data: st.DataObject, version: int
) -> None:
    one = device(version, frag_limits=FragLimits(max_memory=LIMIT), max_payload=51)
    packages = [mc_profile(version).package, frag_profile(version).package]
    now = NOW
    for _ in range(data.draw(st.integers(1, 12))):
        package = data.draw(st.sampled_from(packages))
        commands = data.draw(payloads(package, DOWNLINK))
        mc_group_id = data.draw(st.sampled_from([None, None, None, 0, 3]))
        payload = b"".join(command.encode() for command in commands)[:242]
        if data.draw(st.booleans()) and len(payload) < 240:
            payload = bytes((0x80 | package.identifier,)) + payload + b"\x01"
            check_actions(one.receive(SETS, payload, now=now, mc_group_id=mc_group_id), one)
        else:
            fport = package.fport
            check_actions(one.receive(fport, payload, now=now, mc_group_id=mc_group_id), one)
        for index in range(4):
            if one.fragmentation.state(index) is not None:
                small = data.draw(records(DataFragment, frag_index=index))
                check_actions(tell(one, FRAGMENTATION, small, now=now), one)
        now += data.draw(st.floats(0, 1e5))
        check_actions(one.tick(now=now), one)
        assert held(one) <= 4 * LIMIT + 4096


def held(one: FuotaDevice) -> int:
    """Octets of fragments and answers the device holds."""
    blocks = 0
    for index in range(4):
        try:
            decoder = one.fragmentation.decoder(index)
        except StateError:
            continue
        blocks += len(decoder._block) + sum(map(len, decoder._coded.values()))
    return blocks + len(one._sets.buffer.ans) + 100 * len(one.multicast.groups)


@pytest.mark.parametrize("now", [0.0, 1.5, NOW - 1e6, 2.0**32 - 0.5, 2.0**33, -5.0])
@both
def test_clocks_that_jump_do_no_harm(version: int, now: float) -> None:
    one, members, sender = running(version)
    one.tick(now=now)
    tell(one, MULTICAST, window_req(), now=now)
    tell(one, MULTICAST, window_req(), now=NOW)
    phy = members.sender.seal(fragment(sender, 2).encode(), fport=FRAGMENTATION)
    assert said(one.receive_frame(phy, now=now)) == []
    one.tick(now=NOW)
    tell(one, FRAGMENTATION, FragSessionStatusReq(participants=True, frag_index=1), now=now)


# Both ends, back to back


@both
@pytest.mark.parametrize("root", [ROOT, AppKey(bytes(range(16)))], ids=repr)
def test_server_and_device_understand_each_other(version: int, root: GenAppKey | AppKey) -> None:
    """The whole conversation in octets: group, session, window, frames, status, deletes."""
    one, members = device(version, root=root), group()
    packages = {200: mc_profile(version).package, 201: frag_profile(version).package}

    def ask(fport: int, command: Command) -> Command:
        [frame] = sends(tell(one, fport, command))
        [answer] = packages[fport].parse(bytes.fromhex(frame), UPLINK, strict=True)
        assert isinstance(answer, Command)
        return answer

    for fport, package in packages.items():
        assert ask(fport, PackageVersionReq()) == PackageVersionAns(
            package_identifier=package.identifier, package_version=version
        )
    req = members.setup_req(root, mc_group_id=0)
    assert ask(200, req) == multicastsetup_v1.McGroupSetupAns(mc_group_id=0, id_error=False)
    sender = FragServer(
        frag_profile(version), BLOCK, frag_index=1, mc_group_bit_mask=1, root_key=root
    )
    set_up = ask(201, sender.setup_req)
    assert isinstance(
        set_up, fragmentation_v1.FragSessionSetupAns | fragmentation_v2.FragSessionSetupAns
    )
    assert sender.refusal(set_up) is None
    window = window_req()
    answer = ask(200, window)
    assert isinstance(answer, SessionAns)
    assert members.refusal(answer, window, received=NOW + 1) is None
    blocks = []
    for n in range(1, 30):
        phy = members.sender.seal(fragment(sender, n).encode(), fport=201)
        if n % 3:
            actions = rebuilt(one, one.receive_frame(phy, now=NOW + 600 + n), NOW + 600 + n)
            blocks += [action for action in actions if isinstance(action, BlockReceived)]
    [block] = blocks
    assert (block.data, block.verified) == (IMAGE, version == 2)
    assert one.fragmentation.state(1) is FragState.DONE
    status = ask(201, FragSessionStatusReq(participants=True, frag_index=1))
    assert isinstance(
        status, fragmentation_v1.FragSessionStatusAns | fragmentation_v2.FragSessionStatusAns
    )
    assert (status.missing_frag, status.frag_index) == (0, 1)
    assert ask(201, fragmentation_v1.FragSessionDeleteReq(frag_index=1)).to_json() == {
        "frag_index": 1,
        "session_does_not_exist": False,
    }
    actions = tell(one, 200, McGroupDeleteReq(mc_group_id=0))
    assert actions == [Send(200, b"\x03\x00", NOW)]
