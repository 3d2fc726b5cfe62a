"""What was dissected, as text: a heading and a table for each command, then what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ..dissect.explain import MULTIPACKAGE, Explanation, Piece
from ..dissect.layout import Line
from ..dissect.meaning import count
from ..dissect.oddities import Anomaly
from ..dissect.versions import Candidate, same_reading
from ..errors import DecodeError
from .output import bad, strong, table

__all__ = [
    "choice_text",
    "explanation_text",
    "field_table",
    "heading",
    "notes_text",
    "odd_text",
    "place",
]

_SAID: Final = ("unknown-command", "malformed-command")


def heading(explanation: Explanation) -> str:
    """Return the line that says what was read, and as what."""
    one = explanation.package
    size = count(len(explanation.payload), "octet")
    return f"{one} ({one.document}, {one.title}), {explanation.direction.value}, {size}"


def choice_text(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Say why the first of several readings is the best; nothing if there is only one."""
    best, *others = candidates
    for other in others:
        if same_reading(best, other):
            yield f"  {other.name} reads the same"
        elif other.weight == best.weight:
            yield f"  {other.name} is as likely: {_reasons(other)}"
        else:
            yield f"  {best.name} {_reasons(best)}"
            yield f"  {other.name} {_reasons(other)}"


def _reasons(candidate: Candidate) -> str:
    return "; ".join(reason.sentence for reason in candidate.reasons)


def explanation_text(explanation: Explanation) -> Iterator[str]:
    """Return the commands with their fields, and where reading ended."""
    many = explanation.package is MULTIPACKAGE
    for piece in explanation.pieces:
        yield ""
        yield from _piece(piece, explanation.payload, named=many)
    if many and explanation.token is not None:
        yield f"\nCommand Token: {explanation.token}"
    left = explanation.leftover
    if left is None and not explanation.pieces:
        yield "no command"
    if left is not None:
        yield ""
        rest = explanation.payload[left.offset :]
        yield f"{bad('not readable')}: {place(left.offset, rest)}"
        yield f"  at octet {left.error.offset}, {left.error.command}: {left.error.reason}"


def notes_text(
    anomalies: Sequence[Anomaly], refusal: DecodeError | None, hints: Sequence[str]
) -> Iterator[str]:
    """Return what is odd, what strict reading refuses, and the hints."""
    odd = list(odd_text(anomalies))
    if odd:
        yield ""
        yield from odd
    if refusal is not None:
        reason = f"at octet {refusal.offset}, {refusal.command}: {refusal.reason}"
        yield f"\n{bad('refused by strict reading')}: {reason}"
    if hints:
        yield ""
        yield from (f"hint: {hint}" for hint in hints)


def odd_text(anomalies: Sequence[Anomaly]) -> Iterator[str]:
    """Return what is odd, but for what the listing shows as not readable."""
    for one in anomalies:
        if one.code not in _SAID:
            yield f"{bad('odd')}: octet {one.at}: {one.sentence}"


def _piece(piece: Piece, payload: bytes, *, named: bool) -> Iterator[str]:
    owner = f"{piece.package} " if named else ""
    name = type(piece.command).__name__
    yield f"{owner}{strong(name)}  {place(piece.start, payload[piece.start : piece.stop])}"
    yield f"  {piece.meaning}"
    if piece.lines:
        yield field_table(piece.lines, payload)


def field_table(lines: Sequence[Line], payload: bytes) -> str:
    """Return the fields in aligned columns; long octets are shown as the value only."""
    rows = [
        (line.octets or "-", line.bits, _hex(payload, line), line.name, line.shown, line.doc)
        for line in lines
    ]
    head = ("octets", "bits", "hex", "field", "value", "meaning")
    return table(head, rows, right=(1,), indent=2)


def _hex(payload: bytes, line: Line) -> str:
    octets = payload[line.start : line.stop]
    return octets.hex(" ") if len(octets) <= 4 else ".."


def place(start: int, octets: bytes) -> str:
    """Say where octets stand, and which they are."""
    stop = start + len(octets) - 1
    where = f"octet {start}" if stop == start else f"octets {start} to {stop}"
    shown = octets[:24].hex(" ") + (" ..." if len(octets) > 24 else "")
    return f"{where}: {shown}" if octets else f"at octet {start}"
