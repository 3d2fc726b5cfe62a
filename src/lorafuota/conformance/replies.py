"""What every reply is held against, whether it comes in this process or as lines.

:class:`DeviceRules` and :class:`ServerRules` know what was asked and say whether an event can be.
That a value has the right form is checked before, by :mod:`.lines`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar, final

from ..types import DevAddr, DevEUI
from .milliseconds import TOLERANCE
from .serversubject import (
    REACHED,
    STATUSES,
    AddDevice,
    Begin,
    DeviceOutcome,
    Downlink,
    Ended,
    MulticastDownlink,
    ServerEvent,
    ServerRequest,
    Uplink,
    WindowAnnounced,
)
from .subject import DeviceEvent, DeviceRequest, PowerOn

__all__ = ["MOST_EVENTS", "DeviceRules", "Rules", "ServerRules", "Timed", "WrongReply"]

MOST_EVENTS: Final = 10_000
"""Events that may come for one request."""

_SLACK: Final = TOLERANCE * 1.001  # of a difference of floating point numbers


class Timed(Protocol):
    """A request or event: it has a time, in GPS seconds."""

    @property
    def time(self) -> float:
        """When."""


Q = TypeVar("Q", contravariant=True)
E = TypeVar("E")
T = TypeVar("T", bound=Timed)


class WrongReply(ValueError):
    """A reply that cannot be, in one sentence without keys."""


class Rules(Protocol[Q, E]):
    """Follows one subject from request to request."""

    def begin(self) -> None:
        """Let time begin anew, as it does with each check."""

    def ask(self, request: Q) -> None:
        """Take down what is asked."""

    def take(self, event: E) -> E:
        """Return an event with the time it counts for.

        Raises:
            WrongReply: It cannot be.
        """

    def done(self) -> None:
        """Take down that the request is carried out."""


@final
class DeviceRules:
    """Events of a device: between the last request and this one, and none before another."""

    def __init__(self) -> None:
        self._latest = self._now = -math.inf

    def begin(self) -> None:
        """Let time begin anew."""
        self._latest = -math.inf

    def ask(self, request: DeviceRequest) -> None:
        """Take down what is asked."""
        if isinstance(request, PowerOn) and request.factory:
            self.begin()
        self._now = request.time

    def take(self, event: DeviceEvent) -> DeviceEvent:
        """Return an event with the time it counts for."""
        event = _not_ahead(_not_back(event, self._latest), self._now)
        self._latest = event.time
        return event

    def done(self) -> None:
        """Take down that the request is carried out."""
        self._latest = max(self._latest, self._now)


@final
class ServerRules:
    """Events of a server: none before the last request, and about nobody it was not told of.

    What goes on air may be handed out ahead of its time, in any order.
    """

    def __init__(self) -> None:
        self._latest = self._now = -math.inf
        self._devices: set[DevEUI] = set()
        self._groups: set[DevAddr] = set()

    def begin(self) -> None:
        """Let time begin anew."""
        self._latest = -math.inf

    def ask(self, request: ServerRequest) -> None:
        """Take down what is asked, and of whom."""
        match request:
            case Begin():
                self.begin()
                self._devices = {one.dev_eui for one in request.devices}
                self._groups = {one.mc_addr for one in request.groups}
            case AddDevice():
                self._devices.add(request.device.dev_eui)
            case Uplink():  # whether it may be answered is for a check to say
                self._devices.add(request.dev_eui)
            case _:
                pass
        self._now = request.time

    def take(self, event: ServerEvent) -> ServerEvent:
        """Return an event with the time it counts for."""
        event = _not_back(event, self._latest)
        match event:
            case Downlink() | DeviceOutcome() if event.dev_eui not in self._devices:
                raise WrongReply(f"{_name(event)} is of device {event.dev_eui}, which is not known")
            case MulticastDownlink() | WindowAnnounced() if event.mc_addr not in self._groups:
                raise WrongReply(f"{_name(event)} is of group {event.mc_addr}, which is not known")
            case WindowAnnounced() if event.end < event.start:
                raise WrongReply(f"{_name(event)} ends at {event.end}, before it starts")
            case DeviceOutcome() if event.status not in STATUSES:
                raise WrongReply(f"{_word('status', event.status)}: expected {_or(STATUSES)}")
            case DeviceOutcome() if event.reached not in REACHED:
                raise WrongReply(f"{_word('reached', event.reached)}: expected {_or(REACHED)}")
            case DeviceOutcome() | Ended():
                return _not_ahead(event, self._now)
            case _:
                return event

    def done(self) -> None:
        """Take down that the request is carried out."""
        self._latest = max(self._latest, self._now)


def _word(field: str, word: str) -> str:
    """Return a field with what stands in it, unless that is so long that it may hold a key."""
    return f"DeviceOutcome.{field}" + (f" = {word!r}" if len(word) < 32 else "")


def _or(words: Sequence[str]) -> str:
    return f"one of {', '.join(word or 'nothing' for word in words)}"


def _not_back(event: T, earliest: float) -> T:
    if event.time < earliest - _SLACK:
        raise WrongReply(f"{_name(event)} is of {event.time}, but it was {earliest} before")
    return _at(event, max(event.time, earliest))


def _not_ahead(event: T, latest: float) -> T:
    if event.time > latest + _SLACK:
        raise WrongReply(f"{_name(event)} is of {event.time}, which is yet to come at {latest}")
    return _at(event, min(event.time, latest))


def _at(event: T, time: float) -> T:
    if time == event.time:
        return event
    changed: Any = event
    moved: T = dataclasses.replace(changed, time=time)
    return moved


def _name(event: object) -> str:
    return type(event).__name__
