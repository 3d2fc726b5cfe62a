"""Inputs near good ones: where they start from, and what is done to them.

Octets are changed as octets; a document is changed as a document most of the time, because octets
changed at random are hardly ever JSON.  Everything is a function of the random numbers given.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tests.support import vectors

LONGEST: Final = 1 << 16
"""Octets in an input, unless one of the seeds is longer."""

EDGES: Final = (
    *(0, 1, -1, 2, 127, 128, 255, 256, 65_535, 65_536),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**64, -(2**63), 10**30, 10**400),
)
"""Whole numbers at which something changes for somebody."""

ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0.5, -0.0, 1e-320, 1e308, -1e308, float("nan"), float("inf")),
    *("", "x", "0", "\0", "\ud800", "ff" * 8, "A" * 5000, [], {}, [[]], [None], {"": None}),
)
"""Values of every kind."""

_DEEP: Final = "here it goes down"
"""Stands for something nested, about as deep as Python reads it, or much deeper."""


def payloads() -> list[bytes]:
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


def octets(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    """One of *pool*, changed a few times or not at all."""
    changed = bytearray(rng.choice(pool))
    longest = max(LONGEST, 2 * len(changed))
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(9):
            case 0 if changed:
                changed[at - 1] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at:]
            case 2:
                changed += rng.randbytes(rng.randrange(1, 40))
            case 3:
                changed += rng.choice(pool)
            case 4:
                changed[:0] = rng.randbytes(rng.randrange(1, 4))
            case 5:
                changed[at : at + rng.randrange(8)] = rng.randbytes(rng.randrange(8))
            case 6:
                other = rng.choice(pool)
                changed[at:] = other[rng.randrange(len(other) + 1) :]
            case 7:
                piece = changed[at : at + rng.randrange(1, 64)]
                changed[at:at] = piece * rng.choice((1, 1, 1, 2, 30))
            case _:
                size = rng.choice((1, 2, 3, 4, 8))
                edge = rng.choice(EDGES) % (1 << 8 * size)
                number = edge.to_bytes(size, rng.choice(("little", "big")))
                changed[at : at + size] = number
        del changed[longest:]
    return bytes(changed)


def document(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    """One of *pool*, documents in JSON, changed here and there."""
    if rng.random() < 0.1:
        return octets(rng, pool)
    whole = json.loads(rng.choice(pool))
    for _ in range(rng.randrange(1, 4)):
        whole = _changed(rng, whole, json.loads(rng.choice(pool)))
    text = json.dumps(whole)
    if _DEEP in text:
        depth = rng.choice((3, 300, rng.randrange(900, 1000), rng.randrange(900, 1000), 20_000))
        opened, closed = rng.choice((("[", "]"), ('{"a":', "}")))
        text = text.replace(f'"{_DEEP}"', f"{opened * depth}0{closed * depth}")
    return text.encode()


def _changed(rng: random.Random, whole: Any, other: Any) -> Any:
    """The document with one value changed, left out, put in or put elsewhere."""
    everywhere = list(places(whole))
    if not everywhere or rng.random() < 0.02:
        return copy.deepcopy(rng.choice((*EDGES, *ODD, _DEEP)))
    inside, key = rng.choice(everywhere)
    match rng.randrange(8):
        case 0:
            del inside[key]
        case 1 if isinstance(inside, dict):
            inside[rng.choice(("", "x", "schema", "payload", "\0"))] = inside.pop(key)
        case 1:
            inside.append(copy.deepcopy(inside[key]))
        case 2:
            there, name = rng.choice(list(places(other)) or [(["x"], 0)])
            inside[key] = there[name]
        case 3 if isinstance(inside[key], str):
            text = octets(rng, [inside[key].encode("utf-8", "surrogatepass")])
            inside[key] = text.decode("utf-8", "replace")
        case 4 if type(inside[key]) in (int, float) and abs(inside[key]) < 2**60:
            inside[key] += rng.choice((1, -1, 0.5, 1e6))
        case 5:
            inside[key] = _DEEP
        case 6:
            inside[key] = rng.choice(EDGES)
        case _:
            inside[key] = copy.deepcopy(rng.choice(ODD))
    return whole


def places(node: Any) -> Iterable[tuple[Any, Any]]:
    """Yield every container and key in a document."""
    waiting = [node] if isinstance(node, dict | list) else []
    while waiting:
        inside = waiting.pop()
        keys = inside if isinstance(inside, dict) else range(len(inside))
        for key in keys:
            yield inside, key
            if isinstance(inside[key], dict | list):
                waiting.append(inside[key])
