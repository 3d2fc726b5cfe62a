"""What a campaign is told: the block, the devices, the multicast groups, and how patient to be.

All of this is the operator's and does not change while the campaign runs; what changes is in
:mod:`lorafuota.campaign.state`.  Keys are here and only here, so a stored campaign holds none.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import Final

from ..catalogue import PackageMap
from ..datablock import DataBlock
from ..errors import FieldError, require_int
from ..fec.variant import ParityVariant
from ..gpstime import to_wire
from ..link import MAX_FRM_PAYLOAD
from ..multicastsetup.v1 import McClassBSessionReq, McClassCSessionReq
from ..session.profile import CLOCK_PROFILES, FRAG_PROFILES, MC_PROFILES
from ..types import AppKey, DevAddr, DevEUI, GenAppKey, McKey, require_key
from .quirks import StatusQuirk
from .state import ASKING, Stage

__all__ = [
    "CampaignConfig",
    "ClockCheck",
    "FirmwareStep",
    "GroupConfig",
    "Member",
    "RetryPolicy",
    "WindowClass",
]

_HIGHEST: Final = 0xFFFFFFFF
_CLEANUP_ATTEMPTS: Final = 2
_FRAGMENT_HEAD: Final = 3
"""Octets of a DataFragment before its payload."""

_CLASS_B_LEAD: Final = 5.0
"""Seconds a class B frame is handed out before its slot; no document has a figure."""

_MOST_DELAY: Final = 7
"""The highest BlockAckDelay."""


def _require_seconds(message: str, field: str, seconds: float, *, above_zero: bool = False) -> None:
    """Check a duration; infinity is none."""
    if not 0 <= seconds < math.inf or (above_zero and seconds == 0):
        raise FieldError(message, field, seconds, "above 0" if above_zero else "0 or more")


class ClockCheck(enum.Enum):
    """Whether a device that is going to listen in a window has its clock checked first (TS003)."""

    OFF = "off"
    """TimeToStart of its answer to the session request has to do."""
    IF_ABLE = "if able"
    """A device without TS003, or one that does not answer, is let pass."""
    REQUIRED = "required"
    """Such a device is refused, and so is one whose clock cannot be put right."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One device of a campaign.

    Attributes:
        dev_eui: Its identity; whatever the caller's network server calls it by.
        root_key: GenAppKey (LoRaWAN 1.0.x) or AppKey (1.1).
        multicast: False for a device that gets every fragment by unicast.
        frag_version: Version of TS004, or None to ask the device.
        mc_version: Version of TS005, or None to ask the device.
        clock_version: Version of TS003, 0 if the device has none, or None to ask it.
        fm_version: Version of TS006, 0 if the device has none, or None to ask it.
        multi_package: Whether it speaks TS007 and is asked for all its packages at once; None to
            try that once.
        parity: The matrix its decoder uses, or None for what its version says.
        frag_index: FragIndex to begin with, 0 to 3, if served by unicast; others are tried if it is
            refused.
        mc_group_id: McGroupID to begin with, 0 to 3; others are tried if it is refused.
        session_cnt: First SessionCnt of version 2 that was never used with this device and index.
        quirks: What to make of its status answers.
        fports: FPort by package name, where it is not the document's.
    """

    dev_eui: DevEUI
    root_key: GenAppKey | AppKey
    multicast: bool = True
    frag_version: int | None = None
    mc_version: int | None = None
    clock_version: int | None = None
    fm_version: int | None = None
    multi_package: bool | None = None
    parity: ParityVariant | None = None
    frag_index: int = 0
    mc_group_id: int = 0
    session_cnt: int = 0
    quirks: StatusQuirk = StatusQuirk.NONE
    fports: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range, a version or port cannot be, or the key is of another
                class.
        """
        require_key("Member", "root_key", self.root_key, GenAppKey, AppKey)
        for name, versions in _VERSIONS.items():
            version = getattr(self, name)
            if version is not None and version not in versions:
                expected = ", ".join(str(one) for one in versions)
                raise FieldError("Member", name, version, f"{expected} or None")
        require_int("Member", "frag_index", self.frag_index, 0, 3)
        require_int("Member", "mc_group_id", self.mc_group_id, 0, 3)
        require_int("Member", "session_cnt", self.session_cnt, 0, 0xFFFF)
        PackageMap(fports=self.fports)


_VERSIONS: Final = {
    "frag_version": tuple(FRAG_PROFILES),
    "mc_version": tuple(MC_PROFILES),
    "clock_version": (0, *CLOCK_PROFILES),
    "fm_version": (0, 1),
}

_SECONDS: Final = (
    "setup_seconds",
    "lead_seconds",
    "rekey_seconds",
    "unicast_seconds",
    "unicast_frame_seconds",
    "clock_threshold_seconds",
)


class WindowClass(enum.Enum):
    """How the devices of a group listen."""

    B = "B"
    C = "C"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """One multicast group: all its members decode with the same matrix and hear the same frames.

    Attributes:
        name: For reports and the store.
        mc_addr: Its address.
        mc_key: Its key; fresh for every group.
        parity: The matrix of its coded fragments: members with another one need another group.
        dl_freq_hz: Frequency of its windows; 0 hops (class B).
        dr: Data rate of its windows.
        frame_seconds: Time on air of one full frame.
        spacing_seconds: Between the starts of two frames at least; gateways and the devices' flash
            memory are in here.  None where *duty_cycle* says enough.
        duty_cycle: Share of time that may be spent sending, above 0, at most 1; None where the
            spacing has it already.
        question_seconds: Time on air of the frame that asks for the status; None counts a full one.
        frame_lead_seconds: How long before its time a frame is handed out: gateways queue, and a
            class B frame has to hit its slot.  None for 0 in class C and 5 in class B.
        frag_index: FragIndex of the members' sessions; a multicast fragment carries one for all.
        fport: Port the fragments go to.
        window_class: How members listen.
        periodicity: Class B: 2**(7 - periodicity) ping slots in a beacon period.
        first_fcnt: The first counter never used with this key.
        max_mc_fcnt: End of the counters; that one is never sent.  LoRaMac-node and LoRa Basics
            Modem take the 16 bits of a first frame for the whole counter and go deaf above 65535
            (TS005 reference, section 10), which is why more has to be asked for.
    """

    name: str
    mc_addr: DevAddr
    mc_key: McKey
    parity: ParityVariant
    dl_freq_hz: int
    dr: int
    frame_seconds: float
    spacing_seconds: float | None = None
    duty_cycle: float | None = None
    question_seconds: float | None = None
    frame_lead_seconds: float | None = None
    frag_index: int = 0
    fport: int = 201
    window_class: WindowClass = WindowClass.C
    periodicity: int = 4
    first_fcnt: int = 0
    max_mc_fcnt: int = 65_535

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range, or the key is of another class.
        """
        require_key("GroupConfig", "mc_key", self.mc_key, McKey)
        require_int("GroupConfig", "frag_index", self.frag_index, 0, 3)
        require_int("GroupConfig", "fport", self.fport, 1, 223)
        require_int("GroupConfig", "periodicity", self.periodicity, 0, 7)
        require_int("GroupConfig", "max_mc_fcnt", self.max_mc_fcnt, 1, _HIGHEST)
        require_int("GroupConfig", "first_fcnt", self.first_fcnt, 0, self.max_mc_fcnt - 1)
        self._check_pace()
        for field in ("question_seconds", "frame_lead_seconds"):
            seconds = getattr(self, field)
            if seconds is not None:
                _require_seconds("GroupConfig", field, seconds)
        common = {
            "mc_group_id": 0,
            "session_time": 0,
            "time_out": 0,
            "dl_freq_hz": self.dl_freq_hz,
            "dr": self.dr,
        }
        if self.window_class is WindowClass.C:  # a message that cannot be sent raises now
            McClassCSessionReq(**common)
        else:
            McClassBSessionReq(periodicity=self.periodicity, **common)

    def _check_pace(self) -> None:
        spacing, duty = self.spacing_seconds, self.duty_cycle
        if spacing is None and duty is None:
            raise FieldError("GroupConfig", "spacing_seconds", None, "a number, or a duty_cycle")
        if duty is not None and not 0 < duty <= 1:
            raise FieldError("GroupConfig", "duty_cycle", duty, "more than 0, at most 1")
        if not 0 < self.frame_seconds < math.inf:
            raise FieldError("GroupConfig", "frame_seconds", self.frame_seconds, "above 0")
        if spacing is not None and not self.frame_seconds <= spacing < math.inf:
            expected = f"frame_seconds = {self.frame_seconds} or more"
            raise FieldError("GroupConfig", "spacing_seconds", spacing, expected)

    @property
    def pace_seconds(self) -> float:
        """Between the starts of two frames, so that spacing and duty cycle are both kept.

        A frame that long every so many seconds keeps the duty cycle over any hour.
        """
        by_duty = 0.0 if self.duty_cycle is None else self.frame_seconds / self.duty_cycle
        return max(self.spacing_seconds or self.frame_seconds, by_duty)

    @property
    def ahead_seconds(self) -> float:
        """How long before its time a frame is handed out."""
        if self.frame_lead_seconds is not None:
            return self.frame_lead_seconds
        return _CLASS_B_LEAD if self.window_class is WindowClass.B else 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is sent, and how long its answer may take.

    A class A device hears a request only after an uplink of its own, so the interval is at least
    the time between two uplinks.
    """

    attempts: int = 5
    interval_seconds: float = 900.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is not positive.
        """
        require_int("RetryPolicy", "attempts", self.attempts, 1, 10_000)
        _require_seconds("RetryPolicy", "interval_seconds", self.interval_seconds, above_zero=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareStep:
    """What follows the transfer (TS006): check the image, reboot, confirm.

    Attributes:
        version: FW version that must run in the end, in the manufacturer's coding.
        base_version: FW version that a delta starts from.  Each device is asked for its own before
            it is set up, and one that runs another gets nothing.  None for an image, which suits
            every device.
        reboot_at: GPS time at which all devices reboot (DevRebootTimeReq); one that is ready too
            late for it, or does not know the time, gets a countdown.  None: each reboots when it
            is ready.
        countdown_seconds: DevRebootCountdownReq; it is acknowledged, a reboot at once is not.
        boot_seconds: How long a device takes to be back on the network.
    """

    version: int
    base_version: int | None = None
    reboot_at: float | None = None
    countdown_seconds: int = 60
    boot_seconds: float = 600.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        require_int("FirmwareStep", "version", self.version, 0, _HIGHEST)
        if self.base_version is not None:
            require_int("FirmwareStep", "base_version", self.base_version, 0, _HIGHEST)
            if self.base_version == self.version:
                expected = "another version than the one it leads to, or None"
                raise FieldError("FirmwareStep", "base_version", self.base_version, expected)
        if self.reboot_at is not None and (
            not 0 <= self.reboot_at < math.inf or to_wire(self.reboot_at) in (0, _HIGHEST)
        ):
            expected = "a time whose 32 bits do not mean now or never"
            raise FieldError("FirmwareStep", "reboot_at", self.reboot_at, expected)
        require_int("FirmwareStep", "countdown_seconds", self.countdown_seconds, 1, 0xFFFFFE)
        _require_seconds("FirmwareStep", "boot_seconds", self.boot_seconds)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CampaignConfig:
    """Everything that is fixed before a campaign starts.

    Attributes:
        block: What to deliver.
        members: To whom; more can be added later.
        groups: Multicast groups, at most one for each parity variant that occurs.
        redundancy: Coded fragments of the first pass, as a share of the plain ones.
        completion: Share of the fleet that each repair round aims at, more than 0, less than 1.
        max_rounds: Windows with coded fragments only, after the first pass.
        max_windows: Windows the first pass may take.
        airtime_budget_seconds: Frames of all groups and of unicast together; None for no limit.
        ready_share: Share of a group that must be set up before a window is announced early.
        setup_seconds: ... and how long to wait for the rest.
        answer_share: Share of those asked what they miss that must have answered before a repair
            goes on without the rest, who are asked on.
        lead_seconds: From announcing a window to its start.
        retry: For requests.
        status_retry: For status and image requests.
        retries: For single stages, instead of these two.
        max_in_flight: Devices that may owe an answer at the same time.
        unicast_seconds: Between two fragments sent to one device by unicast.
        unicast_frame_seconds: Time on air of one, for the budget.
        status_by_multicast: Ask a group what it misses by one frame at the end of its window,
            where :meth:`spread_seconds` is enough for it, and by unicast only who stays silent.
            False asks each by unicast.
        status_participants: The Participants bit of that frame.  True: every device answers.
            False: only who misses something, and the silence of the others is asked about.  None
            is False where all who listen report by themselves (version 2), else True.
        answers_per_second: What gateways can take of a group's status answers: on average over the
            spread when one frame asks, and as many requests when each is asked.
        block_ack_delay: Answers to a multicast request, and reports, are spread over
            2**(n + 4) seconds, n from 0 to 7; None for :meth:`ack_delay`.
        rekey_seconds: How long a group whose counters are used up waits for a new key before it
            goes on by unicast.
        clock_check: Whether clocks are checked before a window.
        clock_threshold_seconds: A clock is right up to this error; above it AppTimeReq is answered.
        mic_retries: How often a session is repeated, with another SessionCnt, because the block had
            another MIC.
        firmware: What follows the transfer, or None.
    """

    block: DataBlock
    members: tuple[Member, ...]
    groups: tuple[GroupConfig, ...] = ()
    redundancy: float = 0.1
    completion: float = 0.99
    max_rounds: int = 8
    max_windows: int = 1
    airtime_budget_seconds: float | None = None
    ready_share: float = 1.0
    setup_seconds: float = 86_400.0
    answer_share: float = 1.0
    lead_seconds: float = 3_600.0
    retry: RetryPolicy = RetryPolicy()
    status_retry: RetryPolicy = RetryPolicy(attempts=4)
    retries: Mapping[Stage, RetryPolicy] = dataclasses.field(default_factory=dict)
    max_in_flight: int = 1_000
    unicast_seconds: float = 60.0
    unicast_frame_seconds: float = 0.0
    status_by_multicast: bool = True
    status_participants: bool | None = None
    answers_per_second: float = 2.0
    block_ack_delay: int | None = None
    rekey_seconds: float = 0.0
    clock_check: ClockCheck = ClockCheck.IF_ABLE
    clock_threshold_seconds: float = 1.0
    mic_retries: int = 1
    firmware: FirmwareStep | None = None

    def __post_init__(self) -> None:
        """Check how things go together.

        Raises:
            FieldError: A number is out of range, a name stands twice, or a fragment is too long for
                any data rate.
        """
        where = "CampaignConfig"
        if not 0 <= self.redundancy <= 16_383:
            raise FieldError(where, "redundancy", self.redundancy, "0 or more")
        for field in ("completion", "ready_share", "answer_share"):
            share = getattr(self, field)
            if not 0 < share <= 1 or (field == "completion" and share == 1):
                raise FieldError(where, field, share, "more than 0, less than 1")
        require_int(where, "max_rounds", self.max_rounds, 0, 1_000)
        require_int(where, "max_windows", self.max_windows, 1, 1_000)
        require_int(where, "max_in_flight", self.max_in_flight, 1, 1_000_000)
        if self.block_ack_delay is not None:
            require_int(where, "block_ack_delay", self.block_ack_delay, 0, _MOST_DELAY)
        _require_seconds(where, "answers_per_second", self.answers_per_second, above_zero=True)
        require_int(where, "mic_retries", self.mic_retries, 0, 1_000)
        for stage in self.retries:
            if stage not in ASKING:
                raise FieldError(where, "retries", stage, "stages with a request")
        for field in _SECONDS:
            _require_seconds(where, field, getattr(self, field))
        if self.airtime_budget_seconds is not None:
            _require_seconds(where, "airtime_budget_seconds", self.airtime_budget_seconds)
        if self.block.frag_size > MAX_FRM_PAYLOAD - _FRAGMENT_HEAD:
            expected = f"at most {MAX_FRM_PAYLOAD - _FRAGMENT_HEAD}"
            raise FieldError(where, "block.frag_size", self.block.frag_size, expected)
        if len({one.dev_eui for one in self.members}) != len(self.members):
            raise FieldError(where, "members", "a device stands twice", "each once")
        for field in ("name", "parity", "mc_addr", "mc_key"):
            if len({getattr(group, field) for group in self.groups}) != len(self.groups):
                raise FieldError(where, "groups", f"a {field} stands twice", "each once")

    def ack_delay(self, *, multicast: bool = True) -> int:
        """Return BlockAckDelay of a set-up.

        Where it is not configured it is the smallest n for which all members may answer within
        2**(n + 4) seconds, *answers_per_second* on average, or 7 if there is none; and 0 for a
        device served by unicast, which completes at a time of its own.
        """
        if self.block_ack_delay is not None:
            return self.block_ack_delay
        if not multicast:
            return 0
        seconds = len(self.members) / self.answers_per_second
        return min(max(math.ceil(seconds / 16) - 1, 0).bit_length(), _MOST_DELAY)

    @property
    def spread_seconds(self) -> float:
        """Over how long a group spreads its answers (TS004, BlockAckDelay)."""
        return float(1 << self.ack_delay() + 4)

    def retry_of(self, stage: Stage) -> RetryPolicy:
        """Return how often the request of a stage is sent, and how far apart."""
        if stage in self.retries:
            return self.retries[stage]
        if stage in (Stage.STATUS, Stage.IMAGE):
            return self.status_retry
        if stage is Stage.CLEANUP:
            return RetryPolicy(_CLEANUP_ATTEMPTS, self.retry.interval_seconds)
        return self.retry
