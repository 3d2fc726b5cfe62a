"""What a session asks its owner to do, and what it reports.

An action is plain data.  Every method of a session that takes input returns a list of them, in the
order in which the owner has to act; nothing has to be drained, so nothing can be forgotten.  The
union :data:`Action` is closed: a ``match`` that ends in ``assert_never`` learns about new ones.

Times are in the owner's seconds, the same as ``now``: GPS seconds where the owner keeps GPS time.
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
    "DeleteImage",
    "DropReason",
    "Dropped",
    "ListenClassB",
    "ListenClassC",
    "Reboot",
    "Rejected",
    "Send",
    "StopListening",
    "Store",
    "StoreSessionCnt",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Send:
    """Transmit *payload* on *fport* by unicast, not before *not_before*."""

    fport: int
    payload: bytes
    not_before: float


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
class Store:
    """Write one entry of the device's saved state *before* going on, where a reset spares it.

    An entry guards what follows it in the list: the answer that promises to remember a group, the
    frame whose counter must not be accepted again.  :func:`lorafuota.session.saved.keep` puts it
    into a dict, and :meth:`lorafuota.session.device.FuotaDevice.restore` takes that dict.  If the
    write fails, take the whole list as not having happened and reset the device.
    """

    name: str
    value: int | str | None
    """None removes the entry."""


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
    """Open the receiver now for a multicast class C session, until *end* at the latest.

    *start* is when the session begins: now, earlier if the device joins late, later by the margin
    of :class:`lorafuota.session.multicast.McLimits`.
    """

    mc_group_id: int
    start: float
    end: float
    dl_freq_hz: int
    dr: int


@dataclasses.dataclass(frozen=True, slots=True)
class ListenClassB:
    """Look for the beacon now; have ping slots from *start*, until *end* at the latest."""

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
class Reboot:
    """Reboot, after everything before it in the list has left."""

    image_version: int | None
    """Version of the valid image the boot loader is going to find, None when there is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteImage:
    """Delete, or invalidate, the stored image of this version."""

    version: int


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
    ORDER = "the imitated stack takes fragments in ascending order only"
    TOKEN = "the answer is to a request of before the last correction"
    NO_TRANSMISSIONS = "a resynchronisation of no transmissions"
    NO_ROOM = "no room left for the answer"
    RECEIVE_TIME = "the receive time allowed for the session or for 24 hours is used up"
    UNASKED = "an answer that nobody waits for, or not any more"
    UNSUPPORTED = "the imitated stack does not know the command, and stops reading"


@dataclasses.dataclass(frozen=True, slots=True)
class Dropped:
    """Something arrived and was ignored, as the documents ask.  Nothing changed."""

    reason: DropReason
    detail: str = ""


Action: TypeAlias = (
    Send
    | Store
    | StoreSessionCnt
    | BlockReceived
    | BlockFailed
    | ListenClassB
    | ListenClassC
    | StopListening
    | Reboot
    | DeleteImage
    | Rejected
    | Dropped
)
