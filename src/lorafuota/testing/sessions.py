"""Strategies for whole fragmentation sessions, and for the channels they go through.

>>> from hypothesis import find
>>> from lorafuota.testing.sessions import sessions
>>> session = find(sessions(2), lambda one: one.arrivals.enough and one.block.nb_frag > 1)
>>> session
Session(fragmentation/2, M = 2 of 1 octets, padding 0, NONE: 1-11, enough)
>>> len(session.payloads), session.payloads[1].hex()
(12, '08010000')
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Collection
from typing import Any, Final, TypeAlias, cast

from ..datablock import MAX_NB_FRAG, DataBlock
from ..errors import FieldError, require_int
from ..fragmentation.v1 import DataFragment
from ..losses import Losses
from ..session.fragmentation import FragServer, SetupReq
from ..session.profile import FragProfile, frag_profile
from ..types import AppKey, GenAppKey, require_key
from ._arguments import require, require_number
from ._values import numbers
from .arrivals import Arrivals, Pattern, arrivals, check_patterns
from .blocks import blocks
from .channel import Channel, Corrupt, Cut, Delay, Effect, Loss, Reorder, Repeat
from .strategies import keys

try:
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover  the tests have it
    raise ImportError(
        "lorafuota.testing needs Hypothesis: pip install lorafuota[testing]"
    ) from error

__all__ = ["Session", "channels", "sessions"]

RootKey: TypeAlias = GenAppKey | AppKey

_HIGHEST: Final = {
    "frag_index": 3,
    "mc_group_bit_mask": 15,
    "block_ack_delay": 7,
    "session_cnt": 0xFFFF,
}
"""Of the numbers in a set-up that may be chosen."""


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Session:
    """A set-up, and the fragments that arrive after it.

    Attributes:
        profile: The version both ends speak.
        block: What is delivered.
        setup_req: What opens the session; signed with *root_key* in version 2.
        arrivals: The fragments that arrive, and whether they are enough.
        root_key: The device's.
    """

    profile: FragProfile
    block: DataBlock
    setup_req: SetupReq
    arrivals: Arrivals
    root_key: RootKey

    @property
    def payloads(self) -> tuple[bytes, ...]:
        """What a device receives on the port of the package: the set-up, then the fragments."""
        encoder = self.block.encoder(self.profile.parity)
        index, numbers = self.setup_req.frag_index, self.arrivals.numbers
        fragments = (
            DataFragment(n=n, frag_index=index, payload=payload)
            for n, payload in zip(numbers, encoder.fragments(numbers), strict=True)
        )
        return (self.setup_req.encode(), *(one.encode() for one in fragments))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Have Hypothesis print it as ``repr`` does."""
        printer.text(repr(self))

    def __repr__(self) -> str:
        block = f"M = {self.block.nb_frag} of {self.block.frag_size} octets"
        came = repr(self.arrivals).removeprefix("Arrivals(").removesuffix(")")
        came = came.replace(f" of M = {self.block.nb_frag}", "")
        return f"Session({self.profile.package}, {block}, padding {self.block.padding}, {came})"


def sessions(
    version: int,
    *,
    block: DataBlock | st.SearchStrategy[DataBlock] | None = None,
    patterns: Collection[Pattern] = tuple(Pattern),
    coded: int | None = None,
    root_key: RootKey | st.SearchStrategy[RootKey] | None = None,
    **pinned: Any,
) -> st.SearchStrategy[Session]:
    """A session a server would open, and what arrives of it.

    Args:
        version: Of the package, 1 or 2; chooses the parity matrix and whether there is a MIC.
        block: What is delivered, or a strategy; small ones of up to 24 fragments if not given.
        patterns: How fragments get lost.
        coded: Coded fragments sent; as for :func:`.arrivals.arrivals` if not given.
        root_key: The device's key, or a strategy; any GenAppKey or AppKey if not given.
        **pinned: Fields of the set-up that the block does not decide, values or strategies:
            ``frag_index``, ``mc_group_bit_mask``, ``block_ack_delay``, and of version 2
            ``ack_reception`` and ``session_cnt``.

    Raises:
        FieldError: There is no such version or field, a number is out of range, or an argument or
            the key is of another class; of what a strategy gives, when it is drawn.
    """
    profile = frag_profile(version)
    check_patterns("sessions", patterns)
    if coded is not None:
        require_int("sessions", "coded", coded, 0, MAX_NB_FRAG - 1)
    if block is not None:
        require(
            "sessions", "block", block, DataBlock | st.SearchStrategy, "a DataBlock or a strategy"
        )
    free: dict[str, st.SearchStrategy[Any]] = {
        "frag_index": st.integers(0, 3),
        "mc_group_bit_mask": st.just(0) | st.integers(0, 15),
        "block_ack_delay": st.integers(0, 7),
    }
    if profile.has_mic:
        free |= {"ack_reception": st.booleans(), "session_cnt": numbers(0, 0xFFFF)}
    for field, value in pinned.items():
        if field not in free:
            raise FieldError("sessions", "pinned", field, f"one of {', '.join(free)}")
        if isinstance(value, st.SearchStrategy):
            free[field] = value
            continue
        if field in _HIGHEST:
            require_int("sessions", field, value, 0, _HIGHEST[field])
        else:
            require("sessions", field, value, bool, "a bool")
        free[field] = st.just(value)
    made = blocks(max_nb_frag=24) if block is None else block
    roots = root_key
    if roots is None:
        roots = cast("st.SearchStrategy[RootKey]", st.one_of(keys(GenAppKey), keys(AppKey)))
    elif not isinstance(roots, st.SearchStrategy):
        require_key("sessions", "root_key", roots, GenAppKey, AppKey)

    @st.composite
    def draw_session(draw: st.DrawFn) -> Session:
        one = draw(made) if isinstance(made, st.SearchStrategy) else made
        root = draw(roots) if isinstance(roots, st.SearchStrategy) else roots
        fields = {field: draw(value) for field, value in free.items()}
        server = FragServer(profile, one, root_key=root, **fields)
        came = draw(arrivals(one.nb_frag, profile.parity, coded=coded, patterns=patterns))
        return Session(profile, one, server.setup_req, came, root)

    return draw_session()


_EFFECTS: Final = (Loss, Delay, Reorder, Repeat, Corrupt, Cut)
_NAMES: Final = ", ".join(one.__name__ for one in _EFFECTS)


def channels(
    effects: Collection[type[Effect]] = _EFFECTS, *, longest: float = 30.0
) -> st.SearchStrategy[Channel]:
    """Channels that misbehave; the simplest is perfect.

    Args:
        effects: What may happen: any of :class:`.channel.Loss` (in bursts, too), ``Delay``,
            ``Reorder``, ``Repeat``, ``Corrupt`` and ``Cut``.
        longest: Seconds one effect delays a message, at most.

    Raises:
        FieldError: There is another effect, or none, or *longest* is no number of
            seconds.
    """
    require_number("channels", "longest", longest, (int, float), 1e-6, "seconds, 1e-6 or more")
    if not isinstance(effects, Collection):
        raise FieldError("channels", "effects", effects, f"some of {_NAMES}")
    wanted = [one for one in _EFFECTS if one in effects]
    if len(wanted) != len(effects) or not wanted:
        raise FieldError("channels", "effects", list(effects), f"some of {_NAMES}")
    shares = st.sampled_from([0.1, 0.3, 0.5, 0.9])
    seconds = st.sampled_from([longest / 30, longest / 3, longest])
    runs = st.builds(
        Losses.bursty, st.sampled_from([0.1, 0.3, 0.5]), burst=st.sampled_from([2, 5, 20])
    )
    made: dict[type[Effect], st.SearchStrategy[Effect]] = {
        Loss: st.builds(Loss, shares | runs),
        Delay: st.builds(Delay, st.just(0.0), seconds),
        Reorder: st.builds(Reorder, shares, seconds),
        Repeat: st.builds(Repeat, shares, st.integers(1, 3), seconds),
        Corrupt: st.builds(Corrupt, shares, st.integers(1, 8)),
        Cut: st.builds(Cut, shares),
    }

    @st.composite
    def draw_channel(draw: st.DrawFn) -> Channel:
        chosen = [draw(made[one]) for one in wanted if draw(st.booleans())]
        chance = st.builds(random.Random, st.integers(0, 255))
        return draw(st.builds(Channel, *map(st.just, chosen), chance=chance))

    return draw_channel()
