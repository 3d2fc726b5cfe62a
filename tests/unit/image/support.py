"""The sample firmware, its keys, and the errors a reader may raise."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from lorafuota.errors import DecodeError, IntegrityError
from lorafuota.image import mcuboot
from lorafuota.image.delta import DeltaLimits, PatchInfo, create_delta
from lorafuota.image.detools import DetoolsCodec
from lorafuota.image.keys import SigningKey
from lorafuota.image.version import ImageVersion

FIRMWARE = Path(__file__).resolve().parents[2] / "data" / "firmware"
PEM = {"signed": "test-only-ecdsa-p256.pem", "ed25519": "test-only-ed25519.pem"}
OLD, NEW = ImageVersion(1, 0, 0), ImageVersion(1, 1, 0)
HARDWARE = 0x0107_0002
REFUSED = (DecodeError, IntegrityError)
LIMITS = DeltaLimits()
PATCH = FIRMWARE / "app-1.0.0-to-1.1.0.patch"
NO_DETOOLS = "detools is not installed (extra: delta)"
needs_detools = pytest.mark.skipif(importlib.util.find_spec("detools") is None, reason=NO_DETOOLS)


class SampleCodec:
    """Reads and applies as DetoolsCodec does, and creates patches where detools is not installed.

    Between the releases of the sample it is the patch that is checked in; between others one that
    brings the whole result along, uncompressed.
    """

    name, code = "detools", 1

    def create(self, base: bytes, target: bytes) -> bytes:
        if (base, target) == (image(OLD), image(NEW)):
            return PATCH.read_bytes()
        size = signed_size(len(target))
        parts = (b"\0", size, signed_size(0), signed_size(0), size, target, signed_size(0))
        return b"".join(parts)

    def inspect(self, patch: bytes, limits: DeltaLimits) -> PatchInfo:
        return DetoolsCodec().inspect(patch, limits)

    def apply(self, base: bytes, patch: bytes, limits: DeltaLimits) -> Iterator[bytes]:
        return DetoolsCodec().apply(base, patch, limits)


def signed_size(value: int) -> bytes:
    """A signed size as it stands in a patch of detools."""
    sign, value = (0x40, -value) if value < 0 else (0, value)
    octets = [sign | value & 0x3F]
    value >>= 6
    while value:
        octets[-1] |= 0x80
        octets.append(value & 0x7F)
        value >>= 7
    return bytes(octets)


def sample(version: str, kind: str) -> bytes:
    return (FIRMWARE / f"app-{version}.{kind}.bin").read_bytes()


@functools.cache
def key(kind: str = "ed25519") -> SigningKey:
    return SigningKey.from_pem((FIRMWARE / PEM[kind]).read_bytes())


@functools.cache
def image(version: ImageVersion, hardware: int | None = HARDWARE, counter: int = 0) -> bytes:
    """A release of the sample, signed with Ed25519 for some hardware."""
    program = sample("1.1.0" if version == NEW else "1.0.0", "raw")
    return mcuboot.sign(
        program,
        key=key(),
        version=version,
        hardware=hardware,
        security_counter=counter or None,
    )


@functools.cache
def delta(hardware: int | None = HARDWARE, counter: int = 0) -> bytes:
    """The signed delta between the two releases."""
    payload = create_delta(image(OLD), image(NEW, hardware, counter), SampleCodec()).encode()
    return wrapped(payload, hardware=hardware)


def wrapped(payload: bytes, *, hardware: int | None = HARDWARE, by: str = "ed25519") -> bytes:
    return mcuboot.sign(
        payload, key=key(by), version=NEW, hardware=hardware, header_size=32, is_delta=True
    )
