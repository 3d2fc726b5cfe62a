"""Plays checks against a mutant of our device, and tells which of them notice it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from lorafuota.conformance.check import Check, Failed, NotApplicable, Severity
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.own import OwnDevice

from .mutant import Mutant, own_device

DeviceCheck: TypeAlias = Check[DevicePeer]


def applicable(subject: OwnDevice, checks: Iterable[DeviceCheck]) -> Iterator[DeviceCheck]:
    """The checks for what a device speaks and can do, quirks of others left out."""
    about = subject.about
    for one in checks:
        speaks = about.versions.get(one.package.name) == one.package.version
        if speaks and one.needs <= about.can and one.severity is not Severity.QUIRK:
            yield one


def complaint(
    check: DeviceCheck, subject: OwnDevice, *, seed: str = "", profile: str | None = None
) -> str | None:
    """Play a check; return why it fails, None if it passes or cannot be played."""
    try:
        check.script(DevicePeer(subject, seed=check.id + seed, profile=profile))
    except Failed as failure:
        return str(failure)
    except NotApplicable:
        return None
    except Exception as error:  # a mutant may break in any way; that is noticed as well
        return f"{type(error).__name__}: {error}"
    return None


def killers(
    mutant: Mutant, checks: Iterable[DeviceCheck] = DEVICE_CHECKS, *, seed: str = ""
) -> dict[str, str]:
    """Return the ids of the checks that notice a mutant, and what each says."""
    with mutant.patch():
        subject = own_device(mutant.subject, seed=mutant.name + seed)
        found = {one.id: complaint(one, subject, seed=seed) for one in applicable(subject, checks)}
    return {id: said for id, said in found.items() if said is not None}
