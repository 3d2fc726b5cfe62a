"""What a device can do of a multicast session, and what it answers a session request (TS005)."""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from typing import Final

from ..errors import require_int
from ..gpstime import from_wire
from ..multicastsetup import v1, v2
from ..wire import Command
from .dialects import CutShortAns
from .groupserver import CLOCK_UNKNOWN, SessionAns
from .profile import McProfile
from .windows import Listen, SessionReq, WindowLimits

__all__ = ["McLimits", "acceptance_ans", "refusal_ans", "session_errors"]

_MAX_GROUPS: Final = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class McLimits:
    """What a device can do.

    Attributes:
        max_groups: Groups it holds, 1 to 4; McGroupID counts from 0.
        frequencies_hz: Frequencies it can receive on; a ``range`` does.
        drs: Data rates it can receive.
        hops: Whether class B channels hop in its region, so that a DLFreq of 0 means something.
        windows: Margins and receive time.
        fcnt_stretch: Counters stored ahead at a time; a reset may cost one frame less than that.
    """

    max_groups: int = _MAX_GROUPS
    frequencies_hz: Container[int] = range(150_000_000, 960_000_001)
    drs: Container[int] = range(16)
    hops: bool = False
    windows: WindowLimits = dataclasses.field(default_factory=WindowLimits)
    fcnt_stretch: int = 32

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: There are not 1 to 4 groups, or the stretch is not 1 to 65536.
        """
        require_int("McLimits", "max_groups", self.max_groups, 1, _MAX_GROUPS)
        require_int("McLimits", "fcnt_stretch", self.fcnt_stretch, 1, 1 << 16)


def session_errors(
    req: SessionReq,
    profile: McProfile,
    limits: McLimits,
    *,
    defined: bool,
    listen: Listen | None,
    gps: float | None,
) -> v2.SessionError:
    """Return every bit of refusal that applies (TS005, session answers).

    Args:
        req: The request.
        profile: The version spoken, or the stack imitated.
        limits: What the device can do.
        defined: Whether the group is.
        listen: The window asked for, in GPS seconds; None while the time is not known.
        gps: GPS seconds, or None.
    """
    errors = v2.SessionError(0)
    hopping = req.dl_freq_hz == 0 and isinstance(req, v1.McClassBSessionReq) and limits.hops
    if not hopping and req.dl_freq_hz not in limits.frequencies_hz:
        errors |= v2.SessionError.FREQ_ERROR
    if req.dr not in limits.drs:
        errors |= v2.SessionError.DR_ERROR
    if not defined:
        errors |= v2.SessionError.MC_GROUP_UNDEFINED
        if profile.undefined_sets_all:
            errors |= v2.SessionError.FREQ_ERROR | v2.SessionError.DR_ERROR
    if listen is None or gps is None:
        return errors
    missed = from_wire(req.session_time, near=gps) <= gps
    if profile.has_start_missed:
        if missed:
            errors |= v2.SessionError.START_MISSED
    elif listen.end <= gps or (missed and not profile.joins_late):
        # version 1 has no bit for it; LoRaMac-node uses this one
        errors |= v2.SessionError.MC_GROUP_UNDEFINED
    return errors


def refusal_ans(req: SessionReq, profile: McProfile, errors: v2.SessionError) -> Command:
    """Return the answer that refuses a session."""
    spoilt = v2.SessionError.FREQ_ERROR | v2.SessionError.DR_ERROR
    if profile.refuses_silently and errors & spoilt:
        return CutShortAns()
    return _session_ans(req, profile, errors, None)


def acceptance_ans(
    req: SessionReq, profile: McProfile, *, listen: Listen | None, gps: float | None
) -> SessionAns:
    """Return the answer that accepts a session and tells how long it is to its start."""
    seconds = CLOCK_UNKNOWN
    if listen is not None and gps is not None:
        seconds = max(int(listen.start - gps), 0)
        cut = seconds & CLOCK_UNKNOWN
        seconds = cut if profile.truncates_time_to_start else min(seconds, CLOCK_UNKNOWN)
    return _session_ans(req, profile, v2.SessionError(0), seconds)


def _session_ans(
    req: SessionReq, profile: McProfile, errors: v2.SessionError, seconds: int | None
) -> SessionAns:
    class_b = isinstance(req, v1.McClassBSessionReq)
    if profile.has_start_missed:
        second = v2.McClassBSessionAns if class_b else v2.McClassCSessionAns
        return second(mc_group_id=req.mc_group_id, errors=errors, time_to_start=seconds)
    first = v1.McClassBSessionAns if class_b else v1.McClassCSessionAns
    return first(mc_group_id=req.mc_group_id, errors=v1.SessionError(errors), time_to_start=seconds)
