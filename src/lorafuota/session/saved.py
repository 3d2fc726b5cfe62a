"""What a device must not lose in a reset: a flat dict of named entries, none of them a secret.

Every :class:`lorafuota.session.actions.Store` (and ``StoreSessionCnt``) is one entry; :func:`keep`
puts it into the dict.  ``FuotaDevice.export`` returns the same dict at one go, and
``FuotaDevice.restore`` takes either.  Most entries are the octets of the command that made them, so
there is nothing to convert and little that can be wrong:

    group/0         McGroupSetupReq in hex; the key in it is wrapped by McKEKey, as it was on air
    fcnt/0          the highest multicast counter that may have been accepted
    former/0        digest and last counter of the group this McGroupID held before
    window/0        the session request of an announced window, in hex
    listened/0      seconds of receive time the session of that window has used or set aside; with
                    max_session_seconds only
    listened        receive time of the last 24 hours: the owner's seconds, then for each span its
                    seconds and how long ago it ended, negative for what is set aside; with
                    max_daily_seconds only
    setup/1         the set-up of a fragmentation session, in hex
    end/1           how that session ended: done, failed or aborted; rebuilding with a decoder/1
                    that is complete
    session_cnt/1   the last SessionCnt used
    report/1        FragDataBlockReceivedReq still to be sent about it, or "always"
    reboot          the programmed reboot: "time" and GPS seconds, or "countdown" and seconds, and
                    the firmware that ran
    period          Period of AppTimeReq, as set by the server
    decoder/1       fragments received so far (``export(progress=True)`` only)

What comes back may be damaged or forged.  It is read here, and anything that cannot be is a
FieldError; entries are not authenticated, so keep them where only the device can write.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Final, TypeAlias, TypeVar

from ..errors import Described, FieldError
from ..fec.decoder import FragDecoder
from ..fec.decoder import State as DecoderState
from ..wire import Command
from .actions import Action, Store, StoreSessionCnt
from .receivetime import DAY_SECONDS, MAX_SPANS, Span

__all__ = [
    "SavedState",
    "SavedValue",
    "keep",
    "listened_value",
    "reports_value",
    "saved_command",
    "saved_decoder",
    "saved_int",
    "saved_listened",
    "saved_mark",
    "saved_reboot",
    "saved_reports",
    "saved_word",
]

SavedValue: TypeAlias = int | str | DecoderState
SavedState: TypeAlias = dict[str, SavedValue]
"""Entries by name; JSON can hold it."""

_C = TypeVar("_C", bound=Command)
_V = TypeVar("_V")
_WHERE: Final = "saved state"
_ALWAYS: Final = "always"
_HIGHEST: Final = 0xFFFFFFFF
_REBOOT: Final = re.compile(r"(time|countdown) ([0-9]{1,10}) ([0-9]{1,10})", re.ASCII)
_MARK: Final = re.compile(r"([0-9a-f]{16}) ([0-9]{1,10})", re.ASCII)
_SPANS: Final = f"(?: [0-9]{{1,5}} -?[0-9]{{1,5}}){{1,{MAX_SPANS + 1}}}"
_LISTENED: Final = re.compile(rf"(-?[0-9]{{1,16}})({_SPANS})", re.ASCII)
_LONGEST_TIME: Final = 1 << 53  # that of lorafuota.errors.require_time


def keep(state: MutableMapping[str, SavedValue], action: Action) -> bool:
    """Put a storing action into *state*; return False, having done nothing, for any other."""
    match action:
        case Store(name=name, value=None):
            state.pop(name, None)
        case Store(name=name, value=int() | str() as value):
            state[name] = value
        case StoreSessionCnt(frag_index=index, session_cnt=count):
            state[f"session_cnt/{index}"] = count
        case _:
            return False
    return True


def saved_int(state: Mapping[str, object], name: str, lowest: int, highest: int) -> int | None:
    """Return a stored number, or None when there is no such entry.

    Raises:
        FieldError: It is no whole number in that range.
    """
    value = state.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise FieldError(_WHERE, name, value, f"int in {lowest}..{highest}")
    return value


def saved_command(state: Mapping[str, object], name: str, *kinds: type[_C]) -> _C | None:
    """Return a stored command, or None when there is no such entry.

    Raises:
        FieldError: It is not one of these commands in hex, to the bit.
    """
    value = state.get(name)
    if value is None:
        return None
    for kind in kinds:
        try:
            return kind.decode(bytes.fromhex(value if isinstance(value, str) else ""), strict=True)
        except ValueError:  # no hex, or DecodeError
            continue
    expected = f"{' or '.join(kind.__name__ for kind in kinds)} in hex"
    raise FieldError(_WHERE, name, _described(value), expected)


def saved_mark(state: Mapping[str, object], name: str, highest: int) -> tuple[str, int] | None:
    """Return a stored counter and the digest of what it belongs to, or None without an entry.

    Raises:
        FieldError: It is not a digest of 16 hex digits and a number.
    """
    value = state.get(name)
    if value is None:
        return None
    found = _MARK.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[2]) > highest:
        raise FieldError(_WHERE, name, _described(value), f"a digest and a counter to {highest}")
    return found[1], int(found[2])


def saved_reboot(state: Mapping[str, object], name: str) -> tuple[str, int, int] | None:
    """Return a stored reboot (kind, seconds, firmware), or None when there is no such entry.

    Raises:
        FieldError: It is not "time" or "countdown" and two 32-bit numbers.
    """
    value = state.get(name)
    if value is None:
        return None
    found = _REBOOT.fullmatch(value) if isinstance(value, str) else None
    if found is None or max(int(found[2]), int(found[3])) > _HIGHEST:
        raise FieldError(_WHERE, name, _described(value), "a kind of reboot and two numbers")
    return found[1], int(found[2]), int(found[3])


def saved_reports(state: Mapping[str, object], name: str) -> int | None:
    """Return how many reports are still to be sent: None without end, 0 without an entry.

    Raises:
        FieldError: It is neither 1 to 255 nor "always".
    """
    if state.get(name) == _ALWAYS:
        return None
    return saved_int(state, name, 1, 0xFF) or 0


def reports_value(left: int | None) -> int | str | None:
    """Return what :func:`saved_reports` reads."""
    return _ALWAYS if left is None else left or None


def saved_listened(state: Mapping[str, object], name: str) -> tuple[float, list[Span]] | None:
    """Return when receive time was stored, in the owner's seconds, and its spans; None without.

    Raises:
        FieldError: It is not a time and one to nine spans of at most a day, a day ago at most.
    """
    value = state.get(name)
    if value is None:
        return None
    found = _LISTENED.fullmatch(value) if isinstance(value, str) else None
    numbers = [int(one) for one in found[2].split()] if found is not None else []
    if found is None or max(map(abs, numbers)) > DAY_SECONDS:
        raise FieldError(_WHERE, name, _described(value), "a time and spans of receive time")
    return float(found[1]), [Span(*two) for two in zip(numbers[::2], numbers[1::2], strict=True)]


def listened_value(spans: Iterable[Span], *, now: float) -> str | None:
    """Return what :func:`saved_listened` reads, in whole seconds: rather too much, and too late."""
    numbers = [number for one in spans for number in (math.ceil(one.seconds), math.floor(one.ago))]
    at = min(max(math.ceil(now), -_LONGEST_TIME), _LONGEST_TIME)
    return " ".join(map(str, (at, *numbers))) if numbers else None


def saved_word(state: Mapping[str, object], name: str, words: Mapping[str, _V]) -> _V | None:
    """Return what a stored word stands for, or None when there is no such entry.

    Raises:
        FieldError: It is another word.
    """
    value = state.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in words:
        raise FieldError(_WHERE, name, _described(value), " or ".join(words))
    return words[value]


def saved_decoder(state: Mapping[str, object], name: str) -> FragDecoder | None:
    """Return a stored decoder, or None when there is no such entry.

    Raises:
        FieldError: It is not what a decoder saves.
    """
    value = state.get(name)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise FieldError(_WHERE, name, _described(value), "a saved decoder")
    return FragDecoder.restore(value)


def _described(value: object) -> object:
    size = f" of {len(value)} characters" if isinstance(value, str) else ""
    return Described(f"{type(value).__name__}{size}")
