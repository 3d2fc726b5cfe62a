"""How a block that a device delivered differs from the one it should have delivered."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final

from .words import count

__all__ = ["Difference", "Expected", "Kind", "compare"]

_FEW: Final = 8
_SHOWN: Final = 4
_PIECE: Final = 64
"""Octets that are compared at once where no set-up tells FragSize."""


class Kind(enum.Enum):
    """In what way a block is another one."""

    WITH_PADDING = enum.auto()
    LENGTH = enum.auto()
    BLANK = enum.auto()
    SWAPPED = enum.auto()
    FEW = enum.auto()
    OTHER = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """What is different.

    Attributes:
        kind: In a word.
        says: In a sentence about the block, "it".
        details: With numbers and octets.
    """

    kind: Kind
    says: str
    details: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a device should have delivered, as far as that is known.

    Attributes:
        octets: Length without padding.
        padding: Octets of padding, 0 if they are not known.
        frag_size: Octets of a fragment; None if no set-up tells.
        pieces: Fragments by number from 1, the last one without padding; some may be missing.
    """

    octets: int
    padding: int
    frag_size: int | None
    pieces: Mapping[int, bytes] = dataclasses.field(repr=False)

    @classmethod
    def of_image(cls, image: bytes, *, padding: int, frag_size: int | None) -> Expected:
        """Return what is expected of a device whose whole image is known."""
        size = frag_size or _PIECE
        starts = range(0, len(image), size)
        pieces = {n: image[at : at + size] for n, at in enumerate(starts, 1)}
        return cls(octets=len(image), padding=padding, frag_size=frag_size, pieces=pieces)

    @property
    def size(self) -> int:
        """Octets of a piece."""
        return self.frag_size or _PIECE

    def of(self, block: bytes, n: int) -> bytes:
        """Return piece *n* of a block, without what stands behind its length."""
        return block[(n - 1) * self.size : min(n * self.size, self.octets)]


def compare(block: bytes, expected: Expected) -> Difference | None:
    """Return how a block differs from what is expected; None if nothing shows that it does."""
    wrong = [n for n, octets in expected.pieces.items() if expected.of(block, n) != octets]
    if len(block) == expected.octets and not wrong:
        return _blank(block) if not expected.pieces else None
    blank = _blank(block)
    if blank is not None and wrong and not _starts_right(block, expected):
        if len(block) == expected.octets:
            return blank
        return dataclasses.replace(blank, details=(*blank.details, _lengths(block, expected)))
    if len(block) != expected.octets:
        return _length(block, expected, wrong)
    return _swapped(block, expected, wrong) or _octets(block, expected, wrong)


def _starts_right(block: bytes, expected: Expected) -> bool:
    return expected.pieces.get(1, b"").startswith(block[: expected.size])


def _blank(block: bytes) -> Difference | None:
    if len(block) < _SHOWN or block.count(block[:1]) != len(block):
        return None
    says = "every octet of it is zero" if not block[0] else f"every octet of it is 0x{block[0]:02x}"
    erased = ", as erased flash reads" if block[0] == 0xFF else ""
    text = f"all {count(len(block), 'octet')} are {block[:1].hex()}{erased}"
    return Difference(Kind.BLANK, says, (text,))


def _lengths(block: bytes, expected: Expected) -> str:
    return f"it has {count(len(block), 'octet')}, {expected.octets:,} are expected"


def _length(block: bytes, expected: Expected, wrong: list[int]) -> Difference:
    lengths, agree = _lengths(block, expected), _agreeing(block, expected)
    spare = block[expected.octets :]
    if len(spare) == expected.padding and spare and not wrong:
        filler = "zeros" if not any(spare) else f"from {spare[:_SHOWN].hex(' ')} on"
        says = f"it has its {count(expected.padding, 'octet')} of padding still"
        return Difference(Kind.WITH_PADDING, says, (lengths, f"what is to spare is {filler}"))
    if not block:
        return Difference(Kind.LENGTH, "it is empty", (lengths,))
    short = len(block) < expected.octets
    says = "it is too short" if short else "it is too long"
    if agree == len(block):
        detail = "all that there is agrees: the end is missing"
    elif agree == expected.octets:
        detail = f"the first {agree:,} octets agree, then comes {spare[:_SHOWN].hex(' ')}"
    elif not expected.pieces:
        detail = "what it should hold is not known here"
    else:
        detail = f"the first {agree:,} octets agree{_in_fragment(agree, expected)}"
    return Difference(Kind.LENGTH, says, (lengths, detail))


def _in_fragment(at: int, expected: Expected) -> str:
    if expected.frag_size is None:
        return ""
    return f"; fragment {at // expected.frag_size + 1} is the first that does not"


def _agreeing(block: bytes, expected: Expected) -> int:
    """Return how many octets from the first on agree with pieces that are known."""
    agree, n = 0, 1
    while n in expected.pieces:
        want, have = expected.pieces[n], expected.of(block, n)
        same = _first_difference(have, want)
        agree += same
        if same < len(want):
            break
        n += 1
    return agree


def _first_difference(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _swapped(block: bytes, expected: Expected, wrong: list[int]) -> Difference | None:
    if expected.frag_size is None or len(wrong) != 2:
        return None
    first, second = wrong
    for n, other in ((first, second), (second, first)):
        have = expected.of(block, n)
        padded = expected.pieces[other].ljust(expected.size, b"\0")
        if have != padded[: len(have)]:
            return None
    says = f"fragments {first} and {second} stand in each other's place"
    text = f"fragment {first} holds the octets of {second}, and {second} those of {first}"
    return Difference(Kind.SWAPPED, says, (text, _all_others(expected, wrong)))


def _all_others(expected: Expected, wrong: list[int]) -> str:
    return f"the other {len(expected.pieces) - len(wrong)} that can be compared agree"


def _octets(block: bytes, expected: Expected, wrong: list[int]) -> Difference:
    first = _piece(block, expected, wrong[0])
    if expected.frag_size is None:
        differ = sum(a != b for n in wrong for a, b in _pairs(block, expected, n))
        says = f"{differ:,} of {expected.octets:,} octets are others"
        return Difference(_kind(differ, expected.octets), says, (first,))
    known, kind = len(expected.pieces), _kind(len(wrong), len(expected.pieces))
    if kind is Kind.OTHER:
        shown = ", ".join(map(str, wrong[:_SHOWN]))
        more = " and more" if len(wrong) > _SHOWN else ""
        says = f"{len(wrong):,} of {known:,} fragments that can be compared are others"
        return Difference(kind, says, (f"fragments {shown}{more} are others", first))
    says = f"fragment {wrong[0]} is not what it should be"
    if len(wrong) > 1:
        says = f"fragments {', '.join(map(str, wrong))} are not what they should be"
    each = (_piece(block, expected, n) for n in wrong[1:_SHOWN])
    return Difference(kind, says, (first, *each, _all_others(expected, wrong)))


def _kind(wrong: int, known: int) -> Kind:
    return Kind.FEW if wrong <= _FEW and 2 * wrong <= known else Kind.OTHER


def _pairs(block: bytes, expected: Expected, n: int) -> list[tuple[int, int]]:
    return list(zip(expected.of(block, n), expected.pieces[n], strict=False))


def _piece(block: bytes, expected: Expected, n: int) -> str:
    """Return what is different in one piece, from its first octet that is."""
    have, want = expected.of(block, n), expected.pieces[n]
    at = _first_difference(have, want)
    name = "the block" if expected.frag_size is None else f"fragment {n}"
    if expected.frag_size is not None and have.count(have[:1]) == len(have):
        return f"{name} is all {have[:1].hex()}"
    differ = sum(a != b for a, b in _pairs(block, expected, n))
    bits = (have[at] ^ want[at]).bit_count()
    what = f"{count(differ, 'octet')}, first"
    if differ == 1:
        what = f"one octet, {count(bits, 'bit')} of it,"
    shown, wanted = have[at : at + _SHOWN].hex(" "), want[at : at + _SHOWN].hex(" ")
    where = f"octet {(n - 1) * expected.size + at:,} (from 0) of the block"
    return f"{name} differs in {what} at {where}: {shown} for {wanted}"
