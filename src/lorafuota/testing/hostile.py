"""Payloads near valid ones, and what was done to which message.

>>> from hypothesis import find
>>> from lorafuota import DOWNLINK, package
>>> from lorafuota.testing.hostile import Harm, hostile
>>> find(hostile(package("fragmentation", 2), DOWNLINK, harms=[Harm.VALUE]), lambda one: True)
Hostile(080000: VALUE n is 0 in DataFragment(n=1, frag_index=0, payload=b''))
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Collection
from typing import Any, Final, TypeAlias

from .._kinds import Int, Rest
from ..errors import FieldError
from ..package import MAX_PAYLOAD, Package
from ..types import DOWNLINK, UPLINK, Direction
from ..wire import Command, Repeat, Run
from ._anatomy import reserved_bits, slices, with_bits
from ._arguments import require_members, require_travel
from ._values import edges, filled
from .strategies import payloads

try:
    from hypothesis import assume
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover  the tests have it
    raise ImportError(
        "lorafuota.testing needs Hypothesis: pip install lorafuota[testing]"
    ) from error

__all__ = ["Harm", "Hostile", "hostile"]

_SHOWN: Final = 24
"""Octets of a payload that its repr shows."""


class Harm(enum.Enum):
    """What was done to a valid payload."""

    TRUNCATED = "octets are missing at the end"
    EXTENDED = "octets follow that belong to no command"
    UNKNOWN = "an identifier nobody defined stands before, between or behind the commands"
    RESERVED = "reserved bits are set"
    FLIPPED = "bits are flipped"
    VALUE = "a field holds what the document excludes"
    COUNT = "a count or a mask announces other records than follow"
    LENGTH = "it is longer than any frame"
    DIRECTION = "it travels the wrong way"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Hostile:
    """A payload that a receiver has to survive.

    Attributes:
        payload: The octets.
        harm: What was done.
        detail: Where, in words.
        commands: The valid commands it was made from, in order.  After ``RESERVED`` a lenient
            reader still finds exactly these; only the error masks of McClassCSessionAns and
            McClassBSessionAns show it their reserved bits.
        direction: The way it travels.  After ``DIRECTION`` the commands are of the other.
    """

    payload: bytes
    harm: Harm
    detail: str
    commands: tuple[Command, ...]
    direction: Direction

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Have Hypothesis print it as ``repr`` does."""
        printer.text(repr(self))

    def __repr__(self) -> str:
        made_from = " + ".join(repr(one) for one in self.commands)
        shown = self.payload[:_SHOWN].hex() + "..." * (len(self.payload) > _SHOWN)
        return f"Hostile({shown}: {self.harm.name} {self.detail} in {made_from})"


def hostile(
    package: Package, direction: Direction, *, harms: Collection[Harm] = tuple(Harm)
) -> st.SearchStrategy[Hostile]:
    """Payloads near valid ones of *package*, each with one kind of harm done to it.

    With flipped bits, or travelling the wrong way, a payload may be a valid one of other content.
    In every other a strict reader finds something wrong.

    Args:
        package: Whose commands it is made from.
        direction: The way it travels.
        harms: Which kinds of harm.  Those that this package has no message for are left out: no
            downlink has a count, for instance.

    Raises:
        FieldError: An argument is of another type, or no harm is left.
    """
    require_travel("hostile", package, direction)
    require_members("hostile", "harms", harms, Harm, "some of Harm")
    found = [_harmed(package, direction, harm) for harm in Harm if harm in harms]
    possible = [one for one in found if one is not None]
    if not possible:
        expected = f"harm that suits a {direction.value} of {package}"
        raise FieldError("hostile", "harms", list(harms), expected)
    return st.one_of(possible)


def _harmed(
    package: Package, direction: Direction, harm: Harm
) -> st.SearchStrategy[Hostile] | None:
    if harm is Harm.DIRECTION:
        return _wrong_way(package, direction)
    if harm is Harm.UNKNOWN:
        return _with_unknown(package, direction)
    suits, do = _WAYS[harm]
    classes = [cls for cls in package.commands if cls.DIRECTION is direction and suits(cls)]
    if not classes:
        return None

    @st.composite
    def draw_hostile(draw: st.DrawFn) -> Hostile:
        message: Command = draw(st.one_of([filled(cls, {}) for cls in classes]))
        payload, detail = do(draw, package, message)
        return Hostile(payload, harm, detail, (message,), direction)

    return draw_hostile()


@st.composite
def _wrong_way(draw: st.DrawFn, package: Package, direction: Direction) -> Hostile:
    other = UPLINK if direction is DOWNLINK else DOWNLINK
    commands = draw(payloads(package, other))
    detail = f"sent as {direction.value}"
    return Hostile(package.join(commands), Harm.DIRECTION, detail, tuple(commands), direction)


@st.composite
def _with_unknown(draw: st.DrawFn, package: Package, direction: Direction) -> Hostile:
    commands = draw(payloads(package, direction, max_size=3, max_octets=MAX_PAYLOAD - 8))
    last = len(commands) if _ends(type(commands[-1])) else len(commands) - 1
    at = draw(st.integers(0, last))
    stranger = draw(_strangers(package, direction, 8))
    pieces = [one.encode() for one in commands]
    payload = b"".join([*pieces[:at], stranger, *pieces[at:]])
    detail = f"0x{stranger[0]:02X} before command {at + 1}" if at < len(pieces) else "at the end"
    return Hostile(payload, Harm.UNKNOWN, detail, tuple(commands), direction)


def _strangers(package: Package, direction: Direction, most: int) -> st.SearchStrategy[bytes]:
    """Octets of which the first is no identifier of the package in that direction."""
    unknown = [cid for cid in range(256) if package.find(direction, cid) is None]
    return st.builds(
        lambda cid, tail: bytes((cid,)) + tail,
        st.sampled_from(unknown),
        st.binary(max_size=most - 1),
    )


# Which commands a harm can be done to, and how


Suits: TypeAlias = Callable[[type[Command]], bool]
Done: TypeAlias = tuple[bytes, str]
"""The octets, and in words where they are not as they were."""
Do: TypeAlias = Callable[[st.DrawFn, Package, Command], Done]


def _ends(cls: type[Command]) -> bool:
    """Whether the command ends by itself, and not with the payload."""
    return not any(isinstance(getattr(one, "inner", one), Rest) for one in cls.KINDS.values())


def _truncate(draw: st.DrawFn, package: Package, message: Command) -> Done:
    octets = message.encode()
    # what takes all the rest of a payload is complete with less of it, too
    complete = len(octets) if _ends(type(message)) else 1 + message.SHORTEST
    size = draw(st.integers(1, complete - 1))
    return octets[:size], f"to {size} of {len(octets)} octets"


def _extend(draw: st.DrawFn, package: Package, message: Command) -> Done:
    junk = draw(_strangers(package, message.DIRECTION, 16))
    return message.encode() + junk, f"by {len(junk)} octets"


def _set_reserved(draw: st.DrawFn, package: Package, message: Command) -> Done:
    octets = message.encode()
    bits = draw(st.sets(st.sampled_from(reserved_bits(message)), min_size=1))
    return _flipped(octets, bits), _places(bits)


def _flip(draw: st.DrawFn, package: Package, message: Command) -> Done:
    octets = message.encode()
    bits = draw(st.sets(st.integers(0, 8 * len(octets) - 1), min_size=1, max_size=8))
    return _flipped(octets, bits), _places(bits)


def _exclude(draw: st.DrawFn, package: Package, message: Command) -> Done:
    one = draw(st.sampled_from([one for one in slices(message) if _excluded(one.kind)]))
    raw = draw(st.sampled_from(_excluded(one.kind)))
    return with_bits(message.encode(), one.bit, one.kind.bits, raw), f"{one.field} is {raw}"


def _miscount(draw: st.DrawFn, package: Package, message: Command) -> Done:
    [one] = [one for one in slices(message) if one.counts]
    [repeat] = [kind for kind in message.KINDS.values() if isinstance(kind, Repeat)]
    there = len(repeat.keys(getattr(message, one.field)))
    more = [raw for raw in range(one.kind.mask + 1) if len(repeat.keys(raw)) > there]
    assume(more)
    raw = draw(st.sampled_from(more))
    detail = f"{one.field} announces {len(repeat.keys(raw))} records of {there}"
    return with_bits(message.encode(), one.bit, one.kind.bits, raw), detail


def _lengthen(draw: st.DrawFn, package: Package, message: Command) -> Done:
    octets = message.encode()
    size = draw(st.sampled_from([MAX_PAYLOAD + 1, 255, 256, 512]))
    return (octets * size)[:size], f"{size} octets"


_WAYS: Final[dict[Harm, tuple[Suits, Do]]] = {
    Harm.TRUNCATED: (lambda cls: cls.SHORTEST > 0, _truncate),
    Harm.EXTENDED: (_ends, _extend),
    Harm.RESERVED: (
        lambda cls: any(
            isinstance(one, Run) and one.reserved and not one.condition for one in cls.STEPS
        ),
        _set_reserved,
    ),
    Harm.FLIPPED: (lambda cls: True, _flip),
    Harm.VALUE: (
        lambda cls: any(isinstance(one, Int) and _excluded(one) for one in cls.KINDS.values()),
        _exclude,
    ),
    Harm.COUNT: (
        lambda cls: any(isinstance(one, Repeat) for one in cls.KINDS.values()),
        _miscount,
    ),
    Harm.LENGTH: (lambda cls: True, _lengthen),
}


def _excluded(kind: Int) -> list[int]:
    """Numbers that can travel in a field and have no meaning there, at the edges of those."""
    found = []
    for raw in edges(0, kind.mask) if kind.bits > 8 else range(kind.mask + 1):
        try:
            value = kind.value(raw)
        except ValueError:
            found.append(raw)
            continue
        if kind.expects(value, None) is not None:
            found.append(raw)
    return found


def _flipped(octets: bytes, bits: Collection[int]) -> bytes:
    word = int.from_bytes(octets, "little")
    for bit in bits:
        word ^= 1 << bit
    return word.to_bytes(len(octets), "little")


def _places(bits: Collection[int]) -> str:
    return ", ".join(f"bit {bit % 8} of octet {bit // 8}" for bit in sorted(bits))
