"""Patches of detools: sequential, plain or compressed by crle or heatshrink.

detools itself creates them (``pip install 'lorafuota[delta]'``).  Reading and applying is ours, and
needs nothing installed: a device must not be led to allocate what a patch asks for, nor to seek
where it pleases, and detools trusts its patches.

    first octet   type (0, sequential) and compression
    size          of the result
    compressed:   size of a preparation for one kind of code, 0: we know none
                  then records: size, so many differences to add to the base,
                  size, so many octets of the result, step of the place in the base

Sizes are signed: six bits, then seven in each octet, the lowest first.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import io
from collections.abc import Iterator
from typing import Final, final

from ..errors import DecodeError, FieldError, StateError, TruncatedError, require_int
from . import _unpack
from .delta import DeltaLimits, PatchInfo

__all__ = ["Compression", "DetoolsCodec"]

_WHAT: Final = "patch"
_LONGEST_SIZE: Final = 9


@final
class Compression(enum.Enum):
    """How a patch is compressed."""

    NONE = "none"
    CRLE = "crle"
    HEATSHRINK = "heatshrink"

    @property
    def number(self) -> int:
        """What stands in the patch."""
        return {Compression.NONE: 0, Compression.CRLE: 2, Compression.HEATSHRINK: 4}[self]


class _Step(enum.Enum):
    CHANGE = "change"
    NEW = "new"
    MOVE = "move"


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DetoolsCodec:
    """Creates, reads and applies sequential patches of detools.

    Attributes:
        compression: Of patches it creates; it reads all three.
        window_bits: heatshrink: the device keeps 2**window_bits octets, 4 to 14.
        lookahead_bits: heatshrink: repetitions of 2**lookahead_bits octets at most, 3 to less than
            *window_bits*.
    """

    compression: Compression = Compression.HEATSHRINK
    window_bits: int = 10
    lookahead_bits: int = 7

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            FieldError: One is out of range.
        """
        require_int("DetoolsCodec", "window_bits", self.window_bits, 4, 14)
        highest = self.window_bits - 1
        require_int("DetoolsCodec", "lookahead_bits", self.lookahead_bits, 3, highest)

    @property
    def name(self) -> str:
        """``detools``."""
        return "detools"

    @property
    def code(self) -> int:
        """1."""
        return 1

    def create(self, base: bytes, target: bytes) -> bytes:
        """Return the patch from *base* to *target*.

        Raises:
            StateError: detools is not installed.
            FieldError: *target* is empty.
        """
        if not target:
            raise FieldError("DetoolsCodec.create", "target", len(target), "1 octet or more")
        try:
            library = importlib.import_module("detools")  # untyped: one call, checked here
        except ImportError as error:
            reason = "detools is not installed: pip install 'lorafuota[delta]'"
            raise StateError("DetoolsCodec.create", reason) from error
        patch = io.BytesIO()
        library.create_patch(
            io.BytesIO(base),
            io.BytesIO(target),
            patch,
            compression=self.compression.value,
            patch_type="sequential",
            heatshrink_window_sz2=self.window_bits,
            heatshrink_lookahead_sz2=self.lookahead_bits,
            use_mmap=False,
        )
        return patch.getvalue()

    def inspect(self, patch: bytes, limits: DeltaLimits) -> PatchInfo:
        """Read a patch to its end; see :class:`.delta.DeltaCodec`."""
        compression, output, body = _head(patch, limits)
        heatshrink = compression is Compression.HEATSHRINK
        counts = dict.fromkeys(_Step, 0)
        for step, value in _steps(compression, output, body, limits):
            counts[step] += 1 if isinstance(value, int) else len(value)
        return PatchInfo(
            codec=self.name,
            compression=compression.value,
            window_bits=_unpack.heatshrink_window(body) if heatshrink else None,
            size=len(patch),
            output=output,
            changed=counts[_Step.CHANGE],
            new=counts[_Step.NEW],
            records=counts[_Step.MOVE],
        )

    def apply(self, base: bytes, patch: bytes, limits: DeltaLimits) -> Iterator[bytes]:
        """Yield the result in pieces; see :class:`.delta.DeltaCodec`."""
        compression, output, body = _head(patch, limits)
        at = 0
        for step, value in _steps(compression, output, body, limits):
            if isinstance(value, int):
                at += value
            elif step is _Step.NEW:
                yield value
            else:
                if not 0 <= at <= len(base) - len(value):
                    raise DecodeError(_WHAT, 0, f"it reads at {at}, outside the base")
                old = base[at : at + len(value)]
                at += len(value)
                yield bytes([(x + y) & 0xFF for x, y in zip(old, value, strict=True)])


def _head(patch: bytes, limits: DeltaLimits) -> tuple[Compression, int, bytes]:
    """Read what is not compressed; return compression, size of the result, and the rest."""
    if not patch:
        raise TruncatedError(_WHAT, 0, "it is empty")
    kind, number = patch[0] >> 4, patch[0] & 0x0F
    if kind != 0:
        raise DecodeError(_WHAT, 0, f"patches of type {kind} are not known here, only sequential")
    compression = next((one for one in Compression if one.number == number), None)
    if compression is None:
        known = ", ".join(one.value for one in Compression)
        raise DecodeError(_WHAT, 0, f"compression {number} is not known here, only {known}")
    start = _unpack.Reader(_unpack.none(patch[1 : 1 + _LONGEST_SIZE]))
    output, length = _size(start)
    if not 0 < output <= limits.output:
        raise DecodeError(_WHAT, 1, f"a result of {output} octets: expected 1 to {limits.output}")
    return compression, output, patch[1 + length :]


def _steps(
    compression: Compression, output: int, body: bytes, limits: DeltaLimits
) -> Iterator[tuple[_Step, bytes | int]]:
    """Yield what to do, in pieces, until the result is complete and the patch at its end.

    A record that brings nothing is legal, so their number is bounded, and with it the work.
    """
    if compression is Compression.CRLE:
        source = _unpack.crle(body)
    elif compression is Compression.HEATSHRINK:
        source = _unpack.heatshrink(body, window_bits=limits.window_bits)
    else:
        source = _unpack.none(body)
    reader = _unpack.Reader(source)
    if _size(reader)[0] != 0:
        raise DecodeError(_WHAT, 0, "it is prepared for one kind of code, which is not known here")
    done = records = 0
    while done < output:
        for step in (_Step.CHANGE, _Step.NEW):
            left, _ = _size(reader)
            if not 0 <= left <= output - done:
                raise DecodeError(_WHAT, 0, f"{left} octets where {output - done} are missing")
            done += left
            while left:
                piece = reader.read(min(left, _unpack.PIECE))
                left -= len(piece)
                yield step, piece
        yield _Step.MOVE, _size(reader)[0]
        records += 1
        if records > done + 1:
            raise DecodeError(_WHAT, 0, "records that bring nothing")
    reader.finish()


def _size(reader: _unpack.Reader) -> tuple[int, int]:
    """Read a signed size; return it and how many octets it has."""
    octet = reader.read(1)[0]
    negative, value = octet & 0x40, octet & 0x3F
    length, shift = 1, 6
    while octet & 0x80:
        if length == _LONGEST_SIZE:
            raise DecodeError(_WHAT, 0, "a size that does not end")
        octet = reader.read(1)[0]
        value |= (octet & 0x7F) << shift
        length, shift = length + 1, shift + 7
    return (-value if negative else value), length
