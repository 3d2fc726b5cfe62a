"""Radio facts per region: data rates, payload limits, default channels, time on air.

>>> from lorafuota.region import region
>>> eu868 = region("EU868")
>>> eu868.max_payload(5), eu868.data_rate(5).time_on_air_us(242 + 13)
(242, 394496)
"""

from __future__ import annotations

from .airtime import frames_per_hour, fsk_time_on_air_us, lora_time_on_air_us, min_spacing_us
from .datarates import Channel, DataRate, Modulation, Region, SubBand, region, region_names

__all__ = [
    "Channel",
    "DataRate",
    "Modulation",
    "Region",
    "SubBand",
    "frames_per_hour",
    "fsk_time_on_air_us",
    "lora_time_on_air_us",
    "min_spacing_us",
    "region",
    "region_names",
]
