"""The device side of a whole update: routes ports and frames, and puts answers into uplinks.

Two inputs, octets and time; one output, the returned list of actions.  What arrives from the air
never raises: it is executed, dropped or rejected, and the list says which.  A payload is read to
its end before its first command is executed.

For now there are sessions behind Remote Multicast Setup, Fragmented Data Block Transport and
Multi-Package Access.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

from ..errors import FieldError, require_int
from ..link import Drop
from ..multipackage import v1 as multipackage
from ..multipackage.commandset import CommandSet, read_command_set
from ..package import MAX_PAYLOAD, Package, PackageVersionAns, PackageVersionReq
from ..types import DOWNLINK, BytesLike
from ..wire import Command
from .actions import Action, Answer, Dropped, DropReason, Rejected, Send
from .fragmentation import FragDevice
from .multicast import McDevice
from .multipackage import AnswerBuffer

__all__ = ["FuotaDevice"]

_SMALLEST_UPLINK: Final = 11
_HIGHEST_FPORT: Final = 224  # 225 is for command sets


@final
class FuotaDevice:
    """One device.  Knows no radio, no clock, no file."""

    def __init__(
        self,
        *,
        multicast: McDevice,
        fragmentation: FragDevice,
        fports: Mapping[str, int] | None = None,
        max_payload: int = MAX_PAYLOAD,
    ) -> None:
        """Put a device together from its sessions.

        Args:
            multicast: Its groups.
            fragmentation: Its blocks.
            fports: FPort by package name, where it is not the document's.
            max_payload: Octets an uplink can carry at the present data rate, 11 to 242.

        Raises:
            FieldError: A port is taken twice, out of range or for another package, or *max_payload*
                is out of range.
        """
        self.multicast, self.fragmentation = multicast, fragmentation
        self.max_payload = max_payload
        self._buffer = AnswerBuffer()
        own = (multicast.profile.package, fragmentation.profile.package)
        wanted = {package.name: package.fport for package in own} | dict(fports or {})
        self._fports: dict[int, Package] = {multipackage.PACKAGE.fport: multipackage.PACKAGE}
        for package in own:
            fport = wanted.pop(package.name)
            if not 1 <= fport <= _HIGHEST_FPORT or fport in self._fports:
                expected = f"a port of its own in 1..{_HIGHEST_FPORT}"
                raise FieldError("FuotaDevice", package.name, fport, expected)
            self._fports[fport] = package
        if wanted:
            expected = " or ".join(package.name for package in own)
            raise FieldError("FuotaDevice", "fports", ", ".join(wanted), expected)
        self._packages = {package.identifier: package for package in self._fports.values()}

    @property
    def max_payload(self) -> int:
        """Octets an uplink can carry; set it whenever the data rate changes."""
        return self._max_payload

    @max_payload.setter
    def max_payload(self, octets: int) -> None:
        require_int("FuotaDevice", "max_payload", octets, _SMALLEST_UPLINK, MAX_PAYLOAD)
        self._max_payload = octets

    def receive_frame(self, phy: BytesLike, *, now: float) -> list[Action]:
        """Take one multicast PHYPayload off the air; return what it caused, in order.

        Args:
            phy: The frame, MHDR to MIC.
            now: GPS seconds, by the device's clock.
        """
        opened = self.multicast.open(phy)
        if isinstance(opened, Drop):
            return [Dropped(DropReason.FRAME, opened.name)]
        mc_group_id, frame = opened
        return self.receive(frame.fport, frame.payload, now=now, mc_group_id=mc_group_id)

    def receive(
        self, fport: int, payload: BytesLike, *, now: float, mc_group_id: int | None = None
    ) -> list[Action]:
        """Take one application payload in the clear; return what it caused, in order.

        Args:
            fport: The port it came on.
            payload: FRMPayload in the clear.
            now: GPS seconds, by the device's clock.
            mc_group_id: The group on whose address it arrived; None for unicast.
        """
        payload = bytes(payload)
        package = self._fports.get(fport)
        if package is None:
            return [Dropped(DropReason.FPORT, f"FPort {fport}")]
        if package is multipackage.PACKAGE:
            return self._receive_set(fport, payload, now, mc_group_id)
        results: list[Answer | Action] = []
        for parsed in package.parse(payload, DOWNLINK):
            if isinstance(parsed, Command):
                results += self._execute(package, parsed, now, mc_group_id, self.max_payload)
            else:
                results.append(Rejected(fport, payload, parsed.error))
        return self._send(fport, results, now)

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, in GPS seconds."""
        deadlines = (self.multicast.next_deadline, self.fragmentation.next_deadline)
        return min((one for one in deadlines if one is not None), default=None)

    def tick(self, *, now: float) -> list[Action]:
        """Let time pass.  Harmless when called too early or too often."""
        fport = self._fport_of(self.fragmentation.profile.package)
        reports = self._send(fport, self.fragmentation.tick(now=now), now)
        return reports + self._send(fport, self.multicast.tick(now=now), now)

    def _fport_of(self, package: Package) -> int:
        [fport] = [at for at, one in self._fports.items() if one is package]
        return fport

    def _execute(
        self,
        package: Package,
        command: Command,
        now: float,
        mc_group_id: int | None,
        max_payload: int,
    ) -> list[Answer | Action]:
        if package is self.multicast.profile.package:
            return self.multicast.execute(
                command, now=now, mc_group_id=mc_group_id, max_payload=max_payload
            )
        if package is self.fragmentation.profile.package:
            return self.fragmentation.execute(command, now=now, mc_group_id=mc_group_id)
        return self._own_command(command)

    def _send(self, fport: int, results: list[Answer | Action], now: float) -> list[Action]:
        """Put the answers into uplinks: those due now together, later ones each in its own."""
        actions: list[Action] = []
        together = b""
        for result in results:
            if not isinstance(result, Answer):
                actions.append(result)
                continue
            octets = result.command.encode()
            if result.delay_seconds:
                actions.append(Send(fport, octets, now + result.delay_seconds))
                continue
            if together and len(together) + len(octets) > self.max_payload:
                actions.append(Send(fport, together, now))
                together = b""
            together += octets
        if together:
            actions.append(Send(fport, together, now))
        return actions

    # Multi-Package Access

    def _receive_set(
        self, fport: int, payload: bytes, now: float, mc_group_id: int | None
    ) -> list[Action]:
        if mc_group_id is not None:
            return [Dropped(DropReason.UNICAST_ONLY, "FPort 225")]
        found = read_command_set(payload, self._packages)
        actions: list[Action] = []
        if isinstance(found, CommandSet):
            actions += self._execute_set(found, now)
            if found.leftover is not None:
                actions.append(Rejected(fport, payload, found.leftover.error))
        else:
            self._buffer.request(found)
        while (frame := self._buffer.next_frame(self.max_payload)) is not None:
            actions.append(Send(fport, frame, now))
        return actions

    def _execute_set(self, commands: CommandSet, now: float) -> list[Action]:
        actions: list[Action] = []
        if commands.commands:
            self._buffer.begin(commands.token)
        named = 0  # the package the last answer belongs to
        for one in commands.commands:
            package = self._packages[one.package]
            for result in self._execute(package, one.command, now, None, multipackage.BUFFER_SIZE):
                if not isinstance(result, Answer):
                    actions.append(result)
                    continue
                identify = one.explicit or one.package != named
                octets = bytes((0x80 | one.package,)) if identify else b""
                if not self._buffer.append(octets + result.command.encode()):
                    return actions
                named = one.package
        return actions

    def _own_command(self, command: Command) -> list[Answer | Action]:
        match command:
            case PackageVersionReq():
                own = multipackage.PACKAGE
                version = PackageVersionAns(
                    package_identifier=own.identifier, package_version=own.version
                )
                return [Answer(version)]
            case multipackage.DevPackageReq():
                infos = tuple(
                    multipackage.PackageInfo(
                        package_identifier=one.identifier, package_version=one.version, port=fport
                    )
                    for fport, one in self._fports.items()
                )
                return [
                    Answer(multipackage.DevPackageAns(nb_total_packages=len(infos), packages=infos))
                ]
            case _:
                return [Dropped(DropReason.DIRECTION, type(command).__name__)]
