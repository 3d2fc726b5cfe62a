"""What the region and the request leave to choose on air: data rate, frequency, size, pace."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Final, final

from ..campaign.config import WindowClass
from ..errors import FieldError
from ..link import MAX_FRM_PAYLOAD, MC_FRAME_OVERHEAD
from ..region import Channel, DataRate, Region, SubBand, min_spacing_us, region
from .request import PlanRequest

__all__ = ["FRAGMENT_OVERHEAD", "Radio", "choose_radio"]

FRAGMENT_OVERHEAD: Final = 3
"""Octets of a DataFragment before its payload: identifier, Index&N."""


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Radio:
    """What goes on air, and how fast.

    Attributes:
        region: Radio facts.
        rate: Data rate of the windows.
        dl_freq_hz: Their frequency; 0 hops; None where the region has no default.
        sub_band: Where a duty cycle is counted, if anywhere.
        room: Octets a fragment may have at this data rate.
        frag_size: Octets it has.
        frame_us: Time on air of a full frame.
        spacing_us: Between the starts of two frames of one group.
        duty_cycle: Share of time a gateway may send; 1 without a limit.
    """

    region: Region
    rate: DataRate
    dl_freq_hz: int | None
    sub_band: SubBand | None
    room: int
    frag_size: int
    frame_us: int
    spacing_us: int
    duty_cycle: Fraction


def choose_radio(request: PlanRequest) -> Radio:
    """Choose what the request leaves open.

    Raises:
        FieldError: The region or data rate does not exist or is not for multicast, or a fragment
            is longer than any frame.
    """
    here = region(request.region)
    rate = _rate(here, request)
    room = here.max_payload(rate.dr, repeater=request.repeater, dwell_400ms=request.dwell_400ms)
    room -= FRAGMENT_OVERHEAD
    frag_size = request.frag_size
    if frag_size is None:
        frag_size = room - room % request.flash_unit or room
    elif frag_size > MAX_FRM_PAYLOAD - FRAGMENT_OVERHEAD:
        expected = f"at most {MAX_FRM_PAYLOAD - FRAGMENT_OVERHEAD} octets, at any data rate"
        raise FieldError("PlanRequest", "frag_size", frag_size, expected)
    frame_us = rate.time_on_air_us(MC_FRAME_OVERHEAD + FRAGMENT_OVERHEAD + frag_size)
    dl_freq_hz = _frequency(here, request)
    band = here.sub_band(dl_freq_hz, bw_hz=rate.bw_hz or 125_000) if dl_freq_hz else None
    duty = Fraction(1)
    if request.duty_cycle is not None:
        duty = Fraction(request.duty_cycle).limit_denominator(1_000_000)
    elif band is not None:
        duty = band.duty_cycle
    return Radio(
        region=here,
        rate=rate,
        dl_freq_hz=dl_freq_hz,
        sub_band=band,
        room=room,
        frag_size=frag_size,
        frame_us=frame_us,
        spacing_us=_spacing_us(request, frame_us, duty),
        duty_cycle=duty,
    )


def _rate(here: Region, request: PlanRequest) -> DataRate:
    rates = {
        rate.dr: rate
        for rate in here.multicast_data_rates(dwell_400ms=request.dwell_400ms)
        if here.max_payload(rate.dr, repeater=request.repeater, dwell_400ms=request.dwell_400ms)
        > FRAGMENT_OVERHEAD
    }
    wanted = request.dr
    if wanted is None:
        lora = [dr for dr, rate in rates.items() if rate.sf is not None]
        wanted = 5 if 5 in lora else max(lora)
    if wanted not in rates:
        usable = ", ".join(str(dr) for dr in rates)
        raise FieldError("PlanRequest", "dr", wanted, f"one for multicast in {here.name}: {usable}")
    return rates[wanted]


def _frequency(here: Region, request: PlanRequest) -> int | None:
    if request.dl_freq_hz is not None:
        return request.dl_freq_hz
    channels: tuple[Channel, ...] = (here.rx2, here.ping_slot, here.beacon)
    if request.window_class is WindowClass.B:
        if here.ping_slot.channels > 1:
            return 0
        channels = (here.ping_slot, here.beacon, here.rx2)
    return next((one.freq_hz for one in channels if one.freq_hz is not None), None)


def _spacing_us(request: PlanRequest, frame_us: int, duty: Fraction) -> int:
    """Return the distance of frames, so that every gateway keeps its duty cycle.

    Gateways that take turns send a frame one after the other, before the next frame begins.
    """
    turns = request.gateways if request.staggered else 1
    spacing = max(min_spacing_us(frame_us, duty), turns * frame_us)
    spacing = max(spacing * request.groups, round(request.min_spacing_seconds * 1e6))
    return -(-spacing // 1000) * 1000
