"""Remote Multicast Setup (TS005): groups and listening windows, the device's side and the server's.

A group on the device::

    undefined --set-up--> defined --delete--> undefined       set-up of a defined group replaces it

Its one session::

    none --request accepted--> scheduled --SessionTime--> running --TimeOut, delete, set-up--> none

A request that is refused leaves a scheduled session as it was.  The counter of a group outlives its
sessions.  Nothing here opens a receiver or looks at a clock: the owner gets
:class:`ListenClassC` ahead of time, and :class:`StopListening` when a window ends early.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Container, Mapping
from typing import Final, TypeAlias, final

from ..crypto import (
    derive_mc_ke_key,
    derive_mc_root_key,
    unwrap_mc_key,
    wrap_mc_key,
)
from ..errors import FieldError, require_int
from ..gpstime import from_wire, to_wire
from ..link import BEACON_PERIOD_SECONDS, Drop, McFrame, McReceiver, McSender, open_any
from ..multicastsetup import v1, v2
from ..package import PackageVersionAns, PackageVersionReq
from ..types import AppKey, BytesLike, DevAddr, GenAppKey, McKey
from ..wire import Command
from .actions import Action, Answer, Dropped, DropReason, ListenClassB, ListenClassC, StopListening
from .profile import McProfile

__all__ = [
    "CLOCK_UNKNOWN",
    "McDevice",
    "McGroupServer",
    "McLimits",
    "SessionAns",
    "SessionReq",
    "choose_time_out",
    "session_window",
]

SessionReq: TypeAlias = v1.McClassCSessionReq | v1.McClassBSessionReq
SessionAns: TypeAlias = (
    v1.McClassCSessionAns | v1.McClassBSessionAns | v2.McClassCSessionAns | v2.McClassBSessionAns
)

CLOCK_UNKNOWN: Final = 0xFFFFFF
"""A TimeToStart that means: so far away that the clock cannot be right."""

_MAX_GROUPS: Final = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class McLimits:
    """What a device can do.

    Attributes:
        max_groups: Groups it holds, 1 to 4; McGroupID counts from 0.
        frequencies_hz: Frequencies it can receive on; a ``range`` does.
        drs: Data rates it can receive.
        hops: Whether class B channels hop in its region, so that a DLFreq of 0 means something.
    """

    max_groups: int = _MAX_GROUPS
    frequencies_hz: Container[int] = range(150_000_000, 960_000_001)
    drs: Container[int] = range(16)
    hops: bool = False

    def __post_init__(self) -> None:
        """Check the number of groups.

        Raises:
            FieldError: It is not 1 to 4.
        """
        require_int("McLimits", "max_groups", self.max_groups, 1, _MAX_GROUPS)


@dataclasses.dataclass(slots=True)
class _Group:
    receiver: McReceiver
    window: ListenClassB | ListenClassC | None = None


@final
class McDevice:
    """The device's side of multicast groups.  Knows no radio, no clock, no file."""

    def __init__(
        self, profile: McProfile, *, root_key: GenAppKey | AppKey, limits: McLimits | None = None
    ) -> None:
        """Start without groups.

        Args:
            profile: The version spoken.
            root_key: GenAppKey on LoRaWAN 1.0.x, AppKey on 1.1; not the other one.
            limits: What the device can do.
        """
        self.profile = profile
        self.limits = limits or McLimits()
        self._mc_ke_key = derive_mc_ke_key(derive_mc_root_key(root_key))
        self._groups: dict[int, _Group] = {}

    @property
    def groups(self) -> Mapping[int, DevAddr]:
        """The address of each group, by McGroupID."""
        return {index: group.receiver.mc_addr for index, group in self._groups.items()}

    def window(self, mc_group_id: int) -> ListenClassB | ListenClassC | None:
        """Return the window a group is scheduled for or listening in."""
        group = self._groups.get(mc_group_id)
        return group.window if group else None

    def open(self, phy: BytesLike) -> tuple[int, McFrame] | Drop:
        """Check and decrypt a frame; return its McGroupID and content, or why it was dropped."""
        found = open_any((group.receiver for group in self._groups.values()), phy)
        if isinstance(found, Drop):
            return found
        receiver, frame = found
        [index] = [at for at, group in self._groups.items() if group.receiver is receiver]
        return index, frame

    def execute(
        self, command: Command, *, now: float, mc_group_id: int | None = None, max_payload: int
    ) -> list[Answer | Action]:
        """Execute one command, in the order received.

        Args:
            command: A downlink of this package.
            now: GPS seconds, by the device's clock.
            mc_group_id: The group on whose address it arrived; None for unicast.
            max_payload: Octets the answer may have, identifier included.
        """
        if mc_group_id is not None:
            return [Dropped(DropReason.UNICAST_ONLY, type(command).__name__)]
        if type(command) not in self.profile.package.commands:
            return [Dropped(DropReason.PACKAGE, type(command).__name__)]
        match command:
            case v1.McGroupStatusReq(req_group_mask=mask):
                return [Answer(self._status(mask, max_payload))]
            case v1.McGroupSetupReq():
                return self._setup(command)
            case v1.McGroupDeleteReq(mc_group_id=index):
                stopped = self._stop(index)
                undefined = self._groups.pop(index, None) is None
                answer = v1.McGroupDeleteAns(mc_group_id=index, mc_group_undefined=undefined)
                return [Answer(answer), *stopped]
            case v1.McClassCSessionReq() | v1.McClassBSessionReq():
                return self._session(command, now)
            case PackageVersionReq():
                package = self.profile.package
                return [
                    Answer(
                        PackageVersionAns(
                            package_identifier=package.identifier, package_version=package.version
                        )
                    )
                ]
            case _:
                return [Dropped(DropReason.DIRECTION, type(command).__name__)]

    @property
    def next_deadline(self) -> float | None:
        """When a window ends: :meth:`tick` forgets it then."""
        windows = (group.window for group in self._groups.values())
        return min((window.end for window in windows if window is not None), default=None)

    def tick(self, *, now: float) -> list[Answer | Action]:
        """Forget the windows that are over; the owner knew their end and is told once more."""
        over = [
            index
            for index, group in self._groups.items()
            if group.window is not None and group.window.end <= now
        ]
        return [action for index in over for action in self._stop(index)]

    def leave(self, mc_group_id: int) -> list[Action]:
        """End a session early, for instance because the block is complete."""
        return self._stop(mc_group_id)

    # The commands

    def _stop(self, mc_group_id: int) -> list[Action]:
        group = self._groups.get(mc_group_id)
        if group is None or group.window is None:
            return []
        group.window = None
        return [StopListening(mc_group_id)]

    def _status(self, mask: int, max_payload: int) -> v1.McGroupStatusAns:
        listed = [index for index in sorted(self._groups) if mask >> index & 1]
        room = max(max_payload - 2, 0) // 5  # identifier and status; then 5 octets a group
        groups = tuple(
            v1.McGroup(mc_group_id=index, mc_addr=self._groups[index].receiver.mc_addr)
            for index in listed[:room]
        )
        return v1.McGroupStatusAns(
            ans_group_mask=sum(1 << group.mc_group_id for group in groups),
            nb_total_groups=len(self._groups),
            groups=groups,
        )

    def _setup(self, req: v1.McGroupSetupReq) -> list[Answer | Action]:
        index = req.mc_group_id
        refused = index >= self.limits.max_groups or req.min_mc_fcnt > req.max_mc_fcnt
        answer = Answer(v1.McGroupSetupAns(mc_group_id=index, id_error=refused))
        if refused:
            return [answer]
        stopped = self._stop(index)
        receiver = McReceiver.from_mc_key(
            unwrap_mc_key(self._mc_ke_key, req.mc_key_encrypted),
            req.mc_addr,
            min_mc_fcnt=req.min_mc_fcnt,
            max_mc_fcnt=req.max_mc_fcnt,
            max_inclusive=self.profile.max_inclusive,
        )
        self._groups[index] = _Group(receiver)
        return [answer, *stopped]

    def _session(self, req: SessionReq, now: float) -> list[Answer | Action]:
        window = session_window(req, near=now)
        errors = self._session_errors(req, window, now)
        if errors:
            return [Answer(self._session_ans(req, errors, None))]
        group = self._groups[req.mc_group_id]
        stopped = self._stop(req.mc_group_id) if group.window != window else []
        group.window = window
        seconds = min(max(int(window.start - now), 0), CLOCK_UNKNOWN)
        return [Answer(self._session_ans(req, errors, seconds)), *stopped, window]

    def _session_errors(
        self, req: SessionReq, window: ListenClassB | ListenClassC, now: float
    ) -> v2.SessionError:
        """Return every bit that applies (TS005, session answers)."""
        errors, limits = v2.SessionError(0), self.limits
        hopping = req.dl_freq_hz == 0 and isinstance(req, v1.McClassBSessionReq) and limits.hops
        if not hopping and req.dl_freq_hz not in limits.frequencies_hz:
            errors |= v2.SessionError.FREQ_ERROR
        if req.dr not in limits.drs:
            errors |= v2.SessionError.DR_ERROR
        if req.mc_group_id not in self._groups:
            errors |= v2.SessionError.MC_GROUP_UNDEFINED
        if self.profile.has_start_missed:
            if from_wire(req.session_time, near=now) <= now:
                errors |= v2.SessionError.START_MISSED
        elif window.end <= now:  # version 1 has no bit for it; LoRaMac-node uses this one
            errors |= v2.SessionError.MC_GROUP_UNDEFINED
        return errors

    def _session_ans(
        self, req: SessionReq, errors: v2.SessionError, seconds: int | None
    ) -> SessionAns:
        class_b = isinstance(req, v1.McClassBSessionReq)
        if self.profile.has_start_missed:
            second = v2.McClassBSessionAns if class_b else v2.McClassCSessionAns
            return second(mc_group_id=req.mc_group_id, errors=errors, time_to_start=seconds)
        first = v1.McClassBSessionAns if class_b else v1.McClassCSessionAns
        return first(
            mc_group_id=req.mc_group_id, errors=v1.SessionError(errors), time_to_start=seconds
        )


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


def session_window(req: SessionReq, *, near: float) -> ListenClassB | ListenClassC:
    """Return when a requested session starts and ends (TS005, SessionTime and TimeOut).

    A class B session starts at a beacon: the next one, if SessionTime is none.

    Args:
        req: The request.
        near: GPS seconds, to tell which wrap of 2**32 SessionTime belongs to.
    """
    start = float(from_wire(req.session_time, near=near))
    if isinstance(req, v1.McClassCSessionReq):
        end = start + (1 << req.time_out)
        return ListenClassC(req.mc_group_id, start, end, req.dl_freq_hz, req.dr)
    start = -(-start // BEACON_PERIOD_SECONDS) * BEACON_PERIOD_SECONDS  # at a beacon
    end = start + (BEACON_PERIOD_SECONDS << req.time_out)
    return ListenClassB(req.mc_group_id, start, end, req.periodicity, req.dl_freq_hz, req.dr)


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
