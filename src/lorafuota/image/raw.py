"""A signature beside the image, for those without MCUboot: the image stays as it was linked.

    0   magic "LFS1"       20  length of the image
    4   kind: 0 full       24  SHA-256 of the image
        image, 1 delta     56  length of the signature, one octet
    5   1: hardware told   57  the signature over octets 0 to 55
    6   two zeros
    8   hardware           integers with the low octet first;
    12  version            the version as MCUboot has it

The two travel as one block, signature first (:func:`join`), and a device keeps them apart again
(:func:`split`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import struct
from typing import Final, final

from ..errors import DecodeError, FieldError, IntegrityError, TruncatedError, require_int
from ..types import BytesLike
from .keys import SigningKey, VerifyKey
from .version import ImageVersion

__all__ = ["MAGIC", "RawSignature", "join", "parse", "sign", "split", "verify"]

MAGIC: Final = b"LFS1"
"""What a detached signature starts with."""

_WHAT: Final = "detached signature"
_LAYOUT: Final = struct.Struct("<4sBBHI8sI32s")
_LONGEST: Final = 72


@final
@dataclasses.dataclass(frozen=True, slots=True)
class RawSignature:
    """What a detached signature says.  Nothing of it is true until :func:`verify` has said so.

    Attributes:
        version: Of the image.
        hardware: HW version it is for; None if it does not say.
        is_delta: Whether the image is a delta.
        size: Octets of the image.
        sha256: Of the image.
        signature: Over everything above.
    """

    version: ImageVersion
    hardware: int | None
    is_delta: bool
    size: int
    sha256: bytes = dataclasses.field(repr=False)
    signature: bytes = dataclasses.field(repr=False)

    @property
    def signed(self) -> bytes:
        """The octets under the signature."""
        told = self.hardware is not None
        return _LAYOUT.pack(
            MAGIC,
            self.is_delta,
            told,
            0,
            self.hardware or 0,
            self.version.encode(),
            self.size,
            self.sha256,
        )

    def encode(self) -> bytes:
        """Return the octets of a file, or of the beginning of a block."""
        return self.signed + bytes((len(self.signature),)) + self.signature


def sign(
    image: BytesLike,
    *,
    key: SigningKey,
    version: ImageVersion,
    hardware: int | None = None,
    is_delta: bool = False,
) -> bytes:
    """Return the detached signature of an image.

    Args:
        image: Not empty.
        key: Whose image it is; decides the algorithm.
        version: What it contains.
        hardware: HW version it is for, 32 bits, or None to leave that open.
        is_delta: *image* is what :meth:`.delta.DeltaUpdate.encode` returned.

    Raises:
        FieldError: An argument is out of range, or the image is empty.
    """
    image = bytes(image)
    require_int("image", "length", len(image), 1, 0xFFFFFFFF)
    if hardware is not None:
        require_int("image", "hardware", hardware, 0, 0xFFFFFFFF)
    sha256 = hashlib.sha256(image).digest()
    unsigned = RawSignature(version, hardware, is_delta, len(image), sha256, b"")
    return dataclasses.replace(unsigned, signature=key.sign(unsigned.signed)).encode()


def parse(data: BytesLike) -> RawSignature:
    """Read a detached signature without believing it.

    Raises:
        TruncatedError: It ends too early.
        DecodeError: It is none, or goes on after its end.
    """
    found, rest = _read(bytes(data))
    if rest:
        raise DecodeError(_WHAT, len(data) - len(rest), f"{len(rest)} octets follow it")
    return found


def verify(image: BytesLike, detached: BytesLike, key: VerifyKey) -> RawSignature:
    """Prove that *detached* is the signature of the owner of *key* over *image*.

    Raises:
        TruncatedError, DecodeError: As :func:`parse`.
        IntegrityError: Another key signed it, or another image.
    """
    found = parse(detached)
    key.verify(found.signature, found.signed)
    if len(image) != found.size:
        raise IntegrityError("image", f"{len(image)} octets, and {found.size} were signed")
    if not hmac.compare_digest(hashlib.sha256(image).digest(), found.sha256):
        raise IntegrityError("image", "sha256 does not fit: it has been changed")
    return found


def join(image: BytesLike, detached: BytesLike) -> bytes:
    """Return the block that carries both.

    Raises:
        FieldError: *detached* is no detached signature.
    """
    try:
        parse(detached)
    except DecodeError as error:
        raise FieldError("join", "detached", str(error), "a detached signature") from None
    return bytes(detached) + bytes(image)


def split(block: BytesLike) -> tuple[bytes, bytes]:
    """Undo :func:`join`; return the image and its signature, and believe neither.

    Raises:
        TruncatedError, DecodeError: The block does not start with a detached signature.
    """
    block = bytes(block)
    _, image = _read(block)
    return image, block[: len(block) - len(image)]


def _read(data: bytes) -> tuple[RawSignature, bytes]:
    """Read a signature; return it and what follows."""
    if data[:4] != MAGIC[: len(data)]:
        raise DecodeError(_WHAT, 0, "it does not start with LFS1")
    if len(data) <= _LAYOUT.size:
        raise TruncatedError(_WHAT, len(data), "it ends too early")
    _, kind, told, zero, hardware, version, size, sha256 = _LAYOUT.unpack_from(data)
    if kind > 1 or told > 1 or zero or (not told and hardware):
        raise DecodeError(_WHAT, 4, "a kind of signature that is not known here")
    start = _LAYOUT.size + 1
    end = start + data[_LAYOUT.size]
    if end - start > _LONGEST:
        raise DecodeError(_WHAT, _LAYOUT.size, f"a signature of {end - start} octets")
    if end > len(data):
        raise TruncatedError(_WHAT, len(data), "it ends inside the signature")
    found = RawSignature(
        ImageVersion.decode(version),
        hardware if told else None,
        bool(kind),
        size,
        sha256,
        data[start:end],
    )
    return found, data[end:]
