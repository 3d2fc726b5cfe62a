"""Plays checks against a subject, one after the other, and says how each ended."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from ..package import Package
from .check import Check, Failed, NotApplicable
from .devicepeer import DevicePeer
from .serverpeer import ServerPeer
from .serversubject import ServerEvent, ServerRequest, ServerSubject
from .subject import DeviceEvent, DeviceRequest, DeviceSubject, SubjectError

__all__ = ["Exchanged", "Outcome", "Result", "run_device_checks", "run_server_checks"]

Exchanged: TypeAlias = DeviceRequest | DeviceEvent | ServerRequest | ServerEvent
"""What goes over the link to a subject, either way."""


class Outcome(enum.Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    KNOWN = "known quirk"
    """It failed, as the profile of the subject says it does."""
    SKIPPED = "skipped"
    BROKEN = "broken"
    """The subject, or the way to it, stopped working."""


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
        return self.outcome not in (Outcome.FAILED, Outcome.BROKEN)


def run_device_checks(
    checks: Iterable[Check[DevicePeer]], subject: DeviceSubject, *, profile: str | None = None
) -> Iterator[Result]:
    """Play checks against a device, each from a factory reset; yield each result when it is there.

    Args:
        checks: Which, in order.
        subject: The device.
        profile: Name of a stack profile whose known quirks are expected to fail.
    """
    about = subject.about

    def speaks(package: Package) -> bool:
        return about.versions.get(package.name) == package.version

    def peer(check: Check[DevicePeer]) -> DevicePeer:
        return DevicePeer(subject, seed=check.id)

    return _run(checks, peer, speaks=speaks, can=about.can, profile=profile)


def run_server_checks(
    checks: Iterable[Check[ServerPeer]], subject: ServerSubject, *, profile: str | None = None
) -> Iterator[Result]:
    """Play checks against a server, each an update of its own; yield each result when it is there.

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
    for check in checks:
        missing = sorted(check.needs - can)
        if not speaks(check.package):
            reason = f"does not speak {check.package}"
            yield Result(check=check, outcome=Outcome.SKIPPED, reason=reason)
        elif missing:
            reason = f"does not have: {', '.join(missing)}"
            yield Result(check=check, outcome=Outcome.SKIPPED, reason=reason)
        else:
            yield _play(check, make_peer, profile)


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
