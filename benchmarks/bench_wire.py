"""The message layer: build, encode, decode, parse, JSON, on the messages of a real session."""

from __future__ import annotations

import json

import lorafuota
from benchmarks.harness import Case
from lorafuota.fragmentation import v1, v2
from lorafuota.types import DOWNLINK, UPLINK

SETUP = v2.FragSessionSetupReq(
    mc_group_bit_mask=1,
    frag_index=0,
    nb_frag=4400,
    frag_size=239,
    block_ack_delay=3,
    frag_algo=0,
    ack_reception=True,
    padding=5,
    descriptor=b"v1.1",
    session_cnt=7,
    mic=b"\xfc\x97\x6c\x8d",
)
FRAGMENT = v1.DataFragment(n=4000, frag_index=0, payload=bytes(239))
STATUS = bytes.fromhex("01000c4000")


def cases(once: bool) -> list[Case]:
    setup, fragment = SETUP.encode(), FRAGMENT.encode()
    fields = {name: getattr(SETUP, name) for name in type(SETUP).KINDS}
    text = json.dumps(v2.PACKAGE.to_json(SETUP))
    two = bytes.fromhex("000302") + STATUS

    def build() -> None:
        v2.FragSessionSetupReq(**fields)

    def decode_setup() -> None:
        v2.FragSessionSetupReq.decode(setup)

    def decode_fragment() -> None:
        v1.DataFragment.decode(fragment)

    def parse_fragment() -> None:
        v2.PACKAGE.parse(fragment, DOWNLINK)

    def parse_two() -> None:
        v2.PACKAGE.parse(two, UPLINK)

    def to_json() -> None:
        json.dumps(v2.PACKAGE.to_json(SETUP))

    def from_json() -> None:
        lorafuota.from_json(json.loads(text))

    each = 500
    return [
        Case("FragSessionSetupReq", "build", build, each),
        Case("FragSessionSetupReq", "encode", SETUP.encode, each),
        Case("FragSessionSetupReq", "decode", decode_setup, each),
        Case("FragSessionSetupReq", "to JSON text", to_json, each),
        Case("FragSessionSetupReq", "from JSON text", from_json, each),
        Case("DataFragment", "encode", FRAGMENT.encode, each),
        Case("DataFragment", "decode", decode_fragment, each),
        Case("DataFragment", "parse payload", parse_fragment, each),
        Case("two answers", "parse payload", parse_two, each),
    ]
