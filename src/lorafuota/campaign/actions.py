"""What a campaign asks its owner, a network server, to do; in the order in which to do it."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from ..errors import DecodeError
from ..types import DevAddr, DevEUI
from .events import Event
from .state import Outcome

__all__ = [
    "CampaignAction",
    "CampaignEnded",
    "Commit",
    "DeviceEnded",
    "Multicast",
    "NewKeyWanted",
    "Unicast",
    "UplinkRejected",
    "WindowAnnounced",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Commit:
    """Make *events* durable before doing anything that follows in the list.

    A frame counter or session counter that goes on air has to be in the store before.  If the
    store refuses, do nothing of the rest, and restore the campaign from what is stored.
    """

    events: tuple[Event, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Unicast:
    """Queue a downlink for one device; *payload* is in the clear, the network server encrypts."""

    dev_eui: DevEUI
    fport: int
    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class WindowAnnounced:
    """Reserve gateways: the group is going to listen from *start* until *end*, GPS seconds."""

    group: str
    mc_addr: DevAddr
    start: float
    end: float
    dl_freq_hz: int
    dr: int
    frames: int


@dataclasses.dataclass(frozen=True, slots=True)
class Multicast:
    """Send one multicast frame, at *time*; every gateway sends the same octets.

    It carries a fragment, or the question what is missing.  *time* may lie ahead by the group's
    frame_lead_seconds, and a frame handed out is gone: pausing or cancelling does not take it back.

    *phy* is the whole PHYPayload.  A network server that encrypts itself takes *fport*, *payload*
    and *fcnt* instead.
    """

    group: str
    time: float
    fcnt: int
    fport: int
    payload: bytes
    phy: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class NewKeyWanted:
    """Draw a fresh McKey: the counters of the group do not last for what is still to be sent.

    :meth:`.engine.FuotaCampaign.rekey_group` takes it.  Without one the group goes on with the
    counters it has, and then by unicast.
    """

    group: str
    frames_left: int


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceEnded:
    """The update is over for one device."""

    dev_eui: DevEUI
    outcome: Outcome
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class UplinkRejected:
    """An uplink, or the end of one, that could not be read.  Nothing changed because of it."""

    dev_eui: DevEUI
    fport: int
    payload: bytes
    error: DecodeError


@dataclasses.dataclass(frozen=True, slots=True)
class CampaignEnded:
    """The update is over for every device."""


CampaignAction: TypeAlias = (
    Commit
    | Unicast
    | WindowAnnounced
    | Multicast
    | NewKeyWanted
    | DeviceEnded
    | UplinkRejected
    | CampaignEnded
)
