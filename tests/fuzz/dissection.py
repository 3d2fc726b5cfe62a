"""Invariant: whatever was captured is explained or reported, and nothing raises.

Mutates the vectors and the captures of the tests: payloads for every package, version and
direction, frames with keys and without, lines of logs in every format, and whole logs.  Reports
inputs, what escaped, and the slowest.

    python -m tests.fuzz.dissection --inputs 100000
"""

from __future__ import annotations

import argparse
import json
import pathlib
import random
import time
from collections.abc import Callable

import lorafuota
from lorafuota.dissect.explain import explain
from lorafuota.dissect.frame import explain_phy
from lorafuota.dissect.keyring import AddressKeys, Keyring
from lorafuota.dissect.logreader import Captured, read_log
from lorafuota.dissect.story import tell
from lorafuota.dissect.versions import hints, readings
from lorafuota.types import DOWNLINK, UPLINK, DevAddr, McKey
from tests.fuzz.decoders import seeds

CAPTURES = pathlib.Path(__file__).parents[1] / "data" / "captures"
KEYS = Keyring(
    [
        AddressKeys.from_mc_key(
            McKey.from_hex("5e4d3c2b1a09f8e7d6c5b4a392817061"), DevAddr(0x01FE2A3B)
        )
    ]
)


def mutated(rng: random.Random, seed: bytes) -> bytes:
    octets = bytearray(seed)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(octets) + 1)
        match rng.randrange(4):
            case 0:
                del octets[at:]
            case 1:
                octets[at:at] = rng.randbytes(rng.randrange(1, 6))
            case 2 if at < len(octets):
                octets[at] ^= 1 << rng.randrange(8)
            case _:
                octets[at : at + rng.randrange(1, 4)] = b""
    return bytes(octets)


def payload(rng: random.Random, octets: bytes) -> None:
    one, way = rng.choice(lorafuota.PACKAGES), rng.choice((UPLINK, DOWNLINK))
    explanation = explain(one, way, octets, time=rng.choice((None, 1.4e9)))
    json.dumps(explanation.to_json())
    if rng.random() < 0.1:
        hints(explanation)
        json.dumps([reading.to_json() for reading in readings(one, way, octets)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    lines = [line for path in CAPTURES.glob("*.jsonl") for line in path.read_bytes().splitlines()]
    frames = [
        one.frame.phy
        for one in read_log(lines)
        if isinstance(one, Captured) and one.frame.phy is not None
    ]
    payloads = seeds()

    def a_payload() -> None:
        payload(rng, mutated(rng, rng.choice(payloads)))

    def a_frame() -> None:
        json.dumps(explain_phy(mutated(rng, rng.choice(frames)), KEYS, tries=1).to_json())

    def a_log() -> None:
        log = [mutated(rng, rng.choice(lines)) for _ in range(rng.randrange(1, 12))]
        json.dumps(tell(read_log(log), keys=KEYS).to_json())

    kinds: dict[str, Callable[[], None]] = {
        "payloads": a_payload,
        "frames": a_frame,
        "logs": a_log,
    }
    for name, run in kinds.items():
        escaped, slowest = 0, 0.0
        for _ in range(args.inputs):
            state, began = rng.getstate(), time.perf_counter()
            try:
                run()
            except Exception as error:
                escaped += 1
                print(f"{name}: {error!r} from state {hash(state)}")
            slowest = max(slowest, time.perf_counter() - began)
        print(f"{name}: {args.inputs:,} inputs, {escaped} escaped, slowest {slowest * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
