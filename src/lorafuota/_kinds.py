"""The kinds of fields a message can have: what each accepts, and how it travels.

Each kind is one small class with the same few abilities (check, write, read, JSON, describe).
Nobody meets them in declarations, where :func:`lorafuota.wire.uint` and its like stand; they are
for those who derive something from the declarations, as the tables and the test strategies do.
"""

from __future__ import annotations

import abc
import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from .errors import FieldError, TruncatedError
from .types import DevAddr

__all__ = ["JSON", "Int", "Kind", "Octets", "OnlyIf", "Rest", "Row", "Source", "spec_name"]

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
"""What ``json.dumps`` takes and ``json.loads`` gives."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One line of a command's documentation table."""

    octets: str
    """Octets after the command identifier, from 0; ``..`` where the position varies."""
    bits: str
    """Bits inside these octets read as one little-endian number; empty for whole octets."""
    name: str
    """The document's name."""
    field: str
    """The name in Python; empty for reserved bits."""
    values: str
    """What the field accepts."""
    doc: str


class Source:
    """A payload being read: where we are, for which command, and how strictly.

    *forgiving* readers step over what known devices send too much at the end of a payload.
    """

    __slots__ = ("command", "data", "forgiving", "pos", "strict")

    def __init__(
        self, data: bytes, pos: int, command: str, *, strict: bool, forgiving: bool = False
    ) -> None:
        self.data, self.pos, self.command = data, pos, command
        self.strict, self.forgiving = strict, forgiving

    @property
    def left(self) -> int:
        return len(self.data) - self.pos

    def truncated(self, size: int) -> TruncatedError:
        reason = f"needs {size} octet{'' if size == 1 else 's'} here, has {self.left}"
        return TruncatedError(self.command, self.pos, reason)

    def take(self, size: int) -> bytes:
        end = self.pos + size
        if end > len(self.data):
            raise self.truncated(size)
        chunk = self.data[self.pos : end]
        self.pos = end
        return chunk


class Kind(abc.ABC):
    """How one field travels."""

    __slots__ = ()
    doc: str
    spec: str

    @abc.abstractmethod
    def expects(self, value: Any, message: object) -> str | None:
        """Return what was expected of *value*, or None when it is fine."""

    @abc.abstractmethod
    def write(self, value: Any) -> bytes: ...

    @abc.abstractmethod
    def read(self, source: Source, seen: Mapping[str, Any]) -> Any: ...

    @abc.abstractmethod
    def to_json(self, value: Any) -> JSON: ...

    @abc.abstractmethod
    def from_json(self, value: object, where: str, field: str) -> Any:
        """Undo :meth:`to_json`; raises FieldError when *value* has the wrong shape."""

    @abc.abstractmethod
    def size(self) -> tuple[int, int | None]:
        """Octets at least, and at most unless that varies with the payload."""

    @abc.abstractmethod
    def values(self) -> str:
        """What the field accepts, for people."""


def spec_name(field: str) -> str:
    """Return the document's spelling of a field: ``nb_frag`` is ``NbFrag``."""
    return "".join(part[:1].upper() + part[1:] for part in field.split("_"))


@dataclasses.dataclass(frozen=True, slots=True)
class Int(Kind):
    """An integer of *bits* bits with *rfu* reserved bits above it, *step* to one on the wire."""

    bits: int
    type: type[int] = int
    rfu: int = 0
    signed: bool = False
    low: int | None = None
    high: int | None = None
    also: int | None = None
    step: int = 1
    reserved: int = 0
    doc: str = ""
    spec: str = ""

    @property
    def lowest(self) -> int:
        if self.low is not None:
            return self.low
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def highest(self) -> int:
        if self.high is not None:
            return self.high
        return ((1 << self.bits - self.signed) - 1) * self.step

    @property
    def mask(self) -> int:
        return (1 << self.bits) - 1

    def expects(self, value: Any, message: object) -> str | None:
        if (
            isinstance(value, self.type)
            and (self.type is not int or not isinstance(value, bool))
            and (self.lowest <= value <= self.highest or value == self.also)
            and not (self.step > 1 and value % self.step)
        ):
            return None
        return self.values()

    @property
    def plain(self) -> bool:
        """Whether the number on the wire is the value, and its range all there is to check."""
        return self.step == 1 and self.also is None and not self.signed

    def raw(self, value: int) -> int:
        """Return the unsigned number that goes on the wire."""
        return value // self.step & self.mask

    def value(self, raw: int) -> int:
        """Return the field's value; :class:`Record` checks afterwards whether it is allowed."""
        if self.signed and raw >> self.bits - 1:
            raw -= 1 << self.bits
        raw *= self.step
        return raw if self.type is int else self.type(raw)

    def write(self, value: int) -> bytes:
        raise NotImplementedError("integers travel in runs")  # pragma: no cover

    def read(self, source: Source, seen: Mapping[str, Any]) -> int:
        raise NotImplementedError("integers travel in runs")  # pragma: no cover

    def to_json(self, value: int) -> JSON:
        if isinstance(value, DevAddr):
            return str(value)
        if isinstance(value, enum.IntFlag):
            known = [m for m in type(value) if value & m]
            unknown = int(value) & ~sum(known)
            names: list[JSON] = [str(member.name) for member in known]
            return [*names, *([unknown] if unknown else [])]
        if isinstance(value, bool):
            return value
        return int(value)

    def from_json(self, value: object, where: str, field: str) -> int:
        kind = self.type
        if isinstance(value, str) and kind is DevAddr:
            return DevAddr.from_hex(value)
        if isinstance(value, list) and issubclass(kind, enum.IntFlag):
            total = 0
            for item in value:
                if isinstance(item, str) and item in kind.__members__:
                    total |= kind[item]
                elif isinstance(item, int) and item >= 0:
                    total |= item
                else:
                    raise FieldError(where, field, item, f"a name of {kind.__name__}")
            return kind(total)
        if isinstance(value, bool) is not (kind is bool) or not isinstance(value, int):
            raise FieldError(where, field, value, self.values())
        try:
            return kind(value)
        except ValueError:
            raise FieldError(where, field, value, self.values()) from None

    def size(self) -> tuple[int, int | None]:
        return 0, 0  # counted by the run it belongs to

    def values(self) -> str:
        if self.type is bool:
            return "bool"
        step = f" in steps of {self.step}" if self.step > 1 else ""
        also = f" or {self.also}" if self.also is not None else ""
        return f"{self.type.__name__} in {self.lowest}..{self.highest}{step}{also}"


class _OctetString(Kind):
    """What the two kinds of opaque octets have in common."""

    __slots__ = ()

    def write(self, value: bytes) -> bytes:
        return value

    def to_json(self, value: bytes) -> JSON:
        return value.hex()

    def from_json(self, value: object, where: str, field: str) -> bytes:
        try:
            return bytes.fromhex(cast(str, value))
        except (TypeError, ValueError):
            raise FieldError(where, field, value, f"{self.values()} as hex digits") from None


@dataclasses.dataclass(frozen=True, slots=True)
class Octets(_OctetString):
    """Exactly *count* opaque octets."""

    count: int
    doc: str = ""
    spec: str = ""

    def expects(self, value: Any, message: object) -> str | None:
        fine = isinstance(value, bytes) and len(value) == self.count
        return None if fine else self.values()

    def read(self, source: Source, seen: Mapping[str, Any]) -> bytes:
        return source.take(self.count)

    def size(self) -> tuple[int, int | None]:
        return self.count, self.count

    def values(self) -> str:
        return f"{self.count} octets"


@dataclasses.dataclass(frozen=True, slots=True)
class Rest(_OctetString):
    """All that is left of the payload but its last *keep* octets; *low* to *high* of them."""

    low: int
    high: int
    keep: int
    doc: str = ""
    spec: str = ""

    def expects(self, value: Any, message: object) -> str | None:
        fine = isinstance(value, bytes) and self.low <= len(value) <= self.high
        return None if fine else self.values()

    def read(self, source: Source, seen: Mapping[str, Any]) -> bytes:
        return source.take(max(source.left - self.keep, 0))

    def size(self) -> tuple[int, int | None]:
        return self.low, None

    def values(self) -> str:
        return f"{self.low} to {self.high} octets"


@dataclasses.dataclass(frozen=True, slots=True)
class OnlyIf(Kind):
    """*inner*, there only when the earlier field *field* is one of *values_of_field*."""

    inner: Kind
    field: str
    among: range

    @property
    def doc(self) -> str:  # type: ignore[override]
        return f"{self.inner.doc} (only if {self.field} is {self.condition()})"

    @property
    def spec(self) -> str:  # type: ignore[override]
        return self.inner.spec

    def condition(self) -> str:
        first, last = self.among[0], self.among[-1]
        return str(first) if first == last else f"{first}..{last}"

    def applies(self, seen: Mapping[str, Any]) -> bool:
        return int(seen[self.field]) in self.among

    def expects(self, value: Any, message: object) -> str | None:
        if int(getattr(message, self.field)) in self.among:
            return self.inner.expects(value, message)
        return None if value is None else f"None unless {self.field} is {self.condition()}"

    def write(self, value: Any) -> bytes:
        return b"" if value is None else self.inner.write(value)

    def read(self, source: Source, seen: Mapping[str, Any]) -> Any:
        return self.inner.read(source, seen) if self.applies(seen) else None

    def to_json(self, value: Any) -> JSON:
        return None if value is None else self.inner.to_json(value)

    def from_json(self, value: object, where: str, field: str) -> Any:
        return None if value is None else self.inner.from_json(value, where, field)

    def size(self) -> tuple[int, int | None]:
        return 0, None

    def values(self) -> str:
        return f"{self.inner.values()}, or None"
