"""Plays checks against a subject, one after the other, and says how each ended."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from ..package import Package
from ..types import AppKey, GenAppKey, require_key
from .check import Check, Failed, NotApplicable
from .devicepeer import DevicePeer
from .serverpeer import ServerPeer
from .serversubject import ServerEvent, ServerRequest, ServerSubject
from .subject import DeviceEvent, DeviceRequest, DeviceSubject, SubjectError

__all__ = ["Exchanged", "Outcome", "Result", "run_device_checks", "run_server_checks"]

Exchanged: TypeAlias = DeviceRequest | DeviceEvent | ServerRequest | ServerEvent
"""What goes over the link to a subject, either way."""

_GIVEN_UP: Final = 5
"""Checks in a row that a subject may break in."""


class Outcome(enum.Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    KNOWN = "known quirk"
    """It failed, as the profile of the subject says it does."""
    SKIPPED = "skipped"
    BROKEN = "broken"
    """The subject, or the way to it, stopped working."""
    NOT_PLAYED = "not played"
    """The subject broke so often before that it was given up."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one check ended.

    Attributes:
        check: Which.
        outcome: How.
        reason: Why it failed or was skipped, in words; empty if it passed.
        transcript: What went over the link, in order.
    """

    check: Check[Any]
    outcome: Outcome
    reason: str = ""
    transcript: tuple[Exchanged, ...] = dataclasses.field(default=(), repr=False)

    @property
    def good(self) -> bool:
        """Whether nobody needs to do anything about it."""
        return self.outcome in (Outcome.PASSED, Outcome.KNOWN, Outcome.SKIPPED)

    @property
    def seconds(self) -> float:
        """How long it took in the subject's time."""
        return self.transcript[-1].time - self.transcript[0].time if self.transcript else 0.0


def run_device_checks(
    checks: Iterable[Check[DevicePeer]],
    subject: DeviceSubject,
    *,
    profile: str | None = None,
    root_key: GenAppKey | AppKey | None = None,
    clock: Callable[[], float] | None = None,
    max_wait: float = math.inf,
) -> Iterator[Result]:
    """Play checks against a device, each from a factory reset; yield each result when it is there.

    A device that breaks in several checks in a row is given up: the rest is not played.

    Args:
        checks: Which, in order.
        subject: The device.
        profile: Name of a stack profile whose known quirks are expected to fail, and whose dialect
            the kit speaks.
        root_key: The device's own, if it cannot be given one.
        clock: The clock of real time, in GPS seconds; None for virtual time.
        max_wait: Seconds of real time one check may take.

    Raises:
        FieldError: The key is of another class.
    """
    if root_key is not None:
        require_key("run_device_checks", "root_key", root_key, GenAppKey, AppKey)
    about = subject.about

    def speaks(package: Package) -> bool:
        return about.versions.get(package.name) == package.version

    def peer(check: Check[DevicePeer]) -> DevicePeer:
        return DevicePeer(
            subject,
            seed=check.id,
            root_key=root_key,
            profile=profile,
            clock=clock,
            max_wait=max_wait,
        )

    return _run(checks, peer, speaks=speaks, can=about.can, profile=profile)


def run_server_checks(
    checks: Iterable[Check[ServerPeer]], subject: ServerSubject, *, profile: str | None = None
) -> Iterator[Result]:
    """Play checks against a server, each an update of its own; yield each result when it is there.

    A server that breaks in several checks in a row is given up: the rest is not played.

    Args:
        checks: Which, in order.
        subject: The server.
        profile: Name of a stack profile whose known quirks are expected to fail.
    """
    about = subject.about

    def peer(check: Check[ServerPeer]) -> ServerPeer:
        return ServerPeer(subject, package=check.package, seed=check.id)

    return _run(checks, peer, speaks=about.speaks, can=about.can, profile=profile)


class _Peer(Protocol):
    @property
    def transcript(self) -> Sequence[Exchanged]: ...


P = TypeVar("P", bound=_Peer)


def _run(
    checks: Iterable[Check[P]],
    make_peer: Callable[[Check[P]], P],
    *,
    speaks: Callable[[Package], bool],
    can: frozenset[str],
    profile: str | None,
) -> Iterator[Result]:
    broken = 0
    for check in checks:
        missing = sorted(check.needs - can)
        if broken == _GIVEN_UP:
            reason = f"the subject broke {_GIVEN_UP} times in a row"
            yield Result(check=check, outcome=Outcome.NOT_PLAYED, reason=reason)
        elif not speaks(check.package):
            reason = f"does not speak {check.package}"
            yield Result(check=check, outcome=Outcome.SKIPPED, reason=reason)
        elif missing:
            reason = f"does not have: {', '.join(missing)}"
            yield Result(check=check, outcome=Outcome.SKIPPED, reason=reason)
        else:
            result = _play(check, make_peer, profile)
            broken = broken + 1 if result.outcome is Outcome.BROKEN else 0
            yield result


def _play(check: Check[P], make_peer: Callable[[Check[P]], P], profile: str | None) -> Result:
    peer: P | None = None
    try:
        peer = make_peer(check)
        check.script(peer)
        outcome, reason = Outcome.PASSED, ""
    except Failed as failure:
        known = profile in check.quirk_of
        outcome, reason = (Outcome.KNOWN if known else Outcome.FAILED), str(failure)
    except NotApplicable as why:
        outcome, reason = Outcome.SKIPPED, str(why)
    except SubjectError as error:
        outcome, reason = Outcome.BROKEN, str(error)
    transcript = () if peer is None else tuple(peer.transcript)
    return Result(check=check, outcome=outcome, reason=reason, transcript=transcript)
