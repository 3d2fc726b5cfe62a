from __future__ import annotations

from typing import Any

import pytest

from lorafuota import DecodeError, FieldError, TruncatedError, UnknownCommandError
from lorafuota.fragmentation import v1, v2
from lorafuota.package import MalformedCommand, UnknownCommand
from lorafuota.types import DOWNLINK, UPLINK
from lorafuota.wire import Command
from tests.support import direction, only, packages, vectors

TS004 = vectors("ts004")
REJECTS = {one["name"]: one for one in TS004["rejects"]}


def describe(command: Command) -> dict[str, Any]:
    """The message in the vectors' words."""
    fields: dict[str, Any] = {}
    for name, value in command.to_json().items():
        if name == "errors":
            bits = getattr(command, "errors")  # noqa: B009  two classes have it
            fields |= {bit.name.lower(): int(bit in bits) for bit in type(bits)}
        elif name == "descriptor":
            octets = bytes.fromhex(str(value))
            fields["descriptor_octets"] = value
            fields["descriptor_u32"] = int.from_bytes(octets, "little")
        elif name == "payload":
            fields["data"] = value
        elif value is not None:
            fields[name] = int(value) if isinstance(value, bool) else value
    return fields


@pytest.mark.parametrize("vector", TS004["commands"], ids=lambda v: v["name"])
def test_every_vector_decodes_to_its_fields_and_encodes_to_its_octets(
    vector: dict[str, Any],
) -> None:
    [package] = packages("fragmentation", vector["version"])
    command = only(package, vector["direction"], vector["hex"])
    assert type(command).__name__ == vector["command"]
    assert describe(command) == vector["fields"]


@pytest.mark.parametrize("vector", TS004["messages"], ids=lambda v: v["name"])
def test_every_message_splits_and_joins(vector: dict[str, Any]) -> None:
    [package] = packages("fragmentation", vector["version"])
    way = direction(vector["direction"])
    commands = package.parse(bytes.fromhex(vector["hex"]), way, strict=True)
    assert all(isinstance(one, Command) for one in commands)
    known = [one for one in commands if isinstance(one, Command)]
    assert [one.encode().hex() for one in known] == vector["split"]
    assert package.join(known).hex() == vector["hex"]


@pytest.mark.parametrize("vector", TS004["rfu_tolerance"], ids=lambda v: v["name"])
def test_reserved_bits_are_ignored(vector: dict[str, Any]) -> None:
    for package in packages("fragmentation", vector["version"]):
        way = direction(vector["direction"])
        [command] = package.parse(bytes.fromhex(vector["hex"]), way)
        assert isinstance(command, Command)
        assert command.encode().hex() == vector["canonical_hex"]


def reject(name: str, version: int) -> list[Any]:
    vector = REJECTS[name]
    assert str(vector["version"])[0] in (str(version), "b")
    [package] = packages("fragmentation", version)
    way = direction(vector["direction"])
    with pytest.raises(DecodeError):
        package.parse(bytes.fromhex(vector["hex"]), way, strict=True)
    return list(package.parse(bytes.fromhex(vector["hex"]), way))


@pytest.mark.parametrize("version", [1, 2])
def test_an_empty_message_holds_nothing(version: int) -> None:
    assert reject("empty-message", version) == []


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("v1-setup-truncated", 1),
        ("v1-setup-sent-to-v2", 2),
        ("fragment-header-truncated", 1),
        ("fragment-header-truncated", 2),
        ("v2-status-ans-truncated", 2),
    ],
)
def test_truncated_commands_are_malformed(name: str, version: int) -> None:
    [malformed] = reject(name, version)
    assert isinstance(malformed, MalformedCommand)
    assert isinstance(malformed.error, TruncatedError)


@pytest.mark.parametrize(
    ("name", "version"), [("fragment-uplink", 1), ("v1-cid-04", 1), ("cid-unknown", 2)]
)
def test_commands_that_do_not_exist_are_unknown(name: str, version: int) -> None:
    [unknown] = reject(name, version)
    assert isinstance(unknown, UnknownCommand)


def test_a_fragment_numbered_zero_is_malformed() -> None:
    [malformed] = reject("fragment-n-zero", 2)
    assert malformed.error.command == "DataFragment"
    assert "n = 0" in malformed.error.reason


def test_a_version_2_set_up_at_a_version_1_device_is_a_set_up_and_rubbish() -> None:
    setup, unknown = reject("v2-setup-sent-to-v1", 1)
    first = bytes.fromhex(REJECTS["v2-setup-sent-to-v1"]["first_command_hex"])
    assert setup == v1.FragSessionSetupReq.decode(first)
    assert unknown == UnknownCommand(0x07, bytes.fromhex("004d6d1790"), 11, "fragmentation/1")


def test_the_public_dump_has_its_three_faces() -> None:
    """SWL2001 issue 116: the same v2 set-up, read by a v1 parser, for three session counters."""
    head, tail = bytes.fromhex("0201140032000500000000"), bytes.fromhex("4d6d1790")

    def faces(cnt: bytes) -> list[str]:
        parsed = v1.PACKAGE.parse(head + cnt + tail, DOWNLINK)
        return [
            f"unknown {one.cid:02x}" if isinstance(one, UnknownCommand) else type(one).__name__
            for one in parsed
        ]

    assert faces(b"\1\0") == ["FragSessionSetupReq", "FragSessionStatusReq", "unknown 4d"]
    assert faces(b"\2\0") == ["FragSessionSetupReq", "MalformedCommand"]
    assert faces(b"\x30\0") == ["FragSessionSetupReq", "unknown 30"]
    [setup] = v2.PACKAGE.parse(head + b"\1\0" + tail, DOWNLINK, strict=True)
    assert setup == v2.FragSessionSetupReq(
        mc_group_bit_mask=1,
        frag_index=0,
        nb_frag=20,
        frag_size=50,
        block_ack_delay=0,
        frag_algo=0,
        ack_reception=False,
        padding=5,
        descriptor=bytes(4),
        session_cnt=1,
        mic=tail,
    )


def test_every_reject_is_used() -> None:
    assert len(REJECTS) == 10


def test_a_fragment_travels_alone() -> None:
    fragment = v1.DataFragment(n=1, frag_index=0, payload=b"\0")
    with pytest.raises(FieldError, match="alone"):
        v1.PACKAGE.join([v1.FragSessionDeleteReq(frag_index=0), fragment])
    octets = v1.FragSessionDeleteReq(frag_index=0).encode() + fragment.encode()
    assert v1.PACKAGE.parse(octets, DOWNLINK) == [v1.FragSessionDeleteReq(frag_index=0), fragment]
    with pytest.raises(ValueError, match="must be alone"):
        v1.PACKAGE.parse(octets, DOWNLINK, strict=True)


def test_an_uplink_fragment_is_nothing_known() -> None:
    with pytest.raises(UnknownCommandError):
        v1.PACKAGE.parse(b"\x08\x01\x40\xaa", UPLINK, strict=True)
