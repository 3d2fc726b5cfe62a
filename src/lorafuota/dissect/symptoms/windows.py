"""Windows: missed before they began, too short for the fragments, or fragments beside them."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Iterator
from typing import Final

from ..case import Case, DeviceLog, Fragment, GroupLog, Seen
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..listening import START_MISSED, Window, windows_of
from ..transfer import Transfer

__all__ = ["look"]

_EDGE: Final = 2.0
"""Seconds by which a log's times may be off without anybody having missed anything."""


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Hold requests against the time they were sent, and fragments against the windows."""
    for device in case.devices.values():
        yield from _missed(device)
    for group in case.groups.values():
        windows = [
            window
            for device in case.devices.values()
            for window in windows_of(device)
            if window.accepted and window.mc_addr == group.mc_addr and window.start is not None
        ]
        if windows:
            yield from _beside(group, windows)
    yield from _cut_off(case, transfers)


def _missed(device: DeviceLog) -> Iterator[Finding]:
    windows = windows_of(device)
    for at, window in enumerate(windows):
        if any(later.accepted for later in windows[at + 1 :]):
            continue
        evidence = []
        answer, start, asked = window.answer, window.start, window.request.time
        if answer is not None and int(answer.what.errors) & START_MISSED:
            text = f"the device answers StartMissed: {answer.what.encode().hex(' ')}"
            evidence.append(Evidence(Weight.STRONG, text, (answer.at,)))
            text = "version 1 of TS005 has no such bit: a reader of it waits for three more octets"
            evidence.append(Evidence(Weight.HINT, text, (answer.at,)))
        if start is not None and asked is not None and start <= asked and not window.accepted:
            late = asked - start
            text = f"the request was sent {late:.0f} s after the start it asks for"
            evidence.append(Evidence(Weight.STRONG, text, (window.request.at,)))
        if evidence:
            says = "the start of the window was past when the device was asked to listen"
            yield Finding(Symptom.WINDOW_MISSED, says, tuple(evidence), device.dev_eui)


def _beside(group: GroupLog, windows: list[Window]) -> Iterator[Finding]:
    spans = sorted({(one.start, one.end) for one in windows if one.start and one.end})
    before: list[Seen[Fragment]] = []
    after: list[Seen[Fragment]] = []
    inside = 0
    for one in group.fragments:
        if one.time is None:
            return
        if any(start - _EDGE <= one.time <= end + _EDGE for start, end in spans):
            inside += 1
        elif any(end < one.time for _, end in spans):
            after.append(one)
        else:
            before.append(one)
    total, lasts = len(group.fragments), windows[-1].seconds
    if before:
        early = spans[0][0] - (before[0].time or 0.0)
        text = f"{len(before)} of {total} fragments were sent before the start, up to {early:.0f} s"
        says = "fragments were sent before the devices listened"
        evidence = (Evidence(Weight.STRONG, text, tuple(one.at for one in before[:8])),)
        yield Finding(Symptom.SENT_BEFORE_START, says, evidence)
    if not after:
        return
    late = (after[-1].time or 0.0) - max(end for _, end in spans if end < (after[-1].time or 0.0))
    text = f"{len(after)} of {total} fragments were sent after the end, up to {late:.0f} s"
    evidence = (Evidence(Weight.STRONG, text, tuple(one.at for one in after[:8])),)
    time_out = windows[-1].request.what.time_out
    if inside:
        says = (
            f"the window is too short for the fragments: TimeOut {time_out} is {lasts} s, "
            f"the last fragment came {late:.0f} s after its end"
        )
        yield Finding(Symptom.WINDOW_TOO_SHORT, says, evidence)
    else:
        says = f"all fragments were sent after the window, which lasted {lasts} s"
        yield Finding(Symptom.WINDOW_MISSED, says, evidence)


def _cut_off(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Find a window whose end stopped the server in the middle of the plain fragments."""
    for one in transfers:
        if one.success or one.made_good or not one.fragments or one.highest >= one.req.nb_frag:
            continue
        times = [each.time for each in one.fragments if each.time is not None]
        ends = [
            window.end
            for window in windows_of(one.device)
            if window.accepted and window.end is not None
        ]
        if len(times) < 3 or not ends:
            continue
        spacing = statistics.median(b - a for a, b in itertools.pairwise(times))
        if abs(max(ends) - times[-1]) <= 2 * spacing + _EDGE:
            text = (
                f"the last fragment, {one.highest} of {one.req.nb_frag}, was sent "
                f"{max(ends) - times[-1]:.0f} s before the window ended"
            )
            says = "the window ended before all plain fragments were sent"
            evidence = (Evidence(Weight.STRONG, text, (one.fragments[-1].at,)),)
            yield Finding(Symptom.WINDOW_TOO_SHORT, says, evidence, one.dev_eui)
