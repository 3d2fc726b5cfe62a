"""Invariant: memory is bounded by limits known before, whatever is asked for (promise S1).

Asks for the absurd, of a device, and of everything that reads a file, and measures the peak of each
request (tracemalloc) against what its limits allow.  One line for each kind of request:

    python -m tests.fuzz.memory
    python -m tests.fuzz.memory --markdown memory.md
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import itertools
import json
import pathlib
import random
import sqlite3
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from unittest import mock

from lorafuota.campaign import Event, EventKind, SqliteStore, StoreError, config_from_json
from lorafuota.campaign.snapshot import Snapshot
from lorafuota.catalogue import from_json
from lorafuota.errors import BaseImageError, DecodeError, IntegrityError
from lorafuota.fec import matrix
from lorafuota.fec.decoder import FragDecoder, memory_bound
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation import v1
from lorafuota.image import mcuboot, raw, signature
from lorafuota.image.delta import DeltaLimits, DeltaUpdate, apply_delta
from lorafuota.image.detools import DetoolsCodec
from lorafuota.session.fragmentation import FragLimits
from lorafuota.session.fragsession import SetupReq
from lorafuota.simulate import Scenario
from lorafuota.types import DevEUI
from tests.fuzz.targets import store
from tests.fuzz.targets.target import folder
from tests.laws.set_ups import device, errors, tell
from tests.unit.image.support import signed_size

GIGABYTES: Final = (1 << 31, (1 << 32) - 1)
KIB: Final = 1024
EVENT: Final = Event("campaign", 5.0, EventKind.STARTED, "", {})
REST: Final = 128 * KIB
"""Octets for what does not depend on the request: actions, errors, the state before it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One absurd thing to ask for."""

    ask: Callable[[], bool]
    """Ask; return whether it was granted."""
    bound: int
    """Octets that may be needed for the answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What came of all requests of one kind."""

    what: str
    requests: int
    granted: int
    peak: int
    bound: int
    """For the request that came nearest to its bound."""

    @property
    def share(self) -> float:
        return self.peak / self.bound


def measure(request: Request) -> tuple[bool, int]:
    """Return whether a request was granted, and the peak in octets."""
    tracemalloc.start()
    try:
        granted = request.ask()
        return granted, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def row(what: str, requests: Iterator[Request]) -> Row:
    """Measure all requests of one kind."""
    worst, count, yes = (0, 1), 0, 0
    for request in requests:
        granted, peak = measure(request)
        count, yes = count + 1, yes + granted
        if peak / request.bound > worst[0] / worst[1]:
            worst = peak, request.bound
    return Row(what, count, yes, *worst)


# A device


def set_ups(limits: FragLimits, *, feed: bool) -> Iterator[Request]:
    """Every hostile size; with *feed*, as many coded fragments as it takes, and no plain one."""
    frags: tuple[int, ...] = (0, 1, 50, 400, 1_500, 65_535)
    if not feed:
        frags = (0, 1, 3_000, 9_000, 16_383, 16_384, 65_535)
    for nb_frag, frag_size in itertools.product(frags, (0, 1, 48, 222, 255)):
        req = v1.FragSessionSetupReq(
            mc_group_bit_mask=15,
            frag_index=3,
            nb_frag=nb_frag,
            frag_size=frag_size,
            block_ack_delay=7,
            frag_algo=0,
            padding=0,
            descriptor=b"\xff" * 4,
        )
        bound = REST
        if not limits.refusal(req):
            bound += memory_bound(nb_frag=nb_frag, frag_size=frag_size) * 12 // 10
        yield Request(functools.partial(_set_up, req, limits, feed=feed), bound)


def _set_up(req: SetupReq, limits: FragLimits, *, feed: bool) -> bool:
    with mock.patch.object(matrix, "_CACHE", matrix.LineCache(0)):
        one = device(1, limits)
        if errors(v1.PACKAGE, tell(one, req)):
            assert one.fragmentation.state(req.frag_index) is None
            return False
        rng = random.Random(1)
        for n in range(req.nb_frag + 1, req.nb_frag + 80 + req.nb_frag if feed else 0):
            air = b"\x08" + (min(n, 16_383) | 3 << 14).to_bytes(2, "little")
            one.receive(201, air + rng.randbytes(req.frag_size)[:239], now=1.3e9)
            one.tick(now=1.3e9)
    return True


def saved_sessions() -> Iterator[Request]:
    """Saved decoders that claim the largest block and hold little of it."""
    good = FragDecoder(nb_frag=5, frag_size=4, variant=ParityVariant.V1).save()
    for change in (
        {"nb_frag": 16_383, "frag_size": 255},
        {"nb_frag": 2**62},
        {"frag_size": 2**62},
        {"received": "A" * 4_000_000},
        {"coded": list(range(1, 200_000))},
        {"repeats": 10**4000},
    ):
        text = json.dumps({**good, **change})
        yield Request(functools.partial(_accepts, FragDecoder.restore, text), 8 * len(text) + REST)


# Files


def images() -> Iterator[Request]:
    """Headers and TLVs of images and detached signatures that promise gigabytes."""
    head = struct.Struct("<4sIHHII8sI")
    for size, header, protected in itertools.product((*GIGABYTES, 0), (32, 0xFFFF), (0, 4, 0xFFFF)):
        data = head.pack(mcuboot.MAGIC, 0, header, protected, size, 0, bytes(8), 0) + bytes(400)
        yield Request(functools.partial(_reads, signature.inspect, data), 4 * len(data) + REST)
    for size in GIGABYTES:
        data = struct.pack("<4sBBHI8sI32sB", raw.MAGIC, 0, 0, 0, 0, bytes(8), size, bytes(32), 64)
        data += bytes(64)
        yield Request(functools.partial(_reads, signature.inspect, data), 4 * len(data) + REST)


def deltas(limits: DeltaLimits) -> Iterator[Request]:
    """Deltas and patches whose sizes, runs, records and windows promise gigabytes."""
    base = bytes(1000)
    bound = 2 * limits.output + (1 << limits.window_bits) + REST
    most = signed_size(limits.output)
    bits = (limits.window_bits - 4) << 4 | 3
    patches = [
        b"\x00" + signed_size(1 << 60),
        b"\x02" + most + b"\x01" + b"\xff" * 8 + b"\x7f\x00",
        b"\x02" + most + b"\x00\x01\x00" + b"\x01" + b"\xff" * 8 + b"\x7f\x00",
        b"\x02" + most + b"\x01\x01\x00\x01\x80\x80\x80\x01\x3f" * 50,
        b"\x00" + most + b"\x00" + most + bytes(limits.output),
        b"\x04" + most + b"\xf0" + bytes(4000),
        b"\x04" + most + bytes((bits,)) + bytes(4000),
        b"\x04" + most + bytes((bits,)) + b"\x80" + bytes(4000),
        b"\x00" + most + b"\x00" + b"\x00\x00\x00" * 50_000,
    ]
    codec = DetoolsCodec()
    for patch in patches:
        room = bound + 4 * len(patch)
        yield Request(functools.partial(_unpacks, codec, base, patch, limits), room)
        for size in (*GIGABYTES, limits.output):
            update = DeltaUpdate(
                1, len(base), hashlib.sha256(base).digest(), size, bytes(32), patch
            )
            yield Request(functools.partial(_applies, base, update, codec, limits), room)


def documents() -> Iterator[Request]:
    """Nesting, long numbers, long texts and many members, to each reader of JSON."""
    nested = "[" * 900 + "0" + "]" * 900
    texts = [
        nested,
        "[" * 1_000_000,
        '{"a":' * 1_000_000,
        "1" * 4_000,
        "1" * 1_000_000,
        '{"schema":1,"campaign":' + nested + ',"groups":{},"devices":{}}',
        json.dumps(
            {
                "schema": 1,
                "campaign": {},
                "groups": {},
                "devices": {str(DevEUI(at)): {} for at in range(1, 5_001)},
            }
        ),
        json.dumps({"package": "fragmentation", "version": 1, "unknown": "x" * 1_000_000}),
        json.dumps({**EVENT.to_json(), "time": 1e308}),
        json.dumps({**EVENT.to_json(), "detail": "y" * 1_000_000}),
    ]
    readers: Sequence[Callable[[Any], object]] = (
        from_json,
        Event.from_json,
        Snapshot.from_json,
        config_from_json,
        FragDecoder.restore,
        lambda found: Scenario.from_json(found, image=b"x"),
    )
    for text, read in itertools.product(texts, readers):
        yield Request(functools.partial(_accepts, read, text), 32 * len(text) + REST)


def stores() -> Iterator[Request]:
    """Files of SQLite with absurd values and headers, checksums right."""
    good = store.seeds()[4]
    for statement in (
        "UPDATE event SET detail = CAST(zeroblob(20000000) AS TEXT) WHERE sequence = 2",
        "UPDATE event SET changes = replace(hex(zeroblob(5000000)), '0', '[') WHERE sequence = 2",
        "UPDATE head SET sequence = 4611686018427387904",
        "UPDATE snapshot SET sequence = 4611686018427387904",
        "UPDATE event SET time = 1e308",
        "UPDATE document SET content = replace(hex(zeroblob(500000)), '0', '{\"a\":')",
    ):
        for signed in (False, True):
            database = sqlite3.connect(":memory:", isolation_level=None)
            database.deserialize(good)
            database.execute(statement)
            if signed and "head" not in statement:
                store.sign(database)
            data = database.serialize()
            database.close()
            yield Request(functools.partial(_opens, data), 12 * len(data) + REST)
    for at, octets in ((28, b"\xff" * 4), (16, b"\x00\x01"), (16, b"\x02\x00"), (20, b"\xff")):
        data = good[:at] + octets + good[at + len(octets) :]
        yield Request(functools.partial(_opens, data), 12 * len(data) + REST)


def _accepts(read: Callable[[Any], object], text: str) -> bool:
    try:
        read(json.loads(text))
    except (ValueError, RecursionError) as error:  # of json; FieldError is one too
        assert str(error)
        return False
    return True


def _reads(read: Callable[[bytes], object], data: bytes) -> bool:
    try:
        read(data)
    except DecodeError:
        return False
    return True


def _unpacks(codec: DetoolsCodec, base: bytes, patch: bytes, limits: DeltaLimits) -> bool:
    try:
        for piece in codec.apply(base, patch, limits):
            del piece
    except DecodeError:
        return False
    return True


def _applies(base: bytes, update: DeltaUpdate, codec: DetoolsCodec, limits: DeltaLimits) -> bool:
    try:
        apply_delta(base, update, {codec.code: codec}, limits)
    except (BaseImageError, DecodeError, IntegrityError):
        return False
    return True


def _opens(data: bytes) -> bool:
    path = folder() / "absurd"
    path.write_bytes(data)
    try:
        with SqliteStore(path, sync=False) as opened:
            opened.load()
            list(opened.history())
            opened.document("simulation")
    except StoreError:
        return False
    finally:
        path.unlink()
    return True


SMALL: Final = FragLimits(max_memory=200_000)


def rows() -> Iterator[Row]:
    """Measure everything."""
    default, none = FragLimits(), FragLimits(max_memory=0)
    yield row("FragSessionSetupReq, max_memory=0", set_ups(none, feed=False))
    yield row("FragSessionSetupReq, max_memory=200000", set_ups(SMALL, feed=False))
    yield row("... and coded fragments without end", set_ups(SMALL, feed=True))
    yield row("FragSessionSetupReq, 32 MiB by default", set_ups(default, feed=False))
    yield row("... and coded fragments without end", set_ups(default, feed=True))
    yield row("saved decoder", saved_sessions())
    yield row("image and signature", images())
    yield row("delta, output=4096, window_bits=8", deltas(DeltaLimits(output=4096, window_bits=8)))
    yield row("delta, 1 MiB and 2**15 by default", deltas(DeltaLimits()))
    yield row("JSON", documents())
    yield row("SqliteStore", stores())


def markdown(table: Sequence[Row]) -> str:
    """The table, as it goes into a note."""
    lines = [
        "| request | tried | granted | peak, KiB | allowed, KiB | share |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    lines += [
        f"| {one.what} | {one.requests} | {one.granted} | {one.peak / KIB:,.0f} | "
        f"{one.bound / KIB:,.0f} | {one.share:.2f} |"
        for one in table
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", type=pathlib.Path, help="file for the table")
    given = parser.parse_args(arguments)
    table = list(rows())
    text = markdown(table)
    if given.markdown:
        given.markdown.write_text(text)
    print(text)
    worst = max(table, key=lambda one: one.share)
    requests = sum(one.requests for one in table)
    print(
        f"{requests} absurd requests, at most {worst.share:.2f} of what is allowed ({worst.what})"
    )
    return 1 if worst.share > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
