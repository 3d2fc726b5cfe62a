"""Invariant: any octets given to any decoder give commands or the one decode error (promise R1).

Mutates the vectors (flipped bits, cut, extended, spliced) and adds noise, for every package,
version and direction and for FPort 225, and reports inputs, escapes and the slowest message.

    python -m tests.fuzz.decoders --inputs 1000000
"""

from __future__ import annotations

import argparse
import random
import re
import time

import lorafuota
from lorafuota.errors import DecodeError
from lorafuota.multipackage.commandset import read_answers, read_command_set
from lorafuota.types import DOWNLINK, Direction
from lorafuota.wire import Command
from tests.support import vectors


def seeds() -> list[bytes]:
    """Every payload in the vectors."""
    found: set[str] = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)
        elif isinstance(node, str) and re.fullmatch("([0-9a-f]{2}){1,60}", node):
            found.add(node)

    for file in ("ts003", "ts004", "ts005", "ts006", "ts007"):
        walk(vectors(file))
    return [bytes.fromhex(one) for one in sorted(found)]


def mutate(rng: random.Random, pool: list[bytes]) -> bytes:
    octets = bytearray(rng.choice(pool))
    for _ in range(rng.randrange(4)):
        match rng.randrange(5):
            case 0 if octets:
                octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
            case 1:
                del octets[rng.randrange(len(octets) + 1) :]
            case 2:
                octets += rng.randbytes(rng.randrange(1, 40))
            case 3:
                octets += rng.choice(pool)
            case _:
                octets[:0] = rng.randbytes(rng.randrange(1, 4))
    return bytes(octets)


def check(package: lorafuota.Package, direction: Direction, payload: bytes) -> None:
    """Raise unless both ways of parsing do what they promise."""
    parsed = package.parse(payload, direction)
    if package.identifier == 0:
        packages = lorafuota.PackageMap().packages
        (read_command_set if direction is DOWNLINK else read_answers)(payload, packages)
    for one in parsed[:-1]:
        assert isinstance(one, Command)
    try:
        strict = package.parse(payload, direction, strict=True)
    except DecodeError as error:
        if not (error.reason and 0 <= error.offset <= len(payload)):
            raise AssertionError(f"a useless error: {error!r}") from error
        return
    assert b"".join(one.encode() for one in strict if isinstance(one, Command)) == payload


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="for each decoder")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    pool = seeds()
    total, slowest, escapes = 0, 0.0, 0
    for package in lorafuota.PACKAGES:
        for direction in Direction:
            rng = random.Random(f"{args.seed}/{package}/{direction.value}")
            for _ in range(args.inputs):
                payload = mutate(rng, pool)
                start = time.thread_time()
                try:
                    check(package, direction, payload)
                except Exception as error:  # the very thing that is looked for
                    escapes += 1
                    print(f"{package} {direction.value} {payload.hex()}: {error!r}")
                slowest = max(slowest, time.thread_time() - start)
                total += 1
    print(f"{total} inputs, {escapes} escapes, slowest {1000 * slowest:.2f} ms (all ways)")
    raise SystemExit(1 if escapes else 0)


if __name__ == "__main__":
    main()
