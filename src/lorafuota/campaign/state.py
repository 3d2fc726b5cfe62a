"""What a campaign remembers: a record for each device and each group, and one for itself.

A record is a few plain values (:mod:`.records`).  A device goes through stages; most have one
request that is repeated until its answer comes::

    NEGOTIATE -> BASE (for a delta) -> CLOCK -> GROUP -> DELETE (v1) -> FRAGMENTATION -> READY
    READY -> SESSION -> LISTENING -> STATUS; a wrong clock: SESSION -> CLOCK -> READY
                                              unicast: UNICAST ----------------------------^  |
          READY (another round) or UNICAST (repair) <-- missing --------------------------- --+
    STATUS -- nothing missing --> IMAGE -> REBOOT -> CONFIRM -> CLEANUP -> DONE
    any -- refused, silent, given up --> CLEANUP -> FAILED

A device advances on its own; only the windows are common to a group.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..errors import require_int
from .records import Record

__all__ = [
    "MILESTONES",
    "CampaignPhase",
    "CampaignRecord",
    "DeviceRecord",
    "GroupPhase",
    "GroupRecord",
    "Outcome",
    "Stage",
]


class Stage(enum.Enum):
    """Where one device stands."""

    NEGOTIATE = "negotiate"
    BASE = "base"
    CLOCK = "clock"
    GROUP = "group"
    DELETE = "delete"
    FRAGMENTATION = "fragmentation"
    READY = "ready"
    SESSION = "session"
    LISTENING = "listening"
    UNICAST = "unicast"
    STATUS = "status"
    IMAGE = "image"
    REBOOT = "reboot"
    CONFIRM = "confirm"
    CLEANUP = "cleanup"
    DONE = "done"
    FAILED = "failed"


def _after(*stages: Stage) -> frozenset[Stage]:
    """Return these stages and the two that follow on a refusal, a cancelling or a removal."""
    return frozenset({*stages, Stage.CLEANUP, Stage.FAILED})


_FIRST: Final = (Stage.CLOCK, Stage.GROUP, Stage.DELETE, Stage.FRAGMENTATION)
"""What a device is asked first when it is known to be able to take part."""

TRANSITIONS: Final[Mapping[Stage, frozenset[Stage]]] = MappingProxyType(
    {
        Stage.NEGOTIATE: frozenset({Stage.BASE, *_FIRST, Stage.FAILED}),
        Stage.BASE: frozenset({*_FIRST, Stage.FAILED}),
        Stage.CLOCK: _after(Stage.GROUP, Stage.READY),
        Stage.GROUP: _after(Stage.GROUP, Stage.DELETE, Stage.FRAGMENTATION, Stage.STATUS),
        Stage.DELETE: _after(Stage.GROUP, Stage.FRAGMENTATION),
        Stage.FRAGMENTATION: _after(
            Stage.GROUP, Stage.DELETE, Stage.FRAGMENTATION, Stage.READY, Stage.UNICAST
        ),
        Stage.READY: _after(
            Stage.GROUP,
            Stage.FRAGMENTATION,
            Stage.SESSION,
            Stage.UNICAST,
            Stage.STATUS,
            Stage.IMAGE,
        ),
        Stage.SESSION: _after(
            Stage.CLOCK,
            Stage.GROUP,
            Stage.FRAGMENTATION,
            Stage.READY,
            Stage.LISTENING,
            Stage.IMAGE,
        ),
        Stage.LISTENING: _after(
            Stage.GROUP, Stage.FRAGMENTATION, Stage.READY, Stage.STATUS, Stage.IMAGE
        ),
        Stage.UNICAST: _after(Stage.GROUP, Stage.FRAGMENTATION, Stage.STATUS, Stage.IMAGE),
        Stage.STATUS: _after(
            Stage.GROUP, Stage.DELETE, Stage.FRAGMENTATION, Stage.READY, Stage.UNICAST, Stage.IMAGE
        ),
        Stage.IMAGE: _after(Stage.REBOOT),
        Stage.REBOOT: _after(Stage.CONFIRM),
        Stage.CONFIRM: _after(),
        Stage.CLEANUP: frozenset({Stage.DONE, Stage.FAILED}),
        Stage.DONE: frozenset(),
        Stage.FAILED: frozenset(),
    }
)
"""Where each stage can lead; to itself where a refusal is answered with another number, and back to
GROUP when the group gets a new key."""

ASKING: Final = frozenset(Stage) - {
    Stage.READY,
    Stage.LISTENING,
    Stage.UNICAST,
    Stage.DONE,
    Stage.FAILED,
}
"""Stages with a request that is repeated."""

MAX_RESTARTS: Final = 8
"""Set-ups of one device that are begun again because its groups, session or clock went astray."""


class Outcome(enum.Enum):
    """How the update ended for a device, or how far it has come; the steps are kept apart."""

    PENDING = "pending"
    TRANSPORTED = "transport complete"
    """All fragments are there, the device says; version 1 says no more."""
    LIKELY = "transport likely complete"
    """Enough was sent, but this device's answers cannot tell (:class:`.quirks.StatusQuirk`)."""
    VERIFIED = "integrity ok"
    """The device's MIC over the block fits (version 2)."""
    IMAGE_VALID = "signature ok"
    """The device calls the image valid (TS006)."""
    CONFIRMED = "installed and confirmed"
    UNKNOWN = "transport unknown"
    """Given up, and what the device said can mean that the block is there as well as that it is
    not: neither is claimed."""
    NO_ANSWER = "no answer"
    NOT_SUPPORTED = "package not supported"
    CLOCK_WRONG = "clock cannot be put right"
    NO_GROUP = "no multicast group for its parity variant"
    REFUSED = "refused"
    NOT_ENOUGH_MEMORY = "not enough memory"
    WRONG_DESCRIPTOR = "wrong descriptor"
    FRAG_ALGO_UNSUPPORTED = "FragAlgo unsupported"
    FRAG_INDEX_UNSUPPORTED = "FragIndex unsupported"
    SESSION_CNT_REPLAY = "SessionCnt replay"
    MISSING_FRAGMENTS = "fragments missing"
    MEMORY_ERROR = "memory error"
    MIC_ERROR = "MIC error"
    BAD_IMAGE = "image corrupt or signature wrong"
    WRONG_HARDWARE = "image for other hardware"
    WRONG_BASE = "another firmware than the delta starts from"
    NOT_UPDATED = "old firmware after the reboot"
    CANCELLED = "cancelled"

    @property
    def success(self) -> bool:
        """Whether the block is known to have arrived, or more."""
        return self in (
            Outcome.TRANSPORTED,
            Outcome.VERIFIED,
            Outcome.IMAGE_VALID,
            Outcome.CONFIRMED,
        )


MILESTONES: Final = (
    "transport_complete",
    "integrity_ok",
    "signature_ok",
    "installing",
    "confirmed",
)
"""Fields of a device's record that tell when it proved something; later failures erase none."""

_PROVES: Final[Mapping[Outcome, tuple[str, ...]]] = {
    Outcome.TRANSPORTED: ("transport_complete",),
    Outcome.VERIFIED: ("transport_complete", "integrity_ok"),
    Outcome.IMAGE_VALID: ("signature_ok",),
    Outcome.CONFIRMED: ("confirmed",),
}

_BEFORE_SETUP: Final = (Stage.NEGOTIATE, Stage.BASE, Stage.CLOCK, Stage.GROUP, Stage.DELETE)


@dataclasses.dataclass(slots=True)
class DeviceRecord(Record):
    """What is known of one device.  Times are GPS seconds."""

    ONCE = frozenset(MILESTONES)

    stage: Stage = Stage.NEGOTIATE
    outcome: Outcome = Outcome.PENDING
    detail: str = ""
    attempts: int = 0
    """How often the request of this stage was sent."""
    due: float | None = None
    """When it is sent (again), or the stage is given up."""
    frag_version: int | None = None
    mc_version: int | None = None
    clock_version: int | None = None
    """... of TS003; 0 if the device has none, like the next."""
    fm_version: int | None = None
    ports: str = ""
    """The ports a device of TS007 told of its packages; empty if it told none."""
    clock_error: float | None = None
    """Seconds its clock was late when it was last read, before any correction."""
    group: str | None = None
    frag_index: int = 0
    mc_group_id: int = 0
    joined: bool = False
    """It has the multicast group."""
    tries: int = 0
    """Other values tried after a refusal, since it last got further."""
    restarts: int = 0
    """How often it had to be set up, or its clock set, again."""
    session_cnt: int = 0
    """SessionCnt of the present set-up, or of the next one as long as none was sent."""
    cnt_used: bool = False
    """A fragment may have reached the device since the set-up: the counter is used up."""
    told: int = 0
    """Number of the last window it was told of."""
    unicast_rounds: int = 0
    """Repair rounds by unicast so far."""
    mic_errors: int = 0
    """Sessions repeated because the block had another MIC."""
    silent: int = 0
    """Status requests in a row that brought no answer at all."""
    missing: int | None = None
    received: int | None = None
    unclear: bool = False
    """An answer since the set-up can mean that the block is there, but need not."""
    unicast_n: int = 0
    """Last fragment number sent by unicast."""
    unicast_left: int = 0
    """Fragments still to be sent by unicast."""
    plain_n: int = 0
    """A plain fragment to be sent by unicast before these, 0 for none."""
    sent: int = 0
    """Fragments sent to where the device listens."""
    sent_before: int = 0
    """... when the count it tells of received ones last changed."""
    cleaned: int = 0
    """Answers to the clean-up that came, as bits."""
    unicasts: int = 0
    """Fragments sent by unicast, over all sessions."""
    no_time: bool = False
    """It refused to reboot at a time, or disagrees about when that is."""
    reboot_eta: float | None = None
    transport_complete: float | None = None
    """When the device said that it has all fragments."""
    integrity_ok: float | None = None
    """When it said that its MIC over the block fits (version 2)."""
    signature_ok: float | None = None
    """When it called the image of the wanted version valid (TS006)."""
    installing: float | None = None
    """When it acknowledged the reboot; what it boots is known when it answers again."""
    confirmed: float | None = None
    """When it answered that it runs the wanted version: installed and confirmed."""

    def check(self) -> None:
        """Check what goes into a message.

        Raises:
            FieldError: FragIndex or McGroupID is out of range.
        """
        for field in ("frag_index", "mc_group_id"):
            require_int("DeviceRecord", field, getattr(self, field), 0, 3)

    def reach(self, outcome: Outcome, now: float) -> None:
        """Note the milestones that an answer proves; one that was reached keeps its time."""
        for name in _PROVES.get(outcome, ()):
            if getattr(self, name) is None:
                setattr(self, name, now)

    @property
    def milestones(self) -> dict[str, float]:
        """What the device proved, and when, in GPS seconds."""
        times = ((name, getattr(self, name)) for name in MILESTONES)
        return {name: time for name, time in times if time is not None}

    @property
    def next_session_cnt(self) -> int:
        """The first SessionCnt that no set-up of this campaign has carried; 65536 for none left."""
        fresh = self.stage in _BEFORE_SETUP and not (self.cnt_used or self.tries or self.restarts)
        return min(self.session_cnt + (not fresh), 1 << 16)


class GroupPhase(enum.Enum):
    """Where one group stands."""

    GATHER = "gather"
    """Waiting for members to be set up."""
    ANNOUNCE = "announce"
    """Telling members when the next window starts."""
    SEND = "send"
    """In the window."""
    POLL = "poll"
    """Asking members what is missing."""
    REKEY = "rekey"
    """Waiting for a new key, since the counters are used up."""
    REST = "rest"
    """Nothing to send."""


GROUP_TRANSITIONS: Final[Mapping[GroupPhase, frozenset[GroupPhase]]] = MappingProxyType(
    {
        GroupPhase.GATHER: frozenset(
            {
                GroupPhase.GATHER,
                GroupPhase.ANNOUNCE,
                GroupPhase.POLL,
                GroupPhase.REKEY,
                GroupPhase.REST,
            }
        ),
        GroupPhase.ANNOUNCE: frozenset(
            {GroupPhase.GATHER, GroupPhase.ANNOUNCE, GroupPhase.SEND, GroupPhase.REST}
        ),
        GroupPhase.SEND: frozenset({GroupPhase.GATHER, GroupPhase.ANNOUNCE, GroupPhase.POLL}),
        GroupPhase.POLL: frozenset(
            {
                GroupPhase.GATHER,
                GroupPhase.ANNOUNCE,
                GroupPhase.POLL,
                GroupPhase.REKEY,
                GroupPhase.REST,
            }
        ),
        GroupPhase.REKEY: frozenset({GroupPhase.GATHER, GroupPhase.POLL, GroupPhase.REST}),
        GroupPhase.REST: frozenset({GroupPhase.GATHER}),
    }
)
"""Where each phase of a group can lead; to GATHER with a new key, at any time."""


@dataclasses.dataclass(slots=True)
class GroupRecord(Record):
    """What is known of one group.  Times are GPS seconds."""

    phase: GroupPhase = GroupPhase.GATHER
    since: float = 0.0
    next_fcnt: int = 0
    """Counters below it may have been used."""
    next_n: int = 1
    """Fragment numbers below it may have been sent."""
    until_n: int = 0
    """Last fragment number of the present pass."""
    sent: int = 0
    """Frames sent in the present window."""
    window: int = 0
    """Windows announced so far."""
    rounds: int = 0
    """Repair rounds so far."""
    start: float = 0.0
    end: float = 0.0
    plain_n: int = 0
    """A plain fragment to be sent before the coded ones of a repair, 0 for none."""
    next_time: float = 0.0
    """When the next frame of the window is due."""
    airtime: float = 0.0
    question: bool = False
    """Whether the present window is to end with the question what is missing."""
    asked: int = 0
    """How many were asked since the last pass."""
    keys: str = ""
    """Checks of all keys the group has had, the present one last; see :func:`.group.key_check`."""
    mc_addr: int | None = None
    """Its present address."""


class CampaignPhase(enum.Enum):
    """Where the campaign stands."""

    NEW = "new"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    ENDED = "ended"


@dataclasses.dataclass(slots=True)
class CampaignRecord(Record):
    """What is known of the campaign as a whole."""

    ONCE = frozenset({"block"})

    phase: CampaignPhase = CampaignPhase.NEW
    block: str | None = None
    """Hash of what is delivered, and how it is cut."""
