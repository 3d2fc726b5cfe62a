"""The MIC of a version 2 set-up: what it was computed over, when it is not what it should be.

With the block (given, or put together from the plain fragments) and the root key, every way in
which a server has gone wrong is tried, alone and two at a time.
"""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Iterable, Iterator
from typing import Final

from ...crypto import aes128_cmac, derive_data_block_int_key
from ...fragmentation import v2
from ...multicastsetup.v1 import McGroupSetupReq
from ..case import Case
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..rootkeys import Root, roots
from ..transfer import Transfer

__all__ = ["look"]

_OCTETS: Final = 4
_INDICES: Final = range(4)
_LARGE: Final = 1 << 16
"""Above so many octets only single mistakes are tried."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Input:
    """What a MIC is computed over, and what is wrong with that."""

    session_cnt: int
    frag_index: int
    descriptor: bytes
    address: bytes
    length: int
    data: bytes = dataclasses.field(repr=False)
    mistakes: tuple[tuple[Symptom, str], ...] = ()

    @property
    def b0(self) -> bytes:
        head = b"\x49" + self.session_cnt.to_bytes(2, "little") + bytes((self.frag_index,))
        return head + self.descriptor + self.address + self.length.to_bytes(4, "little")

    def with_mistake(self, symptom: Symptom, says: str, **changes: object) -> _Input:
        mistakes = (*self.mistakes, (symptom, says))
        return dataclasses.replace(self, mistakes=mistakes, **changes)  # type: ignore[arg-type]


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Check the MIC of every set-up of the device whose key is known."""
    for one in transfers:
        error = one.mic_error
        if error is not None and not one.made_good:
            says = "the device rebuilt the block and its MIC is not the one of the set-up"
            text = f"the device says MICError: {error.what.hex(' ')}"
            evidence = (Evidence(Weight.STRONG, text, (error.at,)),)
            yield Finding(Symptom.MIC_ERROR, says, evidence, one.dev_eui)
        if isinstance(one.req, v2.FragSessionSetupReq) and case.subject is one.device:
            yield from _check(case, one, one.req)


def _check(case: Case, one: Transfer, req: v2.FragSessionSetupReq) -> Iterator[Finding]:
    (image, what), keys = _image(case, one), list(roots(case.known))
    if image is None or not keys or case.known.root is None:
        return
    right = _Input(req.session_cnt, req.frag_index, req.descriptor, bytes(4), len(image), image)
    found = _search(case, one, right, keys, req.mic)
    if found is None:
        if len(image) != one.octets:
            return  # another size than the set-up's is said elsewhere, and explains it
        says = f"the MIC of the set-up fits neither {what} nor any mistake that is known here"
        text = f"MIC {req.mic.hex()} for SessionCnt {req.session_cnt}, {len(image)} octets"
        evidence = (Evidence(Weight.STRONG, text, (one.setup.at,)),)
        yield Finding(Symptom.MIC_UNKNOWN, says, evidence, one.dev_eui)
        return
    for symptom, says in found:
        text = f"the MIC {req.mic.hex()} of the set-up fits in this way only"
        evidence = (Evidence(Weight.PROOF, text, (one.setup.at,)),)
        yield Finding(symptom, says, evidence, one.dev_eui)


def _image(case: Case, one: Transfer) -> tuple[bytes | None, str]:
    """Return the block without padding, and what it is.

    It comes from its fragments if they are there; else the image will do, or what was delivered.
    """
    block = one.block()
    if block is not None and 0 < one.octets <= len(block):
        return block[: one.octets], "this block"
    if case.known.image is not None:
        return case.known.image, "this block"
    delivered = case.known.block
    if delivered is not None and len(delivered) == one.octets:
        return delivered, "the block that was delivered"
    return None, ""


def _search(
    case: Case, one: Transfer, right: _Input, keys: list[Root], mic: bytes
) -> tuple[tuple[Symptom, str], ...] | None:
    """Return the mistakes that explain the MIC, none for a right one; None if nothing does."""
    singles = list(_single(case, one, right))
    doubles = []
    if len(right.data) <= _LARGE:
        for first in singles:
            doubles += [each for each in _single(case, one, first) if _differ(first, each)]
    for inputs in ([right], singles, doubles):
        for root in keys:
            key = derive_data_block_int_key(root.key)
            for each in inputs:
                cmac = aes128_cmac(key, each.b0, each.data)
                order = _order(cmac, mic)
                if order is None:
                    continue
                mistakes = list(each.mistakes)
                if order:
                    mistakes.append((Symptom.MIC_OCTET_ORDER, order))
                if root.mistake:
                    used = root.mistake.partition(" used by")[0].rstrip(",")  # either role: one key
                    says = f"the MIC was computed with another key than the device's: {used}"
                    mistakes.insert(0, (Symptom.ROOT_KEY_ROLE, says))
                return tuple(mistakes)
    return None


def _differ(first: _Input, second: _Input) -> bool:
    kinds = [symptom for symptom, _ in second.mistakes]
    return len(set(kinds)) == len(kinds) and first.b0 != second.b0


def _order(cmac: bytes, mic: bytes) -> str | None:
    """Return what is wrong with the octets taken; empty for nothing, None for no match."""
    if hmac.compare_digest(cmac[:_OCTETS], mic):
        return ""
    if hmac.compare_digest(cmac[:_OCTETS][::-1], mic):
        return "the four octets of the MIC are in the reverse order; cmac[0] travels first"
    if hmac.compare_digest(cmac[-_OCTETS:], mic):
        return "the MIC is the last four octets of the CMAC, where the first four belong"
    return None


def _single(case: Case, one: Transfer, right: _Input) -> Iterator[_Input]:
    """Return what a server with one more mistake computes the MIC over."""
    if right.descriptor != bytes(_OCTETS):
        says = (
            "the MIC was computed with a Descriptor of zeros, as ChirpStack did before April 2026"
        )
        yield right.with_mistake(Symptom.MIC_ZERO_DESCRIPTOR, says, descriptor=bytes(_OCTETS))
        says = "the MIC was computed with the octets of Descriptor reversed"
        yield right.with_mistake(
            Symptom.MIC_DESCRIPTOR_REVERSED, says, descriptor=right.descriptor[::-1]
        )
    padding = one.req.padding
    if padding:
        padded = right.data + bytes(padding)
        says = f"the MIC covers the {padding} octets of padding too"
        yield right.with_mistake(Symptom.MIC_WITH_PADDING, says, data=padded, length=len(padded))
        yield right.with_mistake(Symptom.MIC_WITH_PADDING, says, data=padded)
        says = f"the length in B0 counts the {padding} octets of padding too"
        yield right.with_mistake(Symptom.MIC_WITH_PADDING, says, length=len(padded))
    count = right.session_cnt
    swapped = int.from_bytes(count.to_bytes(2, "little"))
    for other in dict.fromkeys((count - 1, count + 1, 0, 1, swapped)):
        if 0 <= other <= 0xFFFF and other != count:
            says = f"the MIC was computed for SessionCnt {other}, the set-up says {count}"
            yield right.with_mistake(Symptom.MIC_OTHER_COUNTER, says, session_cnt=other)
    for index in _INDICES:
        if index != right.frag_index:
            says = f"the MIC was computed for FragIndex {index}, the set-up says {right.frag_index}"
            yield right.with_mistake(Symptom.MIC_OTHER_INDEX, says, frag_index=index)
    for name, address in _addresses(case, one):
        says = f"B0 holds {name}, where four zeros belong"
        yield right.with_mistake(Symptom.MIC_ADDRESS, says, address=address)


def _addresses(case: Case, one: Transfer) -> Iterator[tuple[str, bytes]]:
    found = [("McAddr", each.what.mc_addr) for each in one.device.sent(McGroupSetupReq)]
    if case.known.mc_addr is not None:
        found.append(("McAddr", case.known.mc_addr))
    if case.known.dev_addr is not None:
        found.append(("DevAddr", case.known.dev_addr))
    for name, address in dict.fromkeys(found):
        yield name, address.to_bytes(4, "little")
        yield f"{name}, reversed,", address.to_bytes(4, "big")
