"""The block that the device delivered: is it the image, or at least what was sent?"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ...crypto import data_block_mic, derive_data_block_int_key
from ...datablock import MAX_FRAG_SIZE, MAX_NB_FRAG
from ...fragmentation import v2
from ...types import DevEUI
from ..blockdiff import Difference, Expected, Kind, compare
from ..case import Case
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..transfer import Transfer

__all__ = ["look"]

_SYMPTOMS: Final[Mapping[Kind, Symptom]] = {
    Kind.WITH_PADDING: Symptom.BLOCK_WITH_PADDING,
    Kind.LENGTH: Symptom.BLOCK_LENGTH,
    Kind.BLANK: Symptom.BLOCK_BLANK,
    Kind.SWAPPED: Symptom.BLOCK_SWAPPED,
    Kind.FEW: Symptom.BLOCK_FEW,
    Kind.OTHER: Symptom.BLOCK_OTHER,
}


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Compare the delivered block with the image, or with the fragments that were sent."""
    block, image = case.known.block, case.known.image
    if block is None or block == image:
        return
    mine = [one for one in transfers if case.subject is None or one.device is case.subject]
    one = _transfer(mine, len(block) if image is None else len(image))
    if image is None:
        if one is None or case.subject is None or any(block == _sent(each) for each in mine):
            return
        yield from _against_what_was_sent(case, one, block)
        return
    dev_eui = case.known.dev_eui if one is None or case.subject is None else one.dev_eui
    expected = _of_image(one, image)
    difference = compare(block, expected)
    if difference is None:
        return
    sent = next((each for each in mine if case.subject and block == _sent(each)), None)
    if sent is not None:
        yield _other_image(sent, difference)
        return
    evidence = _evidence(difference, one, Weight.PROOF)
    if case.subject is not None and one is not None:
        evidence += _beside(case, one, image, "the image")
    yield _finding(difference, "the image", evidence, dev_eui)


def _transfer(transfers: list[Transfer], octets: int) -> Transfer | None:
    """Return the transfer the block came by: of its length, complete, and the last."""
    fits = [one for one in transfers if one.octets == octets]
    return max(fits or transfers, key=lambda one: (one.success, one.setup.at), default=None)


def _sent(one: Transfer) -> bytes | None:
    """Return what was sent, without padding, if all of it is in the capture."""
    block = one.block()
    return None if block is None or one.octets <= 0 else block[: one.octets]


def _of_image(one: Transfer | None, image: bytes) -> Expected:
    frag_size = None if one is None else one.req.frag_size or None
    padding = one.req.padding if one is not None and one.octets == len(image) else 0
    return Expected.of_image(image, padding=padding, frag_size=frag_size)


def _against_what_was_sent(case: Case, one: Transfer, block: bytes) -> Iterator[Finding]:
    if one.octets <= 0:
        return
    size, octets = one.req.frag_size, one.octets
    pieces = {n: part[: octets - (n - 1) * size] for n, part in sorted(one.plain.items())}
    expected = Expected(octets=octets, padding=one.req.padding, frag_size=size, pieces=pieces)
    difference = compare(block, expected)
    if difference is None:
        return
    weight = Weight.PROOF if pieces else Weight.STRONG
    evidence = _evidence(difference, one, weight)
    sent = _sent(one)
    yield _finding(
        difference,
        "what was sent" if pieces else "what the set-up announces",
        evidence if sent is None else evidence + _beside(case, one, sent, "what was sent"),
        one.dev_eui,
    )


def _finding(
    difference: Difference, what: str, evidence: tuple[Evidence, ...], dev_eui: DevEUI | None
) -> Finding:
    says = f"the delivered block is not {what}: {difference.says}"
    return Finding(_SYMPTOMS[difference.kind], says, evidence, dev_eui)


def _evidence(difference: Difference, one: Transfer | None, weight: Weight) -> tuple[Evidence, ...]:
    frames = () if one is None else (one.setup.at,)
    first, *others = difference.details
    return (
        Evidence(weight, first, frames),
        *(Evidence(Weight.HINT, text, frames) for text in others),
    )


def _beside(case: Case, one: Transfer, right: bytes, what: str) -> tuple[Evidence, ...]:
    """Return what else speaks for the octets that the block should hold."""
    req, root = one.req, case.known.root
    found = []
    fine = 0 < one.octets == len(right) <= MAX_NB_FRAG * MAX_FRAG_SIZE
    if isinstance(req, v2.FragSessionSetupReq) and root is not None and fine:
        mic = data_block_mic(
            derive_data_block_int_key(root),
            right,
            session_cnt=req.session_cnt,
            frag_index=req.frag_index,
            descriptor=req.descriptor,
        )
        if hmac.compare_digest(mic, req.mic):
            text = f"the MIC {mic.hex()} of the set-up is right for {what}, so it is the block"
            found.append(Evidence(Weight.STRONG, text, (one.setup.at,)))
    if one.success:
        text = "the device told that its block is complete: look at what it did afterwards"
        found.append(Evidence(Weight.HINT, text, (one.setup.at,)))
    return tuple(found)


def _other_image(one: Transfer, difference: Difference) -> Finding:
    says = "what was sent is not the image that was given here"
    text = "the delivered block is what was sent, octet for octet, and not the image"
    evidence = (
        Evidence(Weight.STRONG, text, (one.setup.at,)),
        *(Evidence(Weight.HINT, each, (one.setup.at,)) for each in difference.details),
    )
    return Finding(Symptom.OTHER_IMAGE, says, evidence, one.dev_eui)
