"""McKey on its way: which derivation makes the frames' MIC fit, when the right one does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ...multicastsetup.v1 import McGroupSetupReq
from ...types import DevAddr
from ..case import Case, DeviceLog, GroupFrame, Known, Seen
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..mckey import way_that_fits, ways
from ..transfer import Transfer
from ..words import count

__all__ = ["look"]

_SHOWN: Final = 3


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Try every derivation on every group whose frames were captured as on air."""
    for device in case.devices.values():
        for group, setup in case.groups_of(device):
            frames = [one for one in group.frames if one.what.phy is not None and one.at > setup.at]
            if frames:
                yield from _frames(case, device, setup, frames)
            elif case.subject is device and case.known.mc_key is not None:
                yield from _told_key(case.known, device, setup)
    yield from _same_for_all(case)


def _frames(
    case: Case,
    device: DeviceLog,
    setup: Seen[McGroupSetupReq],
    frames: Sequence[Seen[GroupFrame]],
) -> Iterator[Finding]:
    mine = case.subject is device and case.known.root is not None
    way = way_that_fits(case.known, setup.what, frames, with_roots=mine)
    shown = frames[:_SHOWN]
    at, tried = (setup.at, *(one.at for one in shown)), count(len(shown), "frame")
    if way is None:
        if mine:
            text = f"the MIC of {tried} fits no derivation from the keys given"
            says = (
                "the frames of the group were made with another McKey than McGroupSetupReq "
                "carried, or it was wrapped with another key"
            )
            evidence = (Evidence(Weight.STRONG, text, at),)
            yield Finding(Symptom.MC_KEYS_UNKNOWN, says, evidence, device.dev_eui)
        return
    text = f"the MIC of {tried} of the group fits in this way only"
    evidence = (Evidence(Weight.PROOF, text, at),)
    if way.symptom is not None:
        yield Finding(way.symptom, way.says, evidence, device.dev_eui)
    if way.reverse:
        says = "the session keys were derived from McAddr with its octets reversed"
        yield Finding(Symptom.MC_ADDR_REVERSED, says, evidence, device.dev_eui)


def _told_key(known: Known, device: DeviceLog, setup: Seen[McGroupSetupReq]) -> Iterator[Finding]:
    """Compare with the McKey somebody told, where no frame was captured as on air."""
    for way in ways(known, setup.what.mc_key_encrypted, with_roots=known.root is not None):
        if way.mc_key != known.mc_key:
            continue
        if way.symptom is not None:
            text = "McKey_encrypted gives the McKey that was told in this way only"
            evidence = (Evidence(Weight.PROOF, text, (setup.at,)),)
            yield Finding(way.symptom, way.says, evidence, device.dev_eui)
        return
    if known.root is not None:
        text = "no derivation from the keys given leads from McKey_encrypted to the McKey told"
        evidence = (Evidence(Weight.STRONG, text, (setup.at,)),)
        says = "McGroupSetupReq carries another McKey, or one wrapped with another key"
        yield Finding(Symptom.MC_KEYS_UNKNOWN, says, evidence, device.dev_eui)


def _same_for_all(case: Case) -> Iterator[Finding]:
    """Find devices that were sent the same McKey_encrypted: no key of their own wraps it."""
    seen: dict[tuple[DevAddr, bytes], dict[object, int]] = {}
    for device in case.devices.values():
        for one in device.sent(McGroupSetupReq):
            group = (one.what.mc_addr, one.what.mc_key_encrypted)
            seen.setdefault(group, {})[device.dev_eui] = one.at
    for (mc_addr, _), devices in seen.items():
        if len(devices) > 1:
            text = (
                f"{len(devices)} devices got the same McKey_encrypted for group {mc_addr}, "
                "where each has a McKEKey of its own"
            )
            evidence = (Evidence(Weight.STRONG, text, tuple(devices.values())[:8]),)
            says = "McKey travels in the clear, or wrapped with the same key for all devices"
            yield Finding(Symptom.MC_KEY_IN_CLEAR, says, evidence)
