"""One device of the scripted fleet: our own, with hooks to lie, stay silent, lose and break down.

A device that is left alone follows the documents, or imitates the stack of its profile.  What a
check changes are a few public attributes; they may be changed at any time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, final

from ..catalogue import PackageMap
from ..firmwaremanagement.v1 import UpImageStatus
from ..fragmentation.v1 import DataFragment, FragSessionDeleteReq
from ..package import Package
from ..session.device import FuotaDevice
from ..session.fraglimits import FragLimits
from ..session.mcsession import McLimits
from ..session.stacks import DeviceProfile
from ..types import DOWNLINK
from ..wire import Command
from .own import OwnDevice
from .serversubject import DeviceEntry
from .subject import (
    Advance,
    BlockDelivered,
    BlockLost,
    ClassChanged,
    Downlink,
    MulticastFrame,
    PowerOn,
    Rebooted,
    Reply,
    Uplink,
)

__all__ = ["OLD_FW", "Air", "FleetDevice"]

OLD_FW: Final = 0x0100_0000
"""The firmware that runs before the update."""

Air: TypeAlias = tuple[float, int, bytes]
"""An uplink on its way: when, FPort, payload."""

Says: TypeAlias = Callable[[Command], Sequence[Command | bytes] | None]
"""What a device answers to a command instead of what it would; None for what it would."""


@final
class FleetDevice:
    """One device.

    Attributes:
        entry: What the server is told of it.
        packages: Which versions it speaks, and where.
        now: GPS seconds.
        session: The device itself.
        deaf: Nothing reaches it.
        mute: Nothing it sends arrives.
        honest: False if the check makes it lie about the block: then nothing follows from what the
            server says of it.
        loses: Whether the fragment of this number, sent by multicast or unicast, does not reach it.
        misses: Whether a multicast frame with this payload does not reach it.
        drops: Whether the unicast payload on this FPort does not reach it.
        says: Answers of the check's own, by the class of the request.
        sends: What becomes of its uplinks.
        finds: Version in an image that arrives whole.
        judges: What it makes of such an image.
        boots: Whether its boot loader takes a valid image.
        blocks: Blocks it completed.
        lost: How often it gave a block up, or found another MIC.
        heard: Fragment numbers that reached it, in order.
        fw_version: What runs.
    """

    def __init__(
        self,
        entry: DeviceEntry,
        profile: DeviceProfile,
        *,
        image: bytes,
        finds: int = 0,
        seed: str = "fleet",
        frag_limits: FragLimits | None = None,
        mc_limits: McLimits | None = None,
        max_payload: int = 242,
        skew: float = 0.0,
        clock_known: bool = True,
        fports: Mapping[str, int] | None = None,
    ) -> None:
        """Describe a device; :meth:`power_on` makes it work.

        Args:
            entry: What the server is told of it.
            profile: The stack it has.
            image: What is going to be delivered.
            finds: Version in that image.
            seed: Of its randomness.
            frag_limits: What it takes on.
            mc_limits: What its radio can do.
            max_payload: Octets an uplink of it carries.
            skew: What its clock shows, less GPS time.
            clock_known: Whether it believes its clock.
            fports: Where its packages are, if the server is not told.
        """
        self.entry, self.profile, self.skew = entry, profile, skew
        versions = {one.name: one.version for one in _packages(profile)}
        self._fports = dict(entry.fports if fports is None else fports)
        self.packages = PackageMap(versions, self._fports)
        self.now = 0.0
        self.deaf = self.mute = False
        self.honest = True
        self.loses: Callable[[int], bool] = lambda n: False
        self.misses: Callable[[bytes], bool] = lambda payload: False
        self.drops: Callable[[int, bytes], bool] = lambda fport, payload: False
        self.says: dict[type[Command], Says] = {}
        self.sends: Callable[[Air], Iterable[Air]] = lambda air: [air]
        self.finds, self.judges, self.boots = finds, UpImageStatus.VALID, True
        self.blocks: list[bytes] = []
        self.lost = 0
        self.heard: list[int] = []
        self.listening: dict[int, str] = {}
        self.fw_version = OLD_FW
        self._image, self._seed, self._clock_known = image, seed, clock_known
        self._limits = frag_limits, mc_limits
        self._max_payload = max_payload
        self._own = OwnDevice("documents v2", make=self._make, seed=seed)
        self.deadline: float | None = None

    @property
    def has_block(self) -> bool:
        """Whether it holds the image that was to be delivered."""
        return self._image in self.blocks

    def _make(self, request: PowerOn, rng: random.Random) -> FuotaDevice:
        """Put the device together; the image store is here and not in :class:`OwnDevice`."""
        frag_limits, mc_limits = self._limits
        self.session = FuotaDevice.from_profile(
            self.profile,
            root_key=request.root_key,
            rng=rng,
            fw_version=self.fw_version,
            hw_version=1,
            mc_limits=mc_limits,
            frag_limits=frag_limits,
            period_seconds=None,
            clock_known=request.clock_known,
            fports=self._fports,
            max_payload=self._max_payload,
        )
        return self.session

    # --- What happens to it ---

    def power_on(self, now: float, *, factory: bool = False) -> list[Air]:
        """Switch it on, or off and on again; without *factory* it keeps what its flash holds."""
        self.now = now
        self.listening.clear()
        request = PowerOn(
            time=now + self.skew,
            factory=factory,
            clock_known=self._clock_known,
            dev_eui=self.entry.dev_eui,
            dev_addr=self.entry.dev_addr,
            root_key=self.entry.root_key,
        )
        return self._took(self._own.exchange(request))

    def lose_sessions(self) -> None:
        """Forget every fragmentation session, as if somebody else had deleted them."""
        fport = self.packages.fport("fragmentation")
        for frag_index in range(4):
            delete = FragSessionDeleteReq(frag_index=frag_index).encode()
            self.session.receive(fport, delete, now=self.now + self.skew)

    def tick(self, now: float) -> list[Air]:
        """Let time pass."""
        self.now = now
        return self._took(self._own.exchange(Advance(now + self.skew)))

    def receive(self, fport: int, payload: bytes, now: float) -> list[Air]:
        """Take a unicast payload."""
        self.now = now
        if self.deaf or self.drops(fport, payload):
            return []
        answers, rest = self._own_way(fport, payload)
        out = [air for answer in answers for air in self.sends((now, fport, answer))]
        if rest is not None and self._gets(rest):
            out += self._took(self._own.exchange(Downlink(now + self.skew, fport, rest)))
        return [] if self.mute else out

    def frame(self, phy: bytes, payload: bytes, now: float) -> list[Air]:
        """Take a multicast frame, if it listens."""
        out = self.tick(now)
        if self.deaf or not self.listening or self.misses(payload) or not self._gets(payload):
            return out
        return out + self._took(self._own.exchange(MulticastFrame(now + self.skew, phy)))

    # --- How it takes it ---

    def _gets(self, payload: bytes) -> bool:
        """Say whether a payload gets through, and note the number of a fragment that does."""
        if payload[:1] != DataFragment.CID.to_bytes() or len(payload) < 4:
            return True
        n = int.from_bytes(payload[1:3], "little") & 0x3FFF
        if self.loses(n):
            return False
        self.heard.append(n)
        return True

    def _own_way(self, fport: int, payload: bytes) -> tuple[list[bytes], bytes | None]:
        """Take out the commands that the check answers; return its answers, and what is left."""
        package = self.packages.at(fport)
        if package is None or not self.says or package.identifier == 0:
            return [], payload
        answers: list[bytes] = []
        left = b""
        for one in package.parse(payload, DOWNLINK):
            if not isinstance(one, Command):
                return [], payload
            said = self.says[type(one)](one) if type(one) in self.says else None
            if said is None:
                left += one.encode()
            else:
                answers += [each if isinstance(each, bytes) else each.encode() for each in said]
        return answers, left or None

    def _took(self, reply: Reply) -> list[Air]:
        out: list[Air] = []
        for event in reply.events:
            match event:
                case Uplink():
                    at = max(event.time - self.skew, self.now)
                    out += self.sends((at, event.fport, event.payload))
                case BlockDelivered():
                    self.blocks.append(event.data)
                    self._store(event.data)
                case BlockLost():
                    self.lost += 1
                case ClassChanged(device_class="A"):
                    self.listening.pop(event.mc_group_id or 0, None)
                case ClassChanged():
                    self.listening[event.mc_group_id or 0] = event.device_class
                case Rebooted():
                    return out + self._reboot()
        self.deadline = None if reply.next is None else reply.next - self.skew
        return [] if self.mute else out

    def _store(self, data: bytes) -> None:
        firmware = self.session.firmware
        if firmware is None:
            return
        right = data == self._image
        status = self.judges if right else UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE
        valid = status is UpImageStatus.VALID
        firmware.store_image(status, version=self.finds if valid else None)

    def _reboot(self) -> list[Air]:
        before = self.session.firmware
        stored = None if before is None else before.next_firmware_version
        if stored is not None and self.boots:
            self.fw_version = stored
        out = self.power_on(self.now)
        after = self.session.firmware
        if before is not None and after is not None:
            after.store_image(before.image_status, version=stored)
            after.booted(self.fw_version)
        return out


def _packages(profile: DeviceProfile) -> list[Package]:
    present = (profile.clock, profile.multicast, profile.fragmentation, profile.firmware)
    return [one.package for one in present if one is not None]
