"""Fragments that no device can use: wrong numbers, wrong lengths, wrong sessions, wrong groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...multicastsetup.v1 import McGroupSetupReq
from ..case import Case, Fragment, Seen
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..transfer import Transfer

__all__ = ["look"]


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Hold the fragments of each transfer against its set-up."""
    transfers = list(transfers)
    for one in transfers:
        yield from _zero(one)
        yield from _length(one)
        yield from _mask(one)
        yield from _heard_nothing(one)
    yield from _index(case, transfers)


def _zero(one: Transfer) -> Iterator[Finding]:
    zeros = [each.at for each in one.fragments if not each.what.n]
    if not zeros:
        return
    text = f"fragment number 0 was sent; the highest is {one.highest} for NbFrag {one.req.nb_frag}"
    says = (
        "the server numbers fragments from 0, as MultiTech Conduit's does; the documents from 1: "
        "every fragment is taken for its neighbour"
    )
    evidence = [Evidence(Weight.STRONG, text, tuple(zeros[:4]))]
    first = min(one.fragments, key=lambda each: each.at)
    if not first.what.n:
        text = "the first fragment of the session is the one with number 0"
        evidence.append(Evidence(Weight.STRONG, text, (first.at,)))
    yield Finding(Symptom.ZERO_BASED, says, tuple(evidence), one.dev_eui)


def _length(one: Transfer) -> Iterator[Finding]:
    size = one.req.frag_size
    other = [each for each in one.fragments if len(each.what.payload) != size]
    if not other:
        return
    lengths = sorted({len(each.what.payload) for each in other})
    text = (
        f"{len(other)} of {len(one.fragments)} fragments have {', '.join(map(str, lengths))} "
        f"octets, FragSize is {size}"
    )
    says = "fragments have another length than the set-up says, and are dropped"
    if all(each.what.n == one.req.nb_frag for each in other):
        says = "the last plain fragment is not padded to FragSize, and is dropped"
    evidence = (Evidence(Weight.STRONG, text, tuple(each.at for each in other[:8])),)
    yield Finding(Symptom.FRAGMENT_LENGTH, says, evidence, one.dev_eui)


def _mask(one: Transfer) -> Iterator[Finding]:
    mask = one.req.mc_group_bit_mask
    ids = {each.what.mc_addr: each.what.mc_group_id for each in one.device.sent(McGroupSetupReq)}
    shut: list[Seen[Fragment]] = []
    for each in one.fragments:
        group = None if each.what.mc_addr is None else ids.get(each.what.mc_addr)
        if group is not None and not mask >> group & 1:
            shut.append(each)
    if not shut:
        return
    mc_addr = shut[0].what.mc_addr
    assert mc_addr is not None  # or it would not be there
    text = (
        f"McGroupBitMask is 0b{mask:04b}, and {len(shut)} of {len(one.fragments)} fragments came "
        f"by group {mc_addr}, McGroupID {ids[mc_addr]}"
    )
    says = "the group that carries the fragments may not feed the session"
    frames = (one.setup.at, *(each.at for each in shut[:4]))
    weight = Weight.FAIR if one.success else Weight.STRONG
    evidence = (Evidence(weight, text, frames),)
    yield Finding(Symptom.GROUP_NOT_IN_MASK, says, evidence, one.dev_eui)


def _heard_nothing(one: Transfer) -> Iterator[Finding]:
    told = [(each, status) for each, status in one.told() if each.at > one.setup.at]
    if not told or not one.fragments or one.made_good:
        return
    answer, status = told[-1]
    sent = sum(each.at < answer.at for each in one.fragments)
    if status.received or sent < 3:
        return
    text = f"NbFragReceived is 0 after {sent} fragments were sent"
    says = "the device has not heard a single fragment"
    evidence = (Evidence(Weight.FAIR, text, (answer.at,)),)
    yield Finding(Symptom.NOTHING_HEARD, says, evidence, one.dev_eui)


def _index(case: Case, transfers: list[Transfer]) -> Iterator[Finding]:
    known = {one.req.frag_index for one in transfers}
    if not known:
        return
    every = [*(one for group in case.groups.values() for one in group.fragments)]
    every += [one for device in case.devices.values() for one in device.fragments]
    stray = sorted((one for one in every if one.what.frag_index not in known), key=lambda e: e.at)
    if not stray:
        return
    indices = sorted({one.what.frag_index for one in stray})
    text = (
        f"{len(stray)} of {len(every)} fragments have FragIndex "
        f"{', '.join(map(str, indices))}; set up is {', '.join(map(str, sorted(known)))}"
    )
    says = "fragments carry a FragIndex that no device was set up for"
    evidence = (Evidence(Weight.STRONG, text, tuple(one.at for one in stray[:8])),)
    yield Finding(Symptom.FRAG_INDEX, says, evidence)
