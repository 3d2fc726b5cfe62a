"""``lorafuota dissect phy`` and ``log``: frames as they were on air, and whole logs of them."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from ..catalogue import PackageMap
from ..dissect.explain import Explanation, explain
from ..dissect.fragmentruns import FragmentRun
from ..dissect.frame import FrameKind, MicCheck, PhyExplanation, explain_phy
from ..dissect.listing import (
    Paint,
    choice_text,
    explanation_text,
    field_table,
    heading,
    notes_text,
    odd_text,
    place,
)
from ..dissect.logentry import Entry
from ..dissect.logreader import MAX_LINE, Unread, read_log
from ..dissect.story import Story, tell
from ..dissect.versions import Candidate, hints, rank, readings
from ..dissect.words import count
from ..gpstime import utc_text
from .arguments import InputError, Status
from .framekeys import keyring
from .octetinput import octets_of
from .output import bad, good, strong, write_json

__all__ = ["PAINT", "bounded_lines", "run_log", "run_phy"]

PAINT: Final = Paint(strong=strong, bad=bad)
"""Colours, on a terminal."""

# --- One frame ------------------------------------------------------------------------------------


def run_phy(args: argparse.Namespace, spoken: Mapping[str, int], fports: Mapping[str, int]) -> int:
    """Explain one PHYPayload; 1 when it cannot be read, or its MIC does not fit."""
    phy = octets_of(args.words, as_base64=args.base64)
    if args.fcnt is not None and not 0 <= args.fcnt < 1 << 32:
        raise InputError("--fcnt takes a counter of 32 bits")
    read = explain_phy(phy, keyring(args.keys), near_fcnt=args.fcnt)
    candidates = _payload_of(read, spoken, fports)
    inner = candidates[0].explanation if candidates else None
    fine = (
        read.kind is not FrameKind.UNREADABLE
        and read.check is not MicCheck.DOES_NOT_FIT
        and (inner is None or inner.complete)
    )
    if args.json:
        document = read.to_json()
        document["reading"] = None if inner is None else inner.to_json()
        document["readings"] = [candidate.to_json() for candidate in candidates]
        write_json(document)
    else:
        print("\n".join(_phy_text(read)))
        if inner is not None:
            print("\n".join(_inner_text(inner, candidates)))
    return Status.GOOD if fine else Status.NO


def _payload_of(
    read: PhyExplanation, spoken: Mapping[str, int], fports: Mapping[str, int]
) -> list[Candidate]:
    speaks = PackageMap(spoken, fports)
    one = None if read.fport is None else speaks.at(read.fport)
    if one is None or read.payload is None or read.direction is None:
        return []
    if one.name in spoken:
        read_as = explain(one, read.direction, read.payload, speaks=speaks)
        return [rank(read_as, str(one))]
    return readings(one, read.direction, read.payload)


def _phy_text(read: PhyExplanation) -> Iterator[str]:
    size = count(len(read.phy), "octet")
    way = "" if read.direction is None else f", {read.direction.value}"
    yield f"{strong(read.kind.value)}{way}, {size}"
    if read.lines:
        joined = read.kind is FrameKind.JOIN_ACCEPT and read.payload is not None
        octets = read.phy[:1] + (read.payload or b"") if joined else read.phy
        yield field_table(read.lines, octets, PAINT)
    for one in read.mac_commands:
        name = one.name or f"0x{one.cid:02X}"
        more = f": {one.octets.hex(' ')}" if one.octets else ""
        yield f"MAC command at octet {one.at}: {strong(name)}{more}  ({one.purpose})"
    if read.kind is FrameKind.DATA:
        yield from _data_text(read)
    elif read.dev_eui is not None:
        yield from _join_text(read)
    elif read.frm_payload:
        reason = {
            FrameKind.JOIN_ACCEPT: "encrypted under the root key; the session keys open nothing",
            FrameKind.REJOIN_REQUEST: "a device of LoRaWAN 1.1 asks to join anew",
        }.get(read.kind, "nobody but its maker knows what it says")
        yield f"{reason}: {read.frm_payload[:24].hex(' ')}"
    yield from odd_text(read.anomalies, PAINT)


def _join_text(read: PhyExplanation) -> Iterator[str]:
    mark = {MicCheck.FITS: good, MicCheck.DOES_NOT_FIT: bad}.get(read.check, str)
    shut = read.check is MicCheck.NOT_CHECKED and read.payload is None
    whose = f": no root key for {read.dev_eui}" if shut else f", device {read.dev_eui}"
    yield f"MIC {mark(read.check.value)}{whose}"
    yield from (f"  {note}" for note in read.notes)


def _data_text(read: PhyExplanation) -> Iterator[str]:
    fits = read.check in (MicCheck.FITS, MicCheck.HALF_FITS)
    mark = {MicCheck.FITS: good, MicCheck.DOES_NOT_FIT: bad}.get(read.check, str)
    keys = f": no key for {read.address}" if read.check is MicCheck.NOT_CHECKED else ""
    whose = "group" if read.multicast else "device"
    counter = f" with counter {read.fcnt}, {whose} {read.address}" if fits else ""
    yield f"MIC {mark(read.check.value)}{counter}{keys}"
    yield from (f"  {note}" for note in read.notes)
    if read.fport is None:
        yield "no port, so no payload"
    elif read.payload is not None:
        yield f"FRMPayload in the clear: {read.payload.hex(' ') or 'no octets'}"
    else:
        yield f"FRMPayload, encrypted: {read.frm_payload.hex(' ') or 'no octets'}"


def _inner_text(inner: Explanation, candidates: list[Candidate]) -> Iterator[str]:
    yield ""
    yield heading(inner)
    yield from choice_text(candidates)
    yield from explanation_text(inner, PAINT)
    yield from notes_text(inner.anomalies, None, [] if inner.complete else hints(inner), PAINT)


# --- A log ----------------------------------------------------------------------------------------


def run_log(args: argparse.Namespace, spoken: Mapping[str, int], fports: Mapping[str, int]) -> int:
    """Explain a log; 1 when a line or a payload cannot be read.

    Raises:
        InputError: There is no line in it, or it is no file that can be read.
    """
    if len(args.words) != 1:
        raise InputError("dissect log takes one file")
    keys = keyring(args.keys)
    if args.words[0] == "-":
        if sys.stdin is None:
            raise InputError("there is no standard input")
        log = list(read_log(bounded_lines(sys.stdin.buffer)))
    else:
        with open(args.words[0], "rb") as file:
            log = list(read_log(bounded_lines(file)))
    if not log:
        raise InputError("the log is empty: there is no line to read")
    story = tell(log, keys=keys, speaks=spoken, fports=fports)
    if args.json:
        write_json(story.to_json())
    else:
        print("\n".join(_story_text(story)))
    return Status.GOOD if story.complete else Status.NO


def bounded_lines(file: BinaryIO | io.BufferedReader) -> Iterator[bytes]:
    """Return the lines of a file; of one that is too long, enough to see that."""
    while line := file.readline(MAX_LINE + 2):
        yield line
        while not line.endswith(b"\n") and (line := file.readline(MAX_LINE)):
            pass  # the rest of a line that is too long


def _story_text(story: Story) -> Iterator[str]:
    frames = sum(isinstance(item, Entry) for item in story.items)
    fragments = sum(len(item.numbers) for item in story.items if isinstance(item, FragmentRun))
    unread = sum(isinstance(item, Unread) and not item.expected for item in story.items)
    yield f"{count(frames + fragments, 'frame')}, {count(unread, 'line')} not readable"
    if story.versions:
        yield ""
    for choice in story.versions:
        both = "" if choice.agree else bad(f", but its server speaks {choice.server}")
        said = ", as it says itself" if choice.told else ""
        yield f"{choice.owner} speaks {strong(f'{choice.package}/{choice.device}')}{said}{both}"
        yield from (f"  {reason}" for reason in choice.reasons)
    if story.sessions:
        yield ""
    for session in story.sessions:
        yield f"{strong(session.name)}: {session.what}; {_owners(list(session.owners))}"
    yield ""
    for item in story.items:
        match item:
            case Unread(line, reason, expected):
                yield f"line {line}: {reason if expected else bad(reason)}"
            case FragmentRun():
                yield from _run_text(item)
            case Entry():
                yield from _entry_text(item)


def _owners(owners: list[str]) -> str:
    shown = ", ".join(owners[:3])
    return shown if len(owners) <= 3 else f"{shown} and {len(owners) - 3} more"


def _time_text(time: float | None) -> str:
    if time is None:
        return ""
    gps = f"{time:.3f}".rstrip("0").rstrip(".")
    return f"  {utc_text(time)}  GPS {gps}"


def _run_text(run: FragmentRun) -> Iterator[str]:
    last = run.last_time
    until = "" if last is None or last == run.first_time else f" to {utc_text(last)}"
    yield f"line {run.line}{_time_text(run.first_time)}{until}  down  {run.owner}"
    name = f"{run.session}: " if run.session else f"FragIndex {run.frag_index}: "
    yield f"  {name}{run.sentence()}"
    yield from (f"  {bad('odd')}: {sentence}" for sentence in run.odd())


def _entry_text(entry: Entry) -> Iterator[str]:
    frame = entry.frame
    way = "up" if frame.direction.value == "uplink" else "down"
    port = "" if frame.fport is None else f"  port {frame.fport}"
    fcnt = "" if frame.fcnt is None else f"  FCnt {frame.fcnt}"
    names = f"  {' '.join(entry.sessions)}" if entry.sessions else ""
    yield f"line {entry.line}{_time_text(frame.time)}  {way}  {entry.owner}{port}{fcnt}{names}"
    yield from (f"  {note}" for note in (entry.note, entry.doubt) if note)
    reading = entry.reading
    if reading is None:
        return
    for piece in reading.pieces:
        values = [f"{line.name} {line.shown}" for line in piece.lines]
        shown = "; ".join(values).replace("\n", "")
        yield f"  {strong(type(piece.command).__name__)} ({piece.package})  {shown}".rstrip()
    if reading.leftover is not None:
        left = reading.leftover
        where = place(left.offset, reading.payload[left.offset :])
        yield f"  {bad('not readable')}: {where}: {left.error.reason}"
    yield from (f"  {line}" for line in odd_text(reading.anomalies, PAINT))
