"""Values in words: what a number on the wire comes to in seconds, hertz, dates and groups."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..catalogue import PACKAGES
from ..gpstime import utc_text
from ..wire import Record
from .words import count

__all__ = ["duration", "in_words", "plain"]

_DIGITS_A_LINE: Final = 32


def in_words(message: Record, field: str) -> str:
    """Return the value of a field for people, with what it comes to where a rule is known."""
    value = getattr(message, field)
    text = plain(value)
    rule = _RULES.get(f"{type(message).__name__}.{field}") or _RULES.get(field)
    if rule is None or value is None:
        return text
    more = rule(value, message)
    return f"{text}, {more}" if more else text


def plain(value: object) -> str:
    """Return a value for people, from its type alone."""
    match value:
        case None:
            return "not there"
        case bool():
            return "1, yes" if value else "0, no"
        case enum.IntFlag():
            return f"{int(value)}, {_flags(value)}"
        case enum.Enum():
            return f"{value.value}, {value.name}"
        case bytes():
            digits = value.hex()
            lines = [digits[i : i + _DIGITS_A_LINE] for i in range(0, len(digits), _DIGITS_A_LINE)]
            return "\n".join(lines) or "no octets"
        case _:
            return str(value)


def _flags(value: enum.IntFlag) -> str:
    known: Mapping[str, enum.IntFlag] = type(value).__members__
    names = [name for name, member in known.items() if value & member]
    unnamed = int(value) & ~sum(known.values())
    return " | ".join([*names, *([f"reserved 0x{unnamed:02X}"] if unnamed else [])]) or "none"


def duration(seconds: float) -> str:
    """Return seconds as people say them, with the largest unit that is not below 1."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds:,.0f} s ({seconds / size:.1f} {unit})"
    return f"{seconds:g} s"


_NAMES: Final = {one.identifier: one.name for one in PACKAGES}


def _groups(mask: int, _: Any) -> str:
    numbers = [str(bit) for bit in range(mask.bit_length()) if mask >> bit & 1]
    return f"group {', '.join(numbers)}" if numbers else "none"


def _time(value: int, _: Any) -> str:
    return utc_text(value)


def _reboot_time(value: int, _: Any) -> str:
    special = {0: "now", 0xFFFFFFFF: "cancel"}
    return special.get(value) or utc_text(value)


def _special_duration(zero: str, all_ones: int, name: str) -> Callable[[int, Any], str]:
    def words(value: int, _: Any) -> str:
        return {0: zero, all_ones: name}.get(value) or duration(value)

    return words


def _package(value: int, _: Any) -> str:
    return _NAMES.get(value, "no such package")


def _to_start(value: int, message: Any) -> str:
    late = value == 0xFFFFFF and "0xFFFFFF" in type(message).KINDS["time_to_start"].doc
    return "the device's clock is off" if late else duration(value)


def _padding(padding: int, setup: Any) -> str:
    size = setup.nb_frag * setup.frag_size - padding
    return f"so the block has {count(size, 'octet')}" if size > 0 else ""


def _block_ack_delay(value: int, _: Any) -> str:
    return f"up to {duration(1 << value + 4)}"


def _megahertz(value: int, _: Any) -> str:
    return f"{value / 1e6:g} MHz" if value else ""


_RULES: Final[Mapping[str, Callable[[Any, Any], str]]] = {
    "device_time": _time,
    "session_time": _time,
    "AppTimeAns.time_correction": lambda value, _: duration(value),
    "DeviceAppTimePeriodicityReq.period": lambda value, _: duration(128 << value),
    "mc_group_bit_mask": _groups,
    "req_group_mask": _groups,
    "ans_group_mask": _groups,
    "block_ack_delay": _block_ack_delay,
    "padding": _padding,
    "missing_frag": lambda value, _: "255 or more" if value == 255 else "",
    "McClassCSessionReq.time_out": lambda value, _: duration(1 << value),
    "McClassBSessionReq.time_out": lambda value, _: duration(128 << value),
    "periodicity": lambda value, _: f"a ping slot every {0.96 * (1 << value):g} s",
    "dl_freq_hz": _megahertz,
    **{f"freq_{i}_hz": _megahertz for i in range(1, 6)},
    "JoinAccept.rx_delay": lambda value, _: duration(value or 1),
    "time_to_start": _to_start,
    "package_identifier": _package,
    "DevRebootTimeReq.reboot_time": _reboot_time,
    "DevRebootTimeAns.reboot_time": _special_duration("cannot", 0xFFFFFFFF, "cancelled"),
    "DevRebootCountdownReq.countdown": _special_duration("now", 0xFFFFFF, "cancel"),
    "DevRebootCountdownAns.countdown": _special_duration("cannot", 0xFFFFFF, "cancelled"),
}
"""By field, or by message and field where a name means different things."""
