"""Running tshark with our dissector over payloads or frames, and reading back what it shows."""

from __future__ import annotations

import os
import pathlib
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence

import pytest

from lorafuota.dissect.wireshark import lua_dissector
from lorafuota.types import UPLINK, Direction

DLT_USER0 = 147
DLT_LORATAP = 270
USER = 'uat:user_dlts:"User 0 (DLT=147)","lorafuota_payload","0","","0",""'

needs_tshark = pytest.mark.skipif(
    shutil.which("tshark") is None, reason="tshark is not installed (Debian package tshark)"
)


def bare(direction: Direction, fport: int, payload: bytes) -> bytes:
    """A payload as the dissector takes it in a DLT_USER."""
    return bytes((0 if direction is UPLINK else 1, fport)) + payload


def loratap(phy: bytes) -> bytes:
    """A frame as LoRaWAN gateways write it into captures."""
    return struct.pack(">BBHIBBBBBBB", 0, 0, 15, 868_100_000, 1, 7, 0, 0, 0, 0, 0x34) + phy


def pcap(frames: Iterable[bytes], dlt: int) -> bytes:
    octets = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, dlt)
    for i, frame in enumerate(frames):
        octets += struct.pack("<IIII", 1_700_000_000 + i, 0, len(frame), len(frame)) + frame
    return octets


def shown(
    frames: Sequence[bytes],
    directory: pathlib.Path,
    *,
    dlt: int = DLT_USER0,
    preferences: Mapping[str, object] | None = None,
    keys: str = "",
) -> list[list[tuple[str, str]]]:
    """What tshark shows of each frame: the names and values of our fields, in order."""
    script, capture = directory / "lorafuota.lua", directory / "frames.pcap"
    script.write_text(lua_dissector(), encoding="utf-8")
    capture.write_bytes(pcap(frames, dlt))
    (directory / "encryption_keys_lorawan").write_text(keys)
    options = [f"{name}:{value}" for name, value in (preferences or {}).items()]
    argv = ["tshark", "-X", f"lua_script:{script}", "-r", str(capture), "-T", "pdml"]
    for option in (USER, *options):
        argv += ["-o", option]
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(directory), "HOME": str(directory)}
    done = subprocess.run(argv, capture_output=True, env=environment, check=True, timeout=120)
    assert b"Lua" not in done.stderr, done.stderr
    return [
        [
            (field.get("name", ""), field.get("show", ""))
            for field in packet.iter("field")
            if field.get("name", "").startswith("lorafuota.")
        ]
        for packet in ET.fromstring(done.stdout).iter("packet")
    ]
