"""What a delta saves: octets, fragments and time on air, against the image that it gives."""

from __future__ import annotations

import dataclasses

from ..errors import FieldError
from ..image.install import ImageGate
from ..image.signature import inspect
from ..simulate import Scenario
from ..simulate.plan import Plan
from ..wire import JSON
from .output import table

__all__ = ["AirRow", "FirstPass", "Saving", "saving_of"]


@dataclasses.dataclass(frozen=True, slots=True)
class FirstPass:
    """What it takes to send something once.

    Attributes:
        fragments: Plain and coded ones.
        airtime_seconds: Of all of them, on one gateway.
    """

    fragments: int
    airtime_seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class AirRow:
    """One data rate; None for what does not fit the 14 bits of the fragment number."""

    dr: int
    delta: FirstPass | None
    image: FirstPass | None


@dataclasses.dataclass(frozen=True, slots=True)
class Saving:
    """A delta, the image it gives, and what both take.

    Attributes:
        delta_octets: Size of the delta, signed.
        image_octets: Size of the image, signed.
        region: The region of the data rates.
        rows: By data rate.
    """

    delta_octets: int
    image_octets: int
    region: str
    rows: tuple[AirRow, ...]

    def to_json(self) -> dict[str, JSON]:
        """Return it as JSON."""
        fields: dict[str, JSON] = dataclasses.asdict(self)
        return fields

    def __str__(self) -> str:
        """Lay it out as a table."""
        rows = [
            (f"DR{row.dr}", *_cells(row.delta), *_cells(row.image), _share(row))
            for row in self.rows
        ]
        head = (self.region, "delta", "on air", "full image", "on air", "delta takes")
        return table(head, rows, right=(1, 2, 3, 4, 5))


def saving_of(scenario: Scenario, gate: ImageGate) -> Saving | None:
    """Return what the delta of a scenario saves; None if it is none that the gate lets in.

    Fragments are as large as each data rate carries, and as many of them are coded as the first
    pass of the scenario takes.
    """
    image = gate.check(scenario.image).image
    if image is None or not inspect(scenario.image).is_delta:
        return None
    own = Plan(scenario)
    common = Plan(dataclasses.replace(scenario, dr=None, frag_size=None)).dr
    usable = [rate.dr for rate in own.region.multicast_data_rates() if rate.sf is not None]
    rows = [
        AirRow(dr, _first_pass(scenario, scenario.image, dr), _first_pass(scenario, image, dr))
        for dr in sorted({min(usable), common, own.dr})
    ]
    return Saving(len(scenario.image), len(image), scenario.region, tuple(rows))


def _first_pass(scenario: Scenario, octets: bytes, dr: int) -> FirstPass | None:
    one = dataclasses.replace(scenario, image=octets, dr=dr, frag_size=None)
    try:
        plan = Plan(one)
    except FieldError:
        return None
    fragments = plan.block.nb_frag + plan.parity
    return FirstPass(fragments, fragments * plan.airtime_us / 1e6)


def _cells(one: FirstPass | None) -> tuple[str, str]:
    if one is None:
        return "too many", "-"
    return f"{one.fragments}", f"{one.airtime_seconds:.1f} s"


def _share(row: AirRow) -> str:
    if row.delta is None or row.image is None:
        return "-"
    return f"{row.delta.airtime_seconds / row.image.airtime_seconds:.0%}"
