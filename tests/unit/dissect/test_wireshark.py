from __future__ import annotations

import enum
import json
import pathlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from lorafuota import PACKAGES
from lorafuota._kinds import Int, OnlyIf
from lorafuota.catalogue import PackageMap
from lorafuota.dissect.addresskeys import AddressKeys
from lorafuota.dissect.explain import Explanation, explain
from lorafuota.dissect.wireshark import lua_dissector
from lorafuota.link import build_mc_downlink
from lorafuota.types import DOWNLINK, UPLINK, DevAddr, Direction, McAppSKey, McNwkSKey
from lorafuota.wire import Record, Repeat
from tests.unit.dissect.tshark import DLT_LORATAP, bare, loratap, needs_tshark, shown

VECTORS = pathlib.Path(__file__).parents[2] / "vectors"
NEWEST = {one.name: one.version for one in PACKAGES}
OLDEST = dict.fromkeys(NEWEST, 1)
WAYS = {"up": UPLINK, "uplink": UPLINK, "down": DOWNLINK, "downlink": DOWNLINK}


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def vectors() -> Iterator[tuple[int, Direction, bytes]]:
    """Every payload of the vectors with its port; each is read in both versions."""
    for name, fport, groups in (
        ("ts003", 202, ("codec", "lenient_and_invalid")),
        ("ts004", 201, ("commands", "messages", "rfu_tolerance", "rejects")),
        ("ts005", 200, ("commands", "messages", "malformed", "rfu_handling")),
        ("ts006", 203, ("codec", "lenient_and_invalid")),
    ):
        data = load(name)
        for one in (one for group in groups for one in data[group]):
            if one["hex"]:
                yield fport, WAYS[one["direction"]], bytes.fromhex(one["hex"])
    data = load("ts007")
    for one in data["downlinks"] + data["buffer_requests"]:
        yield 225, DOWNLINK, bytes.fromhex(one["downlink"])
        yield from ((225, UPLINK, bytes.fromhex(answer)) for answer in one["uplinks"])


def read(fport: int, direction: Direction, payload: bytes, versions: dict[str, int]) -> Explanation:
    speaks = PackageMap(versions)
    package = speaks.at(fport)
    assert package is not None
    return explain(package, direction, payload, speaks=speaks)


def expected(message: Record, owner: str) -> Iterator[tuple[str, str]]:
    """The fields of a message as tshark has to show them."""
    for field, kind in message.KINDS.items():
        value = getattr(message, field)
        inner = kind.inner if isinstance(kind, OnlyIf) else kind
        if isinstance(inner, Repeat):
            for item in value:
                yield from expected(item, f"{owner}.{field}")
        elif isinstance(inner, Int) and value is not None:
            yield f"{owner}.{field}", number(inner, value)
            if isinstance(value, enum.IntFlag):
                for member in type(value):
                    there = "1" if value & member else "0"
                    yield f"{owner}.{field}.{str(member.name).lower()}", there
        elif value:
            yield f"{owner}.{field}", value.hex(":")


def number(kind: Int, value: int) -> str:
    return f"0x{value:08x}" if kind.type is DevAddr else str(int(value))


def fields_of(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without what the dissector shows around the fields."""
    return [(name, normal(value)) for name, value in found if name.count(".") >= 3]


def normal(value: str) -> str:
    return {"True": "1", "False": "0"}.get(value, value)


def commands_of(found: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in found if name == "lorafuota.command"]


def refusals(found: list[tuple[str, str]]) -> list[str]:
    marks = ("unknown_command", "malformed_command", "out_of_range")
    return [name for name, _ in found if name.endswith(marks)]


def wanted(explanation: Explanation) -> list[tuple[str, str]]:
    return [
        pair
        for piece in explanation.pieces
        for pair in expected(
            piece.command, f"lorafuota.{piece.package.name}.{type(piece.command).__name__}"
        )
    ]


@needs_tshark
@pytest.mark.parametrize("versions", [OLDEST, NEWEST], ids=["oldest", "newest"])
def test_tshark_shows_what_our_decoder_reads_of_every_vector(
    versions: dict[str, int], tmp_path: pathlib.Path
) -> None:
    every = list(vectors())
    assert len(every) > 300
    preferences = {f"lorafuota.{name}": version for name, version in versions.items()}
    found = shown(
        [bare(way, port, octets) for port, way, octets in every], tmp_path, preferences=preferences
    )
    assert len(found) == len(every)
    compared = 0
    for (port, way, octets), fields in zip(every, found, strict=True):
        explanation = read(port, way, octets, versions)
        where = (port, way, octets.hex(), fields)
        names = [type(command).__name__ for command in explanation.commands]
        if explanation.complete:
            assert commands_of(fields) == names, where
            assert fields_of(fields) == wanted(explanation), where
            assert refusals(fields) == [], where
            compared += len(names)
        else:
            assert commands_of(fields)[: len(names)] == names, where
            assert fields_of(fields)[: len(wanted(explanation))] == wanted(explanation), where
    assert compared > 250


@needs_tshark
def test_tshark_reads_as_far_as_our_decoder_whatever_the_octets(tmp_path: pathlib.Path) -> None:
    rng = random.Random(6)
    every = []
    for _ in range(4):
        for port, way, octets in vectors():
            hostile = bytearray(octets)
            match rng.randrange(4):
                case 0:
                    hostile = hostile[: rng.randrange(len(hostile)) + 1]
                case 1:
                    hostile += rng.randbytes(rng.randrange(1, 9))
                case 2:
                    hostile[rng.randrange(len(hostile))] ^= 1 << rng.randrange(8)
                case _:
                    hostile = bytearray(rng.randbytes(rng.randrange(1, 30)))
            every.append((port, way, bytes(hostile)))
    found = shown([bare(way, port, octets) for port, way, octets in every], tmp_path)
    unread = 0
    for (port, way, octets), fields in zip(every, found, strict=True):
        explanation = read(port, way, octets, NEWEST)
        names = [type(command).__name__ for command in explanation.commands]
        where = (port, way, octets.hex(), fields)
        left = explanation.leftover
        if left is None:
            assert commands_of(fields) == names, where
            assert fields_of(fields) == wanted(explanation), where
            assert refusals(fields) == [], where
        elif "expected" not in left.error.reason:  # a value out of range is shown, and marked
            unread += 1
            assert commands_of(fields)[: len(names)] == names, where
            assert len(commands_of(fields)) <= len(names) + 1, where
            assert port == 225 or any("_command" in name for name, _ in fields), where
    assert unread > 100


@needs_tshark
def test_below_wiresharks_own_lorawan_dissector(tmp_path: pathlib.Path) -> None:
    address = DevAddr(0x01FE2A3B)
    mic_key, payload_key = bytes(range(16)), bytes(range(16, 32))
    phy = build_mc_downlink(
        bytes.fromhex("0103"),
        mc_addr=address,
        mc_app_s_key=McAppSKey(payload_key),
        mc_nwk_s_key=McNwkSKey(mic_key),
        fcnt=3,
        fport=201,
    )
    on_air = address.to_bytes(4, "little").hex()
    keys = f'"{on_air}","{mic_key.hex()}","{payload_key.hex()}","0000000000000000"\n'
    [found] = shown([loratap(phy)], tmp_path, dlt=DLT_LORATAP, keys=keys)
    assert commands_of(found) == ["FragSessionStatusReq"]
    owner = "lorafuota.fragmentation.FragSessionStatusReq"
    assert fields_of(found) == [(f"{owner}.participants", "1"), (f"{owner}.frag_index", "1")]
    [encrypted] = shown([loratap(phy)], tmp_path, dlt=DLT_LORATAP)
    assert encrypted == []
    later = build_mc_downlink(
        b"\x01\x00",
        mc_addr=address,
        mc_app_s_key=McAppSKey(payload_key),
        mc_nwk_s_key=McNwkSKey(mic_key),
        fcnt=0x1_0003,  # Wireshark tries the lower half only, and decrypts to noise
        fport=201,
    )
    assert shown([loratap(later)], tmp_path, dlt=DLT_LORATAP, keys=keys) == [[]]
    clear = (
        phy[:9]
        + AddressKeys(
            address=address, mic_key=McNwkSKey(mic_key), payload_key=McAppSKey(payload_key)
        ).crypt(phy[9:-4], port=201, direction=DOWNLINK, fcnt=3)
        + phy[-4:]
    )
    preferences = {"lorafuota.payload_in_the_clear": "TRUE"}
    [found] = shown([loratap(clear)], tmp_path, dlt=DLT_LORATAP, preferences=preferences)
    assert commands_of(found) == ["FragSessionStatusReq"]


@needs_tshark
def test_ports_are_a_preference_and_other_ports_are_left_alone(tmp_path: pathlib.Path) -> None:
    octets = bytes.fromhex("02c3")
    frames = [bare(UPLINK, 77, octets), bare(UPLINK, 201, octets)]
    preferences = {"lorafuota.fragmentation_port": 77}
    moved, gone = shown(frames, tmp_path, preferences=preferences)
    assert (commands_of(moved), gone) == (["FragSessionSetupAns"], [])


@needs_tshark
@pytest.mark.parametrize(
    ("direction", "fport", "octets", "mark"),
    [
        (DOWNLINK, 201, "ff00", "lorafuota.unknown_command"),
        (DOWNLINK, 201, "0200", "lorafuota.malformed_command"),
        (DOWNLINK, 201, "03f0", "lorafuota.reserved_bits"),
        (UPLINK, 200, "04c0", "lorafuota.reserved_bits"),
        (DOWNLINK, 201, "08000011", "lorafuota.out_of_range"),
        (UPLINK, 201, "0104000000", "lorafuota.trailing_octets"),
        (DOWNLINK, 201, "0100080100aa", "lorafuota.trailing_octets"),
        (DOWNLINK, 225, "00fc", "lorafuota.reserved_bits"),
        (DOWNLINK, 225, "890002", "lorafuota.unknown_command"),
        (DOWNLINK, 225, "0002000502", "lorafuota.trailing_octets"),
    ],
)
def test_what_is_wrong_is_expert_information(
    direction: Direction, fport: int, octets: str, mark: str, tmp_path: pathlib.Path
) -> None:
    [found] = shown([bare(direction, fport, bytes.fromhex(octets))], tmp_path)
    assert mark in [name for name, _ in found]


@pytest.mark.skipif(shutil.which("luac") is None, reason="luac is not installed")
def test_the_dissector_is_lua(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "lorafuota.lua"
    script.write_text(lua_dissector(), encoding="utf-8")
    subprocess.run(["luac", "-p", str(script)], check=True)


def test_every_command_and_every_field_is_in_the_tables() -> None:
    text = lua_dissector()
    assert text.isascii()
    for package in PACKAGES:
        for cls in package.commands:
            assert f'name = "{cls.__name__}"' in text
            for field in cls.KINDS:
                if not isinstance(cls.KINDS[field], Repeat):
                    assert f'"lorafuota.{package.name}.{cls.__name__}.{field}"' in text
