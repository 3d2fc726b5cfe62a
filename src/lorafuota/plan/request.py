"""What an operator knows before an update, and what is wanted: the input of a plan."""

from __future__ import annotations

import dataclasses
import math
from typing import Final

from ..campaign.config import WindowClass
from ..completion import Losses
from ..errors import FieldError, require_int
from ..fec.variant import ParityVariant
from .energy import Currents

__all__ = ["PlanRequest"]

_MOST_OCTETS: Final = 100_000_000
_TENTH: Final = Losses.independent(0.1)
_TYPICAL: Final = Currents()
_SECONDS: Final = ("start", "uplink_seconds", "min_spacing_seconds")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """An update that is being thought about.

    Attributes:
        image_octets: Size of the image as it is delivered, 1 or more.
        devices: How many get it.
        losses: What each device loses; take those of the worst you want to reach.
        probability: How likely all devices shall complete in the first pass, above 0, below 1.
        variant: The matrix their decoders use.
        max_lost: Plain fragments a device can lose at most and still rebuild; None for all.
        region: A name of :func:`lorafuota.region.region_names`.
        dr: Data rate of the windows; None for DR5 or the region's fastest LoRa rate.
        dl_freq_hz: Their frequency; None for the region's default.  0 hops (class B).
        repeater: A repeater may be in the path.
        dwell_400ms: The 400 ms dwell limit is on.
        duty_cycle: Share of time a gateway may send; None for what the region says, if anything.
        frag_size: Octets in a fragment; None for as many as the data rate carries.
        flash_unit: Octets a device writes at once: fragments are made a multiple of it.
        redundancy: Coded fragments as a share of the plain ones; None for enough.
        window_class: How devices listen.
        periodicity: Class B: 2**(7 - periodicity) ping slots in a beacon period, 0 to 7.
        time_out: TimeOut of TS005 that the windows must not exceed, 0 to 15; None for any.
        gateways: Gateways that cover the fleet.
        staggered: They send one after the other; otherwise all at the same time.
        groups: Multicast groups that share the gateways' time: one for each parity variant.
        min_spacing_seconds: Between the starts of two frames at least, for slow flash memory.
        start: GPS seconds at which set-up begins; 0 gives times from then on.
        uplink_seconds: Time between two uplinks of a class A device: unicast waits for them.
        uplink_loss: Share of uplinks lost, 0 to less than 1.
        clock_drift_ppm: How wrong a device's clock goes.
        max_mc_fcnt: End of the group's counters; see :class:`lorafuota.campaign.GroupConfig`.
        currents: What a device takes.
        seed: Chooses the sample where completion is simulated.
    """

    image_octets: int
    devices: int = 1
    losses: Losses = _TENTH
    probability: float = 0.99
    variant: ParityVariant = ParityVariant.V2
    max_lost: int | None = None
    region: str = "EU868"
    dr: int | None = None
    dl_freq_hz: int | None = None
    repeater: bool = False
    dwell_400ms: bool = False
    duty_cycle: float | None = None
    frag_size: int | None = None
    flash_unit: int = 1
    redundancy: float | None = None
    window_class: WindowClass = WindowClass.C
    periodicity: int = 2
    time_out: int | None = None
    gateways: int = 1
    staggered: bool = False
    groups: int = 1
    min_spacing_seconds: float = 0.0
    start: float = 0.0
    uplink_seconds: float = 900.0
    uplink_loss: float = 0.0
    clock_drift_ppm: float = 20.0
    max_mc_fcnt: int = 65_535
    currents: Currents = _TYPICAL
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers that stand alone; the plan says how they go together.

        Raises:
            FieldError: One is out of range.
        """
        where = "PlanRequest"
        require_int(where, "image_octets", self.image_octets, 1, _MOST_OCTETS)
        require_int(where, "devices", self.devices, 1, 10_000_000)
        require_int(where, "flash_unit", self.flash_unit, 1, 65_536)
        require_int(where, "periodicity", self.periodicity, 0, 7)
        require_int(where, "gateways", self.gateways, 1, 10_000)
        require_int(where, "groups", self.groups, 1, 3)
        require_int(where, "max_mc_fcnt", self.max_mc_fcnt, 1, 0xFFFFFFFF)
        for field, most in (("max_lost", 16_383), ("time_out", 15)):
            if getattr(self, field) is not None:
                require_int(where, field, getattr(self, field), 0, most)
        if self.frag_size is not None:
            require_int(where, "frag_size", self.frag_size, 1, 255)
        if self.dl_freq_hz is not None:
            require_int(where, "dl_freq_hz", self.dl_freq_hz, 0, 0xFFFFFF * 100)
            if self.dl_freq_hz % 100:
                raise FieldError(where, "dl_freq_hz", self.dl_freq_hz, "a multiple of 100 Hz")
        if not 0 < self.probability < 1:
            raise FieldError(where, "probability", self.probability, "more than 0, less than 1")
        if self.duty_cycle is not None and not 0 < self.duty_cycle <= 1:
            raise FieldError(where, "duty_cycle", self.duty_cycle, "more than 0, at most 1")
        if self.redundancy is not None and not 0 <= self.redundancy <= 16_383:
            raise FieldError(where, "redundancy", self.redundancy, "0 to 16383")
        if not 0 <= self.uplink_loss < 1:
            raise FieldError(where, "uplink_loss", self.uplink_loss, "0 to less than 1")
        if not 0 <= self.clock_drift_ppm <= 1e6:
            raise FieldError(where, "clock_drift_ppm", self.clock_drift_ppm, "0 to 1000000")
        for field in _SECONDS:
            if not 0 <= getattr(self, field) < math.inf:
                raise FieldError(where, field, getattr(self, field), "0 seconds or more")
