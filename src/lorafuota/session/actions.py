"""What a session asks its owner to do, and what it reports.

An action is plain data.  Every method of a session that takes input returns a list of them, in the
order in which the owner has to act; nothing has to be drained, so nothing can be forgotten.  The
union :data:`Action` is closed: a ``match`` that ends in ``assert_never`` learns about new ones.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TypeAlias

from ..errors import DecodeError
from ..fec.decoder import CheckResult
from ..wire import Command

__all__ = [
    "Action",
    "Answer",
    "BlockFailed",
    "BlockReceived",
    "DropReason",
    "Dropped",
    "ListenClassB",
    "ListenClassC",
    "Rejected",
    "Send",
    "StopListening",
    "StoreSessionCnt",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Send:
    """Transmit *payload* on *fport* by unicast, not before *not_before*."""

    fport: int
    payload: bytes
    not_before: float
    """GPS seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A command to send back, after so many seconds.

    Not an action: sessions of single packages give it to whoever puts several answers into one
    uplink, :class:`lorafuota.session.device.FuotaDevice`.
    """

    command: Command
    delay_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class StoreSessionCnt:
    """Write the counter where a reset does not reach it *before* going on (TS004-2.0.0).

    A session counter that has been used is refused for ever; the first fragment of a session uses
    it.  If the write fails, take the whole list as not having happened and reset the device.
    """

    frag_index: int
    session_cnt: int


@dataclasses.dataclass(frozen=True, slots=True)
class BlockReceived:
    """A block is complete; *data* comes without padding.

    With *verified* the MIC of TS004 version 2 fits.  Version 1 has none: *data* is what the parity
    code made of the fragments, and only a signature of the caller's own can tell if it is right.
    *check* says whether spare fragments agree; one that does not is a strong sign against the data.
    """

    frag_index: int
    descriptor: bytes
    data: bytes = dataclasses.field(repr=False)
    verified: bool
    check: CheckResult


@dataclasses.dataclass(frozen=True, slots=True)
class BlockFailed:
    """A block is complete and has another MIC, or can never be complete.  There is no data."""

    frag_index: int
    descriptor: bytes
    reason: str
    check: CheckResult


@dataclasses.dataclass(frozen=True, slots=True)
class ListenClassC:
    """Open the receiver for a multicast class C session, at *start*, until *end* at the latest."""

    mc_group_id: int
    start: float
    end: float
    dl_freq_hz: int
    dr: int


@dataclasses.dataclass(frozen=True, slots=True)
class ListenClassB:
    """Open ping slots for a multicast class B session, from *start* until *end* at the latest."""

    mc_group_id: int
    start: float
    end: float
    periodicity: int
    dl_freq_hz: int
    """0 hops over the region's class B channels."""
    dr: int


@dataclasses.dataclass(frozen=True, slots=True)
class StopListening:
    """Go back to the class and parameters of before the multicast session of this group."""

    mc_group_id: int


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """Something arrived that could not be read; the commands before it have been executed."""

    fport: int
    payload: bytes
    error: DecodeError


class DropReason(enum.Enum):
    """Why something that could be read was ignored, as the documents ask."""

    FRAME = "not a frame of a group of ours"
    FPORT = "no package on this port"
    UNICAST_ONLY = "the command is for unicast only"
    DIRECTION = "the command travels the other way"
    PACKAGE = "the command is of another package or version"
    NO_SESSION = "no session with this FragIndex"
    NOT_IN_MASK = "the group may not feed this session"
    COMPLETE = "the session is complete already"
    ABORTED = "the session was given up"
    LENGTH = "the fragment has another length than FragSize"


@dataclasses.dataclass(frozen=True, slots=True)
class Dropped:
    """Something arrived and was ignored, as the documents ask.  Nothing changed."""

    reason: DropReason
    detail: str = ""


Action: TypeAlias = (
    Send
    | StoreSessionCnt
    | BlockReceived
    | BlockFailed
    | ListenClassB
    | ListenClassC
    | StopListening
    | Rejected
    | Dropped
)
