"""The device side of a whole update: routes ports and frames, and keeps five sessions in step.

Two inputs, octets and time; one output, the returned list of actions.  What arrives from the air
never raises: it is executed, dropped or rejected, and the list says which.  A payload is read to
its end before its first command is executed.

Time is whatever the owner counts, in seconds.  With a :class:`ClockDevice` the device learns by
itself what GPS time that is, and keeps windows and reboots where they belong when it learns better;
without one the owner's seconds *are* GPS seconds.

The sessions do not know each other.  What one means to another goes through here: a clock that was
set moves windows and a programmed reboot, a window without a time makes the clock ask, a complete
block ends the windows that fed it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Final, Self, final

from ..errors import FieldError, StateError, require_int, require_time
from ..link import Drop
from ..multipackage import v1 as multipackage
from ..package import (
    MAX_PAYLOAD,
    Package,
    Parsed,
    UnknownCommand,
)
from ..types import DOWNLINK, AppKey, BytesLike, GenAppKey
from ..wire import Command
from .actions import Action, Answer, Dropped, DropReason, Reboot, Rejected
from .clock import ClockDevice
from .firmware import FirmwareDevice
from .fragmentation import FragDevice, FragLimits
from .gate import Results, let_in
from .multicast import McDevice, McLimits
from .multipackage import DEFAULT_GAP_SECONDS, SetDevice
from .profile import SetProfile
from .saved import SavedState, saved_int
from .stacks import DeviceProfile, OnUnknown
from .uplinks import into_uplinks, within

__all__ = ["FuotaDevice"]

_SMALLEST_UPLINK: Final = 11
_HIGHEST_FPORT: Final = 224  # 225 is for command sets
_FORMAT: Final = 1


@final
class FuotaDevice:
    """One device.  Knows no radio, no clock, no file."""

    def __init__(
        self,
        *,
        multicast: McDevice,
        fragmentation: FragDevice,
        clock: ClockDevice | None = None,
        firmware: FirmwareDevice | None = None,
        sets: SetProfile | None = SetProfile(),  # noqa: B008  frozen
        fports: Mapping[str, int] | None = None,
        max_payload: int = MAX_PAYLOAD,
        piece_gap_seconds: float = DEFAULT_GAP_SECONDS,
        one_command_per_uplink: bool = False,
        on_unknown: OnUnknown = OnUnknown.ANSWERS,
        leaves_when_complete: bool = True,
    ) -> None:
        """Put a device together from its sessions.

        Args:
            multicast: Its groups.
            fragmentation: Its blocks.
            clock: Its time; None if the owner's seconds are GPS seconds.
            firmware: Its versions and reboots, or None.
            sets: How it answers command sets on FPort 225; None for a device that does not.
            fports: FPort by package name, where it is not the document's.
            max_payload: Octets an uplink can carry at the present data rate, 11 to 242.
            piece_gap_seconds: Between two pieces of the answers to a command set, as the duty cycle
                asks for; 0 or more.
            one_command_per_uplink: Give every answer an uplink of its own, for servers that read
                only the first (ChirpStack).
            on_unknown: What happens to a payload that cannot be read to its end.
            leaves_when_complete: End the windows of a group when every block it feeds is complete.

        Raises:
            FieldError: A port is taken twice, out of range or for another package, or *max_payload*
                or *piece_gap_seconds* is out of range.
        """
        self.multicast, self.fragmentation = multicast, fragmentation
        self.clock, self.firmware = clock, firmware
        self.max_payload = max_payload
        self.one_command_per_uplink = one_command_per_uplink
        self._on_unknown, self._leaves = on_unknown, leaves_when_complete
        self._sets = SetDevice(sets, gap_seconds=piece_gap_seconds)
        self._fports = _ports(
            [one.profile.package for one in (clock, multicast, fragmentation, firmware) if one],
            dict(fports or {}),
            with_sets=sets is not None,
        )
        self._packages = {package.identifier: package for package in self._fports.values()}
        self._offset: float | None = 0.0
        if clock is not None:
            self._set_offset(clock.offset, now=0.0)

    @classmethod
    def from_profile(
        cls,
        profile: DeviceProfile,
        *,
        root_key: GenAppKey | AppKey,
        rng: random.Random,
        fw_version: int = 0,
        hw_version: int = 0,
        mc_limits: McLimits | None = None,
        frag_limits: FragLimits | None = None,
        period_seconds: float | None = 86_400.0,
        clock_known: bool = False,
        fports: Mapping[str, int] | None = None,
        max_payload: int = MAX_PAYLOAD,
        piece_gap_seconds: float = DEFAULT_GAP_SECONDS,
        leaves_when_complete: bool = True,
    ) -> Self:
        """Put together a device like a stack in the field, or one that follows the documents.

        Args:
            profile: :func:`lorafuota.session.stacks.device_profile`.
            root_key: GenAppKey (LoRaWAN 1.0.x) or AppKey (1.1).
            rng: Draws every delay.
            fw_version: The running firmware.
            hw_version: The hardware.
            mc_limits: What its radio can do.
            frag_limits: What it takes on; None for what the stack is delivered with.
            period_seconds: How often it asks for the time by itself, or None.
            clock_known: Whether the owner's seconds are GPS seconds.
            fports: FPort by package name, where it is not the document's.
            max_payload: Octets an uplink can carry at the present data rate, 11 to 242.
            piece_gap_seconds: Between two pieces of the answers to a command set.
            leaves_when_complete: End the windows of a group when every block it feeds is complete.

        Raises:
            FieldError: As for the constructors of the sessions.
        """
        clock, firmware = None, None
        if profile.clock is not None:
            clock = ClockDevice(
                profile.clock, rng=rng, period_seconds=period_seconds, known=clock_known
            )
        if profile.firmware is not None:
            firmware = FirmwareDevice(
                profile.firmware, fw_version=fw_version, hw_version=hw_version
            )
        return cls(
            multicast=McDevice(profile.multicast, root_key=root_key, limits=mc_limits),
            fragmentation=FragDevice(
                profile.fragmentation,
                rng=rng,
                root_key=root_key,
                limits=frag_limits or profile.frag_limits,
            ),
            clock=clock,
            firmware=firmware,
            sets=profile.sets,
            fports=fports,
            max_payload=max_payload,
            piece_gap_seconds=piece_gap_seconds,
            one_command_per_uplink=profile.one_command_per_uplink,
            on_unknown=profile.on_unknown,
            leaves_when_complete=leaves_when_complete,
        )

    @property
    def max_payload(self) -> int:
        """Octets an uplink can carry; set it whenever the data rate changes."""
        return self._max_payload

    @max_payload.setter
    def max_payload(self, octets: int) -> None:
        require_int("FuotaDevice", "max_payload", octets, _SMALLEST_UPLINK, MAX_PAYLOAD)
        self._max_payload = octets

    def gps(self, now: float) -> float | None:
        """Return what GPS time the device takes it for, modulo 2**32; None if it does not know."""
        return None if self._offset is None else now + self._offset

    # The two inputs

    def receive_frame(self, phy: BytesLike, *, now: float) -> list[Action]:
        """Take one multicast PHYPayload off the air; return what it caused, in order.

        Args:
            phy: The frame, MHDR to MIC.
            now: The owner's seconds.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("FuotaDevice", "now", now)
        opened = self.multicast.open(phy)
        if isinstance(opened, Drop):
            return [Dropped(DropReason.FRAME, opened.name)]
        mc_group_id, frame = opened
        stored = self.multicast.store_counters()
        return stored + self.receive(frame.fport, frame.payload, now=now, mc_group_id=mc_group_id)

    def receive(
        self, fport: int, payload: BytesLike, *, now: float, mc_group_id: int | None = None
    ) -> list[Action]:
        """Take one application payload in the clear; return what it caused, in order.

        Args:
            fport: The port it came on.
            payload: FRMPayload in the clear.
            now: The owner's seconds.
            mc_group_id: The group on whose address it arrived; None for unicast.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("FuotaDevice", "now", now)
        payload = bytes(payload)
        package = self._fports.get(fport)
        if package is None:
            return [Dropped(DropReason.FPORT, f"FPort {fport}")]
        if package is multipackage.PACKAGE:
            if mc_group_id is not None:
                return [Dropped(DropReason.UNICAST_ONLY, f"FPort {fport}")]
            actions = self._sets.receive(
                payload,
                packages=self._packages,
                execute=lambda package, one: self._execute(
                    package, one, now, None, multipackage.BUFFER_SIZE
                ),
                max_payload=self.max_payload,
                now=now,
            )
        else:
            results = self._receive_commands(fport, package, payload, now, mc_group_id)
            actions = self._uplinks(fport, results, now)
        return self._in_step(actions, now)

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, in the owner's seconds."""
        deadlines = [
            self.multicast.next_deadline,
            self.fragmentation.next_deadline,
            self._sets.next_deadline,
        ]
        if self.firmware is not None:
            deadlines.append(self.firmware.next_deadline)
        if self.clock is not None and self.clock.next_deadline is not None:
            class_c = self.multicast.class_c_until
            deadlines.append(
                max(self.clock.next_deadline, -math.inf if class_c is None else class_c)
            )
        return min((one for one in deadlines if one is not None), default=None)

    def tick(self, *, now: float) -> list[Action]:
        """Let time pass.  Harmless when called too early or too often.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("FuotaDevice", "now", now)
        spent = self.fragmentation.spent_groups if self._leaves else frozenset[int]()
        actions: list[Action] = []
        for session, results in (
            (self.multicast, self.multicast.tick(now=now, useless=spent)),
            (self.fragmentation, self.fragmentation.tick(now=now)),
        ):
            fport = self._fport_of(session.profile.package)
            actions += self._uplinks(fport, results, now)
        actions += self._sets.tick(max_payload=self.max_payload, now=now)
        if self.clock is not None and self.multicast.class_c_until is None:
            fport = self._fport_of(self.clock.profile.package)
            actions += self._uplinks(fport, self.clock.tick(now=now), now)
        if self.firmware is not None:
            fport = self._fport_of(self.firmware.profile.package)
            actions += self._uplinks(fport, self.firmware.tick(now=now), now)
        return self._in_step(actions, now)

    def set_time(self, gps: float, *, now: float) -> list[Action]:
        """Tell the time, known from DeviceTimeAns, a beacon or GNSS; return what that causes.

        Raises:
            FieldError: A time is not finite.
            StateError: The device has no clock session: the owner's seconds are GPS seconds.
        """
        require_time("FuotaDevice", "now", now)
        if self.clock is None:
            raise StateError("FuotaDevice.set_time", "the device has no clock of its own")
        self.clock.set_time(gps, now=now)
        return self._in_step([], now)

    # Resets

    def export(self, *, progress: bool = False) -> SavedState:
        """Return everything a reset must not lose, as JSON can hold it (:mod:`.saved`).

        There is no secret in it: keys of groups are kept as they were on air, wrapped.

        Args:
            progress: The fragments received so far as well, a third larger than they are.
        """
        state: SavedState = {"format": _FORMAT}
        state |= self.multicast.export() | self.fragmentation.export(progress=progress)
        for one in (self.clock, self.firmware):
            state |= one.export() if one is not None else {}
        return state

    def restore(self, state: Mapping[str, object], *, now: float) -> list[Action]:
        """Take over, as the first thing, what was exported or stored before a reset.

        Args:
            state: From :meth:`export`, or kept entry by entry (:func:`.saved.keep`).
            now: The owner's seconds.

        Returns:
            What it causes, for instance a window that is open.

        Raises:
            FieldError: It cannot be read.  Throw the device away.
            StateError: The device has groups or sessions already.
        """
        require_time("FuotaDevice", "now", now)
        if not isinstance(state, Mapping):
            raise FieldError("saved state", "state", type(state), "a mapping")
        if self.multicast.groups or self.fragmentation.export():
            raise StateError("FuotaDevice.restore", "the device is not fresh")
        saved_int(state, "format", _FORMAT, _FORMAT)
        self.multicast.restore(state, now=now)
        self.fragmentation.restore(state, now=now)
        if self.clock is not None:
            self.clock.restore(state, now=now)
        actions = self.firmware.restore(state, now=now) if self.firmware is not None else []
        return self._in_step(actions, now)

    # What one session means to another

    def _set_offset(self, offset: float | None, *, now: float) -> list[Action]:
        self._offset = offset
        actions = self.multicast.set_offset(offset, now=now)
        if self.firmware is not None:
            actions += self.firmware.set_offset(offset, now=now)
        return actions

    def _in_step(self, actions: list[Action], now: float) -> list[Action]:
        """Let the sessions follow what has just happened; a reboot stays the last action."""
        followed: list[Action] = []
        if self.clock is not None:
            if self.clock.offset != self._offset:
                followed += self._set_offset(self.clock.offset, now=now)
            wanted = self.multicast.wants_time
            if wanted or (self.firmware is not None and self.firmware.wants_time):
                self.clock.want()
        if self._leaves:
            spent = self.fragmentation.spent_groups
            for index in self.multicast.listening:
                if index in spent:
                    followed += self.multicast.leave(index, now=now)
        reboots = [one for one in actions if isinstance(one, Reboot)]
        if reboots:
            followed += self._sets.rest(max_payload=self.max_payload, now=now)
        return [one for one in actions if not isinstance(one, Reboot)] + followed + reboots

    # Commands

    def _fport_of(self, package: Package) -> int:
        [fport] = [at for at, one in self._fports.items() if one is package]
        return fport

    def _uplinks(self, fport: int, results: Results, now: float) -> list[Action]:
        return into_uplinks(
            results,
            fport=fport,
            now=now,
            max_payload=self.max_payload,
            one_command=self.one_command_per_uplink,
        )

    def _read(self, package: Package, payload: bytes) -> list[Parsed]:
        parsed = package.parse(payload, DOWNLINK)
        if self._on_unknown is not OnUnknown.NEXT_OCTET:
            return parsed
        found: list[Parsed] = []
        while parsed and isinstance(parsed[-1], UnknownCommand):
            found += parsed
            parsed = package.parse(parsed[-1].payload, DOWNLINK)
        return found + parsed

    def _receive_commands(
        self, fport: int, package: Package, payload: bytes, now: float, mc_group_id: int | None
    ) -> Results:
        results: Results = []
        silent = False
        for parsed in self._read(package, payload):
            if not isinstance(parsed, Command):
                results.append(Rejected(fport, payload, parsed.error))
                silent = self._on_unknown is OnUnknown.SILENCE
                continue
            caused = self._execute(package, parsed, now, mc_group_id, self.max_payload)
            results += caused
            unsupported = any(_is_unsupported(one) for one in caused)
            silent |= unsupported and self._on_unknown is OnUnknown.SILENCE
            if unsupported or any(isinstance(one, Reboot) for one in caused):
                break
        if silent:
            return [one for one in results if not isinstance(one, Answer)]
        if self.firmware is not None and package is self.firmware.profile.package:
            return within(results, self.firmware.profile.answer_octets)
        return results

    def _execute(
        self,
        package: Package,
        command: Command,
        now: float,
        mc_group_id: int | None,
        max_payload: int,
    ) -> Results:
        if package is self.multicast.profile.package:
            return self.multicast.execute(
                command, now=now, mc_group_id=mc_group_id, max_payload=max_payload
            )
        if package is self.fragmentation.profile.package:
            return self.fragmentation.execute(command, now=now, mc_group_id=mc_group_id)
        if self.clock is not None and package is self.clock.profile.package:
            return self.clock.execute(command, now=now, mc_group_id=mc_group_id)
        if self.firmware is not None and package is self.firmware.profile.package:
            return self.firmware.execute(command, now=now, mc_group_id=mc_group_id)
        return let_in(
            command,
            multipackage.PACKAGE,
            lambda: self._own_command(command),
            unicast_only=mc_group_id is not None,
        )

    def _own_command(self, command: Command) -> Results | None:
        if not isinstance(command, multipackage.DevPackageReq):
            return None
        infos = tuple(
            multipackage.PackageInfo(
                package_identifier=one.identifier, package_version=one.version, port=fport
            )
            for fport, one in self._fports.items()
        )
        return [Answer(multipackage.DevPackageAns(nb_total_packages=len(infos), packages=infos))]


def _ports(own: list[Package], moved: dict[str, int], *, with_sets: bool) -> dict[int, Package]:
    """Give every package its port.

    Raises:
        FieldError: A port is taken twice, out of range, or for another package.
    """
    fports: dict[int, Package] = {}
    if with_sets:
        fports[multipackage.PACKAGE.fport] = multipackage.PACKAGE
    wanted = {package.name: package.fport for package in own} | moved
    for package in own:
        fport = wanted.pop(package.name)
        if not 1 <= fport <= _HIGHEST_FPORT or fport in fports:
            expected = f"a port of its own in 1..{_HIGHEST_FPORT}"
            raise FieldError("FuotaDevice", package.name, fport, expected)
        fports[fport] = package
    if wanted:
        expected = " or ".join(package.name for package in own)
        raise FieldError("FuotaDevice", "fports", ", ".join(wanted), expected)
    return fports


def _is_unsupported(result: Answer | Action) -> bool:
    return isinstance(result, Dropped) and result.reason is DropReason.UNSUPPORTED
