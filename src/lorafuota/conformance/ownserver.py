"""Our own campaign as a subject: the kit turned on ourselves, and an example of an adapter."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Sequence
from typing import Final, final

from ..campaign import CampaignConfig, FirmwareStep, FuotaCampaign, GroupConfig, Member, RetryPolicy
from ..campaign.actions import (
    CampaignAction,
    CampaignEnded,
    Commit,
    DeviceEnded,
    Multicast,
    NewKeyWanted,
    Unicast,
    UplinkRejected,
)
from ..campaign.actions import WindowAnnounced as Announced
from ..campaign.config import WindowClass
from ..campaign.events import Event
from ..campaign.quirks import StatusQuirk, quirks_of
from ..campaign.report import aws_status
from ..campaign.snapshot import Snapshot
from ..campaign.state import CampaignPhase
from ..datablock import DataBlock
from ..errors import FieldError, StateError
from ..session.profile import FRAG_PROFILES
from ..types import DevEUI, McKey
from ..wire import JSON
from .serversubject import (
    AddDevice,
    Begin,
    Cancel,
    DeviceEntry,
    DeviceOutcome,
    Downlink,
    Ended,
    GroupOrder,
    MulticastDownlink,
    MulticastFrame,
    Pause,
    RemoveDevice,
    Restart,
    Resume,
    ServerAbout,
    ServerEvent,
    ServerReply,
    ServerRequest,
    Uplink,
    WindowAnnounced,
)
from .subject import SubjectError

__all__ = ["OWN_CAN", "OwnServer", "Store"]

_REACHED: Final = (
    ("confirmed", "installed"),
    ("signature_ok", "image valid"),
    ("integrity_ok", "verified"),
    ("transport_complete", "transported"),
)

_MOST_TICKS: Final = 10_000
"""At one time."""

OWN_CAN: Final = frozenset(
    {
        "unicast",
        "class-b",
        "class-c",
        "asks-versions",
        "ports",
        "counters",
        "outcomes",
        "reached",
        "repair",
        "restart",
        "pause",
        "cancel",
        "add-device",
        "remove-device",
    }
)
"""What our campaign can do."""


@final
class Store:
    """What survives the process: every event as JSON, replayed at a restart."""

    def __init__(self) -> None:
        """Begin empty."""
        self.lines: list[str] = []

    def append(self, events: Sequence[Event]) -> None:
        """Write events down."""
        self.lines += [json.dumps(event.to_json()) for event in events]

    def load(self) -> JSON:
        """Return what they add up to, None if there is none."""
        if not self.lines:
            return None
        found = Snapshot()
        for line in self.lines:
            found.apply(Event.from_json(json.loads(line)))
        return found.to_json()


def make_config(order: Begin, members: Sequence[Member]) -> CampaignConfig:
    """Say what a server that is configured well makes of an order."""
    firmware = None
    if order.fw_version is not None:
        firmware = FirmwareStep(version=order.fw_version, boot_seconds=120.0)
    return CampaignConfig(
        block=DataBlock.of(order.image, frag_size=order.frag_size, descriptor=order.descriptor),
        members=tuple(members),
        groups=tuple(_group(one) for one in order.groups),
        redundancy=order.redundancy,
        lead_seconds=900.0,
        setup_seconds=3_600.0,
        retry=RetryPolicy(5, 120.0),
        status_retry=RetryPolicy(4, 120.0),
        unicast_seconds=5.0,
        unicast_frame_seconds=0.1,
        firmware=firmware,
    )


def _name(order: GroupOrder) -> str:
    return f"v{order.frag_version}"


def _group(order: GroupOrder) -> GroupConfig:
    assert order.mc_key is not None  # drawn if it was not given
    return GroupConfig(
        name=_name(order),
        mc_addr=order.mc_addr,
        mc_key=order.mc_key,
        parity=FRAG_PROFILES[order.frag_version].parity,
        dl_freq_hz=order.dl_freq_hz,
        dr=order.dr,
        frame_seconds=order.frame_seconds,
        spacing_seconds=order.spacing_seconds,
        window_class=WindowClass(order.device_class),
        max_mc_fcnt=order.max_mc_fcnt,
    )


def _member(entry: DeviceEntry) -> Member:
    """Say what is known of a device; what is not told is asked."""
    told = entry.versions
    return Member(
        dev_eui=entry.dev_eui,
        root_key=entry.root_key,
        multicast=entry.multicast,
        frag_version=told.get("fragmentation"),
        mc_version=told.get("multicastsetup"),
        clock_version=told.get("clocksync", 0 if told else None),
        fm_version=told.get("firmwaremanagement", 0 if told else None),
        multi_package=False if told else None,
        fports=entry.fports,
        quirks=quirks_of(entry.stack) if entry.stack else StatusQuirk.NONE,
    )


@final
class OwnServer:
    """A :class:`FuotaCampaign` behind a network server, with a store that survives it."""

    def __init__(
        self,
        *,
        config: Callable[[Begin, Sequence[Member]], CampaignConfig] = make_config,
        can: frozenset[str] = OWN_CAN,
        builds_frames: bool = False,
        seed: str = "own",
    ) -> None:
        """Choose how it is configured, and what it says it can do.

        Args:
            config: Makes a campaign's configuration of an order.
            can: With ``own-mc-key`` it draws the keys of groups itself; without ``asks-versions``
                it is told versions, without ``counters`` it leaves counting to the network server.
            builds_frames: Send multicast as PHYPayload.
            seed: Of the keys it draws.
        """
        self.about = ServerAbout(
            name="lorafuota campaign",
            versions={
                "clocksync": (1, 2),
                "multicastsetup": (1, 2),
                "fragmentation": (1, 2),
                "firmwaremanagement": (1,),
                "multipackage": (1,),
            },
            can=can,
        )
        self._config, self._builds_frames = config, builds_frames
        self._rng = random.Random(seed)
        self._order: Begin | None = None
        self._campaign: FuotaCampaign | None = None
        self._members: list[Member] = []
        self.store = Store()
        self._events: list[ServerEvent] = []

    def exchange(self, request: ServerRequest) -> ServerReply:
        """Carry out one request."""
        self._events = []
        now = request.time
        if isinstance(request, Begin):
            self._begin(request)
        elif self._order is None:
            raise StateError("OwnServer.exchange", "the first request is Begin")
        elif self._campaign is not None:
            self._act(self._ask(self._campaign, request), now)
        for _ in range(_MOST_TICKS):
            campaign = self._campaign
            due = None if campaign is None else campaign.next_deadline
            if campaign is None or due is None or due > now:
                break
            self._act(campaign.tick(now=now), now)
        else:
            raise SubjectError(f"it is always due: {_MOST_TICKS} ticks at one time")
        return ServerReply(
            tuple(self._events), None if campaign is None else campaign.next_deadline
        )

    def _begin(self, order: Begin) -> None:
        groups = tuple(
            dataclasses.replace(one, mc_key=one.mc_key or McKey(self._rng.randbytes(16)))
            for one in order.groups
        )
        order = dataclasses.replace(order, groups=groups)
        self._order, self.store, self._campaign = order, Store(), None
        self._members = [_member(one) for one in order.devices]
        try:
            self._campaign = FuotaCampaign(self._config(order, self._members))
        except FieldError as error:  # an update that cannot be
            for entry in order.devices:
                self._events.append(
                    DeviceOutcome(order.time, entry.dev_eui, "Initial", detail=str(error))
                )
            self._events.append(Ended(order.time))
            return
        self._act(self._campaign.start(now=order.time), order.time)

    def _ask(self, campaign: FuotaCampaign, request: ServerRequest) -> list[CampaignAction]:
        now = request.time
        match request:
            case Uplink():
                return campaign.receive(request.dev_eui, request.fport, request.payload, now=now)
            case Restart():
                assert self._order is not None
                config = self._config(self._order, self._members)
                self._campaign = FuotaCampaign(config, saved=self.store.load())
                if self._campaign.phase is CampaignPhase.NEW:
                    return self._campaign.start(now=now)
                return self._campaign.tick(now=now)
            case Pause() if campaign.phase is CampaignPhase.RUNNING:
                return campaign.pause(now=now)
            case Resume() if campaign.phase is CampaignPhase.PAUSED:
                return campaign.resume(now=now)
            case Cancel() if campaign.phase in (CampaignPhase.RUNNING, CampaignPhase.PAUSED):
                return campaign.cancel(now=now)
            case AddDevice():
                self._members.append(_member(request.device))
                return campaign.add_device(self._members[-1], now=now)
            case RemoveDevice():
                return campaign.remove_device(request.dev_eui, now=now)
            case _:
                return campaign.tick(now=now)

    def _act(self, actions: Sequence[CampaignAction], now: float) -> None:
        for action in actions:
            match action:
                case Commit():
                    self.store.append(action.events)
                case Unicast():
                    self._events.append(Downlink(now, action.dev_eui, action.fport, action.payload))
                case Multicast():
                    self._events.append(self._frame(action, now))
                case Announced():
                    self._events.append(
                        WindowAnnounced(now, action.mc_addr, action.start, action.end)
                    )
                case DeviceEnded():
                    self._events.append(self._outcome(action.dev_eui, now))
                case CampaignEnded():
                    self._events += [self._outcome(one.dev_eui, now) for one in self._members]
                    self._events.append(Ended(now))
                case NewKeyWanted() | UplinkRejected():
                    pass

    def _frame(self, action: Multicast, now: float) -> MulticastDownlink | MulticastFrame:
        time = max(action.time, now)
        if self._builds_frames:
            return MulticastFrame(time, action.phy)
        groups = self._order.groups if self._order is not None else ()
        [address] = [one.mc_addr for one in groups if _name(one) == action.group]
        fcnt = action.fcnt if "counters" in self.about.can else None
        return MulticastDownlink(time, address, action.fport, action.payload, fcnt)

    def _outcome(self, dev_eui: DevEUI, now: float) -> DeviceOutcome:
        assert self._campaign is not None
        record = self._campaign.record(dev_eui)
        times = record.milestones
        reached = next((word for name, word in _REACHED if name in times), "")
        status, detail = aws_status(record.outcome), record.detail or record.outcome.value
        return DeviceOutcome(now, dev_eui, status, reached, detail)
