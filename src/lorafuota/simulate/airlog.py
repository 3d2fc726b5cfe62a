"""What the server put on the air, in a file, so that a simulated fleet survives the process.

A fleet is a function of its plan and of the downlinks between its steps (:mod:`.fleet`).  The log
holds these downlinks, each with the number of steps before it; replaying them over a fresh fleet
gives the fleet as it was.  A line is written after the campaign's commit and before the downlink
has any effect: a process that is killed loses a downlink at most, as a server that crashes does,
or hears an uplink twice, as networks may let it.

The log is for simulations.  A real fleet keeps its own state.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing
from typing import IO, Any, Final, Self, TypeAlias, final

from ..campaign.actions import Multicast, Unicast, WindowAnnounced
from ..errors import FuotaError
from ..types import DevAddr, DevEUI
from ..wire import JSON

__all__ = ["AirLog", "AirLogError", "Entry", "Pause", "Sent"]


class AirLogError(FuotaError):
    """The log does not belong to the campaign, or is damaged before its end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """Nothing was sent: an orderly end of a process."""


Sent: TypeAlias = Unicast | Multicast | WindowAnnounced | Pause
_KINDS: Final = {kind.__name__: kind for kind in (Unicast, Multicast, WindowAnnounced, Pause)}
_LONGEST_TIME: Final = 1 << 53


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One downlink, or the window for some."""

    events: int
    """Steps of the fleet before it."""
    now: float
    """The campaign's time, GPS seconds."""
    sent: Sent


@final
class AirLog:
    """The log in a file; or, without a file, a log that nobody keeps."""

    def __init__(self, path: pathlib.Path | None = None) -> None:
        """Open the log, or begin one.

        Raises:
            AirLogError: The file is no such log, or is damaged before its end.
            OSError: It cannot be opened.
        """
        self._file: IO[bytes] | None = None
        self.entries: list[Entry] = []
        """What was there when it was opened."""
        if path is None:
            return
        file = open(path, "a+b")  # noqa: SIM115  closed by close()
        try:
            file.seek(0)
            *lines, tail = file.read().split(b"\n")
            self.entries = [_read(line, path, number) for number, line in enumerate(lines, 1)]
            file.truncate(file.tell() - len(tail))  # a line that was cut has had no effect
        except BaseException:
            file.close()
            raise
        self._file = file

    def write(self, entry: Entry) -> None:
        """Append one entry; a process killed afterwards has written it."""
        if self._file is not None:
            self._file.write(_line(entry))
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _line(entry: Entry) -> bytes:
    fields: dict[str, JSON] = {}
    for field in dataclasses.fields(entry.sent):
        value = getattr(entry.sent, field.name)
        fields[field.name] = value.hex() if isinstance(value, bytes) else value
    return json.dumps([entry.events, entry.now, type(entry.sent).__name__, fields]).encode() + b"\n"


def _read(line: bytes, path: pathlib.Path, number: int) -> Entry:
    try:
        events, now, name, fields = json.loads(line)
        kind = _KINDS[name]
        hints = typing.get_type_hints(kind)
        values = {field: _value(hints[field], value) for field, value in fields.items()}
        sent: Sent = kind(**values)
        return Entry(_value(int, events), _value(float, now), sent)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise AirLogError(f"{path} is damaged in line {number}") from error


def _value(kind: type, value: Any) -> Any:
    """Return what stands for a value of that kind; TypeError or ValueError for others."""
    if kind is bytes and isinstance(value, str):
        return bytes.fromhex(value)
    if kind in (DevAddr, DevEUI) and type(value) is int:
        return kind(value)
    if kind is float and type(value) in (int, float) and abs(value) < _LONGEST_TIME:
        return float(value)
    if kind is not float and type(value) is kind:
        return value
    raise TypeError
