"""One multicast group at work: its windows, its frames, its counters; no devices.

The record is what survives a crash.  Frame counters are taken from it several at a time: after a
crash the group goes on behind the ones taken, so that none is used twice, and sends the fragments
again that may not have left.  The first is taken alone, then 2, 4 and up to 16, so that a process
that dies again and again gets on all the same.  A group whose counters end goes on under a new key.

Frames are handed out some time ahead of their own time, as much as the group's gateways need.  The
window therefore opens a little before its start, and a group that comes back leaves room for what
its process may have handed out.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from typing import Final, final

from ..fec.encoder import FragEncoder
from ..fragmentation.v1 import DataFragment, FragSessionStatusReq
from ..gpstime import to_wire
from ..link import BEACON_PERIOD_SECONDS
from ..multicastsetup.v1 import McClassBSessionReq, McClassCSessionReq
from ..session.groupserver import McGroupServer
from ..session.windows import SessionReq
from ..types import McKey, require_key
from .actions import Multicast, WindowAnnounced
from .config import GroupConfig, WindowClass
from .state import GroupPhase, GroupRecord, Stage
from .windows import LEAD_SECONDS, TAIL_SECONDS, frames_that_fit, next_frame_time, plan_window

__all__ = ["MAX_N", "MAY_HEAR", "SETTING_UP", "Group", "key_check"]

MAX_N: Final = 16_383
"""The highest fragment number."""

SETTING_UP: Final = (Stage.NEGOTIATE, Stage.CLOCK, Stage.GROUP, Stage.DELETE, Stage.FRAGMENTATION)
"""Stages before a device can take part in a window."""

MAY_HEAR: Final = (*SETTING_UP, Stage.READY, Stage.LISTENING, Stage.STATUS)
"""Stages in which a device that has been set up may hear a frame."""

_MOST_RESERVED: Final = 16
"""Frame counters taken from the store at a time, at most."""


def key_check(mc_key: McKey) -> str:
    """Return what tells a group's key from others in a store, in 16 hex digits.

    It is an HMAC under the key, cut short: who does not have the key learns nothing of it.

    Raises:
        FieldError: *mc_key* is no McKey.
    """
    require_key("key_check", "mc_key", mc_key, McKey)
    return hmac.digest(mc_key.reveal(), b"lorafuota McKey", hashlib.sha256)[:8].hex()


@final
class Group:
    """Plans and fills the windows of one group."""

    def __init__(self, config: GroupConfig, record: GroupRecord, encoder: FragEncoder) -> None:
        """Go on where *record* stands."""
        self.config, self.record = config, record
        self._encoder = encoder
        self._comes_back = record.phase is GroupPhase.SEND and record.sent > 0
        self.key_wanted = False
        """Whether the owner was told of counters that do not last."""
        self.last_end = 0.0
        """When the last frame handed out is off the air."""
        self._use(config)
        self.stages: Counter[Stage] = Counter()
        """How many members stand where; kept by the campaign."""

    def _use(self, config: GroupConfig) -> None:
        self.config = config
        self._stretch = 1
        self.server = McGroupServer(
            mc_addr=config.mc_addr,
            mc_key=config.mc_key,
            max_mc_fcnt=config.max_mc_fcnt,
            next_fcnt=self.record.next_fcnt,
        )

    def rekey(self, config: GroupConfig) -> None:
        """Go on under another key, whose counters begin at 0."""
        self.record.keys += f",{key_check(config.mc_key)}"
        self.record.mc_addr = int(config.mc_addr)
        self.record.next_fcnt = 0
        self.key_wanted = False
        self._use(config)

    @property
    def setting_up(self) -> int:
        """Members that may still become ready."""
        return sum(self.stages[stage] for stage in SETTING_UP)

    @property
    def pass_over(self) -> bool:
        """Whether all fragments of the present pass have been sent."""
        return self.record.next_n > self.record.until_n and not self.record.plain_n

    @property
    def window_over(self) -> bool:
        """Whether no further frame ends inside the present window."""
        return self.record.next_time > self._last_start

    @property
    def _last_start(self) -> float:
        return self.record.end - TAIL_SECONDS - self.config.frame_seconds

    @property
    def opening(self) -> float:
        """When the window is opened: its first frame is handed out no later than that."""
        return self.record.start - max(self.config.ahead_seconds - LEAD_SECONDS, 0.0)

    @property
    def next_due(self) -> float:
        """When the next frame is handed out."""
        return self.record.next_time - self.config.ahead_seconds

    def deadline(self, setup_seconds: float, rekey_seconds: float = 0.0) -> float | None:
        """Return when the group has something to do of its own accord, in GPS seconds."""
        own = self.record
        match own.phase:
            case GroupPhase.GATHER if self.stages[Stage.READY]:
                return own.since + setup_seconds
            case GroupPhase.ANNOUNCE:
                return self.opening
            case GroupPhase.SEND:
                return self.next_due
            case GroupPhase.REKEY:
                return own.since + rekey_seconds
            case _:
                return None

    @property
    def frames_left(self) -> int:
        """How many frames the counters are still good for."""
        return self.server.sender.frames_left

    @property
    def _frames(self) -> int:
        """How many frames of the pass go into one window."""
        own = self.record
        wanted = own.until_n - own.next_n + 1 + bool(own.plain_n) + own.question
        return min(wanted, frames_that_fit(self.config))

    def announce(self, earliest: float, *, question: bool = False) -> WindowAnnounced:
        """Plan the next window, for as much of the pass as fits, and the question behind it."""
        own = self.record
        own.question = question
        own.start, own.end = plan_window(self.config, earliest, self._frames)
        own.window += 1
        own.sent = 0
        return self.announcement

    @property
    def announcement(self) -> WindowAnnounced:
        """What the owner is told of the present window, once more after a restart."""
        own, config = self.record, self.config
        return WindowAnnounced(
            group=config.name,
            mc_addr=config.mc_addr,
            start=own.start,
            end=own.end,
            dl_freq_hz=config.dl_freq_hz,
            dr=config.dr,
            frames=self._frames,
        )

    def session_req(self, mc_group_id: int) -> SessionReq | None:
        """Return the request for the announced window, as one device gets it."""
        own, config = self.record, self.config
        if own.phase not in (GroupPhase.ANNOUNCE, GroupPhase.SEND):
            return None
        seconds = int(own.end - own.start)  # a power of two, times 128 in class B
        if config.window_class is WindowClass.C:
            return McClassCSessionReq(
                mc_group_id=mc_group_id,
                session_time=to_wire(own.start),
                time_out=seconds.bit_length() - 1,
                dl_freq_hz=config.dl_freq_hz,
                dr=config.dr,
            )
        return McClassBSessionReq(
            mc_group_id=mc_group_id,
            session_time=to_wire(own.start),
            time_out=(seconds // BEACON_PERIOD_SECONDS).bit_length() - 1,
            periodicity=config.periodicity,
            dl_freq_hz=config.dl_freq_hz,
            dr=config.dr,
        )

    def open_window(self) -> None:
        """Get ready for the first frame."""
        self.record.next_time = next_frame_time(self.config, self.record.start + LEAD_SECONDS)

    def frame_due(self, now: float) -> Multicast | None:
        """Return the frame that is due, or None.

        Nobody may have called in time.  Frames that were missed go out one pace apart and not in a
        burst.
        """
        own, config = self.record, self.config
        self._catch_up(now)
        if self.pass_over or self.window_over or self.next_due > now:
            return None
        if self.frames_left < 1:
            self.end_pass()
            return None
        n, own.plain_n = own.plain_n, 0
        if n == 0:
            n = own.next_n
            own.next_n += 1
        if self._encoder.nb_frag == 1:
            n = 1  # coding says nothing of one fragment
        fragment = DataFragment(
            n=n, frag_index=config.frag_index, payload=self._encoder.fragment(n)
        )
        own.sent += 1
        return self._hand_out(fragment.encode(), config.frame_seconds)

    def ask(self, *, participants: bool) -> Multicast:
        """Return the frame that asks all listeners what is missing; it is due.

        Args:
            participants: Whether those that miss nothing shall answer as well.
        """
        seconds = self.config.question_seconds
        req = FragSessionStatusReq(participants=participants, frag_index=self.config.frag_index)
        return self._hand_out(
            req.encode(), self.config.frame_seconds if seconds is None else seconds
        )

    def _catch_up(self, now: float) -> None:
        """Move the next frame behind what a process that is gone may have handed out, and to now.

        What it had handed out lay ahead by no more than the lead.
        """
        own, config = self.record, self.config
        if self._comes_back:
            self._comes_back = False
            free = now + config.ahead_seconds + config.pace_seconds
            own.next_time = max(own.next_time, next_frame_time(config, free))
        if own.next_time < now - config.pace_seconds:
            own.next_time = next_frame_time(config, now)

    @property
    def reserved(self) -> bool:
        """Whether the next counter has been taken from the store; see :meth:`reserve`."""
        return self.server.sender.next_fcnt < self.record.next_fcnt

    def reserve(self) -> None:
        """Take the next counters; the record has to be committed before they go on air."""
        upper = self.server.sender.next_fcnt + self._stretch
        self._stretch = min(2 * self._stretch, _MOST_RESERVED)
        self.record.next_fcnt = min(upper, self.config.max_mc_fcnt)

    def _hand_out(self, payload: bytes, seconds: float) -> Multicast:
        """Use the next counter for one frame, at the time it is due."""
        own, config, sender = self.record, self.config, self.server.sender
        fcnt, time = sender.next_fcnt, own.next_time
        phy = sender.seal(payload, fport=config.fport)
        own.airtime += seconds
        own.next_time = next_frame_time(config, time + config.pace_seconds)
        self.last_end = time + seconds
        return Multicast(
            group=config.name, time=time, fcnt=fcnt, fport=config.fport, payload=payload, phy=phy
        )

    def end_pass(self) -> None:
        """Send nothing more of the present pass."""
        self.record.until_n, self.record.plain_n = self.record.next_n - 1, 0

    def skip_to(self, n: int) -> None:
        """Go on behind number *n*, which was the last one handed out; the pass is over."""
        self.record.next_n = min(max(self.record.next_n, n + 1), MAX_N + 1)
        self.end_pass()
