"""Whole devices as data: the documents' behaviour, and the stacks in the field under their names.

A profile says what a server *sees* of a stack.  What only its owner notices (a callback that fires
too often, memory read past its end) is not imitated, nor is what cannot happen to a server that
follows the documents.  Every flag and its source is explained in :mod:`lorafuota.session.profile`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final

from ..errors import FieldError
from .dialects import ZERO_BASED
from .fragmentation import FragLimits
from .profile import (
    ClockProfile,
    Count,
    FirmwareProfile,
    FragProfile,
    McProfile,
    Missing,
    Order,
    SetProfile,
    clock_profile,
    frag_profile,
    mc_profile,
)

__all__ = ["DEVICE_PROFILES", "DeviceProfile", "OnUnknown", "device_profile"]


class OnUnknown(enum.Enum):
    """What a device does about a command it cannot read."""

    ANSWERS = "stops reading, and answers the commands before it"
    SILENCE = "stops reading, and answers nothing although commands were executed"
    """LoRa Basics Modem, Zephyr."""
    NEXT_OCTET = "goes on reading at the next octet"
    """LoRaMac-node, ST."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """One device: what each of its packages does, and how it reads and writes payloads."""

    name: str
    clock: ClockProfile | None
    multicast: McProfile
    fragmentation: FragProfile
    firmware: FirmwareProfile | None
    sets: SetProfile | None
    """Multi-Package Access, or None for a device without FPort 225."""
    frag_limits: FragLimits = dataclasses.field(default_factory=FragLimits)
    """What the stack takes on as it is delivered."""
    on_unknown: OnUnknown = OnUnknown.ANSWERS
    one_command_per_uplink: bool = False
    """For servers that read only the first command of an uplink (ChirpStack)."""


_DOCUMENTS_1: Final = DeviceProfile(
    name="documents v1",
    clock=clock_profile(1),
    multicast=mc_profile(1),
    fragmentation=frag_profile(1),
    firmware=FirmwareProfile(),
    sets=SetProfile(),
)
_DOCUMENTS_2: Final = DeviceProfile(
    name="documents v2",
    clock=clock_profile(2),
    multicast=mc_profile(2),
    fragmentation=frag_profile(2),
    firmware=FirmwareProfile(),
    sets=SetProfile(),
)

_LORAMAC_NODE: Final = DeviceProfile(
    name="LoRaMac-node",
    clock=dataclasses.replace(
        clock_profile(1),
        periods=range(0),
        forced_gap_seconds=(0.0, 0.0),
        any_answer_stops_forced=True,
        may_require_answer=False,
    ),
    multicast=dataclasses.replace(
        mc_profile(1),
        max_inclusive=True,
        joins_late=False,
        undefined_sets_all=True,
        status_known=False,
        class_b_as_c=True,
        one_window=True,
        truncates_time_to_start=True,
        wire_counter_at_start=True,
        unicast_only_enforced=False,
    ),
    fragmentation=dataclasses.replace(
        frag_profile(1),
        order=Order.PLAIN_ASCENDING,
        count=Count.LAST_N,
        missing=Missing.LOST,
        missing_truncated=True,
        stale_status=True,
        sticky_memory_error=True,
        one_decoder=True,
        mask_enforced=False,
        delays_unicast_status=True,
    ),
    firmware=None,
    sets=None,
    frag_limits=FragLimits(max_lost=5),
    on_unknown=OnUnknown.NEXT_OCTET,
)

_BASICS_MODEM_FRAG: Final = dataclasses.replace(
    frag_profile(2),
    order=Order.PLAIN_ASCENDING,
    count=Count.LAST_N_MINUS_LOST,
    missing_truncated=True,
    lossless_missing_one=True,
    fresh_reads_complete=True,
    long_absent_status=True,
    one_decoder=True,
    stores_session_cnt=False,
    delays_unicast_status=True,
    extra_delay_seconds=(0.0, 3.0),
)
_BASICS_MODEM_MC: Final = dataclasses.replace(
    mc_profile(2),
    status_octets=15,
    refusal_cancels=True,
    keeps_group_while_running=True,
    low_dr_bits=True,
    wire_counter_at_start=True,
    forgets_counter=True,
)
_BASICS_MODEM: Final = DeviceProfile(
    name="LoRa Basics Modem 4.8",
    clock=dataclasses.replace(clock_profile(2), forced_gap_seconds=(1.0, 1.0)),
    multicast=_BASICS_MODEM_MC,
    fragmentation=_BASICS_MODEM_FRAG,
    firmware=FirmwareProfile(answer_octets=9),
    sets=SetProfile(
        buffer_octets=125,
        skips_what_does_not_fit=True,
        cuts_early=True,
        stop_exclusive=True,
        error_has_token=True,
        silence_ends_all=True,
    ),
    on_unknown=OnUnknown.SILENCE,
)
_BASICS_MODEM_1: Final = dataclasses.replace(
    _BASICS_MODEM,
    name="LoRa Basics Modem 4.8 v1",
    clock=dataclasses.replace(clock_profile(1), forced_gap_seconds=(1.0, 1.0)),
    multicast=dataclasses.replace(_BASICS_MODEM_MC, package=mc_profile(1).package),
    fragmentation=dataclasses.replace(
        _BASICS_MODEM_FRAG,
        package=frag_profile(1).package,
        parity=frag_profile(1).parity,
        has_mic=False,
        reports_missing_session=False,
        fresh_reads_complete=False,
        long_absent_status=False,
        stale_status=True,
    ),
)

_ZEPHYR: Final = DeviceProfile(
    name="Zephyr 2025",
    clock=dataclasses.replace(
        clock_profile(2),
        asks_again=False,
        forced_gap_seconds=(10.0, 10.0),
        forced_extra=1,
        any_answer_stops_forced=True,
        may_require_answer=False,
    ),
    multicast=dataclasses.replace(
        mc_profile(1),
        has_start_missed=True,
        max_inclusive=True,
        status_known=False,
        knows_class_b=False,
        refuses_silently=True,
        answer_delay_seconds=2.0,
        wire_counter_at_start=True,
        unicast_only_enforced=False,
    ),
    fragmentation=dataclasses.replace(
        frag_profile(1),
        missing=Missing.NOT_RECEIVED,
        stale_status=True,
        one_session=True,
        refusal_destroys=True,
        complete_is_gone=True,
        mask_enforced=False,
        unicast_only_enforced=False,
        delays_unicast_status=True,
        delay_unit_seconds=0.001,
    ),
    firmware=None,
    sets=None,
    on_unknown=OnUnknown.SILENCE,
)

_ST: Final = DeviceProfile(
    name="ST middleware v2",
    clock=clock_profile(2),
    multicast=mc_profile(2),
    fragmentation=dataclasses.replace(
        frag_profile(2),
        order=Order.PLAIN_ASCENDING,
        count=Count.LAST_N,
        missing=Missing.LOST,
        missing_truncated=True,
        status_as_v1=True,
        stale_status=True,
        needs_coded_fragment=True,
        one_decoder=True,
        stores_session_cnt=False,
        mic_only_with_ack=True,
        delays_unicast_status=True,
        extra_delay_seconds=(3.0, 3.0),
        reports=None,
        report_every_seconds=1.5,
    ),
    firmware=FirmwareProfile(ignores_versions=True, unicast_only_enforced=False),
    sets=None,
    on_unknown=OnUnknown.NEXT_OCTET,
)

_RENESAS: Final = DeviceProfile(
    name="Renesas",
    clock=dataclasses.replace(clock_profile(2), forced_gap_seconds=(10.0, 10.0)),
    multicast=mc_profile(2),
    fragmentation=dataclasses.replace(
        frag_profile(2),
        order=Order.ASCENDING,
        count=Count.DISTINCT,
        refusal_destroys=True,
        signed_session_cnt=True,
        delays_unicast_status=True,
        reports_on_fragment=True,
    ),
    firmware=FirmwareProfile(refusal_cancels=True, now_is_future=True),
    sets=SetProfile(),
)

_CONDUIT: Final = DeviceProfile(
    name="MultiTech Conduit",
    clock=clock_profile(1),
    multicast=dataclasses.replace(mc_profile(1), zero_mc_ke_key=True),
    fragmentation=dataclasses.replace(frag_profile(1), package=ZERO_BASED),
    firmware=None,
    sets=None,
)

DEVICE_PROFILES: Final[Mapping[str, DeviceProfile]] = {
    one.name: one
    for one in (
        _DOCUMENTS_1,
        _DOCUMENTS_2,
        _LORAMAC_NODE,
        _BASICS_MODEM,
        _BASICS_MODEM_1,
        _ZEPHYR,
        _ST,
        _RENESAS,
        _CONDUIT,
    )
}
"""Every profile by its name.  A device for MultiTech Conduit is one that its server can update."""


def device_profile(name: str) -> DeviceProfile:
    """Return a profile by the name of the stack, for instance ``"LoRaMac-node"``.

    Raises:
        FieldError: There is none of that name.
    """
    if name not in DEVICE_PROFILES:
        raise FieldError("device_profile", "name", name, ", ".join(DEVICE_PROFILES))
    return DEVICE_PROFILES[name]
