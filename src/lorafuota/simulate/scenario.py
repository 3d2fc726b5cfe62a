"""What is simulated: the image, the fleet, the air, and what goes wrong."""

from __future__ import annotations

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Final, Self

from ..campaign.config import WindowClass
from ..datablock import MAX_NB_FRAG
from ..errors import FieldError, require_int
from ..types import LorawanVersion
from ..wire import JSON

__all__ = ["START", "Scenario", "parity_for"]

START: Final = 1_400_000_000
"""GPS seconds at which every simulation begins: a day in May 2024."""

_SHARES: Final = ("loss", "uplink_loss", "repeat")
_PARTS: Final = ("unicast", "late", "vanish", "reboot")
_MOST_SHARE: Final = 1_000_000_000
_SECONDS: Final = ("delay_seconds", "uplink_seconds", "clock_error")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is simulated.

    Attributes:
        image: The firmware, as the caller has it: signed, or whatever.
        devices: How many devices, 1 or more.
        loss: Share of downlinks each device loses, multicast and unicast, independently.
        uplink_loss: Share of uplinks lost.
        repeat: Share of messages that arrive twice, in both directions.
        delay_seconds: Unicast messages take up to this long, in both directions, and so overtake
            each other.
        redundancy: Coded fragments of the first pass, as a share of the plain ones; None for
            :func:`parity_for`.
        rounds: Repair rounds at most; 0 is the open loop, one pass and no more.
        frag_size: Octets in a fragment; None for as many as the data rate carries.
        version: Version of TS004 and TS005 the devices speak, 1 or 2; None for half of each.
        profiles: Stacks the devices imitate, and their shares; instead of *version*.
        lorawan: Link layer of the devices; decides which root key they have.  None for half of
            each.
        region: A name of :func:`lorafuota.region.region_names`.
        dr: Data rate of the multicast session; None for DR5 or the region's fastest LoRa rate.
        duty_cycle: Share of time the gateway may send; None for what the region says, if anything.
        status_by_multicast: Ask a group what it misses by one frame, and by unicast only who is
            silent; False asks each by unicast.
        block_ack_delay: Answers are spread over 2**(n + 4) seconds, n from 0 to 7; None for what
            the fleet needs.
        answers_per_second: ... so that no more come on average when a group answers.
        frame_lead_seconds: How long before its time a multicast frame is handed out; None for 0 in
            class C and 5 in class B.
        window_class: How multicast windows are kept.
        periodicity: Class B: 2**(7 - periodicity) ping slots in a beacon period.
        unicast: Share of devices that get every fragment by unicast.
        uplink_seconds: Class A: a device can be reached only after an uplink of its own, and sends
            one this often.  0: unicast reaches it at once.
        clock_error: Clocks start wrong by up to so many seconds, either way.
        late: Share of devices that join while the first pass runs.
        vanish: Share of devices that fall silent for good at some time in the first pass.
        reboot: Share of devices that reboot at some time in the first pass.
        firmware_version: What the image contains; devices then install it and the campaign
            confirms it (TS006).  None ends with the transfer.
        base_version: What devices must run before, where the image is a delta: the campaign asks,
            and leaves the others out.  None does not ask.
        shared_radio: Decrypt each frame once for the group, and not on every device; see
            :mod:`.device`.
        seed: Chooses keys, losses and times.
    """

    image: bytes = dataclasses.field(repr=False)
    devices: int = 1
    loss: float = 0.1
    uplink_loss: float = 0.0
    repeat: float = 0.0
    delay_seconds: float = 0.0
    redundancy: float | None = None
    rounds: int = 8
    frag_size: int | None = None
    version: int | None = 2
    profiles: Mapping[str, float] = dataclasses.field(default_factory=dict)
    lorawan: LorawanVersion | None = LorawanVersion.V1_0
    region: str = "EU868"
    dr: int | None = None
    duty_cycle: float | None = None
    status_by_multicast: bool = True
    block_ack_delay: int | None = None
    answers_per_second: float = 2.0
    frame_lead_seconds: float | None = None
    window_class: WindowClass = WindowClass.C
    periodicity: int = 2
    unicast: float = 0.0
    uplink_seconds: float = 0.0
    clock_error: float = 0.0
    late: float = 0.0
    vanish: float = 0.0
    reboot: float = 0.0
    firmware_version: int | None = None
    base_version: int | None = None
    shared_radio: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers that stand alone; :class:`.plan.Plan` checks how they go together.

        Raises:
            FieldError: One is out of range.
        """
        where = "Scenario"
        if self.devices < 1:
            raise FieldError(where, "devices", self.devices, "1 or more")
        for field in _SHARES:
            if not 0 <= getattr(self, field) < 1:
                raise FieldError(where, field, getattr(self, field), "0 to less than 1")
        for field in _PARTS:
            if not 0 <= getattr(self, field) <= 1:
                raise FieldError(where, field, getattr(self, field), "0 to 1")
        for field in _SECONDS:
            if not 0 <= getattr(self, field) <= 1e6:
                raise FieldError(where, field, getattr(self, field), "0 to 1000000 seconds")
        if self.redundancy is not None and not 0 <= self.redundancy <= MAX_NB_FRAG:
            raise FieldError(where, "redundancy", self.redundancy, "0 or more")
        if self.duty_cycle is not None and not 1e-6 <= self.duty_cycle <= 1:
            raise FieldError(where, "duty_cycle", self.duty_cycle, "0.000001 to 1")
        if self.version not in (1, 2, None):
            raise FieldError(where, "version", self.version, "1, 2 or None")
        require_int(where, "rounds", self.rounds, 0, 1000)
        require_int(where, "periodicity", self.periodicity, 0, 7)
        for name, share in self.profiles.items():
            if not 0 < share <= _MOST_SHARE:
                expected = f"a share above 0, at most {_MOST_SHARE}"
                raise FieldError(where, f"profiles[{name!r}]", share, expected)
        if self.base_version is not None and self.firmware_version is None:
            raise FieldError(where, "base_version", self.base_version, "a firmware_version as well")
        if self.shared_radio and (self.profiles or self.repeat or self.reboot):
            expected = "False with profiles, repeat or reboot: counters matter there"
            raise FieldError(where, "shared_radio", True, expected)

    @property
    def shares(self) -> Mapping[str, float]:
        """What kinds of devices there are: names for :func:`.device.kind`, and their shares."""
        if self.profiles:
            return self.profiles
        versions = (1, 2) if self.version is None else (self.version,)
        return {f"v{version}": 1.0 for version in versions}

    def to_json(self) -> dict[str, JSON]:
        """Return everything but the image as JSON."""
        fields: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "image"
        }
        fields["profiles"] = dict(self.profiles)
        fields["lorawan"] = None if self.lorawan is None else self.lorawan.value
        fields["window_class"] = self.window_class.value
        return fields

    @classmethod
    def from_json(cls, fields: JSON, *, image: bytes) -> Self:
        """Undo :meth:`to_json`.

        Raises:
            FieldError: *fields* is not what it returned.
        """
        names = {field.name for field in dataclasses.fields(cls)} - {"image"}
        if not isinstance(fields, dict) or set(fields) != names:
            raise FieldError("Scenario", "fields", type(fields).__name__, "what to_json returned")
        hints = typing.get_type_hints(cls)
        values = {name: _value(name, hints[name], value) for name, value in fields.items()}
        return cls(image=image, **values)


def _value(name: str, kind: Any, value: JSON) -> Any:
    """Return a value of the document, if it is of the kind its field asks for."""
    for one in typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,):
        if isinstance(one, type) and issubclass(one, enum.Enum):
            if value in [member.value for member in one]:
                return one(value)
        elif typing.get_origin(one) is Mapping:
            if isinstance(value, dict) and all(
                type(each) in (int, float) for each in value.values()
            ):
                return value
        elif type(value) is one or (one is float and type(value) is int):
            return value
    raise FieldError("Scenario", name, value, "what to_json wrote")


def parity_for(nb_frag: int, *, loss: float, devices: int) -> int:
    """Return how many coded fragments let nearly every device of a fleet complete.

    So many that a device receives ``nb_frag`` and ten more, with a margin of three standard
    deviations and a little for every tenfold of the fleet.  A rule of thumb, meant for losses that
    are independent; it does not know small matrices.  A block of one fragment has no parity: then
    it is how often the fragment is repeated.

    Args:
        nb_frag: Plain fragments, 1 to 16383.
        loss: Share of frames lost, 0 to less than 1.
        devices: Size of the fleet.
    """
    if loss == 0:
        return 1
    if nb_frag == 1:
        return max(1, math.ceil(math.log(1e-4 / devices) / math.log(loss)))
    sigmas = 3 + math.log10(devices)
    parity = 0
    while True:
        sent = nb_frag + parity
        margin = sigmas * math.sqrt(sent * loss * (1 - loss)) + 10
        if sent * (1 - loss) >= nb_frag + margin or sent >= MAX_NB_FRAG:
            return max(1, min(parity, MAX_NB_FRAG - nb_frag))
        parity += max(1, int((nb_frag + margin - sent * (1 - loss)) / (1 - loss)))
