from __future__ import annotations

from typing import Any

import pytest

from lorafuota import DecodeError, TruncatedError, UnknownCommandError
from lorafuota.clocksync import v1
from lorafuota.types import DOWNLINK, UPLINK
from lorafuota.wire import Command
from tests.support import direction, packages, vectors

CODEC = vectors("ts003")["codec"]
LENIENT = {one["id"]: one for one in vectors("ts003")["lenient_and_invalid"]}


def describe(command: Command) -> dict[str, Any]:
    """The message in the vectors' words."""
    fields = dict(command.to_json())
    renamed: dict[str, Any] = {
        {"token_req": "token", "token_ans": "token"}.get(name, name): value
        for name, value in fields.items()
    }
    return {"command": type(command).__name__, "fields": renamed}


@pytest.mark.parametrize("vector", CODEC, ids=lambda v: v["id"])
def test_every_vector_decodes_to_its_fields_and_encodes_to_its_octets(
    vector: dict[str, Any],
) -> None:
    [package] = packages("clocksync", vector["package_version"])
    way = direction(vector["direction"])
    parsed = package.parse(bytes.fromhex(vector["hex"]), way, strict=True)
    commands = [one for one in parsed if isinstance(one, Command)]
    assert [describe(one) for one in commands] == vector["commands"]
    assert package.join(commands).hex() == vector["hex"]


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("rfu-req", "010102040815"),
        ("rfu-ans", "010500000002"),
        ("rfu-period", "0205"),
        ("rfu-force", "0302"),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_reserved_bits_are_ignored_unless_strict(name: str, canonical: str, version: int) -> None:
    vector = LENIENT[name]
    [package] = packages("clocksync", version)
    way = direction(vector["direction"])
    [command] = package.parse(bytes.fromhex(vector["hex"]), way)
    assert isinstance(command, Command)
    assert command.encode().hex() == canonical
    with pytest.raises(DecodeError, match="reserved bit"):
        package.parse(bytes.fromhex(vector["hex"]), way, strict=True)


@pytest.mark.parametrize("name", ["short-req", "short-ans"])
def test_truncated_commands_are_refused(name: str) -> None:
    way = direction(LENIENT[name]["direction"])
    with pytest.raises(TruncatedError):
        v1.PACKAGE.parse(bytes.fromhex(LENIENT[name]["hex"]), way, strict=True)


def test_parsing_stops_at_an_unknown_identifier_and_keeps_what_came_before() -> None:
    version, unknown = v1.PACKAGE.parse(bytes.fromhex(LENIENT["unknown-cid"]["hex"]), DOWNLINK)
    assert version == v1.PackageVersionReq()
    assert not isinstance(unknown, Command)
    assert (unknown.cid, unknown.payload, unknown.offset) == (0x55, b"\0", 1)


def test_a_forced_resync_does_not_exist_as_an_uplink() -> None:
    with pytest.raises(UnknownCommandError):
        v1.PACKAGE.parse(bytes.fromhex(LENIENT["force-as-uplink"]["hex"]), UPLINK, strict=True)


def test_every_vector_about_octets_is_used() -> None:
    used = {"rfu-req", "rfu-ans", "rfu-period", "rfu-force", "short-req", "short-ans"}
    assert LENIENT.keys() == used | {"unknown-cid", "force-as-uplink"}
    assert len(CODEC) == 54
