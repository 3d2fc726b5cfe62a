"""Plays checks against a subject, one after the other, and says how each ended."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ..types import AppKey, GenAppKey
from .check import Check, Failed, NotApplicable
from .devicepeer import DevicePeer
from .subject import DeviceEvent, DeviceRequest, DeviceSubject, SubjectError

__all__ = ["Outcome", "Result", "run_device_checks"]

_GIVEN_UP: Final = 5
"""Checks in a row that a device may break in."""


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
    transcript: tuple[DeviceRequest | DeviceEvent, ...] = dataclasses.field(default=(), repr=False)

    @property
    def good(self) -> bool:
        """Whether nobody needs to do anything about it."""
        return self.outcome in (Outcome.PASSED, Outcome.KNOWN, Outcome.SKIPPED)

    @property
    def seconds(self) -> float:
        """How long it took in the device's time."""
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
        profile: Name of a stack profile whose known quirks are expected to fail.
        root_key: The device's own, if it cannot be given one.
        clock: The clock of real time, in GPS seconds; None for virtual time.
        max_wait: Seconds of real time one check may take.
    """
    about = subject.about
    broken = 0
    for check in checks:
        if broken == _GIVEN_UP:
            reason = f"the device broke {_GIVEN_UP} times in a row"
            yield Result(check=check, outcome=Outcome.NOT_PLAYED, reason=reason)
            continue
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

            def begin(seed: str = check.id) -> DevicePeer:
                return DevicePeer(
                    subject, seed=seed, root_key=root_key, clock=clock, max_wait=max_wait
                )

            result = _play(check, begin, profile)
            broken = broken + 1 if result.outcome is Outcome.BROKEN else 0
            yield result


def _play(check: Check[DevicePeer], begin: Callable[[], DevicePeer], profile: str | None) -> Result:
    peer: DevicePeer | None = None
    try:
        peer = begin()
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
