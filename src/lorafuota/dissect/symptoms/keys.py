"""McKey on its way: which derivation makes the frames' MIC fit, when the right one does not.

A device that unwraps McKey with another key notices nothing; its group just stays silent.  Here
every mix-up that has been seen is tried against the MIC of the group's frames, 32 bits of proof.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Final

from ...crypto import (
    MIC_OCTETS,
    aes128_decrypt,
    derive_mc_ke_key,
    derive_mc_nwk_s_key,
    mc_frame_mic,
    unwrap_mc_key,
)
from ...multicastsetup.v1 import McGroupSetupReq
from ...types import DevAddr, McKEKey, McKey, McNwkSKey
from ..case import Case, DeviceLog, GroupFrame, Known, Seen
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..rootkeys import mc_root_keys, roots
from ..transfer import Transfer

__all__ = ["look", "reversed_address"]

_FRAMES: Final = 3
_UPPER_HALVES: Final = 4
_LONGEST_MESSAGE: Final = 255


@dataclasses.dataclass(frozen=True, slots=True)
class _Way:
    """One way from McKey_encrypted to McKey."""

    mc_key: McKey
    symptom: Symptom | None
    """None for the right way."""
    says: str


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Try every derivation on every group whose frames were captured whole."""
    for device in case.devices.values():
        for group, setup in case.groups_of(device):
            frames = [one for one in group.frames if one.what.phy is not None and one.at > setup.at]
            if frames:
                yield from _frames(case, device, setup, frames[:_FRAMES])
            elif case.subject is device and case.known.mc_key is not None:
                yield from _told_key(case.known, device, setup)
    yield from _same_for_all(case)


def reversed_address(mc_addr: DevAddr) -> DevAddr:
    """Return an address with its octets in the other order."""
    return DevAddr(int.from_bytes(mc_addr.to_bytes(4, "little")))


def _ways(known: Known, encrypted: bytes, *, with_roots: bool) -> Iterator[_Way]:
    """Return every way to read McKey_encrypted, the right one first."""
    if with_roots:
        for root in roots(known):
            for mc_root_key, mistake in mc_root_keys(root):
                skipped = mistake.endswith("left out")
                symptom = Symptom.ROOT_KEY_AS_KEK if skipped else Symptom.ROOT_KEY_ROLE
                kek = derive_mc_ke_key(mc_root_key)
                yield _Way(
                    unwrap_mc_key(kek, encrypted),
                    symptom if mistake else None,
                    f"McKey_encrypted was made with another key: {mistake}",
                )
                yield _Way(
                    McKey(aes128_decrypt(kek, encrypted)),
                    Symptom.MC_KEY_DIRECTION,
                    "McKey was encrypted, where the server has to decrypt it"
                    + (f"; and {mistake}" if mistake else ""),
                )
            kek = McKEKey(mc_root_keys(root).__next__()[0].reveal())
            yield _Way(
                unwrap_mc_key(kek, encrypted),
                Symptom.ROOT_KEY_AS_KEK,
                "McRootKey was used as McKEKey: the last step of the derivation was left out",
            )
            yield _Way(
                unwrap_mc_key(McKEKey(root.key.reveal()), encrypted),
                Symptom.ROOT_KEY_AS_KEK,
                "the root key itself was used as McKEKey: both derivations were left out",
            )
    zero = McKEKey(bytes(16))
    says = "McKey_encrypted was made with a McKEKey of zeros, as MultiTech Conduit's server does"
    yield _Way(unwrap_mc_key(zero, encrypted), Symptom.MC_KE_KEY_ZERO, says)
    says = "McKey_encrypted holds McKey itself, in the clear"
    yield _Way(McKey(encrypted), Symptom.MC_KEY_IN_CLEAR, says)


def _frames(
    case: Case,
    device: DeviceLog,
    setup: Seen[McGroupSetupReq],
    frames: list[Seen[GroupFrame]],
) -> Iterator[Finding]:
    mine = case.subject is device and case.known.root is not None
    mc_addr, encrypted = setup.what.mc_addr, setup.what.mc_key_encrypted
    at = (setup.at, *(one.at for one in frames))
    for way in _ways(case.known, encrypted, with_roots=mine):
        for reverse in (False, True):
            address = reversed_address(mc_addr) if reverse else mc_addr
            key = derive_mc_nwk_s_key(way.mc_key, address)
            if not all(_fits(key, one.what, mc_addr, setup.what.min_mc_fcnt) for one in frames):
                continue
            if way.symptom is None and not reverse:
                return
            text = f"the MIC of {len(frames)} frames of the group fits in this way only"
            evidence = (Evidence(Weight.PROOF, text, at),)
            if way.symptom is not None:
                yield Finding(way.symptom, way.says, evidence, device.dev_eui)
            if reverse:
                says = "the session keys were derived from McAddr with its octets reversed"
                yield Finding(Symptom.MC_ADDR_REVERSED, says, evidence, device.dev_eui)
            return
    if mine:
        text = f"the MIC of {len(frames)} frames fits no derivation from the keys given"
        says = (
            "the frames of the group were made with another McKey than McGroupSetupReq carried, "
            "or wrapped with another key"
        )
        evidence = (Evidence(Weight.STRONG, text, at),)
        yield Finding(Symptom.MC_KEYS_UNKNOWN, says, evidence, device.dev_eui)


def _fits(key: McNwkSKey, frame: GroupFrame, mc_addr: DevAddr, lowest: int) -> bool:
    phy = frame.phy
    assert phy is not None  # chosen so
    message, mic = phy[:-MIC_OCTETS], phy[-MIC_OCTETS:]
    if len(message) > _LONGEST_MESSAGE or len(phy) < MIC_OCTETS + 8:
        return False
    wire = int.from_bytes(phy[6:8], "little")
    first = (lowest & ~0xFFFF) | wire
    counters = {first + (half << 16) for half in range(_UPPER_HALVES)} | {wire}
    if frame.fcnt is not None:
        counters.add(frame.fcnt)
    address = DevAddr(int.from_bytes(phy[1:5], "little"))
    return any(
        mc_frame_mic(key, message, mc_addr=address, fcnt=fcnt) == mic
        for fcnt in counters
        if fcnt <= 0xFFFFFFFF
    )


def _told_key(known: Known, device: DeviceLog, setup: Seen[McGroupSetupReq]) -> Iterator[Finding]:
    """Compare with the McKey somebody told, where no frame was captured whole."""
    for way in _ways(known, setup.what.mc_key_encrypted, with_roots=known.root is not None):
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
