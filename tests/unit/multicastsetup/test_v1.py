from __future__ import annotations

from typing import Any

import pytest

from lorafuota import DevAddr, FieldError, TruncatedError
from lorafuota.multicastsetup import v1, v2
from lorafuota.package import MalformedCommand, UnknownCommand
from lorafuota.types import DOWNLINK, UPLINK
from lorafuota.wire import Command, Row
from tests.support import direction, only, packages, vectors

TS005 = vectors("ts005")
COMMANDS = {one["id"]: one for one in TS005["commands"]}
MALFORMED = {one["id"]: one for one in TS005["malformed"]}


def _plain(command: Command) -> dict[str, Any]:
    """Fields under the document's names, flags apart, as the vectors show them."""
    fields: dict[str, Any] = {}
    names = {row.field: row.name for row in type(command).table()}
    for field in type(command).KINDS:
        value = getattr(command, field)
        name = names[field]
        if isinstance(value, DevAddr):
            fields[name] = f"0x{value}"
        elif isinstance(value, bytes):
            fields[name] = value.hex()
        elif name == "Status":
            for bit, word in ERRORS.items():
                fields[word] = bool(value >> bit & 1)
        elif name == "DLFreq":
            fields |= {"DLFreq_hz": value, "DLFreq_raw": value // 100}
        elif name == "Groups":
            fields["records"] = [_plain(group) for group in value]
        else:
            fields[name] = value
    return fields


ERRORS = {0: "DRError", 1: "FreqError", 2: "McGroupUndefined", 3: "StartMissed"}
DERIVED = {"max_duration_s", "ping_nb", "ping_period_slots"}


@pytest.mark.parametrize("vector", TS005["commands"], ids=lambda v: v["id"])
def test_every_vector_decodes_to_its_fields_and_encodes_to_its_octets(
    vector: dict[str, Any],
) -> None:
    for package in packages("multicastsetup", vector["versions"]):
        command = only(package, vector["direction"], vector["hex"])
        assert type(command).__name__ == vector["command"]
        expected = {name: one for name, one in vector["fields"].items() if name not in DERIVED}
        assert _plain(command) == expected


@pytest.mark.parametrize("vector", TS005["messages"], ids=lambda v: v["id"])
def test_every_message_splits_and_joins(vector: dict[str, Any]) -> None:
    for package in packages("multicastsetup", vector["versions"]):
        way = direction(vector["direction"])
        parsed = package.parse(bytes.fromhex(vector["hex"]), way, strict=True)
        known = [one for one in parsed if isinstance(one, Command)]
        parts = [COMMANDS[one]["hex"] for one in vector["commands"]]
        assert [one.encode().hex() for one in known] == parts
        assert package.join(known).hex() == vector["hex"]


@pytest.mark.parametrize("vector", TS005["malformed"], ids=lambda v: v["id"])
def test_malformed_messages_keep_what_came_before(vector: dict[str, Any]) -> None:
    for package in packages("multicastsetup", vector["versions"]):
        way = direction(vector["direction"])
        parsed = package.parse(bytes.fromhex(vector["hex"]), way)
        good = [one.encode().hex() for one in parsed if isinstance(one, Command)]
        assert good == [COMMANDS[one]["hex"] for one in vector.get("good_prefix", [])]
        assert len(parsed) == len(good) + (vector["hex"] != "")
        if vector["id"] == "unknown-cid":
            assert isinstance(parsed[-1], UnknownCommand)
        elif parsed:
            assert isinstance(parsed[-1], MalformedCommand)
            assert isinstance(parsed[-1].error, TruncatedError)


@pytest.mark.parametrize("vector", TS005["rfu_handling"], ids=lambda v: v["id"])
def test_reserved_bits_are_ignored_or_read_as_refusals(vector: dict[str, Any]) -> None:
    for package in packages("multicastsetup", vector["versions"]):
        [command] = package.parse(bytes.fromhex(vector["hex"]), direction(vector["direction"]))
        if "decodes_as" in vector:
            assert isinstance(command, Command)
            expected = bytes.fromhex(COMMANDS[vector["decodes_as"]]["hex"])
            octets = bytearray(expected)
            octets[1] = command.encode()[1]
            assert command.encode() == octets if vector["id"] == "rfu-setup-id" else expected
        else:
            assert isinstance(command, v1.McClassCSessionAns | v2.McClassCSessionAns)
            seen = {"McGroupID": command.mc_group_id, "error": command.errors != 0}
            assert seen | {"TimeToStart": command.time_to_start} == vector["fields"]


def test_a_frequency_is_written_in_steps_of_100_hz() -> None:
    with pytest.raises(FieldError, match=r"dl_freq_hz = 869525050: .* in steps of 100"):
        v1.McClassCSessionReq(mc_group_id=0, session_time=0, time_out=0, dl_freq_hz=869525050, dr=0)


def test_records_stand_for_the_one_bits_of_the_mask() -> None:
    group = v1.McGroup(mc_group_id=1, mc_addr=DevAddr(5))
    with pytest.raises(FieldError, match=r"expected mc_group_id \[0\], as ans_group_mask"):
        v1.McGroupStatusAns(ans_group_mask=1, nb_total_groups=1, groups=(group,))
    with pytest.raises(FieldError, match="expected a tuple of 2 McGroup"):
        v1.McGroupStatusAns(ans_group_mask=3, nb_total_groups=1, groups=(group,))
    octets = bytes.fromhex("01110104030201")
    [malformed] = v1.PACKAGE.parse(octets, UPLINK)
    assert isinstance(malformed, MalformedCommand)
    assert "mc_group_id [0]" in malformed.error.reason


def test_the_table_reads_like_the_document() -> None:
    assert v1.McGroupSetupAns.table() == [
        Row("0", "1:0", "McGroupID", "mc_group_id", "int in 0..3", "Group"),
        Row("0", "2", "IDerror", "id_error", "bool", "McGroupID not supported; nothing was stored"),
        Row("0", "7:3", "RFU", "", "0", "Reserved: sent as zero, ignored on receipt"),
    ]


def test_a_request_in_the_wrong_direction_is_unknown_or_truncated() -> None:
    octets = bytes.fromhex(COMMANDS["setup-req-0"]["hex"])
    assert v1.PACKAGE.parse(octets, DOWNLINK, strict=True)
    first = v1.PACKAGE.parse(octets, UPLINK)[0]
    assert first == v1.McGroupSetupAns(mc_group_id=0, id_error=False)
