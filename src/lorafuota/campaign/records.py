"""Records of plain values: read all at once, compared field by field, kept as JSON, read strictly.

What a campaign remembers is in a few of them (:mod:`.state`).  In JSON a record is an object with
the fields that differ from a fresh one, enumerations by value.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import operator
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Self

from ..errors import FieldError
from ..wire import JSON

__all__ = ["Field", "Record"]

_MOST: Final = 1 << 53
"""Whole numbers are below it, so that every JSON reader gives them back."""


def _plain(value: Any) -> JSON:
    """Return a field's value as JSON."""
    plain: JSON = value.value if isinstance(value, enum.Enum) else value
    return plain


def _read_bool(value: JSON) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


def _read_int(value: JSON) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST:
        return value
    raise ValueError


def _read_float(value: JSON) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and -_MOST < value < _MOST:
        return value
    raise ValueError


def _read_str(value: JSON) -> str:
    if isinstance(value, str):
        return value
    raise ValueError


def _read_enum(kind: type[enum.Enum], value: JSON) -> enum.Enum:
    if isinstance(value, Mapping | list):  # which may be nested deeper than an error can show
        raise ValueError
    return kind(value)


_READERS: Final[Mapping[type, tuple[Callable[[JSON], Any], str]]] = {
    bool: (_read_bool, "a bool"),
    int: (_read_int, f"an int in 0..{_MOST - 1}"),
    float: (_read_float, "a finite number"),
    str: (_read_str, "a str"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """How the value of a field is read from JSON."""

    name: str
    read: Callable[[JSON], Any]
    expected: str
    may_be_none: bool

    @classmethod
    def of(cls, name: str, annotation: Any) -> Field:
        """Return it for bool, int, float, str, an enumeration, or one of these or None."""
        kinds = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else ()
        none = types.NoneType in kinds
        kind = next((one for one in kinds if one is not types.NoneType), annotation)
        if issubclass(kind, enum.Enum):
            return cls(name, functools.partial(_read_enum, kind), f"a {kind.__name__}", none)
        read, expected = _READERS[kind]
        return cls(name, read, f"{expected} or None" if none else expected, none)

    def value(self, owner: str, value: JSON) -> Any:
        """Return the value that was stored.

        Raises:
            FieldError: It does not fit; *owner* is named in it.
        """
        if value is None and self.may_be_none:
            return None
        try:
            return self.read(value)
        except (ValueError, TypeError):
            raise FieldError(owner, self.name, value, self.expected) from None


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    fields: Mapping[str, Field]
    names: tuple[str, ...]
    reader: Callable[[Any], tuple[Any, ...]]
    fresh: tuple[Any, ...]


_PLANS: Final[dict[type, _Plan]] = {}


def _plan(cls: type[Record]) -> _Plan:
    return _PLANS.get(cls) or _make_plan(cls)


def _make_plan(cls: type[Record]) -> _Plan:
    hints = typing.get_type_hints(cls)
    names = tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]
    reader = operator.attrgetter(*names)
    fields = {name: Field.of(name, hints[name]) for name in names}
    plan = _PLANS[cls] = _Plan(fields, names, reader, reader(cls()))
    return plan


class Record:
    """The base of a dataclass of plain values.

    Its fields all have a default, and are bool, int, float, str, an enumeration, or one of these or
    None.
    """

    __slots__ = ()
    ONCE: ClassVar[frozenset[str]] = frozenset()
    """Fields that never change again once they have a value."""

    def row(self) -> tuple[Any, ...]:
        """Return all fields; a campaign does that at every change of a record."""
        return _plan(type(self)).reader(self)

    @classmethod
    def fresh(cls) -> tuple[Any, ...]:
        """Return the row of a record in which nothing has happened."""
        return _plan(cls).fresh

    @classmethod
    def between(cls, before: tuple[Any, ...], after: tuple[Any, ...]) -> dict[str, JSON]:
        """Return what differs between two rows, with the later values, as JSON."""
        differs = map(operator.ne, before, after)
        fields = itertools.compress(zip(_plan(cls).names, after, strict=True), differs)
        return {name: _plain(value) for name, value in fields}

    def to_json(self) -> dict[str, JSON]:
        """Return the fields that differ from a fresh record."""
        return self.between(self.fresh(), self.row())

    @classmethod
    def from_json(cls, fields: JSON) -> Self:
        """Undo :meth:`to_json`.

        Raises:
            FieldError: *fields* is no object, names an unknown field, or a value does not fit.
        """
        record = cls()
        record.apply(fields)
        record.check()
        return record

    def check(self) -> None:
        """Check what the kind of a field does not say; for a record to override.

        Raises:
            FieldError: Something does not fit.
        """

    def apply(self, changes: object) -> None:
        """Set the fields named, all or none.

        Raises:
            FieldError: *changes* is no object, names an unknown field, a value does not fit, or a
                field that never changes again would.
        """
        cls = type(self)
        if not isinstance(changes, Mapping):
            raise FieldError(cls.__name__, "fields", changes, "a JSON object")
        known, values = _plan(cls).fields, {}
        for name, value in changes.items():
            field = known.get(name)
            if field is None:
                raise FieldError(cls.__name__, "fields", name, "names of fields")
            read = field.value(cls.__name__, value)
            if name in cls.ONCE and getattr(self, name) not in (None, read):
                raise FieldError(cls.__name__, name, value, f"{getattr(self, name)!r}, as before")
            values[name] = read
        for name, read in values.items():
            setattr(self, name, read)
