"""One record laid out: where each field stands, in octets and bits, and what it holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from .._kinds import JSON, Int, Kind, OnlyIf, spec_name
from ..wire import Record, Repeat, Run
from .meaning import in_words
from .words import count

__all__ = ["Line", "lay_out", "reserved_bits"]

_RESERVED = "Reserved: set, and ignored"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One field, or reserved bits that are set, of something that was read.

    Attributes:
        octets: Where it stands, counted as the documents do: from 0 behind the command identifier;
            empty for a field that is not there.
        bits: Bits inside these octets, read as one little-endian number; empty for whole octets.
        start: Its first octet in the payload.
        stop: The octet behind its last one.
        name: The document's name; of a field in a list ``Groups[0].McAddr``.
        field: The name in Python; empty for reserved bits.
        value: The value as :meth:`Record.to_json` gives it; a list for its number of records.
        shown: The value for people, with what it comes to.
        doc: What the field is.
    """

    octets: str
    bits: str
    start: int
    stop: int
    name: str
    field: str
    value: JSON
    shown: str
    doc: str

    def to_json(self) -> dict[str, JSON]:
        """Return the line as JSON, in the order of its attributes."""
        return {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}


def lay_out(
    message: Record, payload: bytes, start: int, *, counted: int = 0, within: str = ""
) -> Iterator[Line]:
    """Return a line for each field of *message*, in wire order.

    Args:
        message: What was read.
        payload: The octets it was read from.
        start: Where its first field stands in *payload*.
        counted: What the documents count that octet as.
        within: The name of the list the message is an item of, with its number and a dot.
    """
    at = start
    for step in message.STEPS:
        octet = counted + at - start
        if isinstance(step, Run):
            yield from _run(step, message, payload, at, octet, within)
            at += len(step.write(message))
            continue
        field, kind = step
        value = getattr(message, field)
        size = len(kind.write(value))
        if isinstance(kind, Repeat):
            yield _line(message, field, kind, at, size, octet, "", within)
            for i, item in enumerate(value):
                inner = f"{within}{_name(field, kind)}[{i}]."
                yield from lay_out(item, payload, at, counted=counted + at - start, within=inner)
                at += len(item.encode_body())
        else:
            yield _line(message, field, kind, at, size, octet, "", within)
            at += size


def _run(
    step: Run, message: Record, payload: bytes, at: int, octet: int, within: str
) -> Iterator[Line]:
    there = len(step.write(message))
    word = int.from_bytes(payload[at : at + there], "little")
    for field, shift, kind, *_ in step.slices:
        first, size = _span(shift, kind.bits)
        yield _line(
            message,
            field,
            message.KINDS[field],
            at + first,
            size if there else 0,
            octet + first,
            _bits(shift, kind.bits),
            within,
        )
        low = shift + kind.bits
        sent = word >> low & ((1 << kind.rfu) - 1)
        if sent:
            first, size = _span(low, kind.rfu)
            yield Line(
                octets=_octets(octet + first, size),
                bits=_bits(low, kind.rfu),
                start=at + first,
                stop=at + first + size,
                name=f"{within}RFU",
                field="",
                value=sent,
                shown=f"{sent}, not 0",
                doc=_RESERVED,
            )


def _line(
    message: Record,
    field: str,
    kind: Kind,
    at: int,
    size: int,
    octet: int,
    bits: str,
    within: str,
) -> Line:
    value: Any = getattr(message, field)
    records = isinstance(value, tuple)
    return Line(
        octets=_octets(octet, size) if size else "",
        bits=bits if size else "",
        start=at,
        stop=at + size,
        name=f"{within}{_name(field, kind)}",
        field=field,
        value=len(value) if records else kind.to_json(value),
        shown=count(len(value), "record") if records else in_words(message, field),
        doc=kind.doc,
    )


def _name(field: str, kind: Kind) -> str:
    inner = kind.inner if isinstance(kind, OnlyIf) else kind
    return inner.spec or spec_name(field)


def _span(shift: int, bits: int) -> tuple[int, int]:
    """Return the first octet that bits of a run stand in, and how many octets they touch."""
    first, last = shift // 8, (shift + bits - 1) // 8
    return first, last - first + 1


def _octets(first: int, size: int) -> str:
    return str(first) if size == 1 else f"{first}-{first + size - 1}"


def _bits(shift: int, bits: int) -> str:
    low = shift % 8
    if low == 0 and bits % 8 == 0:
        return ""
    return f"{low + bits - 1}:{low}" if bits > 1 else str(low)


def reserved_bits(message: Record) -> Iterator[tuple[str, int]]:
    """Return the fields that hold bits their version reserves, and these bits."""
    for field, kind in message.KINDS.items():
        inner = kind.inner if isinstance(kind, OnlyIf) else kind
        value = getattr(message, field)
        if isinstance(inner, Int) and value is not None and value & inner.reserved:
            yield field, value & inner.reserved
        if isinstance(kind, Repeat):
            for item in value:
                yield from reserved_bits(item)
