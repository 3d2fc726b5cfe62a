"""One simulated device: the session classes, a radio, a clock that may be wrong, and a record.

**Shared radio.**  Every device of a group holds the same two keys, so opening a frame gives each of
them the same octets.  With ``Scenario.shared_radio`` a device opens the first frame of each of its
windows itself, which proves that it has the group; later ones are opened and read once, and its
fragmentation session gets the fragment.  Its multicast counter stands still meanwhile, so this is
refused where counters matter: repeated frames, reboots, imitated stacks.  Everything else is as
without, and a test compares the two reports.
"""

from __future__ import annotations

import dataclasses
import random
from collections import deque
from typing import Final, final

from ..errors import FuotaError
from ..firmwaremanagement.v1 import UpImageStatus
from ..fragmentation.v1 import DataFragment
from ..image.install import ImageGate
from ..image.version import ImageVersion
from ..session.actions import Action, Answer, ListenClassB, ListenClassC
from ..session.device import FuotaDevice
from ..session.multicast import McLimits
from ..session.saved import SavedState
from ..wire import Command
from .channel import Channel
from .plan import Plan

__all__ = ["OLD_FIRMWARE", "SimDevice", "fragment_number", "make_device"]

OLD_FIRMWARE: Final = 0
"""What runs before the update, where no gate says it."""

_RADIO: Final = McLimits(hops=True)


def make_device(
    plan: Plan,
    device: int,
    *,
    rng: random.Random,
    clock_known: bool,
    gate: ImageGate | None = None,
) -> FuotaDevice:
    """Put a device together: the one place that knows how."""
    one = plan.kinds[device]
    return FuotaDevice.from_profile(
        one.profile,
        root_key=plan.root_key(device),
        rng=rng,
        fw_version=OLD_FIRMWARE if gate is None else gate.running.fw_version,
        hw_version=0 if gate is None else gate.hw_version,
        mc_limits=_RADIO,
        frag_limits=one.limits,
        period_seconds=None,
        clock_known=clock_known,
    )


def fragment_number(payload: bytes) -> int | None:
    """Return N if *payload* is a fragment, else None."""
    if len(payload) > 3 and payload[0] == DataFragment.CID:
        return int.from_bytes(payload[1:3], "little") & 0x3FFF
    return None


@final
class SimDevice:
    """What the simulation keeps of one device.

    Attributes:
        index: From 0.
        group: Name of the multicast group whose frames it can decode.
        session: The device's side of the protocols.
        channel: Its luck.
        skew: What the device's clock shows, less GPS time, before any correction.
        listening: Windows open now, by McGroupID.
        queue: Class A: what waits for its next uplink, as FPort and payload.
        gate: What it lets in; None lets in the image that was sent.
        slot: What its boot loader finds: the image that passed the gate.
    """

    __slots__ = (
        "_plan",
        "_rng",
        "asleep",
        "channel",
        "completed_by",
        "gate",
        "gone",
        "group",
        "heard",
        "image_ok",
        "index",
        "joined",
        "listening",
        "lost",
        "next_tick",
        "poke",
        "proven",
        "queue",
        "rank",
        "reason",
        "rebuilt",
        "session",
        "skew",
        "slot",
        "unicasts",
        "uplinks",
        "verified",
    )

    def __init__(self, plan: Plan, index: int) -> None:
        """Start as the device leaves the factory."""
        scenario = plan.scenario
        self._plan = plan
        self.index = index
        self.group = plan.kinds[index].profile.fragmentation.parity.value
        self.channel = Channel(scenario, index)
        self._rng = random.Random(f"{scenario.seed}/device/{index}")
        error = scenario.clock_error
        self.skew = self._rng.uniform(-error, error) if error else 0.0
        self.gate = None if plan.gates is None else plan.gates(index)
        self.slot: bytes | None = None
        self.session = make_device(plan, index, rng=self._rng, clock_known=True, gate=self.gate)
        self.listening: dict[int, ListenClassB | ListenClassC] = {}
        self.queue: deque[tuple[int, bytes]] = deque()
        self.joined = True
        self.gone = self.asleep = False
        self.next_tick: float | None = None  # for which an event is in the fleet's heap
        self.poke: float | None = None  # ... likewise for the next uplink that is waited for
        self.proven = False  # shared radio: opened a frame of the present window itself
        self.heard = self.lost = self.unicasts = self.uplinks = self.rank = 0
        self.rebuilt: bytes | None = None  # kept only if it is not the image
        self.image_ok = self.verified = False
        self.completed_by: int | None = None
        self.reason: str | None = None

    @property
    def awake(self) -> bool:
        """Whether it hears and sends."""
        return self.joined and not self.gone and not self.asleep

    def local(self, now: float) -> float:
        """Return what the device counts as seconds when GPS time is *now*."""
        return now + self.skew

    def world(self, local: float) -> float:
        """Undo :meth:`local`."""
        return local - self.skew

    @property
    def deadline(self) -> float | None:
        """When the session wants to be called, in GPS seconds."""
        local = self.session.next_deadline
        return None if local is None else local - self.skew

    def hear(self, phy: bytes, now: float) -> list[Action]:
        """Take a multicast frame off the air."""
        local = now + self.skew
        return self._rebuilt(self.session.receive_frame(phy, now=local), local)

    def take(self, fport: int, payload: bytes, now: float) -> list[Action]:
        """Take a unicast payload in the clear."""
        local = now + self.skew
        return self._rebuilt(self.session.receive(fport, payload, now=local), local)

    def take_command(self, command: Command, now: float, mc_group_id: int) -> list[Action]:
        """Take a fragment that has been opened and read for the whole group."""
        local, session = now + self.skew, self.session
        results = session.fragmentation.execute(command, now=local, mc_group_id=mc_group_id)
        actions = [one for one in results if not isinstance(one, Answer)]
        assert len(actions) == len(results)  # devices of the documents do not answer a fragment
        if actions:  # what a device leaves its window for is noticed by a tick
            return actions + session.tick(now=local)
        return self._rebuilt(actions, local)

    def _rebuilt(self, actions: list[Action], local: float) -> list[Action]:
        """Rebuild the block at once if it is complete, so that it is known what completed it."""
        due = self.session.fragmentation.next_deadline
        if due is not None and due <= local:
            return actions + self.session.tick(now=local)
        return actions

    def finish(self, data: bytes, *, verified: bool, n: int | None) -> None:
        """Take note of a block, and call the image valid if it is the one that was sent."""
        self.completed_by, self.reason = n, None
        self.rank = self._plan.block.nb_frag
        self.image_ok = data == self._plan.block.image
        self.verified = verified
        self.rebuilt = None if self.image_ok else data
        if not self.image_ok:
            self.reason = "the block rebuilt is not the image"
        version = self._plan.scenario.firmware_version
        firmware = self.session.firmware
        if firmware is None or version is None:
            return
        if self.gate is not None:
            # all devices share the image that arrived whole
            verdict = self.gate.check(self._plan.block.image if self.image_ok else data)
            self.slot = verdict.image
            self.reason = verdict.reason or None
            firmware.store_image(verdict.status, version=verdict.fw_version)
        elif self.image_ok:
            firmware.store_image(UpImageStatus.VALID, version=version)
        else:
            firmware.store_image(UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE)

    def _start(self, version: int | None) -> int | None:
        """Do what the boot loader does; return the version that was installed, if any."""
        if self.gate is None or version is None:
            return version
        slot, self.slot = self.slot, None
        try:
            image = self.gate.install(b"" if slot is None else slot)
        except FuotaError as error:
            self.reason = str(error)
            return None
        running = ImageVersion.from_fw_version(version)
        self.gate = dataclasses.replace(self.gate, running=running, base=image)
        return version

    def look(self) -> None:
        """Remember how far the block has come; a session may be about to be deleted."""
        if self.image_ok or self.rebuilt is not None:
            return
        for frag_index in range(4):
            if self.session.fragmentation.state(frag_index) is not None:
                self.rank = self.session.fragmentation.decoder(frag_index).rank

    def switch_off(self) -> None:
        """Go down; nothing is heard until :meth:`boot`."""
        self.look()
        self.asleep = True
        self.listening.clear()

    def boot(self, now: float, *, fw_version: int | None) -> list[Action]:
        """Come back with what the flash held: fragments too, but not the time unless it is right.

        Args:
            now: GPS seconds.
            fw_version: The image that was installed meanwhile, or None.
        """
        saved: SavedState = self.session.export(progress=True)
        old = self.session.firmware
        known = not self._plan.scenario.clock_error
        # whatever causes a reboot, the boot loader installs an image that is valid
        stored = None if old is None else old.next_firmware_version
        installed = self._start(stored if fw_version is None else fw_version)
        self.session = make_device(
            self._plan, self.index, rng=self._rng, clock_known=known, gate=self.gate
        )
        fresh = self.session.firmware
        if fresh is not None and old is not None:
            if self.gate is None or installed is not None or stored is None:
                fresh.store_image(old.image_status, version=stored)
            else:
                fresh.store_image(UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE)
            fresh.booted(old.fw_version if installed is None else installed)
        self.asleep = self.proven = False
        return self.session.restore(saved, now=self.local(now))
