"""The devices of one check against a server: which versions they speak, and how they are made."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from typing import Final, TypedDict, final

from ..package import Package
from ..session.fraglimits import FragLimits
from ..session.mcsession import McLimits
from ..session.profile import SetProfile
from ..session.stacks import DeviceProfile, device_profile
from ..types import AppKey, DevAddr, DevEUI, GenAppKey
from .fleetdevice import FleetDevice
from .serversubject import DeviceEntry, ServerAbout

__all__ = ["NEW_FW", "Fleet", "Making"]

NEW_FW: Final = 0x0200_0000
"""The version in the image."""

_ONE_VERSION: Final = ("firmwaremanagement", "multipackage")
"""Packages whose version says nothing of the others'."""


class Making(TypedDict, total=False):
    """What may be said of a device that is made; see :meth:`Fleet.make`."""

    profile: DeviceProfile | None
    multicast: bool | None
    fports: Mapping[str, int] | None
    stack: str
    frag_limits: FragLimits | None
    mc_limits: McLimits | None
    max_payload: int
    skew: float
    clock_known: bool
    told: bool


@final
class Fleet:
    """Devices that suit one server and one check.

    Attributes:
        about: What the server says of itself.
        devices: The devices, in the order they were made.
        image: What is delivered to them.
    """

    def __init__(
        self, about: ServerAbout, package: Package, *, rng: random.Random, seed: str
    ) -> None:
        """Begin with no device.

        Args:
            about: What the server says of itself.
            package: What the check is about; the fleet speaks it.
            rng: Draws images, identities and keys.
            seed: Of what the devices draw themselves.
        """
        self.about = about
        self.devices: dict[DevEUI, FleetDevice] = {}
        self.image = b""
        self._package, self._rng, self._seed = package, rng, seed

    @property
    def by_groups(self) -> bool:
        """Whether devices are served by multicast unless a check says otherwise."""
        return bool(self.about.can & {"class-b", "class-c"}) and bool(
            self.about.versions.get("multicastsetup")
        )

    def version(self, name: str) -> int:
        """Return the version of a package that the fleet speaks: the check's, or the newest."""
        package = self._package
        if name == package.name:
            return package.version
        spoken = self.about.versions.get(name, ())
        same = package.version if package.name not in _ONE_VERSION else 0
        wanted = same if same in spoken else max(spoken, default=0)
        return wanted or 2

    def profile(self, *, firmware: bool = False, sets: bool = False) -> DeviceProfile:
        """Return devices of the documents, with the versions of this check."""
        base = device_profile(f"documents v{self.version('fragmentation')}")
        return self.plain(base, firmware=firmware, sets=sets)

    def plain(
        self, profile: DeviceProfile, *, firmware: bool = False, sets: bool = False
    ) -> DeviceProfile:
        """Return a device with the TS004 of *profile*, and the other versions of this check."""
        mc = device_profile(f"documents v{self.version('multicastsetup')}")
        clock = device_profile(f"documents v{self.version('clocksync')}")
        return dataclasses.replace(
            profile,
            multicast=mc.multicast,
            clock=clock.clock,
            firmware=profile.firmware if firmware else None,
            sets=SetProfile() if sets else None,
        )

    def draw_image(self, octets: int) -> bytes:
        """Choose what is delivered; devices are made after that."""
        self.image = self._rng.randbytes(octets)
        return self.image

    def make(
        self,
        *,
        profile: DeviceProfile | None = None,
        multicast: bool | None = None,
        fports: Mapping[str, int] | None = None,
        stack: str = "",
        frag_limits: FragLimits | None = None,
        mc_limits: McLimits | None = None,
        max_payload: int = 242,
        skew: float = 0.0,
        clock_known: bool = True,
        told: bool = True,
    ) -> FleetDevice:
        """Add a device, switched off; see :class:`.fleetdevice.FleetDevice`.

        Every other one is of LoRaWAN 1.0.x and has a GenAppKey, the rest have an AppKey.  The
        server is told its *fports* unless *told* is false.
        """
        profile = profile or self.profile()
        number = len(self.devices)
        kind = AppKey if number % 2 else GenAppKey
        entry = DeviceEntry(
            dev_eui=DevEUI(self._rng.getrandbits(64)),
            dev_addr=DevAddr(self._rng.getrandbits(25)),
            root_key=kind(self._rng.randbytes(16)),
            versions={} if "asks-versions" in self.about.can else _versions(profile),
            fports=(fports or {}) if told else {},
            multicast=self.by_groups if multicast is None else multicast,
            stack=stack,
        )
        device = FleetDevice(
            entry,
            profile,
            image=self.image,
            finds=NEW_FW,
            seed=f"{self._seed}/{number}",
            frag_limits=frag_limits,
            mc_limits=mc_limits,
            max_payload=max_payload,
            skew=skew,
            clock_known=clock_known,
            fports=fports or {},
        )
        self.devices[entry.dev_eui] = device
        return device


def _versions(profile: DeviceProfile) -> dict[str, int]:
    """Return PackageVersion by package name, as a server is told."""
    packages = (profile.clock, profile.multicast, profile.fragmentation, profile.firmware)
    versions = {one.package.name: one.package.version for one in packages if one is not None}
    return versions if profile.sets is None else {**versions, "multipackage": 1}
