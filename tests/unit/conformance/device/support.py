"""What tests of checks have in common: our device passes, a mutant of it is told why not."""

from __future__ import annotations

from lorafuota.conformance.check import Catalogue
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.devicepeer import DevicePeer
from tests.mutants.device import DEVICE_MUTANTS
from tests.mutants.mutant import SMALL, V1, V2, own_device
from tests.mutants.runner import applicable, complaint, killers


def peer(name: str = V2) -> DevicePeer:
    """The kit in front of one of our devices."""
    return DevicePeer(own_device(name), seed="unit")


def complaints(checks: Catalogue[DevicePeer]) -> dict[str, str]:
    """What the checks of a module say of our own devices, which should be nothing."""
    found = {}
    for name in (V1, V2, SMALL):
        subject = own_device(name, seed="unit")
        for one in applicable(subject, checks):
            said = complaint(one, subject, seed="unit")
            if said is not None:
                found[f"{name}: {one.id}"] = said
    return found


def said(mutant: str, check: str) -> str:
    """What a check says of a mutant."""
    [one] = [one for one in DEVICE_MUTANTS if one.name == mutant]
    [text] = killers(one, [DEVICE_CHECKS[check]]).values()
    return text
