"""The sample firmware, its keys, and the errors a reader may raise."""

from __future__ import annotations

import functools
from pathlib import Path

from lorafuota.errors import DecodeError, IntegrityError
from lorafuota.image import mcuboot
from lorafuota.image.delta import DeltaLimits, create_delta
from lorafuota.image.detools import DetoolsCodec
from lorafuota.image.keys import SigningKey
from lorafuota.image.version import ImageVersion

FIRMWARE = Path(__file__).resolve().parents[2] / "data" / "firmware"
PEM = {"signed": "test-only-ecdsa-p256.pem", "ed25519": "test-only-ed25519.pem"}
OLD, NEW = ImageVersion(1, 0, 0), ImageVersion(1, 1, 0)
HARDWARE = 0x0107_0002
REFUSED = (DecodeError, IntegrityError)
LIMITS = DeltaLimits()


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
    payload = create_delta(image(OLD), image(NEW, hardware, counter), DetoolsCodec()).encode()
    return wrapped(payload, hardware=hardware)


def wrapped(payload: bytes, *, hardware: int | None = HARDWARE, by: str = "ed25519") -> bytes:
    return mcuboot.sign(
        payload, key=key(by), version=NEW, hardware=hardware, header_size=32, is_delta=True
    )
