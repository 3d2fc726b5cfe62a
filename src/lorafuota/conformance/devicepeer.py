"""The server's side of a check against a device: says things, waits, and looks at what comes.

A check is a straight script; whatever is not as it should be raises :class:`.check.Failed`.

The same scripts play in real time, by a clock that is passed in.  Waiting for something then ends
early: a moment after all of it is there, in which something else would still be noticed.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final, final

from ..catalogue import PackageMap
from ..crypto import derive_mc_ke_key, derive_mc_root_key, wrap_mc_key
from ..fragmentation.v1 import DataFragment
from ..link import McSender
from ..package import Package, Parsed
from ..session.dialects import ZeroBasedDataFragment
from ..session.stacks import DEVICE_PROFILES
from ..types import UPLINK, AppKey, DevAddr, DevEUI, GenAppKey, McKEKey, McKey, require_key
from ..wire import Command
from .check import Failed, NotApplicable
from .milliseconds import not_before, whole
from .subject import (
    Advance,
    BlockDelivered,
    DeviceEvent,
    DeviceRequest,
    DeviceSubject,
    Downlink,
    MulticastFrame,
    PowerOn,
    Rebooted,
    Reply,
    Uplink,
)

__all__ = ["START", "DevicePeer", "PeerGroup"]

START: Final = 1_400_000_000.0
"""GPS seconds at which every check in virtual time begins, a multiple of 128."""

_MOST_CALLS: Final = 20_000
"""Times a device may ask to be called while nobody says anything to it."""

_GRACE: Final = 1.0
"""Seconds of real time to wait on when everything wanted is there."""


@dataclasses.dataclass(frozen=True, slots=True)
class PeerGroup:
    """A multicast group as the kit keeps it: McGroupID, and the sending end."""

    mc_group_id: int
    sender: McSender
    mc_key_encrypted: bytes
    min_mc_fcnt: int


@final
class DevicePeer:
    """One device under test, freshly reset.

    Attributes:
        subject: The device.
        rng: Randomness of the check, seeded with its id.
        mc_ke_key: Wraps the keys of groups.
        transcript: Every request and event, in order, for the explanation of a failure.
    """

    def __init__(
        self,
        subject: DeviceSubject,
        *,
        seed: str,
        root_key: GenAppKey | AppKey | None = None,
        profile: str | None = None,
        start: float = START,
        clock_known: bool = True,
        clock: Callable[[], float] | None = None,
        max_wait: float = math.inf,
    ) -> None:
        """Take a subject and reset it to how it left the factory.

        Args:
            subject: The device.
            seed: Of the check's randomness.
            root_key: The device's own, if it cannot be given one.
            profile: Name of the stack it is built with, if that is known.  The kit then speaks the
                dialect of its server, for whoever has one: only MultiTech Conduit, whose McKEKey is
                zeros and whose fragments are numbered from 0.
            start: GPS seconds of the first request.
            clock_known: Whether the device starts with the right time.
            clock: The clock of real time, in GPS seconds; None for virtual time.
            max_wait: Seconds of real time the check may take; one that needs more is skipped.

        Raises:
            FieldError: The key is of another class.
        """
        if root_key is not None:
            require_key("DevicePeer", "root_key", root_key, GenAppKey, AppKey)
        self.subject, self._clock = subject, clock
        self._now = whole(start)
        self._max_wait, self._last = max_wait, self.now + max_wait
        self.rng = random.Random(seed)
        self.transcript: list[DeviceRequest | DeviceEvent] = []
        self.root_key = root_key or GenAppKey(self.rng.randbytes(16))
        self.dev_eui = DevEUI(self.rng.getrandbits(64))
        self.dev_addr = DevAddr(self.rng.getrandbits(25))
        stack = DEVICE_PROFILES.get(profile or "")
        keyless = stack is not None and stack.multicast.zero_mc_ke_key
        derived = derive_mc_ke_key(derive_mc_root_key(self.root_key))
        self.mc_ke_key = McKEKey(bytes(16)) if keyless else derived
        self._from_zero = (
            stack is not None and ZeroBasedDataFragment in stack.fragmentation.package.commands
        )
        about = subject.about
        self.packages = PackageMap(about.versions, about.fports)
        self._events: list[DeviceEvent] = []
        self._next: float | None = None
        self.power_on(factory=True, clock_known=clock_known)

    def package(self, name: str) -> Package:
        """Return a package in the version the device speaks.

        Raises:
            NotApplicable: It does not speak it.
        """
        if name not in self.subject.about.versions:
            raise NotApplicable(f"the device does not speak {name}")
        [found] = [one for one in self.packages.packages.values() if one.name == name]
        return found

    # --- Time ---

    @property
    def now(self) -> float:
        """GPS seconds, in whole milliseconds: the time of every request."""
        return self._now if self._clock is None else whole(self._clock())

    def power_on(self, *, factory: bool = False, clock_known: bool = True) -> None:
        """Reset the device; without *factory* it keeps what its flash holds."""
        self._do(
            PowerOn(
                time=self.now,
                factory=factory,
                clock_known=clock_known,
                dev_eui=self.dev_eui,
                dev_addr=self.dev_addr,
                root_key=self.root_key,
            )
        )

    def wait(
        self, seconds: float, *, enough: Callable[[list[DeviceEvent]], bool] | None = None
    ) -> list[DeviceEvent]:
        """Let time pass; return what happens meanwhile, and what nobody has asked for yet.

        Args:
            seconds: How long.
            enough: Whether everything is there that is waited for; real time need not go on then.

        Raises:
            NotApplicable: Real time may not take so long.
        """
        self.pause(seconds, enough=enough)
        return self.events()

    def pause(
        self, seconds: float, *, enough: Callable[[list[DeviceEvent]], bool] | None = None
    ) -> None:
        """Let time pass as :meth:`wait` does; what happens is kept for whoever asks next."""
        end = whole(self.now + seconds)
        if seconds > 0 and end <= self.now:  # less than a millisecond, and yet time goes on
            end = whole(self.now + 0.001)
        for _ in range(_MOST_CALLS):
            end, enough = self._real_end(end, enough)
            now, due = self.now, self._next
            at = end if due is None or due >= end else not_before(due)
            if self._clock is None:
                self._now = at = end if at <= now else at
            else:
                at = max(min(at, self._last), now)
            self._do(Advance(at))
            if self.now >= end:
                return
        raise Failed(f"the device wants to be called more than {_MOST_CALLS} times in {seconds} s")

    def _real_end(
        self, end: float, enough: Callable[[list[DeviceEvent]], bool] | None
    ) -> tuple[float, Callable[[list[DeviceEvent]], bool] | None]:
        """Return when to stop waiting in real time, and for what more."""
        if self._clock is None:
            return end, None
        if enough is not None and enough(self._events):
            return min(end, self.now + _GRACE), None
        if end > self._last and (enough is None or self.now >= self._last):
            raise NotApplicable(f"takes longer than the {self._max_wait:g} s of real time it may")
        return end, enough

    def events(self) -> list[DeviceEvent]:
        """Return what has happened since somebody last asked, and forget it."""
        events, self._events = self._events, []
        return events

    def put_back(self, events: Iterable[DeviceEvent]) -> None:
        """Keep events for whoever asks next, before what has happened since."""
        self._events = [*events, *self._events]

    # --- Saying something ---

    def send(self, package: Package, *commands: Command | bytes) -> None:
        """Send commands, or any octets, by unicast in one payload."""
        payload = b"".join(map(self._octets, commands))
        self.send_raw(self.packages.fport(package.name), payload)

    def send_raw(self, fport: int, payload: bytes) -> None:
        """Send octets by unicast on any port."""
        self._do(Downlink(self.now, fport, payload))

    def multicast(self, group: PeerGroup, package: Package, *commands: Command | bytes) -> None:
        """Send commands, or any octets, in one frame of a group, with its next counter."""
        payload = b"".join(map(self._octets, commands))
        self.multicast_raw(group, self.packages.fport(package.name), payload)

    def multicast_raw(
        self, group: PeerGroup, fport: int, payload: bytes, *, fcnt: int | None = None
    ) -> None:
        """Send octets in one frame of a group; *fcnt* is the next one unless given."""
        sender = group.sender
        if fcnt is not None:
            sender = dataclasses.replace(sender, next_fcnt=fcnt, max_mc_fcnt=0xFFFF_FFFF)
        used = sender.next_fcnt
        phy = sender.seal(payload, fport=fport)
        if "frames" in self.subject.about.can:
            self._do(MulticastFrame(self.now, phy))
        else:
            self._do(Downlink(self.now, fport, payload, mc_addr=sender.mc_addr, fcnt=used))

    def _octets(self, command: Command | bytes) -> bytes:
        """Return what travels; a fragment has its number in the dialect of the stack."""
        if isinstance(command, bytes):
            return command
        if self._from_zero and isinstance(command, DataFragment):
            n, index = command.n - 1, command.frag_index
            return ZeroBasedDataFragment(n=n, frag_index=index, payload=command.payload).encode()
        return command.encode()

    def frame(self, phy: bytes) -> None:
        """Send any octets as a frame on air.

        Raises:
            NotApplicable: The device has no link layer of its own.
        """
        self.need("frames")
        self._do(MulticastFrame(self.now, phy))

    def new_group(
        self, mc_group_id: int = 0, *, min_mc_fcnt: int = 0, max_mc_fcnt: int = 0xFFFF
    ) -> PeerGroup:
        """Draw keys and an address for a group; nothing is sent."""
        mc_key, mc_addr = McKey(self.rng.randbytes(16)), DevAddr(self.rng.getrandbits(25))
        sender = McSender.from_mc_key(
            mc_key, mc_addr, next_fcnt=min_mc_fcnt, max_mc_fcnt=max_mc_fcnt
        )
        return PeerGroup(mc_group_id, sender, wrap_mc_key(self.mc_ke_key, mc_key), min_mc_fcnt)

    # --- Looking at what comes ---

    def answers(
        self, package: Package, *, within: float = 20.0, enough: int | None = None
    ) -> list[Parsed]:
        """Wait; return every command that came on the package's port, whoever else spoke.

        Args:
            package: Whose commands.
            within: How long to wait.
            enough: How many are waited for, if any; real time need not go on then.
        """

        def all_there(events: list[DeviceEvent]) -> bool:
            return len(self._commands(package, events)) >= (enough or 0)

        waited = self.wait(within, enough=all_there if enough else None)
        return self._commands(package, waited)

    def _commands(self, package: Package, events: Iterable[DeviceEvent]) -> list[Parsed]:
        fport, found = self.packages.fport(package.name), []
        for event in events:
            if isinstance(event, Uplink) and event.fport == fport:
                found += package.parse(event.payload, UPLINK)
        return found

    def expect(self, package: Package, *wanted: Command, within: float = 20.0) -> None:
        """Wait, and fail unless exactly these commands came on the package's port, in order."""
        came = self.answers(package, within=within, enough=len(wanted))
        if came != list(wanted):
            raise Failed(f"expected {_list(wanted)}; came {_list(came)}")

    def ask(
        self, package: Package, *commands: Command | bytes, within: float = 20.0
    ) -> list[Parsed]:
        """Send commands in one payload; return the answers, in real time one for each command."""
        self.events()
        self.send(package, *commands)
        return self.answers(package, within=within, enough=len(commands))

    def expect_silence(self, *, within: float = 20.0) -> None:
        """Wait, and fail if the device sends anything at all."""
        came = [event for event in self.wait(within) if isinstance(event, Uplink)]
        if came:
            first = came[0]
            raise Failed(f"expected silence; came {first.payload.hex(' ')} on FPort {first.fport}")

    def expect_block(self, frag_index: int, data: bytes, *, within: float = 60.0) -> None:
        """Wait, and fail unless exactly this block is delivered."""
        self.need("blocks")
        waited = self.wait(
            within, enough=lambda events: any(isinstance(one, BlockDelivered) for one in events)
        )
        came = [event for event in waited if isinstance(event, BlockDelivered)]
        if [(one.frag_index, one.data) for one in came] != [(frag_index, data)]:
            what = ", ".join(f"{len(one.data)} octets on {one.frag_index}" for one in came)
            same = " with other content" if any(len(one.data) == len(data) for one in came) else ""
            raise Failed(
                f"expected a block of {len(data)} octets on FragIndex {frag_index}; "
                f"came {what or 'none'}{same}"
            )

    def need(self, *can: str) -> None:
        """Leave the check if the device cannot do something.

        Raises:
            NotApplicable: So.
        """
        missing = [one for one in can if one not in self.subject.about.can]
        if missing:
            raise NotApplicable(f"the device does not have: {', '.join(missing)}")

    def _do(self, request: DeviceRequest) -> None:
        self.transcript.append(request)
        reply: Reply = self.subject.exchange(request)
        self.transcript += reply.events
        self._events += reply.events
        self._next = reply.next
        if any(isinstance(event, Rebooted) for event in reply.events):
            self.power_on()


def _list(commands: Iterable[object] | Sequence[object]) -> str:
    return ", ".join(map(str, commands)) or "nothing"
