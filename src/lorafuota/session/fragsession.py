"""One fragmentation session of a device: what it has seen, and what it tells of it (TS004).

    ready --fragment--> receiving --rank M--> rebuilding --tick--> done (block good),
                            |                                      or failed (another MIC)
                            |--more lost than max_lost--> aborted

What the status answer tells is a matter of the profile: the documents count one way, the stacks in
the field in half a dozen others.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from ..datablock import MAX_NB_FRAG
from ..fec.decoder import FragDecoder
from ..fragmentation import v1, v2
from ..wire import Command
from .actions import DropReason
from .dialects import LongAbsentStatusAns
from .profile import Count, FragProfile, Missing, Order

__all__ = [
    "Figures",
    "FragSession",
    "FragState",
    "SetupReq",
    "StatusAns",
    "absent_status",
    "status_ans",
]

SetupReq: TypeAlias = v1.FragSessionSetupReq | v2.FragSessionSetupReq
StatusAns: TypeAlias = v1.FragSessionStatusAns | v2.FragSessionStatusAns

_MAX_FIELD: Final = 255


class FragState(enum.Enum):
    """Where one session stands."""

    READY = "ready"
    RECEIVING = "receiving"
    REBUILDING = "rebuilding"
    """All that is needed is there; the next tick rebuilds the block and looks at its MIC."""
    DONE = "done"
    FAILED = "failed"
    """Complete with another MIC."""
    ABORTED = "aborted"
    """More was lost than the device can make good."""


FRAG_TRANSITIONS: Final[Mapping[FragState, frozenset[FragState]]] = MappingProxyType(
    {
        FragState.READY: frozenset({FragState.RECEIVING, FragState.ABORTED}),
        FragState.RECEIVING: frozenset({FragState.REBUILDING, FragState.ABORTED}),
        FragState.REBUILDING: frozenset({FragState.DONE, FragState.FAILED}),
        FragState.DONE: frozenset(),
        FragState.FAILED: frozenset(),
        FragState.ABORTED: frozenset(),
    }
)
"""Where each state can lead; a set-up or a delete puts another session, or none, in its place."""

_TAKES_FRAGMENTS: Final = (FragState.READY, FragState.RECEIVING)


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """What a status answer tells."""

    nb_frag_received: int
    missing_frag: int
    memory_error: bool


@dataclasses.dataclass(slots=True)
class FragSession:
    """One session, as plain data."""

    setup: SetupReq
    decoder: FragDecoder | None
    """None for a session that ended before a reset: its block is with the owner."""
    state: FragState = FragState.READY
    reports_left: int | None = 0
    """Reports still to be sent; None for any number."""
    reports_stored: int | str | None = None
    """The same, as it was stored last."""
    reported: bool = False
    next_report: float | None = None
    last_n: int = 0
    """Number of the last fragment taken."""
    highest_plain: int = 0
    """Highest plain fragment seen; NbFrag once a coded one was."""
    out_of_memory: bool = False
    full_since: float = -math.inf
    """When the fragment came that was enough; minus infinity if that was before a reset."""
    asked: tuple[v1.FragSessionStatusReq, bool] | None = None
    """A status request that waits for the block to be rebuilt, and whether it came by multicast."""

    @property
    def ended(self) -> bool:
        """Whether it is known what became of it."""
        return self.state in (FragState.DONE, FragState.FAILED, FragState.ABORTED)

    @property
    def full(self) -> bool:
        """Whether no fragment can change it any more."""
        return self.state not in _TAKES_FRAGMENTS

    def note(self, n: int) -> None:
        """Remember that fragment *n* was taken."""
        self.last_n = n
        self.highest_plain = max(self.highest_plain, min(n, self.setup.nb_frag))

    def refuses(self, n: int, octets: int, order: Order) -> DropReason | None:
        """Say why a fragment is ignored, in the order the text makes the checks."""
        if self.state not in _TAKES_FRAGMENTS:
            aborted = self.state is FragState.ABORTED
            return DropReason.ABORTED if aborted else DropReason.COMPLETE
        if octets != self.setup.frag_size:
            return DropReason.LENGTH
        if order is Order.ANY:
            return None
        late = n < self.highest_plain if order is Order.PLAIN_ASCENDING else n <= self.last_n
        return DropReason.ORDER if late else None

    def figures(self, profile: FragProfile, *, memory_error: bool) -> Figures:
        """Return what the status tells.

        Args:
            profile: How it counts.
            memory_error: The bit of an earlier session, for stacks that do not clear it.
        """
        memory = self.out_of_memory or memory_error
        if self.decoder is None:  # ended before a reset
            missing = 0 if self.state is not FragState.ABORTED else self.setup.nb_frag
            return Figures(self.setup.nb_frag - missing, min(missing, _MAX_FIELD), memory)
        received = min(self._received(self.decoder, profile.count), MAX_NB_FRAG)
        most = MAX_NB_FRAG if profile.missing_truncated else _MAX_FIELD
        missing = min(self._missing(self.decoder, profile, received, most), most) & 0xFF
        return Figures(received, missing, memory)

    def _lost(self, decoder: FragDecoder) -> int:
        """Plain fragments that were passed over, repaired or not."""
        return self.highest_plain - decoder.received.count()

    def _received(self, decoder: FragDecoder, count: Count) -> int:
        match count:
            case Count.ALL:
                return decoder.nb_frag_received
            case Count.DISTINCT:
                return max(decoder.nb_frag_received - decoder.repeats - decoder.conflicts, 0)
            case Count.LAST_N:
                return self.last_n
            case Count.LAST_N_MINUS_LOST:  # pragma: no branch  there is no other
                return max(self.last_n - self._lost(decoder), 0)

    def _missing(self, decoder: FragDecoder, profile: FragProfile, received: int, most: int) -> int:
        match profile.missing:
            case Missing.NEEDED:
                if decoder.received.all():
                    return int(profile.lossless_missing_one)
                return decoder.missing_up_to(most)
            case Missing.LOST:
                return max(self._lost(decoder), 0)
            case Missing.NOT_RECEIVED:  # pragma: no branch  there is no other
                return max(self.setup.nb_frag - received, 0)


def status_ans(
    profile: FragProfile, frag_index: int, figures: Figures, mic_error: bool
) -> StatusAns:
    """Put figures into the status answer of a version, or of a stack."""
    if not profile.has_mic or profile.status_as_v1:
        return v1.FragSessionStatusAns(
            nb_frag_received=figures.nb_frag_received,
            frag_index=frag_index,
            missing_frag=figures.missing_frag,
            not_enough_matrix_memory=figures.memory_error,
        )
    return v2.FragSessionStatusAns(
        memory_error=figures.memory_error,
        mic_error=mic_error,
        session_does_not_exist=False,
        nb_frag_received=figures.nb_frag_received,
        frag_index=frag_index,
        missing_frag=figures.missing_frag,
    )


def absent_status(profile: FragProfile, frag_index: int, stale: Figures) -> Command | None:
    """Return what is answered about a session that does not exist, None for nothing.

    Args:
        profile: How the device does it.
        frag_index: The session asked for.
        stale: What the last session left, for stacks that tell it.
    """
    if profile.long_absent_status:
        return LongAbsentStatusAns(
            memory_error=stale.memory_error,
            mic_error=True,
            session_does_not_exist=True,
            nb_frag_received=stale.nb_frag_received,
            frag_index=frag_index,
            missing_frag=stale.missing_frag,
        )
    if profile.stale_status:
        return status_ans(profile, frag_index, stale, False)
    if not profile.reports_missing_session:
        return None
    return v2.FragSessionStatusAns(
        memory_error=False,
        mic_error=False,
        session_does_not_exist=True,
        nb_frag_received=None,
        frag_index=None,
        missing_frag=None,
    )
