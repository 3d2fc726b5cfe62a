"""The server's side of multicast groups (TS005): one group's keys, counter and messages.

Everything is the same for all members but McKey_encrypted, which each device gets under its own
McKEKey.  Nothing here waits for anything: a request comes out, an answer is judged.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias, final

from ..crypto import derive_mc_ke_key, derive_mc_root_key, wrap_mc_key
from ..errors import FieldError
from ..gpstime import to_wire
from ..link import BEACON_PERIOD_SECONDS, McSender
from ..multicastsetup import v1, v2
from ..types import AppKey, DevAddr, GenAppKey, McKey
from .actions import ListenClassC
from .windows import SessionReq, session_window

__all__ = ["CLOCK_UNKNOWN", "McGroupServer", "SessionAns", "choose_time_out"]

SessionAns: TypeAlias = (
    v1.McClassCSessionAns | v1.McClassBSessionAns | v2.McClassCSessionAns | v2.McClassBSessionAns
)

CLOCK_UNKNOWN: Final = 0xFFFFFF
"""A TimeToStart that means: so far away that the clock cannot be right."""


def choose_time_out(seconds: float, *, unit_seconds: int) -> int:
    """Return the smallest TimeOut whose window lasts that long: ``unit * 2**TimeOut`` seconds.

    Args:
        seconds: What has to fit in.
        unit_seconds: 1 for class C, 128 (a beacon period) for class B.

    Raises:
        FieldError: Not even TimeOut 15 is enough; what is to be sent has to be split.
    """
    time_out = max(math.ceil(seconds / unit_seconds) - 1, 0).bit_length()
    if time_out > 15:
        expected = f"at most {unit_seconds << 15}; split what is to be sent"
        raise FieldError("choose_time_out", "seconds", seconds, expected)
    return time_out


@final
class McGroupServer:
    """The server's side of one multicast group: its keys, its counter, its messages.

    Everything here is the same for all members but McKey_encrypted, which each device gets under
    its own McKEKey.
    """

    def __init__(
        self,
        *,
        mc_addr: DevAddr,
        mc_key: McKey,
        max_mc_fcnt: int,
        next_fcnt: int = 0,
    ) -> None:
        """Describe the group.

        Args:
            mc_addr: Its address.
            mc_key: Its key; :meth:`McKey.generate` in production, never the same for two groups.
            max_mc_fcnt: End of its life; that counter is never sent.
            next_fcnt: The counter of the next frame, as stored before the last was sent.

        Raises:
            FieldError: A counter is out of range.
        """
        self._mc_key = mc_key
        self.sender = McSender.from_mc_key(
            mc_key, mc_addr, next_fcnt=next_fcnt, max_mc_fcnt=max_mc_fcnt
        )

    def setup_req(self, root_key: GenAppKey | AppKey, *, mc_group_id: int) -> v1.McGroupSetupReq:
        """Return the message that makes one device a member from the next frame on.

        Args:
            root_key: That device's GenAppKey (LoRaWAN 1.0.x) or AppKey (1.1).
            mc_group_id: The group's number on that device, 0 to 3.

        Raises:
            FieldError: *mc_group_id* is out of range.
        """
        mc_ke_key = derive_mc_ke_key(derive_mc_root_key(root_key))
        return v1.McGroupSetupReq(
            mc_group_id=mc_group_id,
            mc_addr=self.sender.mc_addr,
            mc_key_encrypted=wrap_mc_key(mc_ke_key, self._mc_key),
            min_mc_fcnt=self.sender.next_fcnt,
            max_mc_fcnt=self.sender.max_mc_fcnt,
        )

    @staticmethod
    def class_c_session_req(
        *, mc_group_id: int, start: float, seconds: float, dl_freq_hz: int, dr: int
    ) -> v1.McClassCSessionReq:
        """Return the message that opens a class C window of at least that many seconds.

        Args:
            mc_group_id: The group's number on that device, 0 to 3.
            start: GPS seconds; whole ones.
            seconds: What has to fit in; the window is the next power of two, at most 32768.
            dl_freq_hz: Frequency in Hz, a multiple of 100.
            dr: Data rate index of the region.

        Raises:
            FieldError: A number is out of range, or the window would be too long.
        """
        time_out = choose_time_out(seconds, unit_seconds=1)
        return v1.McClassCSessionReq(
            mc_group_id=mc_group_id,
            session_time=to_wire(start),
            time_out=time_out,
            dl_freq_hz=dl_freq_hz,
            dr=dr,
        )

    @staticmethod
    def class_b_session_req(
        *,
        mc_group_id: int,
        start: float,
        seconds: float,
        periodicity: int,
        dl_freq_hz: int,
        dr: int,
    ) -> v1.McClassBSessionReq:
        """Return the message that opens class B ping slots for at least that many seconds.

        Args:
            mc_group_id: The group's number on that device, 0 to 3.
            start: GPS seconds of a beacon, a multiple of 128.
            seconds: What has to fit in; the window is 128 seconds times the next power of two, at
                most 48.5 days.
            periodicity: 0 (a slot every 0.96 s) to 7 (one in a beacon period).
            dl_freq_hz: Frequency in Hz, a multiple of 100; 0 hops where the region hops.
            dr: Data rate index of the region.

        Raises:
            FieldError: *start* is no beacon, a number is out of range, or the window would be too
                long.
        """
        if start % BEACON_PERIOD_SECONDS != 0:
            expected = f"a beacon, a multiple of {BEACON_PERIOD_SECONDS}"
            raise FieldError("class_b_session_req", "start", start, expected)
        time_out = choose_time_out(seconds, unit_seconds=BEACON_PERIOD_SECONDS)
        return v1.McClassBSessionReq(
            mc_group_id=mc_group_id,
            session_time=to_wire(start),
            time_out=time_out,
            periodicity=periodicity,
            dl_freq_hz=dl_freq_hz,
            dr=dr,
        )

    @staticmethod
    def refusal(
        answer: SessionAns,
        req: SessionReq,
        *,
        received: float,
        tolerance_seconds: float | None = None,
    ) -> str | None:
        """Say why a device will not be listening in time, or None when all is well.

        Args:
            answer: The device's answer.
            req: The request it answers.
            received: GPS time at which the answer arrived.
            tolerance_seconds: By how much the two ends may disagree about the start; None for 3
                in class C and 60 in class B, where devices announce it roughly.
        """
        if answer.mc_group_id != req.mc_group_id:
            return f"the answer is about McGroupID {answer.mc_group_id}"
        if answer.time_to_start is None:
            names = [str(bit.name) for bit in type(answer.errors) if answer.errors & bit]
            return ", ".join(names) or f"error bits 0x{int(answer.errors):02X}"
        if answer.time_to_start == CLOCK_UNKNOWN:
            return "the device's clock is out of sync"
        window = session_window(req, near=received)
        if window.end <= received:
            return "the window is over"
        if answer.time_to_start == 0 and window.start <= received:
            return None  # joined late
        if tolerance_seconds is None:
            tolerance_seconds = 3.0 if isinstance(window, ListenClassC) else 60.0
        off = received + answer.time_to_start - window.start
        if abs(off) > tolerance_seconds:
            return f"the device's clock is off by {-off:+.0f} s"
        return None
