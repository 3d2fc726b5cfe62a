from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota import DecodeError, FieldError
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.multipackage import v1
from lorafuota.multipackage.commandset import (
    CommandSet,
    PackagedCommand,
    read_answers,
    read_command_set,
)
from lorafuota.package import MalformedCommand, UnknownCommand
from lorafuota.testing.strategies import payloads
from lorafuota.types import DOWNLINK, UPLINK
from tests.support import vectors

TS007 = vectors("ts007")
PACKAGES = {
    0: lorafuota.package("multipackage", 1),
    1: lorafuota.package("clocksync", 2),
    2: lorafuota.package("multicastsetup", 2),
    3: lorafuota.package("fragmentation", 2),
    4: lorafuota.package("firmwaremanagement", 1),
}


def shown(one: PackagedCommand) -> dict[str, Any]:
    return {
        "package_id_field": f"0x{0x80 | one.package:02x}" if one.explicit else None,
        "package": one.package,
        "cid": one.command.CID,
        "command": type(one.command).__name__,
        "payload": one.command.encode_body().hex(),
    }


@pytest.mark.parametrize("vector", TS007["downlinks"], ids=lambda v: v["id"])
def test_every_downlink_vector_is_read_and_written_back(vector: dict[str, Any]) -> None:
    octets = bytes.fromhex(vector["downlink"])
    found = read_command_set(octets, PACKAGES)
    assert isinstance(found, CommandSet)
    if vector.get("result") == "discard":
        assert found.commands == ()
        assert isinstance(found.leftover, MalformedCommand)
        return
    if vector.get("result") == "ignore":
        assert found.commands == ()
        return
    assert [shown(one) for one in found.commands] == vector["parsed"]
    assert found.token == vector["token"]
    if "stopped" in vector:
        assert found.leftover is not None
        with pytest.raises(DecodeError):
            read_command_set(octets, PACKAGES, strict=True)
    elif vector["id"] != "dangling-packageid":
        assert found.leftover is None
        again = CommandSet(found.commands, found.token).encode()
        assert again == octets[:-1] + bytes((found.token,))


@pytest.mark.parametrize("vector", TS007["downlinks"], ids=lambda v: v["id"])
def test_every_whole_answer_is_read_and_written_back(vector: dict[str, Any]) -> None:
    if len(vector["uplinks"]) != 1 or vector["uplinks"][0].startswith("02"):
        return  # silence, or fragments: see the session's tests
    octets = bytes.fromhex(vector["uplinks"][0])
    found = read_answers(octets, PACKAGES, strict=True)
    assert isinstance(found, CommandSet)
    assert found.encode() == octets
    assert found.answer_octets().hex() == vector["ans_buffer"]


@pytest.mark.parametrize("vector", TS007["buffer_requests"], ids=lambda v: v["id"])
def test_buffer_requests_and_their_fragments_are_read(vector: dict[str, Any]) -> None:
    request = read_command_set(bytes.fromhex(vector["downlink"]), PACKAGES, strict=True)
    assert request == v1.MultiPackBufferReq(start_byte=vector["start"], stop_byte=vector["stop"])
    for uplink in vector["uplinks"]:
        fragment = read_answers(bytes.fromhex(uplink), PACKAGES, strict=True)
        assert isinstance(fragment, v1.MultiPackBufferFrag)
        assert fragment.encode().hex() == uplink


def test_the_shortest_form_names_a_package_where_it_changes() -> None:
    version = v1.PackageVersionReq()
    commands = tuple(PackagedCommand(package, version) for package in (0, 0, 4, 4, 0))
    assert CommandSet(commands, 2).encode().hex() == "0000840000800002"


def test_sets_that_cannot_be_sent_are_refused() -> None:
    version = v1.PackageVersionReq()
    with pytest.raises(FieldError, match="token = 4"):
        CommandSet((), 4)
    with pytest.raises(FieldError, match="package = 128"):
        CommandSet((PackagedCommand(128, version),), 0)
    with pytest.raises(FieldError, match="alone"):
        CommandSet((PackagedCommand(0, v1.MultiPackBufferReq(start_byte=0, stop_byte=1)),), 0)
    with pytest.raises(FieldError, match="where it changes"):
        CommandSet((PackagedCommand(3, version, explicit=False),), 0).encode()
    with pytest.raises(FieldError, match="at least one"):
        CommandSet((), 0).encode()
    fragment = PackagedCommand(3, DataFragment(n=1, frag_index=0, payload=bytes(242)))
    with pytest.raises(FieldError, match="at most 242 octets"):
        CommandSet((fragment,), 0).encode()


def test_a_broken_fragment_is_malformed() -> None:
    found = read_answers(b"\x02", PACKAGES)
    assert isinstance(found, CommandSet)
    assert isinstance(found.leftover, MalformedCommand)
    with pytest.raises(DecodeError):
        read_answers(b"\x02", PACKAGES, strict=True)


def test_strict_reading_minds_the_token_and_dangling_identifiers() -> None:
    assert read_command_set(b"\x00\xfd", PACKAGES) == read_command_set(b"\x00\x01", PACKAGES)
    for octets in (b"\x00\xfd", b"", b"\x01", b"\x84\x01", b"\x00\x02\x00\x05\x01"):
        with pytest.raises(DecodeError):
            read_command_set(octets, PACKAGES, strict=True)


def test_a_package_nobody_knows_ends_the_set() -> None:
    found = read_command_set(bytes.fromhex("00870002"), PACKAGES)
    assert isinstance(found, CommandSet)
    assert found.leftover == UnknownCommand(0, b"", 2, "package 7")


def test_what_follows_a_missing_session_in_a_set_is_not_taken_for_stale_octets() -> None:
    octets = bytes.fromhex("830104 820100 00")
    found = read_answers(octets, PACKAGES)
    assert isinstance(found, CommandSet)
    assert [type(one.command).__name__ for one in found.commands] == [
        "FragSessionStatusAns",
        "McGroupStatusAns",
    ]


@given(data=st.data(), token=st.integers(0, 3))
def test_any_set_comes_back(data: st.DataObject, token: int) -> None:
    for direction, read in ((DOWNLINK, read_command_set), (UPLINK, read_answers)):
        runs = data.draw(st.lists(st.sampled_from(list(PACKAGES.values())), max_size=3))
        commands = tuple(
            PackagedCommand(package.identifier, command)
            for package in runs
            for command in data.draw(payloads(package, direction, max_size=2))
            if not command.ALONE
        )
        if not commands or sum(len(one.command.encode()) + 1 for one in commands) > 240:
            continue
        octets = CommandSet(commands, token).encode()
        found = read(octets, PACKAGES)
        assert isinstance(found, CommandSet)
        assert found.leftover is None
        assert [(one.package, one.command) for one in found.commands] == [
            (one.package, one.command) for one in commands
        ]
        assert found.encode() == octets


@given(octets=st.binary(max_size=300))
def test_any_octets_are_read_without_an_exception(octets: bytes) -> None:
    read_command_set(octets, PACKAGES)
    read_answers(octets, PACKAGES)
