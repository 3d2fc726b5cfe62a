"""The windows devices were asked to listen in, as the requests and their answers have them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, TypeAlias

from ..gpstime import from_wire
from ..link import BEACON_PERIOD_SECONDS
from ..multicastsetup import v1, v2
from ..types import DevAddr
from .case import DeviceLog, Seen

__all__ = ["CLOCK_UNKNOWN", "START_MISSED", "SessionAns", "SessionReq", "Window", "windows_of"]

SessionReq: TypeAlias = v1.McClassCSessionReq | v1.McClassBSessionReq
SessionAns: TypeAlias = (
    v1.McClassCSessionAns | v1.McClassBSessionAns | v2.McClassCSessionAns | v2.McClassBSessionAns
)

CLOCK_UNKNOWN: Final = 0xFFFFFF
"""TimeToStart of a device that does not know the time, or is too far away from the start."""

START_MISSED: Final = 8
"""Status bit of version 2: SessionTime is past by the device's clock."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """One session request and the answer to it.

    Attributes:
        request: What the server asked.
        answer: What the device said; None for nothing.
        mc_addr: The group, if its set-up is in the capture.
    """

    request: Seen[SessionReq]
    answer: Seen[SessionAns] | None
    mc_addr: DevAddr | None

    @property
    def accepted(self) -> bool:
        """Whether the device is going to listen, as far as it knows."""
        return self.answer is not None and not self.answer.what.errors

    @property
    def start(self) -> float | None:
        """When it begins, GPS seconds; None if the log has no times."""
        time = self.request.time
        return None if time is None else from_wire(self.request.what.session_time, near=time)

    @property
    def seconds(self) -> int:
        """How long it lasts at most."""
        what = self.request.what
        unit = 1 if isinstance(what, v1.McClassCSessionReq) else BEACON_PERIOD_SECONDS
        return unit << what.time_out

    @property
    def end(self) -> float | None:
        """When it ends at the latest."""
        start = self.start
        return None if start is None else start + self.seconds


def windows_of(device: DeviceLog) -> list[Window]:
    """Return the windows a device was asked for, with the last answer to each request.

    A request that is repeated octet for octet counts once.
    """
    groups = {one.what.mc_group_id: one.what.mc_addr for one in device.sent(v1.McGroupSetupReq)}
    found: dict[SessionReq, Window] = {}
    newest: dict[tuple[int, int], SessionReq] = {}
    for one in sorted((*_requests(device), *_answers(device)), key=lambda each: each.at):
        what, key = one.what, (one.what.mc_group_id, one.what.CID)
        if isinstance(what, v1.McClassCSessionReq | v1.McClassBSessionReq):
            newest[key] = what
            request = Seen(one.at, one.time, what)
            found.setdefault(what, Window(request, None, groups.get(what.mc_group_id)))
        elif key in newest:
            answer = Seen(one.at, one.time, what)
            found[newest[key]] = dataclasses.replace(found[newest[key]], answer=answer)
    return list(found.values())


def _requests(device: DeviceLog) -> Sequence[Seen[SessionReq]]:
    return [*device.sent(v1.McClassCSessionReq), *device.sent(v1.McClassBSessionReq)]


def _answers(device: DeviceLog) -> Sequence[Seen[SessionAns]]:
    return device.said(
        v1.McClassCSessionAns, v1.McClassBSessionAns, v2.McClassCSessionAns, v2.McClassBSessionAns
    )
