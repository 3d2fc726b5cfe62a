"""The wire layer: declare a command once, derive everything else from it.

A command is a frozen dataclass whose fields stand in the order they travel: first octet first and,
inside an octet, least significant bit first.  Integers longer than an octet are little-endian in
every LoRaWAN package, so a run of adjacent integer fields is one little-endian integer cut into
slices.  That is the whole engine: ``int.from_bytes``, shift, mask.

The functions :func:`uint`, :func:`flag` and so on are to wire fields what ``dataclasses.field`` is
to plain ones: a type checker sees the field's Python type and compares it with the annotation,
while at run time the decorator finds the field's kind (:mod:`lorafuota._kinds`) in the class body.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar, cast, dataclass_transform, overload

from ._kinds import JSON, Int, Kind, Octets, OnlyIf, Rest, Row, Source, spec_name
from .errors import (
    DecodeError,
    FieldError,
    ReservedBitsError,
    TrailingOctetsError,
    TruncatedError,
    UnknownCommandError,
)
from .types import BytesLike, Direction

__all__ = [
    "JSON",
    "Command",
    "Record",
    "Row",
    "command",
    "flag",
    "octets",
    "only_if",
    "record",
    "repeat",
    "rest",
    "sint",
    "uint",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Repeat(Kind):
    """As many *item* records as the earlier field *field* says, or has one-bits (then *key*)."""

    item: type[Record]
    field: str
    key: str
    doc: str = ""
    spec: str = ""

    def keys(self, value: int) -> list[int]:
        """Return what the key field of each record must be; only the count matters without key."""
        if not self.key:
            return list(range(value))
        return [bit for bit in range(value.bit_length()) if value >> bit & 1]

    def expects(self, value: Any, message: object) -> str | None:
        keys = self.keys(getattr(message, self.field))
        fine = isinstance(value, tuple) and all(isinstance(item, self.item) for item in value)
        if fine and len(value) == len(keys):
            if not self.key or [getattr(item, self.key) for item in value] == keys:
                return None
            return f"{self.key} {keys}, as {self.field} announces"
        return f"a tuple of {len(keys)} {self.item.__name__}, as {self.field} announces"

    def write(self, value: tuple[Record, ...]) -> bytes:
        return b"".join(item.encode_body() for item in value)

    def read(self, source: Source, seen: Mapping[str, Any]) -> tuple[Record, ...]:
        return tuple(self.item.decode_body(source) for _ in self.keys(seen[self.field]))

    def to_json(self, value: tuple[Record, ...]) -> JSON:
        return [item.to_json() for item in value]

    def from_json(self, value: object, where: str, field: str) -> tuple[Record, ...]:
        if not isinstance(value, list):
            raise FieldError(where, field, value, f"a list of {self.item.__name__}")
        return tuple(self.item.from_json(item) for item in value)

    def size(self) -> tuple[int, int | None]:
        return 0, None

    def values(self) -> str:
        many = f"one for each one-bit of {self.field}" if self.key else f"{self.field} of them"
        return f"tuple of {self.item.__name__}, {many}"


# The specifiers.  Each is typed as the Python type of its field; see the module's docstring.

I = TypeVar("I", bound=int)  # noqa: E741  reads well where it is used
V = TypeVar("V")
R = TypeVar("R", bound="Record")
C = TypeVar("C", bound="Command")


@overload
def uint(
    bits: int,
    *,
    rfu: int = ...,
    low: int | None = ...,
    high: int | None = ...,
    also: int | None = ...,
    step: int = ...,
    doc: str = ...,
    spec: str = ...,
) -> int: ...
@overload
def uint(
    bits: int,
    type: type[I],
    *,
    rfu: int = ...,
    low: int | None = ...,
    high: int | None = ...,
    also: int | None = ...,
    step: int = ...,
    reserved: int = ...,
    doc: str = ...,
    spec: str = ...,
) -> I: ...
def uint(
    bits: int,
    type: type[int] = int,
    *,
    rfu: int = 0,
    low: int | None = None,
    high: int | None = None,
    also: int | None = None,
    step: int = 1,
    reserved: int = 0,
    doc: str = "",
    spec: str = "",
) -> int:
    """Declare an unsigned field of *bits* bits.

    Args:
        bits: Width on the wire.
        type: What it is read as: ``int``, an enumeration, DevAddr.
        rfu: Reserved bits above the field: written as zero, ignored unless decoding is strict.
        low: Smallest value, if not 0.
        high: Largest value, if not all ones.
        also: One value outside *low* to *high* that has a meaning of its own.
        step: Value of one unit on the wire (100 for a frequency in Hz sent in units of 100 Hz).
        reserved: Bits of the field itself that this version reserves but a reader must see.
        doc: What it means, for the manual.
        spec: The document's name where it is not the field's name in CamelCase.
    """
    return cast(
        int, Int(bits, type, rfu, False, low, high, also, step, reserved, doc=doc, spec=spec)
    )


def sint(bits: int, *, rfu: int = 0, doc: str = "", spec: str = "") -> int:
    """Declare a signed field in two's complement."""
    return cast(int, Int(bits, rfu=rfu, signed=True, doc=doc, spec=spec))


def flag(*, rfu: int = 0, doc: str = "", spec: str = "") -> bool:
    """Declare a field of one bit."""
    return cast(bool, Int(1, bool, rfu, doc=doc, spec=spec))


def octets(count: int, *, doc: str = "", spec: str = "") -> bytes:
    """Declare *count* opaque octets."""
    return cast(bytes, Octets(count, doc, spec))


def rest(*, low: int = 0, high: int = 255, keep: int = 0, doc: str = "", spec: str = "") -> bytes:
    """Declare *low* to *high* octets: all that is left of the payload but the last *keep*."""
    return cast(bytes, Rest(low, high, keep, doc, spec))


def only_if(field: str, among: int | range, inner: V) -> V | None:
    """Declare *inner* as present only when the earlier *field* has that value or one of them."""
    values = among if isinstance(among, range) else range(among, among + 1)
    return cast("V | None", OnlyIf(cast(Kind, inner), field, values))


def repeat(
    item: type[R], *, by: str, key: str = "", doc: str = "", spec: str = ""
) -> tuple[R, ...]:
    """Declare a run of records, counted by the earlier field *by*.

    With *key*, *by* is a mask: one record for each one-bit, whose field *key* is the bit's number.
    """
    return cast("tuple[R, ...]", Repeat(item, by, key, doc, spec))


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Adjacent integer fields: one little-endian integer and its slices."""

    size: int
    slices: tuple[tuple[str, int, Int, bool, int, type[int]], ...]
    """Field, shift, kind, and what is asked of the kind for every message: plain, mask, type."""
    reserved: int
    condition: OnlyIf | None

    def write(self, message: Record) -> bytes:
        word = 0
        for field, shift, kind, plain, _, _ in self.slices:
            value = getattr(message, field)
            if value is None:  # the checks made sure that all of the run is absent
                return b""
            word |= (value if plain else kind.raw(value)) << shift
        return word.to_bytes(self.size, "little")

    def read(self, source: Source, seen: dict[str, Any]) -> None:
        if self.condition is not None and not self.condition.applies(seen):
            seen.update((one[0], None) for one in self.slices)
            return
        start = source.pos
        word = int.from_bytes(source.take(self.size), "little")
        wrong = word & self.reserved
        if source.strict and wrong:
            offset = start + ((wrong & -wrong).bit_length() - 1) // 8
            raise ReservedBitsError(source.command, offset, "a reserved bit is set")
        for field, shift, kind, plain, mask, make in self.slices:
            raw = word >> shift & mask
            if plain:
                seen[field] = raw if make is int else make(raw)
            else:
                seen[field] = kind.value(raw)

    def rows(self, start: str) -> Iterator[Row]:
        for field, shift, kind, *_ in self.slices:
            wrapped = (
                OnlyIf(kind, self.condition.field, self.condition.among) if self.condition else kind
            )
            name = kind.spec or spec_name(field)
            place = _place(start, shift, kind.bits)
            yield Row(*place, name, field, wrapped.values(), wrapped.doc)
            if kind.rfu:
                place = _place(start, shift + kind.bits, kind.rfu)
                yield Row(*place, "RFU", "", "0", "Reserved: sent as zero, ignored on receipt")


def _place(start: str, shift: int, bits: int) -> tuple[str, str]:
    first, last = shift // 8, (shift + bits - 1) // 8
    if start.isdigit():
        octet = str(int(start) + first)
        octet += f"-{int(start) + last}" if last > first else ""
    else:
        octet = start
    low = shift % 8
    if low == 0 and bits % 8 == 0:
        return octet, ""
    return octet, f"{low + bits - 1}:{low}" if bits > 1 else str(low)


class Record:
    """Fields in wire order.  Subclasses are made by ``@record`` or ``@command``."""

    __slots__ = ()
    KINDS: ClassVar[Mapping[str, Kind]] = {}
    STEPS: ClassVar[tuple[Run | tuple[str, Kind], ...]] = ()
    CHECKS: ClassVar[tuple[tuple[str, Kind, type[int] | None, int, int], ...]] = ()
    """Every field and its kind; for plain numbers also class and range, None otherwise."""
    SHORTEST: ClassVar[int] = 0
    """Octets of the shortest body."""

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            FieldError: A value does not fit its field.
        """
        for field, kind, exact, low, high in self.CHECKS:
            value = getattr(self, field)
            if value.__class__ is exact and low <= value <= high:
                continue  # the usual case, spelt out because it is two thirds of the cost
            expected = kind.expects(value, self)
            if expected is not None:
                raise FieldError(type(self).__name__, field, value, expected)

    def encode_body(self) -> bytes:
        """Return the octets of the fields.  Never fails."""
        return b"".join(
            step.write(self) if isinstance(step, Run) else step[1].write(getattr(self, step[0]))
            for step in self.STEPS
        )

    @classmethod
    def decode_body(cls, source: Source) -> Self:
        """Read the fields at *source*.

        Raises:
            DecodeError: They are not there, or hold what the document excludes.
        """
        start = source.pos
        if source.left < cls.SHORTEST:
            raise source.truncated(cls.SHORTEST)
        seen: dict[str, Any] = {}
        for step in cls.STEPS:
            if isinstance(step, Run):
                step.read(source, seen)
            else:
                field, kind = step
                seen[field] = kind.read(source, seen)
        if source.forgiving:
            cls.forgive(source, seen)
        try:
            return cls(**seen)
        except FieldError as error:
            raise DecodeError(source.command, start, str(error)) from error

    @classmethod
    def forgive(cls, source: Source, seen: Mapping[str, Any]) -> None:
        """Step over what a known device sends too much; for commands that have such a device."""

    def to_json(self) -> dict[str, JSON]:
        """Return the fields as JSON: numbers, hex strings for octets and addresses, flag names."""
        return {field: kind.to_json(getattr(self, field)) for field, kind in self.KINDS.items()}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Undo :meth:`to_json`.

        Raises:
            FieldError: A field is missing, unknown or has a value it cannot have.
        """
        if not isinstance(data, dict):
            raise FieldError(cls.__name__, "fields", data, "an object")
        if data.keys() != cls.KINDS.keys():
            raise FieldError(cls.__name__, "fields", sorted(data), f"exactly {list(cls.KINDS)}")
        values = {
            field: kind.from_json(data[field], cls.__name__, field)
            for field, kind in cls.KINDS.items()
        }
        return cls(**values)

    @classmethod
    def table(cls) -> list[Row]:
        """Return the documentation table of this record, a row a field, in wire order."""
        rows: list[Row] = []
        start = "0"
        for step in cls.STEPS:
            if isinstance(step, Run):
                rows += step.rows(start)
                least, most = step.size, None if step.condition else step.size
            else:
                field, kind = step
                name = kind.spec or spec_name(field)
                least, most = kind.size()
                shown = start
                if start.isdigit() and most is not None and most > 1:
                    shown = f"{start}-{int(start) + most - 1}"
                elif start.isdigit() and most is None:
                    shown = f"{start}.."
                rows.append(Row(shown, "", name, field, kind.values(), kind.doc))
            start = str(int(start) + least) if most == least and start.isdigit() else ".."
        return rows


class Command(Record):
    """A record with a command identifier in front of it."""

    __slots__ = ()
    CID: ClassVar[int]
    DIRECTION: ClassVar[Direction]
    ALONE: ClassVar[bool]
    """Whether the command must be the only one of its payload."""
    MULTICAST: ClassVar[bool]
    """Whether a device accepts the command on a multicast address."""

    def encode(self) -> bytes:
        """Return the octets of this command, identifier included.  Never fails."""
        return bytes((self.CID,)) + self.encode_body()

    @classmethod
    def decode(cls, data: BytesLike, *, strict: bool = False) -> Self:
        """Read one command from *data*, identifier included.

        Args:
            data: The command.  Octets after it are left alone unless *strict*.
            strict: Also refuse reserved bits that are set and octets after the command, which
                makes decoding one-to-one.

        Raises:
            DecodeError: *data* is not such a command.
        """
        data = bytes(data)
        if not data:
            raise TruncatedError(cls.__name__, 0, "there is no command identifier")
        if data[0] != cls.CID:
            reason = f"command identifier 0x{data[0]:02X} is not 0x{cls.CID:02X}"
            raise UnknownCommandError(cls.__name__, 0, reason)
        source = Source(data, 1, cls.__name__, strict=strict, forgiving=not strict)
        message = cls.decode_body(source)
        if strict and source.left:
            raise TrailingOctetsError(cls.__name__, source.pos, f"{source.left} octets too many")
        return message


def _runs(kinds: Mapping[str, Kind]) -> Iterator[Run | tuple[str, Kind]]:
    """Gather adjacent integers with the same condition into runs."""
    slices: list[tuple[str, int, Int, bool, int, type[int]]] = []
    at = reserved = 0
    condition: OnlyIf | None = None
    for field, kind in [*kinds.items(), ("", None)]:
        inner = kind.inner if isinstance(kind, OnlyIf) else kind
        when = kind if isinstance(kind, OnlyIf) else None
        same = (when and (when.field, when.among)) == (
            condition and (condition.field, condition.among)
        )
        if slices and not (isinstance(inner, Int) and same):
            if at % 8:
                raise TypeError(f"the bits before {field or 'the end'} do not fill whole octets")
            yield Run(at // 8, tuple(slices), reserved, condition)
            slices, at, reserved = [], 0, 0
        if isinstance(inner, Int):
            condition = when
            slices.append((field, at, inner, inner.plain, inner.mask, inner.type))
            reserved |= inner.reserved << at
            at += inner.bits
            reserved |= ((1 << inner.rfu) - 1) << at
            at += inner.rfu
        elif kind is not None:
            yield field, kind


def _make(cls: type[R]) -> type[R]:
    kinds: dict[str, Kind] = {}
    for field in inspect.get_annotations(cls):
        kind = cls.__dict__.get(field)
        if not isinstance(kind, Kind):
            raise TypeError(f"{cls.__name__}.{field} needs a specifier such as uint(8)")
        kinds[field] = kind
        delattr(cls, field)
    made = dataclasses.dataclass(frozen=True, slots=True, kw_only=True)(cls)
    made.KINDS = kinds
    made.STEPS = tuple(_runs(kinds))
    made.CHECKS = tuple(
        (field, kind, kind.type, kind.lowest, kind.highest)
        if isinstance(kind, Int) and kind.plain
        else (field, kind, None, 0, 0)
        for field, kind in kinds.items()
    )
    made.SHORTEST = sum(
        (0 if step.condition else step.size) if isinstance(step, Run) else step[1].size()[0]
        for step in made.STEPS
    )
    return made


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(uint, sint, flag, octets, rest, only_if, repeat),
)
def record(cls: type[R]) -> type[R]:
    """Turn the annotated fields of *cls* into a wire record."""
    return _make(cls)


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(uint, sint, flag, octets, rest, only_if, repeat),
)
def command(
    cid: int, direction: Direction, *, size: int, alone: bool = False, multicast: bool = False
) -> Callable[[type[C]], type[C]]:
    """Turn *cls* into a command.

    Args:
        cid: The command identifier.
        direction: Who sends it.
        size: Octets of the shortest body the document allows; a declaration that does not add up
            to it, for instance because reserved bits were forgotten, is a TypeError at import.
        alone: The command must be the only one of its payload.
        multicast: A device accepts it on a multicast address.
    """

    def make(cls: type[C]) -> type[C]:
        made = _make(cls)
        made.CID, made.DIRECTION, made.ALONE, made.MULTICAST = cid, direction, alone, multicast
        if size != made.SHORTEST:
            raise TypeError(f"{cls.__name__} declares {made.SHORTEST} octets, not {size}")
        return made

    return make
