"""Several packages in one downlink (TS007), for the devices of a campaign.

A request goes to the port of its package.  Where a device speaks TS007, several that are due
together leave as one command set; and so does one whose package has no port of its own.  What a
device answers is unpacked and judged like any other answer, so nothing is lost if this object is:
a campaign that comes back from the store asks again.
"""

from __future__ import annotations

from typing import Final, final

from ..catalogue import PackageMap
from ..errors import DecodeError
from ..multipackage.commandset import CommandSet, read_answers
from ..package import Package
from ..session.actions import Rejected
from ..session.expected import answer_kind
from ..session.multipackageserver import MultiPackageServer
from ..session.retries import Retries
from ..session.serveractions import Downlink, ServerAction, SetAnswered, SetFailed
from ..types import DevEUI
from ..wire import Command
from .negotiation import SET_FPORT, read_ports

__all__ = ["CommandSets"]

_RETRIES: Final = Retries(tries=1_000, seconds=1e-3)
"""When to ask again is up to the campaign."""


@final
class CommandSets:
    """The command sets under way, by device; of none that owes no answer."""

    def __init__(self) -> None:
        """Start with none."""
        self._servers: dict[DevEUI, MultiPackageServer] = {}
        self._token = 0

    def __len__(self) -> int:
        return len(self._servers)

    def forget(self, dev_eui: DevEUI) -> None:
        """Wait for no more answers of a device."""
        self._servers.pop(dev_eui, None)

    def send(
        self,
        dev_eui: DevEUI,
        commands: list[tuple[str, Command]],
        map_: PackageMap,
        *,
        ports: str,
        now: float,
    ) -> list[tuple[int, bytes]]:
        """Return the downlinks for one device, as FPort and payload.

        Args:
            dev_eui: The device.
            commands: Requests with the names of their packages.
            map_: The packages it has.
            ports: What it told of its ports; empty if it is not known to speak TS007.
            now: GPS seconds.
        """
        own = read_ports(ports)
        packages = {one.name: one for one in map_.packages.values()}
        together = [
            (packages[name], command)
            for name, command in commands
            if answer_kind(packages[name], command) is not None
            and (
                name == "multipackage"
                or (ports and len(commands) > 1)
                or own.get(name) == SET_FPORT
            )
        ]
        sends = [
            (map_.fport(name), command.encode())
            for name, command in commands
            if (packages[name], command) not in together
        ]
        server = self._servers.get(dev_eui)
        if server is not None and together == _unanswered(server):
            # repeated: first fetch the answers that may be there
            return sends + self._downlinks(server.tick(now=now))
        self.forget(dev_eui)
        if together:
            server = MultiPackageServer(packages.values(), next_token=self._token, retries=_RETRIES)
            self._token = (self._token + 1) % 4
            self._servers[dev_eui] = server
            sends += self._downlinks(server.submit(together, now=now))
        return sends

    def receive(
        self, dev_eui: DevEUI, payload: bytes, map_: PackageMap, *, now: float
    ) -> tuple[list[Command], list[tuple[int, bytes]], DecodeError | None]:
        """Take an uplink on the port of TS007.

        Returns:
            The answers in it, or that it completes; what to send because of it; and what could not
            be read.
        """
        server = self._servers.get(dev_eui)
        if server is None:
            found = read_answers(payload, map_.packages)
            if not isinstance(found, CommandSet):
                return [], [], None  # a piece of something that was asked for before a restart
            error = found.leftover.error if found.leftover else None
            return [one.command for one in found.commands], [], error
        actions = server.receive(payload, now=now)
        answers: list[Command] = []
        rejected = None
        for action in actions:
            if isinstance(action, SetAnswered | SetFailed):
                answers += [one.command for one in action.answers]
            elif isinstance(action, Rejected):
                rejected = action.error
        if server.under_way is None:
            self.forget(dev_eui)
        return answers, self._downlinks(actions), rejected

    @staticmethod
    def _downlinks(actions: list[ServerAction]) -> list[tuple[int, bytes]]:
        return [(one.fport, one.payload) for one in actions if isinstance(one, Downlink)]


def _unanswered(server: MultiPackageServer) -> list[tuple[Package, Command]]:
    """Return what a device still owes answers to."""
    under_way = server.under_way.commands if server.under_way else ()
    return [(server.packages[one.package], one.command) for one in (*under_way, *server.waiting)]
