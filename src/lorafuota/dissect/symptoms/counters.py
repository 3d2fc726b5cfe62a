"""The frame counter of a group: outside what the set-up allows, used twice, begun again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from ...multicastsetup.v1 import McGroupSetupReq
from ..case import Case, DeviceLog, GroupFrame, GroupLog, Seen
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..transfer import Transfer

__all__ = ["look"]

_WIRE: Final = 0xFFFF
_NEAR_WRAP: Final = 0xF000


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Follow the counter of every group, and hold it against the set-ups."""
    transfers = list(transfers)
    for group in case.groups.values():
        yield from _twice(group)
        yield from _again(case, group)
    for device in case.devices.values():
        for group, setup in case.groups_of(device):
            yield from _outside(device, group, setup)
            yield from _above(device, group, setup, transfers)


def _counted(group: GroupLog) -> list[tuple[Seen[GroupFrame], int]]:
    return [(one, one.what.fcnt) for one in group.frames if one.what.fcnt is not None]


def _content(frame: GroupFrame) -> bytes | None:
    return frame.payload if frame.payload is not None else frame.phy


def _twice(group: GroupLog) -> Iterator[Finding]:
    first: dict[int, Seen[GroupFrame]] = {}
    twice = []
    for one, fcnt in _counted(group):
        before = first.setdefault(fcnt, one)
        if _content(before.what) != _content(one.what):
            twice.append((before, one, fcnt))
    if not twice:
        return
    counters = ", ".join(str(fcnt) for _, _, fcnt in twice[:4])
    text = f"{len(twice)} counters carry different frames: {counters}{', ...' * (len(twice) > 4)}"
    says = "a frame counter was used twice: the second frame is dropped as a replay"
    frames = tuple(at for before, one, _ in twice[:4] for at in (before.at, one.at))
    yield Finding(Symptom.FCNT_REUSED, says, (Evidence(Weight.STRONG, text, frames),))


def _again(case: Case, group: GroupLog) -> Iterator[Finding]:
    keys = [
        (one.at, one.what.mc_key_encrypted)
        for device in case.devices.values()
        for one in device.sent(McGroupSetupReq)
        if one.what.mc_addr == group.mc_addr
    ]
    counted = _counted(group)
    for (before, last), (one, fcnt) in itertools.pairwise(counted):
        wrapped = last >= _NEAR_WRAP and fcnt < last - _NEAR_WRAP and last <= _WIRE
        if fcnt >= last or wrapped or _content(before.what) == _content(one.what):
            continue
        fresh = {key for at, key in keys if before.at < at < one.at}
        if fresh - {key for at, key in keys if at < before.at}:
            continue
        text = f"the counter falls from {last} to {fcnt}, and no new McKey was sent in between"
        evidence = [Evidence(Weight.STRONG, text, (before.at, one.at))]
        if fcnt in {each for _, each in counted[: counted.index((one, fcnt))]}:
            evidence.append(Evidence(Weight.FAIR, f"counter {fcnt} was used before", (one.at,)))
        says = "the frame counter begins again with the same McKey: its frames are dropped"
        yield Finding(Symptom.FCNT_RESTARTED, says, tuple(evidence))
        return


def _outside(device: DeviceLog, group: GroupLog, setup: Seen[McGroupSetupReq]) -> Iterator[Finding]:
    least, most = setup.what.min_mc_fcnt, setup.what.max_mc_fcnt
    counted = [(one, fcnt) for one, fcnt in _counted(group) if one.at > setup.at]
    if any(fcnt > _WIRE for _, fcnt in counted) or most <= _WIRE:
        below = [(one, fcnt) for one, fcnt in counted if fcnt < least]
        above = [(one, fcnt) for one, fcnt in counted if fcnt >= most]
    else:  # the log may have 16 bits of 32
        below, above = [], []
    if device.version("multicastsetup") == 2:
        above = [(one, fcnt) for one, fcnt in above if fcnt > most]
    wrong = sorted([*below, *above], key=lambda each: each[0].at)
    if not wrong:
        return
    counters = [fcnt for _, fcnt in wrong]
    text = (
        f"{len(wrong)} of {len(counted)} frames have counters {min(counters)} to {max(counters)}; "
        f"minMcFCount is {least}, maxMcFCount {most}"
    )
    edge = " (version 1 excludes maxMcFCount itself)" if set(counters) == {most} else ""
    says = f"frames have counters outside what the device was told to accept{edge}"
    evidence = (Evidence(Weight.STRONG, text, (setup.at, *(one.at for one, _ in wrong[:4]))),)
    yield Finding(Symptom.FCNT_OUTSIDE, says, evidence, device.dev_eui)


def _above(
    device: DeviceLog,
    group: GroupLog,
    setup: Seen[McGroupSetupReq],
    transfers: list[Transfer],
) -> Iterator[Finding]:
    """Find stacks that take 16 bits for the whole counter: a first frame above 65535 is lost."""
    counted = [fcnt for one, fcnt in _counted(group) if one.at > setup.at]
    if not counted or counted[0] <= _WIRE:
        return
    deaf = [
        answer
        for one in transfers
        if one.device is device
        for answer, status in one.told()
        if not status.received and any(each.at < answer.at for each in one.fragments)
    ]
    if not deaf:
        return
    text = f"the first frame has counter {counted[0]}, and the device has heard nothing"
    says = (
        "the group's counter is above 65535; LoRaMac-node and LoRa Basics Modem take the 16 bits "
        "on air for all of it, and hear nothing"
    )
    evidence = (Evidence(Weight.STRONG, text, (setup.at, deaf[0].at)),)
    yield Finding(Symptom.FCNT_ABOVE_16_BITS, says, evidence, device.dev_eui)
