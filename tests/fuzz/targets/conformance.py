"""Invariant: whatever lines a subject says, a check passes, fails, is skipped or broken, no more.

The octets are all that a device or a server ever says to the kit, behind one octet that chooses the
check; it is played twice, so that there is a second hello if the first run broke.  Nothing else is
raised, what is shown of the results is shown on one line each, and no key of the kit stands in it.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from lorafuota.conformance.check import Check
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.explain import explain_device
from lorafuota.conformance.explainserver import explain_server
from lorafuota.conformance.lines import keys_in
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.report.document import Report
from lorafuota.conformance.report.junit import junit_xml
from lorafuota.conformance.report.text import failure, summary
from lorafuota.conformance.run import Outcome, Result, run_device_checks, run_server_checks
from lorafuota.conformance.server import SERVER_CHECKS
from lorafuota.conformance.serverlines import LineServer, server_answers
from lorafuota.conformance.serving import answers
from lorafuota.conformance.subject import SubjectError
from lorafuota.conformance.transports.channel import LineBuffer
from lorafuota.conformance.transports.device import LineDevice
from tests.fuzz import mutation
from tests.fuzz.targets.target import MiB, Target

DEVICE: Final = (
    "ts004-v2/mic-covers-setup",
    "ts004-v2/order-late-plain",
    "ts005-v2/class-c-answer",
    "ts006-v1/countdown-3600",
    "ts007-v1/token-alone",
    "ts003-v2/unknown",
)
SERVER: Final = (
    "ts005-v2/all-refuse",
    "ts004-v2/paced",
    "ts003-v2/correction-fast",
)
REAL_SECONDS: Final = 0.001
"""What a check gets with a device that says it has a clock of its own."""


class Said:
    """A channel to somebody whose lines are known; nothing comes unasked, and then it is gone."""

    def __init__(self, octets: bytes) -> None:
        self.buffer = LineBuffer()
        self.buffer.feed(octets)

    def send(self, line: str) -> None:
        pass

    def receive(self, seconds: float) -> bytes | None:
        if seconds <= 0:  # whether something came that nobody asked for
            return None
        line = self.buffer.pop()
        if line is None:
            raise SubjectError("it is gone")
        return line

    def unfinished(self) -> bytes:
        return self.buffer.unfinished

    def last_words(self) -> str:
        return ""

    def close(self) -> None:
        pass


def play_device(checks: Sequence[Check[Any]], said: Said) -> Report:
    device = LineDevice(lambda: said)
    clock = None if device.clock is None else device.clock.now
    results = run_device_checks(checks, device, clock=clock, max_wait=REAL_SECONDS)
    return Report(
        role="device",
        subject=device.about.name,
        profile=None,
        results=list(results),
        describe=explain_device(device.about),
    )


def play_server(checks: Sequence[Check[Any]], said: Said) -> Report:
    server = LineServer(lambda: said)
    return Report(
        role="server",
        subject=server.about.name,
        profile=None,
        results=list(run_server_checks(checks, server)),
        describe=explain_server(),
    )


Play = Callable[[Sequence[Check[Any]], Said], Report]


def one_input(play: Play, checks: Sequence[Check[Any]], data: bytes) -> str:
    check = checks[data[0] % len(checks)] if data else checks[0]
    try:
        report = play([check, check], Said(data[1:]))
    except SubjectError as error:
        assert str(error), "no reason"
        return "SubjectError"
    assert len(report.results) == 2
    for result in report.results:
        look_at(report, result)
    line = summary(report)
    assert line.isprintable(), line
    assert junit_xml(report)
    json.dumps(report.document())
    return report.results[0].outcome.value


def look_at(report: Report, result: Result) -> None:
    """See that a result can be shown."""
    assert result.outcome is not Outcome.NOT_PLAYED
    lines = list(failure(report, result))
    for line in lines:
        assert line.isprintable(), line
    for request in result.transcript:
        for key in keys_in(request):
            assert key.reveal().hex() not in result.reason.lower(), "a key is shown"


# --- Seeds ----------------------------------------------------------------------------------------


class Recorded:
    """A channel to one of ours that writes down what is said."""

    def __init__(self, play: Callable[[Iterable[str]], Iterator[str]]) -> None:
        self.waiting: list[str] = []
        self.said: list[bytes] = []
        self.heard: list[bytes] = []
        self.answers = play(self.lines())

    def lines(self) -> Iterator[str]:
        while True:
            yield self.waiting.pop()

    def send(self, line: str) -> None:
        self.heard.append(line.encode())
        self.waiting.append(line)

    def receive(self, seconds: float) -> bytes | None:
        if seconds <= 0:
            return None
        line = next(self.answers).encode()
        self.said.append(line)
        return line

    def unfinished(self) -> bytes:
        return b""

    def last_words(self) -> str:
        return ""

    def close(self) -> None:
        pass


@functools.cache
def device_seeds() -> tuple[bytes, ...]:
    found = []
    for at, id in enumerate(DEVICE):
        channel = Recorded(lambda lines: answers(OwnDevice("documents v2"), lines))
        device = LineDevice(lambda channel=channel: channel)  # type: ignore[misc]
        [result] = run_device_checks([DEVICE_CHECKS[id]], device)
        assert result.good, result
        found += seeds_of(at, channel)
    return tuple(found)


@functools.cache
def server_seeds() -> tuple[bytes, ...]:
    found = []
    for at, id in enumerate(SERVER):
        channel = Recorded(lambda lines: server_answers(OwnServer(), lines))
        server = LineServer(lambda channel=channel: channel)  # type: ignore[misc]
        [result] = run_server_checks([SERVER_CHECKS[id]], server)
        assert result.good, result
        found += seeds_of(at, channel)
    return tuple(found)


def seeds_of(at: int, channel: Recorded) -> list[bytes]:
    """What was said, as it was, by other names, cut off and begun anew; and an echo."""
    first, said = bytes((at,)), channel.said
    hello = said[0]
    half = len(said) // 2
    whole = [first + b"\n".join(said) + b"\n"]
    named = hello.replace(b"fragmentation", b"ts004")
    whole.append(first + b"\n".join((named, *said[1:])) + b"\n")
    whole.append(first + b"\n".join((*said[:half], b"oh", hello, *said[1:])) + b"\n")
    whole.append(first + b"\n".join((hello, *channel.heard)) + b"\n")
    whole.append(first + b"\n".join((b"boot 1.2", b"# comment", b"{}", hello)) + b"\n")
    return whole


def mutate(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    """Change octets, or some lines as JSON, leave lines out, say them twice."""
    if rng.random() < 0.1:
        return mutation.octets(rng, pool)
    one, other = rng.choice(pool), rng.choice(pool)
    lines = one[1:].split(b"\n")
    documents = [line for line in (*lines, *other[1:].split(b"\n")) if is_object(line)]
    for _ in range(rng.randrange(1, 4)):
        at = 0 if rng.random() < 0.2 else rng.randrange(len(lines))
        match rng.randrange(8):
            case 0:
                del lines[at]
            case 1 if documents:
                lines.insert(at, rng.choice(documents))
            case 2:
                lines[at] = mutation.octets(rng, [lines[at]])
            case _ if documents and is_object(lines[at]):
                lines[at] = mutation.document(rng, [lines[at], lines[at], rng.choice(documents)])
            case _:
                pass
        lines = lines or [b""]
    return one[:1] + b"\n".join(lines)


def is_object(line: bytes) -> bool:
    """Whether a line is one that can be changed as JSON."""
    try:
        return type(json.loads(line)) is dict
    except (ValueError, RecursionError):
        return False


TARGETS = tuple(
    Target(
        name=name,
        one_input=functools.partial(one_input, play, checks),
        seeds=seeds,
        mutate=mutate,
        memory=16 * MiB,
        everyday=everyday,
    )
    for name, play, checks, seeds, everyday in (
        ("device-lines", play_device, [DEVICE_CHECKS[id] for id in DEVICE], device_seeds, 200),
        ("server-lines", play_server, [SERVER_CHECKS[id] for id in SERVER], server_seeds, 40),
    )
)
