"""What one transfer takes from a device's battery, in class A, B and C, from stated currents.

The transfer only: joining, set-up, status and flash memory come on top.

* Class A: each fragment is a unicast downlink: an uplink, the receive window it comes in, and
  sleep until the next uplink.
* Class B: a beacon every 128 seconds, 30 ms of every ping slot, and the frames.
* Class C: the receiver is on from the start of each window to its end.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final, final

from ..errors import FieldError
from ..link import BEACON_PERIOD_SECONDS, PING_SLOT_MS
from ..region import DataRate, Region, lora_time_on_air_us
from ..region.datarates import Modulation

__all__ = ["Currents", "Energy", "class_a", "class_b", "class_c"]

_BEACON_OCTETS: Final = 23
"""The longest of all regions."""
_BEACON_PREAMBLE: Final = 10
_EMPTY_UPLINK: Final = 13


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Currents:
    """What a device takes; put in what you measured.

    The defaults are examples, and nobody measured them for this library.  They are of the order
    that is told of a radio like Semtech's SX1261, alone and at 3.3 V: 4.6 mA to receive LoRa at
    125 kHz with the DC-DC converter, 25.5 mA to send at +14 dBm, 0.6 uA to sleep with its
    configuration kept.  What the processor takes besides is not in them, and is often more.

    Attributes:
        receive_ma: Receiver on, in mA.
        transmit_ma: Transmitter on, in mA.
        sleep_ma: Neither, in mA.
        volts: Of the battery.
    """

    receive_ma: float = 4.6
    transmit_ma: float = 25.5
    sleep_ma: float = 0.0006
    volts: float = 3.3

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is negative or infinite.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < math.inf:
                raise FieldError("Currents", field.name, value, "0 or more")


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """What a device spends on one transfer.

    Attributes:
        receive_seconds: Receiver on.
        transmit_seconds: Transmitter on.
        sleep_seconds: Neither.
        charge_mah: All of it, in mAh.
        joules: The same at the voltage stated.
    """

    receive_seconds: float
    transmit_seconds: float
    sleep_seconds: float
    charge_mah: float
    joules: float


def class_a(
    currents: Currents,
    region: Region,
    rate: DataRate,
    *,
    fragments: float,
    frame_seconds: float,
    uplink_seconds: float,
) -> Energy:
    """Return what a device spends that asks for every fragment with an uplink.

    Args:
        currents: What it takes.
        region: Where.
        rate: Of the downlinks; the uplinks go with it too where it is one for uplinks, else with
            the region's fastest LoRa rate.
        fragments: How many downlinks it takes until the block is complete.
        frame_seconds: Time on air of one.
        uplink_seconds: Between two uplinks.
    """
    if not rate.uplink:
        lora = [
            one for one in region.data_rates if one.uplink and one.modulation is Modulation.LORA
        ]
        rate = min(lora, key=lambda one: one.time_on_air_us(_EMPTY_UPLINK, crc=True))
    sent = fragments * rate.time_on_air_us(_EMPTY_UPLINK, crc=True) / 1e6
    heard = fragments * frame_seconds
    return _spent(currents, heard, sent, max(fragments * uplink_seconds - heard - sent, 0.0))


def class_b(
    currents: Currents,
    region: Region,
    *,
    windows: Sequence[float],
    frames: int,
    frame_seconds: float,
    periodicity: int,
) -> Energy:
    """Return what a device spends that hears beacons and ping slots.

    Args:
        currents: What it takes.
        region: Where.
        windows: Seconds of each window.
        frames: Frames in all of them.
        frame_seconds: Time on air of one.
        periodicity: 2**(7 - periodicity) ping slots in a beacon period.
    """
    beacon = region.data_rate(region.beacon.dr or 0)
    beacon_us = lora_time_on_air_us(
        _BEACON_OCTETS,
        sf=beacon.sf or 12,
        bw_hz=beacon.bw_hz or 125_000,
        crc=False,
        preamble_symbols=_BEACON_PREAMBLE,
        explicit_header=False,
    )
    seconds = math.fsum(windows)
    periods = math.ceil(seconds / BEACON_PERIOD_SECONDS)
    empty = max((periods << (7 - periodicity)) - frames, 0)
    heard = periods * beacon_us / 1e6 + empty * PING_SLOT_MS / 1e3 + frames * frame_seconds
    return _spent(currents, heard, 0.0, max(seconds - heard, 0.0))


def class_c(currents: Currents, *, windows: Sequence[float]) -> Energy:
    """Return what a device spends that listens from the start of each window to its end.

    Args:
        currents: What it takes.
        windows: Seconds of each window.
    """
    return _spent(currents, math.fsum(windows), 0.0, 0.0)


def _spent(currents: Currents, heard: float, sent: float, asleep: float) -> Energy:
    charge = (
        heard * currents.receive_ma + sent * currents.transmit_ma + asleep * currents.sleep_ma
    ) / 3600
    return Energy(
        receive_seconds=heard,
        transmit_seconds=sent,
        sleep_seconds=asleep,
        charge_mah=charge,
        joules=charge * 3.6 * currents.volts,
    )
