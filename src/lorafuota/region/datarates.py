"""Data rates, payload limits and default channels of every region, read from ``data.json``.

The figures are those of RP002-1.0.2 to RP002-1.0.4.  Older documents allow less in places (AS923
DR2, CN470 DR0 to DR3): with such devices in a group, take the oldest figure.  From RP002-1.0.5 on
a data rate index may mean one thing up and another down.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib.resources
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, final

from ..errors import FieldError
from .airtime import fsk_time_on_air_us, lora_time_on_air_us

__all__ = [
    "Channel",
    "DataRate",
    "Modulation",
    "Region",
    "SubBand",
    "region",
    "region_names",
]


class Modulation(enum.Enum):
    """How a data rate puts bits on air."""

    LORA = "LoRa"
    FSK = "FSK"
    LR_FHSS = "LR-FHSS"


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataRate:
    """One line of a region's data rate table.  Payloads are FRMPayload octets without FOpts."""

    dr: int
    modulation: Modulation
    uplink: bool
    downlink: bool
    max_payload: int
    """No repeater in the path; 0 means not usable."""
    max_payload_repeater: int
    """A repeater may be in the path."""
    max_payload_dwell: int | None = None
    """Under the 400 ms dwell limit, 0 for not usable; None where a region has no such limit."""
    sf: int | None = None
    """LoRa: spreading factor."""
    bw_hz: int | None = None
    """LoRa: bandwidth."""
    bitrate: int | None = None
    """FSK: bits per second."""
    coding_rate: str | None = None
    """LR-FHSS: "1/3" or "2/3"."""
    ocw_hz: int | None = None
    """LR-FHSS: occupied channel width."""

    @property
    def max_mac_payload(self) -> int:
        """M of the tables: FHDR, FPort and FRMPayload; 0 means not usable."""
        return self.max_payload + 8 if self.max_payload else 0

    def time_on_air_us(self, phy_len: int, *, crc: bool = False) -> int:
        """Return the microseconds a frame takes.

        Args:
            phy_len: Octets of PHYPayload, 0 to 255; FRMPayload + 13 for a multicast downlink.
            crc: Payload CRC: False for downlinks, True for uplinks.

        Raises:
            FieldError: *phy_len* is out of range, or this is LR-FHSS, which is uplink only.
        """
        if self.sf is not None and self.bw_hz is not None:
            return lora_time_on_air_us(phy_len, sf=self.sf, bw_hz=self.bw_hz, crc=crc)
        if self.bitrate is not None:
            return fsk_time_on_air_us(phy_len, bitrate=self.bitrate, crc=crc)
        raise FieldError("DataRate", "modulation", self.modulation.value, "LoRa or FSK")


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A default downlink channel, or a row of them where a region hops."""

    freq_hz: int | None
    """Of the first channel; None where it depends on a channel plan and must be stated."""
    dr: int | None
    """None where it must be stated."""
    channels: int = 1
    step_hz: int = 0

    def frequency_hz(self, channel: int = 0) -> int:
        """Return the frequency of one channel (see :func:`lorafuota.link.hopping_channel`).

        Raises:
            FieldError: There is no such channel, or the region gives no frequency.
        """
        if self.freq_hz is None:
            raise FieldError("Channel", "freq_hz", None, "a frequency stated by the caller")
        if not 0 <= channel < self.channels:
            raise FieldError("Channel", "channel", channel, f"int in 0..{self.channels - 1}")
        return self.freq_hz + channel * self.step_hz


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SubBand:
    """A piece of spectrum with its own duty cycle; a planning aid, not legal advice."""

    name: str
    from_hz: int
    to_hz: int
    duty_cycle: Fraction
    """Share of any hour that one transmitter may be on air here."""
    max_erp_dbm: int


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What a multicast session needs to know about a region."""

    name: str
    frequency_offset_hz: int
    """AS923 groups: what was added to the frequencies of group 1; they are stored as they are."""
    data_rates: tuple[DataRate, ...]
    multicast_dr: tuple[int, ...]
    """Data rates a multicast session may use."""
    multicast_dr_dwell: tuple[int, ...] | None
    """The same under the 400 ms dwell limit; None where the region has none."""
    rx2: Channel
    beacon: Channel
    ping_slot: Channel
    downlink_channels_hz: tuple[int, ...]
    """Fixed downlink channels, where the region has them."""
    sub_bands: tuple[SubBand, ...]
    """Duty-cycle sub-bands, where the region has them."""

    def data_rate(self, dr: int) -> DataRate:
        """Return one data rate by its index.

        Raises:
            FieldError: The region does not define it.
        """
        for rate in self.data_rates:
            if rate.dr == dr:
                return rate
        defined = ", ".join(str(rate.dr) for rate in self.data_rates)
        raise FieldError(self.name, "dr", dr, f"one of {defined}")

    def max_payload(self, dr: int, *, repeater: bool = False, dwell_400ms: bool = False) -> int:
        """Return the largest FRMPayload without FOpts; 0 means that the data rate is not usable.

        Args:
            dr: Data rate index.
            repeater: A repeater may be in the path.
            dwell_400ms: The 400 ms dwell limit may be on.

        Raises:
            FieldError: The region does not define *dr*, or has no dwell limit.
        """
        rate = self.data_rate(dr)
        limits = [rate.max_payload]
        if repeater:
            limits.append(rate.max_payload_repeater)
        if dwell_400ms:
            if rate.max_payload_dwell is None:
                raise FieldError(self.name, "dwell_400ms", True, "False: no dwell limit here")
            limits.append(rate.max_payload_dwell)
        return min(limits)

    def multicast_data_rates(self, *, dwell_400ms: bool = False) -> tuple[DataRate, ...]:
        """Return the data rates a multicast session may use.

        Raises:
            FieldError: *dwell_400ms* where the region has no dwell limit.
        """
        indices: tuple[int, ...] | None = self.multicast_dr
        if dwell_400ms:
            indices = self.multicast_dr_dwell
            if indices is None:
                raise FieldError(self.name, "dwell_400ms", True, "False: no dwell limit here")
        return tuple(self.data_rate(dr) for dr in indices or ())

    def sub_band(self, freq_hz: int, *, bw_hz: int = 125_000) -> SubBand | None:
        """Return the sub-band that holds a transmission with its whole bandwidth.

        None means that there is none: in a region with sub-bands, that the frequency is not for
        this use; elsewhere, that no duty cycle is known here.
        """
        low, high = freq_hz - bw_hz // 2, freq_hz + bw_hz // 2
        for band in self.sub_bands:
            if band.from_hz <= low and high <= band.to_hz:
                return band
        return None


def region_names() -> tuple[str, ...]:
    """Return the names :func:`region` takes."""
    return tuple(_regions())


def region(name: str) -> Region:
    """Look a region up by its common name: "EU868", "US915", "AS923-2", ...

    Upper and lower case are the same, and "AS923-1" is "AS923".

    Raises:
        FieldError: There is no such region here.
    """
    wanted = name.upper()
    found = _regions().get("AS923" if wanted == "AS923-1" else wanted)
    if found is None:
        raise FieldError("region", "name", name, f"one of {', '.join(_regions())}")
    return found


@functools.cache
def _regions() -> Mapping[str, Region]:
    text = importlib.resources.files("lorafuota.region").joinpath("data.json").read_text("utf-8")
    return {name: _region(name, entry) for name, entry in json.loads(text)["regions"].items()}


def _region(name: str, entry: Mapping[str, Any]) -> Region:
    dwell = entry.get("multicast_dr_dwell")
    return Region(
        name=name,
        frequency_offset_hz=entry["frequency_offset_hz"],
        data_rates=tuple(map(_data_rate, entry["data_rates"])),
        multicast_dr=tuple(entry["multicast_dr"]),
        multicast_dr_dwell=None if dwell is None else tuple(dwell),
        rx2=_channel(entry["rx2"]),
        beacon=_channel(entry["beacon"]),
        ping_slot=_channel(entry["ping_slot"]),
        downlink_channels_hz=tuple(entry["downlink_channels_hz"]),
        sub_bands=tuple(map(_sub_band, entry.get("sub_bands", ()))),
    )


def _data_rate(entry: Mapping[str, Any]) -> DataRate:
    return DataRate(
        dr=entry["dr"],
        modulation=Modulation(entry["mod"]),
        uplink=entry["direction"] != "down",
        downlink=entry["direction"] != "up",
        max_payload=entry["N"],
        max_payload_repeater=entry["N_repeater"],
        max_payload_dwell=entry.get("N_dwell_400ms"),
        sf=entry.get("sf"),
        bw_hz=entry.get("bw_hz"),
        bitrate=entry.get("bitrate"),
        coding_rate=entry.get("cr"),
        ocw_hz=entry.get("ocw_hz"),
    )


def _channel(entry: Mapping[str, Any] | None) -> Channel:
    entry = entry or {}
    return Channel(
        freq_hz=entry.get("freq_hz"),
        dr=entry.get("dr"),
        channels=entry.get("channels", 1),
        step_hz=entry.get("step_hz", 0),
    )


def _sub_band(entry: Mapping[str, Any]) -> SubBand:
    return SubBand(
        name=entry["band"],
        from_hz=entry["from_hz"],
        to_hz=entry["to_hz"],
        duty_cycle=Fraction(entry["duty"]),
        max_erp_dbm=entry["max_erp_dbm"],
    )
