"""A delta: the firmware that runs, and what to change to get the new one.

What travels is a :class:`DeltaUpdate`: which base, which result, and the codec's patch.  It is
signed like an image (:mod:`.mcuboot`, :mod:`.raw`), so a device knows before it applies anything
that the patch is its maker's; and it compares the result with the SHA-256 told, so that a patch
gives the right image or an error.

    0   magic "LFD1"       12  SHA-256 of the base
    4   codec              44  octets of the result
    5   three zeros        48  SHA-256 of the result
    8   octets of the base 80  the patch            integers with the low octet first
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import struct
from collections.abc import Iterator, Mapping
from typing import Final, Protocol, Self, final

from ..errors import (
    BaseImageError,
    DecodeError,
    FieldError,
    IntegrityError,
    TruncatedError,
    require_int,
)
from ..types import BytesLike

__all__ = ["DeltaCodec", "DeltaLimits", "DeltaUpdate", "PatchInfo", "apply_delta", "create_delta"]

_WHAT: Final = "delta"
_LAYOUT: Final = struct.Struct("<4sB3sI32sI32s")
_MAGIC: Final = b"LFD1"


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeltaLimits:
    """What a device has room for; a patch that asks for more is refused before it gets it.

    Attributes:
        output: Octets of the result at most; as a rule the size of the slot.
        window_bits: Decompression looks back 2**window_bits octets at most, 4 to 15.
    """

    output: int = 1 << 20
    window_bits: int = 15

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        require_int("DeltaLimits", "output", self.output, 1, 0xFFFFFFFF)
        require_int("DeltaLimits", "window_bits", self.window_bits, 4, 15)


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PatchInfo:
    """What a patch consists of.

    Attributes:
        codec: Name of the codec.
        compression: How it is compressed.
        window_bits: The decompressor keeps 2**window_bits octets; None if it keeps none.
        size: Octets of the patch.
        output: Octets of the result.
        changed: Octets of the result that are the base's plus a difference.
        new: Octets of the result that the patch brings along.
        records: Steps of the patch.
    """

    codec: str
    compression: str
    window_bits: int | None
    size: int
    output: int
    changed: int
    new: int
    records: int


class DeltaCodec(Protocol):
    """One way to write a patch.  :class:`.detools.DetoolsCodec` is the one that comes with us."""

    @property
    def name(self) -> str:
        """What people call it."""
        raise NotImplementedError

    @property
    def code(self) -> int:
        """What a :class:`DeltaUpdate` calls it, 0 to 255; from 128 for codecs of your own."""
        raise NotImplementedError

    def create(self, base: bytes, target: bytes) -> bytes:
        """Return the patch from *base* to *target*.

        Raises:
            StateError: What creates patches is not installed.
        """
        raise NotImplementedError

    def inspect(self, patch: bytes, limits: DeltaLimits) -> PatchInfo:
        """Read a patch to its end.

        Raises:
            DecodeError: It is none, ends too early, goes on after its end or exceeds a limit.
        """
        raise NotImplementedError

    def apply(self, base: bytes, patch: bytes, limits: DeltaLimits) -> Iterator[bytes]:
        """Yield the result in pieces; memory beside them is the window of the limits.

        Raises:
            DecodeError: As :meth:`inspect`, or the patch reads outside the base.
        """
        raise NotImplementedError


@final
@dataclasses.dataclass(frozen=True, slots=True)
class DeltaUpdate:
    """What travels: the patch, and what it is between.

    Attributes:
        codec: Of the patch, by :attr:`DeltaCodec.code`.
        base_size: Octets of the firmware it starts from, as it stands in its slot.
        base_sha256: ... and its hash.
        size: Octets of the result.
        sha256: ... and its hash.
        patch: The codec's octets.
    """

    codec: int
    base_size: int
    base_sha256: bytes = dataclasses.field(repr=False)
    size: int
    sha256: bytes = dataclasses.field(repr=False)
    patch: bytes = dataclasses.field(repr=False)

    def encode(self) -> bytes:
        """Return the octets to sign."""
        head = _LAYOUT.pack(
            _MAGIC,
            self.codec,
            bytes(3),
            self.base_size,
            self.base_sha256,
            self.size,
            self.sha256,
        )
        return head + self.patch

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """Undo :meth:`encode`; the patch is not looked into.

        Raises:
            TruncatedError: It ends too early.
            DecodeError: It is no delta.
        """
        data = bytes(data)
        if data[:4] != _MAGIC[: len(data)]:
            raise DecodeError(_WHAT, 0, "it does not start with LFD1")
        if len(data) <= _LAYOUT.size:
            raise TruncatedError(_WHAT, len(data), "it ends too early")
        _, codec, zeros, base_size, base_sha256, size, sha256 = _LAYOUT.unpack_from(data)
        if any(zeros):
            raise DecodeError(_WHAT, 5, "a kind of delta that is not known here")
        return cls(codec, base_size, base_sha256, size, sha256, data[_LAYOUT.size :])


def create_delta(base: BytesLike, target: BytesLike, codec: DeltaCodec) -> DeltaUpdate:
    """Make a delta, and apply it once to be sure.

    Args:
        base: What devices run: the octets of the slot, header and signature included.
        target: What they shall run.
        codec: Writes the patch.

    Raises:
        FieldError: One of the two is empty.
        StateError: What creates patches is not installed, or it wrote a wrong one.
    """
    base, target = bytes(base), bytes(target)
    for field, data in (("base", base), ("target", target)):
        if not data:
            raise FieldError("create_delta", field, len(data), "1 octet or more")
    update = DeltaUpdate(
        codec.code,
        len(base),
        hashlib.sha256(base).digest(),
        len(target),
        hashlib.sha256(target).digest(),
        codec.create(base, target),
    )
    apply_delta(base, update, {codec.code: codec}, DeltaLimits(output=len(target)))
    return update


def apply_delta(
    base: BytesLike,
    update: DeltaUpdate,
    codecs: Mapping[int, DeltaCodec],
    limits: DeltaLimits,
) -> bytes:
    """Return the result; there is none but the one whose hash the delta tells.

    Args:
        base: What runs: the octets of the slot.
        update: Signed, and checked by the caller.
        codecs: Those the device has, by their code.
        limits: What the device has room for.

    Raises:
        BaseImageError: The delta starts from another firmware.
        DecodeError: The codec is not there, the patch is broken, or exceeds a limit.
        IntegrityError: The result is not the one told.
    """
    base = bytes(base)
    told = (update.base_size, update.base_sha256)
    if not hmac.compare_digest(hashlib.sha256(base).digest(), told[1]) or len(base) != told[0]:
        raise BaseImageError(_WHAT, "it starts from another firmware than the one that runs")
    codec = codecs.get(update.codec)
    if codec is None:
        raise DecodeError(_WHAT, 4, f"codec {update.codec} is not known here")
    if update.size > limits.output:
        reason = f"the result has {update.size} octets, and {limits.output} have room"
        raise DecodeError(_WHAT, 44, reason)
    result, within = bytearray(), dataclasses.replace(limits, output=max(1, update.size))
    for piece in codec.apply(base, update.patch, within):
        result += piece
    if len(result) != update.size or hashlib.sha256(result).digest() != update.sha256:
        raise IntegrityError(_WHAT, "the result is not the image that was told")
    return bytes(result)
