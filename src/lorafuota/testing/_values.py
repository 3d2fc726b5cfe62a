"""Values of one field: valid, often at an edge, and simple ones first when a case shrinks."""

from __future__ import annotations

import bisect
import enum
import functools
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from .._kinds import Int, Kind, Octets, OnlyIf, Rest
from ..package import MAX_PAYLOAD
from ..wire import Record, Repeat

try:
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover  the tests have it
    raise ImportError(
        "lorafuota.testing needs Hypothesis: pip install lorafuota[testing]"
    ) from error

__all__ = ["LONGEST_REST", "edges", "filled", "numbers", "octets", "possible", "values"]

R = TypeVar("R", bound=Record)

LONGEST_REST: Final = MAX_PAYLOAD - 3
"""Octets of the longest fragment: a frame, without identifier and fragment number."""

_FEW: Final = 16
"""Ranges up to this wide need no help to have their ends found."""


def edges(low: int, high: int) -> list[int]:
    """Return the numbers where code breaks, ascending: ends, next to ends, around powers of two."""
    found = {low, low + 1, high - 1, high, 0, 1, -1}
    for power in range(max(abs(low), abs(high)).bit_length() + 1):
        found |= {sign * (1 << power) + off for sign in (1, -1) for off in (-1, 0, 1)}
    return sorted(one for one in found if low <= one <= high)


@functools.cache
def numbers(low: int, high: int) -> st.SearchStrategy[int]:
    """Integers in *low* to *high*, many of them at an edge (:func:`edges`).

    They shrink towards 0, or to the end next to it, and not from edge to edge: the number an edge
    is found by is the edge itself, so that the simpler way to draw takes it over.
    """
    if high - low < _FEW:
        return st.integers(low, high)
    target = min(max(low, 0), high)
    at_edges = edges(low, high)
    above = [one for one in at_edges if one >= target]
    below = [one for one in at_edges if one <= target]

    def towards_target(number: int) -> int:
        if number >= target:
            return above[bisect.bisect_right(above, number) - 1]
        return below[bisect.bisect_left(below, number)]

    # narrower ranges, for small edges would hardly be found among large ones
    spans = (1 << bits for bits in range(4, (high - low).bit_length(), 4))
    ranges = [(low, high), *((max(low, target - s), min(high, target + s)) for s in spans)]

    @st.composite
    def draw_number(draw: st.DrawFn) -> int:
        way = draw(st.integers(0, 2 * len(ranges) - 1))
        if way % 2 == 0:
            return draw(st.integers(*ranges[0]))
        return towards_target(draw(st.integers(*ranges[way // 2])))

    return draw_number()


@functools.cache
def octets(low: int, high: int) -> st.SearchStrategy[bytes]:
    """Strings of *low* to *high* octets, often as short or as long as they may be."""
    sizes = numbers(low, high)

    @st.composite
    def draw_octets(draw: st.DrawFn) -> bytes:
        size = draw(sizes)
        return draw(st.binary(min_size=size, max_size=size))

    return draw_octets()


@functools.cache
def possible(kind: Int) -> list[int]:
    """Return every value of a narrow field, in the order of the numbers that travel."""
    found = []
    for raw in range(1 << kind.bits):
        try:
            value = kind.value(raw)
        except ValueError:
            continue
        if kind.expects(value, None) is None and not raw & kind.reserved:
            found.append(value)
    return found


def values(
    kind: Kind, seen: Mapping[str, Any], *, longest: int = LONGEST_REST
) -> st.SearchStrategy[Any]:
    """Any value of a field that is valid after the fields before it.

    Args:
        kind: How the field travels.
        seen: The values of the fields before it.
        longest: Octets of a field that takes all the rest of a payload, at most.
    """
    match kind:
        case Int():
            return _ints(kind)
        case Octets(count=count):
            return st.binary(min_size=count, max_size=count)
        case Rest(low=low, high=high):
            return octets(low, max(low, min(high, longest)))
        case OnlyIf(inner=inner):
            if not kind.applies(seen):
                return st.none()
            return values(inner, seen, longest=longest)
        case Repeat(item=item, field=field, key=key):
            keys = kind.keys(seen[field])
            return st.tuples(*(filled(item, {key: at} if key else {}) for at in keys))
        case _:
            raise TypeError(f"no strategy for {kind!r}")


@st.composite
def filled(
    draw: st.DrawFn, cls: type[R], pinned: Mapping[str, Any], *, longest: int = LONGEST_REST
) -> R:
    """A record, field by field.

    Args:
        draw: Hypothesis's.
        cls: The record.
        pinned: Values of fields, or strategies for them.
        longest: As for :func:`values`.
    """
    found: dict[str, Any] = {}
    for field, kind in cls.KINDS.items():
        given = pinned[field] if field in pinned else values(kind, found, longest=longest)
        found[field] = draw(given) if isinstance(given, st.SearchStrategy) else given
    return cls(**found)


@functools.cache
def _ints(kind: Int) -> st.SearchStrategy[int]:
    if kind.type is bool:
        return st.booleans()
    if issubclass(kind.type, enum.IntEnum) or kind.reserved:
        return st.sampled_from(possible(kind))
    steps = numbers(kind.lowest // kind.step, kind.highest // kind.step)
    found = steps if kind.step == 1 else steps.map(lambda number: number * kind.step)
    if kind.also is not None:
        found = st.one_of(found, st.just(kind.also))
    return found if kind.type is int else found.map(kind.type)
