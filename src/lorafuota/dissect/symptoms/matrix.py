"""The parity matrix: which one made the fragments, and which one the device decoded with.

A capture at the server's side holds the plain fragments, so every coded one can be checked.  One
beside the device holds what arrived, and whatever is to spare there is a check (:mod:`~lorafuota.
fec.diagnose`).  And a block the device delivered satisfies just those coded fragments it was made
from, read with the device's own matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from ...fec.decoder import FragDecoder
from ...fec.diagnose import Verdict, fitting_variants
from ...fec.variant import ParityVariant
from ..case import Case
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..matrices import FOREIGN, Matrix, agreement
from ..transfer import Transfer
from ..words import count

__all__ = ["look", "sent_with"]

_MOST_CODED: Final = 200
_MAX_NB_FRAG: Final = 16383
_Fits: TypeAlias = dict[ParityVariant | Matrix, tuple[int, int]]


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Hold the fragments of every transfer against every matrix, and the delivered block too."""
    transfers = list(transfers)
    yield from _other_size(case, transfers)
    judged: dict[tuple[object, ...], _Fits] = {}  # devices of a group share their fragments
    for one in transfers:
        if not 1 <= one.req.nb_frag <= _MAX_NB_FRAG or not one.req.frag_size:
            continue
        if any(not each.what.n for each in one.fragments):
            continue  # numbered from 0: another symptom, and no line would fit
        frames = tuple(each.at for each in one.usable)
        key = (frames, one.req.nb_frag, one.req.frag_size)
        if key not in judged:
            judged[key] = sent_with(one)
        yield from _judge(case, one, judged[key])


def sent_with(one: Transfer) -> _Fits:
    """Return, by matrix, how many coded fragments fit it, and how many were checked.

    Foreign matrices are tried if none of the variants makes all of them.
    """
    coded = _coded(one)
    block = one.block()
    if block is not None and coded:
        nb_frag = one.req.nb_frag
        found = agreement(block, coded, nb_frag=nb_frag, matrices=tuple(ParityVariant))
        if not any(len(fit) == len(coded) for fit in found.values()):
            found |= agreement(block, coded, nb_frag=nb_frag, matrices=FOREIGN)
        return {matrix: (len(fit), len(coded)) for matrix, fit in found.items()}
    fragments = [(each.what.n, each.what.payload) for each in one.usable]
    fits = fitting_variants(fragments, nb_frag=one.req.nb_frag, frag_size=one.req.frag_size)
    return {
        variant: (fit.checked - len(fit.disagreeing), fit.checked)
        for variant, fit in fits.items()
        if fit.verdict is not Verdict.UNDETERMINED
    }


def _coded(one: Transfer) -> dict[int, bytes]:
    coded: dict[int, bytes] = {}
    for each in one.usable:
        if each.what.n > one.req.nb_frag and len(coded) < _MOST_CODED:
            coded.setdefault(each.what.n, each.what.payload)
    return coded


def _judge(case: Case, one: Transfer, fits: _Fits) -> Iterator[Finding]:
    yield from _other_image(case, one)
    expected = ParityVariant.V1 if one.version == 1 else ParityVariant.V2
    whole = [matrix for matrix, (fit, checked) in fits.items() if fit == checked]
    frames = tuple(each.at for each in one.usable if each.what.n > one.req.nb_frag)[:8]
    if expected in fits and expected not in whole:
        yield from _sent_with_another(one, fits, whole, expected, frames)
    sender = [matrix for matrix in whole if isinstance(matrix, ParityVariant)]
    yield from _delivered(case, one, sender, frames)


def _sent_with_another(
    one: Transfer,
    fits: _Fits,
    whole: list[ParityVariant | Matrix],
    expected: ParityVariant,
    frames: tuple[int, ...],
) -> Iterator[Finding]:
    fit, checked = fits[expected]
    doubt = f"{checked - fit} of {checked} coded fragments that can be checked"
    against = f"{doubt} are not what matrix {expected.value} makes of the block"
    if not whole:
        best = max(fits, key=lambda matrix: fits[matrix][0])
        if fits[best][0] * 2 > checked:
            says = f"most fragments fit {_name(best)}, some do not: they are damaged or forged"
            evidence = Evidence(Weight.STRONG, against, frames)
            yield Finding(Symptom.DAMAGED_FRAGMENTS, says, (evidence,), one.dev_eui)
            return
        says = "the coded fragments fit no matrix that is known here"
        evidence = Evidence(Weight.STRONG, against, frames)
        yield Finding(Symptom.FOREIGN_MATRIX, says, (evidence,), one.dev_eui)
        return
    made = next((each for each in whole if isinstance(each, ParityVariant)), whole[0])
    text = f"all {checked} fit {_name(made)}; {against}"
    evidence = Evidence(Weight.PROOF, text, frames)
    if isinstance(made, Matrix):
        says = f"the server draws the lines of its matrix in a way of its own: {made.name}"
        yield Finding(Symptom.FOREIGN_MATRIX, says, (evidence,), one.dev_eui)
    elif made.distinct and expected.distinct:
        says = (
            "the server seeds each line with N, as the annex of TS004-2.0.0 has it; "
            "devices seed it with N - M"
        )
        yield Finding(Symptom.SEED_BASE, says, (evidence,), one.dev_eui)
    else:
        says = (
            f"the server codes with matrix {made.value}, and a device of version {one.version} "
            f"decodes with {expected.value}: the block comes out wrong, of the right length"
        )
        yield Finding(Symptom.WRONG_MATRIX, says, (evidence,), one.dev_eui)


def _name(matrix: ParityVariant | Matrix) -> str:
    return f"matrix {matrix.value}" if isinstance(matrix, ParityVariant) else matrix.name


# The blocks at both ends


def _padded(one: Transfer, image: bytes) -> bytes:
    return image + bytes(one.req.padding)


def _other_size(case: Case, transfers: list[Transfer]) -> Iterator[Finding]:
    """Find set-ups that announce another size than the image has; fragments are not needed."""
    image = case.known.image
    if image is None:
        return
    meant = {one.device.dev_eui for one in transfers if one.octets == len(image)}
    for one in transfers:
        req = one.req
        if one.octets == len(image) or one.device.dev_eui in meant:
            continue
        text = (
            f"the image has {count(len(image), 'octet')}, the set-up announces {one.octets:,}: "
            f"NbFrag {req.nb_frag} * FragSize {req.frag_size} - Padding {req.padding}"
        )
        evidence = [Evidence(Weight.STRONG, text, (one.setup.at,))]
        if len(image) == one.octets + req.padding:
            text = "with its padding the block has as many: the image given here may have it still"
            evidence.append(Evidence(Weight.HINT, text, (one.setup.at,)))
        says = (
            "the image that was given here has another size than the set-up announces: it is not "
            "what was sent"
        )
        yield Finding(Symptom.OTHER_IMAGE, says, tuple(evidence), one.dev_eui)


def _other_image(case: Case, one: Transfer) -> Iterator[Finding]:
    image, plain = case.known.image, one.plain
    if image is None or not plain or len(image) != one.octets:
        return
    size, padded = one.req.frag_size, _padded(one, image)
    other = [n for n, octets in plain.items() if padded[(n - 1) * size : n * size] != octets]
    text = f"{len(other)} of {len(plain)} plain fragments are not of this image"
    if len(other) * 2 > len(plain):
        says = "what was sent is not the image that was given here"
        evidence = Evidence(Weight.STRONG, text, (one.setup.at,))
        yield Finding(Symptom.OTHER_IMAGE, says, (evidence,), one.dev_eui)


def _delivered(
    case: Case, one: Transfer, sender: list[ParityVariant], frames: tuple[int, ...]
) -> Iterator[Finding]:
    """Ask the delivered block which matrix it was rebuilt with."""
    block, coded = case.known.block, _coded(one)
    if block is None or case.subject is not one.device or len(block) != one.octets or not coded:
        return
    size, delivered = one.req.frag_size, _padded(one, block)
    wrong = [n for n, octets in one.plain.items() if delivered[(n - 1) * size : n * size] != octets]
    if not wrong:
        return
    variants = tuple(ParityVariant)
    held = agreement(delivered, coded, nb_frag=one.req.nb_frag, matrices=variants)
    made = [each for each in variants if _determines(one, each, wrong, held[each])]
    others = [each for each in sender if each not in made]
    if not made or not others:
        return
    mine, sent = made[0], others[0]
    differs = f"the delivered block differs in {count(len(wrong), 'plain fragment')}"
    text = (
        f"{differs}, and {len(held[mine])} coded ones, read with {mine.value}, lead to just these "
        f"octets; those that agree read with {sent.value} do not"
    )
    says = (
        f"the device rebuilt the block with matrix {mine.value}, and it was coded with {sent.value}"
    )
    seed = mine.distinct and sent.distinct
    symptom = Symptom.SEED_BASE if seed else Symptom.WRONG_MATRIX
    yield Finding(symptom, says, (Evidence(Weight.PROOF, text, frames),), one.dev_eui)


def _determines(
    one: Transfer, variant: ParityVariant, wrong: list[int], held: frozenset[int]
) -> bool:
    """Whether the coded fragments that agree with a block leave no other choice for *wrong*.

    Those of the matrix the device decoded with do, since the device solved them.  Those of the
    matrix the sender coded with cannot: they would have led to the sender's block.
    """
    nb_frag, size = one.req.nb_frag, one.req.frag_size
    decoder = FragDecoder(nb_frag=nb_frag, frag_size=size, variant=variant)
    decoder.feed_all((n, bytes(size)) for n in range(1, nb_frag + 1) if n not in wrong)
    decoder.feed_all((n, bytes(size)) for n in sorted(held))
    return decoder.complete
