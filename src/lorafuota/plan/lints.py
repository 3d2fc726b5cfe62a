"""What is wrong with a plan, in words, before a night of airtime shows it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, final

from ..campaign.config import WindowClass
from ..campaign.windows import LEAD_SECONDS, frames_that_fit
from ..datablock import MAX_NB_FRAG
from ..image.advice import advise
from ..link import BEACON_PERIOD_SECONDS
from ..wire import JSON
from .windows import placeholder_group

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["Lint", "LintCode", "Severity", "check"]

_FEW: Final = 100
"""Fragments of which a device may lose all."""


class Severity(enum.Enum):
    """How bad it is."""

    ERROR = "error"
    """It cannot work: no campaign is made from such a plan."""
    WARNING = "warning"
    """It will probably not do what was asked for."""
    NOTE = "note"
    """Worth knowing."""


class LintCode(enum.Enum):
    """What a lint is about."""

    INDEX_OVERFLOW = "index-overflow"
    """More fragments than the 14 bits of N can number."""
    LARGE_IMAGE = "large-image"
    """More octets than large network servers take."""
    FRAGMENT_TOO_LARGE = "fragment-too-large"
    """A frame that the data rate does not carry."""
    DWELL_TIME = "dwell-time"
    """A frame that is too long where the 400 ms dwell limit is on."""
    ALIGNMENT = "alignment"
    """Fragments that do not fill whole flash units."""
    WINDOW_TOO_SHORT = "window-too-short"
    """A window that has to be longer than it may, or that does not hold all frames."""
    REDUNDANCY_TOO_SMALL = "redundancy-too-small"
    """Less parity than the wanted probability takes."""
    REDUNDANCY_USELESS = "redundancy-useless"
    """No number of coded fragments is enough."""
    CODED_ALONE = "coded-alone"
    """Coded fragments alone never complete a block: v2 with floor(M / 2) even."""
    ONE_FRAGMENT = "one-fragment"
    """A block of one fragment, which no coding helps."""
    CLOCK_DRIFT = "clock-drift"
    """Clocks that may be wrong by more than the lead when the window opens."""
    NO_FREQUENCY = "no-frequency"
    """A region without a default downlink channel."""
    NOT_IN_A_SUB_BAND = "not-in-a-sub-band"
    """A frequency that no sub-band of the region holds."""
    COUNTERS = "counters"
    """More frames than the group has counters."""


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Lint:
    """One thing that is wrong, or worth knowing."""

    severity: Severity
    code: LintCode
    text: str

    def __str__(self) -> str:
        """Say it."""
        return f"{self.severity.value}: {self.text}"

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON."""
        return {"severity": self.severity.value, "code": self.code.value, "text": self.text}


def check(plan: Plan) -> Iterator[Lint]:
    """Look a plan over; errors come first.

    Args:
        plan: The plan; its own lints are not looked at.
    """
    found = [*_size(plan), *_air(plan), *_windows(plan), *_redundancy(plan), *_code(plan)]
    for severity in Severity:
        yield from (one for one in found if one.severity is severity)


def _size(plan: Plan) -> Iterator[Lint]:
    request, radio = plan.request, plan.radio
    if plan.nb_frag >= MAX_NB_FRAG:
        least = request.image_octets // MAX_NB_FRAG + 1
        yield Lint(
            Severity.ERROR,
            LintCode.INDEX_OVERFLOW,
            f"{request.image_octets} octets are {plan.nb_frag} fragments of {radio.frag_size}, and "
            f"N has 14 bits: {MAX_NB_FRAG} with the coded ones. Send a delta, split the image, or "
            f"take fragments of {least} octets or more"
            + ("" if least <= radio.room else f", which DR{radio.rate.dr} does not carry"),
        )
    for text in advise(request.image_octets):
        yield Lint(Severity.NOTE, LintCode.LARGE_IMAGE, text)
    if radio.frag_size > radio.room:
        yield Lint(
            Severity.ERROR,
            LintCode.FRAGMENT_TOO_LARGE,
            f"a fragment of {radio.frag_size} octets does not fit: {radio.region.name} "
            f"DR{radio.rate.dr} carries {radio.room}, three more with identifier and N",
        )
    dwell = radio.rate.max_payload_dwell
    if dwell is not None and not request.dwell_400ms and radio.frag_size + 3 > dwell:
        most = f"at most {dwell - 3}" if dwell > 3 else "none"
        yield Lint(
            Severity.NOTE,
            LintCode.DWELL_TIME,
            f"where the 400 ms dwell limit is on, DR{radio.rate.dr} carries fragments of {most} "
            "octets: ask for the limit if it may be",
        )
    unit = request.flash_unit
    if radio.frag_size % unit:
        why = (
            f"a fragment of {radio.room} octets is the largest DR{radio.rate.dr} carries"
            if unit > radio.room
            else f"{radio.frag_size - radio.frag_size % unit or unit} would be one"
        )
        yield Lint(
            Severity.WARNING,
            LintCode.ALIGNMENT,
            f"fragments of {radio.frag_size} octets are no multiple of the flash unit of {unit}: "
            f"a device has to read, merge and write again; {why}",
        )


def _air(plan: Plan) -> Iterator[Lint]:
    request, radio = plan.request, plan.radio
    if radio.dl_freq_hz is None or (
        radio.dl_freq_hz == 0
        and (request.window_class is WindowClass.C or radio.region.ping_slot.channels == 1)
    ):
        yield Lint(
            Severity.ERROR,
            LintCode.NO_FREQUENCY,
            f"{radio.region.name} has no default channel for class {request.window_class.value} "
            "windows: say on which frequency they are",
        )
    elif radio.dl_freq_hz and radio.region.sub_bands and radio.sub_band is None:
        bands = ", ".join(
            f"{band.from_hz / 1e6:g} to {band.to_hz / 1e6:g} MHz at {float(band.duty_cycle):.1%}"
            for band in radio.region.sub_bands
        )
        yield Lint(
            Severity.ERROR,
            LintCode.NOT_IN_A_SUB_BAND,
            f"{radio.dl_freq_hz / 1e6:g} MHz with its bandwidth lies in no sub-band of "
            f"{radio.region.name}: {bands}",
        )


def _windows(plan: Plan) -> Iterator[Lint]:
    request, radio = plan.request, plan.radio
    unit = BEACON_PERIOD_SECONDS if request.window_class is WindowClass.B else 1
    longest = max(window.time_out for window in plan.windows)
    if request.time_out is not None and longest > request.time_out:
        yield Lint(
            Severity.ERROR,
            LintCode.WINDOW_TOO_SHORT,
            f"{plan.windows[0].frames} frames, one every {radio.spacing_us / 1e6:g} s, need a "
            f"window of {unit << longest} s (TimeOut {longest}): TimeOut {request.time_out} closes "
            f"after {unit << request.time_out} s",
        )
    if len(plan.windows) > 1:
        fits = frames_that_fit(placeholder_group(request, radio))
        yield Lint(
            Severity.WARNING,
            LintCode.WINDOW_TOO_SHORT,
            f"one window does not hold {plan.frames} frames: TimeOut 15 is {unit << 15} s, enough "
            f"for {fits}; it takes {len(plan.windows)} windows, each announced to each device",
        )
    wait = plan.windows[0].start - request.start
    off = wait * request.clock_drift_ppm / 1e6
    if off > LEAD_SECONDS / 2:
        hours = LEAD_SECONDS / 2 / request.clock_drift_ppm * 1e6 / 3600
        yield Lint(
            Severity.WARNING,
            LintCode.CLOCK_DRIFT,
            f"a clock that was set {wait / 3600:.1f} h before the window is off by up to "
            f"{off:.1f} s, and the first frame comes {LEAD_SECONDS:g} s after it opens: have "
            f"clocks set (TS003) in the last {hours:.0f} h",
        )
    if plan.frames > request.max_mc_fcnt:
        yield Lint(
            Severity.ERROR,
            LintCode.COUNTERS,
            f"{plan.frames} frames need more counters than the group's {request.max_mc_fcnt}",
        )


def _redundancy(plan: Plan) -> Iterator[Lint]:
    request, enough = plan.request, plan.parity_enough
    if plan.nb_frag > MAX_NB_FRAG:
        return
    fleet = f"all {request.devices} devices" if request.devices > 1 else "the device"
    if enough is None:
        why = f"N ends at {MAX_NB_FRAG}"
        if request.max_lost is not None:
            why = f"devices that can lose {request.max_lost} fragments will lose more"
        elif request.variant.always_even(plan.nb_frag) and plan.nb_frag < _FEW:
            why = f"a device that loses all {plan.nb_frag} plain ones is helped by none"
        yield Lint(
            Severity.WARNING,
            LintCode.REDUNDANCY_USELESS,
            f"no number of coded fragments completes {fleet} with probability "
            f"{request.probability:g}: {why}",
        )
    elif plan.parity < enough:
        single = 1 - plan.prediction.failure
        everybody = plan.prediction.all_complete(request.devices)
        chances = f"one device completes with probability {single:.2f}"
        if request.devices > 1:
            chances += f", {fleet} with {everybody:.2f}"
        yield Lint(
            Severity.WARNING,
            LintCode.REDUNDANCY_TOO_SMALL,
            f"{plan.redundancy:.1%} redundancy at {request.losses.loss:.0%} loss: {chances}. "
            f"{request.probability:.4g} takes {enough} coded fragments, "
            f"{enough / plan.nb_frag:.1%}",
        )


def _code(plan: Plan) -> Iterator[Lint]:
    if plan.nb_frag == 1:
        yield Lint(
            Severity.NOTE,
            LintCode.ONE_FRAGMENT,
            "no coded fragment helps a block of one fragment: it is repeated instead",
        )
    elif plan.request.variant.always_even(plan.nb_frag):
        yield Lint(
            Severity.NOTE,
            LintCode.CODED_ALONE,
            f"every coded fragment of {plan.request.variant.value} has {plan.nb_frag // 2} taps, "
            "an even number: a device that hears no plain fragment never completes, however many "
            "coded ones it hears",
        )
