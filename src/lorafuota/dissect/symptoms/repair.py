"""Blocks that cannot be complete: too little was sent, or it cannot be repaired like that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ...fec.decoder import FragDecoder
from ...fec.variant import ParityVariant
from ..case import Case
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..transfer import Transfer

__all__ = ["look"]

_SPARE: Final = 7
_MAX_NB_FRAG: Final = 16383


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Count what a device could have rebuilt from the fragments in the capture."""
    for one in transfers:
        if (
            one.success
            or one.made_good
            or not one.fragments
            or not 1 <= one.req.nb_frag <= _MAX_NB_FRAG
        ):
            continue
        if any(not each.what.n for each in one.fragments):
            continue
        yield from _short(one)
        yield from _order(one)
        yield from _missing(one)
        if one.usable and one.req.frag_size and one.highest >= one.req.nb_frag:
            yield from _rank(one)


def _short(one: Transfer) -> Iterator[Finding]:
    if one.highest >= one.req.nb_frag:
        return
    text = f"the highest fragment number is {one.highest}, NbFrag is {one.req.nb_frag}"
    last = one.fragments[-1].at
    # fragments to the end of a capture: perhaps only the capture ended
    weight = Weight.FAIR if one.device.goes_on(last) else Weight.HINT
    evidence = [Evidence(weight, text, (last,))]
    told = one.told()
    if told and told[-1][1].missing:
        answer, status = told[-1]
        text = f"the device misses {status.missing} fragments"
        evidence.append(Evidence(Weight.FAIR, text, (answer.at,)))
    says = f"not all plain fragments were sent: {one.highest} of {one.req.nb_frag}"
    yield Finding(Symptom.SHORT_TRANSFER, says, tuple(evidence), one.dev_eui)


def _order(one: Transfer) -> Iterator[Finding]:
    """Find plain fragments that were sent again, to a device that only takes rising numbers."""
    highest, late = 0, []
    for each in one.fragments:
        if each.what.n < highest and each.what.n <= one.req.nb_frag:
            late.append(each)
        highest = max(highest, each.what.n)
    told = one.told()
    if not late or not told or not (told[-1][1].missing and told[-1][1].received):
        return
    after = [(answer, status) for answer, status in told if answer.at > late[-1].at]
    before = [(answer, status) for answer, status in told if answer.at < late[0].at]
    if not after:
        return
    numbers = ", ".join(str(each.what.n) for each in late[:6])
    text = (
        f"{len(late)} plain fragments came after higher numbers ({numbers}"
        f"{', ...' * (len(late) > 6)}), and {after[-1][1].missing} are still missing"
    )
    evidence = [Evidence(Weight.FAIR, text, tuple(each.at for each in late[:8]))]
    if before and after[-1][1].missing == before[-1][1].missing:
        text = f"MissingFrag was {before[-1][1].missing} before them, and is the same after them"
        evidence.append(Evidence(Weight.STRONG, text, (before[-1][0].at, after[-1][0].at)))
    says = (
        "plain fragments were sent after higher numbers; LoRaMac-node, LoRa Basics Modem, ST and "
        "Renesas ignore those"
    )
    yield Finding(Symptom.ORDER, says, tuple(evidence), one.dev_eui)


def _missing(one: Transfer) -> Iterator[Finding]:
    """Find a device that misses something, and nothing more was sent."""
    told = one.told()
    if not told or one.mic_error is not None:
        return
    answer, status = told[-1]
    if not status.missing or status.memory_error or not status.received:
        return
    later = {
        each.what.n
        for each in one.fragments
        if each.at > answer.at and each.what.n > one.req.nb_frag
    }
    if one.req.nb_frag == 1:
        coded = sum(each.what.n > 1 for each in one.fragments)
        text = f"NbFrag is 1, {coded} coded fragments were sent, and the device misses it still"
        evidence = (Evidence(Weight.STRONG, text, (one.setup.at, answer.at)),)
        says = "a block of one fragment has no parity: its coded fragments are all zeros"
        yield Finding(Symptom.ONE_FRAGMENT, says, evidence, one.dev_eui)
        return
    if len(later) >= status.missing + _SPARE:
        return
    text = (
        f"the device misses {status.missing}, and {len(later)} coded fragments followed; about "
        f"{status.missing + _SPARE} have to arrive"
    )
    weight = Weight.STRONG if one.device.goes_on(answer.at) else Weight.FAIR
    weight = weight if len(later) < status.missing else Weight.HINT
    evidence = (Evidence(weight, text, (answer.at,)),)
    says = f"more coded fragments are needed: the device misses {status.missing}"
    yield Finding(Symptom.NOT_ENOUGH_PARITY, says, evidence, one.dev_eui)


def _rank(one: Transfer) -> Iterator[Finding]:
    """Let a decoder see what is in the capture; beside a device, that is what it heard."""
    nb_frag, plain = one.req.nb_frag, one.plain
    if len(plain) == nb_frag:
        return
    variant = ParityVariant.V1 if one.version == 1 else ParityVariant.V2
    decoder = FragDecoder(nb_frag=nb_frag, frag_size=one.req.frag_size, variant=variant)
    decoder.feed_all((each.what.n, each.what.payload) for each in one.usable)
    if decoder.complete:
        return
    heard = len({each.what.n for each in one.usable})
    text = (
        f"{heard} different fragments are in the capture, {len(plain)} of them plain: rank "
        f"{decoder.rank} of {nb_frag}"
    )
    evidence = (Evidence(Weight.STRONG, text, (one.fragments[-1].at,)),)
    if nb_frag == 1:
        says = "a block of one fragment has no parity: its coded fragments are all zeros"
        yield Finding(Symptom.ONE_FRAGMENT, says, evidence, one.dev_eui)
    elif not plain and variant.always_even(nb_frag) and decoder.rank == nb_frag - 1:
        says = (
            f"floor({nb_frag} / 2) is even, so coded fragments of version 2 alone come to rank "
            f"{nb_frag - 1} and no further: one plain fragment has to arrive"
        )
        yield Finding(Symptom.EVEN_PARITY, says, evidence, one.dev_eui)
    else:
        says = f"what was heard cannot be rebuilt: {decoder.missing} independent fragments lack"
        yield Finding(Symptom.NOT_ENOUGH_PARITY, says, evidence, one.dev_eui)
