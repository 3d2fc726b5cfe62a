"""Plays checks against a subject, one after the other, and says how each ended."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Iterator
from typing import Any

from .check import Check, Failed, NotApplicable
from .devicepeer import DevicePeer
from .subject import DeviceEvent, DeviceRequest, DeviceSubject, SubjectError

__all__ = ["Outcome", "Result", "run_device_checks"]


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
    transcript: tuple[DeviceRequest | DeviceEvent, ...] = dataclasses.field(default=(), repr=False)

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
    for check in checks:
        speaks = about.versions.get(check.package.name)
        missing = sorted(check.needs - about.can)
        if speaks != check.package.version:
            yield Result(
                check=check, outcome=Outcome.SKIPPED, reason=f"does not speak {check.package}"
            )
        elif missing:
            reason = f"does not have: {', '.join(missing)}"
            yield Result(check=check, outcome=Outcome.SKIPPED, reason=reason)
        else:
            yield _play(check, subject, profile)


def _play(check: Check[DevicePeer], subject: DeviceSubject, profile: str | None) -> Result:
    peer: DevicePeer | None = None
    try:
        peer = DevicePeer(subject, seed=check.id)
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
