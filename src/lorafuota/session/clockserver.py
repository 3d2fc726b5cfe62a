"""Clock synchronisation (TS003), the server's side, for any number of devices.

A device says what its clock shows; the server compares that with the time the uplink began and
answers with the difference, or keeps silent::

    AppTimeReq  -->  in sync, AnsRequired 0  -->  nothing
                -->  otherwise               -->  AppTimeAns with the token of the request

Each request is answered on its own merits.  That is what makes repeats harmless: the token counts
only corrections that were applied, so an answer with a used token is ignored, and one with an
unused token is right because the clock has not moved.  A *copy* of a request, the same DeviceTime
and token again within seconds, is the same reading on a longer way, and gets the answer of the
earliest.

What the server asks for (version, period, resynchronisation) it asks again until the answer comes;
ForceDeviceResync is answered by the AppTimeReq it causes.  Nothing here has to survive a restart of
the server: a new one answers as well, and asks when told to.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import final

from ..clocksync import v1, v2
from ..errors import FieldError, StateError, require_int, require_time
from ..package import PackageVersionAns, PackageVersionReq
from ..types import UPLINK, BytesLike, DevEUI
from ..wire import Command
from .actions import Dropped, DropReason, Rejected
from .clocksync import clock_error, time_correction
from .retries import Retries
from .serveractions import (
    ClockChecked,
    Downlink,
    PeriodAnswered,
    ServerAction,
    Unanswered,
    VersionAnswered,
)

__all__ = ["ClockSyncServer"]

_FORCE = (v1.ForceDeviceResyncReq, v2.ForceDeviceResyncCmd)


@dataclasses.dataclass(slots=True)
class _Asked:
    """A request that waits for its answer."""

    command: Command
    due: float
    tries: int = 1


@dataclasses.dataclass(slots=True)
class _Clock:
    """What is known of one device."""

    version: int | None = None
    answered: int | None = None
    """Token of the last AppTimeAns, until the device's own has moved."""
    latest: v1.AppTimeReq | None = None
    arrival: float = 0.0
    """Of the earliest copy of the latest request."""
    checked: ClockChecked | None = None


@final
class ClockSyncServer:
    """The server's side of clock synchronisation.  Usable alone; knows no clock and no network."""

    def __init__(
        self,
        *,
        threshold_seconds: float = 1.0,
        copy_seconds: float = 10.0,
        max_devices: int = 100_000,
        retries: Retries = Retries(),  # noqa: B008  frozen
        fport: int = v2.PACKAGE.fport,
    ) -> None:
        """Start without knowing any device.

        Args:
            threshold_seconds: Errors up to this are in sync, and answered only when required.
            copy_seconds: How far apart two copies of one request can arrive.  A longer time takes
                a request after a reset for a copy of the one before it.
            max_devices: Devices remembered; the one not heard of for longest is forgotten first.
                A forgotten device is answered like any other.
            retries: For what the server asks.
            fport: The port of the package, 1 to 224.

        Raises:
            FieldError: A number is out of range.
        """
        for field, value in (
            ("threshold_seconds", threshold_seconds),
            ("copy_seconds", copy_seconds),
        ):
            if not value >= 0:
                raise FieldError("ClockSyncServer", field, value, "0 or more")
        self.threshold_seconds, self.copy_seconds = threshold_seconds, copy_seconds
        self.max_devices = require_int("ClockSyncServer", "max_devices", max_devices, 1, 1 << 40)
        self.retries = retries
        self.fport = require_int("ClockSyncServer", "fport", fport, 1, 224)
        self._clocks: OrderedDict[DevEUI, _Clock] = OrderedDict()
        self._asked: dict[DevEUI, dict[type[Command], _Asked]] = {}

    # What is known

    @property
    def devices(self) -> int:
        """How many devices are remembered."""
        return len(self._clocks)

    def checked(self, device: DevEUI) -> ClockChecked | None:
        """Return the latest reading of a device's clock, or None."""
        clock = self._clocks.get(device)
        return clock.checked if clock else None

    def version(self, device: DevEUI) -> int | None:
        """Return the PackageVersion a device has told, or None."""
        clock = self._clocks.get(device)
        return clock.version if clock else None

    def forget(self, device: DevEUI) -> None:
        """Forget a device, and ask it nothing any more."""
        self._clocks.pop(device, None)
        self._asked.pop(device, None)

    # What arrives

    def receive(self, device: DevEUI, payload: BytesLike, *, arrival: float) -> list[ServerAction]:
        """Take an uplink on the package's port; return what it caused, in order.

        Args:
            device: Who sent it.
            payload: FRMPayload in the clear.
            arrival: GPS time at which the uplink *began*.  A gateway stamps the end: subtract the
                time on air.

        Raises:
            FieldError: *arrival* is no time.
        """
        require_time("ClockSyncServer", "arrival", arrival)
        payload = bytes(payload)
        actions: list[ServerAction] = []
        for parsed in v2.PACKAGE.parse(payload, UPLINK):
            if isinstance(parsed, Command):
                actions += self.take(device, parsed, arrival=arrival)
            else:
                actions.append(Rejected(self.fport, payload, parsed.error))
        return actions

    def take(self, device: DevEUI, command: Command, *, arrival: float) -> list[ServerAction]:
        """Take one command of an uplink, for an owner who parses himself.

        Args:
            device: Who sent it.
            command: An uplink of this package.
            arrival: GPS time at which the uplink began.

        Raises:
            FieldError: *arrival* is no time.
        """
        require_time("ClockSyncServer", "arrival", arrival)
        match command:
            case v1.AppTimeReq():
                return self._app_time(device, command, arrival)
            case v1.DeviceAppTimePeriodicityAns():
                return self._period(device, command, arrival)
            case PackageVersionAns(package_identifier=identifier, package_version=version):
                if identifier != v2.PACKAGE.identifier:
                    return [Dropped(DropReason.PACKAGE, f"package {identifier}")]
                self._clock(device).version = version
                self._answered(device, PackageVersionReq)
                return [VersionAnswered(device, version)]
            case _:
                return [Dropped(DropReason.DIRECTION, type(command).__name__)]

    # What the server asks

    def ask_version(self, device: DevEUI, *, now: float) -> list[ServerAction]:
        """Ask which version a device speaks.

        Args:
            device: Whom.
            now: GPS time.

        Raises:
            FieldError: *now* is no time.
            StateError: As many devices as there may be owe an answer.
        """
        return self._ask(device, PackageVersionReq(), now, "ask_version")

    def set_period(self, device: DevEUI, period: int, *, now: float) -> list[ServerAction]:
        """Have a device ask every 128 * 2**period seconds, give or take 30, and read its clock.

        Args:
            device: Whom.
            period: 0 (two minutes) to 15 (48.5 days).
            now: GPS time.

        Raises:
            FieldError: *period* is out of range, or *now* no time.
            StateError: As many devices as there may be owe an answer.
        """
        request = v1.DeviceAppTimePeriodicityReq(period=period)
        return self._ask(device, request, now, "set_period")

    def resync(
        self, device: DevEUI, *, now: float, nb_transmissions: int = 3
    ) -> list[ServerAction]:
        """Have a device ask for the time now; its next AppTimeReq is the answer.

        Args:
            device: Whom.
            now: GPS time.
            nb_transmissions: How often it may ask, 1 to 7; devices discard a 0.

        Raises:
            FieldError: *nb_transmissions* is out of range, or *now* no time.
            StateError: As many devices as there may be owe an answer.
        """
        require_int("ClockSyncServer", "nb_transmissions", nb_transmissions, 1, 7)
        kind = _FORCE[self.version(device) != 1]
        return self._ask(device, kind(nb_transmissions=nb_transmissions), now, "resync")

    @property
    def next_deadline(self) -> float | None:
        """When :meth:`tick` will next have something to do, GPS seconds."""
        return min(
            (one.due for each in self._asked.values() for one in each.values()), default=None
        )

    def tick(self, *, now: float) -> list[ServerAction]:
        """Let time pass: ask again, or give up.  Harmless when called too early or too often.

        Raises:
            FieldError: *now* is no time.
        """
        require_time("ClockSyncServer", "now", now)
        actions: list[ServerAction] = []
        for device, waiting in list(self._asked.items()):
            for kind, one in list(waiting.items()):
                latest = now + self.retries.seconds
                if one.due > now:
                    one.due = min(one.due, latest)  # time ran back
                elif one.tries < self.retries.tries:
                    one.due, one.tries = latest, one.tries + 1
                    actions.append(Downlink(self.fport, one.command, device))
                else:
                    self._answered(device, kind)
                    actions.append(Unanswered(device, one.command))
        return actions

    # Inside

    def _clock(self, device: DevEUI) -> _Clock:
        """Return the record of a device that was just heard."""
        clock = self._clocks.setdefault(device, _Clock())
        self._clocks.move_to_end(device)
        if len(self._clocks) > self.max_devices:
            self._clocks.popitem(last=False)
        return clock

    def _ask(
        self, device: DevEUI, command: Command, now: float, operation: str
    ) -> list[ServerAction]:
        require_time("ClockSyncServer", "now", now)
        if device not in self._asked and len(self._asked) >= self.max_devices:
            reason = f"{self.max_devices} devices owe an answer already"
            raise StateError(f"ClockSyncServer.{operation}", reason)
        kind = v2.ForceDeviceResyncCmd if isinstance(command, _FORCE) else type(command)
        asked = _Asked(command, now + self.retries.seconds)
        self._asked.setdefault(device, {})[kind] = asked
        return [Downlink(self.fport, command, device)]

    def _answered(self, device: DevEUI, kind: type[Command]) -> Command | None:
        waiting = self._asked.get(device, {})
        asked = waiting.pop(kind, None)
        if not waiting:
            self._asked.pop(device, None)
        return asked.command if asked else None

    def _check(
        self, device: DevEUI, device_time: int, arrival: float, corrected: bool | None
    ) -> ClockChecked:
        error = clock_error(arrival, device_time)
        return ClockChecked(device, error, abs(error) <= self.threshold_seconds, corrected)

    def _app_time(
        self, device: DevEUI, request: v1.AppTimeReq, arrival: float
    ) -> list[ServerAction]:
        self._answered(device, v2.ForceDeviceResyncCmd)
        clock = self._clock(device)
        if clock.latest == request and abs(arrival - clock.arrival) <= self.copy_seconds:
            arrival = min(arrival, clock.arrival)
            corrected = clock.checked.corrected if clock.checked else None
        else:
            corrected = _moved(clock.answered, request.token_req)
        if corrected is not False:
            clock.answered = None
        clock.latest, clock.arrival = request, arrival
        checked = self._check(device, request.device_time, arrival, corrected)
        clock.checked = checked
        correction = time_correction(
            arrival,
            request.device_time,
            ans_required=request.ans_required,
            threshold_seconds=self.threshold_seconds,
        )
        if correction is None:
            return [checked]
        clock.answered = request.token_req
        answer = v1.AppTimeAns(time_correction=correction, token_ans=request.token_req)
        return [checked, Downlink(self.fport, answer, device)]

    def _period(
        self, device: DevEUI, answer: v1.DeviceAppTimePeriodicityAns, arrival: float
    ) -> list[ServerAction]:
        checked = self._check(device, answer.device_time, arrival, None)
        self._clock(device).checked = checked
        asked = self._answered(device, v1.DeviceAppTimePeriodicityReq)
        if not isinstance(asked, v1.DeviceAppTimePeriodicityReq):
            return [checked]
        return [checked, PeriodAnswered(device, asked.period, not answer.not_supported)]


def _moved(answered: int | None, token: int) -> bool | None:
    """Say whether the token shows that the answer was applied; None if it shows neither."""
    if answered is None or token not in (answered, (answered + 1) % 16):
        return None
    return token != answered
