"""How long a frame is on air, in whole microseconds, and how often it may be.

Lengths are those of PHYPayload: FRMPayload + 13 for a multicast downlink.  Downlinks carry no
payload CRC, uplinks do; counting it for downlinks makes them up to five symbols too long.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from ..errors import FieldError, require_int

__all__ = [
    "frames_per_hour",
    "fsk_time_on_air_us",
    "lora_time_on_air_us",
    "min_spacing_us",
]

_BANDWIDTHS_HZ: Final = (125_000, 250_000, 500_000)
_OPTIMIZE_FROM_US: Final = 16_384
_HOUR_US: Final = 3_600_000_000


def lora_time_on_air_us(
    phy_len: int,
    *,
    sf: int,
    bw_hz: int,
    crc: bool,
    preamble_symbols: int | None = None,
    coding_rate: int = 1,
    explicit_header: bool = True,
) -> int:
    """Return the microseconds a LoRa frame takes (SX127x and SX126x data sheets).

    Low data rate optimisation is on where a symbol lasts 16.384 ms or longer, as LoRaWAN has it.

    Args:
        phy_len: Octets of PHYPayload, 0 to 255.
        sf: Spreading factor, 5 to 12.
        bw_hz: 125000, 250000 or 500000.
        crc: Payload CRC: False for downlinks, True for uplinks.
        preamble_symbols: 8 when None, 12 for SF5 and SF6, which need at least that.
        coding_rate: 1 (4/5, as LoRaWAN has it) to 4 (4/8).
        explicit_header: True in LoRaWAN, except in beacons.

    Raises:
        FieldError: An argument is out of its range.
    """
    where = "lora_time_on_air_us"
    require_int(where, "phy_len", phy_len, 0, 255)
    require_int(where, "sf", sf, 5, 12)
    require_int(where, "coding_rate", coding_rate, 1, 4)
    if bw_hz not in _BANDWIDTHS_HZ:
        raise FieldError(where, "bw_hz", bw_hz, "125000, 250000 or 500000")
    short = sf <= 6
    fewest = 12 if short else 1
    if preamble_symbols is None:
        preamble_symbols = 12 if short else 8
    require_int(where, "preamble_symbols", preamble_symbols, fewest, 0xFFFF)

    symbol_us = (1 << sf) * 1_000_000 // bw_hz
    bits = 8 * phy_len - 4 * sf + (0 if short else 8) + 16 * crc + 20 * explicit_header
    bits_per_block = 4 * (sf - 2 * (symbol_us >= _OPTIMIZE_FROM_US))
    payload_symbols = 8 + max(-(-bits // bits_per_block), 0) * (coding_rate + 4)
    quarters = 4 * (preamble_symbols + payload_symbols) + (25 if short else 17)
    return quarters * symbol_us // 4


def fsk_time_on_air_us(phy_len: int, *, crc: bool, bitrate: int = 50_000) -> int:
    """Return the microseconds an FSK frame takes, rounded up.

    Args:
        phy_len: Octets of PHYPayload, 0 to 255.
        crc: Count the two octets of the CRC.
        bitrate: Bits per second.

    Raises:
        FieldError: An argument is out of its range.
    """
    require_int("fsk_time_on_air_us", "phy_len", phy_len, 0, 255)
    require_int("fsk_time_on_air_us", "bitrate", bitrate, 1, 1_000_000)
    preamble, sync, length = 5, 3, 1
    bits = 8 * (preamble + sync + length + phy_len + 2 * crc)
    return -(-bits * 1_000_000 // bitrate)


def min_spacing_us(time_on_air_us: int, duty_cycle: Fraction) -> int:
    """Return the shortest distance between frame starts that keeps a duty cycle, rounded up.

    Args:
        time_on_air_us: Of one frame, at least 1.
        duty_cycle: Above 0, at most 1; ``Fraction(1, 10)`` for 10 %.

    Raises:
        FieldError: An argument is out of its range.
    """
    _check_duty("min_spacing_us", time_on_air_us, duty_cycle)
    return -(-time_on_air_us * duty_cycle.denominator // duty_cycle.numerator)


def frames_per_hour(time_on_air_us: int, duty_cycle: Fraction) -> int:
    """Return how many such frames one transmitter may send in any hour.

    Args:
        time_on_air_us: Of one frame, at least 1.
        duty_cycle: Above 0, at most 1.

    Raises:
        FieldError: An argument is out of its range.
    """
    _check_duty("frames_per_hour", time_on_air_us, duty_cycle)
    return _HOUR_US * duty_cycle.numerator // (time_on_air_us * duty_cycle.denominator)


def _check_duty(where: str, time_on_air_us: int, duty_cycle: Fraction) -> None:
    require_int(where, "time_on_air_us", time_on_air_us, 1, _HOUR_US)
    if not 0 < duty_cycle <= 1:
        raise FieldError(where, "duty_cycle", duty_cycle, "a Fraction above 0, at most 1")
