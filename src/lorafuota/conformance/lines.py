"""Requests and events as JSON, one object a line: what the kit and a subject elsewhere exchange.

The page ``docs/reference/device-lines.md`` is the reference.  A message is a dataclass; its line is
a flat object with its kind under ``request`` or ``event`` and its fields under their names::

    {"request": "downlink", "time": 1400000000.0, "fport": 201, "payload": "00"}
    {"event": "uplink", "time": 1400000000.0, "fport": 201, "payload": "000301"}

Octets and addresses are hex.  A key stands under the name of its class, ``GenAppKey`` or
``AppKey``.  A field that is None may be missing.  What the reader does not know it steps over, so
that a field can be added; what it knows it checks, and says in one sentence what is wrong.  No
sentence repeats a key.

The codec takes any dataclasses made of the types in :func:`_form`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args

from ..errors import FieldError
from ..types import DevAddr, DevEUI, Key
from ..wire import JSON
from .subject import DeviceEvent, DeviceRequest

__all__ = [
    "DEVICE_EVENTS",
    "DEVICE_REQUESTS",
    "MAX_LINE",
    "PROTOCOL",
    "Done",
    "Error",
    "LineError",
    "Lines",
    "hello",
    "hello_request",
    "keys_in",
    "kind_of",
    "read_hello",
    "read_object",
]

PROTOCOL: Final = 1
"""Version of the protocol, in ``hello``."""

MAX_LINE: Final = 1 << 22
"""Octets in a line; a block of a megabyte fits."""

M = TypeVar("M")


class LineError(ValueError):
    """A line that is not what the protocol describes, in one sentence without keys."""


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """Ends what comes for one request; *next* says when something is due, if that is known."""

    next: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Error:
    """Ends what comes for one request that the subject could not read or carry out."""

    reason: str


# --- One value ------------------------------------------------------------------------------------


class _Expected(LineError):
    """What was expected in the place of a value."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Form:
    """How a type travels.  *read* raises _Expected, or LineError for what stands further in."""

    write: Callable[[Any], JSON]
    read: Callable[[object], Any]


def _same(value: Any) -> Any:
    return value


def _expect(value: object, kind: type, what: str) -> Any:
    if type(value) is not kind:
        raise _Expected(what)
    return value


def _whole_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Expected("a whole number")
    return int(value)


def _hex(value: bytes | bytearray | memoryview) -> str:
    return value.hex()


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Expected("a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Expected("a finite number")
    return number


def _octets(value: object) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", value):
        raise _Expected("octets as hex digits")
    return bytes.fromhex(value)


def _address(cls: type[DevAddr] | type[DevEUI]) -> _Form:
    def read(value: object) -> DevAddr | DevEUI:
        try:
            return cls.from_hex(_expect(value, str, "text"))
        except FieldError:
            raise _Expected(f"{2 * cls.OCTETS} hex digits") from None

    return _Form(str, read)


_PLAIN: Final[Mapping[object, _Form]] = {
    bool: _Form(_same, lambda value: _expect(value, bool, "true or false")),
    int: _Form(_same, _whole_number),
    float: _Form(_same, _number),
    str: _Form(_same, lambda value: _expect(value, str, "text")),
    bytes: _Form(_hex, _octets),
    DevAddr: _address(DevAddr),
    DevEUI: _address(DevEUI),
}


def _list(item: _Form, make: Callable[[Iterable[Any]], Any], order: Callable[[Any], Any]) -> _Form:
    def read(value: object) -> Any:
        return make(item.read(one) for one in _expect(value, list, "a list"))

    return _Form(lambda value: [item.write(one) for one in order(value)], read)


def _mapping(item: _Form) -> _Form:
    def read(value: object) -> Any:
        return {key: item.read(one) for key, one in _expect(value, dict, "an object").items()}

    return _Form(lambda value: {key: item.write(one) for key, one in value.items()}, read)


def _form(hint: Any) -> _Form:
    """Return how a type travels.

    bool, int, float, str, bytes, addresses; one of them or None; tuples and frozensets of one type;
    mappings from text; dataclasses.

    Raises:
        TypeError: Some other type.
    """
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, args = typing.get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType) and len(args) == 2 and args[1] is types.NoneType:
        inner = _form(args[0])
        return _Form(
            lambda value: None if value is None else inner.write(value),
            lambda value: None if value is None else inner.read(value),
        )
    if origin is tuple and len(args) == 2 and args[1] is ...:
        return _list(_form(args[0]), tuple, _same)
    if origin is frozenset:
        return _list(_form(args[0]), frozenset, sorted)
    if origin in (Mapping, dict) and args[0] is str:
        return _mapping(_form(args[1]))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        fields = _Fields(hint)
        return _Form(fields.write, lambda value: fields.read(_expect(value, dict, "an object")))
    raise TypeError(f"{hint!r} has no form on a line")


# --- One message ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    needed: bool
    has_default: bool
    form: _Form | None
    keys: tuple[type[Key], ...] = ()
    """The classes of key it may be of; it then stands under their names."""


class _Fields:
    """The fields of one dataclass, to and from an object."""

    def __init__(self, cls: type) -> None:
        hints = typing.get_type_hints(cls)
        self._cls, self._fields = cls, [_field(one, hints[one.name]) for one in _init_fields(cls)]

    def write(self, message: Any) -> dict[str, JSON]:
        written: dict[str, JSON] = {}
        for one in self._fields:
            value = getattr(message, one.name)
            if isinstance(value, Key):
                written[type(value).__name__] = value.reveal().hex()
            elif one.form is not None and value is not None:
                written[one.name] = one.form.write(value)
        return written

    def read(self, given: Mapping[str, object]) -> Any:
        values: dict[str, object] = {}
        for one in self._fields:
            if one.form is None:
                if one.needed or any(cls.__name__ in given for cls in one.keys):
                    values[one.name] = _read_key(one, given)
            elif given.get(one.name) is not None:
                try:
                    values[one.name] = one.form.read(given[one.name])
                except _Expected as error:
                    raise LineError(f"{one.name}: expected {error}") from None
                except LineError as error:
                    raise LineError(f"{one.name}: {error}") from None
            elif one.needed:
                raise LineError(f"{one.name} is missing")
            if one.name not in values and not one.has_default:
                values[one.name] = None
        try:
            return self._cls(**values)
        except FieldError as error:
            raise LineError(str(error)) from None


def _init_fields(cls: type) -> list[dataclasses.Field[Any]]:
    assert dataclasses.is_dataclass(cls)
    return [one for one in dataclasses.fields(cls) if one.init]


def _field(field: dataclasses.Field[Any], hint: Any) -> _Field:
    classes = get_args(hint) or (hint,)
    keys = tuple(cls for cls in classes if isinstance(cls, type) and issubclass(cls, Key))
    optional = types.NoneType in classes
    has_default = not (
        field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    )
    needed = not (optional or has_default)
    form = None if keys else _form(hint)
    return _Field(field.name, needed, has_default, form, keys)


def _read_key(field: _Field, given: Mapping[str, object]) -> Key:
    names = " or ".join(cls.__name__ for cls in field.keys)
    there = [cls for cls in field.keys if cls.__name__ in given]
    if len(there) != 1:
        raise LineError(f"{names} is missing" if not there else f"expected one of {names}")
    text = given[there[0].__name__]
    try:
        return there[0].from_hex(text if isinstance(text, str) else "")
    except FieldError:
        raise LineError(f"{there[0].__name__}: expected 32 hex digits") from None


# --- One line -------------------------------------------------------------------------------------


def _refuse_constant(text: str) -> object:
    raise LineError(f"{text} is no number")


def _no_name_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    given = dict(pairs)
    if len(given) != len(pairs):
        raise LineError("an object has a name twice")
    return given


def read_object(line: str | bytes) -> dict[str, object]:
    """Read one line as a JSON object.

    Raises:
        LineError: It is too long, no text, no JSON, or something else than an object.
    """
    if len(line) > MAX_LINE:
        raise LineError(f"a line of more than {MAX_LINE} octets")
    try:
        text = line if isinstance(line, str) else line.decode("utf-8")
        given = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_no_name_twice)
    except LineError:
        raise
    except UnicodeDecodeError:
        raise LineError("a line that is no UTF-8") from None
    except (ValueError, RecursionError):
        raise LineError("a line that is no JSON") from None
    if not isinstance(given, dict):
        raise LineError("a line that is no JSON object")
    return given


class Lines(Generic[M]):
    """The lines of one direction: a closed set of dataclasses, told apart by their kind.

    The kind of a class is its name in kebab-case: ``PowerOn`` is ``power-on``.
    """

    def __init__(self, tag: str, classes: Iterable[type]) -> None:
        """Take the messages there are.

        Args:
            tag: Under what the kind stands, ``request`` or ``event``.
            classes: Dataclasses, for instance ``get_args`` of a union of them.

        Raises:
            TypeError: A field has a type that has no form on a line.
        """
        self.tag = tag
        self._kinds = {kind_of(cls): (cls, _Fields(cls)) for cls in classes}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind there is."""
        return tuple(self._kinds)

    def encode(self, message: M) -> str:
        """Return a message as one line, without its end."""
        kind = kind_of(type(message))
        _, fields = self._kinds[kind]
        return json.dumps({self.tag: kind, **fields.write(message)})

    def checked(self, message: object) -> M:
        """Return a message of this process as it would come back from its line.

        Python does not check what stands in the fields of a dataclass; this does.

        Raises:
            LineError: It is none of ours, or has a value that is none.
        """
        kind = kind_of(type(message))
        cls, fields = self._kinds.get(kind, (None, None))
        if fields is None or type(message) is not cls:
            raise LineError(f"{type(message).__name__} is no {self.tag}")
        try:
            written = fields.write(message)
        except Exception as error:  # whatever values do that are of another type
            raise LineError(f"{kind}: a value that cannot be: {error}") from None
        return self.read({self.tag: kind, **written})

    def decode(self, line: str | bytes, *, time: float | None = None) -> M:
        """Return the message of one line.

        Raises:
            LineError: It is none of ours.
        """
        return self.read(read_object(line), time=time)

    def read(self, given: Mapping[str, object], *, time: float | None = None) -> M:
        """Return the message in an object.

        Args:
            given: The object.
            time: What its field ``time`` is to be, whatever stands there.

        Raises:
            LineError: It is none of ours.
        """
        kind = given.get(self.tag)
        if not isinstance(kind, str) or kind not in self._kinds:
            shown = repr(kind) if isinstance(kind, str) and len(kind) < 40 else "something else"
            if kind is None:
                shown = "nothing"
            raise LineError(f'"{self.tag}": expected one of {", ".join(self._kinds)}; came {shown}')
        _, fields = self._kinds[kind]
        given = given if time is None else {**given, "time": time}
        try:
            message: M = fields.read(given)
        except LineError as error:
            raise LineError(f"{kind}: {error}") from None
        return message


def keys_in(message: object) -> Iterator[Key]:
    """Return every key in a message, so that nobody shows what a subject echoes."""
    if isinstance(message, Key):
        yield message
    elif isinstance(message, tuple):
        for item in message:
            yield from keys_in(item)
    elif dataclasses.is_dataclass(message):
        for field in dataclasses.fields(message):
            yield from keys_in(getattr(message, field.name))


def kind_of(cls: type) -> str:
    """Return the kind of a class: its name in kebab-case."""
    return re.sub(r"(?<=.)([A-Z][a-z])", r"-\1", cls.__name__).lower()


# --- How it begins --------------------------------------------------------------------------------


def hello_request() -> str:
    """Return the line the kit begins with."""
    return json.dumps({"request": "hello", "lorafuota": PROTOCOL})


def hello(role: str, about: object) -> str:
    """Return the line a subject answers ``hello`` with.

    Args:
        role: ``device`` or ``server``.
        about: What it says of itself, a dataclass.
    """
    fields = _Fields(type(about)).write(about)
    return json.dumps({"event": "hello", "lorafuota": PROTOCOL, "role": role, **fields})


def read_hello(given: Mapping[str, object], role: str, cls: type[M]) -> M:
    """Read what a subject says of itself.

    Args:
        given: The object of its line.
        role: Which one is expected.
        cls: The dataclass it says it with.

    Raises:
        LineError: It speaks another version of the protocol, is something else, or says nonsense.
    """
    if given.get("lorafuota") != PROTOCOL:
        raise LineError(f'hello: "lorafuota": expected {PROTOCOL}, the version of the protocol')
    if given.get("role") != role:
        raise LineError(f'hello: "role": expected "{role}"')
    try:
        about: M = _Fields(cls).read(given)
    except LineError as error:
        raise LineError(f"hello: {error}") from None
    return about


# --- What there is for a device -------------------------------------------------------------------

DeviceLine: TypeAlias = DeviceEvent | Done | Error

DEVICE_REQUESTS: Final[Lines[DeviceRequest]] = Lines("request", get_args(DeviceRequest))
"""What the kit says to a device after the hello."""

DEVICE_EVENTS: Final[Lines[DeviceLine]] = Lines("event", get_args(DeviceLine))
"""What a device says after the hello."""
