"""The subject's end of the lines: any Python device behind standard input and output.

    for line in answers(MyDevice(), sys.stdin):
        print(line, flush=True)

is a complete program for ``lorafuota conform device --exec``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import FuotaError
from .lines import DEVICE_EVENTS, DEVICE_REQUESTS, Done, Error, LineError, hello, read_object
from .subject import DeviceSubject

__all__ = ["answers"]


def answers(device: DeviceSubject, lines: Iterable[str | bytes]) -> Iterator[str]:
    """Carry out requests; yield each line to write, and nothing before it is asked for.

    Args:
        device: Carries them out, in virtual time.
        lines: What arrives, one line after the other.
    """
    for line in lines:
        try:
            given = read_object(line)
            if given.get("request") == "hello":
                yield hello("device", device.about)
                continue
            request = DEVICE_REQUESTS.read(given)
        except LineError as error:
            yield DEVICE_EVENTS.encode(Error(str(error)))
            continue
        try:
            reply = device.exchange(request)
        except FuotaError as error:
            yield DEVICE_EVENTS.encode(Error(str(error)))
            continue
        yield from map(DEVICE_EVENTS.encode, reply.events)
        yield DEVICE_EVENTS.encode(Done(reply.next))
