"""``lorafuota doctor``: what may have gone wrong in a captured session, the surest first."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from ..catalogue import DEFAULT_FPORTS
from ..dissect.capture import Frame
from ..dissect.case import Known
from ..dissect.doctor import Diagnosis, diagnose
from ..dissect.hypothesis import Hypothesis, Sure
from ..dissect.logreader import MAX_TIME, Captured, LogLine, Unread, read_log
from ..dissect.words import count
from ..errors import FieldError
from ..types import AppKey, DevAddr, DevEUI, GenAppKey, McKey
from .arguments import InputError, Status, Subparsers, add_json, subcommand
from .framelisting import bounded_lines
from .keyinput import KEY_CLASSES, Given, gather, key_of, lorawan_version
from .output import bad, good, strong, write_json
from .strayed import repeated

__all__ = ["add", "run"]

_A = TypeVar("_A", DevAddr, DevEUI)

_WIDTH: Final = 96
_MAX_FILE: Final = 1 << 28
_SHOWN: Final = 3
_DESCRIPTION: Final = """\
Read a captured session and say what may have gone wrong: hypotheses, the
surest first, each with the evidence for it and what to try next.  Mixed
versions, wrong keys and MICs, another parity matrix, clocks, windows, frame
counters, refusals, and what known stacks do otherwise.

CAPTURE is a log in the order of time, one JSON object a line, as lorafuota
dissect log reads it: our own format, or the events of ChirpStack or of The
Things Stack.  Lines that cannot be read are passed over and reported.  A capture in
which no frame is of a FUOTA package is bad input: there is nothing to judge.

All options are optional: the more is known, the surer the answer.  Keys come
as for lorafuota keys: from --keys, or the environment, never as arguments,
and none is ever printed.  They and --block are those of the device --dev-eui,
or of the only one in the capture.  Evidence names the lines of the file, from
1, as lorafuota dissect log does."""

_EXAMPLE: Final = """\
lorafuota doctor tests/data/captures/session-cnt-1.jsonl
lorafuota doctor capture.jsonl --keys keys.txt --lorawan 1.0 --image app.bin"""


def add(subparsers: Subparsers) -> None:
    """Declare the arguments."""
    parser = subcommand(
        subparsers,
        "doctor",
        run,
        summary="find out what went wrong in a captured session",
        description=_DESCRIPTION,
        example=_EXAMPLE,
    )
    parser.add_argument("capture", metavar="CAPTURE", help="file of JSON lines; - is stdin")
    parser.add_argument("--keys", metavar="FILE", help="GenAppKey, AppKey, McKey; lines NAME=HEX")
    parser.add_argument("--lorawan", metavar="VERSION", help="link layer of the device, 1.0 or 1.1")
    parser.add_argument("--dev-eui", metavar="EUI", help="whose keys and block these are")
    parser.add_argument("--join-eui", metavar="EUI", help="its JoinEUI, to find it misplaced")
    parser.add_argument("--dev-addr", metavar="ADDR", help="its DevAddr, to find it misplaced")
    parser.add_argument("--mc-addr", metavar="ADDR", help="address of the group as it should be")
    parser.add_argument("--image", metavar="FILE", help="what was to be delivered")
    parser.add_argument("--block", metavar="FILE", help="what the device delivered")
    parser.add_argument(
        "--device-time",
        metavar="SHOWN@GPS",
        action="append",
        default=[],
        help="what the device's clock showed at a GPS second; may be given several times",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Diagnose; 1 when something was found.

    Raises:
        InputError: There is nothing to judge.
    """
    known = _known(args)
    read = _read(args.capture)
    captured = [one for one in read if isinstance(one, Captured)]
    frames = [one.frame for one in captured]
    diagnosis = diagnose(frames, known, lines=[one.line for one in captured])
    _warn(known, frames)
    if not diagnosis.judged and not diagnosis.hypotheses:
        raise InputError(_nothing(read, frames))
    if args.json:
        write_json(diagnosis.to_json())
    else:
        print("\n".join(_text(diagnosis)))
    return Status.NO if diagnosis.found else Status.GOOD


# What comes in


def _known(args: argparse.Namespace) -> Known:
    given = _keys(args.keys)
    mc_addr = _address("--mc-addr", args.mc_addr, DevAddr)
    return Known(
        gen_app_key=key_of(given.keys, GenAppKey),
        app_key=key_of(given.keys, AppKey),
        mc_key=key_of(given.keys, McKey),
        lorawan=lorawan_version(args.lorawan),
        dev_eui=_address("--dev-eui", args.dev_eui, DevEUI),
        join_eui=_address("--join-eui", args.join_eui, DevEUI),
        dev_addr=_address("--dev-addr", args.dev_addr, DevAddr),
        mc_addr=given.mc_addr if mc_addr is None else mc_addr,
        image=_file(args.image),
        block=_file(args.block),
        device_times=tuple(_time(text) for text in args.device_time),
    )


def _keys(path: str | None) -> Given:
    """Gather keys if there are any; nobody is asked for some."""
    variables = (f"LORAFUOTA_{cls.__name__.upper()}" for cls in KEY_CLASSES)
    if path is None and not any(os.environ.get(name) for name in variables):
        return Given({})
    return gather(path, None, {})


def _address(option: str, text: str | None, kind: type[_A]) -> _A | None:
    try:
        return None if text is None else kind.from_hex(text)
    except FieldError as error:
        reason = f"{option} {repeated(str(text))}: expected {error.expected}"
        raise InputError(reason) from None


def _time(text: str) -> tuple[float, float]:
    shown, at, gps = text.partition("@")
    try:
        pair = float(shown), float(gps if at else "")
        if all(0 <= one < MAX_TIME for one in pair):
            return pair
    except ValueError:
        pass
    reason = f"--device-time {repeated(text)}: expected SHOWN@GPS, two numbers of seconds from 0 on"
    raise InputError(reason)


def _file(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read(_MAX_FILE)


def _read(path: str) -> list[LogLine]:
    """Read a capture, and say on stderr what of it could not be read.

    Raises:
        InputError: Nothing of it could.
    """
    if path == "-":
        read = [] if sys.stdin is None else list(read_log(bounded_lines(sys.stdin.buffer)))
    else:
        with open(path, "rb") as file:
            read = list(read_log(bounded_lines(file)))
    unread = [one for one in read if isinstance(one, Unread) and not one.expected]
    if unread:
        first = f"line {unread[0].line} of the capture: {unread[0].reason}"
        if not any(isinstance(one, Captured) for one in read):
            raise InputError(first)
        more = f"; {len(unread)} lines in all" if len(unread) > 1 else ""
        print(f"lorafuota doctor: passed over, {first}{more}", file=sys.stderr)
    return read


def _warn(known: Known, frames: Sequence[Frame]) -> None:
    """Say on stderr that the device somebody named is none of those in the capture."""
    named = {one.dev_eui for one in frames if one.dev_eui is not None}
    if known.dev_eui is None or not named or known.dev_eui in named:
        return
    shown = ", ".join(map(str, sorted(named)[:_SHOWN]))
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    print(
        f"lorafuota doctor: device {known.dev_eui} is not in the capture, so the keys are held "
        f"against nothing; it names {shown}{more}",
        file=sys.stderr,
    )


def _nothing(read: Sequence[LogLine], frames: Sequence[Frame]) -> str:
    """Return why there is nothing to judge."""
    if not read:
        return "there is nothing to judge: the capture is empty"
    if not frames:
        silent = next(f"line {one.line}: {one.reason}" for one in read if isinstance(one, Unread))
        return f"there is nothing to judge: no line of the capture has a frame; {silent}"
    shut = sum(one.payload is None for one in frames)
    ports = ", ".join(str(port) for port in sorted(DEFAULT_FPORTS.values()))
    encrypted = f"; {shut} without a payload in the clear" if shut else ""
    return (
        f"there is nothing to judge: of {count(len(frames), 'frame')} none is of a FUOTA package, "
        f"on one of the ports {ports}{encrypted}"
    )


# What goes out


def _text(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.hypotheses:
        yield good("nothing wrong found")
    for number, one in enumerate(diagnosis.hypotheses, 1):
        yield from _hypothesis(number, one)
        yield ""
    if diagnosis.hypotheses and not diagnosis.found:
        yield good("nothing that is more than worth a look")
    yield strong("looked at")
    yield from (f"  {one}" for one in diagnosis.looked_at)


def _hypothesis(number: int, one: Hypothesis) -> Iterator[str]:
    mark = strong if one.sure is Sure.WORTH_A_LOOK else bad
    yield f"{number}. {mark(one.symptom.value)}  {one.sure.value} ({one.score:.2f})"
    yield from _wrapped(one.says, "   ")
    if one.devices:
        yield from _wrapped(f"devices: {', '.join(map(str, one.devices))}", "   ")
    for each in one.evidence:
        lines = f" [{_lines(each.lines)}]" if each.lines else ""
        yield from _wrapped(f"{each.weight.name.lower()}: {each.text}{lines}", "   - ")
    if one.follows_from:
        causes = ", ".join(each.value for each in one.follows_from)
        yield from _wrapped(f"follows from: {causes}", "   ")
    yield from _wrapped(f"try: {one.try_next}", "   ")


def _lines(lines: Iterable[int]) -> str:
    numbers = ", ".join(map(str, lines))
    return f"lines {numbers}" if "," in numbers else f"line {numbers}"


def _wrapped(text: str, indent: str) -> list[str]:
    hanging = " " * len(indent)
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=hanging, break_long_words=False
    )
