"""Invariant: whatever was captured is explained or reported, line by line, and JSON can hold it.

Payloads of every package, version and direction, frames with keys and without, whole logs of every
format.
"""

from __future__ import annotations

import json
import pathlib

import lorafuota
from lorafuota.dissect.addresskeys import AddressKeys
from lorafuota.dissect.explain import explain
from lorafuota.dissect.frame import explain_phy
from lorafuota.dissect.joins import RootKeys
from lorafuota.dissect.keyring import Keyring
from lorafuota.dissect.logreader import Captured, read_log
from lorafuota.dissect.lorawan11 import SessionKeys
from lorafuota.dissect.story import tell
from lorafuota.dissect.versions import hints, readings
from lorafuota.types import (
    DOWNLINK,
    UPLINK,
    AppKey,
    AppSKey,
    DevAddr,
    DevEUI,
    FNwkSIntKey,
    McKey,
    NwkSEncKey,
    SNwkSIntKey,
)
from tests.fuzz import mutation
from tests.fuzz.targets.target import MiB, Target

CAPTURES = pathlib.Path(__file__).parents[2] / "data" / "captures"
KEY = McKey.from_hex("5e4d3c2b1a09f8e7d6c5b4a392817061")
NEWER = SessionKeys(
    address=DevAddr(0xE0109867),
    f_nwk_s_int_key=FNwkSIntKey.from_hex("07c105892e1bbb7f7101d13a5f78249b"),
    s_nwk_s_int_key=SNwkSIntKey.from_hex("f9162a2fcf6e70867cee523249282844"),
    nwk_s_enc_key=NwkSEncKey.from_hex("a5406d11c50850c965c2545ad81980a7"),
    app_s_key=AppSKey.from_hex("38034b6efc87cf9c40ac0b45b460d395"),
)
ROOT = RootKeys(
    dev_eui=DevEUI.from_hex("00AFEE7CF5ED6F1E"),
    app_key=AppKey.from_hex("b6b53f4a168a7a88bdf7ea135ce9cfca"),
)


def keyring() -> Keyring:
    """A ring of its own for each input: it learns."""
    group = AddressKeys.from_mc_key(KEY, DevAddr(0x01FE2A3B))
    return Keyring([group, NEWER], roots=[ROOT])


def a_payload(data: bytes) -> str:
    """The first octet says for which package, and which way."""
    mode, octets = (data[0], data[1:]) if data else (0, b"")
    one = lorafuota.PACKAGES[(mode >> 1) % len(lorafuota.PACKAGES)]
    way = DOWNLINK if mode & 1 else UPLINK
    explanation = explain(one, way, octets, time=1.4e9 if mode & 0x40 else None)
    json.dumps(explanation.to_json())
    if mode & 0x80:
        hints(explanation)
        json.dumps([reading.to_json() for reading in readings(one, way, octets)])
    return "explained"


def a_frame(data: bytes) -> str:
    json.dumps(explain_phy(data, keyring(), tries=1).to_json())
    return "explained"


def a_log(data: bytes) -> str:
    json.dumps(tell(read_log(data.split(b"\n")), keys=keyring()).to_json())
    return "told"


def payload_seeds() -> list[bytes]:
    payloads = mutation.payloads()
    return [bytes((mode % 256,)) + payload for mode, payload in enumerate(payloads)]


def frame_seeds() -> list[bytes]:
    logs = [path.read_bytes().splitlines() for path in sorted(CAPTURES.glob("*.jsonl"))]
    read = [one for log in logs for one in read_log(log)]
    rekey = bytes.fromhex("40679810e080000000c2c5248de748")
    return [rekey, *(one.frame.phy for one in read if isinstance(one, Captured) and one.frame.phy)]


def log_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(CAPTURES.glob("*.jsonl"))]


TARGETS = (
    Target(name="captured-payload", one_input=a_payload, seeds=payload_seeds, everyday=100),
    Target(name="captured-frame", one_input=a_frame, seeds=frame_seeds, everyday=100),
    Target(name="captured-log", one_input=a_log, seeds=log_seeds, memory=16 * MiB, everyday=10),
)
