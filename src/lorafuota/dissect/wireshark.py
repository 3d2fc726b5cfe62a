"""A dissector for Wireshark, in Lua, made from the declarations of all packages.

The declarations become tables: a ProtoField for every field, with its mask and the names of its
values, and for every command the steps that read it.  ``engine.lua`` reads payloads by these
tables.  The same field of two versions has one name to filter by.
"""

from __future__ import annotations

import enum
import importlib.resources
from collections.abc import Iterator
from typing import Final

from .._kinds import Int, Kind, Octets, OnlyIf, Rest, spec_name
from ..catalogue import PACKAGES
from ..package import Package
from ..types import UPLINK, DevAddr
from ..wire import Command, Record, Repeat, Run

__all__ = ["lua_dissector"]

_HEAD: Final = """\
-- Firmware updates over LoRaWAN in Wireshark: TS003, TS004, TS005, TS006 and TS007.
-- Made by `lorafuota wireshark` from the declarations of lorafuota; do not edit.

local proto = Proto("lorafuota", "LoRaWAN firmware update packages")
local F = {}
"""

_STALE: Final = {
    ("fragmentation", 2, "FragSessionStatusAns"): (
        '{ by = "session_does_not_exist", octets = 3, package = 3 }'
    ),
}
"""What a known device sends too much; see FragSessionStatusAns.forgive."""


def lua_dissector() -> str:
    """Return the dissector as the text of one Lua file."""
    writer = _Writer()
    tables = [line for name in _names() for line in writer.package(name)]
    engine = importlib.resources.files("lorafuota.dissect").joinpath("engine.lua")
    fields = [f"F[{_text(key)}] = {spec}" for key, spec in writer.fields.items()]
    parts = [*fields, "", "local packages = {", *tables, "}", "", engine.read_text("utf-8")]
    return _HEAD + "\n" + "\n".join(parts)


def _names() -> list[str]:
    return list(dict.fromkeys(one.name for one in PACKAGES))


class _Writer:
    """Writes tables, and collects the fields they need."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        """ProtoField by a key that has all of what makes it up."""

    def package(self, name: str) -> Iterator[str]:
        versions = [one for one in PACKAGES if one.name == name]
        newest = versions[-1]
        yield (
            f"  {{ name = {_text(name)}, title = {_text(newest.title)}, id = {newest.identifier}, "
            f"port = {newest.fport}, versions = {{"
        )
        for one in versions:
            yield f"    [{one.version}] = {{ document = {_text(one.document)},"
            for key, direction in (("up", UPLINK), ("down", None)):
                yield f"      {key} = {{"
                for cls in one.commands:
                    if (cls.DIRECTION is UPLINK) is (direction is UPLINK):
                        yield from self._command(one, cls)
                yield "      },"
            yield "    },"
        yield "  } },"

    def _command(self, package: Package, cls: type[Command]) -> Iterator[str]:
        alone = ", alone = true" if cls.ALONE else ""
        rule = _STALE.get((package.name, package.version, cls.__name__))
        stale = f", stale = {rule}" if rule else ""
        yield f"        [{cls.CID}] = {{ name = {_text(cls.__name__)}{alone}{stale}, steps = {{"
        yield from self._steps(cls, f"lorafuota.{package.name}.{cls.__name__}", " " * 10)
        yield "        } },"

    def _steps(self, cls: type[Record], owner: str, indent: str) -> Iterator[str]:
        for step in cls.STEPS:
            if isinstance(step, Run):
                yield from self._run(step, owner, indent)
            else:
                yield from self._other(*step, owner, indent)

    # --- Integers ---------------------------------------------------------------------------------

    def _run(self, run: Run, owner: str, indent: str) -> Iterator[str]:
        condition = _condition(run.condition)
        yield f'{indent}{{ kind = "run", size = {run.size}{condition},'
        rfus = []
        for field, shift, kind, *_ in run.slices:
            yield f"{indent}  {self._slice(field, shift, kind, owner)},"
            if kind.rfu:
                first, size, low = _span(shift + kind.bits, kind.rfu)
                title = _text(kind.spec or spec_name(field))
                where = f"at = {first}, size = {size}, shift = {low}, bits = {kind.rfu}"
                rfus.append(f"{{ {where}, above = {title} }}")
        yield f"{indent}  rfu = {{ {', '.join(rfus)} }} }},"

    def _slice(self, field: str, shift: int, kind: Int, owner: str) -> str:
        first, size, low = _span(shift, kind.bits)
        title = kind.spec or spec_name(field)
        key = self._field(f"{owner}.{field}", title, kind, size, low)
        parts = [
            f"key = {_text(key)}",
            f"name = {_text(field)}",
            f"title = {_text(title)}",
            f"at = {first}, size = {size}, shift = {low}, bits = {kind.bits}",
            f"step = {kind.step}, low = {kind.lowest}, high = {kind.highest}",
        ]
        if kind.also is not None:
            parts.append(f"also = {kind.also}")
        if kind.signed:
            parts.append("signed = true")
        if kind.reserved:
            lowest = (kind.reserved & -kind.reserved).bit_length() - 1
            parts.append(f"reserved = function(value) return value >= {1 << lowest} end")
        if issubclass(kind.type, enum.IntFlag):
            flags = [
                _text(self._flag(f"{owner}.{field}", member, size, low)) for member in kind.type
            ]
            parts.append(f"flags = {{ {', '.join(flags)} }}")
        return f"{{ {', '.join(parts)} }}"

    def _field(self, name: str, title: str, kind: Int, size: int, low: int) -> str:
        width = 8 * size
        mask = "" if kind.bits == width else f"0x{kind.mask << low:X}"
        if kind.type is bool:
            spec = f"ProtoField.bool({_text(name)}, {_text(title)}, {width}, nil, {mask or 'nil'})"
            return self._add(name, spec)
        if kind.step > 1:
            size, mask = 4, ""
        make = f"{'int' if kind.signed else 'uint'}{8 * size}"
        base = "base.HEX" if kind.type is DevAddr else "base.DEC"
        labels = "nil"
        if issubclass(kind.type, enum.IntEnum):
            names = ", ".join(f"[{int(one)}] = {_text(str(one.name))}" for one in kind.type)
            labels = f"{{ {names} }}"
        described = f"{base}, {labels}, {mask or 'nil'}, {_text(kind.doc)}"
        return self._add(name, f"ProtoField.{make}({_text(name)}, {_text(title)}, {described})")

    def _flag(self, name: str, member: enum.IntFlag, size: int, low: int) -> str:
        label = str(member.name)
        name = f"{name}.{label.lower()}"
        mask = f"0x{int(member) << low:X}"
        return self._add(
            name, f"ProtoField.bool({_text(name)}, {_text(label)}, {8 * size}, nil, {mask})"
        )

    def _add(self, name: str, spec: str) -> str:
        """Keep a field; the same one in several versions is one, others share only the name."""
        number = 1
        while self.fields.setdefault(f"{name} {number}", spec) != spec:
            number += 1
        return f"{name} {number}"

    # --- Everything else --------------------------------------------------------------------------

    def _other(self, field: str, kind: Kind, owner: str, indent: str) -> Iterator[str]:
        condition = _condition(kind if isinstance(kind, OnlyIf) else None)
        inner = kind.inner if isinstance(kind, OnlyIf) else kind
        title = inner.spec or spec_name(field)
        name = f"{owner}.{field}"
        if isinstance(inner, Repeat):
            mask = ", mask = true" if inner.key else ""
            yield (
                f'{indent}{{ kind = "repeat", by = {_text(inner.field)}{mask}{condition}, '
                f"title = {_text(title)}, item = {{"
            )
            yield from self._steps(inner.item, name, indent + "  ")
            yield f"{indent}}} }},"
            return
        spec = f"ProtoField.bytes({_text(name)}, {_text(title)}, base.NONE, {_text(kind.doc)})"
        head = f"key = {_text(self._add(name, spec))}, title = {_text(title)}"
        if isinstance(inner, Octets):
            yield f'{indent}{{ kind = "octets", size = {inner.count}, {head}{condition} }},'
        elif isinstance(inner, Rest):
            size = f"keep = {inner.keep}, low = {inner.low}"
            yield f'{indent}{{ kind = "rest", {size}, {head}{condition} }},'
        else:  # pragma: no cover
            raise TypeError(f"{name}: nobody said how {type(inner).__name__} looks in Lua")


def _condition(when: OnlyIf | None) -> str:
    if when is None:
        return ""
    by, low, high = _text(when.field), when.among[0], when.among[-1]
    return f", condition = {{ by = {by}, low = {low}, high = {high} }}"


def _span(shift: int, bits: int) -> tuple[int, int, int]:
    """Return the first octet bits stand in, how many they touch, and the shift inside these."""
    first, last = shift // 8, (shift + bits - 1) // 8
    return first, last - first + 1, shift - 8 * first


def _text(text: str) -> str:
    """Return a Lua string; ours have no control characters."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
