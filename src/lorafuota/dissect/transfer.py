"""One block on its way to one device: the set-up, its answer, the fragments, what the device told.

A transfer begins with a set-up and ends with the next other set-up of that FragIndex, a delete, or
the capture.  A set-up that is repeated octet for octet belongs to the same transfer.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Final, cast

from ..datablock import MAX_NB_FRAG
from ..fragmentation import v1, v2
from ..types import UPLINK, DevAddr, DevEUI
from ..wire import Command
from .case import Case, DeviceLog, Fragment, Seen, SetupAns, SetupReq

__all__ = ["Status", "Transfer", "transfers"]

_SETUPS: Final = (v1.FragSessionSetupReq, v2.FragSessionSetupReq)
_ANSWERS: Final = (v1.FragSessionSetupAns, v2.FragSessionSetupAns)
_STATUS_OCTETS: Final = 4
_ABSENT: Final = 4
_LONG_ABSENT: Final = 6  # with a MICError that means nothing


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """What a FragSessionStatusAns tells, in one of its two orders."""

    frag_index: int
    received: int
    missing: int
    memory_error: bool
    mic_error: bool
    reserved: bool
    """A bit is set that this order reserves."""

    @classmethod
    def of(cls, octets: bytes, version: int) -> Status | None:
        """Read the octets after the identifier in one order; None for no session, and the like."""
        if len(octets) < _STATUS_OCTETS:
            return None
        if version == 1:
            head, missing, flags = int.from_bytes(octets[:2], "little"), octets[2], octets[3]
            error, reserved = bool(flags & 1), bool(flags & 0xFE)
            return cls(head >> 14, head & 0x3FFF, missing, error, False, reserved)
        if octets[0] & _ABSENT:
            return None
        return cls._in_order_2(octets)

    @classmethod
    def _in_order_2(cls, octets: bytes) -> Status:
        flags, head, missing = octets[0], int.from_bytes(octets[1:3], "little"), octets[3]
        errors, reserved = (bool(flags & 1), bool(flags & 2)), bool(flags & 0xF8)
        return cls(head >> 14, head & 0x3FFF, missing, *errors, reserved)

    @classmethod
    def stale(cls, octets: bytes) -> Status | None:
        """Read the long answer about no session that LoRa Basics Modem 4.8 sends in version 2."""
        if len(octets) < _STATUS_OCTETS or octets[0] & _LONG_ABSENT != _LONG_ABSENT:
            return None
        return cls._in_order_2(octets)


@dataclasses.dataclass(eq=False)
class Transfer:
    """One block on its way to one device; what is computed from it is computed once."""

    device: DeviceLog
    setup: Seen[SetupReq]
    setups: int = 1
    """How often the set-up was sent."""
    answers: list[Seen[SetupAns]] = dataclasses.field(default_factory=list)
    fragments: list[Seen[Fragment]] = dataclasses.field(default_factory=list)
    requests: list[Seen[v1.FragSessionStatusReq]] = dataclasses.field(default_factory=list)
    statuses: list[Seen[bytes]] = dataclasses.field(default_factory=list)
    """Answers to status requests, octets after the identifier: which order they have is open."""
    reports: list[Seen[v2.FragDataBlockReceivedReq]] = dataclasses.field(default_factory=list)
    acknowledged: list[Seen[v2.FragDataBlockReceivedAns]] = dataclasses.field(default_factory=list)
    deleted: int | None = None
    made_good: bool = False
    """A later transfer to the same device succeeded."""

    @property
    def dev_eui(self) -> DevEUI | None:
        """The device."""
        return self.device.dev_eui

    @property
    def req(self) -> SetupReq:
        """The set-up."""
        return self.setup.what

    @property
    def setup_version(self) -> int:
        """Version of TS004 the server wrote the set-up in."""
        return 2 if isinstance(self.req, v2.FragSessionSetupReq) else 1

    @property
    def version(self) -> int:
        """Version of TS004 the device speaks: what it told, else what the server took it for."""
        told = self.device.version("fragmentation")
        return told if told in (1, 2) else self.setup_version

    @property
    def accepted(self) -> bool:
        """Whether the device took the set-up."""
        return any(not one.what.errors for one in self.answers)

    @property
    def octets(self) -> int:
        """Length of the block without padding."""
        return self.req.nb_frag * self.req.frag_size - self.req.padding

    @functools.cached_property
    def plain(self) -> dict[int, bytes]:
        """Plain fragments in the capture, by number."""
        found: dict[int, bytes] = {}
        for one in self.usable:
            if one.what.n <= self.req.nb_frag:
                found.setdefault(one.what.n, one.what.payload)
        return found

    @functools.cached_property
    def usable(self) -> list[Seen[Fragment]]:
        """Fragments of the right length with a number from 1 on."""
        size = self.req.frag_size
        return [one for one in self.fragments if one.what.n and len(one.what.payload) == size]

    @functools.cached_property
    def highest(self) -> int:
        """The highest fragment number in the capture; 0 for none."""
        return max((one.what.n for one in self.fragments), default=0)

    def block(self) -> bytes | None:
        """Return the block with its padding, if every plain fragment is in the capture."""
        plain = self.plain
        if len(plain) < self.req.nb_frag or not self.req.nb_frag:
            return None
        return b"".join(plain[n] for n in range(1, self.req.nb_frag + 1))

    def told(self, version: int | None = None) -> list[tuple[Seen[bytes], Status]]:
        """Return the status answers with figures, read in the device's order or in another one."""
        order = self.order if version is None else version
        read = [(one, Status.of(one.what, order)) for one in self.statuses]
        return [(one, status) for one, status in read if status is not None]

    @functools.cached_property
    def order(self) -> int:
        """The order in which the device's status answers make sense; its version's in doubt."""
        votes = [self.makes_sense(one) for one in self.statuses]
        only = {order: votes.count(frozenset({order})) for order in (1, 2)}
        other = 3 - self.version
        return other if only[other] > only[self.version] else self.version

    def makes_sense(self, answer: Seen[bytes]) -> frozenset[int]:
        """Return the orders, 1 and 2, in which a status answer can be true of this transfer."""
        octets = answer.what
        if len(octets) < _STATUS_OCTETS:
            return frozenset({2})
        sent = [one for one in self.fragments if one.at < answer.at]
        most = max(len(sent), max((one.what.n for one in sent), default=0))
        if not self.fragments:  # the capture has none, whatever was sent
            most = MAX_NB_FRAG
        good = set()
        for order in (1, 2):
            stale = Status.stale(octets) if order == 2 else None
            status = stale or Status.of(octets, order)
            if status is None or status.reserved:
                continue
            if stale is None and status.frag_index != self.req.frag_index:
                continue
            if stale is None and status.mic_error and status.missing:
                continue  # the MIC is looked at when nothing is missing
            if status.received <= most and status.missing <= min(self.req.nb_frag, 255):
                good.add(order)
        return frozenset(good)

    @property
    def absent(self) -> list[Seen[bytes]]:
        """Answers that say in version 2's order that there is no such session."""
        if self.order == 1:
            return []
        return [one for one in self.statuses if one.what and one.what[0] & _ABSENT]

    @functools.cached_property
    def success(self) -> bool:
        """Whether the device told that the block is there and right."""
        if any(not one.what.mic_error for one in self.reports):
            return True
        told = self.told()
        if not told:
            return False
        last = told[-1][1]
        errors = last.memory_error or last.mic_error
        return not errors and last.missing == 0 and last.received > 0

    @property
    def mic_error(self) -> Seen[bytes] | None:
        """The first answer in which the device told that the block has another MIC."""
        found: list[Seen[bytes]] = [
            Seen(one.at, one.time, one.what.encode()) for one in self.reports if one.what.mic_error
        ]
        found += [
            Seen(one.at, one.time, b"\x01" + one.what)
            for one, status in self.told()
            if status.mic_error and self.order == 2
        ]
        return min(found, key=lambda one: one.at, default=None)


def transfers(case: Case) -> list[Transfer]:
    """Return every transfer of a capture, in the order of their set-ups."""
    found: list[Transfer] = []
    for device in case.devices.values():
        found += _of_device(case, device)
    found.sort(key=lambda one: one.setup.at)
    good: set[DevEUI | None] = set()
    for one in reversed(found):
        one.made_good = one.dev_eui in good
        if one.success:
            good.add(one.dev_eui)
    return found


def _of_device(case: Case, device: DeviceLog) -> Iterator[Transfer]:
    events: list[Seen[Command | Fragment]] = [*device.down, *device.up, *device.fragments]
    if any(isinstance(one.what, _SETUPS) for one in device.down):
        for mc_addr in _groups(case, device):
            events += case.groups[mc_addr].fragments
            events += case.groups[mc_addr].requests
    running: dict[int, Transfer] = {}
    whole = _whole_statuses(device)
    for one in sorted(events, key=lambda event: event.at):
        if isinstance(one.what, _SETUPS):
            setup: Seen[SetupReq] = Seen(one.at, one.time, one.what)
            before = running.get(one.what.frag_index)
            if before is not None and before.req == one.what:
                before.setups += 1
                continue
            if before is not None:
                yield before
            running[one.what.frag_index] = Transfer(device, setup)
        else:
            _take(running, one, whole.get(one.at))
            ended = [index for index, each in running.items() if each.deleted is not None]
            for index in ended:
                yield running.pop(index)
    yield from running.values()


def _whole_statuses(device: DeviceLog) -> dict[int, bytes]:
    """Return the status answers that fill a payload, by frame: octets after the identifier.

    Version 2's parser steps over three of them where the first says that there is no session; in
    version 1's order the first says something else.
    """
    return {
        one.at: one.what.payload[1:]
        for one in device.payloads
        if one.what.direction is UPLINK
        and one.what.payload is not None
        and len(one.what.payload) == 1 + _STATUS_OCTETS
        and one.what.payload[0] == v1.FragSessionStatusAns.CID
    }


def _groups(case: Case, device: DeviceLog) -> list[DevAddr]:
    """Return the groups that feed a device's sessions: those it was told of, else all."""
    told = [group.mc_addr for group, _ in case.groups_of(device)]
    return told or list(case.groups)


def _take(running: dict[int, Transfer], one: Seen[Command | Fragment], whole: bytes | None) -> None:
    what = one.what
    match what:
        case Fragment():
            if what.frag_index in running:
                running[what.frag_index].fragments.append(cast("Seen[Fragment]", one))
        case v1.FragSessionStatusReq():
            if what.frag_index in running:
                running[what.frag_index].requests.append(Seen(one.at, one.time, what))
        case v1.FragSessionSetupAns() | v2.FragSessionSetupAns():
            if what.frag_index in running:
                running[what.frag_index].answers.append(Seen(one.at, one.time, what))
        case v1.FragSessionStatusAns() | v2.FragSessionStatusAns():
            _take_status(running, Seen(one.at, one.time, whole or what.encode()[1:]))
        case v2.FragDataBlockReceivedReq():
            if what.frag_index in running:
                running[what.frag_index].reports.append(Seen(one.at, one.time, what))
        case v2.FragDataBlockReceivedAns():
            if what.frag_index in running:
                running[what.frag_index].acknowledged.append(Seen(one.at, one.time, what))
        case v1.FragSessionDeleteReq():
            if what.frag_index in running:
                running[what.frag_index].deleted = one.at
        case _:
            pass


def _take_status(running: dict[int, Transfer], one: Seen[bytes]) -> None:
    """Give a status answer to the session that was asked about last, else to the newest."""
    asked = [each for each in running.values() if each.requests]
    if asked:
        max(asked, key=lambda each: each.requests[-1].at).statuses.append(one)
    elif running:
        list(running.values())[-1].statuses.append(one)
