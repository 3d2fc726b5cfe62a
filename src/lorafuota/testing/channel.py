"""A channel that misbehaves, put together from effects; seeded, and without Hypothesis.

>>> import random
>>> from lorafuota.losses import Losses
>>> from lorafuota.testing.channel import Channel, Corrupt, Loss, Repeat
>>> channel = Channel(Loss(Losses.bursty(0.3, burst=3)), Repeat(0.2), chance=random.Random(1))
>>> channel.through([b"1", b"2", b"3", b"4", b"5", b"6"])
[b'3', b'4', b'5', b'6', b'6']

A channel carries one message at a time, and remembers what it has to: whether a burst is on, what
was sent before.  Each effect draws from a generator of its own, so that another effect beside it
does not change what it does.  Two directions, or two devices, are two channels.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol, final

from ..errors import FieldError
from ..losses import LossModel
from ..losses.bits import draw_share
from ..types import BytesLike

__all__ = [
    "Arrival",
    "Channel",
    "Corrupt",
    "Cut",
    "Delay",
    "Effect",
    "Loss",
    "Path",
    "Reorder",
    "Repeat",
]

_AHEAD: Final = 1 << 10
"""Losses drawn at once."""


class Arrival(NamedTuple):
    """A message at the other end."""

    time: float
    """In the sender's seconds."""
    payload: bytes


class Path(Protocol):
    """What one channel does to message after message; any function of that shape will do."""

    def __call__(self, arrival: Arrival, /) -> list[Arrival]:
        """Return what becomes of one message: nothing, itself, something else, several."""
        raise NotImplementedError


class Effect(Protocol):
    """Something a channel does to messages.  Effects of your own are immutable, too."""

    def start(self, chance: random.Random, /) -> Path:
        """Return what one channel does to message after message.

        Args:
            chance: Where everything random comes from; belongs to this effect of this channel.
        """
        raise NotImplementedError


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Loss:
    """Messages get lost.

    Attributes:
        model: The share lost, 0 to 1, each message by itself; or a model of losses, such as
            :meth:`lorafuota.losses.Losses.bursty`, which is asked for 1024 messages at a time.
    """

    model: float | LossModel

    def __post_init__(self) -> None:
        """Check the share.

        Raises:
            FieldError: It is out of range.
        """
        if isinstance(self.model, int | float):
            _check_share("Loss", self.model, field="model")

    def start(self, chance: random.Random, /) -> Path:
        """See :class:`Effect`."""
        given = self.model
        lost = left = 0

        def path(arrival: Arrival) -> list[Arrival]:
            nonlocal lost, left
            if not left:
                if isinstance(given, int | float):
                    lost = draw_share(given, _AHEAD, chance)
                else:
                    lost = given.lost(_AHEAD, chance)
                left = _AHEAD
            now, lost, left = lost & 1, lost >> 1, left - 1
            return [] if now else [arrival]

        return path


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Delay:
    """Every message takes time; none overtakes another.

    Attributes:
        shortest: Seconds, 0 or more.
        longest: Seconds; the same as *shortest* if not given.
    """

    shortest: float
    longest: float | None = None

    def __post_init__(self) -> None:
        """Check the seconds.

        Raises:
            FieldError: They are negative, infinite or the wrong way round.
        """
        _check_seconds("Delay", "shortest", self.shortest, 0)
        if self.longest is not None:
            _check_seconds("Delay", "longest", self.longest, self.shortest)

    def start(self, chance: random.Random, /) -> Path:
        """See :class:`Effect`."""
        longest = self.shortest if self.longest is None else self.longest
        last = -math.inf

        def path(arrival: Arrival) -> list[Arrival]:
            nonlocal last
            last = max(last, arrival.time + chance.uniform(self.shortest, longest))
            return [Arrival(last, arrival.payload)]

        return path


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Reorder:
    """Some messages are held back, and others overtake them.

    Attributes:
        share: Of the messages held back, 0 to 1.
        longest: Seconds they are held back, at most.
    """

    share: float
    longest: float

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        _check_share("Reorder", self.share)
        _check_seconds("Reorder", "longest", self.longest, 0)

    def start(self, chance: random.Random, /) -> Path:
        """See :class:`Effect`."""

        def path(arrival: Arrival) -> list[Arrival]:
            if chance.random() >= self.share:
                return [arrival]
            return [Arrival(arrival.time + chance.uniform(0, self.longest), arrival.payload)]

        return path


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Repeat:
    """Some messages arrive again.

    Attributes:
        share: Of the messages repeated, 0 to 1.
        copies: How often they arrive again, at most; 1 or more.
        longest: Seconds until the last copy, at most.
    """

    share: float
    copies: int = 1
    longest: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        _check_share("Repeat", self.share)
        if self.copies < 1:
            raise FieldError("Repeat", "copies", self.copies, "1 or more")
        _check_seconds("Repeat", "longest", self.longest, 0)

    def start(self, chance: random.Random, /) -> Path:
        """See :class:`Effect`."""

        def path(arrival: Arrival) -> list[Arrival]:
            if chance.random() >= self.share:
                return [arrival]
            late = [chance.uniform(0, self.longest) for _ in range(chance.randint(1, self.copies))]
            return [arrival, *(Arrival(arrival.time + one, arrival.payload) for one in late)]

        return path


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Corrupt:
    """Bits of some messages flip.

    Attributes:
        share: Of the messages damaged, 0 to 1.
        bits: How many bits of one flip, at most; at least one does.
    """

    share: float
    bits: int = 1

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        _check_share("Corrupt", self.share)
        if self.bits < 1:
            raise FieldError("Corrupt", "bits", self.bits, "1 or more")

    def start(self, chance: random.Random, /) -> Path:
        """See :class:`Effect`."""

        def path(arrival: Arrival) -> list[Arrival]:
            octets = bytearray(arrival.payload)
            if chance.random() >= self.share or not octets:
                return [arrival]
            for bit in chance.sample(
                range(8 * len(octets)), chance.randint(1, min(self.bits, 8 * len(octets)))
            ):
                octets[bit // 8] ^= 1 << bit % 8
            return [Arrival(arrival.time, bytes(octets))]

        return path


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Cut:
    """Some messages end too early, perhaps before they begin.

    Attributes:
        share: Of the messages cut, 0 to 1.
    """

    share: float

    def __post_init__(self) -> None:
        """Check the share.

        Raises:
            FieldError: It is out of range.
        """
        _check_share("Cut", self.share)

    def start(self, chance: random.Random, /) -> Path:
        """See :class:`Effect`."""

        def path(arrival: Arrival) -> list[Arrival]:
            if chance.random() >= self.share or not arrival.payload:
                return [arrival]
            size = chance.randrange(len(arrival.payload))
            return [Arrival(arrival.time, arrival.payload[:size])]

        return path


@final
class Channel:
    """One way, for one receiver: effects, one after the other.

    Attributes:
        effects: What it does to each message, in this order.
    """

    def __init__(self, *effects: Effect, chance: random.Random | None = None) -> None:
        """Put a channel together; without effects it is perfect.

        The order tells: a message repeated first and then lost is lost copy by copy.

        Args:
            *effects: What happens to messages, in this order.
            chance: Where everything random comes from, asked only now: a number for each effect.
                ``random.Random(0)`` if not given.
        """
        chance = random.Random(0) if chance is None else chance
        self.effects = effects
        self._paths = [one.start(random.Random(chance.getrandbits(64))) for one in effects]

    def __repr__(self) -> str:
        return f"Channel({', '.join(map(repr, self.effects))})"

    def send(self, payload: BytesLike, *, now: float) -> list[Arrival]:
        """Send one message; return what arrives of it, earliest first.

        Args:
            payload: The octets.
            now: The sender's seconds.
        """
        arrivals = [Arrival(now, bytes(payload))]
        for path in self._paths:
            arrivals = [one for arrival in arrivals for one in path(arrival)]
        return sorted(arrivals, key=lambda one: one.time)

    def through(
        self, payloads: Iterable[BytesLike], *, start: float = 0.0, spacing: float = 1.0
    ) -> list[bytes]:
        """Send messages one after the other; return what arrives, in the order it does.

        Args:
            payloads: The messages.
            start: When the first is sent.
            spacing: Seconds between them.
        """
        arrivals = [
            arrival
            for place, payload in enumerate(payloads)
            for arrival in self.send(payload, now=start + place * spacing)
        ]
        return [one.payload for one in sorted(arrivals, key=lambda one: one.time)]


def _check_share(effect: str, share: float, field: str = "share") -> None:
    if not 0 <= share <= 1:
        raise FieldError(effect, field, share, "0 to 1")


def _check_seconds(effect: str, field: str, seconds: float, least: float) -> None:
    if not least <= seconds < math.inf:
        raise FieldError(effect, field, seconds, f"{least:g} seconds or more")
