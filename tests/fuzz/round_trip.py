"""Invariant: every message comes back from its octets and from its JSON (promise R3).

Draws messages straight from the declarations, ends of ranges more often than the middle, for every
package and version; much faster than Hypothesis, and without shrinking.

    python -m tests.fuzz.round_trip --messages 1000000
"""

from __future__ import annotations

import argparse
import enum
import random
from typing import Any

import lorafuota
from lorafuota._kinds import Int, Kind, Octets, OnlyIf, Rest
from lorafuota.wire import Record, Repeat


def draw_int(rng: random.Random, kind: Int) -> int:
    if issubclass(kind.type, enum.IntEnum):
        return rng.choice(list(kind.type))
    if kind.also is not None and rng.random() < 0.2:
        return kind.also
    low, high = kind.lowest // kind.step, kind.highest // kind.step
    number = rng.choice((low, high, rng.randint(low, high), rng.randint(low, high)))
    return kind.type(number * kind.step & ~kind.reserved if kind.reserved else number * kind.step)


def draw(rng: random.Random, cls: type[Record], **fixed: Any) -> Record:
    values: dict[str, Any] = dict(fixed)
    for field, kind in cls.KINDS.items():
        if field not in values:
            values[field] = draw_field(rng, kind, values)
    return cls(**values)


def draw_field(rng: random.Random, kind: Kind, seen: dict[str, Any]) -> Any:
    match kind:
        case Int():
            return draw_int(rng, kind)
        case Octets(count=count):
            return rng.randbytes(count)
        case Rest(low=low, high=high):
            return rng.randbytes(rng.randint(low, min(high, 239)))
        case OnlyIf(inner=inner):
            return draw_field(rng, inner, seen) if kind.applies(seen) else None
        case Repeat(item=item, field=field, key=key):
            keys = kind.keys(seen[field])
            return tuple(draw(rng, item, **({key: at} if key else {})) for at in keys)
        case _:
            raise TypeError(f"no way to draw {kind!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=50_000, help="for each package version")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for package in lorafuota.PACKAGES:
        rng = random.Random(f"{args.seed}/{package}")
        for _ in range(args.messages):
            cls = rng.choice(package.commands)
            message = draw(rng, cls)
            assert isinstance(message, cls)
            octets = message.encode()
            assert cls.decode(octets, strict=True) == message, octets.hex()
            assert package.from_json(package.to_json(message)) == message, octets.hex()
            if len(octets) <= 242:
                assert package.parse(octets, cls.DIRECTION, strict=True) == [message]
        print(f"{package}: {args.messages:,} messages came back", flush=True)
    versions = len(lorafuota.PACKAGES)
    print(f"{versions * args.messages:,} messages of {versions} versions of packages came back")


if __name__ == "__main__":
    main()
