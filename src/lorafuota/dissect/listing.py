"""What was dissected, as text: a heading and a table for each command, then what is wrong.

>>> from lorafuota import UPLINK, package
>>> from lorafuota.dissect.explain import explain
>>> print(listing(explain(package("fragmentation", 2), UPLINK, bytes.fromhex("0440"))))
fragmentation/2 (TS004-2.0.0, Fragmented Data Block Transport), uplink, 2 octets
<BLANKLINE>
FragDataBlockReceivedReq  octets 0 to 1: 04 40
  Report that the block is complete.  The device repeats it until it is answered.
  octets  bits  hex  field      value        meaning
  0        1:0  40   FragIndex  0            Session
  0          2  40   MICError   0, no        The rebuilt block has another MIC
  0        7:3  40   RFU        8, not 0     Reserved: set, and ignored
<BLANKLINE>
odd: octet 1: FragDataBlockReceivedReq has the reserved bits 7:3 set: sent as 8, not 0
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from .._columns import columns
from ..errors import DecodeError
from .anomaly import Anomaly, Oddity
from .explain import MULTIPACKAGE, Explanation, Piece
from .layout import Line
from .versions import Candidate, same_reading
from .words import count

__all__ = [
    "PLAIN",
    "Paint",
    "choice_text",
    "explanation_text",
    "field_table",
    "heading",
    "listing",
    "notes_text",
    "odd_text",
    "place",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Paint:
    """How text is set off; not at all unless somebody says how."""

    strong: Callable[[str], str] = str
    bad: Callable[[str], str] = str


PLAIN: Final = Paint()

_SAID: Final = (Oddity.UNKNOWN_COMMAND, Oddity.MALFORMED_COMMAND)


def listing(explanation: Explanation, paint: Paint = PLAIN) -> str:
    """Return everything about one payload as text of several lines."""
    return "\n".join(
        [
            heading(explanation),
            *explanation_text(explanation, paint),
            *notes_text(explanation.anomalies, None, [], paint),
        ]
    )


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


def explanation_text(explanation: Explanation, paint: Paint = PLAIN) -> Iterator[str]:
    """Return the commands with their fields, and where reading ended."""
    many = explanation.package is MULTIPACKAGE
    for piece in explanation.pieces:
        yield ""
        yield from _piece(piece, explanation.payload, paint, named=many)
    if many and explanation.token is not None:
        yield f"\nCommand Token: {explanation.token}"
    left = explanation.leftover
    if left is None and not explanation.pieces:
        yield "no command"
    if left is not None:
        yield ""
        rest = explanation.payload[left.offset :]
        yield f"{paint.bad('not readable')}: {place(left.offset, rest)}"
        yield f"  at octet {left.error.offset}, {left.error.command}: {left.error.reason}"


def notes_text(
    anomalies: Sequence[Anomaly],
    refusal: DecodeError | None,
    hints: Sequence[str],
    paint: Paint = PLAIN,
) -> Iterator[str]:
    """Return what is odd, what strict reading refuses, and the hints."""
    odd = list(odd_text(anomalies, paint))
    if odd:
        yield ""
        yield from odd
    if refusal is not None:
        reason = f"at octet {refusal.offset}, {refusal.command}: {refusal.reason}"
        yield f"\n{paint.bad('refused by strict reading')}: {reason}"
    if hints:
        yield ""
        yield from (f"hint: {hint}" for hint in hints)


def odd_text(anomalies: Sequence[Anomaly], paint: Paint = PLAIN) -> Iterator[str]:
    """Return what is odd, but for what the listing shows as not readable."""
    for one in anomalies:
        if one.code not in _SAID:
            yield f"{paint.bad('odd')}: octet {one.at}: {one.sentence}"


def _piece(piece: Piece, payload: bytes, paint: Paint, *, named: bool) -> Iterator[str]:
    owner = f"{piece.package} " if named else ""
    name = type(piece.command).__name__
    yield f"{owner}{paint.strong(name)}  {place(piece.start, payload[piece.start : piece.stop])}"
    yield f"  {piece.meaning}"
    if piece.lines:
        yield field_table(piece.lines, payload, paint)


def field_table(lines: Sequence[Line], payload: bytes, paint: Paint = PLAIN) -> str:
    """Return the fields in aligned columns; long octets are shown as the value only."""
    rows = [
        (line.octets or "-", line.bits, _hex(payload, line), line.name, line.shown, line.doc)
        for line in lines
    ]
    head = ("octets", "bits", "hex", "field", "value", "meaning")
    first, *others = columns(head, rows, right=(1,), indent=2)
    return "\n".join([paint.strong(first), *others])


def _hex(payload: bytes, line: Line) -> str:
    octets = payload[line.start : line.stop]
    return octets.hex(" ") if len(octets) <= 4 else ".."


def place(start: int, octets: bytes) -> str:
    """Say where octets stand, and which they are."""
    stop = start + len(octets) - 1
    where = f"octet {start}" if stop == start else f"octets {start} to {stop}"
    shown = octets[:24].hex(" ") + (" ..." if len(octets) > 24 else "")
    return f"{where}: {shown}" if octets else f"at octet {start}"
