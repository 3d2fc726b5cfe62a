"""The subject's end of the lines: any Python device behind standard input and output.

    for line in answers(MyDevice(), sys.stdin):
        print(line, flush=True)

is a complete program for ``lorafuota conform device --exec``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from ..errors import FuotaError
from .lines import (
    DEVICE_EVENTS,
    DEVICE_REQUESTS,
    Done,
    Error,
    LineError,
    Lines,
    hello,
    read_object,
)
from .subject import DeviceSubject

__all__ = ["answers", "serve"]

Q = TypeVar("Q", contravariant=True)
E = TypeVar("E", covariant=True)


class _Reply(Protocol[E]):
    @property
    def events(self) -> Iterable[E]: ...

    @property
    def next(self) -> float | None: ...


class _Subject(Protocol[Q, E]):
    @property
    def about(self) -> object: ...

    def exchange(self, request: Q, /) -> _Reply[E]: ...


def answers(device: DeviceSubject, lines: Iterable[str | bytes]) -> Iterator[str]:
    """Carry out the requests a device gets; yield each line to write.

    Args:
        device: Carries them out, in virtual time.
        lines: What arrives, one line after the other.
    """
    return serve(device, lines, role="device", requests=DEVICE_REQUESTS, events=DEVICE_EVENTS)


def serve(
    subject: _Subject[Q, E],
    lines: Iterable[str | bytes],
    *,
    role: str,
    requests: Lines[Q],
    events: Lines[E | Done | Error],
) -> Iterator[str]:
    """Carry out the requests a subject gets; yield each line to write before reading the next.

    Args:
        subject: Carries them out, in virtual time.
        lines: What arrives, one line after the other.
        role: What it is, ``device`` or ``server``.
        requests: Lines of the kit.
        events: Lines of the subject.
    """
    for line in lines:
        try:
            given = read_object(line)
            if given.get("request") == "hello":
                yield hello(role, subject.about)
                continue
            reply = subject.exchange(requests.read(given))
        except (LineError, FuotaError) as error:
            yield events.encode(Error(str(error)))
            continue
        yield from map(events.encode, reply.events)
        yield events.encode(Done(reply.next))
