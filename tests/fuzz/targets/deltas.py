"""Invariant: a patch gives the image it was made for or an error, in the memory its limits allow.

The patch stands alone (the codec), or behind the header that says what it is between.
"""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Sequence

from lorafuota.errors import BaseImageError, DecodeError, IntegrityError
from lorafuota.image._unpack import PIECE
from lorafuota.image.delta import DeltaLimits, DeltaUpdate, apply_delta, create_delta
from lorafuota.image.detools import DetoolsCodec
from tests.fuzz import mutation
from tests.fuzz.targets.target import Target
from tests.unit.image.support import NEW, OLD, PATCH, SampleCodec, image, signed_size

LIMITS = DeltaLimits(output=40_000, window_bits=12)
CODEC = DetoolsCodec()


def patch(data: bytes) -> str:
    pieces, failed = 0, ""
    try:
        for piece in CODEC.apply(image(OLD), data, LIMITS):
            assert len(piece) <= PIECE
            pieces += len(piece)
            assert pieces <= LIMITS.output
    except DecodeError as error:
        assert error.reason
        failed = type(error).__name__
    try:
        info = CODEC.inspect(data, LIMITS)
    except DecodeError:
        assert failed
        return failed
    if not failed:
        assert info.output == info.changed + info.new == pieces
    return failed or "an image"


@functools.cache
def patches() -> tuple[bytes, ...]:
    """Small patches in all three compressions, of every step, and the one of the sample."""
    new = b"new octets" * 3
    steps = (
        signed_size(0)
        + b"".join((signed_size(40), bytes(40), signed_size(30), new, signed_size(-20)))
        + b"".join((signed_size(10), b"\1" * 10, signed_size(0), signed_size(900)))
        + b"".join((signed_size(700), bytes(700), signed_size(0), signed_size(0)))
    )
    size = signed_size(780)
    plain = b"\x00" + size + steps
    literal = b"\x02" + size + b"\x00" + _length(len(steps)) + steps
    runs = b"\x02" + size + b"".join(b"\x01\x01" + bytes((octet,)) for octet in steps)
    shrunk = b"\x04" + size + b"\x64" + _bits("".join(f"1{octet:08b}" for octet in steps))
    far = b"\x04" + signed_size(39_000) + b"\x84" + _bits(("1" + "0" * 8) * 9 + ("0" * 20) * 99)
    return (plain, literal, runs, shrunk, far) * 3 + (PATCH.read_bytes(),)


def _length(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*octets, value))


def _bits(text: str) -> bytes:
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


SMALL, GROWN = b"what runs" * 9, b"what runs" * 7 + b"and what is new" * 4


def delta(data: bytes) -> str:
    """For a device that runs the sample, or something small."""
    try:
        update = DeltaUpdate.decode(data)
    except DecodeError as error:
        return type(error).__name__
    assert update.encode() == data
    old, new = (SMALL, GROWN) if update.base_size == len(SMALL) else (image(OLD), image(NEW))
    try:
        result = apply_delta(old, update, {CODEC.code: CODEC}, LIMITS)
    except (BaseImageError, DecodeError, IntegrityError) as error:
        return type(error).__name__
    assert result == new
    return "an image"


@functools.cache
def deltas() -> tuple[bytes, ...]:
    """The delta of the sample, and a small one that brings all of its image along."""
    sizes = (signed_size(len(GROWN)), b"\0\0", signed_size(len(GROWN)))
    plain = b"".join((b"\0", *sizes, GROWN, b"\0"))
    before, after = (hashlib.sha256(octets).digest() for octets in (SMALL, GROWN))
    small = DeltaUpdate(CODEC.code, len(SMALL), before, len(GROWN), after, plain).encode()
    return small, small, small, create_delta(image(OLD), image(NEW), SampleCodec()).encode()


def far_off(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    """Sizes in the header go wrong more often than the long patch behind it."""
    data = mutation.octets(rng, pool)
    if rng.random() < 0.5:
        at = rng.choice((4, 8, 12, 44, 48))
        data = data[:at] + rng.randbytes(4) + data[at + 4 :]
    return data


TARGETS = (
    Target(name="patch", one_input=patch, seeds=patches, memory=1 << 18),
    Target(name="delta", one_input=delta, seeds=deltas, mutate=far_off, memory=1 << 19),
)
