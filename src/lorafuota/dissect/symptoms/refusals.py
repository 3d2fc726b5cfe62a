"""Refusals read aloud: what a device said no to, and requests it never answered.

A refusal that was followed by an acceptance of the same kind is settled, and is not mentioned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from ...fragmentation import v1 as frag1
from ...fragmentation import v2 as frag2
from ...multicastsetup import v1 as mc1
from ...multicastsetup import v2 as mc2
from ...wire import Command
from ..case import Case, DeviceLog, Seen
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..listening import windows_of
from ..transfer import Transfer
from ..words import count, times

__all__ = ["look"]

_SETUP_BITS: Final = {
    1: (Symptom.FRAG_ALGO, "FragAlgo {req.frag_algo} is not supported; the documents have only 0"),
    2: (
        Symptom.NOT_ENOUGH_MEMORY,
        "the device has no memory for {req.nb_frag} fragments of {req.frag_size} octets",
    ),
    4: (Symptom.FRAG_INDEX_REFUSED, "FragIndex {req.frag_index} is not supported"),
    8: (Symptom.WRONG_DESCRIPTOR, "the device does not take Descriptor {descriptor}"),
    16: (Symptom.SESSION_CNT_REPLAY, "SessionCnt {cnt} was used before on this FragIndex"),
}
_SESSION_BITS: Final = {
    1: (Symptom.DATA_RATE, "the device cannot receive at DR{req.dr}"),
    2: (Symptom.FREQUENCY, "the device cannot receive at {req.dl_freq_hz} Hz"),
    4: (Symptom.MC_GROUP_UNDEFINED, "the device has no group with McGroupID {req.mc_group_id}"),
}
_UNDEFINED: Final = 4
_SEVERAL: Final = 3
_ASKED: Final[dict[type[Command], tuple[type[Command], ...]]] = {
    frag1.FragSessionSetupReq: (frag1.FragSessionSetupAns, frag2.FragSessionSetupAns),
    frag2.FragSessionSetupReq: (frag1.FragSessionSetupAns, frag2.FragSessionSetupAns),
    mc1.McGroupSetupReq: (mc1.McGroupSetupAns,),
    mc1.McClassCSessionReq: (mc1.McClassCSessionAns, mc2.McClassCSessionAns),
    mc1.McClassBSessionReq: (mc1.McClassBSessionAns, mc2.McClassBSessionAns),
}


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Read every answer that says no."""
    transfers = list(transfers)
    for one in transfers:
        yield from _setup(one, transfers)
        yield from _memory(one)
        yield from _absent(one)
    for device in case.devices.values():
        yield from _group(device)
        yield from _sessions(device)
        yield from _silence(device)


def _setup(one: Transfer, transfers: list[Transfer]) -> Iterator[Finding]:
    if not one.answers or not one.answers[-1].what.errors:
        return
    answer = one.answers[-1]
    if any(
        other.accepted and other.device is one.device and other.setup.at > one.setup.at
        for other in transfers
    ):
        return
    fields = {
        "req": one.req,
        "cnt": getattr(one.req, "session_cnt", None),
        "descriptor": one.req.descriptor.hex(" "),
    }
    for bit, (symptom, words) in _SETUP_BITS.items():
        if int(answer.what.errors) & bit:
            text = f"FragSessionSetupAns {answer.what.encode().hex(' ')}, bit {bit:#x}"
            evidence = (Evidence(Weight.STRONG, text, (one.setup.at, answer.at)),)
            says = f"the set-up was refused: {words.format(**fields)}"
            yield Finding(symptom, says, evidence, one.dev_eui)


def _memory(one: Transfer) -> Iterator[Finding]:
    told = [(answer, status) for answer, status in one.told() if status.memory_error]
    if told:
        answer, status = told[0]
        text = f"the memory bit is set, with {status.missing} missing: {_octets(answer)}"
        evidence = (Evidence(Weight.STRONG, text, (answer.at,)),)
        says = "more plain fragments were lost than the device's matrix can hold: it has given up"
        yield Finding(Symptom.MEMORY_ERROR, says, evidence, one.dev_eui)


def _absent(one: Transfer) -> Iterator[Finding]:
    absent = one.absent if one.accepted else []
    if absent:
        text = f"the set-up was accepted, and later the device says {_octets(absent[-1])}"
        evidence = (Evidence(Weight.STRONG, text, (one.setup.at, absent[-1].at)),)
        says = f"the device has lost session {one.req.frag_index}: a reset, or somebody deleted it"
        yield Finding(Symptom.SESSION_ABSENT, says, evidence, one.dev_eui)


def _octets(answer: Seen[bytes]) -> str:
    return f"01 {answer.what.hex(' ')}"


def _group(device: DeviceLog) -> Iterator[Finding]:
    answers = device.said(mc1.McGroupSetupAns)
    if not answers or not answers[-1].what.id_error:
        return
    last = answers[-1]
    text = f"McGroupSetupAns {last.what.encode().hex(' ')}, IDerror"
    evidence = (Evidence(Weight.STRONG, text, (last.at,)),)
    says = (
        f"the device has no place for McGroupID {last.what.mc_group_id}, or minMcFCount is above "
        "maxMcFCount"
    )
    yield Finding(Symptom.MC_GROUP_ID, says, evidence, device.dev_eui)


def _sessions(device: DeviceLog) -> Iterator[Finding]:
    windows = windows_of(device)
    if not windows or windows[-1].answer is None:
        return
    window = windows[-1]
    answer = window.answer
    assert answer is not None  # just seen
    errors, index = int(answer.what.errors), answer.what.mc_group_id
    text = f"{type(answer.what).__name__} {answer.what.encode().hex(' ')}"
    if errors == _UNDEFINED and _defined(device, index, answer.at):
        text = f"{text}: undefined, and McGroupID {index} was set up"
        evidence = (Evidence(Weight.STRONG, text, (window.request.at, answer.at)),)
        says = (
            "a version 1 device that finds the window over by its clock says McGroupUndefined, "
            "having no other bit for it"
        )
        yield Finding(Symptom.WINDOW_MISSED, says, evidence, device.dev_eui)
        return
    for bit, (symptom, words) in _SESSION_BITS.items():
        if not errors & bit or (errors & _UNDEFINED and bit != _UNDEFINED):
            continue  # LoRaMac-node sets all bits for an undefined group
        where = (window.request.at, answer.at)
        evidence = (Evidence(Weight.STRONG, f"{text}, bit {bit << 2:#x}", where),)
        says = f"the window was refused: {words.format(req=window.request.what)}"
        yield Finding(symptom, says, evidence, device.dev_eui)


def _defined(device: DeviceLog, mc_group_id: int, before: int) -> bool:
    """Whether the device took a group of that McGroupID before."""
    return any(
        one.what.mc_group_id == mc_group_id and not one.what.id_error and one.at < before
        for one in device.said(mc1.McGroupSetupAns)
    )


def _silence(device: DeviceLog) -> Iterator[Finding]:
    """Find set-ups that were never answered, not even by a refusal."""
    open_: dict[str, list[int]] = {}
    for request, answers in _ASKED.items():
        sent = device.sent(request)
        if sent and not device.said(*answers):
            open_.setdefault(request.__name__, []).extend(one.at for one in sent)
    repeats = Counter((one.what.fport, one.what.payload) for one in device.payloads)
    silent = not device.up and max(repeats.values(), default=0) >= _SEVERAL
    if silent and not open_:
        for one in device.down:
            open_.setdefault(type(one.what).__name__, []).append(one.at)
    if not open_:
        return
    what = ", ".join(f"{name} (sent {times(len(ats))})" for name, ats in open_.items())
    frames = tuple(at for ats in open_.values() for at in ats)[:8]
    ended = not device.goes_on(max(at for ats in open_.values() for at in ats))
    once = all(len(ats) == 1 for ats in open_.values())
    weight = Weight.HINT if ended and once else Weight.FAIR  # perhaps only the capture ended
    evidence = [Evidence(weight, f"no answer to {what}", frames)]
    says = "requests were not answered at all, not even by a refusal"
    if silent:
        text = f"{count(len(device.down), 'command')} were sent, and nothing came back"
        evidence.append(Evidence(Weight.STRONG, text))
        says = "the device says nothing at all"
    yield Finding(Symptom.NO_ANSWER, says, tuple(evidence), device.dev_eui)
