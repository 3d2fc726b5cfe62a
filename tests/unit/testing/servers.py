"""A server to test: a campaign with its store; and servers that are wrong in one way each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from lorafuota.campaign import (
    CampaignConfig,
    FuotaCampaign,
    GroupConfig,
    Member,
    MemoryStore,
    RetryPolicy,
)
from lorafuota.campaign.actions import CampaignAction, Commit, Multicast, Unicast
from lorafuota.campaign.state import CampaignPhase, Outcome
from lorafuota.datablock import DataBlock
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation import v1, v2
from lorafuota.testing.peers import Downlink, Frame, Sent, Target
from lorafuota.types import DevAddr, DevEUI, McKey

QUICK = RetryPolicy(attempts=6, interval_seconds=40)


def campaign_config(
    image: bytes, targets: Sequence[Target], version_2: ParityVariant = ParityVariant.V2
) -> CampaignConfig:
    groups = tuple(
        GroupConfig(
            name=parity.value,
            mc_addr=DevAddr(0x1000 + at),
            mc_key=McKey(bytes([at + 1] * 16)),
            parity=parity,
            dl_freq_hz=869_525_000,
            dr=5,
            frame_seconds=0.1,
            spacing_seconds=1.0,
        )
        for at, parity in enumerate((ParityVariant.V1, version_2))
    )
    return CampaignConfig(
        block=DataBlock(image, 20),
        members=tuple(
            Member(
                dev_eui=one.dev_eui,
                root_key=one.root_key,
                multi_package=False,
                parity=version_2 if one.version == 2 else None,
            )
            for one in targets
        ),
        groups=groups,
        redundancy=0.3,
        setup_seconds=900,
        lead_seconds=300,
        retry=QUICK,
        status_retry=QUICK,
        unicast_seconds=5,
        rekey_seconds=60,
    )


class CampaignServer:
    """Our server."""

    def __init__(self, image: bytes, targets: Sequence[Target]) -> None:
        self.config = campaign_config(image, targets)
        self.store = MemoryStore()
        self.campaign = FuotaCampaign(self.config)
        self.now = 0.0
        self.later: list[Sent] = []

    def start(self, now: float) -> Iterable[Sent]:
        return self.act(self.campaign.start(now=now), now)

    def receive(self, dev_eui: DevEUI, fport: int, payload: bytes, now: float) -> Iterable[Sent]:
        return self.act(self.campaign.receive(dev_eui, fport, payload, now=now), now)

    def tick(self, now: float) -> Iterable[Sent]:
        return self.act(self.campaign.tick(now=now), now)

    def power_cycle(self) -> None:
        self.campaign = FuotaCampaign(self.config, saved=self.store.load())

    def outcome(self, dev_eui: DevEUI) -> bool | None:
        outcome = self.campaign.record(dev_eui).outcome
        return None if outcome is Outcome.PENDING else outcome.success

    def act(self, actions: Sequence[CampaignAction], now: float) -> list[Sent]:
        sent: list[Sent] = []
        for action in actions:
            match action:
                case Commit(events=events):
                    self.store.append(events)
                case Unicast(dev_eui=eui, fport=fport, payload=payload):
                    sent.append(Downlink(eui, fport, payload))
                case Multicast(phy=phy):
                    sent.append(Frame(phy))
                case _:
                    pass
        return sent


class ClaimsSuccess(CampaignServer):
    """Takes a set-up that was accepted for the image."""

    def outcome(self, dev_eui: DevEUI) -> bool | None:
        return super().outcome(dev_eui) is not None or self.campaign.phase is CampaignPhase.RUNNING


class ForgetsItsStore(CampaignServer):
    """Begins again after a crash, with the counters it began with."""

    def power_cycle(self) -> None:
        self.campaign = FuotaCampaign(self.config)
        self.store = MemoryStore()
        self.begun = False

    begun = True

    def tick(self, now: float) -> Iterable[Sent]:
        if not self.begun:
            self.begun = True
            return self.start(now)
        return super().tick(now)

    def receive(self, dev_eui: DevEUI, fport: int, payload: bytes, now: float) -> Iterable[Sent]:
        return super().receive(dev_eui, fport, payload, now) if self.begun else []


class FallsOverNoise(CampaignServer):
    def receive(self, dev_eui: DevEUI, fport: int, payload: bytes, now: float) -> Iterable[Sent]:
        if fport == 201 and len(payload) < 2:
            raise IndexError("read past the end")
        return super().receive(dev_eui, fport, payload, now)


class FallsOverStrangers(CampaignServer):
    def receive(self, dev_eui: DevEUI, fport: int, payload: bytes, now: float) -> Iterable[Sent]:
        self.campaign.record(dev_eui)
        return super().receive(dev_eui, fport, payload, now)


class GivesUp(CampaignServer):
    def outcome(self, dev_eui: DevEUI) -> bool | None:
        return False


class AnswersStrangers(CampaignServer):
    def receive(self, dev_eui: DevEUI, fport: int, payload: bytes, now: float) -> Iterable[Sent]:
        sent = list(super().receive(dev_eui, fport, payload, now))
        known = any(one.dev_eui == dev_eui for one in self.config.members)
        return sent if known else [Downlink(dev_eui, 201, b"\x00")]


class GivesNoUpdate(CampaignServer):
    """Starts, and waits for ever."""

    def tick(self, now: float) -> Iterable[Sent]:
        return []


class Rewrites(CampaignServer):
    """Changes the set-ups and fragments of one that is right."""

    def act(self, actions: Sequence[CampaignAction], now: float) -> list[Sent]:
        return [
            one._replace(payload=self.rewrite(one.payload))
            if isinstance(one, Downlink) and one.fport == 201
            else one
            for one in super().act(actions, now)
        ]

    def rewrite(self, payload: bytes) -> bytes:
        raise NotImplementedError


class AnnouncesNoPadding(Rewrites):
    def rewrite(self, payload: bytes) -> bytes:
        if payload[0] != v2.FragSessionSetupReq.CID or len(payload) != 17:
            return payload
        setup = v2.FragSessionSetupReq.decode(payload)
        return dataclasses.replace(setup, padding=(setup.padding + 1) % setup.frag_size).encode()


class SignsAnotherCounter(Rewrites):
    def rewrite(self, payload: bytes) -> bytes:
        if payload[0] != v2.FragSessionSetupReq.CID or len(payload) != 17:
            return payload
        setup = v2.FragSessionSetupReq.decode(payload)
        return dataclasses.replace(setup, session_cnt=setup.session_cnt + 1).encode()


class SetsReservedBits(Rewrites):
    def rewrite(self, payload: bytes) -> bytes:
        if payload[0] != v1.FragSessionStatusReq.CID:
            return payload
        return payload[:1] + bytes((payload[1] | 0x80,)) + payload[2:]


class DrawsAnotherMatrix(CampaignServer):
    """Takes the annex of version 2 to the letter, as no device does."""

    def __init__(self, image: bytes, targets: Sequence[Target]) -> None:
        super().__init__(image, targets)
        self.config = campaign_config(image, targets, ParityVariant.V2_ANNEX)
        self.campaign = FuotaCampaign(self.config)


class FloodsTheAir(CampaignServer):
    """Answers whatever it hears with everything it has."""

    def receive(self, dev_eui: DevEUI, fport: int, payload: bytes, now: float) -> Iterable[Sent]:
        sent = list(super().receive(dev_eui, fport, payload, now))
        return sent * 40


BROKEN: dict[type[CampaignServer], str] = {
    ClaimsSuccess: "is said to have the image, and has not",
    ForgetsItsStore: "SessionCnt of FragIndex 0 went back to 0|used frame counter 0 for two frames",
    FallsOverNoise: "read past the end",
    FallsOverStrangers: "expected a member",
    GivesUp: "has failed, and nothing was in its way",
    AnswersStrangers: "which is no target",
    GivesNoUpdate: "is still under way after 20000 s",
    AnnouncesNoPadding: "an image of [0-9]+ octets has NbFrag [0-9]+ and Padding",
    SignsAnotherCounter: "the MIC does not fit",
    SetsReservedBits: "a reserved bit is set",
    DrawsAnotherMatrix: "could not rebuild the image: data block: the MIC does not fit",
    FloodsTheAir: "one uplink caused [0-9]+ downlinks",
}
"""What a machine says of each."""
