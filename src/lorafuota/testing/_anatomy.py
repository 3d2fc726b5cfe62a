"""Where the fields and the reserved bits of a message lie in its octets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from .._kinds import Int
from ..wire import Command, Record, Repeat, Run

__all__ = ["Slice", "reserved_bits", "slices", "with_bits"]


@dataclasses.dataclass(frozen=True, slots=True)
class Slice:
    """An integer field of one message: bit 0 is the lowest of the command identifier."""

    field: str
    kind: Int
    bit: int
    """Its lowest bit."""
    counts: bool
    """Whether it says how many records follow."""


def slices(message: Command) -> list[Slice]:
    """Return the integer fields of a message, in wire order."""
    return [one for run, at in _runs(message, 1) for one in _run_slices(*run, at)]


def reserved_bits(message: Command) -> list[int]:
    """Return the bits that are zero because the document reserves them, lowest first."""
    return [
        8 * at + bit
        for (_, run), at in _runs(message, 1)
        for bit in range(8 * run.size)
        if run.reserved >> bit & 1
    ]


def with_bits(octets: bytes, bit: int, bits: int, raw: int) -> bytes:
    """Return *octets* with another number in *bits* bits from *bit* on."""
    word = int.from_bytes(octets, "little")
    word &= ~(((1 << bits) - 1) << bit)
    return (word | raw << bit).to_bytes(len(octets), "little")


def _runs(message: Record, at: int) -> Iterator[tuple[tuple[Record, Run], int]]:
    """Every run of integers that is there, and the octet it begins at."""
    for step in message.STEPS:
        if isinstance(step, Run):
            size = len(step.write(message))
            if size:
                yield (message, step), at
            at += size
            continue
        field, kind = step
        value = getattr(message, field)
        if isinstance(kind, Repeat):
            for item in value:
                yield from _runs(item, at)
                at += len(item.encode_body())
        else:
            at += len(kind.write(value))


def _run_slices(message: Record, run: Run, at: int) -> Iterator[Slice]:
    counting = {kind.field for kind in message.KINDS.values() if isinstance(kind, Repeat)}
    for field, shift, kind, *_ in run.slices:
        yield Slice(field, kind, 8 * at + shift, field in counting)
