"""From McKey_encrypted to the keys of a group: the right way, and every way it has been done wrong.

A device that unwraps McKey with another key notices nothing.  The MIC of the group's frames tells,
32 bits of proof, and once it fits the frames can be read.
"""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Iterator, Sequence
from typing import Final

from ..crypto import (
    MIC_OCTETS,
    aes128_decrypt,
    crypt_mc_frm_payload,
    derive_mc_app_s_key,
    derive_mc_ke_key,
    derive_mc_nwk_s_key,
    mc_frame_mic,
    unwrap_mc_key,
)
from ..link import MAX_FCNT, MC_FRAME_OVERHEAD
from ..multicastsetup.v1 import McGroupSetupReq
from ..types import DevAddr, McKEKey, McKey, McNwkSKey, require_key
from .capture import Frame
from .case import Case, GroupFrame, Known, Seen
from .hypothesis import Symptom
from .rootkeys import mc_root_keys, roots

__all__ = ["Way", "in_clear", "reversed_address", "way_that_fits", "ways"]

_FRAMES: Final = 3
_UPPER_HALVES: Final = 4
_LONGEST_MESSAGE: Final = 255
_HEAD: Final = 9


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """One way from McKey_encrypted to McKey, and on to the session keys.

    Attributes:
        mc_key: What it comes to.
        symptom: What was mixed up; None for the right way.
        says: The same in a sentence.
        reverse: The session keys are made from McAddr with its octets reversed.
    """

    mc_key: McKey
    symptom: Symptom | None
    says: str
    reverse: bool = False

    def __post_init__(self) -> None:
        """Check the key.

        Raises:
            FieldError: It is of another class.
        """
        require_key("Way", "mc_key", self.mc_key, McKey)


def reversed_address(mc_addr: DevAddr) -> DevAddr:
    """Return an address with its octets in the other order."""
    return DevAddr(int.from_bytes(mc_addr.to_bytes(4, "little")))


def ways(known: Known, encrypted: bytes, *, with_roots: bool) -> Iterator[Way]:
    """Return every way to read McKey_encrypted, the right one first.

    Args:
        known: Has the root keys.
        encrypted: McKey_encrypted.
        with_roots: Whether they are the keys of this device; without, what needs none is tried.
    """
    if with_roots:
        yield from _ways_with_roots(known, encrypted)
    zero = McKEKey(bytes(16))
    says = "McKey_encrypted was made with a McKEKey of zeros, as MultiTech Conduit's server does"
    yield Way(unwrap_mc_key(zero, encrypted), Symptom.MC_KE_KEY_ZERO, says)
    says = "McKey_encrypted holds McKey itself, in the clear"
    yield Way(McKey(encrypted), Symptom.MC_KEY_IN_CLEAR, says)


def _ways_with_roots(known: Known, encrypted: bytes) -> Iterator[Way]:
    for root in roots(known):
        for mc_root_key, mistake in mc_root_keys(root):
            skipped = mistake.endswith("left out")
            symptom = Symptom.ROOT_KEY_AS_KEK if skipped else Symptom.ROOT_KEY_ROLE
            kek = derive_mc_ke_key(mc_root_key)
            says = f"McKey_encrypted was made with another key: {mistake}"
            yield Way(unwrap_mc_key(kek, encrypted), symptom if mistake else None, says)
            says = "McKey was encrypted, where the server has to decrypt it"
            says = f"{says}; and {mistake}" if mistake else says
            decrypted = McKey(aes128_decrypt(kek, encrypted))
            yield Way(decrypted, Symptom.MC_KEY_DIRECTION, says)
            says = "McRootKey was used as McKEKey: the last step of the derivation was left out"
            if skipped:
                says = "the root key was used as McKEKey: both derivations were left out"
            unwrapped = unwrap_mc_key(McKEKey(mc_root_key.reveal()), encrypted)
            yield Way(unwrapped, Symptom.ROOT_KEY_AS_KEK, says)


def way_that_fits(
    known: Known,
    setup: McGroupSetupReq,
    frames: Sequence[Seen[GroupFrame]],
    *,
    with_roots: bool,
) -> Way | None:
    """Return the first way in which the MIC of the group's frames fits, or None.

    Args:
        known: Has the root keys.
        setup: What the device was told.
        frames: Frames of the group as they were on air; the first few are tried.
        with_roots: Whether the root keys are those of this device.
    """
    mc_addr = setup.mc_addr
    for way in ways(known, setup.mc_key_encrypted, with_roots=with_roots):
        for reverse in (False, True):
            key = derive_mc_nwk_s_key(way.mc_key, reversed_address(mc_addr) if reverse else mc_addr)
            if all(_fcnt(key, one.what, setup) is not None for one in frames[:_FRAMES]):
                return dataclasses.replace(way, reverse=reverse)
    return None


def in_clear(case: Case) -> list[Frame]:
    """Return the capture with the frames read that were there as on air only, where keys fit."""
    frames = list(case.frames)
    for device in case.devices.values():
        for group, setup in case.groups_of(device):
            closed = [
                one
                for one in group.frames
                if one.what.phy is not None and one.what.payload is None and one.at > setup.at
            ]
            mine = case.subject is device and case.known.root is not None
            way = closed and way_that_fits(case.known, setup.what, closed, with_roots=mine)
            if not way:
                continue
            address = reversed_address(group.mc_addr) if way.reverse else group.mc_addr
            app_s_key = derive_mc_app_s_key(way.mc_key, address)
            nwk_s_key = derive_mc_nwk_s_key(way.mc_key, address)
            for one in closed:
                phy, fcnt = one.what.phy, _fcnt(nwk_s_key, one.what, setup.what)
                if phy is None or fcnt is None:
                    continue
                encrypted = phy[_HEAD:-MIC_OCTETS]
                payload = crypt_mc_frm_payload(
                    app_s_key, encrypted, mc_addr=group.mc_addr, fcnt=fcnt
                )
                frames[one.at] = dataclasses.replace(
                    frames[one.at],
                    fport=phy[_HEAD - 1],
                    payload=payload,
                    fcnt=fcnt,
                    mc_addr=group.mc_addr,
                )
    return frames


def _fcnt(key: McNwkSKey, frame: GroupFrame, setup: McGroupSetupReq) -> int | None:
    """Return the counter with which the MIC of a frame fits, or None."""
    phy = frame.phy
    if phy is None or not MC_FRAME_OVERHEAD <= len(phy) <= _LONGEST_MESSAGE:
        return None
    message, mic = phy[:-MIC_OCTETS], phy[-MIC_OCTETS:]
    wire = int.from_bytes(phy[6:8], "little")
    first = (setup.min_mc_fcnt & ~0xFFFF) | wire
    counters = [*(first + (half << 16) for half in range(_UPPER_HALVES)), wire]
    if frame.fcnt is not None:
        counters.insert(0, frame.fcnt)
    address = DevAddr(int.from_bytes(phy[1:5], "little"))
    for fcnt in dict.fromkeys(counters):
        if not 0 <= fcnt <= MAX_FCNT:
            continue
        computed = mc_frame_mic(key, message, mc_addr=address, fcnt=fcnt)
        if hmac.compare_digest(computed, mic):
            return fcnt
    return None
