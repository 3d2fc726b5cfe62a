"""What a scenario comes to: who gets which keys and frames, and how patient the campaign is."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
from collections.abc import Callable, Container
from fractions import Fraction
from typing import Final, final

from ..campaign.config import (
    CampaignConfig,
    FirmwareStep,
    GroupConfig,
    Member,
    RetryPolicy,
    WindowClass,
)
from ..datablock import DataBlock
from ..errors import FieldError
from ..fec.variant import ParityVariant
from ..image.install import ImageGate
from ..link import MC_FRAME_OVERHEAD
from ..region import Region, min_spacing_us, region
from ..types import AppKey, DevAddr, DevEUI, GenAppKey, LorawanVersion, McKey
from .kinds import Kind, deal, kind
from .scenario import START, Scenario, parity_for

__all__ = ["Plan", "Trouble"]

_FRAGMENT_OVERHEAD: Final = 3  # identifier, Index&N
_QUESTION: Final = 2  # FragSessionStatusReq
_FIRST_EUI: Final = 0x0016_C001_F000_0000
_SURE: Final = 1e-4  # the chance that one of all devices is given up because of losses alone
_ATTEMPTS: Final = range(5, 61)
_NO_WINDOW_LIMIT: Final = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Trouble:
    """One device joins late, vanishes or reboots."""

    when: float
    what: str
    device: int


@final
class Plan:
    """A scenario with everything chosen that it left open.

    Attributes:
        scenario: What it was made from.
        gates: What a device lets in, by its index; None lets in the image that was sent.
        region: Radio facts.
        dr: Data rate of the multicast windows.
        freq_hz: ... and their frequency; 0 hops.
        block: The image, cut.
        parity: Coded fragments of the first pass.
        airtime_us: Time on air of a frame with one fragment.
        question_us: ... and of one that asks for the status.
        spacing_seconds: Between the starts of two frames of one group.
        kinds: The kind of each device.
        horizon_seconds: About how long the first pass takes; what goes wrong goes wrong in it.
    """

    def __init__(self, scenario: Scenario, gates: Callable[[int], ImageGate] | None = None) -> None:
        """Choose.

        Raises:
            FieldError: The image does not fit the 14-bit fragment number, the fragment the data
                rate, the data rate the region, and so on; or there are gates and no firmware
                version to confirm.
        """
        if gates is not None and scenario.firmware_version is None:
            raise FieldError(
                "Scenario", "firmware_version", None, "a version, where gates check it"
            )
        self.scenario = scenario
        self.gates = gates
        self.region: Region = region(scenario.region)
        self.dr = self._choose_dr()
        self.block = self._cut()
        self.parity = self._choose_parity()
        self.freq_hz = self._choose_frequency()
        phy_len = MC_FRAME_OVERHEAD + _FRAGMENT_OVERHEAD + self.block.frag_size
        rate = self.region.data_rate(self.dr)
        self.airtime_us = rate.time_on_air_us(phy_len)
        self.question_us = rate.time_on_air_us(MC_FRAME_OVERHEAD + _QUESTION)
        shares = {kind(name): share for name, share in scenario.shares.items()}
        self.kinds: tuple[Kind, ...] = deal(shares, scenario.devices)
        self._unicast = _chosen(scenario.unicast, scenario, "unicast")
        self.parities = self._parities()
        self.spacing_seconds = self._spacing_us() / 1e6 * max(1, len(self.parities))
        self._roots = random.Random(f"{scenario.seed}/roots").randbytes(16)
        self._retry = self._choose_retry()
        self._lead = self._retry.interval_seconds * self._retry.attempts
        first_pass = (self.block.nb_frag + self.parity) * self.spacing_seconds
        self.horizon_seconds = self._lead + first_pass

    def root_key(self, device: int) -> GenAppKey | AppKey:
        """Return one device's root key: which class depends on its link layer."""
        octets = hashlib.sha256(self._roots + device.to_bytes(8, "little")).digest()[:16]
        lorawan = self.scenario.lorawan
        old = lorawan is LorawanVersion.V1_0 or (lorawan is None and device % 2 == 0)
        return GenAppKey(octets) if old else AppKey(octets)

    def dev_eui(self, device: int) -> DevEUI:
        """Return one device's identity."""
        return DevEUI(_FIRST_EUI + device)

    def index(self, dev_eui: DevEUI) -> int:
        """Undo :meth:`dev_eui`."""
        return dev_eui - _FIRST_EUI

    def is_unicast(self, device: int) -> bool:
        """Whether a device gets every fragment by unicast."""
        return device in self._unicast

    def member(self, device: int) -> Member:
        """Return what the campaign is told of a device."""
        one = self.kinds[device]
        return Member(
            dev_eui=self.dev_eui(device),
            root_key=self.root_key(device),
            multicast=not self.is_unicast(device),
            parity=one.profile.fragmentation.parity,
            clock_version=None if one.profile.clock else 0,
            multi_package=one.profile.sets is not None,
            quirks=one.quirks,
        )

    def group(self, parity: ParityVariant) -> GroupConfig:
        """Return the multicast group of the devices with one matrix."""
        rng = random.Random(f"{self.scenario.seed}/group/{parity.value}")
        return GroupConfig(
            name=parity.value,
            mc_addr=DevAddr(rng.getrandbits(32)),
            mc_key=McKey(rng.randbytes(16)),
            parity=parity,
            dl_freq_hz=self.freq_hz,
            dr=self.dr,
            frame_seconds=self.airtime_us / 1e6,
            spacing_seconds=self.spacing_seconds,
            question_seconds=self.question_us / 1e6,
            frame_lead_seconds=self.scenario.frame_lead_seconds,
            window_class=self.scenario.window_class,
            periodicity=self.scenario.periodicity,
        )

    def config(self, members: Container[int] | None = None) -> CampaignConfig:
        """Return the operator's wishes.

        Args:
            members: The devices that take part from the start; None for all.
        """
        scenario, devices = self.scenario, range(self.scenario.devices)
        version, before = scenario.firmware_version, scenario.base_version
        patient = scenario.uplink_seconds > 0
        return CampaignConfig(
            block=self.block,
            members=tuple(self.member(at) for at in devices if members is None or at in members),
            groups=tuple(self.group(parity) for parity in self.parities),
            # so that rounding up gives exactly these
            redundancy=max(0.0, self.parity - 0.5) / self.block.nb_frag,
            max_rounds=scenario.rounds,
            max_windows=_NO_WINDOW_LIMIT,
            lead_seconds=self._lead,
            retry=self._retry,
            status_retry=self._retry,
            status_by_multicast=scenario.status_by_multicast,
            answers_per_second=scenario.answers_per_second,
            block_ack_delay=scenario.block_ack_delay,
            # devices of class A come when they come; nothing is gained by making them queue
            max_in_flight=max(1000, scenario.devices if patient else 0),
            unicast_seconds=max(self.spacing_seconds, scenario.uplink_seconds),
            unicast_frame_seconds=self.airtime_us / 1e6,
            firmware=(
                None if version is None else FirmwareStep(version=version, base_version=before)
            ),
        )

    def troubles(self) -> list[Trouble]:
        """Draw what goes wrong, and when."""
        found = []
        for what in ("late", "vanish", "reboot"):
            rng = random.Random(f"{self.scenario.seed}/{what}/times")
            for device in sorted(_chosen(getattr(self.scenario, what), self.scenario, what)):
                found.append(Trouble(START + rng.uniform(0, self.horizon_seconds), what, device))
        return found

    # Choosing what the scenario leaves open

    def _choose_dr(self) -> int:
        rates = {rate.dr: rate for rate in self.region.multicast_data_rates()}
        wanted = self.scenario.dr
        if wanted is None:
            lora = [dr for dr, rate in rates.items() if rate.sf is not None]
            return 5 if 5 in lora else max(lora)
        if wanted not in rates or not rates[wanted].max_payload > _FRAGMENT_OVERHEAD:
            usable = ", ".join(str(dr) for dr in rates)
            expected = f"a rate for multicast in {self.scenario.region}: {usable}"
            raise FieldError("Scenario", "dr", wanted, expected)
        return wanted

    def _cut(self) -> DataBlock:
        room = self.region.max_payload(self.dr) - _FRAGMENT_OVERHEAD
        wanted = self.scenario.frag_size
        frag_size = room if wanted is None else wanted
        if frag_size > room:
            expected = f"1..{room} octets at {self.scenario.region} DR{self.dr}"
            raise FieldError("Scenario", "frag_size", frag_size, expected)
        return DataBlock.of(self.scenario.image, frag_size=frag_size)

    def _choose_parity(self) -> int:
        scenario, block = self.scenario, self.block
        if scenario.redundancy is None:
            wanted = parity_for(block.nb_frag, loss=scenario.loss, devices=scenario.devices)
            return min(wanted, block.max_parity)
        wanted = math.ceil(scenario.redundancy * block.nb_frag)
        if wanted > block.max_parity:
            expected = f"at most {block.max_parity} coded fragments beside {block.nb_frag} plain"
            raise FieldError("Scenario", "redundancy", scenario.redundancy, expected)
        return max(wanted, 1)  # without one, a lossless block may be complete and nobody knows

    def _choose_frequency(self) -> int:
        channels = (self.region.rx2, self.region.ping_slot, self.region.beacon)
        if self.scenario.window_class is WindowClass.B:
            channels = (self.region.ping_slot, self.region.beacon, self.region.rx2)
        for channel in channels:
            if channel.freq_hz is not None:
                return channel.freq_hz
        return 505_300_000  # CN470 has no default that all its channel plans share

    def _spacing_us(self) -> int:
        duty = self.scenario.duty_cycle
        if duty is not None:
            return math.ceil(self.airtime_us / duty)
        band = self.region.sub_band(self.freq_hz)
        return min_spacing_us(self.airtime_us, band.duty_cycle if band else Fraction(1))

    def _parities(self) -> tuple[ParityVariant, ...]:
        """Return the matrices of the devices that listen to multicast: each takes a group."""
        found = {
            one.profile.fragmentation.parity
            for at, one in enumerate(self.kinds)
            if not self.is_unicast(at)
        }
        return tuple(parity for parity in ParityVariant if parity in found)

    def _choose_retry(self) -> RetryPolicy:
        """Be so patient that losses alone let hardly any device be given up."""
        scenario = self.scenario
        fails = 1 - (1 - scenario.loss) * (1 - scenario.uplink_loss)
        attempts = _ATTEMPTS[0]
        if fails > 0:
            attempts = math.ceil(math.log(_SURE / scenario.devices) / math.log(fails))
        interval = 60.0 + 2 * (scenario.uplink_seconds + scenario.delay_seconds)
        return RetryPolicy(min(max(attempts, _ATTEMPTS[0]), _ATTEMPTS[-1]), interval)


def _chosen(share: float, scenario: Scenario, what: str) -> frozenset[int]:
    """Draw so many devices, as a share of all; at least one if the share is not zero."""
    if not share:
        return frozenset()
    count = max(1, round(share * scenario.devices))
    rng = random.Random(f"{scenario.seed}/{what}")
    return frozenset(rng.sample(range(scenario.devices), count))
