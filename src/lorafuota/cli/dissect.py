"""``lorafuota dissect``: explain captured octets: a payload, a frame, a log."""

from __future__ import annotations

import argparse
from typing import Final

from .._kinds import JSON
from ..catalogue import DEFAULT_FPORTS, PackageMap, package
from ..dissect.explain import MULTIPACKAGE, Explanation, explain, refusal
from ..dissect.listing import choice_text, explanation_text, heading, notes_text
from ..dissect.versions import Candidate, hints, rank, readings, versions_of
from ..errors import DecodeError, FieldError
from ..package import Package
from ..types import DOWNLINK, UPLINK
from .arguments import InputError, Status, Subparsers, UsageError, add_json, subcommand
from .framelisting import PAINT, run_log, run_phy
from .octetinput import octets_of
from .output import write_json
from .strayed import repeated

__all__ = ["add", "run"]

_DIRECTIONS: Final = {"up": UPLINK, "uplink": UPLINK, "down": DOWNLINK, "downlink": DOWNLINK}
_AUTO: Final = "auto"

_DESCRIPTION: Final = """\
Explain what was captured: every command with its fields, in the words of the
documents, what is odd about it, and whatever cannot be read, with its place
and the reason.

  dissect PACKAGE[/VERSION] DIRECTION HEX   one application payload in the clear
  dissect phy HEX --keys FILE               one PHYPayload, as it was on air
  dissect log FILE                          a log of frames, one JSON a line

PACKAGE is a name or the number of a document (fragmentation, ts004) or a port
(200, 201, 202, 203, 225).  Without /VERSION, or with /auto, every version
reads the payload; the best reading is shown, and what spoke for it.  --version
1, 2 or auto is another way to write /1, /2 and /auto.
Octets go in as hex, with or without spaces, colons and 0x, or with - as all of
standard input.

A log holds frames in our own format, events of ChirpStack and of The Things
Stack, mixed as they come; - reads standard input.  An empty one is bad input.

A file of keys holds NAME=HEX lines for one group (McAddr with McKey, or with
McAppSKey and McNwkSKey) or one device (DevAddr, and NwkSKey and AppSKey of
LoRaWAN 1.0.x, or FNwkSIntKey, SNwkSIntKey, NwkSEncKey and AppSKey of 1.1;
DevEUI if you like).  Give --keys once for each.  With DevEUI and the root key
(AppKey of 1.0.x, NwkKey and AppKey of 1.1) joins are opened, and in a log
every frame behind a join.

Columns "octets" and "bits" count as the documents do: octets from 0 behind the
command identifier, bits from 0 for the least significant."""

_EXAMPLE: Final = """\
lorafuota dissect fragmentation/1 uplink 02c0
lorafuota dissect 201 down 02 01 1400 32 00 05 00000000 0100 4d6d1790
lorafuota dissect 225 uplink 8302c001 --speaks fragmentation/1
echo AsA= | lorafuota dissect ts004/2 up --base64 -
lorafuota dissect phy 60da1b0126000000c9... --keys group.keys
lorafuota dissect log events.jsonl --json"""


def add(subparsers: Subparsers) -> None:
    """Declare the arguments."""
    parser = subcommand(
        subparsers,
        "dissect",
        run,
        summary="explain captured octets: a payload, a frame, a log",
        description=_DESCRIPTION,
        example=_EXAMPLE,
    )
    parser.add_argument("what", metavar="WHAT", help="who the payload is for; or phy; or log")
    parser.add_argument(
        "words", metavar="...", nargs="*", help="direction and octets; octets; the log's file"
    )
    parser.add_argument("--base64", action="store_true", help="the octets are base64, not hex")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="also refuse reserved bits that are set, and whatever else the document excludes",
    )
    parser.add_argument(
        "--version", metavar="VERSION", help="the package's version, or auto, as behind the /"
    )
    parser.add_argument(
        "--speaks",
        metavar="PACKAGE/VERSION",
        action="append",
        default=[],
        help="what the device has besides the newest of each package; for ports, port 225 above "
        "all; may be repeated",
    )
    parser.add_argument(
        "--port",
        metavar="PACKAGE=FPORT",
        action="append",
        default=[],
        help="where a package lives that is not on the document's port; may be repeated",
    )
    parser.add_argument(
        "--keys",
        metavar="FILE",
        action="append",
        default=[],
        help="keys of a group or a device, for frames and joins; may be repeated",
    )
    parser.add_argument(
        "--fcnt",
        metavar="N",
        type=int,
        help="the frame counter, or one not far below it; its upper half is not in a frame",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Explain what was given; 1 when a part of it cannot be read."""
    if args.what in ("phy", "log") and not args.words:
        what = "HEX" if args.what == "phy" else "FILE"
        raise UsageError("lorafuota dissect", f"the following arguments are required: {what}")
    if args.version is not None and args.what in ("phy", "log"):
        raise InputError(
            "--version is the version of one package: say --speaks PACKAGE/VERSION for a frame or "
            "a log"
        )
    if args.what == "log":
        return run_log(args, _spoken(args), _ports(args))
    if args.what == "phy":
        return run_phy(args, _spoken(args), _ports(args))
    if len(args.words) < 2:
        missing = "DIRECTION, HEX" if not args.words else "HEX"
        raise UsageError("lorafuota dissect", f"the following arguments are required: {missing}")
    return _run_payload(args)


def _run_payload(args: argparse.Namespace) -> int:
    spoken = _spoken(args)
    one, speaks = _package(_with_version(args.what, args.version), spoken, _ports(args))
    direction = _DIRECTIONS.get(args.words[0].lower())
    if direction is None:
        raise InputError(f"the direction is {repeated(args.words[0])}: expected uplink or downlink")
    payload = octets_of(args.words[1:], as_base64=args.base64)
    if speaks is None:
        candidates = readings(one, direction, payload)
    else:
        read = explain(one, direction, payload, speaks=PackageMap(speaks))
        candidates = [rank(read, str(one))]
    return _show(candidates, args, auto=speaks is None)


def _show(candidates: list[Candidate], args: argparse.Namespace, *, auto: bool) -> int:
    best = candidates[0].explanation
    one, speaks, direction = best.package, best.speaks, best.direction
    refused = refusal(one, speaks, direction, best.payload) if args.strict else None
    fine = best.complete and refused is None
    tips = [] if fine else hints(best)
    if args.json:
        write_json(_document(candidates, refused, tips, strict=args.strict, auto=auto))
    else:
        print(heading(best))
        for line in (*choice_text(candidates), *explanation_text(best, PAINT)):
            print(line)
        if best.leftover is not None and refused == best.leftover.error:
            refused = None  # said already
        for line in notes_text(best.anomalies, refused, tips, PAINT):
            print(line)
    return Status.GOOD if fine else Status.NO


def _document(
    candidates: list[Candidate],
    refused: DecodeError | None,
    tips: list[str],
    *,
    strict: bool,
    auto: bool,
) -> dict[str, JSON]:
    best: Explanation = candidates[0].explanation
    document = best.to_json()
    document["complete"] = best.complete and refused is None
    if strict:
        document["refusal"] = None if refused is None else _blame(refused)
    document["hints"] = [*tips]
    if auto:
        document["readings"] = [candidate.to_json() for candidate in candidates]
    return document


def _blame(error: DecodeError) -> dict[str, JSON]:
    return {"command": error.command, "offset": error.offset, "reason": error.reason}


# --- Arguments ------------------------------------------------------------------------------------


def _spoken(args: argparse.Namespace) -> dict[str, int]:
    return dict(_named_version(text) for text in args.speaks)


def _ports(args: argparse.Namespace) -> dict[str, int]:
    """Return the ports of --port, by package.

    Raises:
        InputError: There is no such package or port.
    """
    fports = {}
    for text in args.port:
        name, equals, fport = text.partition("=")
        if not (equals and fport.isascii() and fport.isdigit() and len(fport) < 4):
            raise InputError(
                f"--port takes a package and its port, as in fragmentation=77: {repeated(text)}"
            )
        fports[_find(name, max(versions_of(name), default=-1)).name] = int(fport)
    try:
        PackageMap(fports=fports)
    except FieldError as error:
        raise InputError(f"--port {error.value}: expected {error.expected}") from None
    return fports


def _with_version(what: str, version: str | None) -> str:
    """Return PACKAGE/VERSION, with the version of --version if there is one."""
    name, slash, written = what.partition("/")
    if version is None:
        return what
    if slash and written != version:
        raise InputError(
            f"two versions are given: {repeated(what)} and --version {repeated(version)}"
        )
    return f"{name}/{version}"


def _package(
    text: str, spoken: dict[str, int], fports: dict[str, int]
) -> tuple[Package, dict[str, int] | None]:
    """Return the package that *text* means and what the device speaks; None: any version does."""
    name, slash, version = text.partition("/")
    if name.isascii() and name.isdigit() and len(name) < 6:
        found = PackageMap(spoken, fports).at(int(name))
        if found is None:
            ports = ", ".join(map(str, sorted({**DEFAULT_FPORTS, **fports}.values())))
            raise InputError(f"no package lives on port {name}: expected one of {ports}")
        name = found.name
    if slash and version != _AUTO:
        found = _find(name, _number(version))
        return found, {**spoken, found.name: found.version}
    newest = _find(name, max(versions_of(name), default=-1))
    if slash or not (newest.name in spoken or (newest is MULTIPACKAGE and spoken)):
        return newest, None
    return PackageMap(spoken).packages[newest.identifier], spoken


def _named_version(text: str) -> tuple[str, int]:
    name, slash, version = text.partition("/")
    if not slash:
        raise InputError(
            f"--speaks takes a package and its version, as in fragmentation/1: {repeated(text)}"
        )
    return _find(name, _number(version)).name, _number(version)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise InputError(f"a package version is a number, as in fragmentation/1: {repeated(text)}")
    return int(text)


def _find(name: str, version: int) -> Package:
    try:
        return package(name, version)
    except FieldError as error:
        if error.field == "name":
            named = repeated(str(error.value))
            reason = f"there is no package {named}: expected {error.expected}, phy or log"
        else:
            reason = f"there is no {name}/{version}: expected version {error.expected}"
        raise InputError(reason) from None
