from __future__ import annotations

import dataclasses
import json

import pytest

from lorafuota import errors
from lorafuota.fragmentation import v1
from lorafuota.multicastsetup import v1 as mc
from lorafuota.package import (
    MAX_PAYLOAD,
    MalformedCommand,
    PackageVersionAns,
    PackageVersionReq,
    UnknownCommand,
)
from lorafuota.types import DOWNLINK, UPLINK
from tests.support import nested


def test_a_payload_with_a_newer_command_at_the_end_keeps_the_first_ones() -> None:
    octets = bytes.fromhex("02c0 0100c48001 7f0102")
    setup, status, unknown = v1.PACKAGE.parse(octets, UPLINK)
    assert setup == v1.FragSessionSetupAns(errors=v1.SetupError(0), frag_index=3)
    assert isinstance(status, v1.FragSessionStatusAns)
    assert unknown == UnknownCommand(0x7F, b"\1\2", 7, "fragmentation/1")
    with pytest.raises(errors.UnknownCommandError) as caught:
        v1.PACKAGE.parse(octets, UPLINK, strict=True)
    assert isinstance(unknown, UnknownCommand)
    assert caught.value == unknown.error


def test_the_offset_of_an_error_counts_from_the_start_of_the_payload() -> None:
    [_, malformed] = v1.PACKAGE.parse(bytes.fromhex("0301 0201"), DOWNLINK)
    error = errors.TruncatedError("FragSessionSetupReq", 3, "needs 10 octets here, has 1")
    assert malformed == MalformedCommand(0x02, b"\1", 2, error)


def test_one_command_is_read_leniently_unless_asked_otherwise() -> None:
    payload = bytes.fromhex("00 03ff")  # six reserved bits behind FragIndex
    delete = v1.FragSessionDeleteReq(frag_index=3)
    assert v1.PACKAGE.read(payload, 1, DOWNLINK) == (delete, 3)
    with pytest.raises(errors.ReservedBitsError):
        v1.PACKAGE.read(payload, 1, DOWNLINK, strict=True)


def test_packages_are_told_apart_and_can_be_keys() -> None:
    assert {v1.PACKAGE: "fragmentation", mc.PACKAGE: "multicastsetup"}[
        mc.PACKAGE
    ] == mc.PACKAGE.name
    assert dataclasses.replace(v1.PACKAGE, version=9) != v1.PACKAGE
    assert dataclasses.replace(v1.PACKAGE) == v1.PACKAGE


def test_a_payload_longer_than_any_frame_is_not_read() -> None:
    [malformed] = v1.PACKAGE.parse(bytes(MAX_PAYLOAD + 1), DOWNLINK)
    assert isinstance(malformed, MalformedCommand)
    assert "no frame carries more" in malformed.error.reason
    with pytest.raises(errors.DecodeError, match="no frame carries more"):
        v1.PACKAGE.parse(bytes(MAX_PAYLOAD + 1), DOWNLINK, strict=True)
    assert len(v1.PACKAGE.parse(bytes(MAX_PAYLOAD), DOWNLINK)) == MAX_PAYLOAD


def test_join_refuses_strangers_and_what_does_not_fit() -> None:
    with pytest.raises(errors.FieldError, match="expected commands of fragmentation/1"):
        v1.PACKAGE.join([mc.McGroupDeleteReq(mc_group_id=0)])
    with pytest.raises(errors.FieldError, match="at most 242 octets"):
        v1.PACKAGE.join([PackageVersionReq()] * 243)
    assert v1.PACKAGE.join([PackageVersionReq()] * 242) == bytes(242)


def test_a_command_that_must_be_alone_has_not_even_one_beside_it() -> None:
    fragment = v1.DataFragment(n=1, frag_index=0, payload=b"ab")
    assert v1.PACKAGE.join([fragment]) == fragment.encode()
    with pytest.raises(errors.FieldError, match="DataFragment: expected it to be alone"):
        v1.PACKAGE.join([PackageVersionReq(), fragment])


def test_nothing_at_all_is_truncated_at_its_start() -> None:
    with pytest.raises(errors.TruncatedError) as caught:
        v1.PACKAGE.parse(b"", UPLINK, strict=True)
    assert caught.value == errors.TruncatedError("fragmentation/1", 0, "there is no command")


def test_json_of_another_package_version_or_command_is_refused() -> None:
    """Also where everything else would fit."""
    good = v1.PACKAGE.to_json(v1.FragSessionStatusReq(participants=True, frag_index=1))
    leftover = v1.PACKAGE.to_json(UnknownCommand(0x7F, b"", 0, "fragmentation/1"))
    assert v1.PACKAGE.from_json(leftover) == UnknownCommand(0x7F, b"", 0, "fragmentation/1")
    for wrong in (
        good | {"version": 2},
        good | {"package": "clocksync"},
        good | {"command": "FragSessionStatusAns"},
        good | leftover | {"command": "Nonsense"},
    ):
        with pytest.raises(errors.FieldError, match=r"expected JSON of fragmentation/1"):
            v1.PACKAGE.from_json(wrong)


def test_an_identifier_declared_twice_is_a_type_error() -> None:
    twice = (PackageVersionReq, PackageVersionReq)
    with pytest.raises(TypeError, match="twice"):
        dataclasses.replace(v1.PACKAGE, commands=twice)


def test_json_says_where_a_message_belongs() -> None:
    shown = v1.PACKAGE.to_json(PackageVersionAns(package_identifier=3, package_version=1))
    assert shown == {
        "package": "fragmentation",
        "version": 1,
        "direction": "uplink",
        "command": "PackageVersionAns",
        "fields": {"package_identifier": 3, "package_version": 1},
    }


def test_json_of_what_could_not_be_read_comes_back() -> None:
    for octets in (b"\x09\x01", b"\x02\x01", b"\x08\x00\x00\x01"):
        [leftover] = v1.PACKAGE.parse(octets, DOWNLINK)
        text = json.dumps(v1.PACKAGE.to_json(leftover))
        assert v1.PACKAGE.from_json(json.loads(text)) == leftover


GOOD: dict[str, object] = {"package": "fragmentation", "version": 1}


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {**GOOD, "version": 2},
        {**GOOD},
        {**GOOD, "command": "FragSessionDeleteReq"},
        {**GOOD, "command": "Nothing", "direction": "downlink", "fields": {}},
        {**GOOD, "command": "FragSessionDeleteReq", "direction": "uplink", "fields": {}},
        {**GOOD, "unknown": 1},
        {**GOOD, "unknown": nested()},
        {**GOOD, "unknown": {"cid": nested(), "payload": "", "offset": 0, "package": ""}},
        {**GOOD, "unknown": {"cid": "1", "payload": "", "offset": 0, "package": ""}},
        {**GOOD, "unknown": {"cid": 1, "payload": "0", "offset": 0, "package": ""}},
        {**GOOD, "malformed": {"cid": 1, "payload": "", "offset": 0, "error": {}}},
        {
            **GOOD,
            "malformed": {
                "cid": 1,
                "payload": "",
                "offset": 0,
                "error": {"kind": "OSError", "command": "", "offset": 0, "reason": ""},
            },
        },
    ],
)
def test_json_that_is_no_message_is_refused(data: object) -> None:
    with pytest.raises(errors.FieldError):
        v1.PACKAGE.from_json(data)
