"""Hypothesis strategies derived from the wire declarations: any valid message, nothing else."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, TypeVar

from .._kinds import Int, Kind, Octets, OnlyIf, Rest
from ..package import Package, PackageVersionAns
from ..types import Direction
from ..wire import Command, Record, Repeat

try:
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover  the tests have it
    raise ImportError(
        "lorafuota.testing needs Hypothesis: pip install lorafuota[testing]"
    ) from error

__all__ = ["payloads", "records"]

R = TypeVar("R", bound=Record)


@st.composite
def records(draw: st.DrawFn, /, cls: type[R], **pinned: Any) -> R:
    """Any valid *cls*; keyword arguments pin fields."""
    values: dict[str, Any] = {}
    for field, kind in cls.KINDS.items():
        values[field] = pinned[field] if field in pinned else draw(_values(kind, values))
    return cls(**values)


@st.composite
def payloads(
    draw: st.DrawFn, package: Package, direction: Direction, *, max_size: int = 5
) -> Sequence[Command]:
    """Any commands that can travel together in one payload."""
    classes = [cls for cls in package.commands if cls.DIRECTION is direction]
    alone = [cls for cls in classes if cls.ALONE]
    others = [cls for cls in classes if not cls.ALONE]
    if alone and draw(st.integers(0, 9)) == 0:
        return [draw(records(draw(st.sampled_from(alone))))]
    chosen = draw(st.lists(st.sampled_from(others), min_size=1, max_size=max_size))
    own = {"package_identifier": package.identifier, "package_version": package.version}
    return [draw(records(cls, **(own if cls is PackageVersionAns else {}))) for cls in chosen]


def _values(kind: Kind, seen: dict[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case Int():
            return _ints(kind)
        case Octets(count=count):
            return st.binary(min_size=count, max_size=count)
        case Rest(low=low, high=high):
            return st.binary(min_size=low, max_size=min(high, 239))
        case OnlyIf(inner=inner):
            return _values(inner, seen) if kind.applies(seen) else st.none()
        case Repeat(item=item, field=field, key=key):
            keys = kind.keys(seen[field])
            return st.tuples(*(records(item, **({key: at} if key else {})) for at in keys))
        case _:
            raise TypeError(f"no strategy for {kind!r}")


def _ints(kind: Int) -> st.SearchStrategy[int]:
    if kind.type is bool:
        return st.booleans()
    if issubclass(kind.type, enum.IntEnum):
        return st.sampled_from(list(kind.type))
    if kind.reserved:
        return st.integers(0, kind.highest).map(lambda bits: kind.type(bits & ~kind.reserved))
    numbers = st.integers(kind.lowest // kind.step, kind.highest // kind.step)
    numbers = numbers.map(lambda number: number * kind.step)
    if kind.also is not None:
        numbers = st.one_of(numbers, st.just(kind.also))
    return numbers.map(kind.type)
