"""Subjects that do nothing: a check that passes against them has looked at nothing.

They are not among the mutants of the table, since nearly every check has to notice them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lorafuota.conformance.check import Check
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.run import Outcome, run_device_checks, run_server_checks
from lorafuota.conformance.serversubject import (
    AddDevice,
    Begin,
    DeviceEntry,
    DeviceOutcome,
    Downlink,
    Ended,
    MulticastDownlink,
    ServerAbout,
    ServerEvent,
    ServerReply,
    ServerRequest,
)
from lorafuota.conformance.subject import About, DeviceRequest, Reply
from lorafuota.fragmentation.v1 import DataFragment


class SilentDevice:
    """Says of itself what another device says, and nothing after that."""

    def __init__(self, about: About) -> None:
        self.about = about

    def exchange(self, request: DeviceRequest) -> Reply:
        """Ignore a request."""
        return Reply()


class SilentServer:
    """Takes every update, sends nothing, and says after ten minutes that it is over.

    Args:
        status: What it says of every device, None for nothing.
    """

    def __init__(self, status: str | None) -> None:
        self._status = status
        about = OwnServer().about
        silent = frozenset({"outcomes", "reached"}) if status is None else frozenset()
        self.about: ServerAbout = dataclasses.replace(about, can=about.can - silent)
        self._devices: list[DeviceEntry] = []
        self._until: float | None = None

    def exchange(self, request: ServerRequest) -> ServerReply:
        """Take an update on, or say how it ended."""
        if isinstance(request, Begin):
            self._devices, self._until = list(request.devices), request.time + 600.0
        elif isinstance(request, AddDevice):
            self._devices.append(request.device)
        if self._until is None or request.time < self._until:
            return ServerReply((), self._until)
        events, self._until = tuple(self._said(request.time)), None
        return ServerReply(events)

    def _said(self, now: float) -> Iterator[ServerEvent]:
        for entry in self._devices if self._status is not None else ():
            yield DeviceOutcome(now, entry.dev_eui, self._status or "")
        yield Ended(now)


class ServerWithoutFragments:
    """Our own server, none of whose fragments goes out; it says MissingFrag of every device."""

    def __init__(self) -> None:
        self._inner = OwnServer()
        self.about: ServerAbout = self._inner.about

    def exchange(self, request: ServerRequest) -> ServerReply:
        """Have our server carry it out, and pass on what is no fragment."""
        reply = self._inner.exchange(request)
        return ServerReply(tuple(self._kept(reply.events)), reply.next)

    def _kept(self, events: Sequence[ServerEvent]) -> Iterator[ServerEvent]:
        for one in events:
            if isinstance(one, DeviceOutcome):
                yield dataclasses.replace(one, status="MissingFrag", reached="")
            elif not (isinstance(one, Downlink | MulticastDownlink) and _is_fragment(one)):
                yield one


def _is_fragment(event: Downlink | MulticastDownlink) -> bool:
    return event.fport == 201 and event.payload[:1] == DataFragment.CID.to_bytes()


def passed_by_device(about: About, checks: Iterable[Check[Any]]) -> list[str]:
    """Return the ids of the checks that a silent device passes."""
    results = run_device_checks(checks, SilentDevice(about))
    return [one.check.id for one in results if one.outcome is Outcome.PASSED]


def passed_by_server(
    subject: SilentServer | ServerWithoutFragments, checks: Iterable[Check[Any]]
) -> list[str]:
    """Return the ids of the checks that such a server passes."""
    results = run_server_checks(checks, subject)
    return [one.check.id for one in results if one.outcome is Outcome.PASSED]
