"""Strategies for valid messages: commands, payloads of several, addresses and keys.

They come from the declarations, so each command of each version has one, and each is heavy at the
edges of every field: lowest, highest, one off, around powers of two.

>>> from hypothesis import find
>>> from lorafuota.fragmentation.v2 import DataFragment
>>> from lorafuota.testing.strategies import records
>>> find(records(DataFragment, frag_index=3), lambda one: one.n > 1000)
DataFragment(n=1001, frag_index=3, payload=b'')
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._kinds import Int, Octets, OnlyIf, Rest
from ..errors import Described, FieldError, require_int
from ..package import MAX_PAYLOAD, Package, PackageVersionAns
from ..types import DevAddr, DevEUI, Direction, Key
from ..wire import Command, Record, Repeat
from ._arguments import require_class, require_number, require_travel
from ._values import LONGEST_REST, filled, numbers, possible

try:
    from hypothesis import assume
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover  the tests have it
    raise ImportError(
        "lorafuota.testing needs Hypothesis: pip install lorafuota[testing]"
    ) from error

__all__ = ["dev_addrs", "dev_euis", "keys", "payloads", "records"]

K = TypeVar("K", bound=Key)
R = TypeVar("R", bound=Record)


def records(cls: type[R], /, **pinned: Any) -> st.SearchStrategy[R]:
    """Any valid *cls*.

    Args:
        cls: A command, or a record that commands are made of.
        **pinned: Values of fields, or strategies for them.  Where a field is pinned that is there
            only for some values of an earlier one, or counted by it, the earlier one is drawn so
            that it fits; with a strategy for such a field, pin the earlier one as well.

    Raises:
        FieldError: *cls* is something else, there is no such field, or it cannot have that value.
    """
    require_class(
        "records", "cls", cls, Record, "a class of commands or records", without=(Command,)
    )
    for field, value in pinned.items():
        if field not in cls.KINDS:
            raise FieldError(cls.__name__, "pinned", field, f"one of {', '.join(cls.KINDS)}")
        if not isinstance(value, st.SearchStrategy):
            _check_pinned(cls, field, value)
    return filled(cls, {**_controlled(cls, pinned), **pinned})


def payloads(
    package: Package,
    direction: Direction,
    *,
    max_size: int = 5,
    max_octets: int = MAX_PAYLOAD,
) -> st.SearchStrategy[list[Command]]:
    """Commands that can travel together in one payload: ``package.join`` makes its octets.

    A command that must be alone is alone.  PackageVersionAns tells the truth about *package*.

    Args:
        package: Whose commands.
        direction: Who sends them.
        max_size: Commands in a payload, at most; there is at least one.
        max_octets: Octets of the payload, at most; 11 to 242.

    Raises:
        FieldError: An argument is of another type, or a number is out of range.
    """
    require_travel("payloads", package, direction)
    require_number("payloads", "max_size", max_size, int, 1, "int of 1 or more")
    require_int("payloads", "max_octets", max_octets, 11, MAX_PAYLOAD)
    own = {"package_identifier": package.identifier, "package_version": package.version}
    alone: list[st.SearchStrategy[Command]] = []
    others: list[st.SearchStrategy[Command]] = []
    for cls in package.commands:
        if cls.DIRECTION is direction:
            pinned = own if cls is PackageVersionAns else {}
            longest = min(LONGEST_REST, max_octets - 3)
            (alone if cls.ALONE else others).append(filled(cls, pinned, longest=longest))

    @st.composite
    def several(draw: st.DrawFn) -> list[Command]:
        drawn = draw(st.lists(st.one_of(others), min_size=1, max_size=max_size))
        room, kept = max_octets, []
        for command in drawn:
            room -= len(command.encode())
            if room >= 0:
                kept.append(command)
        assume(kept)
        return kept

    lists = [several()] * 3 if alone else [several()]
    return st.one_of(*lists, *(one.map(lambda command: [command]) for one in alone))


def dev_addrs() -> st.SearchStrategy[DevAddr]:
    """Any address of a device or group."""
    return numbers(0, (1 << 32) - 1).map(DevAddr)


def dev_euis() -> st.SearchStrategy[DevEUI]:
    """Any identity of a device."""
    return numbers(0, (1 << 64) - 1).map(DevEUI)


def keys(cls: type[K], /) -> st.SearchStrategy[K]:
    """Any key of a class, for instance ``keys(GenAppKey)``.

    They are made up, so a failing example may show the octets it was made from.

    Raises:
        FieldError: *cls* is no class of keys.
    """
    require_class("keys", "cls", cls, Key, "a class of keys, GenAppKey for instance")
    return st.binary(min_size=16, max_size=16).map(cls)


Fits = Callable[[Any], bool]


def _controlled(cls: type[Record], pinned: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields must be that say whether, or how often, a pinned one is there.

    Raises:
        FieldError: Nothing fits.
    """
    counts: dict[str, int] = {}
    fits: dict[str, list[Fits]] = {}
    for field, value in pinned.items():
        kind = cls.KINDS[field]
        if isinstance(value, st.SearchStrategy):
            continue
        if isinstance(kind, OnlyIf):
            fits.setdefault(kind.field, []).append(_presence(kind.among, value is not None))
        elif isinstance(kind, Repeat):
            ones = [1 << getattr(one, kind.key) for one in value] if kind.key else [1] * len(value)
            counts[kind.field] = sum(ones)
    found: dict[str, Any] = {field: n for field, n in counts.items() if field not in pinned}
    for field, all_of in fits.items():
        kind = cls.KINDS[field]
        assert isinstance(kind, Int)
        fitting = [one for one in possible(kind) if all(fit(one) for fit in all_of)]
        if field in pinned and not isinstance(pinned[field], st.SearchStrategy):
            fitting = [one for one in fitting if one == pinned[field]]
        if not fitting:
            raise FieldError(cls.__name__, "pinned", Described(", ".join(pinned)), "what fits")
        if field not in pinned:
            found[field] = st.sampled_from(fitting)
    return found


def _presence(among: range, present: bool) -> Fits:
    return lambda control: (int(control) in among) is present


def _check_pinned(cls: type[Record], field: str, value: Any) -> None:
    kind = cls.KINDS[field]
    if isinstance(kind, OnlyIf):
        if value is None:
            return
        kind = kind.inner
    if isinstance(kind, Int | Octets | Rest):
        expected = kind.expects(value, None)
    else:
        assert isinstance(kind, Repeat)
        fine = isinstance(value, tuple) and all(isinstance(one, kind.item) for one in value)
        expected = None if fine else f"a tuple of {kind.item.__name__}"
    if expected is not None:
        raise FieldError(cls.__name__, field, value, expected)
